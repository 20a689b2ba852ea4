"""What a user sees of every editor: built in, described by a preset, brought by another package, or named by its address.

Other people's modules are imported here, and their classes built to hear what they declare. Whatever they do then, it is
said of them alone: the other editors are listed all the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkle_bench import editors, registry
from sparkle_bench.benchmark import suggestion
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors import readiness
from sparkle_bench.editors.preset import Output, Preset
from sparkle_bench.editors.readiness import Lack, Place
from sparkle_bench.errors import EditorError, SparkleError, printable
from sparkle_bench.submission import card
from sparkle_bench.submission.card import Card

BUILT_IN, INSTALLED, ADDRESS = "built in", "entry point", "class"
"""Kinds of editors that no preset describes."""
COMMON: Mapping[str, str] = {
    "frames": "The most frames of a clip that the model is given.",
    "size": "WIDTHxHEIGHT that every clip is cropped and scaled to.",
    "fps": "Frames per second of the edits; `source` keeps the source's.",
    "crf": "libx264's rate factor of the edits: 18 is visually lossless, the authors' outputs have 25.",
}
"""What the options of every preset mean."""
_ARGUMENT = re.compile(r"\*{0,2}(\w+)(?: \([^)]*\))?:(?: +(.*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option of an editor.

    Attributes:
        name: As `--option NAME=VALUE` takes it.
        default: What holds if it is not given; None if nothing does.
        required: Whether it must be given.
        meaning: From the constructor's docstring; empty if that does not say.
    """

    name: str
    default: Any = None
    required: bool = False
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One editor.

    Attributes:
        name: What `--model` calls it.
        kind: `built in`, `entry point`, `class`, or a preset's kind.
        about: One sentence.
        declared: What its makers say of it; None if nothing.
        preset: The preset, if one describes it.
        options: What can be chosen.
        give: Options that have to be given.
        weights: Where its weights are, as far as that is known: a folder, or an id of the Hugging Face Hub.
        lacks: What is missing on this machine.
        broken: Why it cannot be loaded at all, or None.
    """

    name: str
    kind: str
    about: str = ""
    declared: Card | None = None
    preset: Preset | None = None
    options: tuple[Option, ...] = ()
    give: tuple[str, ...] = ()
    weights: str | None = None
    lacks: tuple[Lack, ...] = ()
    broken: str | None = None

    @property
    def ready(self) -> bool:
        """Whether it can be started here, once the options that it needs are given."""
        return self.broken is None and not self.lacks

    @property
    def track(self) -> str | None:
        """Among which results it is ranked; None if that is for whoever uses it to declare."""
        return self.declared.track if self.declared else None


# -- finding them ------------------------------------------------------------------------------------------------------


def everything(place: Place) -> list[Listed]:
    """Return every editor that has a name: those built in, the presets, those that other packages bring."""
    built_in = [_guarded(name, BUILT_IN, lambda name: _of_class(name, BUILT_IN)) for name in editors.EDITORS]
    described = [_guarded(name, "preset", lambda name: one(name, place)) for name in presets.names()]
    taken = {listed.name for listed in (*built_in, *described)}
    points, installed = registry.points(editors.GROUP), []
    for point in points:
        name = point.value if point.name in taken else point.name  # a name that is taken leads elsewhere
        taken.add(name)
        installed.append(_guarded(name, INSTALLED, functools.partial(_of_class, kind=INSTALLED, address=point.value)))
    return [*built_in, *described, *installed]


def one(name: str, place: Place) -> Listed:
    """Return the editor that `--model` finds by a name, a `.toml` file or `module:Class`.

    Raises:
        EditorError: There is none, or its file describes no model.
    """
    if name in editors.EDITORS:
        return _of_class(name, BUILT_IN)
    preset = presets.find(name)
    if preset is not None:
        return _of_preset(name, preset, place)
    addresses = {point.name: point.value for point in registry.points(editors.GROUP)}
    if ":" not in name and name not in addresses:
        near = suggestion(name, [*editors.EDITORS, *presets.names(), *addresses])
        raise EditorError(f"no model called {name!r}; {near}; or pass module:Class or a .toml file")
    with _strangers():
        return _of_class(name, INSTALLED if name in addresses else ADDRESS, addresses.get(name, name))


def _guarded(name: str, kind: str, look: Callable[[str], Listed]) -> Listed:
    try:
        with _strangers():
            return look(name)
    except SparkleError as error:
        return Listed(name=printable(name, limit=60), kind=kind, broken=printable(error, limit=300))


@contextlib.contextmanager
def _strangers() -> Iterator[None]:
    """Keep what other people's modules print away from our output, and let none of them end the process.

    Raises:
        EditorError: One did what it should not.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except SparkleError:
        raise
    except (Exception, SystemExit) as error:  # a boundary: what is wrong with one editor must not hide the others
        raise EditorError(f"{type(error).__name__}: {printable(error)}") from error


# -- describing one ----------------------------------------------------------------------------------------------------


def _of_preset(name: str, preset: Preset, place: Place) -> Listed:
    lacks, weights = readiness.lacks(preset, place), readiness.weights(preset, place)
    listed = Listed(
        name=name,
        kind=preset.kind,
        about=preset.about,
        declared=preset.declared,
        preset=preset,
        weights=weights,
        lacks=lacks,
    )
    try:
        cls = registry.find(presets.KINDS[preset.kind], {}, group=editors.GROUP, what="model")
        options = [*(option for option in options_of(cls) if option.name != "preset"), *_own(preset)]
        takes = _takes(preset)
    except EditorError as error:
        return dataclasses.replace(listed, broken=printable(error, limit=300))
    known = {option.name for option in options}
    chosen = [
        dataclasses.replace(option, default=preset.options[option.name], required=False)
        if option.name in preset.options
        else option
        for option in options
        if takes(option.name)
    ]
    made = readiness.WEIGHTS if weights else None
    common = [option for option in _common(preset) if takes(option.name)]
    give = [option.name for option in chosen if option.required and option.name != made]
    if preset.needs.masks and "masks" in known and "masks" not in (*preset.options, *give):
        give.append("masks")
    named = {readiness.NO_CHECKOUT: readiness.CHECKOUT, readiness.NO_PYTHON: readiness.PYTHON}
    give += [named[lack.what] for lack in lacks if lack.what in named]
    return dataclasses.replace(listed, options=(*chosen, *common), give=tuple(give))


def _takes(preset: Preset) -> Callable[[str], bool]:
    """Return what tells whether an option can change anything: of a program, only those that its command has a place for."""
    if preset.kind != "program":
        return lambda name: True
    from sparkle_bench.editors.program import spec

    return spec.read(preset).takes


def _own(preset: Preset) -> list[Option]:
    """Return the options that a program's preset declares beside those that every program has."""
    if preset.kind != "program":
        return []
    from sparkle_bench.editors.program import spec

    return [
        Option(
            name=name,
            default=option.default,
            required=option.default is None,
            meaning=option.about or "Of this program's own.",
        )
        for name, option in spec.read(preset).options.items()
    ]


def _common(preset: Preset) -> list[Option]:
    fit, output = preset.fit, preset.output
    size = f"{fit.size[0]}x{fit.size[1]}" if fit and fit.size else None
    fps = output.fps or (None if output.aligned is False else "source")  # of its own, if frames do not correspond
    standing = {"frames": fit.most if fit else None, "size": size, "fps": fps, "crf": output.crf}
    return [
        Option(name=name, default=preset.options.get(name, standing[name]), meaning=meaning)
        for name, meaning in COMMON.items()
        if fit is not None or name not in ("frames", "size")
    ]


def _of_class(name: str, kind: str, address: str | None = None) -> Listed:
    cls = registry.find(name if address is None else address, editors.EDITORS, group=editors.GROUP, what="model")
    if not callable(getattr(cls, "edit", None)):
        raise EditorError(f"{name} has no method edit(sample, out)")
    about = printable((inspect.getdoc(cls) or "").partition("\n")[0], limit=200)
    options = options_of(cls)
    listed = Listed(
        name=printable(name, limit=100),
        kind=kind,
        about=about,
        options=tuple(options),
        give=tuple(option.name for option in options if option.required),
    )
    if listed.give or kind == BUILT_IN:
        return listed
    return _heard(listed, cls)


def _heard(listed: Listed, cls: type[Any]) -> Listed:
    """Add what an editor declares once it is built; one that cannot be built says what it lacks."""
    try:
        editor = registry.build(cls, {})
    except EditorError as error:
        lack = Lack(what="cannot be built", cure=printable(error, limit=300))
        return dataclasses.replace(listed, lacks=(lack,))
    try:
        said = editors.declared(editor)
    finally:
        editors.close(editor)
    return dataclasses.replace(listed, declared=card.from_data(said) if said else None)


def options_of(cls: type[Any]) -> list[Option]:
    """Return the options of a class: its constructor's keywords, as the docstring explains them."""
    said = meanings(inspect.getdoc(cls.__init__) or "") or meanings(inspect.getdoc(cls) or "")
    return [
        Option(
            name=name,
            default=None if parameter.default is parameter.empty else parameter.default,
            required=parameter.default is parameter.empty,
            meaning=said.get(name, ""),
        )
        for name, parameter in registry.accepted_options(cls).items()
    ]


def meanings(docstring: str) -> dict[str, str]:
    """Return what the section `Args:` of a Google docstring says of each argument, on one line each."""
    said: dict[str, str] = {}
    lines = docstring.splitlines()
    start = next((number for number, line in enumerate(lines) if line.strip() in ("Args:", "Arguments:")), len(lines))
    name, depth = "", 0
    for line in lines[start + 1 :]:
        indent = len(line) - len(line.lstrip())
        if not line.strip() or not indent:
            if line.strip():
                break  # the next section
            continue
        found = _ARGUMENT.fullmatch(line.strip())
        if found and (not depth or indent <= depth):
            name, depth = found[1], indent
            said[name] = found[2] or ""
        elif name:
            said[name] += f" {line.strip()}"
    return {name: printable(text) for name, text in said.items()}


# -- in words and as data ----------------------------------------------------------------------------------------------


def frames(preset: Preset | None) -> str:
    """Return how many frames of a clip a model takes, such as `81 (4n+1)`."""
    if preset is None or preset.fit is None:
        return "all"
    return f"{preset.fit.most}" + (f" ({preset.fit.frames})" if preset.fit.frames != "any" else "")


def rate(output: Output) -> str:
    """Return the frames per second of a model's edits; a star if its frames are not the source's, a mark if it may be so."""
    sign = {True: "", False: "*", None: "?"}[output.aligned]
    own = "own" if output.aligned is False else "source"
    return (f"{output.fps:g}" if output.fps else own) + sign


def to_data(listed: Listed) -> dict[str, Any]:
    """Return all that is known of an editor, as JSON data."""
    preset, said = listed.preset, listed.declared
    model = said.model if said else None
    return {
        "name": listed.name,
        "kind": listed.kind,
        "about": listed.about,
        "ready": listed.ready,
        "missing": [dataclasses.asdict(lack) for lack in listed.lacks],
        "give": list(listed.give),
        "broken": listed.broken,
        "weights": listed.weights,
        "parameters": model.parameters if model else None,
        "license": model.license if model else None,
        "link": model.link if model else None,
        "track": listed.track,
        "declared": card.to_data(said) if said else {},
        "needs": dataclasses.asdict(preset.needs) if preset else {},
        "fit": dataclasses.asdict(preset.fit) if preset and preset.fit else None,
        "output": dataclasses.asdict(preset.output) if preset else None,
        "options": [_option_data(option) for option in listed.options],
    }


def _option_data(option: Option) -> dict[str, Any]:
    default = option.default
    plain = default is None or isinstance(default, bool | int | float | str | list | dict)
    return {
        "name": option.name,
        "default": default if plain else printable(default, limit=200),
        "required": option.required,
        "meaning": option.meaning,
    }


def sequence(found: Sequence[Listed]) -> list[Listed]:
    """Return editors as they are shown: those that are ready first, then by name."""
    return sorted(found, key=lambda listed: (not listed.ready, listed.name))
