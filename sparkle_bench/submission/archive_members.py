"""What of an archive is written, and where: every name and size is checked before a byte of a member is written.

Names come from strangers. One that any common file system would read in another way than the others (an absolute one, a
drive, `..`, a backslash, an invisible character) is refused rather than mended, and so are two names that macOS or Windows
would take for one file.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkle_bench.errors import MachineError, SubmissionError, one_line, printable
from sparkle_bench.submission.layout import CARD, MANIFESTS, is_video
from sparkle_bench.submission.manifest import LONGEST_PART
from sparkle_bench.submission.manifest import MOST_BYTES as MOST_TEXT_BYTES
from sparkle_bench.video import MAX_BYTES

LONGEST_NAME = 1000
"""Bytes of a member's whole name: with the scratch folder before it, it still is a path that Linux takes."""
DEEPEST = 32
"""So many folders may lie in one another."""
MOST_NAMED = 100
"""So many of the files that are left out are named."""
BLOCK = 1 << 20
"""Bytes that are in memory at once."""
PACK_AGAIN = "pack the archive again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an archive may cost.

    Attributes:
        entries: Files and folders in it, left out or not.
        ratio: Bytes unpacked for each byte packed, of a member and of the whole.
        small: Bytes unpacked below which the ratio is not looked at, since text and empty folders pack well.
        video_bytes: Of one video.
        text_bytes: Of one manifest or card.
        total_bytes: Of everything in it.
        reserve: Bytes of the disk that stay free.
    """

    entries: int = 20_000
    ratio: int = 100
    small: int = 8 << 20
    video_bytes: int = MAX_BYTES
    text_bytes: int = MOST_TEXT_BYTES
    total_bytes: int = 64 << 30
    reserve: int = 1 << 30

    def is_bomb(self, unpacked: int, packed: int) -> bool:
        """Whether so few bytes became so many."""
        return unpacked > self.small and unpacked > self.ratio * packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: How many were written.
        bytes: Of all of them together.
        left_out: The first hundred names of other files; hidden files and those of macOS are not among them.
        others: How many other files there were.
    """

    files: int
    bytes: int
    left_out: tuple[str, ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A name as it is spelled, in bytes since twenty thousand of them are held, and whether it is a folder's."""

    spelled: bytes
    folder: bool

    def __str__(self) -> str:
        return shown(self.spelled.decode())


def shown(name: str) -> str:
    """Return a member's name for a message: short, on one line, with nothing invisible in it."""
    return printable(f"'{name}'" if name.isprintable() else repr(name), limit=120)


def refused(name: str, why: str, cure: str) -> SubmissionError:
    """Return the error that names a member, what is wrong with it and what to do."""
    return SubmissionError(f"the member {shown(name)} {why}; {cure}")


def damaged(why: object) -> SubmissionError:
    """Return the error for an archive that cannot be read to its end."""
    return SubmissionError(f"the archive is damaged or cut off ({one_line(why, limit=150)}); {PACK_AGAIN}")


def bomb(limits: Limits, name: str = "") -> SubmissionError:
    """Return the error for what unpacks to too much."""
    what = f"the member {shown(name)}" if name else "the archive"
    return SubmissionError(
        f"{what} unpacks to more than {limits.ratio} times its size, which no video does; {PACK_AGAIN}"
    )


def parts(name: str) -> list[str]:
    """Return the parts of a member's name, `.` left out, as they are spelled.

    Raises:
        SubmissionError: The name is not one that is safe on every file system.
    """
    found = [part for part in name.split("/") if part not in ("", ".")] if len(name) <= LONGEST_NAME else [name]
    if any("\ud800" <= char <= "\udfff" for char in name):
        raise refused(name, "has a name that is not UTF-8", "rename it and pack again")
    if _is_long(found):
        raise refused(name, "has a name that is too long for a file system", "shorten it and pack again")
    if any(unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") for char in name):
        raise refused(name, "has a control or invisible character in its name", "rename it and pack again")
    if "\\" in name:
        raise refused(name, "has a backslash in its name", "pack with '/' between folders")
    if name.startswith("/") or re.match(r"[A-Za-z]:", found[0] if found else ""):
        raise refused(name, "has an absolute path", "pack from inside the folder, with relative paths")
    if ".." in found:
        raise refused(name, "leads out of the archive's folder ('..')", "pack from inside the folder")
    return found


def _is_long(found: list[str]) -> bool:
    """Whether a name is too long as it is or in NFC, which can be twice as long; marks without end are never put in order."""
    sizes = [len(part.encode()) for part in found]
    if sum(sizes) > LONGEST_NAME or len(found) > DEEPEST:
        return True
    return (
        max((*sizes, *(len(unicodedata.normalize("NFC", part).encode()) for part in found)), default=0) > LONGEST_PART
    )


def _same(part: str) -> str:
    """Return what is equal for two names that some file system takes for one.

    macOS folds letter case and canonical forms, Windows letter case and a dot or space at the end. The compatibility form
    goes further (a full-width letter is a letter), since two names that look alike are of no use to anybody.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", part).casefold())
    return folded.rstrip(". ") or folded


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


class Scratch:
    """The folder that an archive is unpacked into, and what was seen of the archive so far."""

    def __init__(self, into: Path, limits: Limits) -> None:
        """Begin with an empty folder."""
        self._into = into
        self._limits = limits
        self._seen: dict[bytes, _Seen] = {}
        self._entries = 0
        self._files = 0
        self._bytes = 0
        self._named: list[str] = []
        self._others = 0

    def admit(self, name: str, *, folder: bool) -> str | None:
        """Take note of a member.

        Returns:
            The relative path where it belongs, in NFC, or None if it is a folder or a file of no interest.

        Raises:
            SubmissionError: Its name is unsafe, or collides with another's; or there are too many members.
        """
        self._entries += 1
        spelled = parts(name)
        if not spelled and not folder:
            raise refused(name, "has no name", PACK_AGAIN)
        if name.endswith("/") and not folder:
            raise refused(name, "is both a file and a folder", PACK_AGAIN)
        self._register(name, spelled, folder=folder)
        if max(self._entries, len(self._seen)) > self._limits.entries:
            raise SubmissionError(
                f"the archive holds more than {self._limits.entries} files and folders; pack the videos alone"
            )
        if folder or any(map(_is_hidden, spelled)):
            return None
        if is_video(spelled[-1]) or spelled[-1].lower() in (*MANIFESTS, CARD):
            return unicodedata.normalize("NFC", "/".join(spelled))
        self._others += 1
        if len(self._named) < MOST_NAMED:
            self._named.append("/".join(spelled))
        return None

    def _register(self, name: str, spelled: list[str], *, folder: bool) -> None:
        """Remember a member and the folders above it; refuse what another file system would mix up."""
        key = b""
        for depth, part in enumerate(spelled, 1):
            key = hashlib.blake2b(_same(part).encode(), key=key, digest_size=16).digest()
            here = _Seen(spelled="/".join(spelled[:depth]).encode(), folder=folder or depth < len(spelled))
            known = self._seen.setdefault(key, here)
            if known.spelled != here.spelled:
                raise refused(
                    name, f"differs from {known} only in letter case or Unicode form", "rename one and pack again"
                )
            if known.folder != here.folder:
                raise refused(name, f"needs {known} as both a file and a folder", PACK_AGAIN)
            if known is not here and not here.folder:
                raise refused(name, "is there twice", PACK_AGAIN)

    def check(self, name: str, size: int) -> None:
        """Refuse a file that is too large by what its header says.

        Raises:
            SubmissionError: It is.
        """
        most = self._limits.video_bytes if is_video(name) else self._limits.text_bytes
        if size > most:
            cure = "a lower bit rate will do" if is_video(name) else "it should hold names alone"
            raise refused(name, f"has {size} bytes; at most {most} are read", cure)

    def check_room(self, size: int) -> None:
        """Refuse what will not fit.

        Raises:
            SubmissionError: More than any archive may hold.
            MachineError: More than the disk can take.
        """
        if self._bytes + size > self._limits.total_bytes:
            raise too_much(self._limits)
        free = shutil.disk_usage(self._into).free
        if free - self._limits.reserve < size:
            raise MachineError(
                f"{self._into} has {free >> 20} MB free and unpacking takes {max(size >> 20, 1)} MB, with "
                f"{self._limits.reserve >> 20} MB to spare; make room or choose another scratch folder"
            )

    def write(self, name: str, size: int, blocks: Iterator[bytes]) -> None:
        """Write a file that was admitted, never more than `size` bytes of it.

        Args:
            name: Where, as `admit` returned it.
            size: What the archive says of its size.
            blocks: Its content.

        Raises:
            SubmissionError: It is too large, or its content is not of the size that was said.
            MachineError: The disk has no room for it.
        """
        self.check(name, size)
        self.check_room(size)
        path = self._into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with path.open("xb") as file:
            for block in blocks:
                written += len(block)
                if written > size:
                    break
                file.write(block)
        if written != size:
            raise refused(name, f"is not of the {size} bytes that the archive says", PACK_AGAIN)
        self._files += 1
        self._bytes += written

    def unpacked(self) -> Unpacked:
        """Return what was written and what was not."""
        return Unpacked(files=self._files, bytes=self._bytes, left_out=tuple(self._named), others=self._others)


def too_much(limits: Limits) -> SubmissionError:
    """Return the error for an archive that is too large as a whole."""
    return SubmissionError(f"the archive unpacks to more than {limits.total_bytes} bytes; a lower bit rate will do")
