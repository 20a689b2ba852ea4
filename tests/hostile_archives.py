"""Archives written byte by byte, so that they can say what no archiver would."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

VIDEO = b"not really a video, but nobody looks inside while it is unpacked"
DEFLATED = 8
LINK, PIPE, DEVICE = 0o120777, 0o010644, 0o060644


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a zip or tar archive, and the lies told of it; None says the truth.

    Attributes:
        name: As its bytes stand in the archive.
        content: Of the file.
        kind: The type flag in a tar.
        mode: The file's type and permissions, in a zip.
        method: How it is compressed, in a zip.
        flags: Of a zip's member.
        size: What is said of its size.
        packed: What is said of its packed size, in a zip.
        crc: What is said of its check sum, in a zip.
        local_name: What its own header calls it, in a zip.
        offset: Where the directory says that it begins, in a zip.
    """

    name: bytes
    content: bytes = VIDEO
    kind: bytes = b"0"
    mode: int = 0o100644
    method: int = 0
    flags: int = 0x800
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    offset: int | None = None


def or_else(said: int | None, truth: int) -> int:
    return truth if said is None else said


def zip_bytes(members: Iterable[Member], *, directory_bytes: int | None = None) -> bytes:
    """Write a zip archive.

    Args:
        members: In order.
        directory_bytes: What is said of the directory's size.
    """
    body, directory, count = bytearray(), bytearray(), 0
    for member in members:
        packed = member.content
        if member.method == DEFLATED:
            packed = zlib.compress(member.content, 9)[2:-4]
        facts = (
            or_else(member.crc, zlib.crc32(member.content)),
            or_else(member.packed, len(packed)),
            or_else(member.size, len(member.content)),
        )
        begin = len(body)
        local = member.name if member.local_name is None else member.local_name
        head = (20, member.flags, member.method, 0, 0x21)
        body += struct.pack("<4s5H3L2H", b"PK\3\4", *head, *facts, len(local), 0) + local + packed
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x314, *head, *facts, len(member.name), 0, 0, 0, 0,
                                 member.mode << 16, or_else(member.offset, begin)) + member.name  # fmt: skip
        count = min(count + 1, 0xFFFF)
    size = or_else(directory_bytes, len(directory))
    return bytes(body + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, len(body), 0))


def tar_header(name: bytes, size: int, kind: bytes = b"0", *, size_field: bytes | None = None) -> bytes:
    """Write a tar header with a right check sum."""
    number = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    fields = (
        name[:100],
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        size_field or number,
        b"00000000000\0",
        b" " * 8,
        kind,
    )
    block = struct.pack("100s8s8s8s12s12s8sc", *fields) + b"target".ljust(100, b"\0") + b"ustar\00000"
    block = block.ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def with_prefix(block: bytes, prefix: bytes) -> bytes:
    """Put folders before the name in a tar header."""
    block = block[:345] + prefix.ljust(155, b"\0") + block[500:]
    return block[:148] + b"%06o\0 " % sum(block[:148] + b" " * 8 + block[156:]) + block[156:]


def in_blocks(content: bytes) -> bytes:
    """Fill up to whole blocks."""
    return content + bytes(-len(content) % 512)


def pax(**records: bytes) -> bytes:
    """Write an extended header; `__` in a key is a dot."""
    return extended(b"".join(record(key.replace("__", ".").encode(), value) for key, value in records.items()))


def record(key: bytes, value: bytes) -> bytes:
    """Write one record, which begins with its own length."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(str(length)) + len(rest):
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def extended(content: bytes, kind: bytes = b"x") -> bytes:
    """Write a header that says something of the next one."""
    return tar_header(b"././@PaxHeader", len(content), kind) + in_blocks(content)


def tar_member(member: Member) -> bytes:
    """Write a member, with an extended header for a name that does not fit."""
    plain = len(member.name) <= 100 and b"\0" not in member.name
    before = b"" if plain else pax(path=member.name)
    head = tar_header(member.name if plain else b"long", or_else(member.size, len(member.content)), member.kind)
    return before + head + in_blocks(member.content)


def tar_bytes(members: Iterable[Member | bytes], *, end: bytes = bytes(1024)) -> bytes:
    """Write a tar archive of members, or of blocks as they are."""
    return b"".join(m if isinstance(m, bytes) else tar_member(m) for m in members) + end


def archive(members: Iterable[Member], suffix: str) -> bytes:
    """Write the members as a zip, tar or tar in gzip."""
    if suffix == ".zip":
        return zip_bytes(members)
    plain = tar_bytes(members)
    return plain if suffix == ".tar" else gzip.compress(plain, 1, mtime=0)
