"""Writing the demo's benchmark: tables in the published layout, source videos, and the true masks beside them.

Every file appears whole or not at all, and one that is there is not made again. The same bytes come out every time on one
machine.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sparkle_bench import disk, video
from sparkle_bench.benchmark import COLUMNS, THEMES
from sparkle_bench.errors import MachineError, VideoError, is_machine_trouble, one_line
from sparkle_bench.synthetic.cast import CAST
from sparkle_bench.synthetic.catalogue import CLIPS, Clip
from sparkle_bench.synthetic.figure import painter
from sparkle_bench.synthetic.settings import SETTINGS
from sparkle_bench.synthetic.stage import FPS, FRAMES, HEIGHT, WIDTH, Picture, Plane, instant

if TYPE_CHECKING:
    from numpy.typing import NDArray

CRF = 18
PRESET = "superfast"
"""The encoder's settings for all clips of the demo, sources and edits. With `medium` they would take twice as long."""

GRAIN = 1.5
"""Standard deviation of the camera's noise in a source, of 255 levels."""


def write_benchmark(root: Path, *, workers: int = 2) -> Path:
    """Write the demo's benchmark and return its folder.

    Beside the published files there is `true_masks/{theme}/{id}.npz` for every clip; see `true_masks`.

    Args:
        root: The folder; made if need be.
        workers: How many clips are made at once.

    Raises:
        StoreError: A table or a mask cannot be written.
        VideoError: A clip cannot be written.
        MachineError: A clip cannot be written since this machine is in trouble.
    """
    for theme in THEMES:
        _write_tables(root, theme)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda clip: _write_clip(root, clip), CLIPS.values()))
    return root


def true_masks(root: Path, clip: Clip) -> NDArray[np.uint8]:
    """Return the true masks of a clip (T×H×W, uint8): how much of each pixel the subject covers, from 0 to 255.

    They lie in the npz file under the name `mask`.

    Raises:
        VideoError: The file is missing or damaged.
    """
    path = root / clip.true_mask
    try:
        with np.load(io.BytesIO(path.read_bytes())) as data:  # given a damaged path, it would leave the file open
            masks: NDArray[np.uint8] = data["mask"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        trouble = f"the true masks of {clip.id} cannot be read ({one_line(error)})"
        raise VideoError(f"{trouble}; write the demo again into an empty folder") from error
    if masks.shape != (FRAMES, HEIGHT, WIDTH):
        raise VideoError(f"the true masks of {clip.id} are of another demo; write it again into an empty folder")
    return masks


def _write_tables(root: Path, theme: str) -> None:
    clips = [clip for clip in CLIPS.values() if clip.theme == theme]
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((theme, clip.instruction, clip.video) for clip in clips)
    lines = [json.dumps(_metadata(clip), ensure_ascii=False) + "\n" for clip in clips]
    disk.write(root / f"{theme}_bench.csv", table.getvalue().encode())
    disk.write(root / f"{theme}_metadata.jsonl", "".join(lines).encode())


def _metadata(clip: Clip) -> dict[str, object]:
    inner = {"edit_type": clip.theme, "chosen_keyword": clip.keyword, "original_scene": clip.original}
    return {"id": clip.id, "prompt": clip.instruction, "metadata": inner}


def _write_clip(root: Path, clip: Clip) -> None:
    """Write a clip's masks and then its video, unless both are there."""
    path = root / clip.video
    if path.is_file() and (root / clip.true_mask).is_file():
        return
    paint = painter(CAST[clip.id])
    subject = [paint(instant(index)) for index in range(FRAMES)]
    masks = np.stack([np.rint(figure[..., 3] * 255).astype(np.uint8) for figure in subject])
    packed = io.BytesIO()
    np.savez_compressed(packed, mask=masks)
    disk.write(root / clip.true_mask, packed.getvalue())
    disk.make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        video.write(temporary, _filmed(clip, subject), fps=FPS, crf=CRF, preset=PRESET)
        temporary.replace(path)
    except OSError as error:
        trouble = MachineError if is_machine_trouble(error) else VideoError
        raise trouble(f"cannot write {path.name}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _filmed(clip: Clip, subject: list[Plane]) -> Iterator[Picture]:
    """Yield the source's frames: the scene, the subject in the scene's light, and the camera's grain."""
    place = SETTINGS[clip.source]
    scene, in_light = place.build(), place.light.on_tiles()
    rng = np.random.default_rng(sum(clip.id.encode()))
    grain = np.repeat(rng.normal(0, GRAIN, (HEIGHT, WIDTH, 1)).astype(np.float32), 3, axis=2)
    for index, figure in enumerate(subject):
        clear = cv2.merge([1 - figure[..., 3]] * 3)
        frame = cv2.multiply(scene(instant(index)), clear, dtype=cv2.CV_32F) + cv2.transform(figure, in_light)
        shift = tuple(rng.integers(0, WIDTH, 2).tolist())
        yield np.asarray(cv2.add(frame, np.roll(grain, shift, axis=(0, 1)), dtype=cv2.CV_8U), np.uint8)
