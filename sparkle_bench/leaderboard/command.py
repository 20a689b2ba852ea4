"""The command that makes a row again, from what `run.json` and `judge.json` say of it.

The command line itself is on no record, for it holds folders and addresses of one machine. What decides about edits and
verdicts is on record, and is written as options again where it is not the default. PATH, FOLDER, URL and VALUE stand for
what was not recorded or must not be shown. Results of another version of the code may need that version, which the row
names.

Both documents come from strangers: every word is quoted for a POSIX shell, and what is more than a plain word, such as a
text of several lines, becomes VALUE. No class is imported but our own.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from sparkle_bench import discretion, editors, registry
from sparkle_bench.editors import preset as presets
from sparkle_bench.errors import EditorError
from sparkle_bench.leaderboard.judge_options import (
    COMMIT,
    HUB,
    MOST_LETTERS,
    MOST_WORDS,
    PATH,
    VALUE,
    as_word,
    judged,
    mapping,
)
from sparkle_bench.store import NAME

FOLDER = "FOLDER"
_OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
_PLAIN = re.compile(r"[\w@%+=:,./{}-]+", re.ASCII)
_LARGEST = 1e15
_IGNORED = " (ignored)"
_NO_SETTING = ("the source's", "the program's")
"""What editors say of themselves where nothing was set."""
_SETTINGS = ("steps", "guidance", "seed")


def command(run: Mapping[str, Any], judge: Mapping[str, Any], *, missing: bool = False) -> str:
    """Return the command that makes a row again: one line for a POSIX shell.

    Args:
        run: The result's `run.json`.
        judge: Its `judge.json`.
        missing: Whether samples of videos that were handed in have none, which must then be allowed.
    """
    editor = mapping(run.get("editor"))
    name, options = str(editor.get("name", "")), mapping(editor.get("options"))
    result = as_word(run.get("model"))
    version = mapping(run.get("benchmark"))
    if name == "imported":
        return shlex.join(["sparkle-bench", "import", PATH, "--name", result])
    if name == "folder":
        words = ["judge", _videos(options.get("path")), "--name", result]
        words += ["--allow-incomplete"] if missing else []
    else:
        words = ["eval", "--model", _model(name, options)]
        words += [] if result == name.rpartition(":")[2] else ["--name", result]
        words += [word for option, text in _options(name, options) for word in ("--option", f"{option}={text}")]
    words += ["--bench", FOLDER] if version.get("partial") is True else []
    return shlex.join(["sparkle-bench", *words, *judged(judge, str(version.get("name", "")))])


# -- settings ----------------------------------------------------------------------------------------------------------


def _text(value: object) -> str | None:
    """Return a setting as an option's text; None for what is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value).removesuffix(".0") if abs(value) < _LARGEST else None
    if isinstance(value, str) and value not in _NO_SETTING:
        return value.removesuffix(_IGNORED)
    return None


def _same(one: str, other: str | None) -> bool:
    """Whether two texts are the same setting, as `5` and `5.0` are."""
    try:
        return one == other or (other is not None and float(one) == float(other))
    except ValueError:
        return False


# -- how the edits were made -------------------------------------------------------------------------------------------


def _videos(called: object) -> str:
    """Return what was handed in: a folder's or an archive's name, or a data set of the Hub."""
    word = as_word(called, PATH)
    return f"hf://{word}" if HUB.fullmatch(word) else word if "/" not in word else PATH


def _model(name: str, described: Mapping[str, Any]) -> str:
    if _CLASS.fullmatch(name):
        return name
    ours = name in editors.EDITORS or name in presets.names()
    plain = NAME.fullmatch(name) is not None
    of_a_file = "crf" in described and not ours  # every preset tells how edits are written, and only presets do
    return (f"{name}.toml" if of_a_file else name) if plain else VALUE


def _options(name: str, described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the options that differ from the defaults, as far as they are on record."""
    usual = _defaults(name)
    if usual is None and "crf" in described:
        usual = dict.fromkeys((*presets.COMMON_OPTIONS, *_SETTINGS))
    found = {}
    for option, value in described.items():
        text = _text(value) if _OPTION.fullmatch(option) else None
        if text is not None and (usual is None or (option in usual and not _same(text, usual[option]))):
            found[option] = _command(text) if (name, option) == ("command", "cmd") else _value(option, text)
    found |= _places(name, described)
    yield from list(found.items())[:MOST_WORDS]


def _value(option: str, text: str) -> str:
    shown = discretion.cleaned_options({option: text})[option]
    if discretion.HIDDEN in shown:
        return VALUE
    return as_word(text) if shown == text else PATH


def _command(text: str) -> str:
    """Return a command template without folders and secrets; it is longer than other values."""
    try:
        words = discretion.cleaned_words(shlex.split(text))
    except ValueError:
        return VALUE
    words = [word.replace(discretion.HIDDEN, VALUE) for word in words]
    shown = " ".join(word if _PLAIN.fullmatch(word) else shlex.quote(word) for word in words)
    return shown if shown.isprintable() and len(shown) <= 10 * MOST_LETTERS else VALUE


@functools.cache
def _defaults(name: str) -> Mapping[str, str | None] | None:
    """Return the options of a model that we know and what they are unless told otherwise; None of any other."""
    try:
        preset = presets.find(name) if name in presets.names() else None
        if preset is None and name not in editors.EDITORS:
            return None
        kinds = presets.KINDS if preset else editors.EDITORS
        cls = registry.find(preset.kind if preset else name, kinds, group=editors.GROUP, what="model")
        found: dict[str, Any] = {
            option: None if parameter.default is parameter.empty else parameter.default
            for option, parameter in registry.accepted_options(cls).items()
            if option not in ("preset", "device", "price", "revision", "model_path", "masks")
        }
        if preset is not None:
            size = f"{preset.fit.size[0]}x{preset.fit.size[1]}" if preset.fit and preset.fit.size else None
            fps = preset.output.fps or presets.SOURCE
            found |= {"frames": preset.fit and preset.fit.most, "size": size, "fps": fps, "crf": preset.output.crf}
            found |= {n: option.default for n, option in _of_program(preset).items()} | dict(preset.options)
        return {option: _text(value) for option, value in found.items()}
    except EditorError:
        return None


def _of_program(preset: presets.Preset) -> Mapping[str, Any]:
    """Return the options of a program's own."""
    if preset.kind != "program":
        return {}
    from sparkle_bench.editors.program import spec

    return spec.read(preset).options


def _places(name: str, described: Mapping[str, Any]) -> dict[str, str]:
    """Return where weights, masks and a checkout lie, which are folders unless the weights are of the Hub."""
    preset = presets.find(name) if name in presets.names() else None
    if preset is None:
        return {}
    found = {n: PATH for n, o in _of_program(preset).items() if (o.is_path or o.is_place) and n in described}
    found |= {"checkout": PATH} if preset.kind == "program" and preset.needs.checkout else {}
    found |= {"masks": PATH} if isinstance(described.get("mask_folder"), Mapping) else {}
    weights = mapping(described.get("weights"))
    called, usual = weights.get("name"), preset.options.get("model_path")
    if isinstance(called, str) and called != usual and (usual or preset.kind == "diffusers"):
        found["model_path"] = called if HUB.fullmatch(called) else PATH
    commit = weights.get("commit")
    if isinstance(commit, str) and COMMIT.fullmatch(commit):
        found["revision"] = commit
    return found
