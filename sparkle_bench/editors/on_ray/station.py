"""What runs on a machine of a Ray cluster: an actor that holds the editor, takes clips and gives back edits."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench import editors
from sparkle_bench.editors import Editor, Recipe
from sparkle_bench.editors.worker import lines
from sparkle_bench.provenance import hardware
from sparkle_bench.records import sample_from_json

if TYPE_CHECKING:
    from sparkle_bench.editors.placing import Where


class Station:
    """The editor on a machine of the cluster. It is an actor; its answers are those of a worker process."""

    def __init__(self, recipe: Recipe, where: Where) -> None:
        self._recipe, self._where = recipe, where
        self._editor: Editor | None = None
        self._places = threading.Semaphore(1)

    def here(self) -> str:
        """Return which machine of the cluster this is; the answer shows that the actor has got its place."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def load(self, work: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Load the model, let it look at its work, and return what is known of it and of this machine."""
        from sparkle_bench.editors.placing import placed

        try:
            self._editor = editor = placed(self._recipe, self._where)
            at_once = editors.at_once(editor)
            self._places = threading.Semaphore(at_once)
            editors.load(editor)
            self._prepare(work)
            return {
                "describe": editors.describe(editor, self._recipe.options),
                "declared": editors.declared(editor),
                "hardware": hardware(),
            }
        except BaseException as error:  # other people's code
            return lines.failure(error)

    def prepare(self, work: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Let the model look at its work; the clips themselves are not here."""
        try:
            self._prepare(work)
        except BaseException as error:  # other people's code
            return lines.failure(error)
        return {}

    def _prepare(self, work: Sequence[Mapping[str, Any]]) -> None:
        if self._editor is not None and work:
            editors.prepare(self._editor, [sample_from_json(data) for data in work])

    def edit(self, data: Mapping[str, Any], clip: bytes) -> tuple[dict[str, Any], bytes]:
        """Return what an edit took, or why there is none, and the edit."""
        try:
            with self._places, tempfile.TemporaryDirectory(prefix="sparkle-ray-") as folder:
                assert self._editor is not None
                sample, out = sample_from_json(data, Path(folder)), Path(folder) / f"{data['id']}_edited.mp4"
                sample.source_path.parent.mkdir(parents=True, exist_ok=True)
                sample.source_path.write_bytes(clip)
                answer = lines.done(self._editor.edit(sample, out))
                return answer, out.read_bytes()
        except BaseException as error:  # other people's code; also one that calls sys.exit
            return lines.failure(error), b""

    def close(self) -> None:
        """End what the editor has started."""
        if self._editor is not None:
            editors.close(self._editor)
