"""What the video libraries can do on this machine, seen by letting them do it on a small clip made on the spot.

A library may be broken so badly that it takes the process with it, so `tell` is meant for a process of its own.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.errors import one_line
from sparkle_bench.video.pair import decoder, encode_jpeg
from sparkle_bench.video.probe import container, probe
from sparkle_bench.video.write import write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FRAMES, HEIGHT, WIDTH, FPS = 8, 64, 96, 16.0
CLOSE = 2.0
"""Mean difference between the two decoders' pictures, in levels of 255, up to which they agree; measured is below 0.1."""
FAITHFUL = 8.0
"""The same between what was written and what is read; compression costs about 1."""
ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What was seen of one ability.

    Attributes:
        found: Versions, and what was done.
        trouble: What went wrong, or None.
        reinstall: The packages to blame.
        works: Whether videos can be worked on all the same.
    """

    found: str
    trouble: str | None = None
    reinstall: tuple[str, ...] = ()
    works: bool = True


def decoders() -> Ability:
    """Decode a clip with decord and with PyAV and compare the pictures.

    decord may fail to decode, since PyAV then takes over; it may not fail to be imported.
    """
    versions = decoder()
    decord = "decord2" if "decord2" in versions and "decord" not in versions else "decord"
    found = (
        f"{decord} {versions.get(decord, 'of no known version')} and PyAV {versions.get('av', 'of no known version')}"
    )
    truth = list(_pictures())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        try:
            write(path, truth, fps=FPS, crf=10)
            facts = probe(path)
            ours = _by_pyav(path)
        except Exception as error:  # a broken library may raise anything; so below
            return _broken(found, f"PyAV writes and reads no clip ({_why(error)})", "av")
        if (facts.frames, len(ours)) != (FRAMES, FRAMES) or _apart(ours, truth) > FAITHFUL:
            return _broken(found, "PyAV reads other pictures than it wrote", "av")
        try:
            importlib.import_module("decord")
        except Exception as error:
            return _broken(found, f"decord cannot be imported ({_why(error)})", decord)
        try:
            theirs = _by_decord(path)
        except Exception as error:
            words = f"decord decodes nothing ({_why(error)}); PyAV does instead"
            return Ability(found=found, trouble=words, reinstall=(decord,))
    if len(theirs) != len(ours) or _apart(theirs, ours) > CLOSE:
        return _broken(found, "decord and PyAV decode different pictures", decord, "av")
    return Ability(found=f"{found} decode a made-up clip alike, {FRAMES} frames")


def encoders() -> Ability:
    """Encode a clip as H.264 with PyAV's own FFmpeg, and list its other encoders."""
    try:
        import av
        from av.codec import Codec
    except Exception as error:
        return _broken("PyAV", f"PyAV cannot be imported ({_why(error)})", "av")
    known = [name for name in ENCODERS if name in av.codecs_available and _encodes(Codec, name)]
    found = f"PyAV {av.__version__} encodes {', '.join(known) or 'in none of the usual codecs'}"
    if "libx264" not in known:
        return _broken(found, "libx264 is not among them", "av")
    with tempfile.TemporaryDirectory() as folder:
        try:
            write(Path(folder) / "clip.mp4", _pictures(), fps=FPS)
        except Exception as error:
            return _broken(found, f"libx264 writes no clip ({_why(error)})", "av")
    return Ability(found=found)


def pictures() -> Ability:
    """Encode a picture as JPEG, as the judge is shown it, and read it back."""
    found = f"OpenCV {decoder().get('opencv-python-headless', 'of no known version')}"
    try:
        import cv2
        import numpy as np

        picture = next(_pictures())
        data = encode_jpeg(cv2.resize(picture, (WIDTH * 2, HEIGHT * 2), interpolation=cv2.INTER_CUBIC), 90)
        back = cv2.resize(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), (WIDTH, HEIGHT))
    except Exception as error:
        return _broken(found, f"OpenCV makes no JPEG ({_why(error)})", "opencv-python-headless")
    if _apart([back[:, :, ::-1]], [picture]) > FAITHFUL:
        return _broken(found, "OpenCV makes another picture of a JPEG", "opencv-python-headless")
    return Ability(found=f"{found} resizes pictures and makes JPEG")


ABILITIES: dict[str, Callable[[], Ability]] = {"decoders": decoders, "encoders": encoders, "pictures": pictures}


def tell(name: str) -> None:
    """Write one ability to standard output, as a last line of JSON."""
    sys.stdout.write(f"\n{json.dumps(asdict(ABILITIES[name]()))}\n")


def _broken(found: str, trouble: str, *reinstall: str) -> Ability:
    return Ability(found=found, trouble=trouble, reinstall=reinstall, works=False)


def _why(error: BaseException) -> str:
    return one_line(error, limit=160) or type(error).__name__


def _encodes(codec: Any, name: str) -> bool:
    try:
        codec(name, "w")
    except ValueError:  # known, but only to decode
        return False
    return True


def _pictures() -> Iterator[NDArray[np.uint8]]:
    """Yield smooth RGB pictures (H×W×3, uint8) of three unlike channels that grow brighter."""
    import numpy as np

    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for number in range(FRAMES):
        yield np.stack([x * 2, y * 3, (x + y) // 2 + 20 + number * 10], axis=-1).astype(np.uint8)


def _by_pyav(path: Path) -> list[NDArray[np.uint8]]:
    with container(path) as opened:
        return [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]


def _by_decord(path: Path) -> list[NDArray[np.uint8]]:
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    return [reader[number].asnumpy() for number in range(len(reader))]


def _apart(some: list[NDArray[np.uint8]], others: list[NDArray[np.uint8]]) -> float:
    """Return the largest mean absolute difference of two pictures of the same place, in levels of 255."""
    import numpy as np

    if any(a.shape != b.shape for a, b in zip(some, others, strict=True)):
        return 255.0
    return max(float(np.abs(a.astype(int) - b).mean()) for a, b in zip(some, others, strict=True))
