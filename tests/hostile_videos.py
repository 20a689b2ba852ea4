"""Makers of video files that lie, grow, nest or point elsewhere: small, repeatable, each spoiled in one way."""

from __future__ import annotations

import functools
import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests import makers

Change = Callable[[bytes], bytes]
Make = Callable[[Path], object]
STBL = "moov/trak/mdia/minf/stbl"
MOST = 2**32 - 1
HUGE = 16_000
"""A side for which FFmpeg still allocates a picture: 384 MB in 4:2:0."""


# -- boxes of an mp4 ---------------------------------------------------------------------------------------------------


def box(kind: str, *content: bytes) -> bytes:
    """Return a box of an mp4."""
    payload = b"".join(content)
    return struct.pack(">I", 8 + len(payload)) + kind.encode("latin-1") + payload


def boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, payload) of well-formed boxes."""
    place = 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : place + 8].decode("latin-1"), data[place + 8 : place + size]
        place += size


def changed(data: bytes, path: str, change: Change) -> bytes:
    """Return boxes with the payload of the first one at `path`, such as `moov/trak/tkhd`, changed."""
    first, _, rest = path.partition("/")
    parts, done = [], False
    for kind, payload in boxes(data):
        if kind == first and not done:
            payload, done = (changed(payload, rest, change) if rest else change(payload)), True
        parts.append(box(kind, payload))
    assert done, path
    return b"".join(parts)


def payload_at(data: bytes, path: str) -> bytes:
    """Return the payload of the first box at `path`."""
    for name in path.split("/"):
        data = next(payload for kind, payload in boxes(data) if kind == name)
    return data


def at(place: int, *numbers: int, size: int = 4) -> Change:
    """Return a change that writes numbers into a payload, `size` bytes each."""

    def change(payload: bytes) -> bytes:
        new = b"".join(number.to_bytes(size, "big") for number in numbers)
        return payload[:place] + new + payload[place + len(new) :]

    return change


def instead(content: bytes) -> Change:
    """Return a change that puts something else in a payload's place."""
    return lambda payload: content


def more(content: bytes) -> Change:
    """Return a change that adds to the end of a payload."""
    return lambda payload: payload + content


def spoiled(*changes: tuple[str, Change]) -> Make:
    """Return a maker of a good clip with some boxes changed."""

    def make(path: Path) -> None:
        data = plain()
        for place, change in changes:
            data = changed(data, place, change)
        path.write_bytes(data)

    return make


# -- packets -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Coded:
    """H.264 in Annex B, baseline, parameter sets in front of every key frame.

    Attributes:
        size: (width, height).
        packets: The bytes of each frame.
    """

    size: tuple[int, int]
    packets: tuple[bytes, ...]


def coded(*, frames: int = 12, size: tuple[int, int] = (64, 64), seed: int = 0) -> Coded:
    """Encode a moving pattern."""
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = *size, "yuv420p"
    codec.time_base, codec.framerate, codec.thread_count = Fraction(1, 16), Fraction(16), 1
    codec.options = {"profile": "baseline", "preset": "ultrafast", "g": "6"}
    packets = []
    for number, picture in enumerate([*makers.moving_frames(frames, size, seed), None]):
        frame = None
        if picture is not None:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return Coded(size=size, packets=tuple(packets))


def muxed(path: Path, packets: Sequence[bytes], *, size: tuple[int, int] = (64, 64), container: str = "mp4") -> None:
    """Write packets as a clip of 16 frames per second whose header says `size`; the index comes last."""
    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream("libx264", rate=16)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"profile": "baseline", "preset": "ultrafast"}
        stream.codec_context.thread_count = 1
        file.start_encoding()
        for number, content in enumerate(packets):
            packet: Any = av.Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, 16)
            packet.pts = packet.dts = number
            packet.is_keyframe = number % 6 == 0
            file.mux(packet)


@functools.cache
def plain() -> bytes:
    """Return the bytes of a good clip of 12 frames, 64×64, with its index last, so that boxes in it may grow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.mp4"
        muxed(path, coded().packets)
        return path.read_bytes()


# -- H.264 parameter sets ----------------------------------------------------------------------------------------------


def resized(sps: bytes, width: int, height: int) -> bytes:
    """Return a baseline sequence parameter set (a NAL unit without start code) that claims another size."""
    raw = sps[4:].replace(b"\0\0\3", b"\0\0")
    bits = "".join(f"{byte:08b}" for byte in raw)
    place, values = 0, []

    def number() -> int:
        nonlocal place
        zeros = bits.index("1", place) - place
        value = int(bits[place + zeros : place + 2 * zeros + 1], 2) - 1
        place += 2 * zeros + 1
        return value

    values = [number(), number(), number()]  # id, log2_max_frame_num - 4, kind of picture order
    assert values[2] == 2
    number()  # reference frames
    place += 1  # gaps allowed
    start = place
    number()
    number()
    new = bits[:start] + golomb(-(-width // 16) - 1) + golomb(-(-height // 16) - 1) + bits[place:].rstrip("0")
    new += "0" * (-len(new) % 8)
    content = bytes(int(new[n : n + 8], 2) for n in range(0, len(new), 8))
    safe = bytearray()
    for byte in content:
        if byte <= 3 and safe[-2:] == b"\0\0":
            safe.append(3)
        safe.append(byte)
    return sps[:4] + bytes(safe)


def golomb(value: int) -> str:
    """Return a number as an Exp-Golomb code."""
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def units(packet: bytes) -> list[bytes]:
    """Return the NAL units of an Annex B packet."""
    return [part.rstrip(b"\0") for part in packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if part]


def claiming(packet: bytes, width: int, height: int) -> bytes:
    """Return a packet whose parameter set claims another size."""
    found = [resized(unit, width, height) if unit[0] & 31 == 7 else unit for unit in units(packet)]
    return b"".join(b"\0\0\0\1" + unit for unit in found)


def stream_claims(width: int, height: int, *, container: str = "mp4") -> Make:
    """Return a maker: the container says 64×64, the stream's own parameters, from the first frame, something else."""

    def make(path: Path) -> None:
        packets = [claiming(packet, width, height) for packet in coded().packets]
        muxed(path, packets, container=container)
        if container != "mp4":
            return
        sps = next(unit for unit in units(packets[0]) if unit[0] & 31 == 7)

        def entry(payload: bytes) -> bytes:
            start = payload.index(b"avcC") - 4
            old = payload[start + 8 : start + int.from_bytes(payload[start : start + 4], "big")]
            length = int.from_bytes(old[6:8], "big")
            new = old[:6] + len(sps).to_bytes(2, "big") + sps + old[8 + length :]
            whole = payload[8:start] + box("avcC", new)
            return payload[:8] + (len(whole)).to_bytes(4, "big") + whole[4:]

        path.write_bytes(changed(path.read_bytes(), f"{STBL}/stsd", entry))

    return make


def grows_within(width: int, height: int, *, container: str = "mp4") -> Make:
    """Return a maker: 64×64 in container and stream up to the second key frame, then other parameters."""

    def make(path: Path) -> None:
        packets = list(coded().packets)
        packets[6] = claiming(packets[6], width, height)
        muxed(path, packets, container=container)

    return make


def changes_within(path: Path) -> None:
    """Write two clips of different size, one after the other, in one stream."""
    muxed(path, [*coded(frames=6).packets, *coded(frames=6, size=(128, 96)).packets])


# -- many of something -------------------------------------------------------------------------------------------------


def tracks(count: int) -> Make:
    """Return a maker of an mp4 with the same track many times."""

    def make(path: Path) -> None:
        data = plain()
        track = box("trak", payload_at(data, "moov/trak"))
        path.write_bytes(changed(data, "moov", more(track * (count - 1))))

    return make


def ebml(identity: str, content: bytes) -> bytes:
    """Return an element of a Matroska file, with a size of eight bytes."""
    return bytes.fromhex(identity) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def ebml_number(identity: str, value: int) -> bytes:
    """Return an unsigned number of a Matroska file."""
    return ebml(identity, value.to_bytes(4, "big"))


def matroska(*inside: bytes) -> bytes:
    """Return a Matroska file with the given elements in its segment."""
    head = ebml("1A45DFA3", ebml("4282", b"matroska"))
    return head + ebml("18538067", b"".join(inside))


MATROSKA_TRACK = ebml(
    "AE",
    ebml_number("D7", 1)
    + ebml_number("73C5", 1)
    + ebml_number("83", 1)
    + ebml("86", b"V_MPEG4/ISO/ASP")
    + ebml("E0", ebml_number("B0", 64) + ebml_number("BA", 64)),
)
CLUSTER = ebml("1F43B675", ebml_number("E7", 0))


def matroska_tracks(count: int) -> Make:
    """Return a maker of a Matroska file with the same MPEG-4 track many times."""
    return lambda path: path.write_bytes(matroska(ebml("1654AE6B", MATROSKA_TRACK * count), CLUSTER))


def matroska_tags(count: int) -> Make:
    """Return a maker of a Matroska file with very many empty tags."""
    tags = ebml("1254C367", b"\x73\x73\x80" * count)
    return lambda path: path.write_bytes(matroska(ebml("1654AE6B", MATROSKA_TRACK), tags, CLUSTER))


def many_pids(count: int) -> Make:
    """Return a maker of an MPEG transport stream with thousands of elementary streams."""

    def packet(pid: int, content: bytes, *, start: bool = True) -> bytes:
        head = bytes([0x47, (0x40 if start else 0) | pid >> 8, pid & 255, 0x10])
        return head + content + b"\xff" * (184 - len(content))

    def section(table: int, number: int, body: bytes) -> bytes:
        whole = bytes([table]) + (0xB000 | len(body) + 9).to_bytes(2, "big") + number.to_bytes(2, "big")
        whole += b"\xc1\0\0" + body
        return b"\0" + whole + mpeg_crc(whole).to_bytes(4, "big")

    def make(path: Path) -> None:
        parts, per = [], 30
        programs = -(-count // per)
        for first in range(0, programs, 40):
            body = b"".join(
                (n + 1).to_bytes(2, "big") + (0xE000 | 32 + n).to_bytes(2, "big")
                for n in range(first, min(first + 40, programs))
            )
            parts.append(packet(0, section(0, 1, body)))
        pid = 32 + programs
        for n in range(programs):
            streams = b"".join(
                b"\x1b" + (0xE000 | pid + k).to_bytes(2, "big") + b"\xf0\0" for k in range(per) if pid + k < 8190
            )
            pid = min(8190, pid + per)
            parts.append(packet(32 + n, section(2, n + 1, b"\xe1\0\xf0\0" + streams)))
        elementary = [
            packet(p, b"\0\0\1\xe0\0\0\x80\x80\5\x21\0\1\0\1\0\0\1\x09\xf0") for p in range(32 + programs, pid)
        ]
        path.write_bytes(b"".join(parts + elementary) * 2)

    return make


def mpeg_crc(data: bytes) -> int:
    """Return MPEG-2's checksum."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
    return crc


def many_samples(count: int) -> Make:
    """Return a maker: a table claims `count` frames of one byte each, all in one chunk."""
    return spoiled(
        (f"{STBL}/stsz", instead(struct.pack(">III", 0, 1, count))),
        (f"{STBL}/stts", instead(struct.pack(">IIII", 0, 1, count, 1))),
        (f"{STBL}/stsc", instead(struct.pack(">IIIII", 0, 1, 1, count, 1))),
    )


def tiny_frames(count: int) -> Make:
    """Return a maker: real tables of `count` frames, each of them the same few bytes."""

    def make(path: Path) -> None:
        data = plain()
        first = int.from_bytes(payload_at(data, f"{STBL}/stsz")[12:16], "big")
        offset = payload_at(data, f"{STBL}/stco")[8:12]
        for name, content in {
            "stsz": struct.pack(">III", 0, first, count),
            "stts": struct.pack(">IIII", 0, 1, count, 1024),
            "stsc": struct.pack(">IIIII", 0, 1, 1, 1, 1),
            "stco": struct.pack(">II", 0, count) + offset * count,
        }.items():
            data = changed(data, f"{STBL}/{name}", instead(content))
        path.write_bytes(data)

    return make


def long_and_large(count: int, side: int) -> Make:
    """Return a maker: many frames, each of which says to be a square of `side` pixels."""

    def make(path: Path) -> None:
        packets = [claiming(packet, side, side) for packet in coded(frames=12).packets]
        muxed(path, packets * (count // 12), size=(side, side))

    return make


# -- sizes and nesting of boxes ----------------------------------------------------------------------------------------


def nested(depth: int, kind: str = "moov") -> Make:
    """Return a maker of boxes in boxes; the innermost closes the file."""

    def make(path: Path) -> None:
        size, parts = 8 * depth, []
        for _ in range(depth):
            parts.append(struct.pack(">I", size) + kind.encode())
            size -= 8
        path.write_bytes(box("ftyp", b"isom\0\0\2\0isom") + b"".join(parts) + plain())

    return make


def odd_box(size: int, *, large: int | None = None, kind: str = "free", where: str = "front") -> Make:
    """Return a maker of a clip with a box whose size is a lie, in front, inside `moov` or at the end."""
    head = struct.pack(">I", size) + kind.encode() + (b"" if large is None else struct.pack(">Q", large))

    def make(path: Path) -> None:
        data = plain()
        if where == "front":
            path.write_bytes(head + data)
        elif where == "moov":
            path.write_bytes(changed(data, "moov", lambda payload: head + payload))
        else:
            path.write_bytes(data + head)

    return make


def sparse(*, total: int, kind: str, inside: str = "") -> Make:
    """Return a maker of a sparse file: one empty box of almost `total` bytes, then (or within) a good clip's index."""

    def make(path: Path) -> None:
        data = plain()
        front = b"".join(box(name, content) for name, content in boxes(data) if name != "moov")
        moov = payload_at(data, "moov")
        gap = total - len(data) - 16
        with path.open("wb") as file:
            file.write(front)
            if inside:
                size = 8 + len(moov) + 8 + gap
                file.write(struct.pack(">I", size) + b"moov" + moov + struct.pack(">I", 8 + gap) + kind.encode())
                file.truncate(file.tell() + gap)
            else:
                file.write(struct.pack(">I", 8 + gap) + kind.encode())
                file.seek(gap, 1)
                file.write(box("moov", moov))

    return make


def title(size: int) -> Make:
    """Return a maker of a clip with a title of `size` bytes."""
    data = box("data", b"\0\0\0\1\0\0\0\0", b"x" * size)
    meta = box("meta", bytes(4), box("hdlr", bytes(8), b"mdirappl", bytes(9)), box("ilst", box("\xa9nam", data)))
    return spoiled(("moov", more(box("udta", meta))))


def compressed_index(claimed: int) -> Make:
    """Return a maker: a compressed `moov` that claims to be `claimed` bytes once unpacked."""

    def make(path: Path) -> None:
        data = plain()
        front = b"".join(box(name, content) for name, content in boxes(data) if name != "moov")
        packed = zlib.compress(box("moov", payload_at(data, "moov")))
        cmov = box("cmov", box("dcom", b"zlib"), box("cmvd", struct.pack(">I", claimed), packed))
        path.write_bytes(front + box("moov", cmov))

    return make


# -- other files and addresses -----------------------------------------------------------------------------------------


def elsewhere(place: str) -> Make:
    """Return a maker of a clip whose frames are said to lie at an address, or in the file of a path."""
    name = place.encode()
    entry = box("url ", bytes(4), name, b"\0")
    if place.startswith("/"):
        alias = bytes(6) + struct.pack(">HH", 150, 2) + bytes(130)
        entry = box("alis", bytes(4), alias, struct.pack(">HH", 2, len(name)), name, struct.pack(">HH", 0xFFFF, 0))
    return spoiled(("moov/trak/mdia/minf/dinf/dref", instead(struct.pack(">II", 0, 1) + entry)))


def playlist_and_stream(address: str) -> Make:
    """Return a maker: a playlist, then a transport stream that is found behind it, so readers may disagree."""

    def make(path: Path) -> None:
        muxed(path, coded().packets, container="mpegts")
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n".encode()
        path.write_bytes(text + path.read_bytes())

    return make


def playlist_before_mp4(address: str) -> Make:
    """Return a maker: a playlist, then the boxes of a good clip; their places are no longer those in the index."""
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n".encode()
    return lambda path: path.write_bytes(text + plain())


def text(content: str) -> Make:
    """Return a maker of a text file."""
    return lambda path: path.write_text(content, encoding="utf-8")


# -- codecs and containers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How a clip is written.

    Attributes:
        codec: The encoder's name.
        container: The container's name, whatever the file is called.
        pixels: The pixel format.
        size: (width, height).
        sound: Whether it has a second of AAC.
    """

    codec: str = "libx264"
    container: str = "mp4"
    pixels: str = "yuv420p"
    size: tuple[int, int] = (96, 64)
    sound: bool = False


def written(coding: Coding) -> Make:
    """Return a maker of twelve pictures of a moving pattern."""

    def make(path: Path) -> None:
        with av.open(str(path), "w", format=coding.container) as file:
            stream: Any = file.add_stream(coding.codec, rate=16)
            stream.width, stream.height = coding.size
            stream.pix_fmt, stream.codec_context.thread_count = coding.pixels, 1
            sound: Any = file.add_stream("aac", rate=44100) if coding.sound else None
            for _ in range(40 if coding.sound else 0):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                frame.sample_rate = 44100
                file.mux(sound.encode(frame))
            for array in makers.moving_frames(12, coding.size):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
            for each in (stream, sound) if coding.sound else (stream,):
                file.mux(each.encode())

    return make


def sound_beyond_the_end(path: Path) -> None:
    """Write a clip with sound whose index places all but its first piece of sound a gigabyte away."""
    written(Coding(sound=True))(path)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"stco")
    count = int.from_bytes(data[place + 8 : place + 12], "big")
    data[place + 16 : place + 12 + 4 * count] = (1 << 30).to_bytes(4, "big") * (count - 1)
    path.write_bytes(data)


def mutated(data: bytes, seed: int) -> bytes:
    """Return a file with a few of its bytes flipped, overwritten, cut out, doubled or cut off; a seed gives one file."""
    rng = random.Random(seed)
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = rng.randrange(len(content))
        way = rng.randrange(6)
        if way == 0:
            content[place] ^= 1 << rng.randrange(8)
        elif way == 1:
            content[place : place + 4] = rng.choice(
                (bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1", rng.randbytes(4))
            )
        elif way == 2:
            del content[place : place + rng.randrange(1, 40)]
        elif way == 3:
            content[place:place] = content[place : place + rng.randrange(1, 400)]
        elif way == 4:
            kinds = (
                b"stsz",
                b"stco",
                b"stts",
                b"stsd",
                b"mdhd",
                b"trak",
                b"avcC",
                b"elst",
                b"mdat",
                b"moov",
                b"stsc",
                b"ctts",
            )
            found = content.find(rng.choice(kinds))
            if found >= 0:
                where = found + rng.randrange(-4, 24)
                content[where : where + 1] = bytes([rng.randrange(256)])
        else:
            del content[place:]
        content = content or bytearray(b"\0")
    return bytes(content)
