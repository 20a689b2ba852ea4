"""Where a pipeline's weights are, and what tells them from others on record."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench.errors import EditorError, one_line
from sparkle_bench.submission import card

INDEX = "model_index.json"
"""What a pipeline's folder holds: its class, and the library and class of each of its parts."""
PIECES, PIECE = 64, 64 * 1024
COVERS = (
    f"the names and sizes of all files, all bytes of those up to {PIECES * PIECE >> 20} MiB, and {PIECES} pieces of "
    f"{PIECE >> 10} KiB, evenly spaced from the first to the last byte, of those that are larger"
)
"""What a fingerprint is made of: all of 30 GB would take minutes to read before every run."""
MOST_LETTERS = 100
"""Of a declared name."""
_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where a pipeline's weights are.

    Attributes:
        place: A folder, or an id on the Hub.
        revision: Of the Hub's repository: a commit, a tag or a branch.
    """

    place: str
    revision: str | None = None

    @property
    def folder(self) -> Path | None:
        """The folder, if it is one."""
        path = Path(self.place).expanduser()
        return path if path.is_dir() else None

    @property
    def called(self) -> str:
        """What they are called on record: the Hub's id, or a folder's name, never its path."""
        if self.is_of_hub:
            return self.place
        return Path(self.place).expanduser().resolve().name

    @property
    def is_of_hub(self) -> bool:
        """Whether they are an id on the Hub."""
        return self.folder is None and _HUB.fullmatch(self.place) is not None

    def declared(self, said: card.Card, default: str | None) -> card.Card:
        """Return what is declared of a model with these weights.

        Args:
            said: What is declared of it with the weights that it usually has.
            default: Which these are.

        Returns:
            Of another model on the Hub its id alone, for nothing that was said need be true of it. A folder may hold the
            usual weights; nobody can tell.
        """
        if not self.is_of_hub or self.place == default:
            return said
        link = f"https://huggingface.co/{self.place}"
        model = card.Model(name=self.called[:MOST_LETTERS], link=link if len(self.place) <= MOST_LETTERS else None)
        return dataclasses.replace(said, model=model, training=card.Training())

    def check(self) -> None:
        """Refuse what is neither a pipeline's folder nor an id.

        Raises:
            EditorError: It is not.
        """
        if self.folder is not None:
            index(self.folder)
            if self.revision is not None:
                raise EditorError(f"{self.called} is a folder, which has no revision; leave the option out")
        elif not _HUB.fullmatch(self.place):
            raise EditorError(
                f"there is no folder {self.called}; --option model_path= is a pipeline's folder or an id on the Hub"
            )

    def record(self, folder: Path) -> dict[str, str]:
        """Return what goes on record of weights that were loaded from a folder: its own, or the Hub's cache."""
        if self.folder is None and _COMMIT.fullmatch(folder.name):
            return {"name": self.called, "commit": folder.name}
        return {"name": self.called, "sha256": fingerprint(folder, parts(folder)), "sha256_covers": COVERS}


def index(folder: Path) -> dict[str, Any]:
    """Return what a pipeline's folder says of itself.

    Raises:
        EditorError: It is no pipeline's.
    """
    try:
        data = json.loads((folder / INDEX).read_bytes())
    except OSError as error:
        raise EditorError(
            f"the folder {folder.resolve().name} is no pipeline of diffusers: it has no {INDEX} that can be read"
        ) from error
    except ValueError as error:
        raise EditorError(f"{INDEX} of {folder.resolve().name} is no JSON: {one_line(error)}") from error
    if not isinstance(data, dict):
        raise EditorError(f"{INDEX} of {folder.resolve().name} is no table")
    return data


def classes(folder: Path) -> dict[str, str]:
    """Return the class of each part that a pipeline's folder names; a part that is left out has none."""
    spec = {name: part for name, part in index(folder).items() if not name.startswith("_")}  # the rest is of the whole
    found = {name: part for name, part in spec.items() if isinstance(part, list) and len(part) == 2}
    return {name: part[1] for name, part in found.items() if isinstance(part[1], str)}


def parts(folder: Path) -> set[str]:
    """Return the names in a pipeline's folder from which it is loaded; licences and pictures beside them are none."""
    return {INDEX, *classes(folder)}


def fingerprint(folder: Path, names: Collection[str] | None = None) -> str:
    """Return a hash (sha256, hexadecimal) of what is in a folder; `COVERS` says of what.

    Args:
        folder: The folder.
        names: Which of its files and folders; None for all. What is hidden is left out.
    """
    files = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    value = hashlib.sha256()
    for name in sorted(files):
        if names is None or name.split("/")[0] in names:
            value.update(f"{name}\0{files[name].stat().st_size}\0".encode())
            _add(value, files[name])
    return value.hexdigest()


def _add(value: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= PIECES * PIECE:
            value.update(file.read())
            return
        for number in range(PIECES):
            file.seek(number * (size - PIECE) // (PIECES - 1))
            value.update(file.read(PIECE))
