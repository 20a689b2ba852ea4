"""What a file's first bytes and its index promise, looked at before a library believes them.

FFmpeg trusts an index: a few bytes in it may ask for gigabytes of memory or minutes of work. So the tables that cost are
found and counted first. They are sought by name anywhere in the index, however boxes are nested, since FFmpeg reads
some of them where no standard puts them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from sparkle_bench.errors import VideoError

if TYPE_CHECKING:
    from sparkle_bench.video.probe import File

BEYOND = "beyond_limits"
MAX_STREAMS = 32
MAX_INDEX_BYTES = 16 << 20
MAX_ENTRIES = 50_000
"""Frames of one stream, chunks, or fragments: FFmpeg's work grows with the square of some of them."""
MAX_EQUAL_SAMPLES = 5_000_000
"""Samples of one size, such as plain sound: 104 seconds at 48 kHz, or 160 MB in FFmpeg."""
MAX_EDITS = 64
MAX_OTHER_BYTES = 16 << 20
"""A file in another container has no index to look at; FFmpeg needs up to twenty times its bytes."""

MOV, MATROSKA, AVI = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"
BEGINNINGS = {b"\x1a\x45\xdf\xa3": MATROSKA, b"RIFF": AVI}
BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"udta", b"uuid", b"styp", b"moof"})
SKIPPED = frozenset({b"mdat", b"free", b"skip"})
HIDDEN = frozenset({b"mvhd", b"cmov"})
"""What FFmpeg recognises an index by in a box that claims to be free."""
H264 = frozenset({b"avc1", b"avc3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is known of a file before it is opened.

    Attributes:
        formats: FFmpeg's names of the only container it may be.
        is_h264: Whether it is an mp4 with one H.264 stream of one description, and no more can be hidden in it.
    """

    formats: str
    is_h264: bool = False


def look(file: File) -> Header:
    """Read a file's first bytes and, in an mp4, its index.

    Raises:
        VideoError: It is in no container that is read, or its index is beyond the limits above.
        OSError: It cannot be read.
    """
    name = file.path.name
    with file.path.open("rb") if file.data is None else io.BytesIO(file.data) as opened:
        first = opened.read(16)
        total = opened.seek(0, io.SEEK_END)
        if first[4:8] in BOXES:
            index = _index(opened, total, name)
            _check(index, name)
            return Header(formats=MOV, is_h264=first[4:8] == b"ftyp" and _is_h264(index))
    formats = BEGINNINGS.get(first[:4])
    if formats is None:
        raise VideoError(
            f"{name} is not a readable video: it begins like no mp4, mov, Matroska, WebM or AVI; write it again as mp4"
        )
    if total > MAX_OTHER_BYTES:
        raise VideoError(
            f"{name} has {total} bytes; a file other than mp4 is read up to {MAX_OTHER_BYTES}", kind=BEYOND
        )
    return Header(formats=formats)


def _index(opened: IO[bytes], total: int, name: str) -> bytes:
    """Return all of an mp4 but its frames and free space."""
    parts: list[bytes] = []
    place = taken = 0
    has_index = False
    for _ in range(2 * MAX_ENTRIES):
        opened.seek(place)
        head = opened.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:
            size = total - place
        if len(head) < 8 or size < 8:  # FFmpeg stops here too
            return b"".join(parts)
        end = min(total, place + size)
        has_index = has_index or head[4:8] in (b"moov", b"moof")
        if head[4:8] == b"mdat" and place + size > total and not has_index:
            raise VideoError(
                f"{name} is truncated: it ends at byte {total}, before the index that stands at its end",
                kind="truncated",
            )
        if head[4:8] not in SKIPPED or head[12:16] in HIDDEN or (head[:4] == b"\0\0\0\1" and head[4:8] != b"mdat"):
            taken += end - place
            if taken > MAX_INDEX_BYTES:
                raise VideoError(
                    f"{name} has an index of {taken} bytes or more; at most {MAX_INDEX_BYTES} are read", kind=BEYOND
                )
            opened.seek(place)
            parts.append(opened.read(end - place))
        place = end
    raise VideoError(f"{name} has more than {2 * MAX_ENTRIES} boxes", kind=BEYOND)


def _check(index: bytes, name: str) -> None:
    """Refuse an index whose tables would cost too much."""
    if b"cmov" in index:
        raise VideoError(f"{name} has a compressed index; write it again as mp4")
    streams = index.count(b"trak")
    if max(streams, index.count(b"stsz"), index.count(b"stz2")) > MAX_STREAMS:
        raise VideoError(f"{name} holds {streams} streams; at most {MAX_STREAMS} are read", kind=BEYOND)
    for kind, at, most, what in (
        (b"stco", 8, MAX_ENTRIES, "chunks"),
        (b"co64", 8, MAX_ENTRIES, "chunks"),
        (b"stsc", 8, MAX_ENTRIES, "changes of chunks"),
        (b"stts", 8, MAX_ENTRIES, "changes of time"),
        (b"ctts", 8, MAX_ENTRIES, "changes of time"),
        (b"stss", 8, MAX_ENTRIES, "key frames"),
        (b"stz2", 12, MAX_ENTRIES, "frames in one stream"),
        (b"elst", 8, MAX_EDITS, "entries in an edit list"),
    ):
        _limit(name, max(_numbers(index, kind, at), default=0), most, what)
    for size, count in zip(_numbers(index, b"stsz", 8), _numbers(index, b"stsz", 12), strict=True):
        _limit(name, count, MAX_EQUAL_SAMPLES if size else MAX_ENTRIES, "frames in one stream")
    _limit(name, index.count(b"trun"), MAX_ENTRIES, "fragments")
    _limit(name, sum(_numbers(index, b"trun", 8)), MAX_ENTRIES, "frames in its fragments")


def _limit(name: str, found: int, most: int, what: str) -> None:
    if found > most:
        raise VideoError(f"{name} claims {found} {what}; at most {most} are read", kind=BEYOND)


def _numbers(index: bytes, kind: bytes, at: int) -> Iterator[int]:
    """Yield the number of four bytes that stands `at` bytes after the beginning of every `kind`."""
    place = index.find(kind)
    while place >= 0:
        yield int.from_bytes(index[place + at : place + at + 4], "big")
        place = index.find(kind, place + 4)


def _is_h264(index: bytes) -> bool:
    """Whether every stream has one description, and one of them is H.264."""
    codings = []
    place = index.find(b"stsd")
    while place >= 0:
        if index[place + 8 : place + 12] != b"\0\0\0\1":
            return False
        codings.append(index[place + 16 : place + 20])
        place = index.find(b"stsd", place + 4)
    return sum(coding in H264 for coding in codings) == 1


def is_steady(packet: bytes, extradata: bytes) -> bool:
    """Whether an H.264 packet brings no parameter set but the header's, and with it no other size of picture.

    Args:
        packet: Units with their lengths in front, as in an mp4.
        extradata: The header's parameter sets, with lengths of four bytes; see `is_plain`.
    """
    place, end = 0, len(packet)
    while place + 4 < end:
        start = place + 4
        place = start + int.from_bytes(packet[place:start], "big")
        if place > end or place < start + 2 or packet.find(b"\0\0\1", start, place) >= 0:
            return False
        if packet[start] & 31 in (7, 15) and packet[start:place] not in extradata:
            return False
    return place == end


def is_plain(extradata: bytes) -> bool:
    """Whether H.264's header holds one sequence parameter set, and lengths have four bytes."""
    return extradata[:1] == b"\1" and extradata[4:6] == b"\xff\xe1" and b"\0\0\1" not in extradata
