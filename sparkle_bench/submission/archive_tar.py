"""Tar archives, plain or in gzip, taken apart in one pass.

The standard library reads each header block; what lies between them is read here and not by `tarfile`, which holds a long
name, the list of a sparse file or the list of all members in memory, of whatever size the archive says, and on older Pythons
spends hours on a hostile extended header (CVE-2024-6232) or never ends on a negative size (CVE-2025-8194).
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from sparkle_bench.errors import SubmissionError
from sparkle_bench.submission.archive_members import (
    BLOCK,
    PACK_AGAIN,
    Limits,
    Scratch,
    bomb,
    damaged,
    refused,
    too_much,
)

MOST_EXTENDED = 1 << 20
"""Bytes of an extended header: a long name, or attributes."""
CHUNK = 1 << 16
"""Packed bytes that are read at once."""
FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
LONG_NAME, LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
PAX, PAX_GLOBAL = tarfile.XHDTYPE, tarfile.XGLTYPE


class Stream(Protocol):
    """Bytes that can be read once."""

    def read(self, count: int, /) -> bytes:
        """Return so many bytes, or fewer at the end."""

    def next_member(self) -> None:
        """Take note that a member begins."""


class Plain:
    """A file as it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read

    def next_member(self) -> None:
        """Do nothing: what is not packed cannot grow."""


class Inflated:
    """A gzip file unpacked on the way; it ends with an error once it grows beyond the limits."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._streams = 1
        self._inflate = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._taken = self._given = 0
        self._taken_before = self._given_before = 0

    def next_member(self) -> None:
        """Count the ratio anew, beside that of the whole."""
        self._taken_before, self._given_before = self._taken, self._given

    def read(self, count: int, /) -> bytes:
        """Return so many bytes, or fewer at the end.

        Raises:
            SubmissionError: The file is damaged, or grows too much.
        """
        pieces = []
        try:
            while count > 0 and (piece := self._piece(count)):
                pieces.append(piece)
                count -= len(piece)
        except zlib.error as error:
            raise damaged(error) from error
        return b"".join(pieces)

    def _piece(self, most: int) -> bytes:
        """Return some bytes, none only at the end."""
        while True:
            if self._inflate.eof and not self._goes_on():
                return b""
            if not self._waiting and not self._fill():
                raise damaged("the gzip stream has no end")
            data = self._inflate.decompress(self._waiting, most)
            self._waiting = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            self._count(len(data))
            if data:
                return data

    def _fill(self) -> bool:
        self._waiting = self._file.read(CHUNK)
        self._taken += len(self._waiting)
        return bool(self._waiting)

    def _goes_on(self) -> bool:
        """Whether another gzip stream follows, behind zeros, as parallel packers write them."""
        self._waiting = self._waiting.lstrip(b"\0")
        while not self._waiting:
            if not self._fill():
                return False
            self._waiting = self._waiting.lstrip(b"\0")
        self._streams += 1
        if self._streams > 1000 + self._taken // 1024:
            raise SubmissionError(f"the archive is a great many tiny gzip streams; {PACK_AGAIN}")
        self._inflate = zlib.decompressobj(wbits=31)
        return True

    def _count(self, size: int) -> None:
        self._given += size
        # What was read ahead before the member began may belong to it.
        packed = self._taken - self._taken_before + CHUNK
        if self._limits.is_bomb(self._given - self._given_before, packed):
            raise bomb(self._limits)
        if self._limits.is_bomb(self._given, self._taken):
            raise bomb(self._limits)
        if self._given > self._limits.total_bytes:
            raise too_much(self._limits)


def unpack_tar(path: Path, scratch: Scratch, limits: Limits, *, packed: bool) -> None:
    """Write the files of interest.

    Args:
        path: The archive.
        scratch: Where to.
        limits: How much it may cost.
        packed: Whether it is in gzip.

    Raises:
        SubmissionError: The archive is refused.
        MachineError: The disk has no room for it.
    """
    with path.open("rb") as file:
        _Reader(Inflated(file, limits) if packed else Plain(file), scratch, limits).run()


def header(block: bytes) -> tarfile.TarInfo | None:
    """Return what a header block says, or None for the zeros at the end.

    Raises:
        SubmissionError: It is no header.
    """
    if not block.strip(b"\0") and len(block) == tarfile.BLOCKSIZE:
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise damaged(f"no tar header where one should be: {error}") from error


class _Reader:
    """One pass over a tar archive."""

    def __init__(self, stream: Stream, scratch: Scratch, limits: Limits) -> None:
        self._stream = stream
        self._scratch = scratch
        self._limits = limits
        self._headers = 0
        self._said: dict[bytes, bytes] = {}

    def run(self) -> None:
        """Read to the end."""
        while (info := header(self._stream.read(tarfile.BLOCKSIZE))) is not None:
            self._headers += 1
            if self._headers > 4 * self._limits.entries:
                raise SubmissionError(f"the archive has more than {self._headers - 1} headers; pack the videos alone")
            if info.type in (LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL):
                self._extend(info)
            else:
                self._member(info)
                self._said = {}
        while block := self._stream.read(BLOCK):
            if block.strip(b"\0"):
                raise SubmissionError("the archive goes on behind its end, as two joined ones do; make one of them")

    def _extend(self, info: tarfile.TarInfo) -> None:
        """Take note of what a header says of the next member."""
        if not 0 <= info.size <= MOST_EXTENDED:
            raise refused(info.name, f"has an extended header of {info.size} bytes", PACK_AGAIN)
        data = b"".join(self._content(info.size))
        if info.type == LONG_NAME:
            self._said[b"path"] = data.rstrip(b"\0")
        elif info.type == PAX:
            self._said |= pax(data)
        elif info.type == PAX_GLOBAL and pax(data):
            raise refused(info.name, "gives one name or size to all members", PACK_AGAIN)

    def _member(self, info: tarfile.TarInfo) -> None:
        name = info.name
        if b"path" in self._said:
            name = self._said[b"path"].decode("utf-8", "surrogateescape")
        if info.isdir() and not name.endswith("/"):
            name += "/"
        _check_kind(name, info, sparse=b"sparse" in self._said)
        size = self._size(name, info)
        target = self._scratch.admit(name, folder=info.isdir())
        if info.isdir():
            return
        self._stream.next_member()
        if target is not None:
            self._scratch.write(target, size, self._content(size))
        else:
            for _ in self._content(size):
                pass

    def _size(self, name: str, info: tarfile.TarInfo) -> int:
        text = self._said.get(b"size")
        if text is None and info.size >= 0:
            return info.size
        if text is None or not text.isdigit() or len(text) > 20:
            raise refused(name, "has a size that is no number", PACK_AGAIN)
        return int(text)

    def _content(self, size: int) -> Iterator[bytes]:
        """Yield a member's bytes and read over what fills its last block."""
        left = size
        while left > 0:
            data = self._stream.read(min(left, BLOCK))
            if not data:
                raise damaged("it ends in the middle of a member")
            left -= len(data)
            yield data
        filling = -size % tarfile.BLOCKSIZE
        if len(self._stream.read(filling)) != filling:
            raise damaged("it ends in the middle of a member")


def pax(data: bytes) -> dict[bytes, bytes]:
    """Return what an extended header says of a member's path and size, and whether it is sparse.

    Each record is `length key=value` and a line break, the length that of the whole record.

    Raises:
        SubmissionError: It is damaged.
    """
    said = {}
    start = 0
    while start < len(data) and data[start]:
        space = data.find(b" ", start, start + 20)
        length = data[start : max(space, start)]
        end = start + int(length) if length.isdigit() else 0
        if not space < end <= len(data) or data[end - 1 : end] != b"\n":
            raise damaged("an extended header is no list of records")
        key, _, value = data[space + 1 : end - 1].partition(b"=")
        if key in (b"path", b"size"):
            said[key] = value
        elif key.startswith(b"GNU.sparse."):
            said[b"sparse"] = b""
        start = end
    return said


def _check_kind(name: str, info: tarfile.TarInfo, *, sparse: bool) -> None:
    """Refuse what is no plain file or folder."""
    if info.issym() or info.islnk():
        raise refused(name, "is a link", "pack the files that links point to (tar -h --hard-dereference)")
    if info.isdev():
        raise refused(name, "is no file or folder but a device or pipe", "leave it out and pack again")
    if sparse or info.type == tarfile.GNUTYPE_SPARSE:
        raise refused(name, "is sparse", "pack again without tar's -S")
    if not (info.type in FILES or info.isdir()):
        raise refused(name, f"is of an unknown kind ({info.type!r})", "pack again with plain tar")
