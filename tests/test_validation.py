"""What is found out about handed-in videos: real and made-up clips spoiled in many ways, and how it is told."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest

from sparkle_bench import video
from sparkle_bench.disk import Hashes, file_sha256
from sparkle_bench.records import Probe, Sample
from sparkle_bench.submission.layout import Layout
from sparkle_bench.submission.manifest import Promise
from sparkle_bench.submission.near import NearMiss
from sparkle_bench.validation import KINDS, STATES, Checked, Finding, How, Report, validate
from sparkle_bench.validation.against import of_size, of_time
from sparkle_bench.video.frames import frames as all_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pictures = list[NDArray[np.uint8]]

FRAMES, FPS = 81, 16.0
ID = "Sparkle_time_000367"


# -- grounds: a source and its edit ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A source and an edit of 81 frames at 16 fps, and their pictures at a handy size.

    Attributes:
        source: The source's file.
        edit: The edit's file.
        before: The source's pictures.
        after: The edit's.
    """

    source: Path
    edit: Path
    before: Pictures = field(repr=False)
    after: Pictures = field(repr=False)

    def sample(self, sample_id: str = ID) -> Sample:
        return a_sample(sample_id, self.source)


def a_sample(sample_id: str, source: Path) -> Sample:
    return Sample(
        id=sample_id, benchmark="sparkle", theme="time", subtheme="dawn", scene="morning mist", instruction="Mist.",
        source=source.name, sha256=file_sha256(source), root=source.parent,
    )  # fmt: skip


def scene(seed: int, count: int = FRAMES, size: tuple[int, int] = (256, 144)) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures of soft blobs of many colours over which a bright square moves."""
    blobs = np.random.default_rng(seed).integers(30, 226, (9, 16, 3)).astype(np.uint8)
    ground = cv2.resize(blobs, size, interpolation=cv2.INTER_CUBIC)
    for number in range(count):
        picture = np.asarray(ground, np.uint8).copy()
        left = 10 + 2 * number
        picture[60:100, left : left + 40] = (250, 240, 200)
        yield picture


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("made-up")
    before, after = list(scene(1)), list(scene(2))
    for name, pictures in (("source.mp4", before), ("edit.mp4", after)):
        video.write(folder / name, pictures, fps=FPS)
    return Ground(source=folder / "source.mp4", edit=folder / "edit.mp4", before=before, after=after)


@pytest.fixture(scope="session")
def real(data: Path) -> Ground:
    source = data / "sparkle-bench-mini" / "source_videos" / "location" / "Sparkle_location_000223.mp4"
    edit = next((data / "submissions" / "sparkle-data").rglob("Sparkle_location_000223_edited.mp4"))
    size = (640, 360)
    return Ground(
        source=source, edit=edit, before=list(all_frames(source, size=size)), after=list(all_frames(edit, size=size))
    )


@pytest.fixture(params=["made-up", "real"])
def ground(request: pytest.FixtureRequest) -> Ground:
    chosen: Ground = request.getfixturevalue("made_up" if request.param == "made-up" else "real")
    return chosen


def write(path: Path, pictures: Sequence[NDArray[np.uint8]], *, fps: float = FPS, crf: int = 23) -> None:
    video.write(path, pictures, fps=fps, crf=crf, preset="ultrafast")


def encode(path: Path, pictures: Sequence[NDArray[np.uint8]], form: str, codec: str, pixels: str, **more: Any) -> None:
    """Write in any container, codec and pixel format; `times` are frames' times in sixteenths of a second."""
    height, width = pictures[0].shape[:2]
    times = more.get("times") or range(len(pictures))
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(16))
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.options = {"preset": "ultrafast"} if codec == "libx264" else {}
        if "key_every" in more:
            stream.gop_size = more["key_every"]
        if "stretch" in more:
            stream.codec_context.sample_aspect_ratio = more["stretch"]
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 16)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def sized(pictures: Pictures, width: int, height: int) -> Pictures:
    return [np.asarray(cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA), np.uint8) for p in pictures]


def side_by_side(ground: Ground) -> Pictures:
    return [np.hstack(pair) for pair in zip(ground.before, ground.after, strict=True)]


def mdat(data: bytes) -> tuple[int, int]:
    """Return where the pictures' bytes begin and end."""
    start = data.index(b"mdat") + 4
    return start, start - 8 + int.from_bytes(data[start - 8 : start - 4], "big")


# -- ways to spoil an edit ---------------------------------------------------------------------------------------------


def handed_in(ground: Ground, path: Path) -> None:
    shutil.copyfile(ground.edit, path)


def at_rate(fps: float) -> Callable[[Ground, Path], None]:
    return lambda ground, path: write(path, ground.after, fps=fps)


def of_frames(count: int, fps: float = FPS) -> Callable[[Ground, Path], None]:
    return lambda ground, path: write(path, list(itertools.islice(itertools.cycle(ground.after), count)), fps=fps)


def every_second(fps: float) -> Callable[[Ground, Path], None]:
    return lambda ground, path: write(path, ground.after[::2], fps=fps)


def at_size(width: int, height: int) -> Callable[[Ground, Path], None]:
    return lambda ground, path: write(path, sized(ground.after, width, height))


def turned(ground: Ground, path: Path) -> None:
    write(path, [np.ascontiguousarray(np.rot90(picture)) for picture in ground.after])


def square(ground: Ground, path: Path) -> None:
    height = ground.after[0].shape[0]
    write(path, [np.ascontiguousarray(picture[:, :height]) for picture in ground.after])


def turned_in_its_header(ground: Ground, path: Path) -> None:
    write(path, ground.after)
    data = path.read_bytes()
    matrix = data.index(b"tkhd") + 44
    quarter = b"".join(
        number.to_bytes(4, "big") for number in (0, 1 << 16, 0, (1 << 32) - (1 << 16), 0, 0, 0, 0, 1 << 30)
    )
    path.write_bytes(data[:matrix] + quarter + data[matrix + 36 :])


def stretched_pixels(ground: Ground, path: Path) -> None:
    encode(path, ground.after, "mp4", "libx264", "yuv420p", stretch=Fraction(4, 3))


def source_copied(ground: Ground, path: Path) -> None:
    shutil.copyfile(ground.source, path)


def source_again(
    *, crf: int = 30, size: tuple[int, int] | None = None, step: int = 1
) -> Callable[[Ground, Path], None]:
    def spoil(ground: Ground, path: Path) -> None:
        pictures = ground.before[::step]
        write(path, pictures if size is None else sized(pictures, *size), fps=FPS / step, crf=crf)

    return spoil


def source_cut(ground: Ground, path: Path) -> None:
    margin = ground.before[0].shape[0] // 32 // 2 * 2
    write(path, [np.ascontiguousarray(picture[margin:-margin]) for picture in ground.before])


def source_recoloured(ground: Ground, path: Path) -> None:
    write(path, [np.clip(p * np.array([1.25, 1.0, 0.7]), 0, 255).astype(np.uint8) for p in ground.before])


def source_mirrored(ground: Ground, path: Path) -> None:
    write(path, [np.ascontiguousarray(p[:, ::-1]) for p in ground.before])


def source_only_at_first(ground: Ground, path: Path) -> None:
    write(path, ground.before[:4] + ground.after[4:])


def middle_kept(ground: Ground, path: Path) -> None:
    third = ground.before[0].shape[1] // 3
    pictures = [picture.copy() for picture in ground.after]
    for picture, source in zip(pictures, ground.before, strict=True):
        picture[:, third:-third] = source[:, third:-third]
    write(path, pictures)


def concat(ground: Ground, path: Path) -> None:
    write(path, side_by_side(ground))


def concat_turned_round(ground: Ground, path: Path) -> None:
    write(path, [np.hstack(pair) for pair in zip(ground.after, ground.before, strict=True)])


def squeezed(ground: Ground, path: Path) -> None:
    height, width = ground.after[0].shape[:2]
    write(path, sized(side_by_side(ground), width, height))


def stacked(ground: Ground, path: Path) -> None:
    height, width = ground.after[0].shape[:2]
    write(path, sized([np.vstack(pair) for pair in zip(ground.before, ground.after, strict=True)], width, height))


def mask_beside(ground: Ground, path: Path) -> None:
    write(path, [np.hstack([np.full_like(picture, 90), picture]) for picture in ground.after])


def black(ground: Ground, path: Path) -> None:
    write(path, [np.zeros_like(picture) for picture in ground.after])


def frozen(ground: Ground, path: Path) -> None:
    write(path, [ground.after[20]] * FRAMES)


def empty(_: Ground, path: Path) -> None:
    path.write_bytes(b"")


def text(_: Ground, path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234\n", encoding="ascii")


def sound_alone(_: Ground, path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def cut_off(ground: Ground, path: Path) -> None:
    write(path, ground.after)  # its index stands first, as in most files for the web
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def cut_off_before_its_index(ground: Ground, path: Path) -> None:
    encode(path, ground.after, "mp4", "libx264", "yuv420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def cut_off_webm(ground: Ground, path: Path) -> None:
    encode(path, ground.after[:4], "webm", "libvpx-vp9", "yuv420p")
    path.write_bytes(path.read_bytes()[:78])  # FFmpeg calls this an error of input and output


def variable_rate(ground: Ground, path: Path) -> None:
    encode(path, ground.after, "mp4", "libx264", "yuv420p", times=[n + (5 if n > 40 else 0) for n in range(FRAMES)])


def huge(_: Ground, path: Path) -> None:
    encode(path, [np.zeros((4098, 4100, 3), np.uint8)] * 2, "mp4", "libx264", "yuv420p")


def ribbon(_: Ground, path: Path) -> None:
    encode(path, [np.zeros((16, 3300, 3), np.uint8)] * 4, "mp4", "mpeg4", "yuv420p")


def flipped(place: float, count: int) -> Callable[[Ground, Path], None]:
    """Flip bytes of the largest picture well after the first, from a share of its length on."""

    def spoil(ground: Ground, path: Path) -> None:
        noise = np.random.default_rng(0)  # so that pictures have a length in which bytes can be flipped
        write(path, [picture // 2 + noise.integers(0, 100, picture.shape, np.uint8) for picture in ground.after])
        with av.open(str(path)) as container:
            packets = itertools.islice(container.demux(video=0), 20, 60)
            at, size = max(((int(p.pos or 0), p.size) for p in packets), key=lambda packet: packet[1])
        data = bytearray(path.read_bytes())
        for number in range(count):
            data[at + int(place * size) + number] ^= 0x55
        path.write_bytes(data)

    return spoil


def all_pictures_lost(ground: Ground, path: Path) -> None:
    write(path, ground.after)
    data = bytearray(path.read_bytes())
    start, end = mdat(bytes(data))
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def as_mpeg4(ground: Ground, path: Path) -> None:
    encode(path, ground.after, "mp4", "mpeg4", "yuv420p")


def in_full_colour(ground: Ground, path: Path) -> None:
    encode(path, ground.after, "mp4", "libx264", "yuv444p")


def in_matroska(ground: Ground, path: Path) -> None:
    encode(path, ground.after, "matroska", "libx264", "yuv420p")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to spoil an edit, and what is to be found out.

    Attributes:
        make: Writes the file.
        state: The state it leads to.
        kinds: All kinds of findings but another size; at least one of them if there are alternatives.
        said: Part of what is said about the first of them.
        deep: Whether all frames are decoded.
    """

    make: Callable[[Ground, Path], None]
    state: str
    kinds: tuple[str, ...] = ()
    said: str = ""
    deep: bool = False


CASES: dict[str, Case] = {
    "the edit itself": Case(make=handed_in, state="fine"),
    "the edit itself, deep": Case(make=handed_in, state="fine", deep=True),
    # frames and rate
    "at 15 fps": Case(make=at_rate(15), state="fine", kinds=("near_rate",), said="15 instead of 16 fps"),
    "at 15.98 fps": Case(make=at_rate(15.98), state="fine"),
    "one frame fewer": Case(make=of_frames(80), state="fine"),
    "three frames fewer": Case(make=of_frames(78), state="fine", kinds=("few_frames_off",), said="78 frames, 3 fewer"),
    "three frames more": Case(make=of_frames(84), state="fine", kinds=("few_frames_off",), said="84 frames, 3 more"),
    "at 24 fps": Case(
        make=at_rate(24), state="odd", kinds=("other_rate",),
        said="81 frames as the source, but at 24 instead of 16 fps: it plays 1.5 times as fast",
    ),
    "at 8 fps": Case(make=at_rate(8), state="odd", kinds=("other_rate",), said="it plays 0.5 times as fast"),
    "every second frame at 8 fps": Case(
        make=every_second(8), state="odd", kinds=("retimed",),
        said="41 frames at 8 fps over about the same 5.1 s as the source's 81 frames at 16 fps, a frame for every 1.98",
    ),
    "every second frame at 16 fps": Case(
        make=every_second(16), state="odd", kinds=("shorter",), said="41 frames (2.6 s) for 81 (5.1 s)"
    ),
    "121 frames": Case(make=of_frames(121), state="odd", kinds=("longer",), said="121 frames (7.6 s) for 81 (5.1 s)"),
    "162 frames at 32 fps": Case(make=of_frames(162, 32), state="odd", kinds=("retimed",), said="for every 0.5 of"),
    "49 frames at 15 fps": Case(
        make=of_frames(49, 15), state="odd", kinds=("shorter", "near_rate"), said="49 frames (3.3 s)"
    ),
    "33 frames at 24 fps": Case(
        make=of_frames(33, 24), state="odd", kinds=("other_time",), said="33 frames at 24 fps (1.4 s) for the source's"
    ),
    # size and aspect
    "832x480": Case(make=at_size(832, 480), state="fine"),
    "640x352, cut to multiples of 32": Case(make=at_size(640, 352), state="fine"),
    "768x448": Case(make=at_size(768, 448), state="fine"),
    "cropped to a square": Case(make=square, state="odd", kinds=("aspect",), said="1.78 times as high for its width"),
    "3:2": Case(make=at_size(720, 480), state="odd", kinds=("aspect",), said="so it was cropped or stretched"),
    "turned": Case(make=turned, state="odd", kinds=("turned",), said="turned by a quarter"),
    "turned in its header": Case(
        make=turned_in_its_header, state="odd", kinds=("turned",), said="its header has players turn the picture by"
    ),
    "pixels that are not square": Case(make=stretched_pixels, state="odd", kinds=("aspect",), said="1.33 times as wide"),
    # the source again
    "the source's file": Case(make=source_copied, state="odd", kinds=("source_again",), said="very file of the source"),
    "the source at crf 30": Case(make=source_again(), state="odd", kinds=("source_again",), said="encoded anew"),
    "the source at crf 35": Case(make=source_again(crf=35), state="odd", kinds=("source_again",), said="encoded anew"),
    "the source at 832x480": Case(
        make=source_again(size=(832, 480)), state="odd", kinds=("source_again",), said="encoded anew"
    ),
    "the source, every second frame": Case(make=source_again(step=2), state="odd", kinds=("source_again", "retimed")),
    "the source, cut": Case(make=source_cut, state="odd", kinds=("source_again",)),
    "the source in other colours": Case(make=source_recoloured, state="fine"),
    "the source, mirrored": Case(make=source_mirrored, state="fine"),
    "the source in the first frames alone": Case(make=source_only_at_first, state="fine"),
    "the source's middle third, another background": Case(make=middle_kept, state="fine"),
    # several pictures in one
    "source | edit": Case(make=concat, state="odd", kinds=("composite", "aspect"), said="the left half is the source"),
    "edit | source": Case(
        make=concat_turned_round, state="odd", kinds=("composite", "aspect"), said="the right half is the source"
    ),
    "source | edit, squeezed": Case(
        make=squeezed, state="odd", kinds=("composite",), said="two pictures side by side, of which the left half"
    ),
    "source over edit, squeezed": Case(make=stacked, state="odd", kinds=("composite",), said="the upper half is"),
    "mask | edit": Case(make=mask_beside, state="odd", kinds=("aspect",), said="as two pictures side by side are"),
    # nothing to see
    "black": Case(make=black, state="odd", kinds=("black",), said="one plain colour"),
    "black, deep": Case(make=black, state="odd", kinds=("black",), said="one plain colour", deep=True),
    "frozen": Case(make=frozen, state="fine"),
    "frozen, deep": Case(make=frozen, state="odd", kinds=("frozen",), said="every frame shows the same", deep=True),
    # files that cannot be judged
    "empty": Case(make=empty, state="unusable", kinds=("unreadable",), said="is empty"),
    "text": Case(make=text, state="unusable", kinds=("unreadable",), said="is not a readable video"),
    "sound alone": Case(make=sound_alone, state="unusable", kinds=("unreadable",), said="has no video stream"),
    "cut off": Case(make=cut_off, state="unusable", kinds=("truncated",), said="is truncated"),
    "cut off before its index": Case(
        make=cut_off_before_its_index, state="unusable", kinds=("truncated",), said="before the index that stands"
    ),
    "a WebM, cut off": Case(
        make=cut_off_webm, state="unusable", kinds=("unreadable",), said="it breaks off or is damaged"
    ),
    "variable rate": Case(
        make=variable_rate, state="unusable", kinds=("variable_rate",), said="write it again at a constant rate"
    ),
    "huge pictures": Case(make=huge, state="unusable", kinds=("beyond_limits",), said="4100x4098, beyond what is read"),
    "a ribbon": Case(make=ribbon, state="unusable", kinds=("beyond_limits",), said="3300x16, beyond what is read"),
    "all pictures lost": Case(make=all_pictures_lost, state="unusable", kinds=("undecodable",), said="be decoded"),
"flipped bytes": Case(make=flipped(0.5, 8), state="fine"),
    "flipped bytes, deep": Case(
        make=flipped(0.5, 8), state="odd", kinds=("damaged",), said="frame is damaged, the first of them number", deep=True
    ),
    "a lost length": Case(make=flipped(0.0, 4), state="fine"),
    "a lost length, deep": Case(
        make=flipped(0.0, 4), state="unusable", kinds=("undecodable",), said="cannot be decoded after frame", deep=True
    ),
    # what browsers play
    "MPEG-4": Case(make=as_mpeg4, state="fine", kinds=("not_browser",), said="mpeg4 in yuv420p and mp4: not every"),
    "4:4:4": Case(make=in_full_colour, state="fine", kinds=("not_browser",), said="h264 in yuv444p"),
    "Matroska": Case(make=in_matroska, state="fine", kinds=("not_browser",), said="and matroska"),
}  # fmt: skip


def look(ground: Ground, path: Path, *, deep: bool = False, promise: Promise | None = None) -> Checked:
    """Validate one file as the edit of one sample."""
    promised = {} if promise is None else {ID: promise}
    layout = Layout(base=path.parent, kind="flat", videos={ID: path}, promised=promised)
    (row,) = validate(layout, [ground.sample()], How(deep=deep, workers=1)).rows
    return row


def kinds(row: Checked) -> tuple[str, ...]:
    return tuple(finding.kind for finding in row.findings if finding.kind != "other_size")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_spoiled_edit_is_told_apart(case: Case, ground: Ground, tmp_path: Path) -> None:
    path = tmp_path / f"{ID}_edited.mp4"
    case.make(ground, path)
    row = look(ground, path, deep=case.deep)
    assert (row.state, kinds(row)) == (case.state, case.kinds), row.findings
    if case.said:
        assert case.said in next(finding.text for finding in row.findings if finding.kind == case.kinds[0])
    assert row.usable == (case.state in ("fine", "odd"))
    assert row.size == path.stat().st_size
    assert row.file == path.name
    assert (row.probe is None) == (case.state == "unusable" and case.kinds != ("undecodable",))
    assert row.sha256 == (file_sha256(path) if row.size else None)


def test_every_finding_about_a_clip_has_a_case() -> None:
    shown = {kind for case in CASES.values() for kind in case.kinds}
    elsewhere = {
        "machine", "changed", "near_miss", "missing", "same_bytes", "size_changes", "no_source", "other_size",
    }  # fmt: skip
    assert shown | elsewhere == set(KINDS)
    assert shown & elsewhere == set()


# -- one sample, otherwise -----------------------------------------------------------------------------------------------


def two_sizes(ground: Ground, path: Path) -> None:
    with av.open(str(path), "w", format="avi") as container:
        stream: Any = container.add_stream("mpeg4", rate=Fraction(16))
        other: Any = av.CodecContext.create("mpeg4", "w")
        other.framerate, other.time_base = Fraction(16), Fraction(1, 16)
        for codec, pictures in ((stream, ground.after[:40]), (other, sized(ground.after[40:], 320, 180))):
            codec.height, codec.width = pictures[0].shape[:2]
            codec.pix_fmt = "yuv420p"
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number + (40 if codec is other else 0), Fraction(1, 16)
                for packet in codec.encode(frame):
                    packet.stream = stream
                    container.mux(packet)


def without_its_first_key_frame(ground: Ground, path: Path) -> None:
    whole = path.with_suffix(".whole")
    encode(whole, ground.after, "mp4", "libx264", "yuv420p", key_every=20)
    with av.open(str(whole)) as old, av.open(str(path), "w", format="mp4") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if number > 0 and packet.size:
                packet.stream = stream
                new.mux(packet)


def test_pictures_that_change_their_size_are_seen_when_all_are_decoded(made_up: Ground, tmp_path: Path) -> None:
    path = tmp_path / "edit.mp4"
    two_sizes(made_up, path)
    assert kinds(look(made_up, path)) == ("not_browser",)
    row = look(made_up, path, deep=True)
    assert (row.state, kinds(row)) == ("unusable", ("size_changes", "not_browser"))
    assert "changes from 256x144 to 320x180 at frame 40" in row.findings[0].text


def test_frames_that_never_come_out_are_counted_when_all_are_decoded(made_up: Ground, tmp_path: Path) -> None:
    path = tmp_path / "edit.mp4"
    without_its_first_key_frame(made_up, path)
    row = look(made_up, path, deep=True)
    assert row.state == "unusable"
    assert "it holds 80 frames, but only " in row.findings[0].text


def test_a_still_edit_of_a_still_source_is_as_it_should_be(made_up: Ground, tmp_path: Path) -> None:
    write(tmp_path / "source.mp4", [made_up.before[0]] * FRAMES)
    write(tmp_path / "edit.mp4", [made_up.after[0]] * FRAMES)
    still = dataclasses.replace(made_up, source=tmp_path / "source.mp4")
    assert look(still, tmp_path / "edit.mp4", deep=True).findings == ()


def test_a_source_that_begins_black_is_known_again_by_its_middle(made_up: Ground, tmp_path: Path) -> None:
    dark = [np.zeros_like(made_up.before[0])] * 3
    write(tmp_path / "source.mp4", dark + made_up.before[3:])
    write(tmp_path / "again.mp4", dark + made_up.before[3:], crf=28)
    write(tmp_path / "edit.mp4", dark + made_up.after[3:])
    ground = dataclasses.replace(made_up, source=tmp_path / "source.mp4")
    assert kinds(look(ground, tmp_path / "again.mp4")) == ("source_again",)
    assert kinds(look(ground, tmp_path / "edit.mp4")) == ()


@pytest.mark.parametrize("spoil", [empty, text, all_pictures_lost], ids=["empty", "text", "no picture"])
def test_a_source_that_cannot_be_read_is_not_the_edits_fault(
    spoil: Callable[[Ground, Path], None], made_up: Ground, tmp_path: Path
) -> None:
    spoil(made_up, tmp_path / "source.mp4")
    row = look(dataclasses.replace(made_up, source=tmp_path / "source.mp4"), made_up.edit)
    assert (row.state, kinds(row)) == ("odd", ("no_source",))
    assert row.probe is not None


def test_a_source_encoded_anew_and_broken_off_by_its_middle_cannot_be_decoded(made_up: Ground, tmp_path: Path) -> None:
    path = tmp_path / "edit.mp4"
    encode(path, made_up.before, "mp4", "libx264", "yuv420p", key_every=1)
    with av.open(str(path)) as container:
        places = [(int(p.pos or 0), p.size) for p in container.demux(video=0)][20:30]
    data = bytearray(path.read_bytes())
    for at, size in places:
        data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    assert kinds(look(made_up, path)) == ("undecodable",)


PROMISES: dict[str, tuple[Callable[[Path], Promise], str]] = {
    "nothing": (lambda _: Promise(), ""),
    "what is there": (lambda p: Promise(sha256=file_sha256(p), bytes=p.stat().st_size), ""),
    "another size": (lambda p: Promise(sha256=file_sha256(p), bytes=10), "lists 10 bytes, and the file has"),
    "another hash": (lambda p: Promise(sha256="0" * 64), "(another sha256)"),
}


@pytest.mark.parametrize(("promise", "said"), PROMISES.values(), ids=PROMISES)
def test_a_file_is_what_its_manifest_promises(promise: Callable[[Path], Promise], said: str, made_up: Ground) -> None:
    row = look(made_up, made_up.edit, promise=promise(made_up.edit))
    if said:
        assert (row.state, kinds(row)) == ("unusable", ("changed",))
        assert said in row.findings[0].text
    else:
        assert (row.state, kinds(row)) == ("fine", ())


def test_a_copy_that_broke_off_is_cut_off_and_not_what_was_promised(made_up: Ground, tmp_path: Path) -> None:
    path = tmp_path / "edit.mp4"
    cut_off(made_up, path)
    row = look(made_up, path, promise=Promise(bytes=10**6))
    assert (row.state, kinds(row)) == ("unusable", ("truncated", "changed"))


def test_a_machine_without_free_files_is_not_the_videos_fault(made_up: Ground) -> None:
    layout = Layout(base=made_up.edit.parent, kind="flat", videos={ID: made_up.edit})
    sample = made_up.sample()
    validate(layout, [sample])  # all modules are loaded
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[Any] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, soft), hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(made_up.edit.open("rb"))
        (row,) = validate(layout, [sample], How(workers=1)).rows
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for file in held:
            file.close()
    assert (row.state, kinds(row), row.usable) == ("unread", ("machine",), False)
    assert "Too many open files" in row.findings[0].text


def test_a_name_that_speaks_of_trouble_is_not_believed(made_up: Ground, tmp_path: Path) -> None:
    path = tmp_path / "a variable frame rate, truncated.mp4"
    path.write_bytes(b"rubbish")
    assert kinds(look(made_up, path)) == ("unreadable",)


def test_a_name_that_is_no_text_breaks_nothing(made_up: Ground, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.mp4")
    shutil.copyfile(made_up.edit, path)
    json.dumps(look(made_up, path).to_data(), ensure_ascii=False).encode()


def test_a_file_that_went_away_is_on_record(made_up: Ground, tmp_path: Path) -> None:
    row = look(made_up, tmp_path / "gone.mp4")
    assert (row.state, kinds(row)) == ("unusable", ("unreadable",))
    assert row.probe is None


def test_rubbish_ends_in_a_record(made_up: Ground, tmp_path: Path) -> None:
    whole = made_up.edit.read_bytes()
    chance = random.Random(0)
    seen = set()
    for number in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 20, 400))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(data[: chance.choice((len(data), len(data), chance.randrange(len(data))))])
        seen.add(look(made_up, path, deep=number % 2 == 0).state)
    assert {"unusable", "fine"} <= seen <= {"unusable", "odd", "fine"}


# -- many samples ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(made_up: Ground, tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, list[Sample]]:
    """Seven samples: fine, its twin, cut off, absent, nearly named, fine, and one that is another's source."""
    folder = tmp_path_factory.mktemp("many")
    samples = [a_sample(f"Sparkle_time_{number:06d}", made_up.source) for number in range(1, 7)]
    write(folder / "other-source.mp4", list(scene(3)))
    samples.append(a_sample("Sparkle_time_000007", folder / "other-source.mp4"))
    base = folder / "handed-in"
    base.mkdir()
    videos = {sample.id: base / f"{sample.id}_edited.mp4" for sample in samples if sample.id[-1] not in "45"}
    for number in (1, 2):
        shutil.copyfile(made_up.edit, videos[samples[number - 1].id])
    cut_off(made_up, videos[samples[2].id])
    write(videos[samples[5].id], made_up.after, crf=20)
    shutil.copyfile(made_up.source, videos[samples[6].id])
    near = NearMiss(
        sample_id=samples[4].id, path="Sparkle_time_5.mp4", place=f"{samples[4].id}_edited.mp4",
        why="writes the id otherwise", sure=True,
    )  # fmt: skip
    extra = ("Sparkle_time_000001_concat.mp4", "holiday.mp4")
    return Layout(base=base, kind="flat", videos=videos, near=(near,), extra=extra), samples


def test_the_worst_stands_first_and_each_sample_has_its_row(many: tuple[Layout, list[Sample]]) -> None:
    layout, samples = many
    report = validate(layout, samples)
    told = [(row.sample_id[-1], row.state, kinds(row)) for row in report.rows]
    assert told == [
        ("3", "unusable", ("truncated",)),
        ("5", "missing", ("near_miss",)),
        ("4", "missing", ("missing",)),
        ("7", "odd", ("source_again",)),
        ("1", "odd", ("same_bytes",)),
        ("2", "odd", ("same_bytes",)),
        ("6", "fine", ()),
    ]
    assert report.counts == {"unread": 0, "unusable": 1, "missing": 2, "odd": 3, "fine": 1}
    assert (report.complete, report.usable) == (False, True)
    texts = {row.sample_id[-1]: row.findings[0].text for row in report.rows if row.findings}
    assert texts["1"] == "the same file as Sparkle_time_000002"
    assert texts["4"] == "there is no Sparkle_time_000004_edited.mp4"
    assert texts["5"] == "Sparkle_time_5.mp4 should be Sparkle_time_000005_edited.mp4: writes the id otherwise"
    assert texts["7"] == "the very file of another sample's source, Sparkle_time_000001"


def test_one_worker_and_many_find_out_the_same(many: tuple[Layout, list[Sample]]) -> None:
    layout, samples = many
    begun: list[int] = []
    records: list[Checked] = []
    one = validate(layout, samples, How(workers=1))
    six = validate(layout, samples, How(workers=6, on_start=begun.append, on_record=records.append))
    assert one == six
    assert begun == [7]
    assert sorted(row.sample_id for row in records) == [sample.id for sample in samples]


def test_what_is_usable_is_complete(many: tuple[Layout, list[Sample]]) -> None:
    layout, samples = many
    good = validate(layout, [samples[0], samples[5]])
    assert (good.complete, good.usable) == (True, True)
    assert good.near == ()
    bad = validate(layout, samples[2:5])
    assert (bad.complete, bad.usable) == (False, False)
    assert not validate(layout, []).complete


def test_a_report_is_data_without_a_path_of_this_machine(many: tuple[Layout, list[Sample]]) -> None:
    layout, samples = many
    data = json.loads(json.dumps(validate(layout, samples, How(deep=True)).to_data()))
    assert str(layout.base) not in json.dumps(data)
    assert data["of"] == 7
    assert data["counts"]["missing"] == 2
    assert data["kinds"]["same_bytes"] == 2
    assert data["near"][0]["place"] == "Sparkle_time_000005_edited.mp4"
    assert data["extra"] == ["Sparkle_time_000001_concat.mp4", "holiday.mp4"]
    fine = data["samples"][-1]
    assert (fine["state"], fine["frames"], fine["fps"], fine["width"]) == ("fine", 81, 16.0, 256)
    assert fine["file"] == "Sparkle_time_000006_edited.mp4"
    assert len(fine["sha256"]) == 64


def test_a_file_outside_the_folder_is_told_by_its_name_alone(made_up: Ground, tmp_path: Path) -> None:
    layout = Layout(base=tmp_path, kind="manifest", videos={ID: made_up.edit})
    (row,) = validate(layout, [made_up.sample()]).rows
    assert row.file == "edit.mp4"


def test_a_manifest_without_a_row_or_a_file_is_told_so(made_up: Ground, tmp_path: Path) -> None:
    samples = [made_up.sample("first"), made_up.sample("second")]
    layout = Layout(base=tmp_path, kind="manifest", videos={}, absent={"second": "clips/b.mp4"})
    texts = [row.findings[0].text for row in validate(layout, samples).rows]
    assert texts == ["the manifest has no row of it", "the manifest names clips/b.mp4, where there is no file"]


def test_a_thousand_near_misses_of_one_sample_are_counted(made_up: Ground, tmp_path: Path) -> None:
    near = tuple(
        NearMiss(sample_id=ID, path=f"{n}.mp4", place=f"{ID}_edited.mp4", why="has a part", sure=False)
        for n in range(1000)
    )
    layout = Layout(base=tmp_path, kind="flat", videos={}, near=near)
    (row,) = validate(layout, [made_up.sample()]).rows
    assert len(row.findings) == 4
    assert row.findings[-1].text == "and 997 more files look like it"


def test_hashes_are_taken_from_what_is_remembered(many: tuple[Layout, list[Sample]]) -> None:
    layout, samples = many
    asked: list[Path] = []

    class Counting(Hashes):
        def of(self, path: Path) -> str:
            asked.append(path)
            return super().of(path)

    validate(layout, samples, How(hashes=Counting()))
    assert sorted(asked) == sorted(layout.videos.values())


# -- the table -----------------------------------------------------------------------------------------------------------


def a_row(sample_id: str, kind: str, text: str, file: str | None = None) -> Checked:
    return Checked(sample_id=sample_id, file=file, findings=(Finding(kind=kind, text=text),))


def test_the_table_has_columns_and_sums(many: tuple[Layout, list[Sample]]) -> None:
    lines = list(validate(*many).lines())
    assert lines[0].split() == ["sample", "state", "file", "what", "was", "found"]
    column = lines[0].index("what")
    assert all(line[:column].endswith("  ") for line in lines[1:7])
    assert lines[1].startswith("Sparkle_time_000003  unusable  Sparkle_time_000003_edited.mp4  is truncated")
    assert "7 samples: 1 unusable, 2 missing, 3 odd, 1 fine" in lines
    assert "      2  one file for several samples" in lines
    assert lines[-2] == "1 film for comparison (…_concat.mp4) is left alone"
    assert lines[-1] == "1 other video is left alone: holiday.mp4"
    assert not any("000006" in line for line in lines)


def test_only_the_worst_are_shown(many: tuple[Layout, list[Sample]]) -> None:
    report = validate(*many)
    short = list(report.lines(2))
    assert "… and 4 more" in short
    assert not any("Sparkle_time_000001 " in line for line in short)
    assert len(list(report.lines(None))) > len(short)


def test_long_and_hostile_names_do_not_break_the_table() -> None:
    steering = "\x1b[2J\x1b]0;title\x07‮.mp4"
    rows = (
        a_row("Sparkle_" + "x" * 300, "truncated", "word " * 200, file="deep/" * 60 + "edit.mp4"),
        a_row("名前" * 30, "unreadable", steering + "\nsecond line", file=steering),
        a_row("c", "aspect", "y" * 500, file="\udcff.mp4"),
    )
    report = Report(rows=rows, extra=(steering, "\udcff.mp4"))
    lines = list(report.lines())
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 120
    assert len(lines) < 30
    assert "\\x1b[2J" in "\n".join(lines)
    json.dumps(report.to_data(), ensure_ascii=False).encode()


def test_nothing_to_complain_of_is_said_in_one_line() -> None:
    rows = tuple(Checked(sample_id=str(number)) for number in range(458))
    assert list(Report(rows=rows).lines()) == ["458 samples: 458 fine"]


def test_a_finding_has_a_known_kind_and_every_kind_a_known_state() -> None:
    with pytest.raises(ValueError, match="no kind of finding is called nonsense"):
        Finding(kind="nonsense", text="")
    states = [STATES.index(state) for state, _ in KINDS.values()]
    assert states == sorted(states)


# -- frames, rates and sizes, by numbers -----------------------------------------------------------------------------------


def a_probe(frames: int = 81, fps: float = 16.0, width: int = 1280, height: int = 720) -> Probe:
    return Probe(frames=frames, fps=fps, width=width, height=height)


TIMES: dict[str, tuple[Probe, Probe, tuple[str, ...]]] = {
    "the same": (a_probe(), a_probe(), ()),
    "15.984 for 16": (a_probe(), a_probe(fps=15.984), ()),
    "23.976 for 24": (a_probe(fps=24), a_probe(fps=23.976), ()),
    "the authors' rate": (a_probe(69), a_probe(69, 15), ("near_rate",)),
    "80 floored to 77": (a_probe(80), a_probe(77), ("few_frames_off",)),
    "80 floored to 77 at the authors' rate": (a_probe(80), a_probe(77, 15), ("few_frames_off", "near_rate")),
    "four fewer": (a_probe(81), a_probe(77), ("shorter",)),
    "half the rate, all frames": (a_probe(), a_probe(fps=8), ("other_rate",)),
    "30 for 16": (a_probe(), a_probe(152, 30), ("retimed",)),
    "33 at 7": (a_probe(), a_probe(33, 7), ("other_time",)),
    "41 at 8": (a_probe(), a_probe(41, 8), ("retimed",)),
    "49 at 8": (a_probe(), a_probe(49, 8), ("other_time",)),
    "124 at 24": (a_probe(), a_probe(124, 24), ("retimed",)),
    "the first 49": (a_probe(), a_probe(49), ("shorter",)),
    "one frame": (a_probe(), a_probe(1, 16), ("shorter",)),
    "twice": (a_probe(), a_probe(162), ("longer",)),
    "75 at 15": (a_probe(), a_probe(75, 15), ("retimed",)),
    "60 at 15": (a_probe(), a_probe(60, 15), ("shorter", "near_rate")),
    "a header's nonsense": (a_probe(), a_probe(81, 90000), ("other_rate",)),
    "hardly a rate": (a_probe(), a_probe(81, 0.001), ("other_rate",)),
}


@pytest.mark.parametrize(("source", "edit", "found"), TIMES.values(), ids=TIMES)
def test_frames_and_rate_against_the_source(source: Probe, edit: Probe, found: tuple[str, ...]) -> None:
    assert tuple(finding.kind for finding in of_time(source, edit)) == found


SIZES: dict[str, tuple[tuple[int, int], tuple[int, int], str | None]] = {
    "the same": ((1280, 720), (1280, 720), None),
    "the authors' size": ((1280, 720), (1280, 704), "other_size"),
    "rounded up": ((1280, 720), (1280, 736), "other_size"),
    "480p": ((1280, 720), (832, 480), "other_size"),
    "854x480": ((1280, 720), (854, 480), "other_size"),
    "768x448": ((1280, 720), (768, 448), "other_size"),
    "small": ((1280, 720), (320, 176), "other_size"),
    "twice": ((1280, 720), (2560, 1440), "other_size"),
    "full HD to the authors' size": ((1920, 1080), (1280, 704), "other_size"),
    "square": ((1024, 1024), (960, 960), "other_size"),
    "3:2": ((1280, 720), (720, 480), "aspect"),
    "4:3": ((1280, 720), (960, 720), "aspect"),
    "a band": ((1280, 720), (1280, 640), "aspect"),
    "1280x690, a multiple of nothing": ((1280, 720), (1280, 690), "aspect"),
    "portrait": ((1280, 720), (704, 1280), "turned"),
    "landscape": ((720, 1280), (1280, 720), "turned"),
    "side by side": ((1280, 720), (2560, 704), "aspect"),
    "above each other": ((832, 480), (832, 960), "aspect"),
}


@pytest.mark.parametrize(("source", "edit", "found"), SIZES.values(), ids=SIZES)
def test_size_and_aspect_against_the_source(source: tuple[int, int], edit: tuple[int, int], found: str | None) -> None:
    before, after = (a_probe(width=width, height=height) for width, height in (source, edit))
    assert [finding.kind for finding in of_size(before, after)] == ([] if found is None else [found])


# -- nothing is found where nothing is -----------------------------------------------------------------------------------


def test_no_real_edit_and_no_other_source_is_taken_for_the_source(data: Path, tmp_path: Path) -> None:
    sources = [*(data / "sparkle-bench-mini").rglob("*.mp4"), *(data / "openve-mini").rglob("*.mp4")]
    edits = list((data / "submissions").rglob("*.mp4"))
    assert (len(sources), len(edits)) == (12, 16)
    samples = [a_sample(source.stem, source) for source in sources]
    for number in range(4):
        others = sources[number + 1 :] + sources[: number + 1]
        videos = {s.id: other for s, other in zip(samples, others, strict=True)}
        found = validate(Layout(base=data, kind="flat", videos=videos), samples).kinds
        assert set(found) <= {"source_again", "shorter", "longer"}
        assert found["source_again"] == 12  # by its bytes: it is another sample's
    by_id: dict[str, list[Path]] = {}
    for edit in edits:
        by_id.setdefault(edit.stem.removesuffix("_edited"), []).append(edit)
    for turn in range(2):
        videos = {s.id: by_id[s.id][min(turn, len(by_id[s.id]) - 1)] for s in samples}
        report = validate(Layout(base=data, kind="flat", videos=videos), samples, How(deep=turn == 1))
        assert report.counts["fine"] == 12
        assert report.kinds == {}
