"""What a user gives a program: the project's checkout, its interpreter, settings, weights. What lacks is told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.editors.preset import Preset
from sparkle_bench.editors.process import is_program
from sparkle_bench.editors.program import template
from sparkle_bench.editors.program.spec import OWN_OPTIONS, Declared, Spec
from sparkle_bench.editors.program.template import Values
from sparkle_bench.errors import EditorError, one_line

DRIVERS = Path(__file__).parent.with_name("drivers")
"""Small programs of ours that call projects which have no command line; run by the project's interpreter."""
INTERPRETERS = (".venv/bin/python", "venv/bin/python")
SEED = 0
"""Where the program takes one and nobody says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a user gives.

    Attributes:
        checkout: The project's folder.
        python: The interpreter of its environment.
        settings: Seed, steps, guidance; None for what was not given.
        own: Options that the preset declares.
    """

    checkout: Path | None
    python: Path | None
    settings: Mapping[str, int | float | None]
    own: Mapping[str, Any]


def checked(given: Given, preset: Preset, spec: Spec) -> Values:
    """Return the placeholders that all calls share.

    Raises:
        EditorError: Something is missing, unknown or not where it should be.
    """
    _check_taken(given, preset, spec)
    values: dict[str, str | int | float | bool] = {"drivers": str(DRIVERS)}
    for name in spec.used & set(given.settings):
        setting = given.settings[name]
        if setting is None and name != "seed":
            raise EditorError(f"{preset.name} needs --option {name}=…")
        values[name] = SEED if setting is None else setting
    values |= _own(given.own, preset.name, spec)
    if {"checkout", "python"} & spec.used or spec.checkout_has:
        values |= _project(given, preset, spec)
    _check_command(values, preset, spec)
    return values


def _check_taken(given: Given, preset: Preset, spec: Spec) -> None:
    """Refuse what would do nothing: whoever gives it believes that it does something."""
    named = {"checkout": given.checkout, "python": given.python, **given.settings, **given.own}
    for name, value in named.items():
        if value is not None and not spec.takes(name):
            raise EditorError(f"{preset.name} takes no {name}; leave out --option {name}")


def folder(name: str, path: Path) -> Path:
    """Return an option's folder as an absolute path; links are kept, for an environment's interpreter is one.

    Raises:
        EditorError: There is none.
    """
    absolute = path.expanduser().absolute()
    if not absolute.is_dir():
        raise EditorError(f"option {name}: there is no folder {path}")
    return absolute


def _own(own: Mapping[str, Any], program: str, spec: Spec) -> dict[str, str | int | float | bool]:
    for name in own:
        if name not in spec.options:
            known = (*OWN_OPTIONS, *spec.options)
            raise EditorError(f"{program} has no option {name!r}; {suggestion(name, known)}")
    return {name: _value(name, own.get(name), option, program) for name, option in spec.options.items()}


def _value(name: str, given: Any, option: Declared, program: str) -> str | int | float | bool:
    if given in (None, ""):
        if option.default is None:
            what = f" ({option.about})" if option.about else ""
            raise EditorError(f"{program} needs --option {name}=…{what}")
        return option.default
    if option.is_path:
        path = Path(str(given)).expanduser().absolute()
        if not path.exists():
            raise EditorError(f"option {name}: there is nothing at {given}{option.about and f' ({option.about})'}")
        return str(path)
    return _as_declared(name, str(given), option)


def _as_declared(name: str, text: str, option: Declared) -> str | int | float | bool:
    """Return a value in the kind of its default; a text that names something here becomes an absolute path."""
    default = option.default
    truths = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(default, bool):
        if text.lower() not in truths:
            raise EditorError(f"option {name}={text!r} is neither true nor false")
        return truths[text.lower()]
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError as error:
            raise EditorError(f"option {name}={one_line(text)!r} is no {type(default).__name__}") from error
    path = Path(text).expanduser()
    if path.is_absolute() and not path.exists():
        raise EditorError(f"option {name}: there is nothing at {text}")
    return str(path.absolute()) if ("/" in text or option.is_place) and path.exists() else text


def _project(given: Given, preset: Preset, spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield the project's folder, and the interpreter of its environment if that is used."""
    needs = preset.needs.checkout or "its project"
    if given.checkout is None and ("checkout" in spec.used or spec.checkout_has):
        raise EditorError(f"{preset.name} needs a checkout of {needs}: pass --option checkout=FOLDER")
    place = folder("checkout", given.checkout) if given.checkout else None
    if place is not None:
        yield "checkout", str(place)
        for file in spec.checkout_has:
            if not (place / file).exists():
                raise EditorError(f"{given.checkout} holds no {file}; is it a checkout of {needs}?")
    if "python" in spec.used:
        yield "python", str(_python(given.python, place, preset.name))


def _python(given: Path | None, place: Path | None, program: str) -> Path:
    found = [place / name for name in INTERPRETERS] if place else []
    python = given.expanduser().absolute() if given else next((path for path in found if path.is_file()), None)
    if python is None:
        raise EditorError(f"{program} needs --option python=…, the interpreter of its project's environment")
    if not is_program(str(python)):
        raise EditorError(f"option python: {given or python} is no program")
    return python


def _check_command(values: Values, preset: Preset, spec: Spec) -> None:
    """Look for the program, and for the scripts that its words name."""
    cwd = Path(template.text(spec.cwd, values)) if template.used(spec.cwd) <= set(values) else None
    words = [template.text(word, values) for word in spec.command if template.used(word) <= set(values)]
    first = spec.command[0]
    if template.used(first) <= set(values) and not is_program(words[0], cwd):
        raise EditorError(f"there is no program {words[0]!r} to run")
    for word in words:
        script = Path(word) if word.startswith("/") else cwd / word if cwd else None
        if word.endswith(".py") and "=" not in word and script is not None and not script.is_file():
            needs = preset.needs.checkout or "its project"
            raise EditorError(f"{script.parent} holds no {script.name}; is the checkout one of {needs}?")
