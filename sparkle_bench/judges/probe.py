"""Looking at a judge's servers before the first question: which server, which model, and what will it see?"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import JudgeUnavailable, listed
from sparkle_bench.judges import sight
from sparkle_bench.judges.message import Manner, Part
from sparkle_bench.judges.openai import Decoding, OpenAIJudge, Server
from sparkle_bench.judges.pace import Pace
from sparkle_bench.judges.pool import Pool
from sparkle_bench.judges.sight import Options
from sparkle_bench.judges.transport import Transport, json_of
from sparkle_bench.prompts import Prompt

UNLISTED = (404, 405, 501)
"""What servers say that list no models, such as a deployment at Azure."""
__all__ = ["Options", "connect", "connect_all"]


def connect(transport: Transport, prompt: Prompt, options: Options) -> OpenAIJudge:
    """Look at one server; see `connect_all`."""
    return connect_all([transport], prompt, options)


def connect_all(
    transports: Sequence[Transport], prompt: Prompt, options: Options, pace: Pace | None = None
) -> OpenAIJudge:
    """Look at the servers and return a judge that is ready to be asked.

    A server that does not answer is set aside while another does, and looked at again later.

    Args:
        transports: The servers; all must be the same judge.
        prompt: What the judge will be asked; its length counts against the model's context.
        options: How to judge.
        pace: How fast to ask.

    Raises:
        JudgeUnavailable: No server, an unknown model, no video support, frames cut, time labels wrong, a context too
            short, or servers that differ; the message says which, and the cure.
    """
    looked: list[OpenAIJudge] = []
    away: dict[Transport, str] = {}
    for transport in transports:
        trouble = transport.trouble() if len(transports) > 1 else None
        if trouble is None:
            looked.append(_look(transport, prompt, options))
        else:
            away[transport] = trouble
    if not looked:
        _look(transports[0], prompt, options)  # with patience, for its message
        raise JudgeUnavailable(f"no judge answers at {', '.join(t.shown for t in transports)}; start one")
    first = looked[0]
    trials = [judge.trial for judge in looked if judge.trial is not None]
    for other in looked[1:]:
        _check_same(first, other)

    def is_back(transport: Transport) -> str | None:
        return transport.trouble() or _not_the_same(first, transport, prompt, options)

    pool = Pool(transports, pace, is_back)
    for transport, trouble in away.items():
        pool.set_aside(transport, trouble)
    return dataclasses.replace(first, pool=pool, trial=lambda: _all(trials))


def _all(trials: Sequence[Callable[[], None]]) -> None:
    for trial in trials:
        trial()


def _look(transport: Transport, prompt: Prompt, options: Options) -> OpenAIJudge:
    server = _server(transport, options.model)
    place = None if options.revision and options.engine is not None else server.place
    server = dataclasses.replace(server, revision=options.revision, engine=options.engine, place=place)
    authors = options.protocol == "authors"
    constrained = server.is_vllm and not authors if options.constrain is None else options.constrain
    decoding = Decoding(
        seed=options.seed,
        constrained=constrained,
        max_tokens=options.max_tokens,
        thinking=options.thinking,
        soft=options.soft,
        again_temperature=0.0 if authors else Decoding().again_temperature,
    )
    usual: Part = "image_url" if authors and not server.is_vllm else "video_url"
    manner = Manner(protocol=options.protocol, part=options.part or usual)
    setting = sight.Setting(
        transport=transport, server=server, prompt=prompt, decoding=decoding, options=options, manner=manner
    )
    seen = sight.look(setting)
    judge = OpenAIJudge(
        pool=Pool([transport]),
        server=server,
        rubric=prompt.rubric,
        decoding=decoding,
        sampling=seen.sampling,
        clock=seen.clock,
        manner=manner,
        checked=seen.checked,
        tokens=seen.tokens,
        notes=seen.notes,
    )
    trial = seen.trial
    return judge if trial is None else dataclasses.replace(judge, trial=lambda: trial(judge.body))


def _check_same(first: OpenAIJudge, other: OpenAIJudge) -> None:
    """Refuse servers that would judge differently."""
    ours, theirs = first.identity, other.identity
    differs = [name for name in ours if ours[name] != theirs[name]]
    if differs:
        name = differs[0]
        raise JudgeUnavailable(
            f"{first.pool.shown} and {other.pool.shown} are not the same judge ({name}: {ours[name]} against "
            f"{theirs[name]}); use servers of one model, version and configuration"
        )


def _not_the_same(first: OpenAIJudge, transport: Transport, prompt: Prompt, options: Options) -> str | None:
    """Say why a server that answers again is not taken back, or None."""
    try:
        looked = _look(transport, prompt, options)
        _check_same(first, looked)
        looked.prepare()
    except JudgeUnavailable as trouble:
        return str(trouble)
    return None


def _server(transport: Transport, model: str | None) -> Server:
    response = transport.get("/models")
    if response.status_code in (401, 403):
        raise JudgeUnavailable(
            f"the judge at {transport.shown} refuses the key ({response.status_code}); set SPARKLE_JUDGE_API_KEY"
        )
    try:
        served = {str(card["id"]): card for card in json_of(response)["data"]} if response.status_code == 200 else {}
    except (ValueError, KeyError, TypeError):
        served = {}
    if not served and model is not None and response.status_code in UNLISTED:
        return Server(model=model)
    if not served:
        raise JudgeUnavailable(
            f"{transport.shown}/models lists no models (status {response.status_code}); --judge-url usually ends in /v1"
        )
    name = model or _only(served, transport)
    name = _served_as(name, served)
    if name not in served:
        raise JudgeUnavailable(f"{transport.shown} does not serve {name!r}; {suggestion(name, served)}")
    card = served[name]
    root, length = card.get("root"), card.get("max_model_len")
    return Server(
        model=name,
        root=str(root).rstrip("/").rsplit("/", 1)[-1] if root else None,
        place=hashlib.sha256(f"{name}\0{root}".encode()).hexdigest()[:16],
        version=_version(transport) if card.get("owned_by") == "vllm" else None,
        max_model_len=length if isinstance(length, int) else None,
    )


def _served_as(model: str, served: Mapping[str, Any]) -> str:
    """Return under which name a server has a model: its own, with `models/` before it, or another for the same weights."""
    weights = [name for name, card in served.items() if card.get("root") == model]
    return next((name for name in (model, f"models/{model}", *weights) if name in served), model)


def _only(served: Mapping[str, Any], transport: Transport) -> str:
    if len(served) > 1:
        names = listed(list(served), first=8)
        raise JudgeUnavailable(f"{transport.shown} serves {len(served)} models; name one with --judge-model: {names}")
    return next(iter(served))


def _version(transport: Transport) -> str:
    response = transport.get("/version", root=True)
    try:
        return f"vllm {json_of(response)['version']}"
    except (ValueError, KeyError, TypeError):
        return "vllm"
