"""Small real videos and benchmarks, made on the spot, so that tests run without `shared/data`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench import video
from sparkle_bench.benchmark import THEMES
from sparkle_bench.records import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = {
    "location": ("rural: vineyard rows with rustling leaves", "coast: rocky shore, waves breaking"),
    "season": ("spring: melting snow revealing grass", "autumn: falling leaves"),
    "time": ("dawn: morning mist rolling over terrain", "dusk: fading sun"),
    "style": ("cinematic: sci-fi dystopian industrial wasteland", "era: medieval stone-and-timber village"),
}
"""The keywords that `write_benchmark` uses in turn, as published: `subtheme: scene`."""


def moving_frames(frames: int, size: tuple[int, int], seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Yield RGB pictures (height×width×3, uint8) of a bright square that moves over a coloured slope.

    Args:
        frames: How many.
        size: (width, height) in pixels.
        seed: Changes colours and path, so that clips differ in their bytes.
    """
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    side = max(2, min(width, height) // 4)
    for number in range(frames):
        slope = np.stack([x * 2 + seed * 37, y * 2 + seed * 11, x + y + number * 3], axis=-1)
        picture = (slope % 200).astype(np.uint8)
        left = (number * 3 + seed * 5) % max(1, width - side)
        top = (number * 2 + seed * 7) % max(1, height - side)
        picture[top : top + side, left : left + side] = 250
        yield picture


def write_clip(
    path: Path, *, frames: int = 12, size: tuple[int, int] = (96, 64), fps: float = 16.0, seed: int = 0
) -> Path:
    """Write a real H.264 mp4 of a moving pattern and return its path; folders are made as needed.

    Args:
        path: The mp4 to write.
        frames: How many frames.
        size: (width, height) in pixels, both even.
        fps: Frames per second.
        seed: Changes the pattern and so the file's bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    video.write(path, moving_frames(frames, size, seed), fps=fps)
    return path


def counting_level(index: int, frames: int) -> int:
    """Return the grey level (20 to 235) that frame `index` of `write_counting_clip` has."""
    return 20 + round(215 * index / max(1, frames - 1))


def write_counting_clip(path: Path, *, frames: int = 81, size: tuple[int, int] = (96, 64), fps: float = 16.0) -> Path:
    """Write an mp4 whose frames are plain grey and grow brighter with their index; see `counting_level`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    pictures = (np.full((height, width, 3), counting_level(n, frames), np.uint8) for n in range(frames))
    video.write(path, pictures, fps=fps, crf=5)
    return path


def write_benchmark(
    root: Path,
    *,
    samples_per_theme: int = 2,
    themes: Sequence[str] = THEMES,
    frames: int = 12,
    size: tuple[int, int] = (96, 64),
) -> Path:
    """Write a benchmark in Sparkle-Bench's published layout, with small real videos, and return its folder.

    Ids are `Sparkle_{theme}_{000001…}`. Keywords come from `LABELS` in turn. The instruction of the first sample of
    every theme has commas, quotes and letters beyond ASCII. The metadata's lines stand in the opposite order of the
    CSV's rows, since only ids may join them.

    Args:
        root: The folder; made if need be.
        samples_per_theme: How many samples each theme has.
        themes: Which themes there are.
        frames: Frames of each source video.
        size: (width, height) of each source video.
    """
    root.mkdir(parents=True, exist_ok=True)
    for theme_number, theme in enumerate(themes):
        rows: list[tuple[str, str, str]] = []
        lines: list[str] = []
        for number in range(1, samples_per_theme + 1):
            sample_id = f"Sparkle_{theme}_{number:06d}"
            source = f"source_videos/{theme}/{sample_id}.mp4"
            prompt = instruction(theme, number)
            metadata = {
                "edit_type": theme,
                "chosen_keyword": LABELS[theme][(number - 1) % len(LABELS[theme])],
                "original_scene": f"Scene {number}.",
            }
            rows.append((theme, prompt, source))
            lines.append(json.dumps({"id": sample_id, "prompt": prompt, "metadata": metadata}, ensure_ascii=False))
            write_clip(root / source, frames=frames, size=size, seed=10 * theme_number + number)
        write_table(root / f"{theme}_bench.csv", rows)
        (root / f"{theme}_metadata.jsonl").write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    return root


def instruction(theme: str, number: int) -> str:
    """Return the instruction that `write_benchmark` gives a sample."""
    if number == 1:
        return f'Shift the {theme}, slowly, to a "café" by the sea — 夜明け, please.'
    return f"Move the subject to another {theme} with drifting fog, number {number}."


def write_table(path: Path, rows: Sequence[tuple[str, str, str]], *, newline: str = "\n", bom: bool = False) -> None:
    """Write a `{theme}_bench.csv` of (edited_type, prompt, original_video) rows.

    Args:
        path: The file.
        rows: Its rows, without the header.
        newline: What ends a row.
        bom: Whether a byte-order mark stands first.
    """
    # Written by hand: the csv module of Python 3.10 refuses to write some of the rubbish that tests need.
    cells = [("edited_type", "prompt", "original_video"), *rows]
    lines = [",".join(map(_cell, row)) + newline for row in cells]
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + "".join(lines).encode())


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '",\r\n') else text


def write_edits(folder: Path, samples: Sequence[Sample], *, frames: int = 10, fps: float = 15.0) -> Path:
    """Write one edit of every sample in the authors' layout and return the folder.

    Args:
        folder: Where to put them.
        samples: Which to edit.
        frames: Frames of each edit; fewer than the sources have by default.
        fps: Frames per second of each edit.
    """
    for number, sample in enumerate(samples):
        write_clip(folder / sample.edit_path, frames=frames, fps=fps, seed=100 + number)
    return folder
