"""What the shared road needs of one API: how to submit a job there, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sparkle_bench.editors.hosted.http import Host
from sparkle_bench.editors.hosted.jobs import Job
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Probe, Sample

MOST = 1e9
"""No job costs or takes so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a host says of a job.

    Attributes:
        phase: Whether it is under way or how it ended; `gone` if the host knows it no longer.
        url: Where its video is.
        words: The host's, on how it ended.
        cost: In US dollars, if it tells.
    """

    phase: Literal["waiting", "done", "failed", "refused", "gone"]
    url: str = ""
    words: str = ""
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is submitted: a sample, and its source as the host calls it."""

    sample: Sample
    source: str


class Provider(Protocol):
    """One API.

    Attributes:
        called: What messages call it.
        homes: Where its key may go.
        refusal: What its words hold if it will not make an edit by its rules.
    """

    called: str
    homes: tuple[str, ...]
    refusal: re.Pattern[str]

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers of every request."""
        ...

    def wire(self) -> dict[str, Any]:
        """Return what goes along with every order and decides what comes out; it goes on record."""
        ...

    def upload(self, host: Host, sample: Sample) -> str:
        """Take a source to the host, and return what it is called there."""
        ...

    def submit(self, host: Host, order: Order) -> object:
        """Submit a job by `Host.order`, once, and return its name."""
        ...

    def look(self, host: Host, job: str) -> State:
        """Ask how a job is."""
        ...

    def find(self, host: Host, job: Job, sample: Sample) -> list[str]:
        """Return the names of all jobs that an order of unknown fate may have become; none if the host cannot tell."""
        ...

    def cost(self, made: Probe) -> float | None:
        """Return what a finished job cost, in US dollars, if the host does not tell but its prices do."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a host is dealt with; nothing of it changes what comes out but `retime`.

    Attributes:
        url: Of the API.
        timeout: Seconds for which a job is waited for.
        poll: Seconds between two looks at a job, at first.
        resubmit: Whether a job that was refused, is lost, or may have been taken, is submitted again.
        retime: Whether an edit is brought to the source's frames by time.
    """

    url: str
    timeout: float
    poll: float
    resubmit: bool = False
    retime: bool = False

    def __post_init__(self) -> None:
        for name in ("timeout", "poll"):
            if not 0 < getattr(self, name) <= 86_400:
                raise EditorError(f"option {name}={getattr(self, name)} is no number of seconds")


def of(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object inside a host's answer; an empty one if there is none."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def amount(value: object) -> float | None:
    """Return a number of a host's answer that can be a sum or a time; None if it cannot."""
    return float(value) if type(value) in (int, float) and 0 <= value < MOST else None  # type: ignore[operator, arg-type]
