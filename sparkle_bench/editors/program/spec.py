"""The section `[program]` of a preset: how another project's program is called, and where its videos appear."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.editors.preset import COMMON_OPTIONS, Preset
from sparkle_bench.editors.program import template
from sparkle_bench.errors import EditorError, one_line

TAKES = ("right-half", "left-half", "top-half", "bottom-half", "first-frames")
"""What may be taken of a program's video: a part of the picture, or as many frames as the program was given."""
FORMATS = ("jsonl", "csv", "lines")
OWN_OPTIONS = ("checkout", "python", "seed", "steps", "guidance", "timeout", "batch", "scratch")
"""Options that every program has; a preset may not declare others of these names."""
FILLED_IN = ("python", "seed", "steps", "guidance")
"""Those that do nothing but where a placeholder of that name stands."""
RECORDED = ("command", "multiple", "aligned", "commit", "libraries")
"""What else goes on record under a name of its own."""
NEEDED, PATH, PLACE = "needed", "path", "place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The file that tells a program what to do in one call.

    Attributes:
        format: `jsonl`, `csv` (with a row of names) or `lines`.
        line: A table for `jsonl` and `csv`, a text for `lines`; once for every clip.
        name: The file's.
    """

    format: str
    line: Mapping[str, Any] | str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An option that a preset declares.

    Attributes:
        default: Its value if the user gives none; None if the user has to.
        is_path: Whether it names a file or folder that must be there.
        is_place: Whether it may name one: what is here is passed on by its whole path, anything else as it is.
        about: What it is, for whoever forgets it.
    """

    default: str | int | float | bool | None
    is_path: bool = False
    is_place: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How a program is called.

    Attributes:
        command: Its words, with placeholders; no shell sees them. A word that is nothing but an option of this program's
            own is left out where that is empty.
        cwd: Its working directory.
        environment: Variables to set.
        output: Where each clip's video appears: a path, or a glob pattern for what is new.
        take: What is taken of it.
        as_is: Whether it is given the source's own file; else a clip that is fitted and written for it.
        source_fps: Frames per second of that clip; None for the source's. Frames are never left out or doubled.
        source_crf: libx264's constant rate factor of that clip.
        batch: How many clips one call makes.
        jobs: The file that names them; None if the command does.
        files: Other files to write into the call's folder: a text, or a table that is written as JSON, which YAML reads.
        options: Options of this program's own.
        checkout_has: Files without which a folder is no checkout of the project.
        fixed_size: Whether the program makes the size of `[fit]` whatever it is given.
    """

    command: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str] = field(default_factory=dict)
    output: str = "{out}"
    take: tuple[str, ...] = ()
    as_is: bool = False
    source_fps: float | None = None
    source_crf: int = 10
    batch: int = 1
    jobs: Jobs | None = None
    files: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Declared] = field(default_factory=dict)
    checkout_has: tuple[str, ...] = ()
    fixed_size: bool = False

    def takes(self, option: str) -> bool:
        """Whether an option can change anything; an unknown one is none of this question's."""
        if option == "checkout":  # the interpreter may be in it
            return bool({"checkout", "python"} & self.used or self.checkout_has)
        if option == "size":
            return not self.fixed_size
        if option == "batch":
            return self.batch > 1
        return option in self.used or option not in (*FILLED_IN, *self.options)

    @property
    def used(self) -> set[str]:
        """The placeholders that are used, wherever."""
        jobs = self.jobs.line if self.jobs else ""
        return template.used([*self.command, self.cwd, self.environment, self.output, self.files, jobs])

    @property
    def is_shared(self) -> bool:
        """Whether videos appear where those of another call may appear at the same time."""
        place = self.output if self.output.startswith(("{", "/")) else f"{self.cwd}/{self.output}"
        return not place.startswith(("{folder}", "{sources}", "{out}"))


def read(preset: Preset) -> Spec:
    """Return what `[program]` of a preset says.

    Raises:
        EditorError: Naming the first thing that is unknown, missing or wrong.
    """
    given = preset.details
    for key in given:
        if key not in _READERS:
            raise EditorError(f"unknown key {key!r} in [program]; {suggestion(key, _READERS)}")
    if "command" not in given:
        raise EditorError('program.command is missing: it says what to run, such as "{python} infer.py --src {source}"')
    values = {name: read(value) for key, value in given.items() for name, read in [_READERS[key]]}
    values.setdefault("cwd", "{checkout}" if preset.needs.checkout or "checkout_has" in given else "{folder}")
    if preset.fit is None:
        if given.get("source") == "conformed":
            raise EditorError('program.source = "conformed" needs a section [fit], which says to what')
        values["as_is"] = True
    spec = Spec(**values)
    _check(spec)
    _check_size(preset, spec)
    return spec


def _check(spec: Spec) -> None:
    known = (*template.KNOWN, *spec.options)
    for name in sorted(spec.used - set(known)):
        near = suggestion(name, known)
        hint = f"{near} " if near.startswith("did you mean") else ""
        raise EditorError(f"[program] has an unknown placeholder {{{name}}}; {hint}known: {', '.join(known)}")
    once = template.used([*spec.command, spec.cwd, spec.environment, spec.files]) & set(template.CLIP)
    if spec.batch > 1 and spec.jobs is None:
        raise EditorError(f"program.batch = {spec.batch} needs program.jobs, the file that names the clips")
    if spec.batch > 1 and once:
        raise EditorError(f"one call makes {spec.batch} clips; {{{min(once)}}} belongs into program.jobs")
    if spec.batch > 1 and not template.used(spec.output) & {"id", "out", "file"}:
        raise EditorError(f"one call makes {spec.batch} clips; program.output tells them apart by {{id}}")
    if "jobs" in template.used([*spec.command, spec.environment, spec.files]) and spec.jobs is None:
        raise EditorError("{jobs} is used, but program.jobs does not say what to write there")
    if spec.as_is and spec.source_fps is not None:
        raise EditorError("program.source_fps is for a clip that is written anew; the source is given as it is")


def _check_size(preset: Preset, spec: Spec) -> None:
    if not spec.fixed_size:
        return
    size = preset.data.get("fit", {}).get("size")
    if preset.fit is None or size is None:
        raise EditorError("program.fixed_size needs fit.size, the size that the program makes")
    if preset.fit.size != tuple(size):
        raise EditorError(f"{preset.name} makes {size[0]}x{size[1]} and no other size; leave out --option size")


# -- the keys, each with the field it becomes and how it is read --------------------------------------------------------


def _command(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            words = tuple(shlex.split(value))
        except ValueError as error:
            raise EditorError(f"program.command cannot be split into words: {error}") from error
    else:
        words = _texts("command")(value)
    if not words:
        raise EditorError("program.command is empty")
    return words


def _texts(key: str, *, known: tuple[str, ...] = ()) -> Callable[[Any], tuple[str, ...]]:
    def read(value: Any) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise _wrong(key, value, "a list of texts")
        for item in items:
            if known and item not in known:
                raise EditorError(f"program.{key}: {suggestion(item, known)}")
        return tuple(items)

    return read


def _text(key: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise _wrong(key, value, "a text")
        return value

    return read


def _number(key: str, kinds: tuple[type, ...], low: float, high: float) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) not in kinds or not low <= value <= high:
            raise _wrong(key, value, f"a number from {low:g} to {high:g}")
        return value

    return read


def _rate(value: Any) -> float | None:
    return None if value == "source" else _number("source_fps", (int, float), 0.1, 1000)(value)


def _truth(key: str) -> Callable[[Any], bool]:
    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise _wrong(key, value, "true or false")
        return value

    return read


def _source(value: Any) -> bool:
    return _texts("source", known=("conformed", "as-is"))(value) == ("as-is",)


def _table(key: str) -> Callable[[Any], Mapping[str, Any]]:
    def read(value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise _wrong(key, value, f"a section [program.{key}]")
        return value

    return read


def _environment(value: Any) -> Mapping[str, str]:
    for name, item in _table("environment")(value).items():
        if "=" in name or not isinstance(item, str | int | float):
            raise _wrong(f"environment.{name}", item, "a text")
    return {name: template.shown(item) for name, item in value.items()}


def _files(value: Any) -> Mapping[str, Any]:
    for name, content in _table("files")(value).items():
        if not _is_name(name) or not isinstance(content, str | Mapping):
            raise _wrong(f"files.{name}", content, "a text or a table, under a plain file name")
    return dict(value)


def _jobs(value: Any) -> Jobs:
    table = _table("jobs")(value)
    for key in table:
        if key not in ("format", "line", "name"):
            raise EditorError(f"unknown key {key!r} in [program.jobs]; {suggestion(key, ('format', 'line', 'name'))}")
    kind, line = table.get("format"), table.get("line")
    if kind not in FORMATS:
        raise EditorError(f"program.jobs.format: {suggestion(str(kind), FORMATS)}")
    wanted: Any = str if kind == "lines" else Mapping
    if not line or not isinstance(line, wanted):
        raise _wrong("jobs.line", line, "a text" if kind == "lines" else "a table")
    name = table.get("name", f"jobs.{'txt' if kind == 'lines' else kind}")
    if not isinstance(name, str) or not _is_name(name):
        raise _wrong("jobs.name", name, "a plain file name")
    return Jobs(format=kind, line=line, name=name)


def _is_name(name: str) -> bool:
    return bool(name) and "/" not in name and name not in (".", "..", "sources", "out")


def _options(value: Any) -> Mapping[str, Declared]:
    declared = {}
    for name, item in _table("options")(value).items():
        if name in (*template.KNOWN, *OWN_OPTIONS, *COMMON_OPTIONS, *RECORDED, "preset") or not name.isidentifier():
            raise EditorError(f"program.options.{name}: that name is taken, or cannot be one")
        if not isinstance(item, str | int | float):
            kinds = " or ".join(f'"{word}: what it is"' for word in (NEEDED, PATH, PLACE))
            raise _wrong(f"options.{name}", item, f"a default, {kinds}")
        declared[name] = _declared(item)
    return declared


def _declared(item: str | int | float | bool) -> Declared:
    word, _, about = item.partition(":") if isinstance(item, str) else ("", "", "")
    if word.strip() in (NEEDED, PATH):
        return Declared(default=None, is_path=word.strip() == PATH, about=about.strip())
    if word.strip() == PLACE:
        return Declared(default="", is_place=True, about=about.strip())
    return Declared(default=item, is_place=isinstance(item, str) and "/" in item)


def _wrong(key: str, value: object, expected: str) -> EditorError:
    return EditorError(f"program.{key}: {one_line(repr(value), limit=60)} is not {expected}")


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "command": ("command", _command),
    "cwd": ("cwd", _text("cwd")),
    "environment": ("environment", _environment),
    "output": ("output", _text("output")),
    "take": ("take", _texts("take", known=TAKES)),
    "source": ("as_is", _source),
    "source_fps": ("source_fps", _rate),
    "source_crf": ("source_crf", _number("source_crf", (int,), 0, 51)),
    "batch": ("batch", _number("batch", (int,), 1, 1000)),
    "jobs": ("jobs", _jobs),
    "files": ("files", _files),
    "options": ("options", _options),
    "checkout_has": ("checkout_has", _texts("checkout_has")),
    "fixed_size": ("fixed_size", _truth("fixed_size")),
}
