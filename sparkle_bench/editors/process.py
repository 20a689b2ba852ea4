"""Running another program to its end: without a shell, its last words kept, its memory measured, and nothing of it left.

A launcher such as torchrun gives its workers sessions of their own, which a signal to the program's group does not reach.
So every call carries a mark in its environment, which children inherit, and by which Linux tells whose they are.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sparkle_bench import nvidia
from sparkle_bench.errors import EditorError, one_line

MARK = "SPARKLE_BENCH_CALL"
KEPT_BYTES = 64 * 1024
"""Of what was printed; torchrun prints a page of its own after the error that matters."""
LAST_WORDS = 600
GPU_SECONDS = 1.0
"""Between two looks at the GPU."""
_PROC = Path("/proc")
_CAUSE = re.compile(r"^(?:\[[^\]]*\]:? ?)*((?:\w+\.)*\w*(?:Error|Exception): .*)$", re.MULTILINE)
_LAUNCHERS = ("ChildFailedError", "CalledProcessError")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to run.

    Attributes:
        words: The program and its arguments.
        timeout: Seconds after which it is ended.
        cwd: Its working directory; None for ours.
        environment: Variables to set beside those that we have.
    """

    words: Sequence[str]
    timeout: float
    cwd: Path | None = None
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended.

    Attributes:
        code: The exit code, negative for a signal; None when time ran out.
        printed: The end of what it printed.
        seconds: How long it ran.
        host_memory: Most bytes that one of its processes held, as far as it waited for them; None if that is not known.
            Never less than what our own process held when it started the program: the system counts so.
        gpu_memory: Most bytes of GPU memory that all of its processes held at a time; None if that is not known.
    """

    code: int | None
    printed: str
    seconds: float
    host_memory: int | None
    gpu_memory: int | None

    @property
    def tail(self) -> str:
        """Its last words on one line; the error that matters comes first if a launcher's report has buried it."""
        last = one_line(self.printed, limit=KEPT_BYTES)[-LAST_WORDS:] or "it printed nothing"
        causes = [cause for cause in _CAUSE.findall(self.printed) if not any(name in cause for name in _LAUNCHERS)]
        cause = one_line(causes[-1]) if causes else ""
        return last if cause[:100] in last else f"{cause} … {last}"


class Programs:
    """The programs that one editor runs; threads may share it."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def run(self, start: Start) -> Ended:
        """Run a program to its end, or to the end of its time; what it has started ends with it.

        Raises:
            EditorError: It cannot start, or the run was stopped.
        """
        mark, begun = uuid.uuid4().hex, time.monotonic()
        with tempfile.TemporaryFile() as log, _gpu(mark) as peak:
            process = self._started(start, mark, log)
            memory = None
            try:
                memory = _wait(process, begun + start.timeout)
            finally:
                in_time = process.returncode is not None
                _end(process, mark)
                with self._lock:
                    del self._running[mark]
            if self._closed:
                raise EditorError("the run was stopped")
            return Ended(
                code=process.returncode if in_time else None,
                printed=_end_of(log),
                seconds=time.monotonic() - begun,
                host_memory=memory,
                gpu_memory=peak[0],
            )

    def _started(self, start: Start, mark: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        program = start.words[0]
        if "=" in program:
            raise EditorError(f"a program whose path holds `=` cannot be run: {program}")
        # `env` sets variables, so that ours need not be read here.
        variables = {**(start.environment or {}), MARK: mark}
        words = ["env", *(f"{name}={value}" for name, value in variables.items()), *start.words]
        with self._lock:
            if self._closed:
                raise EditorError("the run was stopped")
            if not is_program(program, start.cwd):
                raise EditorError(f"the command {program!r} cannot start: there is no such program")
            try:
                process = subprocess.Popen(
                    words,
                    cwd=start.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise EditorError(f"the command {program!r} cannot start: {error.strerror}") from error
            self._running[mark] = process
        return process

    def close(self) -> None:
        """End every program that is still running; none starts after this."""
        with self._lock:
            self._closed = True
            for mark, process in self._running.items():
                _kill(process, mark)


def is_program(name: str, cwd: Path | None = None) -> bool:
    """Whether a program can be started by this name, from this working directory."""
    return shutil.which(str((cwd or Path()) / name) if "/" in name else name) is not None


def _wait(process: subprocess.Popen[bytes], deadline: float) -> int | None:
    """Wait for a program and return its peak memory; its `returncode` stays None when time runs out."""
    pause = 0.005
    while process.returncode is None and time.monotonic() < deadline:
        found, status, usage = os.wait4(process.pid, os.WNOHANG)
        if found:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return None


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """Kill what is left of a program and see it off."""
    _kill(process, mark)
    _wait(process, time.monotonic() + 30)


def _kill(process: subprocess.Popen[bytes], mark: str) -> None:
    for _ in range(3):  # what is killed may have started something just before
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        left = family(mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return


def family(mark: str) -> list[int]:
    """Return the processes that carry a mark; none where the system has no `/proc`."""
    sign, found = f"{MARK}={mark}".encode(), []
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if sign in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


@contextlib.contextmanager
def _gpu(mark: str) -> Iterator[list[int | None]]:
    """Measure the GPU memory of a program in the meantime; the one item of the list is its peak so far."""
    peak: list[int | None] = [None]
    if shutil.which(nvidia.PROGRAM) is None:
        yield peak
        return
    over = threading.Event()

    def look() -> None:
        while not over.wait(GPU_SECONDS):
            used = _gpu_memory(family(mark))
            peak[0] = max(used, peak[0] or 0) if used is not None else peak[0]

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield peak
    finally:
        over.set()


def _gpu_memory(pids: Sequence[int]) -> int | None:
    """Return the bytes of GPU memory that processes hold; None if the driver knows none of them, as in a container."""
    used = [
        int(row[1]) << 20
        for row in nvidia.rows("--query-compute-apps=pid,used_memory") or ()
        if len(row) == 2 and row[0].isdigit() and row[1].isdigit() and int(row[0]) in pids
    ]
    return sum(used) if used else None


def _end_of(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - KEPT_BYTES))
    return log.read().decode(errors="replace")
