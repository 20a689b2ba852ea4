"""How a row was judged, as options of the command line: part of the command that makes it again (`command`).

What was asked for (`wishes`) is written as options where it is not the default; of a judge that does not say, what its
identity tells of that. An address is on no record: URL stands for it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sparkle_bench import discretion, prompts
from sparkle_bench.errors import JudgeUnavailable, PromptError
from sparkle_bench.judges import table
from sparkle_bench.store import NAME

PATH, URL, VALUE = "PATH", "URL", "VALUE"
MOST_LETTERS, MOST_WORDS = 300, 40
"""Of a word, and of options of one sort; whoever has more writes them down elsewhere."""
HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
_ENGINE_OPTION = re.compile(r"[a-z][a-z0-9_.]{0,60}")
_OF_A_FILE = re.compile(r".* (?:files-)?[0-9a-f]{16}")
USUAL_FRAMES, USUAL_PIXELS, USUAL_TOKENS, THINKING_TOKENS = 16, 640 * 360, 512, 8192
"""How a judge without a preset is asked, unless told otherwise."""
_LEAST = {"--frames": 2, "--max-pixels": 1024, "--max-tokens": 16}
_LARGEST = 10**9


def mapping(value: object) -> Mapping[str, Any]:
    """Return a table, an empty one for what is none."""
    return value if isinstance(value, Mapping) else {}


def as_word(value: object, otherwise: str = VALUE) -> str:
    """Return a text as one word, or what stands for it if it is no plain text, holds a secret or a folder, or is too long."""
    if not (isinstance(value, str) and value and value.isprintable()):
        return otherwise
    plain = len(value) <= MOST_LETTERS and not value.startswith("-")
    told = discretion.cleaned(value) == value and discretion.HIDDEN not in value
    return value if plain and told else otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """A judge as it was asked for.

    Attributes:
        identity: All that can change a verdict.
        wished: What was asked for; of a judge that does not say, what its identity tells of it.
        preset: The judge known by name, or None.
        started: How it was started; None for a server that runs.
    """

    identity: Mapping[str, Any]
    wished: Mapping[str, Any]
    preset: table.Preset | None
    started: Literal["serve", "offline"] | None

    @property
    def authors(self) -> bool:
        """Whether it was asked as the authors' script does."""
        return self.wished.get("protocol") == "authors"

    @property
    def hosted(self) -> bool:
        """Whether a provider runs it."""
        return self.preset is not None and self.preset.served_by == "provider"


def judged(judge: Mapping[str, Any], benchmark: str) -> list[str]:
    """Return the options that ask the same judge in the same way.

    Args:
        judge: A result's `judge.json`.
        benchmark: The benchmark's name.
    """
    identity = mapping(judge.get("identity"))
    wished = {**_told(identity), **mapping(judge.get("wishes"))}
    if wished.get("judge") in ("signals", "replay"):
        return ["--judge", "signals" if wished["judge"] == "signals" else f"replay:{PATH}"]
    seat = _Seat(identity=identity, wished=wished, preset=_preset(wished.get("judge")), started=_started(wished))
    repeats = judge.get("repeats")
    words = [*_who(seat), *_shown(seat), *_replying(seat)]
    words += ["--repeats", str(repeats)] if type(repeats) is int and 1 < repeats < MOST_LETTERS else []
    asked, ours = identity.get("prompt"), _digest(benchmark)
    words += ["--prompt", PATH] if asked is not None and ours is not None and asked != ours else []
    return [*words, *_price(judge, seat)]


def _told(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an identity tells of what was asked for."""
    sampling, decoding = mapping(identity.get("sampling")), mapping(identity.get("decoding"))
    kind = identity.get("judge")
    return {
        "judge": kind if kind == "signals" else None,
        "judge_engine": "offline" if kind == "offline" else None,
        "media": identity.get("media"),
        "part": identity.get("part") if identity.get("part") != "video_url" else None,
        "frames": sampling.get("frames"),
        "max_pixels": sampling.get("max_pixels"),
        "server_clock": identity.get("clock") == "server",
        "protocol": identity.get("protocol"),
        "max_tokens": decoding.get("max_tokens"),
        "constrain": decoding.get("constrained"),
        "thinking": decoding.get("thinking"),
        "soft": decoding.get("soft"),
        "strict_parse": str(identity.get("reader", "")).startswith("strict"),
    }


@functools.cache
def _digest(benchmark: str) -> str | None:
    """Return the hash of the question and rubric that ship with the package; None for another benchmark."""
    if not NAME.fullmatch(benchmark):
        return None
    try:
        return prompts.load_prompt(benchmark, root=Path(__file__).parent).digest
    except PromptError:
        return None


@functools.cache
def _known_judge(name: str) -> table.Preset | None:
    try:
        return table.load(name) if name in table.names() else None
    except JudgeUnavailable:
        return None


def _preset(name: object) -> table.Preset | None:
    return _known_judge(name) if isinstance(name, str) else None


def _started(wished: Mapping[str, Any]) -> Literal["serve", "offline"] | None:
    if wished.get("serve") is True:
        return "serve"
    return "offline" if wished.get("judge_engine") == "offline" else None


def _who(seat: _Seat) -> Iterator[str]:
    """Yield which judge it is and how it is reached."""
    if seat.preset is not None:
        yield from ("--judge", seat.preset.name)
    if seat.started == "serve":
        yield "--serve"
    elif seat.started == "offline":
        yield from ("--judge-engine", "offline")
    elif seat.preset is None or seat.preset.url is None:
        yield from ("--judge-url", URL)
    yield from _weights(seat)


def _weights(seat: _Seat) -> Iterator[str]:
    """Yield which model judges, and how it is started."""
    model = seat.wished.get("model") or (None if seat.preset else seat.identity.get("model"))
    if model and not (seat.preset and model == seat.preset.model):
        local = seat.started and not HUB.fullmatch(str(model))
        yield from ("--judge-model", PATH if local else as_word(model))
    revision = seat.wished.get("judge_revision")
    if seat.started and COMMIT.fullmatch(str(seat.identity.get("revision"))):
        revision = seat.identity.get("revision")
    if revision:
        yield from ("--judge-revision", as_word(revision))
    if seat.started:
        options = mapping(seat.wished.get("serve_options"))
        for name, value in list(options.items())[:MOST_WORDS]:
            if _ENGINE_OPTION.fullmatch(name):
                yield from ("--serve-option", f"{name.replace('_', '-')}={_engine_value(value)}")


def _engine_value(value: object) -> str:
    if isinstance(value, str):
        if _OF_A_FILE.fullmatch(value):
            return PATH
        try:
            json.loads(value)  # a text that reads as a number must be given as a text
        except ValueError:
            return as_word(value)
    return as_word(json.dumps(value))


def _shown(seat: _Seat) -> Iterator[str]:
    """Yield what the judge is shown, where that is not as usual."""
    if seat.authors:
        yield from ("--protocol", "authors")
        return
    wished, preset = seat.wished, seat.preset
    usual_media = preset.media if preset else "frames"
    media = wished.get("media")
    if media in ("frames", "mp4") and media != usual_media:
        yield from ("--media", str(media))
    if media != "mp4":
        yield from _number("--frames", wished.get("frames"), preset.frames if preset else USUAL_FRAMES)
        yield from _number("--max-pixels", wished.get("max_pixels"), preset.max_pixels if preset else USUAL_PIXELS)
    usual_part = preset.part if preset and preset.media == media else "image_url" if seat.hosted else None
    part = wished.get("part")
    if part in ("video_url", "image_url") and part != usual_part and not seat.started:
        yield from ("--part", str(part))
    if wished.get("server_clock") is True and seat.started != "offline":
        yield "--server-clock"


def _replying(seat: _Seat) -> Iterator[str]:
    """Yield how the judge replies and how that is read, where it is not as usual."""
    wished = seat.wished
    if isinstance(wished.get("constrain"), bool) and not (seat.authors and wished["constrain"]):
        yield "--constrain" if wished["constrain"] else "--no-constrain"
    if wished.get("soft") is True:
        yield "--soft"
    thinking = wished.get("thinking")
    if isinstance(thinking, bool):
        yield "--thinking" if thinking else "--no-thinking"
    if not seat.authors:
        usual = None if seat.hosted else THINKING_TOKENS if thinking is True else USUAL_TOKENS
        yield from _number("--max-tokens", wished.get("max_tokens"), usual)
        if wished.get("strict_parse") is True:
            yield "--strict-parse"


def _number(option: str, value: object, usual: int | None) -> list[str]:
    """Return the option with a whole number that it can have, unless that is the usual one."""
    known = type(value) is int and value != usual and _LEAST[option] <= value < _LARGEST
    return [option, str(value)] if known and not (option == "--frames" and int(str(value)) % 2) else []


def _price(judge: Mapping[str, Any], seat: _Seat) -> list[str]:
    """Return the price, unless it is that of the judge's preset: it changes no mark, but the row's cost."""
    price = mapping(judge.get("price"))
    both = [price.get("prompt"), price.get("completion")]
    charged = seat.preset.price if seat.preset else None
    numbers = [float(one) for one in both if isinstance(one, int | float) and 0 <= one < 10**6]
    if len(numbers) < len(both) or (charged and numbers == [charged.input, charged.output]):
        return []
    return ["--price", ",".join(f"{one:g}" for one in numbers)]
