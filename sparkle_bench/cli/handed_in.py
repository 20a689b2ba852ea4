"""What is handed in, wherever it lies: a folder, a manifest, an archive, a data set of the Hub."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sparkle_bench.editors.folder import Folder

PREFIX, LOCK = "sparkle-bench-", ".lock"
"""How folders for archives begin, and how the file beside one ends that tells that it is in use."""

path = click.argument("path")
scratch = click.option(
    "--scratch",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where archives are unpacked, for as long as the command runs.  [default: results/.cache]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """Where to look.

    Attributes:
        path: A folder, or a manifest.
        called: What the user called it, without the folders above it.
        foreign: Whether it came out of an archive or from the Hub: a manifest may name no file outside.
        ours: Whether it was unpacked by us and goes away afterwards.
    """

    path: Path
    called: str
    foreign: bool = False
    ours: bool = False

    def editor(self) -> Folder:
        """Return the editor that takes its videos."""
        from sparkle_bench.editors.folder import Folder

        if self.foreign:
            return Folder.fetched(self.path, called=self.called, ours=self.ours)
        return Folder(path=self.path)


@contextmanager
def opened(text: str, scratch: Path) -> Iterator[HandedIn]:
    """Yield what is handed in; what was unpacked for it is removed when the block is left.

    Raises:
        BadParameter: There is no such thing.
        SubmissionError: An archive is refused.
        MachineError: The disk has no room for it.
    """
    from sparkle_bench import download
    from sparkle_bench.submission.layout import is_video
    from sparkle_bench.submission.manifest import SUFFIXES

    if text.startswith(download.HUB):
        address = download.parse_address(text)
        click.echo(f"fetching {text}", err=True)
        yield HandedIn(
            path=download.submission(address.repo, revision=address.revision), called=address.repo, foreign=True
        )
        return
    given = Path(text)
    if is_video(given.name) and given.is_file():
        raise click.BadParameter(f"{text!r} is a single video; hand in its folder")
    if given.is_file() and given.suffix.lower() not in SUFFIXES:
        with _unpacked(given, scratch) as folder:
            yield HandedIn(path=folder, called=given.name, foreign=True, ours=True)
        return
    if not given.exists():
        raise click.BadParameter(
            f"no folder, archive or manifest at {text!r}; a data set of the Hub is hf://owner/name"
        )
    yield HandedIn(path=given, called=given.resolve().name)


@contextmanager
def _unpacked(given: Path, scratch: Path) -> Iterator[Path]:
    """Yield the folder with what is in an archive, and remove it."""
    from sparkle_bench import disk
    from sparkle_bench.errors import listed
    from sparkle_bench.submission import archive

    made = [folder for folder in (scratch, *scratch.parents) if not folder.exists()]
    disk.make_folder(scratch)
    _remove_leftovers(scratch)
    name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    folder, lock = scratch / name, scratch / f"{name}{LOCK}"
    try:
        with disk.held(lock):  # before there is a folder, so that no other run takes it for a leftover
            disk.make_folder(folder)
            try:
                click.echo(f"unpacking {given.name}", err=True)
                found = archive.unpack(given, folder)
                if found.others:
                    what = listed(list(found.left_out))
                    click.echo(f"note: {found.others} other files are left out: {what}", err=True)
                yield folder
            finally:
                _remove(folder, lock)
    finally:
        with contextlib.suppress(OSError):  # one that holds something by now stays
            for empty in made:
                empty.rmdir()


def _remove(folder: Path, lock: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        lock.unlink()


def _remove_leftovers(scratch: Path) -> None:
    """Remove what a killed run has left, told by its lock being free."""
    from sparkle_bench import disk

    for lock in scratch.glob(f"{PREFIX}*{LOCK}"):
        with contextlib.suppress(disk.Busy, OSError), disk.held(lock, wait=False):
            _remove(lock.with_name(lock.name.removesuffix(LOCK)), lock)


def room(given: Mapping[str, Any]) -> Path:
    """Return where archives are unpacked."""
    from sparkle_bench.store import Store

    folder: Path = given.get("scratch") or Store(root=given["root"]).unpacked()
    return folder


def result_name(found: HandedIn) -> str:
    """Return what a result is called if the user does not say."""
    from sparkle_bench.store import slug

    if found.foreign:
        from sparkle_bench.submission import archive

        name = found.called
        for suffix in archive.SUFFIXES:
            name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
        return slug(name)
    where = found.path.resolve()
    return slug((where if where.is_dir() else where.parent).name)
