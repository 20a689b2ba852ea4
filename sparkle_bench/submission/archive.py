"""Archives taken apart with care: a zip, a tar or a tar in gzip, from anybody.

Only what a submission is made of is written: videos, manifests and the card. Names are checked in `archive_members.py`; what
is hostile, damaged or out of proportion is refused as a whole, in one line, with bounded memory, disk and time.
"""

from __future__ import annotations

from pathlib import Path

from sparkle_bench.errors import MachineError, SubmissionError, is_machine_trouble, one_line
from sparkle_bench.submission.archive_members import PACK_AGAIN, Limits, Scratch, Unpacked
from sparkle_bench.submission.archive_tar import header, unpack_tar
from sparkle_bench.submission.archive_zip import unpack_zip

__all__ = ["SUFFIXES", "Limits", "Unpacked", "is_archive", "unpack"]

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
FORMS = {".zip": "zip", ".tar": "tar", ".tar.gz": "gzip", ".tgz": "gzip"}
BEGINNINGS = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
"""How files of each form begin; a tar has no beginning of its own."""


def is_archive(path: Path) -> bool:
    """Whether a file is called like an archive that can be taken, in letters of any case."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(path: Path, into: Path, limits: Limits | None = None) -> Unpacked:
    """Write the videos, manifests and the card of an archive into a folder, under their own relative paths in NFC.

    Hidden files and those that macOS adds are passed over. When an archive is refused, what was written before stays in
    the folder: whoever made the folder removes it.

    Args:
        path: The archive.
        into: An empty folder.
        limits: How much it may cost, if not the usual.

    Raises:
        SubmissionError: The archive is hostile, damaged, too large or of another kind; the message names the member.
        MachineError: The folder is not empty, or its disk has no room.
    """
    limits = limits or Limits()
    name = one_line(path.name, limit=120)
    try:
        if not into.is_dir() or any(into.iterdir()):
            raise MachineError(f"{into} is no empty folder to unpack into; choose another")
        scratch = Scratch(into, limits)
        form = _form(path)
        if form == "zip":
            unpack_zip(path, scratch, limits)
        else:
            unpack_tar(path, scratch, limits, packed=form == "gzip")
    except SubmissionError as error:
        raise SubmissionError(f"{name}: {error}") from error
    except OSError as error:
        why = f"{name} cannot be unpacked: {one_line(error.strerror or error)}"
        if is_machine_trouble(error):
            raise MachineError(f"{why}; see to this machine and run again") from error
        raise SubmissionError(f"{why}; {PACK_AGAIN}") from error
    return scratch.unpacked()


def _form(path: Path) -> str:
    """Return what an archive is by its content, if that is what it is called."""
    suffix = next((suffix for suffix in sorted(SUFFIXES) if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise SubmissionError(f"no archive of this kind is taken; pack it again as one of {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise SubmissionError("there is no such file; check the path")
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise SubmissionError("it is an empty file; copy or download it again")
    form = next((form for beginning, form in BEGINNINGS.items() if head.startswith(beginning)), None) or _tar(head)
    if form == FORMS[suffix]:
        return form
    right = ", ".join(s for s, f in FORMS.items() if f == form)
    if right:
        raise SubmissionError(f"it is called {suffix} but is a {form} file inside; give it its right ending ({right})")
    raise SubmissionError(
        f"it is {f'a {form} file' if form else 'no archive'}; pack it again as one of {', '.join(SUFFIXES)}"
    )


def _tar(head: bytes) -> str | None:
    """Return `tar` for the first block of one."""
    if head[257:262] == b"ustar":
        return "tar"
    try:
        header(head)
    except SubmissionError:
        return None
    return "tar"
