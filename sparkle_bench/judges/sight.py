"""What will the judge's model really see of the frames we send?

vLLM takes frames that a client sends for one per second and silently keeps the first 32; a request may state the true times
only if the server was started with `--trust-request-mm-kwargs`. `/tokenize` answers with the very tokens that the model
will see: the frames that arrived and, for Qwen3-VL, the time labels. Both are checked on a made-up pair of clips.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from sparkle_bench.errors import JudgeUnavailable, listed
from sparkle_bench.judges import Question, made_up
from sparkle_bench.judges.message import Manner, Part, Protocol, content
from sparkle_bench.judges.openai import Clock, Decoding, Media, Server, stated
from sparkle_bench.judges.transport import Transport, json_of, message
from sparkle_bench.prompts import Prompt
from sparkle_bench.video import Pair, Sampling

FACTORS = (32, 28)
"""What picture sides must be multiples of: 32 for Qwen3-VL, 28 for Qwen2-VL and Qwen2.5-VL."""
SAFE_FRAMES = 32
"""As many frames as vLLM keeps when a request cannot state otherwise."""
VIDEO_TOKEN = "<|video_pad|>"
FLAG = "--trust-request-mm-kwargs"
TYPICAL_INSTRUCTION = "Place the subject in an open prairie with tall golden grass swaying in a strong wind. " * 3

WHOLE_FILES = "Whole files were sent; the server sampled the frames by its own rule."
UNVERIFIED = "Nobody could check which frames the judge saw, and at which times it took them to be."
SERVER_CLOCK = (
    "The server timed the frames by its own rule (vLLM: one per second); motion may look too slow to the judge."
)


Body = Callable[[Question], "dict[str, Any]"]
"""Makes a request of a question."""
TRIAL_TOKENS = 8


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
        protocol: Whose way of asking.
        part: What a clip is called in the message; None for what the server takes.
        max_tokens: Longest reply; None leaves it to the server.
        thinking: Whether a model that can think first shall; None leaves it as it is.
        soft: Ask for the probabilities of the marks.
        revision: The weights' commit, where it is known.
        engine: The server's options that can change a verdict, where we started it.
    """

    model: str | None = None
    media: Media = "frames"
    frames: int = 16
    max_pixels: int = 640 * 360
    constrain: bool | None = None
    server_clock: bool = False
    seed: int = 42
    protocol: Protocol = "sparkle-bench"
    part: Part | None = None
    max_tokens: int | None = 512
    thinking: bool | None = None
    soft: bool = False
    revision: str | None = None
    engine: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Whom we look at, and what we are going to ask."""

    transport: Transport
    server: Server
    prompt: Prompt
    decoding: Decoding
    options: Options
    manner: Manner

    @property
    def judge(self) -> str:
        """How messages name the judge."""
        return f"the judge at {self.transport.shown}"

    @property
    def clock(self) -> Clock:
        """Who says when the frames were taken, where that cannot be seen in the tokens."""
        if self.options.server_clock or self.options.media == "mp4":
            return "server"
        return "stated" if self.server.is_vllm else "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How to show clips to the judge.

    Attributes:
        sampling: How clips become pictures; None for whole files.
        clock: Who says when the frames were taken.
        checked: Whether `/tokenize` showed that all frames arrive.
        tokens: Of a typical question; 0 where that is unknown.
        trial: Puts a question of no weight, made into a request by what it is given, where nothing else shows whether the
            server takes it.
        notes: What a board's reader must know.
    """

    sampling: Sampling | None
    clock: Clock
    checked: bool = False
    tokens: int = 0
    trial: Callable[[Body], None] | None = None
    notes: tuple[str, ...] = ()


def look(setting: Setting) -> Seen:
    """Find out how to show clips to the judge, and whether it will see them right.

    Raises:
        JudgeUnavailable: It will not; the message says why, and the cure.
    """
    if setting.options.media == "mp4":
        return Seen(
            sampling=None,
            clock=setting.clock,
            trial=lambda body: _ask_once(setting, made_up.files(), body),
            notes=(WHOLE_FILES,),
        )
    if setting.manner.part == "image_url":
        return _unchecked(setting, _factors(setting.server)[0])
    views: list[_View] = []
    for factor in _factors(setting.server):
        view = _view(setting, factor)
        if view is None:
            return _unchecked(setting, factor)
        views.append(view)
        if view.pads in (0, view.expected_pads):
            break
    fitting = [view for view in views if view.pads in (0, view.expected_pads)]
    return _checked(setting, (fitting or views)[0])


def _factors(server: Server) -> list[int]:
    """Return the multiples to try, the one that the model's name suggests first."""
    guess = 28 if re.search(r"qwen-?2", f"{server.model} {server.root}".lower()) else 32
    return sorted(FACTORS, key=lambda factor: factor != guess)


def _sampling(setting: Setting, factor: int) -> Sampling:
    return Sampling(frames=setting.options.frames, max_pixels=setting.options.max_pixels, factor=factor)


# -- what `/tokenize` says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A made-up question, and what the model would see of it.

    Attributes:
        sampling: How the clips were sampled.
        pair: The clips.
        pads: Video tokens that the model would see.
        times: Time labels that it would see, in seconds; none for models without labels.
        count: Tokens of the whole question.
    """

    sampling: Sampling
    pair: Pair
    pads: int
    times: tuple[float, ...]
    count: int

    @property
    def expected_pads(self) -> int:
        """Video tokens of both clips if nothing is lost: one per two frames and patch."""
        height, width = made_up.size(self.sampling)
        return self.sampling.frames * (height // self.sampling.factor) * (width // self.sampling.factor)

    @property
    def kept_frames(self) -> int | None:
        """Frames per clip that arrived; None if the tokens are no whole number of frames."""
        kept = self.pads * self.sampling.frames
        return kept // self.expected_pads if kept % self.expected_pads == 0 else None


def _view(setting: Setting, factor: int) -> _View | None:
    """Ask `/tokenize` about a made-up question; None if the server has no such endpoint."""
    sampling = _sampling(setting, factor)
    pair = made_up.frames(sampling)
    assert pair.timing is not None
    question = content(setting.prompt.render(TYPICAL_INSTRUCTION), pair)
    body: dict[str, Any] = {
        "model": setting.server.model,
        "messages": [{"role": "user", "content": question}],
        "return_token_strs": True,
    }
    if not setting.options.server_clock:
        body["media_io_kwargs"] = {"video": stated(pair.timing)}
    response = setting.transport.post_plain("/tokenize", body, root=True)
    if response.status_code in (404, 405, 501):
        return None
    if response.status_code != 200:
        if not setting.server.is_vllm:  # another server's /tokenize asks for something else
            return None
        raise JudgeUnavailable(_refusal(setting, response))
    try:
        data = json_of(response)
        text, count = "".join(data["token_strs"]), int(data["count"])
    except (ValueError, KeyError, TypeError):
        return None
    return _View(sampling=sampling, pair=pair, pads=text.count(VIDEO_TOKEN), times=time_labels(text), count=count)


def time_labels(text: str) -> tuple[float, ...]:
    """Return the time labels of Qwen3-VL, in seconds. Byte-level tokenizers write a space as `Ġ`."""
    return tuple(float(label) for label in re.findall(r"<(\d+(?:\.\d+)?)(?: |Ġ|▁)?seconds>", text))


def expected_times(pair: Pair) -> list[float]:
    """Return the seconds with which each two merged frames should be labelled: the mean of their times."""
    assert pair.timing is not None
    seconds = [index / pair.timing.fps for index in pair.timing.indices]
    return [(first + second) / 2 for first, second in zip(seconds[::2], seconds[1::2], strict=True)]


def _refusal(setting: Setting, response: httpx.Response) -> str:
    words = setting.transport.redact(message(response))
    if response.status_code == 404:
        return f"{setting.judge} does not know the model or path (404: {words}); --judge-url usually ends in /v1"
    if "media_io_kwargs" in words or FLAG in words:
        return (
            f"{setting.judge} does not let a request state when frames were taken, so motion would look too slow; start "
            f"it with {FLAG}, or accept its own clock with --server-clock"
        )
    return (
        f"{setting.judge} does not accept two videos ({response.status_code}: {words}); serve a model that takes video, "
        "with --limit-mm-per-prompt '{\"video\": 2}'"
    )


# -- is it right? ------------------------------------------------------------------------------------------------------


def _checked(setting: Setting, view: _View) -> Seen:
    _check_length(setting, view)
    if view.pads == 0:  # not a Qwen-VL: its video tokens have another name
        return Seen(sampling=view.sampling, clock=setting.clock, tokens=view.count, notes=(UNVERIFIED,))
    _check_frames(setting, view)
    if setting.options.server_clock:
        return Seen(sampling=view.sampling, clock="server", checked=True, tokens=view.count, notes=(SERVER_CLOCK,))
    _check_times(setting, view)
    return Seen(sampling=view.sampling, clock="stated", checked=True, tokens=view.count)


def _check_length(setting: Setting, view: _View) -> None:
    needed, length = view.count + (setting.decoding.max_tokens or 0), setting.server.max_model_len
    if length is not None and needed > length:
        raise JudgeUnavailable(
            f"a question takes about {needed} tokens, {setting.judge} has a context of {length}; start it with a longer "
            "--max-model-len, or use fewer --frames or --max-pixels"
        )


def _check_frames(setting: Setting, view: _View) -> None:
    if view.pads == view.expected_pads:
        return
    kept = view.kept_frames
    if kept is not None and kept < view.sampling.frames:
        cure = f"use --frames {SAFE_FRAMES} or fewer" if setting.options.server_clock else "use fewer --frames"
        raise JudgeUnavailable(f"{setting.judge} shows its model {kept} of {view.sampling.frames} frames; {cure}")
    raise JudgeUnavailable(
        f"{setting.judge} gives its model {view.pads} video tokens where {view.expected_pads} were sent: it resizes or "
        "drops frames; remove its video size limits, or use --media mp4"
    )


def _check_times(setting: Setting, view: _View) -> None:
    expected = expected_times(view.pair)
    if view.times and not _close(view.times, expected * 2):
        seen, true = (listed([f"{seconds:.1f} s" for seconds in times]) for times in (view.times, expected * 2))
        raise JudgeUnavailable(
            f"{setting.judge} labels the frames {seen} where {true} is true; update vLLM, or accept it with --server-clock"
        )


def _close(labels: Sequence[float], expected: Sequence[float]) -> bool:
    """Whether labels of one decimal place are right."""
    return len(labels) == len(expected) and all(abs(a - b) <= 0.0501 for a, b in zip(labels, expected, strict=True))


# -- servers that cannot be asked ----------------------------------------------------------------------------------------


def _unchecked(setting: Setting, factor: int) -> Seen:
    """Settle for a question that shows whether two videos are accepted, where `/tokenize` is missing."""
    if setting.clock != "stated" and setting.options.frames > SAFE_FRAMES:
        raise JudgeUnavailable(
            f"{setting.judge} may keep only {SAFE_FRAMES} frames and cannot be asked; use --frames {SAFE_FRAMES}"
        )
    sampling = _sampling(setting, factor)
    return Seen(
        sampling=sampling,
        clock=setting.clock,
        trial=lambda body: _ask_once(setting, made_up.frames(sampling), body),
        notes=(UNVERIFIED,),
    )


def _ask_once(setting: Setting, pair: Pair, body: Body) -> None:
    """Put a question of no weight, with all that a real one has, to see whether the server takes it."""
    question = Question(sample=made_up.SAMPLE, prompt="Answer with one word.", seed=setting.options.seed, pair=pair)
    response = setting.transport.post_plain("/chat/completions", {**body(question), "max_tokens": TRIAL_TOKENS})
    if response.status_code != 200:
        raise JudgeUnavailable(_refusal(setting, response))
