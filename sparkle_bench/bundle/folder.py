"""The folder of a bundle: what a bundle wrote there may be replaced and removed, everything else is left alone.

The list of what is ours is written before the first file and again after the last one, so a bundle that was killed is known
as one, and the next run goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench import disk
from sparkle_bench.benchmark import is_inside
from sparkle_bench.errors import StoreError, listed, one_line

if TYPE_CHECKING:
    from sparkle_bench.bundle.wish import Wish
    from sparkle_bench.store import Store

LIST = ".sparkle-bundle.json"
LOCK = ".sparkle-bundle.lock"
FORMAT = 1
README = "README.md"
SHARED = frozenset({README, ".nojekyll"})
"""Files of a bundle that may be there before it, and then stay as they are."""
WELCOME = SHARED | {".git", ".github", ".gitignore", ".gitattributes", "CNAME", "LICENSE", LIST, LOCK}
"""What may lie in a folder before the first bundle: an empty repository's own files."""
_LEFT_OVER = re.compile(r"\.(?P<name>.+)\.\d+\.tmp(?:\.fits)?")


@dataclass(slots=True)
class Folder:
    """A bundle's folder, while one writes there.

    Attributes:
        root: The folder.
        ours: Paths of the files that bundles wrote here, with forward slashes.
        broken: Clips that could not be made, and why; they are not tried again.
        readme: Hash of the README as a bundle wrote it, since people change it.
    """

    root: Path
    ours: set[str] = field(default_factory=set)
    broken: dict[str, str] = field(default_factory=dict)
    readme: str = ""

    def place(self, path: str) -> Path:
        """Return where a file belongs; its folder is made."""
        place = self.root / path
        disk.make_folder(place.parent)
        return place

    def has(self, path: str) -> bool:
        """Whether a file is there and not empty; `begin` has refused those of others."""
        place = self.root / path
        return place.is_file() and place.stat().st_size > 0

    def known_broken(self, path: str) -> str | None:
        """Return why an earlier run could not make a clip, or None."""
        return self.broken.get(path)

    def begin(self, files: Iterable[str]) -> None:
        """Note what is going to be written.

        Raises:
            StoreError: Something else lies in the way.
        """
        planned = set(files)
        strange = sorted(path for path in planned - self.ours - SHARED if os.path.lexists(self.root / path))
        if strange:
            raise StoreError(
                f"{listed(strange)} in {self.root} is of no bundle and would be replaced; move it, or name another folder"
            )
        _check_links(self.root, planned | self.ours)
        self.ours |= planned
        self._note()

    def write(self, path: str, content: bytes) -> None:
        """Write a small file whole."""
        disk.write(self.root / path, content)

    def write_readme(self, content: bytes) -> None:
        """Write the README, unless somebody has changed it since."""
        place = self.root / README
        if not place.exists() or hashlib.sha256(place.read_bytes()).hexdigest() == self.readme:
            disk.write(place, content)
            self.readme = hashlib.sha256(content).hexdigest()

    def finish(self, files: Iterable[str], broken: Mapping[str, str]) -> int:
        """Remove what is ours and no longer wanted, and what killed runs left; return how many files of bundles went."""
        kept = set(files)
        gone = [path for path in sorted(self.ours - kept) if (self.root / path).is_file()]
        for path in gone:
            (self.root / path).unlink(missing_ok=True)
        folders = {(self.root / path).parent for path in self.ours}
        names = {Path(path).name for path in self.ours}
        for place in folders:
            _sweep(place, names)
        for place in sorted(folders, key=lambda path: -len(path.parts)):
            while place != self.root and self.root in place.parents:
                try:
                    place.rmdir()
                except OSError:  # not empty, or gone
                    break
                place = place.parent
        self.ours, self.broken = kept, dict(broken)
        self._note()
        return len(gone)

    def bytes(self) -> int:
        """Return the size of all that bundles wrote here."""
        paths = [self.root / path for path in (*self.ours, LIST)]
        return sum(path.stat().st_size for path in paths if path.is_file())

    def _note(self) -> None:
        data = {"format": FORMAT, "readme": self.readme, "broken": dict(sorted(self.broken.items()))}
        disk.write(self.root / LIST, disk.pretty({**data, "files": sorted(self.ours)}))


@contextmanager
def opened(store: Store, wish: Wish) -> Iterator[Folder]:
    """Give a bundle's folder to one writer at a time.

    Raises:
        StoreError: It is no place for a bundle, or holds other things, or another bundle is being written there.
    """
    root = wish.folder
    known = check(store, wish)
    disk.make_folder(root)
    with contextlib.ExitStack() as locks:
        try:
            locks.enter_context(disk.held(root / LOCK, wait=False))
        except disk.Busy as error:
            raise StoreError(f"another bundle is being written to {root}; wait for it") from error
        try:
            yield known or Folder(root=root)
        finally:
            with contextlib.suppress(OSError):
                (root / LOCK).unlink()


def check(store: Store, wish: Wish) -> Folder | None:
    """Return what a bundle noted in the folder, None if there is no note; nothing is written.

    Raises:
        StoreError: It is no place for a bundle, or holds other things.
    """
    root = wish.folder
    _check_place(store, wish)
    known = _known(root)
    if known is None and root.is_dir():
        others = sorted(path.name for path in root.iterdir() if path.name not in WELCOME)
        if others:
            raise StoreError(
                f"{root} is no bundle and holds {listed(others)}; name an empty folder, or one that holds a bundle"
            )
    return known


def _check_place(store: Store, wish: Wish) -> None:
    if wish.folder.exists() and not wish.folder.is_dir():
        raise StoreError(f"{wish.folder} is not a folder; name one for the bundle")
    here = wish.folder.resolve()
    taken = [*store.kept(), *([wish.bench] if wish.bench is not None else [])]
    for other in taken:
        there = other.resolve()
        if here.is_relative_to(there) or there.is_relative_to(here):
            raise StoreError(f"a bundle cannot lie in {other}, nor around it; name another folder")


def _known(root: Path) -> Folder | None:
    """Return what a bundle noted in its folder, None if there is no note.

    Raises:
        StoreError: The note is damaged.
    """
    try:
        data: dict[str, Any] | None = disk.read_json(root / LIST)
        if data is None:
            return None
        files, broken = data["files"], data["broken"]
        words = [*files, *broken, *broken.values(), data["readme"]]
        if data["format"] != FORMAT or not all(isinstance(word, str) for word in words):
            raise ValueError("of another version")
        if not all(path and is_inside(path) for path in files):
            raise ValueError("it names files outside")
    except (StoreError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise StoreError(
            f"{root / LIST} cannot be read ({one_line(error)}); remove the bundle's folder and make it again"
        ) from error
    return Folder(root=root, ours=set(files), broken=dict(broken), readme=str(data["readme"]))


def _check_links(root: Path, paths: Iterable[str]) -> None:
    """Refuse to write through a link that leads out of the folder."""
    real = root.resolve()
    for folder in sorted({(root / path).parent for path in paths}):
        if not folder.resolve().is_relative_to(real):
            raise StoreError(f"{folder} leads out of the bundle; remove that link")


def _sweep(folder: Path, names: set[str]) -> None:
    """Remove half-written files of runs that were killed."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        found = _LEFT_OVER.fullmatch(path.name)
        if found and (found["name"] in names or found["name"] == LIST):
            path.unlink(missing_ok=True)
