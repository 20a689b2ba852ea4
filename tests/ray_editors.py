"""Editors for the tests of `--executor ray`; each notes on which machine and in which process an edit was made."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkle_bench.errors import EditorError, OutOfMemory, Refused
from sparkle_bench.records import Effort, Sample


def note(path: Path, **facts: Any) -> None:
    """Append a line, whole."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(facts).encode() + b"\n")


def notes(path: Path) -> list[dict[str, Any]]:
    """Return what was noted."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def machine() -> str:
    """Return the machine of the cluster on which this runs."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


class Slow:
    """Copies the source after a while, in the actor itself."""

    def __init__(self, *, notes: Path, seconds: float = 0.0, kill: str = "", device: str = "") -> None:
        self.notes, self.seconds, self.kill, self.device = notes, seconds, kill.split(",") if kill else [], device

    def load(self) -> None:
        note(self.notes, load=os.getpid(), machine=machine(), gpu=os.environ.get("CUDA_VISIBLE_DEVICES"))

    def describe(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def declared(self) -> dict[str, Any]:
        return {"model": {"name": "Slow"}}

    def edit(self, sample: Sample, out: Path) -> Effort:
        note(self.notes, begins=sample.id, pid=os.getpid(), machine=machine())
        if sample.id in self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        out.write_bytes(sample.source_path.read_bytes())
        note(self.notes, sample=sample.id, pid=os.getpid(), machine=machine(), source=str(sample.source_path))
        return Effort(seconds=self.seconds, frames=12, aligned=True)


class Wide(Slow):
    """Edits three samples at once."""

    thread_safe = True
    at_once = 3


class Closing(Slow):
    """Takes a while to close."""

    def close(self) -> None:
        time.sleep(0.5)
        note(self.notes, closed=os.getpid())


class Full(Slow):
    """Finds the disk full, so many times at one of the samples."""

    incidental = ("seconds",)

    def __init__(self, *, notes: Path, sample: str, times: int, seconds: float = 0.0) -> None:
        super().__init__(notes=notes, seconds=seconds)
        self.sample, self.times = sample, times

    def edit(self, sample: Sample, out: Path) -> Effort:
        if sample.id == self.sample and sum("full" in line for line in notes(self.notes)) < self.times:
            note(self.notes, full=machine())
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().edit(sample, out)


class Heavy(Slow):
    """Makes one edit that is larger than a machine's object store."""

    def __init__(self, *, notes: Path, sample: str) -> None:
        super().__init__(notes=notes)
        self.sample = sample

    def edit(self, sample: Sample, out: Path) -> Effort:
        effort = super().edit(sample, out)
        if sample.id == self.sample:
            size = 90 << 20
            with out.open("ab") as file:  # a box that players skip
                file.write(size.to_bytes(4, "big") + b"free" + b"\x00" * (size - 8))
        return effort


class Own:
    """Copies the source in a process of its own."""

    own_process = True

    def __init__(self, *, notes: Path) -> None:
        self.notes = notes

    def edit(self, sample: Sample, out: Path) -> None:
        out.write_bytes(sample.source_path.read_bytes())
        note(self.notes, sample=sample.id, pid=os.getpid(), parent=os.getppid())


class Failing:
    """Fails in the ways of a model."""

    def __init__(self, *, notes: Path) -> None:
        self.notes = notes

    def edit(self, sample: Sample, out: Path) -> None:
        errors = {
            "location": EditorError("no such place"),
            "season": Refused("not this one"),
            "time": OutOfMemory("the GPU has 24 GB and this edit needs more"),
            "style": ValueError("no style"),
        }
        raise errors[sample.theme]


class Unloadable:
    """Cannot be loaded."""

    def __init__(self, *, notes: Path, how: str) -> None:
        self.notes, self.how = notes, how

    def load(self) -> None:
        if self.how == "raise":
            raise EditorError("the weights are not there: /models/w.safetensors")
        note(self.notes, load=os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)

    def edit(self, sample: Sample, out: Path) -> None:
        raise EditorError("it was never loaded")


class Masked(Slow):
    """Needs a folder that must be on every machine."""

    def __init__(self, *, notes: Path, masks: Path) -> None:
        super().__init__(notes=notes)
        self.masks = masks

    def prepare(self, samples: Sequence[Sample]) -> None:
        note(self.notes, prepared=len(samples), pid=os.getpid())
        if "actor" in self.masks.name and "ray::" in Path("/proc/self/cmdline").read_text(encoding="utf-8"):
            raise EditorError(f"there is no folder {self.masks.name}")
