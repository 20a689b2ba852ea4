"""One clip on its way through a program: what the program is given, what it made, and the edit that becomes of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkle_bench.editors.preset import Output, Preset
from sparkle_bench.editors.program.spec import Spec
from sparkle_bench.editors.program.template import Values
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Probe, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A sample as the program sees it.

    Attributes:
        sample: The sample.
        out: Where its edit is to be.
        given: What the program is given; of a source that it fits itself, what it makes of it.
        fps: The source's frames per second.
    """

    sample: Sample
    out: Path
    given: Probe
    fps: float

    def values(self, source: Path, folder: Path) -> Values:
        """Return the placeholders that each clip has its own of; the program may write to `out`."""
        sample = self.sample
        return {
            "source": str(source),
            "file": source.name,
            "instruction": sample.instruction,
            "out": str(folder / "out" / f"{sample.id}.mp4"),
            "id": sample.id,
            "theme": sample.theme,
            "subtheme": sample.subtheme,
            "scene": sample.scene,
        }

    @property
    def shape(self) -> Values:
        """The placeholders that the clips of one call share."""
        given = self.given
        return {"width": given.width, "height": given.height, "frames": given.frames, "fps": round(given.fps, 6)}


def look(sample: Sample, out: Path, preset: Preset, spec: Spec) -> Clip:
    """Return a sample as the program will see it.

    Raises:
        VideoError: The source cannot be read, or the model cannot take it.
    """
    from sparkle_bench import video

    facts = video.probe(sample.source_path)
    frames, (width, height) = facts.frames, (facts.width, facts.height)
    if preset.fit is not None:
        frames, (width, height) = preset.fit.count(frames), preset.fit.target(width, height)
    fps = facts.fps if spec.as_is else spec.source_fps or facts.fps
    return Clip(sample=sample, out=out, given=Probe(frames=frames, fps=fps, width=width, height=height), fps=facts.fps)


def write_source(clip: Clip, path: Path, crf: int) -> Path:
    """Write the fitted clip that the program is given, frame by frame, and return its path.

    Raises:
        VideoError: The source cannot be decoded, or the clip not be written.
    """
    from sparkle_bench import video
    from sparkle_bench.video.conform import conform
    from sparkle_bench.video.frames import frames

    given = clip.given
    first = itertools.islice(frames(clip.sample.source_path), given.frames)
    video.write(path, conform(first, (given.width, given.height)), fps=given.fps, crf=crf)
    return path


def write_edit(clip: Clip, made: Path, spec: Spec, output: Output) -> None:
    """Make the edit out of the program's video: a part of it or all, at the rate that it is to have.

    Pictures are encoded again only if they are cropped or cut, are no H.264 in the first place, or a `crf` is asked for. A
    video whose frames do not stand for the source's keeps its own rate: it would be fast or slow at any other.

    Raises:
        VideoError: The program's video cannot be read, or the edit not be written.
        EditorError: It has other frames than those the program was given.
    """
    from sparkle_bench import video
    from sparkle_bench.video.retime import retime

    facts, wanted = video.probe(made), clip.given.frames
    count = min(facts.frames, wanted) if "first-frames" in spec.take else facts.frames
    if output.aligned and count != wanted:
        raise EditorError(
            f"the program was given {wanted} frames and made {count}; if its frames do not stand for the source's one by "
            "one, its preset says `aligned = false`"
        )
    fps = output.fps or (clip.fps if output.aligned else facts.fps)
    parts = [part for part in spec.take if part != "first-frames"]
    # Whoever asks for another crf than the usual one wants its size and quality; the usual one is no reason to lose any.
    as_made = not parts and count == facts.frames and output.crf == Output().crf
    if as_made and retime(made, clip.out, fps):
        return
    video.write(clip.out, itertools.islice(_cropped(made, parts), count), fps=fps, crf=output.crf)


def _cropped(made: Path, parts: list[str]) -> Iterator[NDArray[np.uint8]]:
    from sparkle_bench.video.frames import frames

    for picture in frames(made):
        for part in parts:
            height, width = picture.shape[0] // 2, picture.shape[1] // 2
            picture = {
                "left-half": picture[:, :width],
                "right-half": picture[:, -width:],
                "top-half": picture[:height],
                "bottom-half": picture[-height:],
            }[part]
        yield _contiguous(picture)


def _contiguous(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    return np.ascontiguousarray(picture)
