"""What is asked of a bundle, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sparkle_bench.benchmark import Selection

DEFAULT_BYTES = 900_000_000
"""GitHub Pages takes a site of 1 GB."""


class Telling(Protocol):
    """Is told how far the work is."""

    def start(self, total: int) -> None:
        """So many clips have to be made."""

    def step(self, *, ok: bool) -> None:
        """One more is done; whether it could be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What goes into a bundle.

    Attributes:
        folder: Where it is written.
        bench: The benchmark's folder, for the sources; None if it is not here.
        models: The models whose edits are wanted; none named means all.
        selection: The samples whose videos are wanted.
        videos: Whether videos are wanted at all.
        most_bytes: The whole bundle has no more.
        workers: So many clips are made at once.
    """

    folder: Path
    bench: Path | None = None
    models: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    videos: bool = True
    most_bytes: int = DEFAULT_BYTES
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A video that is here but not in the bundle.

    Attributes:
        model: Whose edit; None for a source.
        sample_id: Of which sample.
        why: One line.
    """

    model: str | None
    sample_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """What a bundle holds.

    Attributes:
        folder: Where it is.
        boards: How many.
        clips: Sources and edits that can be seen in it.
        videos: Files that they are; equal ones are one file. Each has its poster.
        made: Those of them that were not there before.
        left_out: Videos that are here but could not be taken.
        absent: Videos that are wanted and not here.
        level: The bytes that a larger clip was brought down to; None if none had to be.
        bytes: Of all files together.
        removed: Files of an earlier bundle that are gone.
    """

    folder: Path
    boards: int
    clips: int
    videos: int
    made: int
    left_out: tuple[LeftOut, ...]
    absent: int
    level: int | None
    bytes: int
    removed: int
