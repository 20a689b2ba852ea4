"""From a command's options to a judge that is ready to be asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sparkle_bench.judges import Judge
    from sparkle_bench.prompts import Prompt
    from sparkle_bench.run import Bench


def bench(benchmark: str, given: Mapping[str, Any]) -> Bench:
    """Return the judge that the options name, with its question.

    Raises:
        UsageError: No judge is named, or its address is none.
        JudgeUnavailable: It cannot be used.
    """
    from sparkle_bench.prompts import load_prompt
    from sparkle_bench.run import Bench

    if given["judge_name"] == "signals" and given["repeats"] > 1:
        raise click.UsageError("--judge signals always says the same; leave out --repeats")
    url = None if given["judge_name"] == "signals" else address(given["judge_url"])
    prompt = load_prompt(benchmark, root=given["root"], template=given["prompt"])
    judge = _embedded(benchmark, prompt, given) if url is None else _served(url, prompt, given)
    return Bench(judge=judge, prompt=prompt, strict=given["strict_parse"], repeats=given["repeats"])


def _served(url: str, prompt: Prompt, given: Mapping[str, Any]) -> Judge:
    from sparkle_bench.judges import probe
    from sparkle_bench.judges.transport import Transport

    wishes = probe.Options(
        model=given["judge_model"],
        media=given["media"],
        frames=given["frames"],
        max_pixels=given["max_pixels"],
        constrain=given["constrain"],
        server_clock=given["server_clock"],
    )
    transport = Transport(url=url, api_key=api_key(), timeout=given["timeout"])
    return probe.connect(transport, prompt, wishes)


def _embedded(benchmark: str, prompt: Prompt, given: Mapping[str, Any]) -> Judge:
    from sparkle_bench.errors import PromptError
    from sparkle_bench.judges.signals import SignalsJudge
    from sparkle_bench.signals.request import FILE, load_rules

    rules = load_rules(benchmark, root=given["root"])
    if rules is None:
        raise PromptError(f"the benchmark {benchmark!r} has no {FILE}, so no embedded judge")
    return SignalsJudge(rubric=prompt.rubric, rules=rules)


def address(given: str | None) -> str:
    """Return the judge's address if it can be one."""
    from urllib.parse import urlsplit

    if not given:
        raise click.UsageError(
            "no judge: pass --judge-url, such as http://127.0.0.1:8000/v1 (or set SPARKLE_JUDGE_URL); "
            "without one --judge signals marks by rules, which is no VLM"
        )
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise click.UsageError("--judge-url is no address; it looks like http://127.0.0.1:8000/v1")
    return given


def api_key() -> str | None:
    """Take the key out of the environment, where the programs we start would find it too."""
    key = os.environ.pop("SPARKLE_JUDGE_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise click.UsageError("SPARKLE_JUDGE_API_KEY holds characters that no key has")
    return key or None
