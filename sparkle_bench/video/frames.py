"""All frames of a clip, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import VideoError
from sparkle_bench.video.probe import check_machine, check_same_size, container, probe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def frames(path: Path, *, size: tuple[int, int] | None = None) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame of a clip as RGB (H×W×3, uint8), in order.

    Args:
        path: The video.
        size: (width, height) to scale to, by area; None leaves the clip's own.

    Raises:
        VideoError: The file is not a readable video, or fewer frames can be decoded than it holds.
        MachineError: This machine cannot read it.
    """
    import av
    from av.video.reformatter import VideoReformatter

    facts = probe(path)
    scaled: dict[str, Any] = {} if size is None else {"width": size[0], "height": size[1], "interpolation": "AREA"}
    to_rgb: Any = VideoReformatter()  # one for all: a frame's own is set up anew for every frame
    count, size = 0, (facts.width, facts.height)
    try:
        with container(path) as opened:
            for frame in opened.decode(video=0):
                check_same_size(path, frame, size, count)
                yield to_rgb.reformat(frame, format="rgb24", **scaled).to_ndarray()
                count += 1
    except (av.FFmpegError, OSError, ValueError) as error:
        check_machine(path, error)
        why = f"cannot be decoded after frame {count}; write it again as H.264"
        raise VideoError(f"{path.name} {why}", kind="undecodable") from error
    if count < facts.frames:
        raise VideoError(
            f"{path.name} holds {facts.frames} frames, but {count} can be decoded; write it again as H.264",
            kind="undecodable",
        )
