"""A made-up pair of clips, to see what a judge does with real ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sparkle_bench.records import Sample
from sparkle_bench.video import Clip, Pair, Sampling, Timing, encode_jpeg, instants, smart_resize, write

SAMPLE = Sample(
    id="made-up", benchmark="", theme="", subtheme="", scene="", instruction="", source="", sha256=""
)  # fmt: skip
"""Stands for no sample."""


def size(sampling: Sampling) -> tuple[int, int]:
    """Return the (height, width) of the pictures of a 1280x720 clip."""
    return smart_resize(720, 1280, factor=sampling.factor, max_pixels=sampling.max_pixels)


def frames(sampling: Sampling) -> Pair:
    """Return a pair of the size of the benchmark's clips, five source frames from one picture to the next."""
    import numpy as np

    picture = encode_jpeg(np.full((*size(sampling), 3), 127, dtype=np.uint8), 50)
    clip = Clip(mime="video/jpeg", parts=(picture,) * sampling.frames)
    total = 5 * sampling.frames + 1
    timing = Timing(indices=tuple(instants(total, sampling.frames)), fps=16.0, total=total)
    return Pair(before=clip, after=clip, timing=timing)


def files() -> Pair:
    """Return a pair of short grey files."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grey.mp4"
        write(path, [np.full((128, 128, 3), 127, dtype=np.uint8)] * 8, fps=8)
        clip = Clip(mime="video/mp4", parts=(path.read_bytes(),))
    return Pair(before=clip, after=clip)
