"""What editors that turn frames into frames share: decoding and fitting a clip, a turn at the GPU, writing the edit.

Several samples may be in the studio at once. Only one is at the GPU; while it is, the next is decoded and the last is
written. Memory grows with their number: three 81-frame clips of 1280x704 are 0.7 GB of pictures, and as much again of
edits.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkle_bench.editors.preset import Output
from sparkle_bench.editors.worker import turns
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Effort, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sparkle_bench.video.conform import Fit

AT_ONCE = 3
"""Samples in the studio: one decoded, one at the GPU, one written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A source as the model sees it.

    Attributes:
        pictures: RGB frames (H×W×3, uint8), fitted.
        fps: The source's frames per second.
        total: Frames that the source has; the first `len(pictures)` were taken.
    """

    pictures: Sequence[NDArray[np.uint8]]
    fps: float
    total: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.pictures[0].shape[:2]
        return width, height


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """How GPU memory is measured.

    Attributes:
        start: Begins anew.
        peak: Returns the most bytes in use since; None if that is not known.
    """

    start: Callable[[], object] = lambda: None
    peak: Callable[[], int | None] = lambda: None


Generate = Callable[[Sample, Clip], "Sequence[NDArray[np.uint8]]"]


def take(path: Path, fit: Fit) -> Clip:
    """Decode as many of a clip's first frames as the model takes, cropped and scaled.

    Raises:
        VideoError: It cannot be read, or is too short or too small.
    """
    from sparkle_bench import video
    from sparkle_bench.video.conform import conform
    from sparkle_bench.video.frames import frames

    facts = video.probe(path)
    first = itertools.islice(frames(path), fit.count(facts.frames))
    pictures = list(conform(first, fit.target(facts.width, facts.height)))
    return Clip(pictures=pictures, fps=facts.fps, total=facts.frames)


def shape(path: Path, fit: Fit) -> tuple[int, int, int]:
    """Return (frames, height, width) of a clip as the model sees it, without decoding it.

    Raises:
        VideoError: It cannot be read, or is too short or too small.
    """
    from sparkle_bench import video

    facts = video.probe(path)
    width, height = fit.target(facts.width, facts.height)
    return fit.count(facts.frames), height, width


class Studio:
    """Edits samples with a function from frames to frames; threads may share it."""

    def __init__(self, fit: Fit, output: Output, generate: Generate, gauge: Gauge | None = None) -> None:
        """Make one.

        Args:
            fit: What of a clip the model takes.
            output: How edits are written.
            generate: Makes the edit's frames (H×W×3, uint8), as many and of the same size as the clip's; called by one
                thread at a time.
            gauge: How GPU memory is measured.
        """
        self._fit, self._output, self._generate, self._gauge = fit, output, generate, gauge or Gauge()
        self._turn = threading.Lock()

    def edit(self, sample: Sample, out: Path) -> Effort:
        """Edit one sample.

        Raises:
            VideoError: The source cannot be read, or the edit not written.
            EditorError: The model gave other frames than it should.
        """
        from sparkle_bench import video

        clip = take(sample.source_path, self._fit)
        with self._turn:
            turns.taken()
            self._gauge.start()
            begun = time.monotonic()
            made = self._generate(sample, clip)
            seconds = time.monotonic() - begun
            peak = self._gauge.peak()
        _check(made, clip)
        video.write(out, made, fps=self._output.fps or clip.fps, crf=self._output.crf)
        return Effort(
            seconds=round(seconds, 3),
            frames=len(clip.pictures),
            aligned=self._output.aligned,
            host_memory=host_memory(),
            gpu_memory=peak,
        )


def _check(made: Sequence[NDArray[np.uint8]], clip: Clip) -> None:
    if len(made) != len(clip.pictures):
        raise EditorError(
            f"the model was given {len(clip.pictures)} frames and made {len(made)}; none is left out or invented"
        )
    for picture in made:
        form: tuple[int, ...] = tuple(getattr(picture, "shape", ()))
        kind = getattr(picture, "dtype", type(picture).__name__)
        if str(kind) != "uint8" or len(form) != 3 or form[2] != 3:
            raise EditorError(f"the model made pictures of dtype {kind} and shape {form}, not H×W×3 of uint8")
        if (picture.shape[1], picture.shape[0]) != clip.size:
            raise EditorError(
                f"the model was given {clip.size[0]}x{clip.size[1]} and made {picture.shape[1]}x{picture.shape[0]}"
            )


def host_memory() -> int | None:
    """Return the most bytes that this process has held so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
