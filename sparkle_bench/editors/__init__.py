"""The `Editor` protocol and the table of built-in editors.

An editor takes a sample and writes its edit to a path; frames never cross the border, so it may live in another process,
environment or company. Its options are the constructor's keywords, and checked there; heavy imports and weights wait for
`load`, so that a wrong option is told at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sparkle_bench import discretion, registry
from sparkle_bench.benchmark import suggestion
from sparkle_bench.editors import preset as presets
from sparkle_bench.errors import EditorError, SparkleError, SubmissionError, one_line
from sparkle_bench.records import Edit, Effort, Sample
from sparkle_bench.submission import card

EDITORS: dict[str, str] = {
    "identity": "sparkle_bench.editors.identity:Identity",
    "folder": "sparkle_bench.editors.folder:Folder",
    "command": "sparkle_bench.editors.command:Command",
    "known-answer": "sparkle_bench.editors.known_answer:KnownAnswer",
}
GROUP = "sparkle_bench.editors"


class Editor(Protocol):
    """The model under test, as the harness sees it.

    It may raise `fleet.MemberLost` to say that no other edit will succeed. Beside `edit` an editor may have:

    - `thread_safe = True`: several samples may be edited at once from one process;
    - `at_once`: how many are best edited at once, where that is more than one, so that decoding and writing overlap with
      the GPU, or that a batch fills;
    - `incidental`: names of options that change nothing of what comes out, such as time limits; they may differ from run to
      run of one result;
    - `keys` and `key`: names of environment variables, and the value of the first that is set, given before the work; no
      record, message or log shows it;
    - `own_process = True`: it is run in a process of its own, which may end, hang or be put on a GPU without harm;
    - `load()`: imports what is heavy and loads the model; called once, in the process that edits, before `edit`;
    - `shape(sample)`: (frames, height, width) as the model sees the sample; those of one shape are edited in a row, the
      largest first, so that compiled kernels and memory are used again and too large a clip is known at once;
    - `prepare(samples)`: called once before the work, may raise `EditorError` to stop the run;
    - `is_current(sample, edit)`: whether an earlier edit still is what this editor would make (default: it is);
    - `hardware()`: what it works on, where that is not this machine;
    - `describe()`: options to record instead of those given, where these hold paths of this machine, and what else tells
      one way of making edits from another: versions, the weights' revision;
    - `declared()`: what its makers declare of the model, as `submission.card.to_data` gives it (default: nothing);
    - `hashes`: what is remembered of files' hashes; set before `is_current` is asked;
    - `close()`: called at the end, also after Ctrl-C; ends what the editor has started.
    """

    def edit(self, sample: Sample, out: Path) -> Effort | None:
        """Write the edit of `sample` to `out`, an mp4 that does not exist yet, and tell what it took. Raise on failure."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that is needed to build an editor, here or in another process; JSON data throughout.

    Attributes:
        name: What `--model` called it: a name of the table, of a preset or of an entry point, `module:Class`, or a path.
        options: Its options as given.
        preset: The preset's name and TOML data, if it is one.
    """

    name: str
    options: Mapping[str, Any]
    preset: tuple[str, Mapping[str, Any]] | None = None


def recipe(name: str, options: Mapping[str, Any]) -> Recipe:
    """Return how to build an editor.

    Raises:
        EditorError: The preset's file is missing or describes no model.
    """
    found = None if name in EDITORS else presets.find(name)
    return Recipe(name=name, options=options, preset=(found.name, found.data) if found else None)


def decisive(made: Recipe) -> dict[str, Any]:
    """Return what of a preset's data decides what comes out; nothing for what is no preset."""
    return presets.from_data(*made.preset).decisive if made.preset else {}


def build(made: Recipe) -> Editor:
    """Build an editor from its recipe.

    Raises:
        EditorError: The name or an option is unknown, or the editor cannot be built.
    """
    editor: Editor
    if made.preset is None:
        editor = registry.build(_class(made.name), made.options)
        return editor
    preset, options = presets.with_options(presets.from_data(*made.preset), made.options)
    editor = registry.build(
        registry.find(presets.KINDS[preset.kind], {}, group=GROUP, what="model"), options, preset=preset
    )
    return editor


def create(name: str, options: Mapping[str, Any]) -> Editor:
    """Build an editor from its name and options.

    Raises:
        EditorError: The name or an option is unknown, or the editor cannot be built.
    """
    return build(recipe(name, options))


def _class(name: str) -> type[Any]:
    try:
        return registry.find(name, EDITORS, group=GROUP, what="model")
    except EditorError as error:
        near = suggestion(name, [*EDITORS, *presets.names()])
        if ":" in name or not near.startswith("did you mean"):
            raise
        raise EditorError(f"no model called {name!r}; {near}; or pass module:Class or a .toml file") from error


def prepare(editor: Editor, samples: Sequence[Sample]) -> None:
    """Let the editor look at its work before it starts."""
    _call(editor, "prepare", samples)


def is_current(editor: Editor, sample: Sample, edit: Edit) -> bool:
    """Whether an earlier edit still is what this editor would make."""
    return bool(_call(editor, "is_current", sample, edit, default=True))


def is_bound_by_content(editor: Editor) -> bool:
    """Whether the editor tells by content what is current, so that changed options need not be refused."""
    return hasattr(editor, "is_current")


def is_thread_safe(editor: Editor) -> bool:
    """Whether several samples may be edited at once."""
    return bool(getattr(editor, "thread_safe", False))


def at_once(editor: Editor) -> int:
    """Return how many samples the editor does best at once; one if it is not thread-safe.

    Raises:
        EditorError: It does not say so in a whole number.
    """
    places = getattr(editor, "at_once", 1)
    if not isinstance(places, int):
        raise EditorError(f"the model's at_once is no whole number: {one_line(repr(places), limit=60)}")
    return max(1, places) if is_thread_safe(editor) else 1


def load(editor: Editor) -> None:
    """Let the editor load its model, if it has one."""
    _call(editor, "load")


def shape(editor: Editor, sample: Sample) -> tuple[int, int, int]:
    """Return (frames, height, width) as the model sees the sample; zeros for an editor to which it is all one.

    Raises:
        VideoError: The source cannot be read, or the model cannot take it.
    """
    found = _call(editor, "shape", sample, default=(0, 0, 0))
    try:
        frames, height, width = (int(side) for side in found)
    except (TypeError, ValueError) as error:
        raise EditorError(
            f"the model's shape() is no (frames, height, width): {one_line(repr(found), limit=60)}"
        ) from error
    return frames, height, width


def incidental(editor: Editor) -> tuple[str, ...]:
    """Return the names of options that change nothing of what comes out."""
    return tuple(getattr(editor, "incidental", ()))


def lasting(editor: Editor, options: Mapping[str, str]) -> dict[str, str]:
    """Return the options that may change what comes out."""
    return {name: value for name, value in options.items() if name not in incidental(editor)}


def hardware(editor: Editor) -> dict[str, Any]:
    """Return what the editor works on, if that is not this machine."""
    return dict(_call(editor, "hardware", default={}))


def describe(editor: Editor, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the options to record, as JSON data; those of an editor that does not describe itself without its secrets."""
    said = _call(editor, "describe")
    if said is None:
        return discretion.cleaned_options(options)
    try:
        described: dict[str, Any] = dict(json.loads(json.dumps(said, default=str)))
    except (TypeError, ValueError, RecursionError) as error:
        raise EditorError(f"the model's describe() gives what cannot be recorded: {one_line(error)}") from error
    return described


def declared(editor: Editor) -> dict[str, Any]:
    """Return what the makers declare of the model, for `run.json` and the boards; empty if nothing.

    Raises:
        EditorError: The editor gives what no `submission.toml` could say.
        SubmissionError: The `submission.toml` that it reads says what it cannot.
    """
    said = _call(editor, "declared")
    if not said:
        return {}
    try:
        return card.to_data(card.from_data(said))
    except SubmissionError as error:
        raise EditorError(f"the model's declared() gives what cannot be declared: {error}") from error


def close(editor: Editor) -> None:
    """End what the editor has started."""
    _call(editor, "close")


def _call(editor: Editor, method: str, *args: object, default: Any = None) -> Any:
    function = getattr(editor, method, None)
    try:
        return default if function is None else function(*args)
    except (SparkleError, OSError):
        raise
    except (Exception, SystemExit) as error:  # other people's code: whatever it raises
        raise EditorError(f"the model's {method}() failed: {type(error).__name__}: {one_line(error)}") from error
