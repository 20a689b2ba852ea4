"""Looking at a judge's server before the first question: which model, and what will it really see?

vLLM takes frames that a client sends for one per second and silently keeps the first 32; a request may state the true times
only if the server was started with `--trust-request-mm-kwargs`. `/tokenize` answers with the very tokens that the model
will see: the frames that arrived and, for Qwen3-VL, the time labels. Both are checked on a made-up pair of clips.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import JudgeUnavailable, listed
from sparkle_bench.judges.openai import Clock, Decoding, Media, OpenAIJudge, Server, content, stated
from sparkle_bench.judges.transport import Transport, message
from sparkle_bench.rubric import Rubric
from sparkle_bench.video import Clip, Pair, Sampling, Timing, encode_jpeg, instants, smart_resize, write

FACTORS = (32, 28)
"""What picture sides must be multiples of: 32 for Qwen3-VL, 28 for Qwen2-VL and Qwen2.5-VL."""
SAFE_FRAMES = 32
"""As many frames as vLLM keeps when a request cannot state otherwise."""
VIDEO_TOKEN = "<|video_pad|>"
FLAG = "--trust-request-mm-kwargs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a user wants to be judged.

    Attributes:
        model: The served model's name; None if only one is served.
        media: Sampled frames or whole files.
        frames: Pictures per clip.
        max_pixels: At most so many pixels a picture.
        constrain: Force the reply's form; None for where the server offers it.
        server_clock: Accept time labels made by the server's own rule.
        seed: Of the first repeat.
    """

    model: str | None = None
    media: Media = "frames"
    frames: int = 16
    max_pixels: int = 640 * 360
    constrain: bool | None = None
    server_clock: bool = False
    seed: int = 42


def connect(transport: Transport, rubric: Rubric, options: Options) -> OpenAIJudge:
    """Look at the server and return a judge that is ready to be asked.

    Raises:
        JudgeUnavailable: No server, an unknown model, no video support, frames cut or time labels wrong; the message
            says which, and the cure.
    """
    server = _server(transport, options.model)
    constrained = server.is_vllm if options.constrain is None else options.constrain
    decoding = Decoding(seed=options.seed, constrained=constrained)
    if options.media == "mp4":
        _ask_once(transport, server, _made_up_files(), options)
        seen = _Seen(sampling=None, clock="server", notes=(WHOLE_FILES,))
    else:
        seen = _look(transport, server, options)
    return OpenAIJudge(
        transport=transport,
        server=server,
        rubric=rubric,
        decoding=decoding,
        sampling=seen.sampling,
        clock=seen.clock,
        notes=seen.notes,
    )


# -- which server, which model ---------------------------------------------------------------------------------------


def _server(transport: Transport, model: str | None) -> Server:
    response = transport.get("/models")
    if response.status_code in (401, 403):
        raise JudgeUnavailable(
            f"the judge at {transport.shown} refuses the key ({response.status_code}); set SPARKLE_JUDGE_API_KEY"
        )
    try:
        served = {str(card["id"]): card for card in response.json()["data"]} if response.status_code == 200 else {}
    except (ValueError, KeyError, TypeError):
        served = {}
    if not served:
        raise JudgeUnavailable(
            f"{transport.shown}/models lists no models (status {response.status_code}); --judge-url usually ends in /v1"
        )
    name = model or _only(served, transport)
    if name not in served:
        raise JudgeUnavailable(f"{transport.shown} does not serve {name!r}; {suggestion(name, served)}")
    card = served[name]
    root, length = card.get("root"), card.get("max_model_len")
    return Server(
        model=name,
        root=str(root).rstrip("/").rsplit("/", 1)[-1] if root else None,
        version=_version(transport) if card.get("owned_by") == "vllm" else None,
        max_model_len=length if isinstance(length, int) else None,
    )


def _only(served: Mapping[str, Any], transport: Transport) -> str:
    if len(served) > 1:
        raise JudgeUnavailable(
            f"{transport.shown} serves {len(served)} models; name one with --judge-model: {listed(list(served), first=8)}"
        )
    return next(iter(served))


def _version(transport: Transport) -> str:
    response = transport.get("/version", root=True)
    try:
        return f"vllm {response.json()['version']}"
    except (ValueError, KeyError, TypeError):
        return "vllm"


# -- what the model sees ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    sampling: Sampling | None
    clock: Clock
    notes: tuple[str, ...] = ()


WHOLE_FILES = "Whole files were sent; the server sampled the frames by its own rule."
UNVERIFIED = "Nobody could check which frames the judge saw, and at which times it took them to be."
SERVER_CLOCK = (
    "The server timed the frames by its own rule (vLLM: one per second); motion may look too slow to the judge."
)


def _look(transport: Transport, server: Server, options: Options) -> _Seen:
    """Send a made-up pair to `/tokenize`, with each multiple the picture sides may need."""
    guess = 28 if re.search(r"qwen-?2", f"{server.model} {server.root}".lower()) else 32
    answer: _Tokens | None = None
    for factor in sorted(FACTORS, key=lambda f: f != guess):
        sampling = Sampling(frames=options.frames, max_pixels=options.max_pixels, factor=factor)
        question = _made_up(sampling)
        answer = _tokens(transport, server, question, options)
        if answer is None:
            return _unchecked(transport, server, options, factor=guess)
        if answer.pads in (0, _expected_pads(question, sampling)):
            break
    assert answer is not None
    if answer.pads == 0:
        return _Seen(sampling=sampling, clock=_clock(server, options), notes=(UNVERIFIED,))
    _check_frames(transport, answer, question, sampling, options)
    return _check_times(transport, answer, question, sampling, options)


def _made_up(sampling: Sampling) -> Pair:
    """Return a pair of the size and length of the benchmark's, five source frames from one picture to the next."""
    import numpy as np

    height, width = smart_resize(720, 1280, factor=sampling.factor, max_pixels=sampling.max_pixels)
    picture = encode_jpeg(np.full((height, width, 3), 127, dtype=np.uint8), 50)
    clip = Clip(mime="video/jpeg", parts=(picture,) * sampling.frames)
    total = 5 * sampling.frames + 1
    timing = Timing(indices=tuple(instants(total, sampling.frames)), fps=16.0, total=total)
    return Pair(before=clip, after=clip, timing=timing)


def _expected_pads(pair: Pair, sampling: Sampling) -> int:
    """Return the number of video tokens of both clips: one per two frames and patch."""
    height, width = smart_resize(720, 1280, factor=sampling.factor, max_pixels=sampling.max_pixels)
    return len(pair.before.parts) * (height // sampling.factor) * (width // sampling.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    """What `/tokenize` says the model will see."""

    pads: int
    times: tuple[float, ...]
    count: int


def _tokens(transport: Transport, server: Server, pair: Pair, options: Options) -> _Tokens | None:
    """Ask `/tokenize` about a pair; None if the server has no such endpoint."""
    assert pair.timing is not None
    body: dict[str, Any] = {
        "model": server.model,
        "messages": [{"role": "user", "content": content("Look.", pair)}],
        "return_token_strs": True,
    }
    if not options.server_clock:
        body["media_io_kwargs"] = {"video": stated(pair.timing)}
    response = transport.post_once("/tokenize", body, root=True)
    if response.status_code in (404, 405, 501):
        return None
    if response.status_code != 200:
        raise JudgeUnavailable(_refusal(transport, response))
    try:
        data = response.json()
        text = "".join(data["token_strs"])
        return _Tokens(pads=text.count(VIDEO_TOKEN), times=_times(text), count=int(data["count"]))
    except (ValueError, KeyError, TypeError) as error:
        raise JudgeUnavailable(
            f"{transport.shown}: /tokenize gave no tokens; pass another server with --judge-url"
        ) from error


def _refusal(transport: Transport, response: httpx.Response) -> str:
    words = transport.redact(message(response))
    if "media_io_kwargs" in words or "trust-request-mm-kwargs" in words or "trust_request_mm_kwargs" in words:
        return (
            f"the judge at {transport.shown} does not let a request state when frames were taken, so motion would look "
            f"too slow; start it with {FLAG}, or accept its own clock with --server-clock"
        )
    return (
        f"the judge at {transport.shown} does not accept two videos ({response.status_code}: {words}); serve a model that "
        "takes video, with --limit-mm-per-prompt '{\"video\": 2}'"
    )


def _times(text: str) -> tuple[float, ...]:
    """Return the time labels of Qwen3-VL, in seconds. Byte-level tokenizers write a space as `Ġ`."""
    return tuple(float(label) for label in re.findall(r"<(\d+(?:\.\d+)?)(?: |Ġ|▁)?seconds>", text))


def _check_frames(transport: Transport, answer: _Tokens, pair: Pair, sampling: Sampling, options: Options) -> None:
    expected = _expected_pads(pair, sampling)
    if answer.pads == expected:
        return
    sent = 2 * len(pair.before.parts)
    if answer.pads < expected and (answer.pads * sent) % expected == 0:
        kept = answer.pads * sent // expected // 2
        cure = f"use --frames {SAFE_FRAMES} or fewer" if options.server_clock else "use fewer --frames"
        raise JudgeUnavailable(f"the judge at {transport.shown} shows its model {kept} of {sent // 2} frames; {cure}")
    raise JudgeUnavailable(
        f"the judge at {transport.shown} gives its model {answer.pads} video tokens where {expected} were sent: it resizes "
        "or drops frames; remove its video size limits, or use --media mp4"
    )


def _check_times(transport: Transport, answer: _Tokens, pair: Pair, sampling: Sampling, options: Options) -> _Seen:
    if options.server_clock:
        return _Seen(sampling=sampling, clock="server", notes=(SERVER_CLOCK,))
    if answer.times and not _close(answer.times, expected_times(pair) * 2):
        raise JudgeUnavailable(
            f"the judge at {transport.shown} labels the frames {listed([f'{t:g} s' for t in answer.times])} where "
            f"{listed([f'{t:.1f} s' for t in expected_times(pair)])} is true; update vLLM, or accept it with --server-clock"
        )
    return _Seen(sampling=sampling, clock="stated")


def expected_times(pair: Pair) -> list[float]:
    """Return the seconds with which each two merged frames should be labelled: the mean of their times."""
    assert pair.timing is not None
    seconds = [index / pair.timing.fps for index in pair.timing.indices]
    return [(first + second) / 2 for first, second in zip(seconds[::2], seconds[1::2], strict=True)]


def _close(labels: Sequence[float], expected: Sequence[float]) -> bool:
    """Whether labels of one decimal place are right."""
    return len(labels) == len(expected) and all(abs(a - b) <= 0.0501 for a, b in zip(labels, expected, strict=True))


def _clock(server: Server, options: Options) -> Clock:
    """Return who says when the frames were taken, where that cannot be seen in the tokens."""
    if options.server_clock:
        return "server"
    return "stated" if server.is_vllm else "unverified"


def _unchecked(transport: Transport, server: Server, options: Options, *, factor: int) -> _Seen:
    """Settle for a question that shows whether two videos are accepted, where `/tokenize` is missing."""
    sampling = Sampling(frames=options.frames, max_pixels=options.max_pixels, factor=factor)
    clock = _clock(server, options)
    if clock != "stated" and options.frames > SAFE_FRAMES:
        raise JudgeUnavailable(
            f"{transport.shown} may keep only {SAFE_FRAMES} frames and cannot be asked; use --frames {SAFE_FRAMES}"
        )
    _ask_once(transport, server, _made_up(sampling), options)
    return _Seen(sampling=sampling, clock=clock, notes=(UNVERIFIED,))


def _ask_once(transport: Transport, server: Server, pair: Pair, options: Options) -> None:
    """Put a question of no weight, to see whether the server takes it."""
    body: dict[str, Any] = {
        "model": server.model,
        "messages": [{"role": "user", "content": content("Answer with one word.", pair)}],
        "max_tokens": 8,
        "temperature": 0.0,
    }
    if pair.timing is not None and _clock(server, options) == "stated":
        body["media_io_kwargs"] = {"video": stated(pair.timing)}
    response = transport.post_once("/chat/completions", body)
    if response.status_code != 200:
        raise JudgeUnavailable(_refusal(transport, response))


def _made_up_files() -> Pair:
    """Return a pair of short grey files."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grey.mp4"
        write(path, [np.full((128, 128, 3), 127, dtype=np.uint8)] * 8, fps=8)
        clip = Clip(mime="video/mp4", parts=(path.read_bytes(),))
    return Pair(before=clip, after=clip)
