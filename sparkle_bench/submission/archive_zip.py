"""Zip archives taken apart: everything is checked from the directory at the end before the first file is written.

The directory may lie. What is read is bounded by it (`zipfile` reads no more of a member than is said), and what is said is
bounded by the archive's own size, since members that share bytes are refused.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sparkle_bench.errors import SubmissionError
from sparkle_bench.submission.archive_members import (
    BLOCK,
    PACK_AGAIN,
    Limits,
    Scratch,
    bomb,
    damaged,
    refused,
)

MOST_DIRECTORY = 8 << 20
"""Bytes of the directory: twenty thousand entries with long names take five million."""
HEADER = 30
"""Bytes before a member's name and content."""
UTF8 = 0x800
ENCRYPTED = 0x1 | 0x40 | 0x2000
"""Flags of a member: encrypted, strongly encrypted, and with a hidden directory entry."""
TAKEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
    IndexError,
    KeyError,
)
"""What `zipfile` raises on rubbish; `RuntimeError` is the base of `NotImplementedError`."""


class _Bounded:
    """A file that refuses to be read in large pieces.

    `zipfile` reads the whole directory at once, of whatever size the archive says, and makes an object of each entry; so a
    large one, or one with too many entries, is refused while it is read.
    """

    def __init__(self, file: BinaryIO, entries: int) -> None:
        self._file = file
        self._entries = entries
        self.listing = True
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, count: int | None = -1, /) -> bytes:
        """Read as a file does, unless it is too much.

        Raises:
            SubmissionError: It is.
        """
        if count is None or not 0 <= count <= MOST_DIRECTORY:
            count = MOST_DIRECTORY + 1
        data = self._file.read(count)
        if len(data) > MOST_DIRECTORY or (self.listing and data.count(b"PK\1\2") > self._entries):
            raise SubmissionError(
                f"the archive's list of files is too long, for more than {self._entries} files; pack the videos alone"
            )
        return data


def unpack_zip(path: Path, scratch: Scratch, limits: Limits) -> None:
    """Write the files of interest.

    Raises:
        SubmissionError: The archive is refused.
        MachineError: The disk has no room for it.
    """
    with path.open("rb") as file:
        bounded = _Bounded(file, limits.entries)
        try:
            with zipfile.ZipFile(bounded) as archive:
                bounded.listing = False
                members = archive.infolist()
                wanted = _checked(members, path.stat().st_size, scratch, limits)
                scratch.check_room(sum(member.file_size for member in wanted.values()))
                for name, member in wanted.items():
                    scratch.write(name, member.file_size, _content(archive, member))
        except BROKEN as error:
            raise damaged(error) from error


def _checked(
    members: list[zipfile.ZipInfo], archive_bytes: int, scratch: Scratch, limits: Limits
) -> dict[str, zipfile.ZipInfo]:
    """Return the members to write by the path where they belong, once all of them are seen to be harmless."""
    wanted = {}
    for member in members:
        name = _name(member)
        _check_kind(name, member)
        target = scratch.admit(name, folder=_is_folder(member))
        if target is not None:
            scratch.check(name, member.file_size)
            wanted[target] = member
        if limits.is_bomb(member.file_size, member.compress_size):
            raise bomb(limits, name)
    total = sum(member.file_size for member in members)
    if limits.is_bomb(total, archive_bytes):
        raise bomb(limits)
    _check_apart(members, archive_bytes)
    return wanted


def _name(member: zipfile.ZipInfo) -> str:
    """Return a member's name as it stands, not as `zipfile` has mended it; many tools write UTF-8 and do not say so."""
    name = member.orig_filename
    if member.flag_bits & UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except ValueError:
        return name


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.orig_filename.endswith("/") or stat.S_ISDIR(member.external_attr >> 16)


def _check_kind(name: str, member: zipfile.ZipInfo) -> None:
    """Refuse what is no plain file or folder, or cannot be read."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise refused(name, "is a link", "pack the files that links point to (zip without -y)")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused(name, "is no file or folder but a device or pipe", "leave it out and pack again")
    if member.flag_bits & ENCRYPTED:
        raise refused(name, "is encrypted", "pack again without a password")
    if member.compress_type not in TAKEN:
        raise refused(name, f"is compressed by method {member.compress_type}", "use plain zip (stored or deflated)")


def _check_apart(members: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    """Refuse members that share bytes, or lie outside the file: a few bytes could be unpacked many times."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < 0:
            raise damaged("a member begins before the archive")
        if member.header_offset < end:
            raise refused(_name(member), "shares its bytes with another member", PACK_AGAIN)
        end = member.header_offset + HEADER + len(member.orig_filename) + member.compress_size
        if end > archive_bytes:
            raise damaged("a member ends behind the archive's end")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as file:
        while block := file.read(BLOCK):
            yield block
