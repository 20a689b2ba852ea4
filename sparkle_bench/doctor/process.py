"""Programs, and Python code that may crash or hang, run to their end or to a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sparkle_bench.errors import MachineError, one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended.

    Attributes:
        code: Its exit code; negative for a signal.
        out: What it printed.
        err: What it printed as errors.
    """

    code: int
    out: str
    err: str

    @property
    def why(self) -> str:
        """Its last words, for one that failed."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        how = f"signal {-self.code}" if self.code < 0 else f"code {self.code}"
        return f"{how}: {one_line(lines[-1], limit=200)}" if lines else how


def run(words: Sequence[str], seconds: float) -> Ended:
    """Run a program, and end it with all that it started when its time is over.

    Raises:
        MachineError: It took longer.
        OSError: It cannot start.
    """
    process = subprocess.Popen(
        list(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        _let_go(process)
        raise MachineError(f"gave no answer within {seconds:g} s") from error
    return Ended(code=process.returncode, out=out, err=err)


def _let_go(process: subprocess.Popen[str]) -> None:
    """Wait a moment for a killed program and close its pipes; one that hangs in the kernel or has left its group stays."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=1.0)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def python(code: str, seconds: float) -> Any:
    """Run Python code in a process that finds the modules we would find; return its last line, read as JSON.

    Raises:
        MachineError: It crashed, failed or took longer.
    """
    ended = run([sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"], seconds)
    if ended.code != 0:
        raise MachineError(f"breaks down ({ended.why})")
    try:
        return json.loads(ended.out.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise MachineError("gives no answer") from error
