"""A benchmark of many pairs for measuring: twelve real clips under other ids, or made-up ones; no two sources are alike."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sparkle_bench.benchmark import THEMES
from tests.conftest import DATA
from tests.makers import LABELS, instruction, write_clip, write_table

MADE_UP = 4


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Where the pairs lie.

    Attributes:
        bench: The benchmark's folder.
        edits: The edits, flat.
        samples: How many there are.
        real: Whether the clips are real ones.
    """

    bench: Path
    edits: Path
    samples: int
    real: bool

    def paths(self) -> list[tuple[Path, Path]]:
        """Return (source, edit) of every sample."""
        sources = sorted(self.bench.glob("source_videos/*/*.mp4"))
        return [(source, self.edits / source.name) for source in sources]


def make(root: Path, samples: int) -> Pairs:
    """Write a benchmark and its edits.

    Args:
        root: An empty folder.
        samples: How many; they are spread over the four themes.
    """
    clips = _clips(root / "clips")
    bench, edits = root / "bench", root / "edits"
    edits.mkdir(parents=True)
    for number, theme in enumerate(THEMES):
        rows: list[tuple[str, str, str]] = []
        lines: list[str] = []
        for index in range(1, len(range(number, samples, len(THEMES))) + 1):
            sample_id = f"Sparkle_{theme}_{index:06d}"
            source = f"source_videos/{theme}/{sample_id}.mp4"
            before, after = clips[(index + 3 * number) % len(clips)]
            _own_copy(before, bench / source, sample_id)
            os.link(after, edits / f"{sample_id}.mp4")
            about = {"edit_type": theme, "chosen_keyword": LABELS[theme][index % 2], "original_scene": "A scene."}
            text = instruction(theme, index)
            rows.append((theme, text, source))
            lines.append(json.dumps({"id": sample_id, "prompt": text, "metadata": about}))
        write_table(bench / f"{theme}_bench.csv", rows)
        (bench / f"{theme}_metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Pairs(bench=bench, edits=edits, samples=samples, real=DATA.is_dir())


def _own_copy(clip: Path, path: Path, sample_id: str) -> None:
    """Copy a clip and append a box without meaning, so that its hash is like no other's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    box = b"free" + sample_id.encode()
    path.write_bytes(clip.read_bytes() + (len(box) + 4).to_bytes(4, "big") + box)


def _clips(folder: Path) -> list[tuple[Path, Path]]:
    """Return (source, edit) of the real pairs, copied so that they can be linked to, or of made-up ones."""
    folder.mkdir(parents=True)
    sources = [p for part in ("sparkle-bench-mini", "openve-mini") for p in sorted((DATA / part).rglob("*.mp4"))]
    edits = {p.stem.removesuffix("_edited"): p for p in (DATA / "submissions" / "sparkle-data").rglob("*.mp4")}
    pairs = [
        (Path(shutil.copyfile(p, folder / p.name)), Path(shutil.copyfile(edits[p.stem], folder / f"{p.stem}-edit.mp4")))
        for p in sources
        if p.stem in edits
    ]
    size = (1280, 720)
    return pairs or [
        (
            write_clip(folder / f"{n}.mp4", frames=81, size=size, seed=n),
            write_clip(folder / f"{n}-edit.mp4", frames=81, size=size, seed=50 + n),
        )
        for n in range(MADE_UP)
    ]
