"""Keeping a video as it came from a host, or writing it anew where it is not as edits are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkle_bench import video
from sparkle_bench.editors.preset import Output
from sparkle_bench.records import Probe
from sparkle_bench.video.frames import frames
from sparkle_bench.video.retime import is_plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What a source and the edit that came back hold."""

    source: Probe
    made: Probe

    @property
    def fps(self) -> float:
        """The edit's frames per second; the source's where it is the same but for rounding."""
        same = abs(self.made.fps - self.source.fps) <= RATE_TOLERANCE * self.source.fps
        return self.source.fps if same else self.made.fps

    @property
    def same_frames(self) -> bool:
        """Whether there are as many frames, at the same rate."""
        return self.fps == self.source.fps and self.made.frames == self.source.frames

    @property
    def same_time(self) -> bool:
        """Whether both last as long, to within a frame of the slower one."""
        lengths = [clip.frames / clip.fps for clip in (self.source, self.made)]
        return abs(lengths[0] - lengths[1]) <= 1 / min(self.source.fps, self.made.fps)


def keep(raw: Path, out: Path, pair: Pair, output: Output, *, retime: bool) -> bool:
    """Put a video where the edit belongs; H.264 in yuv420p in an mp4 is kept as it is.

    Args:
        raw: What came.
        out: Where it belongs.
        pair: What the source and it hold.
        output: How edits are written; a rate that is asked for is given to the frames as they are.
        retime: Whether to bring it to the source's frames: each is the one that is shown at that time.

    Returns:
        Whether frame i of the edit stands for frame i of the source.

    Raises:
        VideoError: It cannot be read to its end, or not be written.
    """
    if retime and not pair.same_frames:
        video.write(out, _at_times(raw, pair), fps=output.fps or pair.source.fps, crf=output.crf)
        return pair.same_time
    if output.fps is not None or not is_plain(raw):
        video.write(out, frames(raw), fps=output.fps or pair.fps, crf=output.crf)
    else:
        raw.replace(out)
    return output.aligned is not False and pair.same_frames


def _at_times(raw: Path, pair: Pair) -> Iterator[NDArray[np.uint8]]:
    """Yield the frame of an edit that is nearest to each of the source's instants; the last one where it is shorter."""
    wanted = 0
    picture: NDArray[np.uint8] | None = None
    for given, picture in enumerate(frames(raw)):
        while wanted < pair.source.frames and round(wanted / pair.source.fps * pair.made.fps) <= given:
            yield picture
            wanted += 1
    while picture is not None and wanted < pair.source.frames:
        yield picture
        wanted += 1
