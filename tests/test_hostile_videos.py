"""Videos come from strangers: whatever a file claims, it is read or refused in one line, in bounded time and memory.

All files are read in a process of their own, since what is feared is a crash, a hang or a full memory.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sparkle_bench.errors import MachineError, VideoError
from sparkle_bench.video import Sampling, hold, load_pair, probe
from tests import hostile_videos as hostile
from tests import makers
from tests.hostile_videos import HUGE, MOST, STBL, Coding, Make, at, instead, more, spoiled, written

ROADS = ("probe", "pair", "whole", "frames", "planes")
MOST_MB = 500
MOST_SECONDS = 20
SMALL = Sampling(frames=8, max_pixels=96 * 64)

CHILD = """
import json, resource, signal, sys, time
from pathlib import Path
from sparkle_bench import video
from sparkle_bench.errors import SparkleError
from sparkle_bench.video.frames import frames
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
good = Path(sys.argv[1])
sampling = video.Sampling(frames=8, max_pixels=96 * 64)
roads = {
    "probe": lambda path: str(video.probe(path)),
    "pair": lambda path: str([hash(part) for part in video.load_pair(good, video.hold(path), sampling).after.parts]),
    "whole": lambda path: str(len(video.load_pair(good, video.hold(path), None).after.parts)),
    "frames": lambda path: str([int(frame.sum()) for frame in frames(path)]),
    "planes": lambda path: str(sum(1 for _ in video.planes(path, most=81))),
}
for call in roads.values():
    call(good)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
for line in sys.stdin:
    path, before = Path(line.rstrip()), peak()
    for name, call in roads.items():
        signal.alarm(60)
        begun = time.monotonic()
        try:
            kind, said = "", call(path)
        except SparkleError as error:
            kind, said = type(error).__name__, str(error)
        except Exception as error:
            kind, said = "!" + type(error).__name__, str(error)
        row = [name, kind, said, time.monotonic() - begun, peak() - before]
        print(json.dumps([path.name, *row]), flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of reading a file on one road.

    Attributes:
        error: The error's type, or nothing.
        said: Its message, or what was read.
        seconds: How long it took.
        megabytes: By how much the process's memory rose above all it had needed before.
    """

    error: str
    said: str
    seconds: float
    megabytes: int


def read(good: Path, paths: list[Path]) -> dict[tuple[str, str], Outcome]:
    """Read files on every road in one process; keys are (file's name, road)."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(good)],
        input="".join(f"{path}\n" for path in paths),
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    outcomes = {}
    for line in done.stdout.splitlines():
        if not line.startswith("["):
            continue
        name, road, error, said, seconds, megabytes = json.loads(line)
        outcomes[name, road] = Outcome(error=error, said=said, seconds=seconds, megabytes=megabytes)
    assert done.returncode == 0, f"died after {list(outcomes)[-1:]}: {done.returncode} {done.stderr[-500:]}"
    return outcomes


def table(kind: str, *numbers: int) -> tuple[str, Callable[[bytes], bytes]]:
    """Put whole numbers of four bytes in place of a table."""
    return f"{STBL}/{kind}", instead(struct.pack(f">{len(numbers)}I", *numbers))


LONG = 10 * 3600
WORKS = ""
CASES: dict[str, tuple[Make, str]] = {
    # what the header says of the picture is not what is decoded
    "huge tkhd": (spoiled(("moov/trak/tkhd", at(76, 65535 << 16, 65535 << 16))), WORKS),
    "huge stsd": (spoiled((f"{STBL}/stsd", at(40, 65535, 65535, size=2))), WORKS),
    "huge stream": (hostile.stream_claims(HUGE, HUGE), "16000x16000, beyond"),
    "huge stream in Matroska": (hostile.stream_claims(HUGE, HUGE, container="matroska"), "16000x16000, beyond"),
    "huge stream in MPEG-TS": (hostile.stream_claims(HUGE, HUGE, container="mpegts"), "begins like no mp4"),
    "grows huge": (hostile.grows_within(HUGE, HUGE), "cannot be decoded"),
    "grows huge in Matroska": (hostile.grows_within(HUGE, HUGE, container="matroska"), "16000x16000, beyond"),
    "grows": (hostile.grows_within(4096, 4096), "changes from 64x64 to 4096x4096 at frame 6"),
    "shrinks": (hostile.grows_within(32, 32), "changes from 64x64 to 32x32 at frame 6"),
    "two clips in one": (hostile.changes_within, "changes from 64x64 to 128x96 at frame 6"),
    # too many of something
    "2 streams": (hostile.tracks(2), "holds 2 video streams"),
    "900 streams": (hostile.tracks(900), "holds 900 streams; at most 32"),
    "5000 streams": (hostile.tracks(5000), "holds 5000 streams; at most 32"),
    "60000 streams": (hostile.tracks(60_000), "has an index of"),
    "5000 streams in Matroska": (hostile.matroska_tracks(5000), "holds 32 video streams"),
    "4 million tags in Matroska": (hostile.matroska_tags(4_000_000), "has no frames"),
    "8 million tags in Matroska": (hostile.matroska_tags(8_000_000), "other than mp4 is read up to"),
    "7900 streams in MPEG-TS": (hostile.many_pids(7900), "begins like no mp4"),
    "frames past counting": (spoiled((f"{STBL}/stsz", at(8, MOST))), "claims 4294967295 frames"),
    "equal frames past counting": (hostile.many_samples(MOST), "claims 4294967295 frames"),
    "80 million frames of one byte": (hostile.many_samples(80_000_000), "claims 80000000 frames"),
    "a million tiny frames": (hostile.tiny_frames(1_000_000), "claims 1000000 chunks"),
    "40000 tiny frames": (hostile.tiny_frames(40_000), WORKS),  # but for twelve, an edit list hides them
    "too many pixels in all": (hostile.long_and_large(400, 3840), "at most 5000000000 pixels"),
    # lies about time
    "ten hours": (
        spoiled(
            ("moov/mvhd", at(16, LONG * 1000)),
            ("moov/trak/tkhd", at(20, LONG * 1000)),
            ("moov/trak/mdia/mdhd", at(16, LONG * 16384)),
        ),
        WORKS,
    ),
    "endless": (
        spoiled(("moov/mvhd", at(16, MOST)), ("moov/trak/tkhd", at(20, MOST)), ("moov/trak/mdia/mdhd", at(16, MOST))),
        WORKS,
    ),
    "a tick a second": (spoiled(("moov/trak/mdia/mdhd", at(12, 1))), "frames per second"),
    "4 billion ticks a second": (spoiled(("moov/trak/mdia/mdhd", at(12, MOST))), "frames per second"),
    "no ticks a second": (spoiled(("moov/trak/mdia/mdhd", at(12, 0))), "frames per second"),
    "times past counting": (spoiled(table("stts", 0, 1, MOST, 1024)), "promises 4294967295 frames"),
    "time tables past counting": (spoiled((f"{STBL}/stts", at(4, MOST))), "changes of time"),
    "steps past counting": (spoiled(table("stts", 0, 1, 12, MOST)), "frames per second"),
    "no steps": (spoiled(table("stts", 0, 1, 12, 0)), "variable frame rate"),
    "offsets past counting": (
        spoiled((STBL, more(hostile.box("ctts", struct.pack(">IIII", 0, 1, MOST, 5))))),
        WORKS,
    ),
    "edit beyond the end": (
        spoiled(("moov/trak/edts/elst", instead(struct.pack(">IIIII", 0, 1, MOST, 2**31 - 1, 0x10000)))),
        "has no frames",
    ),
    "100000 edits": (
        spoiled(("moov/trak/edts/elst", instead(struct.pack(">II", 0, 100_000) + bytes(12) * 100_000))),
        "claims 100000 entries in an edit list",
    ),
    # boxes
    "100000 boxes deep": (hostile.nested(100_000), "not a readable video"),
    "100000 boxes deep elsewhere": (hostile.nested(100_000, "udta"), "not a readable video"),
    "box of no end first": (hostile.odd_box(0), "not a readable video"),
    "box of 0 large first": (hostile.odd_box(1, large=0), "not a readable video"),
    "box of 2^63 first": (hostile.odd_box(1, large=2**63), "not a readable video"),
    "box of 2^63 - 1 first": (hostile.odd_box(1, large=2**63 - 1), "not a readable video"),
    "box of 7 first": (hostile.odd_box(7), "not a readable video"),
    "box of no end inside": (hostile.odd_box(0, where="moov"), "no video stream"),
    "box of 0 large inside": (hostile.odd_box(1, large=0, where="moov"), "no video stream"),
    "box of 2^63 inside": (hostile.odd_box(1, large=2**63, where="moov"), "no video stream"),
    "box of no end last": (hostile.odd_box(0, where="end"), WORKS),
    "box of 2^63 last": (hostile.odd_box(1, large=2**63, where="end"), WORKS),
    "index after 2 GiB of nothing": (hostile.sparse(total=2 << 30, kind="free"), WORKS),
    "index after 2 GiB of frames": (hostile.sparse(total=2 << 30, kind="mdat"), WORKS),
    "2 GiB of nothing in the index": (hostile.sparse(total=2 << 30, kind="free", inside="moov"), "has an index of"),
    "1 GiB of data in the index": (hostile.sparse(total=1 << 30, kind="udta", inside="moov"), "has an index of"),
    "sound beyond the end": (hostile.sound_beyond_the_end, WORKS),
    "title of 100 MB": (hostile.title(100 << 20), "has an index of"),
    "title of 1 MB": (hostile.title(1 << 20), WORKS),
    "compressed index": (hostile.compressed_index(2000), "compressed index"),
    "compressed index of 4 GiB": (hostile.compressed_index(2**32 - 8), "compressed index"),
    # codecs and containers
    "10 bits": (written(Coding(pixels="yuv420p10le")), WORKS),
    "4:4:4": (written(Coding(pixels="yuv444p")), WORKS),
    "odd size": (written(Coding(pixels="yuv444p", size=(95, 63))), WORKS),
    "transparent": (written(Coding(codec="png", container="mov", pixels="rgba", size=(95, 63))), WORKS),
    "10 bits, transparent": (written(Coding(codec="prores_ks", container="mov", pixels="yuva444p10le")), WORKS),
    "WebM": (written(Coding(codec="libvpx-vp9", container="webm")), WORKS),
    "AVI": (written(Coding(codec="mpeg4", container="avi")), WORKS),
    "sound": (written(Coding(sound=True)), WORKS),
    "GIF": (written(Coding(codec="gif", container="gif", pixels="rgb8")), "begins like no mp4"),
    "APNG": (written(Coding(codec="apng", container="apng", pixels="rgb24")), "begins like no mp4"),
    "list of files": (hostile.text("ffconcat version 1.0\nfile '/etc/passwd'\n"), "begins like no mp4"),
    "DASH": (hostile.text('<?xml version="1.0"?><MPD><BaseURL>/etc/passwd</BaseURL></MPD>'), "begins like no mp4"),
    "SDP": (hostile.text("v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"), "begins like no mp4"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is not a file"),
    "link to nowhere": (lambda path: path.symlink_to("/nowhere/at/all"), "is not a file"),
    "pipe": (os.mkfifo, "is not a file"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that nothing is wrong with, as the source."""
    return makers.write_clip(tmp_path_factory.mktemp("good") / "good.mp4", frames=24)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, good: Path) -> dict[tuple[str, str], Outcome]:
    """What came of every case on every road."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = []
    for name, (make, _) in CASES.items():
        paths.append(folder / f"{name}.mp4")
        make(paths[-1])
    return read(good, paths)


@pytest.mark.parametrize("name", CASES)
def test_hostile_video_is_read_or_refused_in_one_line(outcomes: dict[tuple[str, str], Outcome], name: str) -> None:
    said = CASES[name][1]
    for road in ROADS:
        outcome = outcomes[f"{name}.mp4", road]
        assert outcome.error in ("", "VideoError"), outcome
        assert outcome.seconds < MOST_SECONDS, outcome
        assert outcome.megabytes < MOST_MB, outcome
        if outcome.error:
            assert outcome.said.startswith(f"{name}.mp4 ")
            assert len(outcome.said.splitlines()) == 1
    pair = outcomes[f"{name}.mp4", "pair"]
    assert (pair.error == "") == (said == WORKS), pair
    assert said in pair.said


# -- other files, addresses --------------------------------------------------------------------------------------------


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and the list of what it was asked."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """Notes who asks."""

        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/clip.mp4", paths
        server.shutdown()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(hostile.elsewhere, id="frames elsewhere"),
        pytest.param(hostile.playlist_and_stream, id="playlist before a transport stream"),
        pytest.param(hostile.playlist_before_mp4, id="playlist before an mp4"),
        pytest.param(lambda place: hostile.text(f"ffconcat version 1.0\nfile '{place}'\n"), id="list"),
        pytest.param(
            lambda place: hostile.text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{place}\n#EXT-X-ENDLIST\n"),
            id="playlist",
        ),
    ],
)
def test_no_other_file_or_address_is_opened(
    tmp_path: Path, good: Path, asked: tuple[str, list[str]], make: Callable[[str], Make]
) -> None:
    address, paths = asked
    pipe = tmp_path / "other.mp4"
    os.mkfifo(pipe)  # whoever opens it hangs, and the process is ended
    for number, place in enumerate((address, f"file://{pipe}", str(pipe))):
        path = tmp_path / f"{number}.mp4"
        make(place)(path)
        found = read(good, [path])
        assert {road for _, road in found} == set(ROADS)
        assert {outcome.error for outcome in found.values()} <= {"", "VideoError"}
    assert paths == []


# -- files that change while they are read -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["shrinks", "grows", "comes and goes"])
def test_file_that_changes_meanwhile_gives_pictures_or_one_line(tmp_path: Path, good: Path, way: str) -> None:
    path = makers.write_clip(tmp_path / "changing.mp4", frames=24)
    whole = path.read_bytes()
    end = time.monotonic() + 3

    def change() -> None:
        number = 0
        while time.monotonic() < end:
            number += 1
            if way == "shrinks":
                os.truncate(path, len(whole) * (number % 10) // 10)
                path.write_bytes(whole)
            elif way == "grows":
                path.write_bytes(whole + bytes(number % 1000 * 8))
            else:
                path.unlink(missing_ok=True)
                path.write_bytes(whole)

    thread = threading.Thread(target=change)
    thread.start()
    while time.monotonic() < end:
        for call in (lambda: load_pair(good, path, SMALL), lambda: probe(path)):
            try:
                call()
            except (VideoError, MachineError) as error:  # gone between two looks: nobody knows whose fault it is
                assert "changing.mp4" in str(error)
                assert way == "comes and goes" or type(error) is VideoError
    thread.join()
    path.write_bytes(whole)
    assert len(load_pair(good, path, SMALL).after.parts) == 8


def test_what_was_held_is_decoded_though_the_file_is_gone(tmp_path: Path, good: Path) -> None:
    path = makers.write_clip(tmp_path / "gone.mp4", frames=24)
    expected = load_pair(good, path, SMALL)
    file = hold(path)
    path.write_bytes(b"something else")
    assert load_pair(good, file, SMALL) == expected


# -- random damage -----------------------------------------------------------------------------------------------------

DAMAGED: dict[str, Make] = {
    "index first": lambda path: makers.write_clip(path),
    "index last, with sound": written(Coding(sound=True)),
    "read by PyAV": written(Coding(codec="mpeg4")),
}
SEEDS = 25


@pytest.mark.parametrize("clip", DAMAGED)
def test_random_damage_gives_pictures_or_a_video_error_and_always_the_same(
    tmp_path: Path, good: Path, clip: str
) -> None:
    DAMAGED[clip](tmp_path / "whole.mp4")
    whole = (tmp_path / "whole.mp4").read_bytes()
    paths = []
    for seed in range(SEEDS):
        paths += [tmp_path / f"{seed}.mp4", tmp_path / f"{seed}.again.mp4"]
        paths[-1].symlink_to(paths[-2])
        paths[-2].write_bytes(hostile.mutated(whole, seed))
    found = read(good, paths)
    assert len(found) == 2 * SEEDS * len(ROADS)
    for (name, road), outcome in found.items():
        assert outcome.error in ("", "VideoError"), (name, road, outcome)
        assert outcome.seconds < MOST_SECONDS
        assert outcome.megabytes < MOST_MB
        if not name.endswith(".again.mp4"):
            again = found[name.replace(".mp4", ".again.mp4"), road]
            assert (outcome.error, outcome.said) == (again.error, again.said.replace(".again.mp4", ".mp4")), road
    assert {outcome.error for outcome in found.values()} == {"", "VideoError"}
