"""The `Editor` protocol and the table of built-in editors.

An editor takes a sample and writes its edit to a path; frames never cross the border, so it may live in another process,
environment or company. Heavy imports happen when it is constructed; its options are the constructor's keywords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sparkle_bench import registry
from sparkle_bench.errors import EditorError, SubmissionError
from sparkle_bench.records import Edit, Sample
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

    Beside `edit` an editor may have:

    - `thread_safe = True`: several samples may be edited at once from one process;
    - `prepare(samples)`: called once before the work, may raise `EditorError` to stop the run;
    - `is_current(sample, edit)`: whether an earlier edit still is what this editor would make (default: it is);
    - `describe()`: options to record instead of those given, where these hold paths of this machine;
    - `declared()`: what its makers declare of the model, as `submission.card.to_data` gives it (default: nothing);
    - `hashes`: what is remembered of files' hashes; set before `is_current` is asked;
    - `close()`: called at the end, also after Ctrl-C; ends what the editor has started.
    """

    def edit(self, sample: Sample, out: Path) -> None:
        """Write the edit of `sample` to `out`, an mp4 that does not exist yet. Raise on failure."""
        ...


def create(name: str, options: Mapping[str, str]) -> Editor:
    """Build an editor from its name and options.

    Raises:
        EditorError: The name or an option is unknown, or the editor cannot be built.
    """
    editor: Editor = registry.build(registry.find(name, EDITORS, group=GROUP, what="model"), options)
    return editor


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


def describe(editor: Editor, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the options to record."""
    return dict(_call(editor, "describe", default=options))


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
    return default if function is None else function(*args)
