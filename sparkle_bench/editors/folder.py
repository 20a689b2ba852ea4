"""Videos that exist already: handed in as the authors' tree, as flat names, or through a manifest.

Which file is which sample's is told in `submission/layout.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkle_bench import disk
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Edit, Sample
from sparkle_bench.submission import card
from sparkle_bench.submission.layout import Layout, check_any, check_promises, find


class Folder:
    """Finished videos: a folder in the authors' layout or with flat names, or a manifest."""

    thread_safe = True

    def __init__(self, *, path: Path) -> None:
        """Look at a folder or manifest.

        Args:
            path: A folder of videos, or a manifest file (`.csv`, `.jsonl` or `.json` with `id` and `path`).

        Raises:
            SubmissionError: There is none, or the manifest cannot be read.
        """
        find(path, ())
        self._path, self._called = path, path.resolve().name
        self._inside = self._ours = False
        self._found: Layout | None = None
        self.hashes = Hashes()

    @classmethod
    def fetched(cls, path: Path, *, called: str, ours: bool) -> Folder:
        """Look at what came out of an archive or from the Hub; a manifest there may name no file outside.

        Args:
            path: A folder.
            called: What to call it on record.
            ours: Whether its files go away afterwards, so that they need no copy.
        """
        folder = cls(path=path)
        folder._called, folder._inside, folder._ours = called, True, ours
        return folder

    def describe(self) -> dict[str, str]:
        """Return the folder's name; where it lies on this machine is nobody's business."""
        return {"path": self._called}

    def declared(self) -> dict[str, Any]:
        """Return what the `submission.toml` beside the videos declares of the model.

        Raises:
            SubmissionError: It is malformed.
        """
        path = self._layout(()).card
        return card.to_data(card.read(path)) if path is not None else {}

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Find the samples' videos.

        Raises:
            SubmissionError: None matches, or a file is not the one that a manifest names.
        """
        self._found = find(self._path, samples, inside=self._inside)
        check_any(self._found, samples, self._called)
        check_promises(self._found, self.hashes)

    def find(self, sample: Sample) -> Path | None:
        """Return the sample's video, or None."""
        return self._layout((sample,)).videos.get(sample.id)

    def is_current(self, sample: Sample, edit: Edit) -> bool:
        """Whether the video handed in is still the one that was taken."""
        found = self.find(sample)
        return found is not None and self.hashes.of(found) == edit.sha256

    def edit(self, sample: Sample, out: Path) -> None:
        """Take the sample's video.

        Raises:
            EditorError: There is none.
        """
        found = self.find(sample)
        if found is None:
            raise EditorError(
                f"no video for {sample.id}; expected {sample.edit_path} or {sample.id}_edited.mp4 in the folder handed in"
            )
        if self._ours:
            disk.second_name(found, out)
        else:
            shutil.copyfile(found, out)

    def _layout(self, samples: Sequence[Sample]) -> Layout:
        return self._found or find(self._path, samples, inside=self._inside)
