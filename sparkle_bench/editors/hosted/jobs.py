"""What was ordered of a host for one sample, kept beside the video to come: `.ID.job.json`.

An entry is written before a job is submitted (`intended`), again once the host has given it a name (`submitted`), and at
its end. So a run that was killed anywhere in between is gone on with, and one that was killed while the host may have
taken the order is told from one that was not. Entries are by the hash of all that decides what comes out: another
instruction, source or option never takes up another's job.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from sparkle_bench import disk
from sparkle_bench.errors import StoreError

FORMAT = 1
NOTES = ".*.job.json"
Status = Literal["intended", "submitted", "done", "failed", "refused", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One order.

    Attributes:
        request: Hash of provider, model, options, instruction and source.
        provider: Who hosts the model.
        model: As the host calls it.
        status: How far it is: about to be submitted, submitted, or ended in one of four ways. `gone` means that the host
            knows it no longer.
        intended: When it was about to be submitted, in seconds since 1970.
        submitted: When the host had taken it, likewise; None if that is not known.
        id: The host's name for it; None until then.
        seconds: From submission to end, if that was watched.
        cost: In US dollars, if known.
        words: What the host said of it, on one line.
        instruction: Hash of the instruction, which is all that a host's list of jobs tells of one.
    """

    request: str
    provider: str
    model: str
    status: Status
    intended: float
    submitted: float | None = None
    id: str | None = None
    seconds: float | None = None
    cost: float | None = None
    words: str = ""
    instruction: str = ""

    @property
    def named(self) -> str:
        """What to call it in a message."""
        return f"job {self.id}" if self.id else "a job"


class Book:
    """The orders of one sample, on disk. One thread works on a sample at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, request: str) -> Job | None:
        """Return the order with this hash.

        Raises:
            StoreError: The file is damaged. It is not thrown away: it may hold the name of a job that was paid for.
        """
        return self._read().get(request)

    def put(self, job: Job) -> Job:
        """Write an order down; on return it is on disk, also should the power fail."""
        self._write({**self._read(), job.request: job})
        return job

    def drop(self, job: Job) -> None:
        """Forget an order that was not taken."""
        self._write({name: kept for name, kept in self._read().items() if name != job.request})

    def others(self, request: str, edit_path: str) -> list[Job]:
        """Return all orders but one: this sample's, and those of every result that lies beside this one's.

        Args:
            request: The hash of the order that is left out.
            edit_path: The edit's place in its result. An edit that lies elsewhere has only its folder beside it.

        Raises:
            StoreError: A file is damaged, so that nobody knows whose jobs it names.
        """
        own = [job for job in self._read().values() if job.request != request]
        beside = set(self._beside(PurePosixPath(edit_path).parent.parts)) - {self._path.absolute()}
        return own + [job for path in sorted(beside) for job in Book(path)._read().values()]

    def _beside(self, place: tuple[str, ...]) -> Iterator[Path]:
        folder = self._path.parent.absolute()
        if folder.parts[-len(place) :] != place or len(folder.parents) < len(place) + 2:
            return folder.glob(NOTES)
        videos = folder.parents[len(place) - 1]
        return videos.parent.parent.glob("/".join(["*", videos.name, *("*" for _ in place), NOTES]))

    def _read(self) -> dict[str, Job]:
        data = disk.read_json(self._path)
        if data is None:
            return {}
        try:
            jobs = [_job(item) for item in data["jobs"]]
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{self._path.name} is damaged; it may hold the name of a job that was paid for: restore it, or remove it"
            ) from error
        return {job.request: job for job in jobs}

    def _write(self, jobs: Mapping[str, Job]) -> None:
        disk.write(self._path, disk.pretty({"format": FORMAT, "jobs": [_data(job) for job in jobs.values()]}))
        with contextlib.suppress(OSError):  # where a folder cannot be synced, as on Windows
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _data(job: Job) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(job).items() if value not in (None, "")}


def _job(data: Mapping[str, Any]) -> Job:
    job = Job(**data)
    if job.status not in get_args(Status) or (job.status in ("submitted", "done", "gone") and not job.id):
        raise ValueError(job.status)
    return job
