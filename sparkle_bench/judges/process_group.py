"""Ending a process with everything that it started: a group of its own, as `start_new_session` makes one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

STOP_SECONDS = 20.0
REST_SECONDS = 5.0
POLL_SECONDS = 0.1


def end(process: subprocess.Popen[bytes], patience: float = STOP_SECONDS) -> None:
    """End a process that leads a group, and all that it started.

    SIGTERM goes to the leader alone, so that it ends the others in order. If it has not ended after so many seconds of
    patience, or others are left `REST_SECONDS` after it, SIGKILL ends them. A second Ctrl-C meanwhile kills all at once.
    """
    gone = False
    try:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
        ended = process.poll() is not None
        gone = (ended and _gone_within(process, REST_SECONDS)) or _killed_in_order(process)
    finally:
        if not gone:
            _kill(os.killpg, process.pid)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


def _killed_in_order(process: subprocess.Popen[bytes]) -> bool:
    """Kill all but Python's resource tracker: it frees the others' shared memory, hundreds of MiB in /dev/shm, and ends."""
    for pid in members(process.pid):
        if not _is_resource_tracker(pid):
            _kill(os.kill, pid)
    return _gone_within(process, REST_SECONDS)


def _gone_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.poll() is None or members(process.pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _kill(send: Callable[[int, int], None], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(number, signal.SIGKILL)


def members(group: int) -> list[int]:
    """Return the processes of a group that still run; the dead that nobody reaped do not count.

    Without Linux's /proc only the group's number is known: it stands for all of them while one is left.
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [group]
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # The name, in parentheses, may hold blanks; state, parent and group follow it.
            state, _, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


def _is_resource_tracker(pid: int) -> bool:
    with suppress(OSError):
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
