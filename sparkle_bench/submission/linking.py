"""Putting near misses into place: a link with the right name beside the file, which itself stays as it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sparkle_bench import disk
from sparkle_bench.errors import SubmissionError
from sparkle_bench.submission.near import NearMiss


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What was put into place.

    Attributes:
        links: Relative paths of the new links, and to what each points.
        left: Near misses left as they are, for something else may be meant.
    """

    links: tuple[tuple[str, str], ...]
    left: tuple[NearMiss, ...]


def link(base: Path, near: Iterable[NearMiss]) -> Linked:
    """Link every sure near miss to the place where it should be.

    Raises:
        SubmissionError: A link cannot be made.
    """
    links: list[tuple[str, str]] = []
    left: list[NearMiss] = []
    for miss in near:
        place = base / miss.place
        dead = place.is_symlink() and not place.exists()
        if not miss.sure or (os.path.lexists(place) and not dead):
            left.append(miss)
            continue
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if dead:
                place.unlink()
            _point(place, base / miss.path)
        except OSError as error:
            raise SubmissionError(f"cannot make {miss.place} in {base}: {error.strerror}") from error
        links.append((miss.place, miss.path))
    return Linked(links=tuple(links), left=tuple(left))


def _point(place: Path, file: Path) -> None:
    """Make a relative link, or where links are forbidden (as on Windows) a hard one, or a copy."""
    with contextlib.suppress(OSError):
        place.symlink_to(os.path.relpath(file, place.parent))
        return
    disk.second_name(file, place)
