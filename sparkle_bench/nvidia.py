"""What `nvidia-smi` tells of this machine's NVIDIA GPUs; whoever wants to know something asks here."""

from __future__ import annotations

import subprocess

PROGRAM = "nvidia-smi"
SECONDS = 20.0
"""A cold `nvidia-smi` on a machine with eight GPUs takes several seconds."""


def rows(query: str, *, program: str = PROGRAM, seconds: float = SECONDS) -> list[list[str]] | None:
    """Return the cells of each row that answers a query such as `--query-gpu=name`; none if the driver fails.

    Sizes are in MiB, without a unit; a figure that cannot be had is `[N/A]`.

    Returns:
        None if the program cannot be run, or hangs.
    """
    try:
        words = [program, query, "--format=csv,noheader,nounits"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = done.stdout if done.returncode == 0 else ""
    return [[cell.strip() for cell in line.split(",")] for line in told.splitlines() if line.strip()]
