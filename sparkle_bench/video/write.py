"""Writing an mp4."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import MachineError, VideoError, is_machine_trouble
from sparkle_bench.video.probe import reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def write(
    path: Path, frames: Iterable[NDArray[np.uint8]], *, fps: float, crf: int = 18, preset: str = "medium"
) -> None:
    """Write RGB frames (H×W×3, uint8, even sides) as H.264 in yuv420p.

    Args:
        path: The mp4 to write.
        frames: All of one size.
        fps: Frames per second.
        crf: libx264's constant rate factor; 18 is visually lossless, the authors' outputs have 25.
        preset: libx264's trade of time for size, from `ultrafast` to `veryslow`.

    Raises:
        VideoError: There are no frames, a size is odd or changes, or the file cannot be written.
    """
    import av

    if not 0 < fps < math.inf:
        raise VideoError(f"cannot write {path.name} at {fps} frames per second")
    count = 0
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream: Any = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(100_000))
            stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf), "preset": preset}
            for array in frames:
                if count == 0:
                    stream.height, stream.width = array.shape[:2]
                if array.shape[:2] != (stream.height, stream.width) or array.shape[0] % 2 or array.shape[1] % 2:
                    raise VideoError(
                        f"frame {count} of {path.name} is {array.shape[1]}x{array.shape[0]}; sizes must be even and equal"
                    )
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
                count += 1
            if count:
                container.mux(stream.encode())
    except (av.FFmpegError, OSError, ValueError) as error:
        if is_machine_trouble(error):
            raise MachineError(f"cannot write {path.name} on this machine: {reason(error)}") from error
        raise VideoError(f"cannot write {path.name}: {reason(error)}") from error
    if count == 0:
        path.unlink(missing_ok=True)
        raise VideoError(f"no frames to write to {path.name}")
