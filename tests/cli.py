"""Running the command line in a process of its own, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "sparkle_bench")


def start(*words: str | Path, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a command and return the process."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SPARKLE_JUDGE_")} | environment
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*words: str | Path, cwd: Path, timeout: float = 120.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    process = start(*words, cwd=cwd, **environment)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
