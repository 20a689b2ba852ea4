"""A command watched from outside: seconds, processor seconds of it and its children, peak memory of the whole tree."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY_SECONDS = 0.05
DECODERS = ("libavcodec", "decord")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command went.

    Attributes:
        begun: When it was started, in seconds of `time.time`.
        seconds: From start to exit.
        cpu: Processor seconds of the process and the children it waited for.
        peak: Most memory of all its processes together, in MB (proportional set size, looked at every 50 ms).
        decoders: Whether a library that decodes video was loaded at any look.
        others: Share of all processors that everybody else used meanwhile; much above 0 spoils a measurement.
    """

    begun: float
    seconds: float
    cpu: float
    peak: float
    decoders: bool
    others: float


def run(command: Sequence[str | Path], cwd: Path) -> Ran:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; the message holds what it said.
    """
    with tempfile.TemporaryFile() as said:
        begun, busy = time.time(), _busy_seconds()
        process = subprocess.Popen(
            list(map(str, command)), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        )
        watch = _Watch(process.pid)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds, busy = time.time() - begun, _busy_seconds() - busy
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.stop.set()
        watch.join()
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command))}: {said.read().decode(errors='replace')[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Ran(
        begun=begun,
        seconds=seconds,
        cpu=cpu,
        others=max(0.0, busy - cpu) / (seconds * (os.cpu_count() or 1)),
        peak=watch.peak / 1024,
        decoders=watch.decoders,
    )


def _busy_seconds() -> float:
    """Return the seconds that all processors together have worked since the machine was started."""
    user, nice, system, _idle, _wait, irq, softirq = map(int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class _Watch(threading.Thread):
    """Looks at a process tree again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.stop, self.peak, self.decoders = pid, threading.Event(), 0, False

    def run(self) -> None:
        while not self.stop.wait(EVERY_SECONDS):
            pids = list(_tree(self.pid))
            self.peak = max(self.peak, sum(map(_kilobytes, pids)))
            self.decoders = self.decoders or any(map(_decodes, pids))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from _tree(int(child))


def _kilobytes(pid: int) -> int:
    """Return a process's share of memory, 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _decodes(pid: int) -> bool:
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False
    return any(name in maps for name in DECODERS)
