"""The judges known by name: one data file each in `presets/`, read strictly.

A preset says which model a judge is, how it is served and what it is shown. It holds no code: `serving` starts a
preset's server, `probe` asks it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import JudgeUnavailable, listed, one_line
from sparkle_bench.judges.message import Media, Part

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = "qwen3-vl-32b"
FOLDER = Path(__file__).parent / "presets"

ServedBy = Literal["vllm", "provider"]
_CHOICES: dict[str, tuple[str, ...]] = {
    "served_by": get_args(ServedBy),
    "media": get_args(Media),
    "part": get_args(Part),
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "vllm": ("revision", "memory_gib", "engine", "factor"),
    "provider": ("url", "price"),
}
"""What a preset must say beside the fields that every preset has."""
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("frames", "max_pixels", "factor"), (int,)),
    **dict.fromkeys(("memory_gib", "tokens_per_second", "input", "output"), (int, float)),
    **dict.fromkeys(("engine", "price"), (dict,)),
}
"""The kinds of the fields that are no text."""
_WORDS: dict[type, str] = {int: "a whole number", float: "a number", dict: "a table", str: "a text"}
_MOST_FRAMES, _LEAST_PIXELS = 512, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a provider charges, in USD per million tokens.

    Attributes:
        input: For the prompt, its videos with it.
        output: For the reply; what the model thinks before it counts with it.
        as_of: The day or month of the source, such as `2026-03`.
        source: Where it stands.
    """

    input: float
    output: float
    as_of: str
    source: str

    def __post_init__(self) -> None:
        if self.input < 0 or self.output < 0:
            raise ValueError("a price is never negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One judge known by name.

    Attributes:
        name: By which `--judge` knows it.
        about: One line.
        model: Its id on the Hub, or the provider's name for it.
        revision: Branch, tag or commit on the Hub; None if a provider serves it.
        served_by: A vLLM that can be started here, or a provider.
        url: A provider's address, if it has a usual one.
        parameters: Their number, such as `33B`; `unknown` if the provider does not say.
        memory_gib: GPU memory that judging needs in all, weights and cache, over `tensor_parallel_size` GPUs; None if a
            provider serves it.
        engine: vLLM's options, with underscores.
        media: Frames of the same instants, or whole files.
        part: How a clip stands in the message.
        frames: Per clip, for `frames`.
        max_pixels: At most so many a frame, for `frames`.
        factor: A picture's sides are multiples of it; None if the model takes any.
        price: None if nothing is charged per token.
        tokens_per_second: Prompt tokens for a second of a whole file, where a provider counts so.
        note: What the user must know first.
    """

    name: str
    about: str
    model: str
    revision: str | None = None
    served_by: ServedBy
    url: str | None = None
    parameters: str
    memory_gib: float | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)
    media: Media
    part: Part
    frames: int
    max_pixels: int
    factor: int | None = None
    price: Price | None = None
    tokens_per_second: float | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        for key, known in _CHOICES.items():
            if getattr(self, key) not in known:
                raise ValueError(f"{key} is {getattr(self, key)!r}; known: {', '.join(known)}")
        missing = [key for key in _NEEDED[self.served_by] if not getattr(self, key)]
        if missing:
            raise ValueError(f"served_by is {self.served_by!r}, so it needs {', '.join(missing)}")
        if not 2 <= self.frames <= _MOST_FRAMES or self.frames % 2:
            raise ValueError(f"frames is {self.frames}; it must be an even number from 2 to {_MOST_FRAMES}")
        if self.max_pixels < _LEAST_PIXELS:
            raise ValueError(f"max_pixels is {self.max_pixels}; it must be at least {_LEAST_PIXELS}")
        if self.memory_gib is not None and self.memory_gib <= 0:
            raise ValueError(f"memory_gib is {self.memory_gib}; it must be more than 0")


def names() -> tuple[str, ...]:
    """Return the known names in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str, *, folder: Path = FOLDER) -> Preset:
    """Read a preset.

    Raises:
        JudgeUnavailable: There is none of that name, or its file is malformed.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if name not in known:
        raise JudgeUnavailable(f"no judge {name!r}; {suggestion(name, known)}")
    try:
        data = tomllib.loads(known[name].read_text(encoding="utf-8"))
        return _preset(name, data)
    except (ValueError, TypeError) as error:
        raise JudgeUnavailable(f"{known[name].name} is malformed: {one_line(error)}; mend or reinstall it") from error


def matching(model: str, root: str | None) -> Preset | None:
    """Return the preset that a server's model is, or None.

    Args:
        model: The name under which a server offers it.
        root: What the server says that it loaded: an id on the Hub, a folder, or None.

    The Hub id must agree, in any letter case; where no organisation is named, its last part. A model of the same name
    from another organisation is another model.
    """
    said = _ids(model) | (_ids(root) if root else set())
    for preset in map(load, names()):
        whole = preset.model.lower()
        if whole in said or f"*/{whole.rpartition('/')[2]}" in said:
            return preset
    return None


def _ids(text: str) -> set[str]:
    """Return what a model's name may stand for; `*/` before a last part whose organisation is not named."""
    parts = text.strip("/").lower().split("/")
    cached = [part.removeprefix("models--").replace("--", "/") for part in parts if part.startswith("models--")]
    # Google lists its models as `models/NAME`, resellers as `google/NAME`; a Hub id has just one slash, a path more.
    unnamed = len(parts) != 2 or text.startswith("/") or parts[0] in ("models", "google", ".", "..")
    return {"/".join(parts), *cached} | ({f"*/{parts[-1]}"} if unnamed else set())


# -- strict reading ----------------------------------------------------------------------------------------------------


def _preset(name: str, data: Mapping[str, Any]) -> Preset:
    _check(data, [item for item in fields(Preset) if item.name != "name"])
    values = dict(data)
    if "price" in values:
        _check(values["price"], fields(Price), where="price.")
        values["price"] = Price(**values["price"])
    return Preset(name=name, **values)


def _check(data: Mapping[str, Any], known: Iterable[Field[Any]], *, where: str = "") -> None:
    """Refuse a field that is unknown, missing or of the wrong kind."""
    by_name = {item.name: item for item in known}
    needed = [name for name, item in by_name.items() if item.default is MISSING and item.default_factory is MISSING]
    if unknown := sorted(set(data) - set(by_name)):
        raise ValueError(f"unknown field {where}{unknown[0]}; {suggestion(unknown[0], by_name)}")
    if missing := [where + name for name in needed if name not in data]:
        raise ValueError(f"missing: {listed(missing, first=12)}")
    for name, value in data.items():
        kinds = _KINDS.get(name, (str,))
        if type(value) not in kinds:
            raise ValueError(f"{where}{name} is {value!r}, not {_WORDS[kinds[-1]]}")
