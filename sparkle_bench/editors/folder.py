"""Videos that exist already: handed in as the authors' tree, as flat names, or through a manifest.

For each sample the first of these counts: `{theme}/{subtheme}---{scene_with_underscores}/{id}_edited.mp4`,
`{id}_edited.mp4`, `{id}.mp4`. A manifest is a CSV or JSONL file with `id` and `path`, the path relative to the manifest;
given itself, or lying in the folder as `manifest.csv` or `manifest.jsonl`, it alone decides.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from sparkle_bench.disk import Hashes
from sparkle_bench.errors import EditorError, listed, one_line
from sparkle_bench.records import Edit, Sample

MANIFESTS = ("manifest.csv", "manifest.jsonl")


class Folder:
    """Finished videos: a folder in the authors' layout or with flat names, or a manifest."""

    thread_safe = True

    def __init__(self, *, path: Path) -> None:
        """Look at a folder or manifest.

        Args:
            path: A folder of videos, or a manifest file (`.csv` or `.jsonl` with `id` and `path`).
        """
        if not path.exists():
            raise EditorError(f"no folder or manifest at {path}")
        self._path = path
        inside = [path / name for name in MANIFESTS if (path / name).is_file()]
        manifest = path if path.is_file() else inside[0] if inside else None
        self._listed = _read_manifest(manifest) if manifest is not None else None
        self.hashes = Hashes()

    def describe(self) -> dict[str, str]:
        """Return the folder's name; where it lies on this machine is nobody's business."""
        return {"path": self._path.resolve().name}

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Refuse a folder in which nothing matches, showing what was expected beside what was found."""
        if not samples or any(self.find(sample) for sample in samples):
            return
        found = sorted(str(p.relative_to(self._path)) for p in self._path.rglob("*.mp4")) if self._path.is_dir() else []
        expected = [samples[0].edit_path, f"{samples[0].id}_edited.mp4", f"{samples[0].id}.mp4"]
        if self._listed is not None:
            found, expected = sorted(str(p) for p in self._listed.values()), ["an id and an existing path in each row"]
        raise EditorError(
            f"none of the {len(samples)} samples has a video in {self._path}; expected {' or '.join(expected)}; "
            f"found {listed(found) if found else 'no mp4 file'}"
        )

    def find(self, sample: Sample) -> Path | None:
        """Return the sample's video, or None."""
        names = (sample.edit_path, f"{sample.id}_edited.mp4", f"{sample.id}.mp4")
        candidates = [self._path / name for name in names] if self._listed is None else [self._listed.get(sample.id)]
        return next((path for path in candidates if path is not None and path.is_file()), None)

    def is_current(self, sample: Sample, edit: Edit) -> bool:
        """Whether the video handed in is still the one that was taken."""
        found = self.find(sample)
        return found is not None and self.hashes.of(found) == edit.sha256

    def edit(self, sample: Sample, out: Path) -> None:
        """Copy the sample's video.

        Raises:
            EditorError: There is none.
        """
        found = self.find(sample)
        if found is None:
            raise EditorError(
                f"no video for {sample.id}; expected {Path(sample.edit_path).name} in the folder handed in"
            )
        shutil.copyfile(found, out)


def _read_manifest(path: Path) -> dict[str, Path]:
    """Return the video of each id.

    Raises:
        EditorError: The manifest cannot be read, lacks a field, or names an id twice.
    """
    if path.suffix not in (".csv", ".jsonl"):
        raise EditorError(f"{path} is neither a folder nor a manifest (.csv or .jsonl with id and path)")
    try:
        with path.open(encoding="utf-8-sig", newline="" if path.suffix == ".csv" else None) as file:
            if path.suffix == ".csv":
                rows = list(csv.DictReader(file))
            else:
                rows = [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise EditorError(f"the manifest {path} cannot be read: {one_line(error)}") from error
    videos: dict[str, Path] = {}
    for number, row in enumerate(rows, 1):
        sample_id, video = (row.get("id"), row.get("path")) if isinstance(row, dict) else (None, None)
        if not (isinstance(sample_id, str) and sample_id and isinstance(video, str) and video):
            raise EditorError(f"the manifest {path} needs the fields id and path in every row; row {number} lacks one")
        if sample_id in videos:
            raise EditorError(f"the manifest {path} names {sample_id} more than once")
        videos[sample_id] = path.parent / video
    return videos
