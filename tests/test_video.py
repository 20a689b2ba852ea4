"""Probing, sampling and writing video, on real files; what cannot be read is refused soon and in one line.

The expected sizes of `smart_resize` are qwen-vl-utils' own answers; see `resize_table.py`.
"""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import av
import cv2
import numpy as np
import pytest

from sparkle_bench import video
from sparkle_bench.errors import SourceError, VideoError
from sparkle_bench.records import Probe
from sparkle_bench.video import Sampling, instants, load_pair, probe, smart_resize
from tests import makers
from tests.resize_table import TABLE, UNUSABLE, Resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")
BOUND = 20.0
"""Seconds within which any file is read or refused."""
SMALL = Sampling(frames=8, max_pixels=96 * 64, factor=32)


def bounded(call: Callable[[], T]) -> T:
    """Return what `call` returns or raises; fail if that takes longer than `BOUND`."""
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(BOUND)
    assert not thread.is_alive(), f"still at it after {BOUND} s"
    if errors:
        raise errors[0]
    return results[0]


def encode(
    path: Path,
    *,
    codec: str = "libx264",
    container: str = "mp4",
    pictures: int = 20,
    size: tuple[int, int] = (96, 64),
    pixels: str = "yuv420p",
    at: Callable[[int], int] | None = None,
    flags: str = "",
) -> Path:
    """Write a video as other programs might, with PyAV alone.

    Args:
        path: The file.
        codec: The encoder's name.
        container: The container's name; its own, whatever the file is called.
        pictures: How many frames.
        size: (width, height).
        pixels: The pixel format.
        at: The time of each frame in milliseconds; 16 frames per second if None.
        flags: `movflags`, such as `faststart`.
    """
    with av.open(str(path), "w", format=container, options={"movflags": flags} if flags else {}) as file:
        stream: Any = file.add_stream(codec, rate=16)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.thread_count = 1  # with several, x264's bytes differ from run to run
        if codec == "libx264":
            stream.options = {"preset": "ultrafast"}
        if at is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        plain = [np.zeros((size[1], size[0], 3), np.uint8)] * pictures
        for number, array in enumerate(plain if size[0] > 2000 else makers.moving_frames(pictures, size)):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            if at is not None:
                frame.pts, frame.time_base = at(number), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips that several tests read."""
    folder = tmp_path_factory.mktemp("clips")
    makers.write_clip(folder / "source.mp4", frames=24)
    makers.write_counting_clip(folder / "counting.mp4", frames=81)
    return folder


@pytest.fixture(scope="module")
def source(clips: Path) -> Path:
    """24 frames of a moving pattern, 96×64, 16 fps."""
    return clips / "source.mp4"


@pytest.fixture(scope="module")
def counting(clips: Path) -> Path:
    """81 grey frames that grow brighter with their index, 96×64, 16 fps."""
    return clips / "counting.mp4"


def levels(clip: video.Clip) -> list[float]:
    """Return the mean brightness of every JPEG of a clip."""
    return [float(picture(part).mean()) for part in clip.parts]


def picture(data: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def refused(path: Path, source: Path) -> str:
    """Check that an edit is refused by every way of reading it, and return the probe's or the decoder's message."""
    with pytest.raises(VideoError) as caught:
        bounded(lambda: load_pair(source, path, SMALL))
    assert type(caught.value) is VideoError
    with pytest.raises(SourceError):
        bounded(lambda: load_pair(path, source, SMALL))
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert str(path.parent) not in message
    return message


# -- probing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "size", "fps"),
    [(1, (96, 64), 16.0), (2, (64, 96), 15.0), (81, (128, 72), 16.0), (30, (2, 2), 30.0), (300, (32, 32), 60.0)],
)
def test_probe_says_what_a_file_holds(tmp_path: Path, frames: int, size: tuple[int, int], fps: float) -> None:
    path = makers.write_clip(tmp_path / "clip.mp4", frames=frames, size=size, fps=fps)
    assert probe(path) == Probe(frames=frames, fps=fps, width=size[0], height=size[1])


def test_all_real_videos_are_read(data: Path) -> None:
    found = sorted(data.rglob("*.mp4"))
    assert len(found) >= 28
    for path in found:
        facts = probe(path)
        assert facts.fps == 16.0, path
        assert facts.frames in {81, 69, 73}, path
        assert facts.width >= 640, path


def test_mp4_with_its_index_at_the_end_is_read(tmp_path: Path) -> None:
    assert probe(encode(tmp_path / "end.mp4")) == Probe(frames=20, fps=16.0, width=96, height=64)


def test_fragmented_mp4_is_read(tmp_path: Path, source: Path) -> None:
    path = encode(tmp_path / "fragments.mp4", flags="frag_keyframe+empty_moov")
    assert probe(path).frames == 20
    assert len(bounded(lambda: load_pair(source, path, SMALL)).after.parts) == 8


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("mpeg4", "yuv420p"),
        ("libx265", "yuv420p"),
        ("libvpx-vp9", "yuv420p"),
        ("libx264", "yuv444p"),
        ("libx264", "yuv420p10le"),
    ],
)
def test_other_codecs_and_pixel_formats_are_read(tmp_path: Path, source: Path, codec: str, pixels: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"left out: PyAV has no {codec} here")
    path = encode(tmp_path / "other.mp4", codec=codec, pixels=pixels)
    assert probe(path) == Probe(frames=20, fps=16.0, width=96, height=64)
    parts = bounded(lambda: load_pair(source, path, SMALL)).after.parts
    assert len({picture(part).tobytes() for part in parts}) == 8


def test_codec_that_the_decoder_lacks_is_refused_with_what_to_do(tmp_path: Path, source: Path) -> None:
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("left out: PyAV has no AV1 encoder here")
    path = encode(tmp_path / "av1.mp4", codec="libsvtav1")
    try:
        pair = bounded(lambda: load_pair(source, path, SMALL))
    except VideoError as error:
        assert "write it again as H.264" in str(error)
    else:
        assert len(pair.after.parts) == 8


def test_coarse_time_base_is_no_variation(tmp_path: Path) -> None:
    path = encode(tmp_path / "coarse.mp4", at=lambda n: round(n * 1000 / 24))
    assert probe(path).fps == pytest.approx(24, rel=0.01)


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", TABLE, ids=lambda c: f"{c.width}x{c.height}/{c.factor} in {c.max_pixels}")
def test_smart_resize_equals_qwen_vl_utils(case: Resize) -> None:
    fitted = smart_resize(
        case.height, case.width, factor=case.factor, min_pixels=case.min_pixels, max_pixels=case.max_pixels
    )
    assert fitted == (case.fitted_height, case.fitted_width)


@pytest.mark.parametrize("case", UNUSABLE, ids=lambda c: f"{c.width}x{c.height}/{c.factor} in {c.max_pixels}")
def test_smart_resize_never_returns_a_side_of_zero(case: Resize) -> None:
    fitted = smart_resize(
        case.height, case.width, factor=case.factor, min_pixels=case.min_pixels, max_pixels=case.max_pixels
    )
    assert fitted == (case.fitted_height or case.factor, case.fitted_width or case.factor)


def test_table_covers_both_models_and_every_branch() -> None:
    assert len(TABLE) > 100
    assert {case.factor for case in TABLE} == {28, 32}
    plain = [c for c in TABLE if c.min_pixels <= c.height * c.width <= c.max_pixels]
    shrunk = [c for c in TABLE if c.height * c.width > 2 * c.max_pixels]
    grown = [c for c in TABLE if c.height * c.width < c.min_pixels / 2]
    assert min(len(plain), len(shrunk), len(grown)) >= 15


@pytest.mark.parametrize(("height", "width"), [(1, 201), (201, 1), (10, 2001)])
def test_smart_resize_refuses_what_is_too_narrow(height: int, width: int) -> None:
    with pytest.raises(VideoError, match="too narrow"):
        smart_resize(height, width, factor=28, max_pixels=100_000)


@pytest.mark.parametrize("factor", [28, 32])
def test_smart_resize_keeps_factor_and_budget(factor: int) -> None:
    rng = random.Random(2)
    for _ in range(3000):
        height, width = rng.randint(1, 4000), rng.randint(1, 4000)
        budget = rng.randint(4 * factor**2, 2_000_000)
        # Beyond this ratio one side is a single factor and the budget cannot be kept; see UNUSABLE.
        if max(height, width) / min(height, width) > min(100, budget / factor**2):
            continue
        fitted = smart_resize(height, width, factor=factor, max_pixels=budget)
        assert fitted[0] % factor == fitted[1] % factor == 0
        assert min(fitted) > 0
        assert math.prod(fitted) <= budget


# -- instants ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        (81, 2, [0, 80]),
        (81, 5, [0, 20, 40, 60, 80]),
        (81, 16, [0, 5, 11, 16, 21, 27, 32, 37, 43, 48, 53, 59, 64, 69, 75, 80]),
        (16, 16, list(range(16))),
        (1, 2, [0, 0]),
        (1, 16, [0] * 16),
        (2, 4, [0, 0, 1, 1]),
    ],
)
def test_instants(total: int, count: int, expected: list[int]) -> None:
    assert instants(total, count) == expected


def test_instants_are_even_and_span_the_clip() -> None:
    for total in range(1, 200):
        for count in (2, 4, 8, 16, 32):
            chosen = instants(total, count)
            assert chosen[0] == 0
            assert chosen[-1] == total - 1
            assert chosen == sorted(chosen)
            assert all(abs(n - k * (total - 1) / (count - 1)) <= 0.5 for k, n in enumerate(chosen))


@pytest.mark.parametrize("frames", [-2, 0, 1, 3, 15])
def test_sampling_of_no_or_odd_frames_is_refused(frames: int) -> None:
    with pytest.raises(VideoError, match="even number"):
        Sampling(frames=frames)


@pytest.mark.parametrize(("factor", "max_pixels", "ok"), [(28, 783, False), (28, 784, True), (32, 1023, False)])
def test_sampling_below_one_patch_is_refused(factor: int, max_pixels: int, ok: bool) -> None:
    if ok:
        assert Sampling(factor=factor, max_pixels=max_pixels).max_pixels == max_pixels
    else:
        with pytest.raises(VideoError, match="below one patch"):
            Sampling(factor=factor, max_pixels=max_pixels)


def test_decoder_names_what_makes_the_pictures() -> None:
    versions = video.decoder()
    assert versions.keys() & {"decord", "decord2"}
    assert "opencv-python-headless" in versions


# -- pairs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "fps", "size"),
    [
        pytest.param(81, 16.0, (96, 64), id="same"),
        pytest.param(81, 15.0, (96, 64), id="15 fps"),
        pytest.param(73, 16.0, (96, 64), id="shorter"),
        pytest.param(33, 8.0, (96, 64), id="half the rate"),
        pytest.param(161, 30.0, (96, 64), id="longer"),
        pytest.param(600, 24.0, (32, 32), id="much longer, several key frames"),
        pytest.param(5, 16.0, (96, 64), id="five frames"),
        pytest.param(81, 16.0, (128, 128), id="another shape"),
        pytest.param(81, 16.0, (64, 96), id="portrait"),
        pytest.param(49, 23.976, (256, 144), id="larger"),
    ],
)
def test_both_clips_are_sampled_at_the_same_normalised_instants(
    tmp_path: Path, counting: Path, frames: int, fps: float, size: tuple[int, int]
) -> None:
    edit = makers.write_counting_clip(tmp_path / "edit.mp4", frames=frames, fps=fps, size=size)
    pair = load_pair(counting, edit, Sampling(frames=16, max_pixels=96 * 64, factor=32))
    assert pair.timing == video.Timing(indices=tuple(instants(81, 16)), fps=16.0, total=81)
    for part, (clip, total) in enumerate([(pair.before, 81), (pair.after, frames)]):
        assert clip.mime == "video/jpeg"
        wanted = [makers.counting_level(index, total) for index in instants(total, 16)]
        assert levels(clip) == pytest.approx(wanted, abs=1.2), part


@pytest.mark.parametrize(
    ("total", "frames", "count"),
    [
        (1, 16, 2),
        (2, 16, 2),
        (3, 16, 2),
        (5, 16, 4),
        (15, 16, 14),
        (16, 16, 16),
        (17, 16, 16),
        (81, 4, 4),
        (81, 80, 80),
    ],
)
def test_short_source_gives_fewer_pictures_always_an_even_number(
    tmp_path: Path, counting: Path, total: int, frames: int, count: int
) -> None:
    source = makers.write_counting_clip(tmp_path / "short.mp4", frames=total)
    pair = load_pair(source, counting, Sampling(frames=frames, max_pixels=96 * 64, factor=32))
    assert pair.timing is not None
    assert pair.timing.total == total
    assert len(pair.before.parts) == len(pair.after.parts) == len(pair.timing.indices) == count
    assert levels(pair.after) == pytest.approx([makers.counting_level(n, 81) for n in instants(81, count)], abs=1.2)


def test_edit_of_a_single_frame_is_shown_as_often_as_the_source(tmp_path: Path, counting: Path) -> None:
    pair = load_pair(counting, makers.write_clip(tmp_path / "one.mp4", frames=1), SMALL)
    assert len(pair.before.parts) == 8
    assert len(set(pair.before.parts)) == 8
    assert len(pair.after.parts) == 8
    assert len(set(pair.after.parts)) == 1


@pytest.mark.parametrize("factor", [28, 32])
@pytest.mark.parametrize(
    "size", [(640, 352), (1280, 720), (90, 160), (400, 16), (32, 18)], ids=lambda s: f"{s[0]}x{s[1]}"
)
def test_pictures_keep_factor_budget_and_shape(
    tmp_path: Path, counting: Path, factor: int, size: tuple[int, int]
) -> None:
    edit = makers.write_clip(tmp_path / "edit.mp4", frames=4, size=size)
    budget = 200 * 200
    pair = load_pair(counting, edit, Sampling(frames=2, max_pixels=budget, factor=factor))
    height, width = picture(pair.after.parts[0]).shape[:2]
    assert (height, width) == smart_resize(size[1], size[0], factor=factor, max_pixels=budget)
    assert height % factor == width % factor == 0
    assert height * width <= budget
    for part in (*pair.before.parts, *pair.after.parts):
        assert part.startswith(b"\xff\xd8")
        assert part.endswith(b"\xff\xd9")


def test_quality_changes_the_bytes_and_sampling_is_repeatable(source: Path) -> None:
    coarse = load_pair(source, source, Sampling(frames=2, max_pixels=96 * 64, quality=30))
    fine = load_pair(source, source, Sampling(frames=2, max_pixels=96 * 64, quality=95))
    assert sum(map(len, coarse.before.parts)) < sum(map(len, fine.before.parts))
    assert fine == load_pair(source, source, Sampling(frames=2, max_pixels=96 * 64, quality=95))
    assert fine.before == fine.after


def test_colours_come_out_as_they_went_in(tmp_path: Path) -> None:
    frames = [np.full((64, 96, 3), (200, 40, 90), np.uint8)] * 4
    video.write(tmp_path / "red.mp4", frames, fps=16)
    pair = load_pair(tmp_path / "red.mp4", tmp_path / "red.mp4", SMALL)
    assert picture(pair.before.parts[0]).mean(axis=(0, 1))[::-1] == pytest.approx((200, 40, 90), abs=6)


def test_whole_files_are_taken_byte_by_byte(source: Path, counting: Path) -> None:
    pair = load_pair(source, counting, None)
    assert pair.before == video.Clip(mime="video/mp4", parts=(source.read_bytes(),))
    assert pair.after == video.Clip(mime="video/mp4", parts=(counting.read_bytes(),))
    assert pair.timing is None


@pytest.mark.parametrize("sampling", [SMALL, None], ids=["frames", "whole files"])
def test_unreadable_source_is_told_from_an_unreadable_edit(
    tmp_path: Path, source: Path, sampling: Sampling | None
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(source.read_bytes()[:500])
    with pytest.raises(SourceError, match="the source is unreadable"):
        load_pair(bad, source, sampling)
    with pytest.raises(SourceError):
        load_pair(bad, bad, sampling)
    with pytest.raises(VideoError) as caught:
        load_pair(source, bad, sampling)
    assert type(caught.value) is VideoError


def test_real_pairs_are_sampled(mini: Path, data: Path) -> None:
    for source in sorted(mini.rglob("*.mp4"))[::3]:
        (edit,) = (data / "submissions" / "sparkle-data").rglob(f"{source.stem}_edited.mp4")
        pair = load_pair(source, edit, Sampling(frames=4))
        assert pair.timing is not None
        assert pair.timing.total in {81, 69, 73}
        assert {picture(part).shape for part in pair.before.parts} == {(352, 640, 3)}
        assert len(set(pair.after.parts)) == 4


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["index first", "index last", "fragments"])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 0.99])
def test_truncated_file_is_refused(tmp_path: Path, source: Path, layout: str, share: float) -> None:
    flags = {"index first": "faststart", "index last": "", "fragments": "frag_keyframe+empty_moov"}[layout]
    whole = encode(tmp_path / "whole.mp4", pictures=81, size=(160, 96), flags=flags)
    content = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: int(len(content) * share)])
    refused(cut, source)


@pytest.mark.parametrize("lost", [1, 2, 5, 40])
def test_file_cut_exactly_between_two_frames_is_refused(tmp_path: Path, source: Path, lost: int) -> None:
    whole = encode(tmp_path / "whole.mp4", pictures=81, flags="faststart")
    with av.open(str(whole)) as container:
        places = sorted(p.pos for p in container.demux(video=0) if p.size and p.pos is not None)
    assert len(places) == 81
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: places[-lost]])
    refused(cut, source)


@pytest.mark.parametrize("flags", ["faststart", ""], ids=["index first", "index last"])
def test_file_that_lacks_its_last_byte_is_refused_or_read_soon(tmp_path: Path, source: Path, flags: str) -> None:
    whole = encode(tmp_path / "whole.mp4", pictures=40, flags=flags).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[:-1])
    try:
        pair = bounded(lambda: load_pair(source, cut, SMALL))
    except VideoError as error:
        assert "cut.mp4" in str(error)
    else:
        assert len(pair.after.parts) == 8


def no_video(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("aac", rate=44100)
        for _ in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 44100
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def no_frames(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=16)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        file.start_encoding()


def no_frames_but_an_index(path: Path) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "empty_moov+frag_custom"}) as file:
        stream: Any = file.add_stream("libx264", rate=16)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        file.start_encoding()


def still(extension: str) -> Callable[[Path], None]:
    """Write a picture under a video's name."""

    def make(path: Path) -> None:
        ok, data = cv2.imencode(extension, np.full((64, 96, 3), 90, np.uint8))
        assert ok
        path.write_bytes(bytes(data))

    return make


def list_of_files(path: Path) -> None:
    makers.write_clip(path.with_name("other.mp4"))
    path.write_text("ffconcat version 1.0\nfile 'other.mp4'\n", encoding="utf-8")


def playlist(path: Path) -> None:
    makers.write_clip(path.with_name("other.mp4"))
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n", encoding="utf-8")


def too_many_frames(path: Path) -> None:
    encode(path, pictures=video.MAX_FRAMES + 1, size=(16, 16))


def too_many_bytes(path: Path) -> None:
    makers.write_clip(path)
    with path.open("rb+") as file:
        file.truncate(video.MAX_BYTES + 1)  # sparse: takes no room on disk


def tall_claim(path: Path) -> None:
    """Write a small clip whose header claims 65,000 × 65,000 pixels."""
    makers.write_clip(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"avc1", content.index(b"stsd")) + 28
    assert content[place : place + 4] == (96).to_bytes(2, "big") + (64).to_bytes(2, "big")
    content[place : place + 4] = (65_000).to_bytes(2, "big") * 2
    path.write_bytes(content)


NOT_A_VIDEO: list[Any] = [
    pytest.param(lambda path: path.write_bytes(b""), "is empty", id="empty"),
    pytest.param(lambda path: path.write_text("hello\n" * 100), "not a readable video", id="text"),
    pytest.param(lambda path: path.write_text("<html>404 Not Found</html>"), "not a readable video", id="web page"),
    pytest.param(lambda path: path.write_bytes(bytes(100_000)), "not a readable video", id="zeros"),
    pytest.param(lambda path: path.write_bytes(random.Random(1).randbytes(99_999)), "not a readable", id="noise"),
    pytest.param(no_video, "no video stream", id="sound alone"),
    pytest.param(no_frames, "no video stream", id="no frames"),
    pytest.param(no_frames_but_an_index, "no ", id="no frames, with an index"),
    pytest.param(still(".png"), "", id="PNG picture"),
    pytest.param(still(".jpg"), "", id="JPEG picture"),
    pytest.param(list_of_files, "", id="list of other files"),
    pytest.param(playlist, "not a readable video", id="playlist"),
    pytest.param(lambda path: path.mkdir(), "is not a file", id="folder"),
    pytest.param(lambda path: None, "is not a file", id="missing"),
    pytest.param(lambda path: path.symlink_to(path), "", id="link to itself"),
    pytest.param(lambda path: os.mkfifo(path), "is not a file", id="pipe"),
]
BEYOND: list[Any] = [
    pytest.param(
        lambda path: encode(path, codec="png", container="mov", pixels="rgb24", pictures=1, size=(5000, 5000)),
        "5000x5000, beyond",
        id="too large",
    ),
    pytest.param(
        lambda path: encode(path, codec="png", container="mov", pixels="rgb24", pictures=1, size=(4002, 20)),
        "4002x20, beyond",
        id="too narrow",
    ),
    pytest.param(too_many_frames, "more than 20000 frames", id="too many frames"),
    pytest.param(too_many_bytes, "at most", id="too many bytes"),
    pytest.param(lambda path: encode(path, at=lambda n: n * n * 10), "variable frame rate", id="ever slower"),
    pytest.param(
        lambda path: encode(path, at=lambda n: n * 62 + (300 if n > 10 else 0)), "variable frame rate", id="one gap"
    ),
    pytest.param(
        lambda path: encode(path, at=lambda n: n * 62 + 25 * (n % 2)), "variable frame rate", id="uneven beat"
    ),
]


@pytest.mark.parametrize(("make", "said"), [*NOT_A_VIDEO, *BEYOND])
def test_bad_file_is_refused_soon_and_in_one_line(
    tmp_path: Path, source: Path, make: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "bad.mp4"
    make(path)
    assert said in refused(path, source)
    with pytest.raises(VideoError):
        bounded(lambda: load_pair(source, path, None))
    with pytest.raises(VideoError) as caught:
        bounded(lambda: probe(path))
    assert said in str(caught.value)


def test_header_that_claims_a_huge_picture_is_refused_or_read_soon(tmp_path: Path, source: Path) -> None:
    path = tmp_path / "claim.mp4"
    tall_claim(path)
    try:
        pair = bounded(lambda: load_pair(source, path, SMALL))
    except VideoError as error:
        assert "claim.mp4" in str(error)
    else:
        assert all(picture(part).size <= 96 * 64 * 3 for part in pair.after.parts)


def test_playlist_asks_nobody(tmp_path: Path, source: Path) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """Notes who asks."""

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/clip.ts"
        for number, text in enumerate(
            [
                f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
                f"ffconcat version 1.0\nfile '{address}'\n",
            ]
        ):
            path = tmp_path / f"{number}.mp4"
            path.write_text(text, encoding="utf-8")
            refused(path, source)
        server.shutdown()
    assert asked == []


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("flips", [1, 20, 400])
def test_flipped_bytes_give_pictures_or_a_video_error(tmp_path: Path, source: Path, flips: int, seed: int) -> None:
    rng = random.Random(1000 * flips + seed)
    path = encode(tmp_path / "bad.mp4", pictures=40, flags="faststart" if seed % 2 else "")
    content = bytearray(path.read_bytes())
    for _ in range(flips):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    try:
        pair = bounded(lambda: load_pair(source, path, SMALL))
    except VideoError as error:
        assert type(error) is VideoError
        assert "\n" not in str(error)
    else:
        assert len(pair.after.parts) == 8
        assert all(picture(part).size for part in pair.after.parts)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_in_the_index_give_pictures_or_a_video_error(tmp_path: Path, source: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = encode(tmp_path / "bad.mp4", pictures=40, flags="faststart")
    content = bytearray(path.read_bytes())
    start, end = content.index(b"moov"), content.index(b"mdat")
    for _ in range(6):
        content[rng.randrange(start, end)] = rng.randrange(256)
    path.write_bytes(content)
    begun = time.monotonic()
    try:
        bounded(lambda: load_pair(source, path, SMALL))
    except VideoError as error:
        assert "bad.mp4" in str(error)
    assert time.monotonic() - begun < BOUND


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [15, 16, 23.976, 24, 29.97, 30])
def test_write_keeps_the_rate(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "clip.mp4"
    video.write(path, makers.moving_frames(25, (96, 64)), fps=fps)
    facts = probe(path)
    assert facts.fps == pytest.approx(fps, rel=1e-4)
    assert (facts.frames, facts.width, facts.height) == (25, 96, 64)


def test_write_makes_h264_in_yuv420p_with_its_index_first(tmp_path: Path) -> None:
    path = makers.write_clip(tmp_path / "clip.mp4")
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_smaller_crf_makes_a_better_picture(tmp_path: Path) -> None:
    frames = list(makers.moving_frames(8, (96, 64)))
    video.write(tmp_path / "fine.mp4", frames, fps=16)
    video.write(tmp_path / "coarse.mp4", frames, fps=16, crf=40)
    errors = {}
    for name in ("fine", "coarse"):
        pair = load_pair(tmp_path / f"{name}.mp4", tmp_path / f"{name}.mp4", Sampling(frames=8, max_pixels=96 * 64))
        shown = [picture(part)[:, :, ::-1].astype(float) for part in pair.before.parts]
        errors[name] = np.mean([np.abs(a - b).mean() for a, b in zip(shown, frames, strict=True)])
    assert errors["fine"] < errors["coarse"]
    assert errors["fine"] < 12


@pytest.mark.parametrize("size", [(95, 64), (96, 63), (1, 1)], ids=["odd width", "odd height", "one pixel"])
def test_write_refuses_an_odd_size(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = [np.zeros((size[1], size[0], 3), np.uint8)] * 3
    with pytest.raises(VideoError, match=f"{size[0]}x{size[1]}; sizes must be even and equal"):
        video.write(tmp_path / "odd.mp4", frames, fps=16)


def test_write_refuses_no_frames_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"no frames to write to none\.mp4"):
        video.write(tmp_path / "none.mp4", [], fps=16)
    assert list(tmp_path.iterdir()) == []


def test_write_refuses_a_changing_size(tmp_path: Path) -> None:
    frames = [np.zeros((64, 96, 3), np.uint8), np.zeros((64, 98, 3), np.uint8)]
    with pytest.raises(VideoError, match=r"frame 1 of grows\.mp4 is 98x64"):
        video.write(tmp_path / "grows.mp4", frames, fps=16)


@pytest.mark.parametrize("fps", [0.0, -1.0])
def test_write_refuses_an_impossible_rate(tmp_path: Path, fps: float) -> None:
    with pytest.raises(VideoError):
        video.write(tmp_path / "rate.mp4", makers.moving_frames(3, (96, 64)), fps=fps)


def test_write_into_a_missing_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"cannot write clip\.mp4") as caught:
        video.write(tmp_path / "nowhere" / "clip.mp4", makers.moving_frames(3, (96, 64)), fps=16)
    assert "\n" not in str(caught.value)


def test_write_takes_frames_one_by_one(tmp_path: Path) -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        for number, frame in enumerate(makers.moving_frames(10, (96, 64))):
            taken.append(number)
            yield frame

    taken: list[int] = []
    video.write(tmp_path / "clip.mp4", frames(), fps=16)
    assert taken == list(range(10))
    assert probe(tmp_path / "clip.mp4").frames == 10
