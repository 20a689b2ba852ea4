"""What made a result: the package's version and the machine's hardware."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from sparkle_bench import __version__, nvidia


@functools.cache
def code_version() -> str:
    """Return the package's version, with the commit when it runs from a git checkout, `-dirty` if that was changed."""
    checkout = Path(__file__).parent.parent
    if not (checkout / ".git").exists():
        return __version__
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__}+g{commit}"


def hardware() -> dict[str, Any]:
    """Return what the edits are made on: system, processors, GPUs."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "gpus": [row[0] for row in nvidia.rows("--query-gpu=name") or ()],
    }
