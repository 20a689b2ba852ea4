"""Looking at a judge's server before the first question: which server, which model, and what will it see?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import JudgeUnavailable, listed
from sparkle_bench.judges import sight
from sparkle_bench.judges.openai import Decoding, OpenAIJudge, Server
from sparkle_bench.judges.sight import Options
from sparkle_bench.judges.transport import Transport, json_of
from sparkle_bench.prompts import Prompt

__all__ = ["Options", "connect"]


def connect(transport: Transport, prompt: Prompt, options: Options) -> OpenAIJudge:
    """Look at the server and return a judge that is ready to be asked.

    Args:
        transport: The server.
        prompt: What the judge will be asked; its length counts against the model's context.
        options: How to judge.

    Raises:
        JudgeUnavailable: No server, an unknown model, no video support, frames cut, time labels wrong or a context too
            short; the message says which, and the cure.
    """
    server = _server(transport, options.model)
    constrained = server.is_vllm if options.constrain is None else options.constrain
    decoding = Decoding(seed=options.seed, constrained=constrained)
    seen = sight.look(
        sight.Setting(transport=transport, server=server, prompt=prompt, decoding=decoding, options=options)
    )
    return OpenAIJudge(
        transport=transport,
        server=server,
        rubric=prompt.rubric,
        decoding=decoding,
        sampling=seen.sampling,
        clock=seen.clock,
        checked=seen.checked,
        notes=seen.notes,
    )


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
        names = listed(list(served), first=8)
        raise JudgeUnavailable(f"{transport.shown} serves {len(served)} models; name one with --judge-model: {names}")
    return next(iter(served))


def _version(transport: Transport) -> str:
    response = transport.get("/version", root=True)
    try:
        return f"vllm {json_of(response)['version']}"
    except (ValueError, KeyError, TypeError):
        return "vllm"
