"""From a command's options to a judge that is ready to be asked."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from sparkle_bench.judges.probe import Options
    from sparkle_bench.judges.table import Preset
    from sparkle_bench.prompts import Prompt
    from sparkle_bench.run import Price

Kind = Literal["signals", "replay", "served", "launched", "offline"]
REPLAY = "replay:"
MAX_TOKENS, THINKING_TOKENS = 512, 8192
WORKERS, MOST_WORKERS, BATCH = 8, 32, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Who is to judge, read from the options; nothing has been asked or started.

    Attributes:
        kind: How it is reached.
        preset: The judge known by name, or None.
        urls: Addresses of a served judge.
        given: The options.
        key: The server's key.
    """

    kind: Kind
    preset: Preset | None
    urls: tuple[str, ...]
    given: Mapping[str, Any]
    key: str | None = field(default=None, repr=False)

    @property
    def late(self) -> bool:
        """Whether it may start only once the edits are made, since both need the GPU."""
        return self.kind in ("launched", "offline")

    @property
    def workers(self) -> int | None:
        """How many samples at once, if the user does not say; None for one a processor."""
        return {"signals": None, "replay": 1, "offline": BATCH}.get(self.kind, MOST_WORKERS * max(1, len(self.urls)))

    @property
    def price(self) -> Price | None:
        """What the judge takes."""
        from sparkle_bench.run import Price

        if self.given["price"] is not None:
            return Price(prompt=self.given["price"][0], completion=self.given["price"][1])
        charged = self.preset.price if self.preset else None
        return Price(prompt=charged.input, completion=charged.output) if charged else None


def choose(given: Mapping[str, Any]) -> Choice:
    """Return who is to judge.

    Raises:
        UsageError: No judge is named, options contradict each other, or an address is none.
        JudgeUnavailable: The judge's name is unknown.
    """
    key = api_key()  # first: the programs that we start must not find it
    name: str | None = given["judge_name"]
    preset = None if name is None or name in ("openai", "signals") or name.startswith(REPLAY) else _preset(name)
    if name == "signals" or (name or "").startswith(REPLAY):
        choice = Choice(kind="signals" if name == "signals" else "replay", preset=None, urls=(), given=given)
    elif given["serve"] or given["judge_engine"] == "offline":
        choice = _started(preset, given)
    else:
        urls = given["judge_urls"] or ((preset.url,) if preset and preset.url else ())
        choice = Choice(kind="served", preset=preset, urls=addresses(urls, preset), given=given, key=key)
    _check_fits(choice)
    return choice


def _started(preset: Preset | None, given: Mapping[str, Any]) -> Choice:
    """Return a judge that we start ourselves."""
    from sparkle_bench.judges.table import DEFAULT

    if given["serve"] and given["judge_engine"] == "offline":
        raise click.UsageError("--serve and --judge-engine offline exclude each other")
    if given["judge_name"] == "openai":
        raise click.UsageError("--judge openai is a server of yours: pass its --judge-url, or name another judge")
    if preset is not None and preset.served_by == "provider":
        raise click.UsageError(
            f"--judge {preset.name} runs at its provider; leave out --serve and --judge-engine offline"
        )
    kind: Kind = "launched" if given["serve"] else "offline"
    return Choice(kind=kind, preset=preset or _preset(DEFAULT), urls=(), given=given)


_SERVER = ("judge_urls", "judge_model", "part", "server_clock", "timeout", "max_rpm", "max_tpm")
_MODEL = (
    "media", "frames", "max_pixels", "constrain", "soft", "thinking", "max_tokens", "protocol", "price", "budget",
    "judge_revision", "serve_options", "judge_engine", "serve",
)  # fmt: skip
_LAUNCH = ("port", "log", "vllm_python", "patience")
NO_USE: Mapping[Kind, tuple[str, ...]] = {
    "signals": (*_SERVER, *_MODEL, *_LAUNCH, "strict_parse", "prompt", "repeats"),
    "replay": (*_SERVER, *_MODEL, *_LAUNCH, "prompt", "repeats"),
    "served": (*_LAUNCH, "serve_options"),
    "launched": ("judge_urls", "part"),
    "offline": ("judge_urls", "part", "server_clock", "timeout", "max_rpm", "max_tpm", *_LAUNCH),
}
"""Options that have no use with a kind of judge, by the names of their values."""


def _check_fits(choice: Choice) -> None:
    """Refuse options that contradict the judge, or each other.

    Raises:
        UsageError: Naming the first.
    """
    given, context = choice.given, click.get_current_context()
    names = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
    for name in NO_USE[choice.kind]:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            what = {"served": "a server that runs", "launched": "--serve", "offline": "--judge-engine offline"}
            raise click.UsageError(
                f"{names[name]} has no use with {what.get(choice.kind, f'--judge {choice.kind}')}; leave it out"
            )
    if given["budget"] is not None and choice.price is None:
        raise click.UsageError("--budget needs a price: name a judge that has one, or pass --price IN,OUT")
    if given["media"] == "mp4" and (given["frames"] or given["max_pixels"]):
        raise click.UsageError("--media mp4 sends files whole; leave out --frames and --max-pixels")


def _preset(name: str) -> Preset:
    from sparkle_bench.judges.table import load

    return load(name)


def prompt(choice: Choice, benchmark: str) -> Prompt:
    """Return what the judge will be asked."""
    from sparkle_bench.prompts import load_prompt

    return load_prompt(benchmark, root=choice.given["root"], template=choice.given["prompt"])


def check(choice: Choice) -> None:
    """See, before the edits are made, whether a judge that we start can be.

    Raises:
        JudgeUnavailable: No vLLM, no such model, too little GPU memory, or a port that is taken.
    """
    from importlib.util import find_spec

    from sparkle_bench.cli.serve import launch
    from sparkle_bench.errors import JudgeUnavailable
    from sparkle_bench.judges import serving

    options(choice)
    if choice.kind == "launched" and choice.given.get("executor") == "ray":
        return  # what the cluster's machines have is seen there
    if choice.kind == "launched" and choice.preset is not None:
        serving.check(launch(choice.given, choice.preset))
    elif choice.kind == "offline" and find_spec("vllm") is None:
        raise JudgeUnavailable(
            "there is no vLLM in this environment (pip install 'sparkle-bench[vllm]'), or name a server with --judge-url"
        )


def options(choice: Choice) -> Options:
    """Return how the user wants to be judged: as given, else as the judge's preset has it, else the usual way.

    Raises:
        UsageError: The authors' protocol is contradicted.
    """
    from sparkle_bench.judges.probe import Options

    given, preset, usual = choice.given, choice.preset, Options()
    authors = given["protocol"] == "authors"
    if authors:
        _check_authors(given)
    hosted = preset is not None and preset.served_by == "provider"
    media = "mp4" if authors else given["media"] or (preset.media if preset else usual.media)
    longest = THINKING_TOKENS if given["thinking"] else MAX_TOKENS
    part = given["part"] or (preset.part if preset and preset.media == media else None)
    return Options(
        model=given["judge_model"] or (preset.model if preset else None),
        media=media,
        frames=given["frames"] or (preset.frames if preset else usual.frames),
        max_pixels=given["max_pixels"] or (preset.max_pixels if preset else usual.max_pixels),
        constrain=given["constrain"],
        server_clock=given["server_clock"],
        protocol=given["protocol"],
        part=part or ("image_url" if hosted else None),
        max_tokens=given["max_tokens"] or (None if authors or hosted else longest),
        thinking=given["thinking"],
        soft=given["soft"],
        revision=given.get("judge_revision"),
    )


def _check_authors(given: Mapping[str, Any]) -> None:
    wrong = {
        "--media frames": given["media"] == "frames",
        "--frames": given["frames"] is not None,
        "--max-pixels": given["max_pixels"] is not None,
        "--constrain": bool(given["constrain"]),
        "--server-clock": given["server_clock"],
        "--max-tokens": given["max_tokens"] is not None,
    }
    for option, is_wrong in wrong.items():
        if is_wrong:
            raise click.UsageError(f"--protocol authors leaves no choice here; leave out {option}")


def wishes(choice: Choice, prompt: Prompt) -> dict[str, Any]:
    """Return what was asked for, without addresses, folders and keys."""
    given = choice.given
    if choice.kind in ("signals", "replay"):
        return {"judge": choice.kind}
    from sparkle_bench.judges.openai import published
    from sparkle_bench.judges.serving import telling

    model = given["judge_model"]
    names = ("server_clock", "strict_parse", "judge_revision", "judge_engine", "serve")
    wished = dataclasses.asdict(options(choice))
    return {
        "judge": choice.preset.name if choice.preset else "openai",
        **wished,
        "model": published(model) if model else wished["model"],
        **{name: given[name] for name in names if given.get(name)},
        "serve_options": telling(given["serve_options"]) if "serve_options" in given else {},
        "prompt": prompt.digest,
    }


def addresses(given: Sequence[str], preset: Preset | None) -> tuple[str, ...]:
    """Return the judge's addresses if they can be such."""
    if not given:
        name = preset.name if preset else "qwen3-vl-32b"
        raise click.UsageError(
            "no judge: pass --judge-url, such as http://127.0.0.1:8000/v1 (or set SPARKLE_JUDGE_URL), or --serve to start "
            f"{name} here; without a GPU --judge signals marks by rules, which is no VLM"
        )
    return tuple(dict.fromkeys(map(address, given)))


def address(given: str) -> str:
    """Return the judge's address if it can be one."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise click.UsageError("--judge-url is no address; it looks like http://127.0.0.1:8000/v1")
    return given


def api_key() -> str | None:
    """Take the key out of the environment, where the programs we start would find it too, and the address with it."""
    os.environ.pop("SPARKLE_JUDGE_URL", None)  # it may hold a password; the options have it by now
    key = os.environ.pop("SPARKLE_JUDGE_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise click.UsageError("SPARKLE_JUDGE_API_KEY holds characters that no key has")
    return key or None
