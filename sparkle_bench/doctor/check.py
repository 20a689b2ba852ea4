"""What is looked at and what is found; and a check's bounds: it cannot raise, and it cannot last."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sparkle_bench import workers
from sparkle_bench.errors import SparkleError, one_line

State = Literal["ok", "note", "lack"]
BENCH = Path("data/Sparkle-Bench")
HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to look at.

    Attributes:
        root: Where results are or will be.
        bench: The benchmark's folder.
        deep: Whether to probe every source video.
        judge_url: The judge's address; None if none is named.
        judge_model: The judge as its server names it; None if only one is served.
        api_key: The judge's key; never shown.
        judge_wrong: Why the address or the key cannot be used; None if nothing speaks against them.
        hub: The Hugging Face Hub's address.
        hub_off: Whether the Hub's client is told to stay offline.
        offline: Whether to ask nothing of the network.
        patience: Seconds for a check; those that load or read much get a multiple of it.
    """

    root: Path
    bench: Path = BENCH
    deep: bool = False
    judge_url: str | None = None
    judge_model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    judge_wrong: str | None = None
    hub: str = HUB
    hub_off: bool = False
    offline: bool = False
    patience: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found of one thing.

    Attributes:
        name: The thing.
        state: `ok`; `note`, good to know; `lack`, missing or broken.
        found: Versions, sizes, counts, or what is wrong.
        cure: A command or a sentence; None if nothing is lacking.
        required: Whether the demo and judging need it.
    """

    name: str
    state: State
    found: str
    cure: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The part of a `Check` that only looking can tell."""

    state: State
    text: str
    cure: str | None = None


def ok(text: str) -> Found:
    """Return that all is well."""
    return Found("ok", text)


def note(text: str, cure: str | None = None) -> Found:
    """Return what is good to know and in nobody's way."""
    return Found("note", text, cure)


def lack(text: str, cure: str) -> Found:
    """Return what is missing or broken."""
    return Found("lack", text, cure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A check to do.

    Attributes:
        name: The thing to look at.
        look: Looks at it.
        seconds: The time limit.
        cure: What helps if looking fails, or does not end in time.
        worst: The state it then has.
        required: Whether the demo and judging need the thing.
    """

    name: str
    look: Callable[[], Found]
    seconds: float
    cure: str
    worst: State = "lack"
    required: bool = False


def begin(job: Job) -> Callable[[], Check]:
    """Start a check in a thread of its own; return what waits for it, but no longer than its time limit.

    The thread is a daemon with a name that the command line knows: one that hangs is left behind when the process ends.
    """
    answers: queue.SimpleQueue[Found] = queue.SimpleQueue()
    deadline = time.monotonic() + job.seconds
    thread = threading.Thread(
        target=lambda: answers.put(_looked(job)), daemon=True, name=f"{workers.NAME}-doctor-{job.name}"
    )
    thread.start()

    def wait() -> Check:
        try:
            found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            found = Found(job.worst, f"no answer within {job.seconds:g} s", job.cure)
        return Check(name=job.name, state=found.state, found=found.text, cure=found.cure, required=job.required)

    return wait


def _looked(job: Job) -> Found:
    try:
        return job.look()
    except SparkleError as error:
        return Found(job.worst, str(error), job.cure)
    except Exception as error:  # a boundary: what breaks one check, however odd, must not hide the others
        return Found(job.worst, f"{type(error).__name__}: {one_line(error)}", job.cure)
