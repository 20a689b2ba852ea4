"""Presets: an editing model described by a TOML file, so that a new one is data and not code.

A built-in one is `presets/NAME.toml`; `--model path/to/my.toml` takes one of your own. `kind` names the class that runs
it; `[declared]` says of the model what a `submission.toml` says, so that its licence, size and track stand on the board;
`[needs]` what must be there; `[fit]` what of a clip the model takes; `[output]` how edits are written; `[options]` the
defaults of the kind's options; a section called as the kind holds what only that kind knows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import EditorError, SubmissionError, VideoError, one_line
from sparkle_bench.submission import card
from sparkle_bench.video.conform import Fit

FOLDER = Path(__file__).with_name("presets")
KINDS: Mapping[str, str] = {
    "diffusers": "sparkle_bench.editors.diffusion:Diffusion",
    "kiwi": "sparkle_bench.editors.kiwi:Kiwi",
    "program": "sparkle_bench.editors.program:Program",
    "runway": "sparkle_bench.editors.hosted.runway:Runway",
    "decart": "sparkle_bench.editors.hosted.decart:Decart",
    "dashscope": "sparkle_bench.editors.hosted.dashscope:DashScope",
}
"""Which class runs a kind of preset. It is built with `preset=` and the options as keywords."""
MOST_BYTES = 64 * 1024
MIN_FPS, MAX_FPS, MOST_CRF = 0.1, 1000.0, 51
SOURCE, UNKNOWN = "source", "unknown"
"""Words for what TOML has no value for: `fps = "source"`, `aligned = "unknown"`."""
SECTIONS = ("kind", "about", "declared", "needs", "fit", "output", "options")
COMMON_OPTIONS = ("frames", "size", "fps", "crf")
"""Options of every preset: they change `[fit]` and `[output]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What must be there before a model runs.

    Attributes:
        gpu_gb: GPU memory, in GB; None for a model that needs no GPU here.
        key: The environment variable that holds the key of a hosted model.
        libraries: Python modules that can be imported where the model runs.
        environment: Requirements of its own environment, for `pip`; empty if it runs in any that has the libraries.
        checkout: The project whose code the user needs a checkout of; None if none.
        masks: Whether it needs masks of what may change.
    """

    gpu_gb: float | None = None
    key: str | None = None
    libraries: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    checkout: str | None = None
    masks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How edits are written.

    Attributes:
        fps: Frames per second; None for the source's.
        crf: libx264's constant rate factor; 18 is visually lossless, the benchmark authors' outputs have 25.
        aligned: Whether frame i of an edit stands for frame i of the source; None if that is not known.
    """

    fps: float | None = None
    crf: int = 18
    aligned: bool | None = True

    def __post_init__(self) -> None:
        if not (self.fps is None or MIN_FPS <= self.fps <= MAX_FPS):
            raise VideoError(f"an edit cannot be written at {self.fps:g} frames per second")
        if not 0 <= self.crf <= MOST_CRF:
            raise VideoError(f"crf {self.crf} is none; it is a whole number from 0 to {MOST_CRF}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A model that is described by data.

    Attributes:
        name: What `--model` calls it.
        kind: Which class runs it; a key of `KINDS`.
        about: One sentence.
        declared: What its makers say of it, as `submission.card` keeps it.
        needs: What must be there.
        fit: What of a clip it takes; None if it is given the source's file as it is.
        output: How edits are written.
        options: Defaults of the kind's options.
        details: The section that only this kind knows.
        data: All of the above as it was read, for another process to read.
    """

    name: str
    kind: str
    about: str
    declared: card.Card
    needs: Needs = Needs()
    fit: Fit | None = None
    output: Output = Output()
    options: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def decisive(self) -> dict[str, Any]:
        """What of the data decides what comes out: all but words about the model, what it needs, costs and refuses."""
        words = ("about", "declared", "needs", self.kind)
        own = {name: value for name, value in self.details.items() if name not in ("price", "limits")}
        decisive = {name: value for name, value in self.data.items() if name not in words or name == "kind"}
        return {**decisive, **({self.kind: own} if own else {})}

    def declares(self, **settings: Any) -> dict[str, Any]:
        """Return what is declared, with these settings (of `[settings]` in a `submission.toml`) added."""
        known = {name: value for name, value in settings.items() if value is not None}
        return card.to_data(
            dataclasses.replace(self.declared, settings=dataclasses.replace(self.declared.settings, **known))
        )


def names() -> list[str]:
    """Return the built-in presets."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name: str) -> Preset | None:
    """Return a built-in preset, or the one in a file of your own, which ends in `.toml`; None if it is neither.

    Raises:
        EditorError: The file is missing, is no TOML, or describes no model.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if name.endswith(".toml") or (name in names()):
        return read(path)
    return None


def read(path: Path) -> Preset:
    """Read a preset.

    Raises:
        EditorError: It is missing, is no TOML, or describes no model.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise EditorError(f"{path} is larger than {MOST_BYTES // 1024} KiB; a preset is short")
        data = card.toml(content.decode("utf-8-sig"))
    except OSError as error:
        raise EditorError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EditorError(f"{path} is not valid TOML: {one_line(error)}") from error
    try:
        return from_data(path.stem, data)
    except EditorError as error:
        raise EditorError(f"{path}: {error}") from error


def from_data(name: str, data: Mapping[str, Any]) -> Preset:
    """Return the preset that TOML data describes.

    Raises:
        EditorError: Naming the first thing that is unknown, missing or wrong.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise EditorError(f"kind: {suggestion(str(kind), KINDS)}")
    for section, value in data.items():
        if section not in (*SECTIONS, kind):
            raise EditorError(f"unknown section {section!r}; {suggestion(section, (*SECTIONS, kind))}")
        if section not in ("kind", "about") and not isinstance(value, Mapping):
            raise EditorError(f"{section}: expected a section [{section}]")
    try:
        declared = card.from_data({"model": {"name": name}, **data.get("declared", {})})
    except SubmissionError as error:
        raise EditorError(f"declared: {error}") from error
    return Preset(
        name=name,
        kind=kind,
        about=one_line(data.get("about", "")),
        declared=declared,
        needs=_record(Needs, "needs", data),
        fit=_record(Fit, "fit", data) if "fit" in data else None,
        output=_record(Output, "output", data),
        options=dict(data.get("options", {})),
        details=dict(data.get(kind, {})),
        data=dict(data),
    )


def with_options(preset: Preset, options: Mapping[str, Any]) -> tuple[Preset, dict[str, Any]]:
    """Apply the options that every preset has; return the preset so changed and the options of its kind.

    `frames` is the most that the model is given, `size` (WIDTHxHEIGHT) what all clips are cropped and scaled to, `fps`
    (a number, or `source`) and `crf` how edits are written.

    Raises:
        EditorError: A value cannot be.
    """
    rest = {**preset.options, **options}
    fit, output = dict[str, Any](), dict[str, Any]()
    for name in COMMON_OPTIONS:
        if name not in rest:
            continue
        value = str(rest.pop(name))
        if name in ("frames", "size") and preset.fit is None:
            raise EditorError(f"{preset.name} is given the source as it is; it has no option {name!r}")
        try:
            if name == "frames":
                fit["most"] = int(value)
            elif name == "size":
                fit["size"] = _size(value)
            elif name == "fps":
                output["fps"] = None if value == "source" else float(value)
            else:
                output["crf"] = int(value)
        except ValueError as error:
            raise EditorError(
                f"option {name}={value!r} is none; frames and crf are whole numbers, size is 832x480"
            ) from error
    try:
        changed = dataclasses.replace(
            preset,
            fit=preset.fit and dataclasses.replace(preset.fit, **fit),
            output=dataclasses.replace(preset.output, **output),
        )
    except VideoError as error:
        raise EditorError(str(error)) from error
    return changed, rest


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _record(cls: type[Any], section: str, data: Mapping[str, Any]) -> Any:
    """Build one of the records above from its section; lists become tuples."""
    known = {item.name: item for item in dataclasses.fields(cls)}
    values = {}
    for key, value in data.get(section, {}).items():
        if key not in known:
            raise EditorError(f"unknown key {key!r} in [{section}]; {suggestion(key, known)}")
        kept = tuple(value) if isinstance(value, list) else value
        if not _fits(kept, str(known[key].type)):
            raise EditorError(f"{section}.{key}: {one_line(repr(value), limit=60)} is no {known[key].type}")
        values[key] = None if kept in (SOURCE, UNKNOWN) else kept
    try:
        return cls(**values)
    except VideoError as error:
        raise EditorError(f"{section}: {error}") from error


def _fits(value: object, annotation: str) -> bool:
    """Whether a value from TOML is of the kind that a record's field has."""
    kinds = {
        part.strip()
        for part in annotation.replace("tuple[str, ...]", "texts").replace("tuple[int, int]", "pair").split("|")
    }
    if isinstance(value, bool):
        return "bool" in kinds
    if isinstance(value, int):
        return bool(kinds & {"int", "float"})
    if isinstance(value, float):
        return "float" in kinds
    if isinstance(value, str):
        return "str" in kinds or (value == SOURCE and "float" in kinds) or (value == UNKNOWN and "bool" in kinds)
    if isinstance(value, tuple):
        if "pair" in kinds:
            return len(value) == 2 and all(type(part) is int for part in value)
        return "texts" in kinds and all(isinstance(part, str) for part in value)
    return False
