"""Clips for a page: what comes out plays, keeps every frame and its time, fits in the bytes, and tells nothing else."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest

from sparkle_bench import video
from sparkle_bench.errors import VideoError
from sparkle_bench.records import Probe
from sparkle_bench.video.frames import frames
from sparkle_bench.video.shrink import Shrunk, may_stay, poster, shrink, size_for
from tests import hostile_videos as hostile
from tests import makers

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLENTY = 50_000_000
SECRET = "/home/somebody/private"


def written(path: Path, pictures: Sequence[NDArray[np.uint8]], **how: Any) -> Path:
    """Write pictures with an encoder of choice, a title and a comment."""
    rate, sound = Fraction(how.pop("fps", 16.0)).limit_denominator(1001), how.pop("sound", False)
    with av.open(str(path), "w", format=how.pop("form", "mp4")) as container:
        container.metadata.update(title=SECRET, comment=SECRET, artist="somebody")
        stream: Any = container.add_stream(how.pop("codec", "libx264"), rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.options = how.pop("pixels", "yuv420p"), how
        stream.metadata["title"] = SECRET
        audio: Any = container.add_stream("aac", rate=44100) if sound else None
        for _ in range(40 if sound else 0):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 44100
            container.mux(audio.encode(silence))
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for each in (stream, audio) if sound else (stream,):
            container.mux(each.encode())
    return path


def grey(count: int, size: tuple[int, int] = (96, 64)) -> list[NDArray[np.uint8]]:
    """Return plain pictures that grow brighter, so that each tells its place."""
    return [np.full((size[1], size[0], 3), makers.counting_level(n, count), np.uint8) for n in range(count)]


def noise(count: int, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (size[1], size[0], 3), np.uint8) for _ in range(count)]


def levels(path: Path) -> NDArray[Any]:
    return np.array([picture.mean() for picture in frames(path)])


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def check_plays(path: Path, most_bytes: int) -> None:
    """What a browser wants of a clip, and what the world may know of it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert [each.type for each in container.streams] == ["video"]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.width % 2 == stream.height % 2 == 0
    data = path.read_bytes()
    kinds = [kind for kind, _ in hostile.boxes(data)]
    assert kinds.index("moov") < kinds.index("mdat"), "a page shows it before it has all of it"
    assert SECRET.encode() not in data
    assert b"somebody" not in data
    assert len(data) <= most_bytes


# -- what may stay ---------------------------------------------------------------------------------------------------


def test_pictures_that_browsers_play_stay_as_they_are(tmp_path: Path) -> None:
    source = written(tmp_path / "a.mp4", list(makers.moving_frames(33, (96, 64))), bf="3", sound=True)
    made = shrink(source, tmp_path / "out.mp4", most_bytes=PLENTY)
    assert made.crf is None
    assert np.array_equal(np.stack(list(frames(source))), np.stack(list(frames(tmp_path / "out.mp4"))))
    assert times(tmp_path / "out.mp4") == pytest.approx([n / 16 for n in range(33)], abs=1e-6)
    check_plays(tmp_path / "out.mp4", PLENTY)
    assert made == Shrunk(bytes=(tmp_path / "out.mp4").stat().st_size, width=96, height=64)


def test_real_clips_stay_as_they_are(mini: Path, tmp_path: Path) -> None:
    for source in sorted(mini.rglob("*.mp4"))[:3]:
        made = shrink(source, tmp_path / "out.mp4", most_bytes=source.stat().st_size + 4096)
        assert (made.crf, made.width, made.height) == (None, 1280, 720)
        assert video.probe(tmp_path / "out.mp4") == video.probe(source)
        check_plays(tmp_path / "out.mp4", source.stat().st_size + 4096)


# -- what is encoded anew --------------------------------------------------------------------------------------------

ANEW: dict[str, dict[str, Any]] = {
    "too large": {},
    "colours for every pixel": {"pixels": "yuv444p"},
    "full range": {"pixels": "yuvj420p"},
    "ten bits": {"pixels": "yuv420p10le"},
    "HEVC": {"codec": "libx265", "x265-params": "log-level=none"},
    "VP9": {"codec": "libvpx-vp9", "form": "webm"},
    "MPEG-4 in AVI": {"codec": "mpeg4", "form": "avi"},
    "without loss, in RGB": {"codec": "ffv1", "form": "matroska", "pixels": "bgr0"},
    "odd sides": {"size": (97, 65), "pixels": "yuv444p"},
    "24000/1001 frames per second": {"fps": 24000 / 1001, "pixels": "yuv444p"},
    "15 frames per second": {"fps": 15.0, "pixels": "yuv444p"},
    "one frame": {"count": 1, "pixels": "yuv444p"},
}


@pytest.mark.parametrize("how", ANEW.values(), ids=ANEW)
def test_frame_i_stays_frame_i_at_its_time(how: dict[str, Any], tmp_path: Path) -> None:
    count, fps, size = how.get("count", 41), how.get("fps", 16.0), how.get("size", (96, 64))
    rest = {name: value for name, value in how.items() if name not in ("count", "fps", "size")}
    source = written(tmp_path / "a.clip", grey(count, size), fps=fps, **rest)
    most = PLENTY if rest else source.stat().st_size - 200
    made = shrink(source, tmp_path / "out.mp4", most_bytes=most)
    assert made.crf is not None
    found = levels(tmp_path / "out.mp4")
    assert len(found) == count
    assert np.abs(found - [makers.counting_level(n, count) for n in range(count)]).max() < 5
    assert times(tmp_path / "out.mp4") == pytest.approx([n / fps for n in range(count)], abs=1e-4)
    assert video.probe(tmp_path / "out.mp4").fps == pytest.approx(fps if count > 1 else 16.0, rel=1e-6)
    check_plays(tmp_path / "out.mp4", most)


@pytest.mark.parametrize("most", [60_000, 30_000, 12_000])
def test_a_clip_fits_in_the_bytes(most: int, tmp_path: Path) -> None:
    source = written(tmp_path / "a.mp4", list(makers.moving_frames(41, (640, 352))), crf="4")
    assert source.stat().st_size > 2 * most
    made = shrink(source, tmp_path / "out.mp4", most_bytes=most)
    assert most / 5 < made.bytes <= most
    assert made.width <= 640
    assert made.width / made.height == pytest.approx(640 / 352, rel=0.05)
    check_plays(tmp_path / "out.mp4", most)


def test_a_real_clip_fits_and_is_still_to_be_recognised(mini: Path, tmp_path: Path) -> None:
    source = sorted(mini.rglob("*.mp4"))[0]
    made = shrink(source, tmp_path / "out.mp4", most_bytes=150_000)
    assert 0.5 * 150_000 < made.bytes <= 150_000
    assert made.width >= 480
    before = [cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA) for picture in frames(source)]
    after = [cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA) for picture in frames(tmp_path / "out.mp4")]
    apart = np.abs(np.stack(before).astype(int) - np.stack(after)).mean(axis=(1, 2, 3))
    assert apart.max() < 8, "levels of 255; another frame in its place would be further away"


SIZES: dict[str, tuple[tuple[int, int, int], int, int | None, tuple[int, int]]] = {
    "never larger than it is": ((81, 96, 64), PLENTY, None, (96, 64)),
    "no longer side than allowed": ((81, 1280, 720), PLENTY, 960, (960, 540)),
    "as the bytes allow": ((81, 1280, 720), 60_000, 960, (378, 212)),
    "upright": ((81, 720, 1280), PLENTY, 960, (540, 960)),
    "never less than can be seen": ((81, 1280, 720), 1000, 960, (96, 54)),
    "small as it is": ((81, 40, 30), 100, 960, (40, 30)),
    "sides become even": ((81, 97, 65), PLENTY, None, (96, 64)),
}


@pytest.mark.parametrize(("facts", "most", "side", "wanted"), SIZES.values(), ids=SIZES)
def test_how_large_a_clip_becomes(
    facts: tuple[int, int, int], most: int, side: int | None, wanted: tuple[int, int]
) -> None:
    frames_, width, height = facts
    assert size_for(Probe(frames=frames_, fps=16.0, width=width, height=height), most, side) == wanted


SHRINK = (
    "import sys; from pathlib import Path; from sparkle_bench.video.shrink import shrink; "
    "shrink(Path(sys.argv[1]), Path(sys.argv[2]), most_bytes=30_000)"
)


def test_the_same_clip_gives_the_same_bytes_whatever_the_memory_held(tmp_path: Path) -> None:
    source = written(tmp_path / "a.mp4", list(makers.moving_frames(41, (320, 192))), crf="4")
    found = set()
    for filling in ("1", "170"):
        command = [sys.executable, "-c", SHRINK, str(source), str(tmp_path / "out.mp4")]
        subprocess.run(command, env={**os.environ, "MALLOC_PERTURB_": filling}, check=True, timeout=120)
        found.add(hashlib.sha256((tmp_path / "out.mp4").read_bytes()).hexdigest())
    assert len(found) == 1


def test_pixels_that_are_not_square_keep_their_shape(tmp_path: Path) -> None:
    source = written(tmp_path / "a.mp4", grey(9), pixels="yuv444p", **{"x264-params": "sar=2/1"})
    shrink(source, tmp_path / "out.mp4", most_bytes=PLENTY)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == 2


# -- what cannot be --------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    source = written(tmp_path / "a.mp4", noise(41, (128, 96)))
    with pytest.raises(VideoError, match=r"a\.mp4 cannot be made to fit in 2000 bytes") as caught:
        shrink(source, tmp_path / "out.mp4", most_bytes=2000)
    assert caught.value.kind == "too_large"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def cut_off(path: Path) -> None:
    makers.write_clip(path, frames=33)
    path.write_bytes(path.read_bytes()[:-900])


BROKEN: dict[str, hostile.Make] = {
    "no video": lambda path: path.write_text("no video"),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": cut_off,
    "a size that changes": hostile.changes_within,
    "a size that grows without end": hostile.grows_within(hostile.HUGE, hostile.HUGE),
    "a header that lies": hostile.stream_claims(hostile.HUGE, hostile.HUGE),
    "a playlist": hostile.text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_a_broken_clip_is_one_error_and_leaves_nothing(make: hostile.Make, tmp_path: Path) -> None:
    make(tmp_path / "a.mp4")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(VideoError) as caught:
        shrink(tmp_path / "a.mp4", tmp_path / "out.mp4", most_bytes=PLENTY)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_only_h264_in_mp4_may_stay(tmp_path: Path) -> None:
    assert may_stay(makers.write_clip(tmp_path / "a.mp4"))
    assert not may_stay(written(tmp_path / "b.mp4", grey(5), codec="libx265", **{"x265-params": "log-level=none"}))
    assert not may_stay(written(tmp_path / "c.webm", grey(5), codec="libvpx-vp9", form="webm"))
    assert not may_stay(tmp_path / "missing.mp4")


# -- posters ---------------------------------------------------------------------------------------------------------


def test_a_poster_is_the_first_frame_and_small(mini: Path, tmp_path: Path) -> None:
    source = sorted(mini.rglob("*.mp4"))[0]
    size = poster(source, tmp_path / "a.jpg")
    assert size == (tmp_path / "a.jpg").stat().st_size < 30_000
    picture = cv2.imread(str(tmp_path / "a.jpg"))
    assert picture is not None
    assert picture.shape == (270, 480, 3)
    first = cv2.resize(next(frames(source)), (480, 270), interpolation=cv2.INTER_AREA)[:, :, ::-1]
    assert np.abs(picture.astype(int) - first).mean() < 6


def test_a_poster_is_not_enlarged(tmp_path: Path) -> None:
    poster(makers.write_clip(tmp_path / "a.mp4", size=(96, 64)), tmp_path / "a.jpg")
    picture = cv2.imread(str(tmp_path / "a.jpg"))
    assert picture is not None
    assert picture.shape == (64, 96, 3)


def test_a_poster_of_noise_becomes_smaller_until_it_fits(tmp_path: Path) -> None:
    source = written(tmp_path / "a.mp4", noise(3, (640, 480)), crf="4")
    assert poster(source, tmp_path / "a.jpg", most_bytes=9000) <= 9000


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_a_poster_of_nothing_is_one_error_and_leaves_nothing(make: hostile.Make, tmp_path: Path) -> None:
    make(tmp_path / "a.mp4")
    before = sorted(tmp_path.iterdir())
    try:
        poster(tmp_path / "a.mp4", tmp_path / "a.jpg")
        (tmp_path / "a.jpg").unlink()  # its first frame is in order
    except VideoError as error:
        assert str(tmp_path) not in str(error)
    assert sorted(tmp_path.iterdir()) == before
