"""What the stand-ins share: they take another project's flags, behave as it does, and "edit" by turning colours round."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from sparkle_bench import video
from sparkle_bench.video.frames import frames


def read(path: str | Path) -> list[Any]:
    """Return a clip's frames, turned round."""
    return [255 - picture for picture in frames(Path(path))]


def write(path: str | Path, pictures: list[Any], *, fps: float) -> None:
    """Write a video as these projects do."""
    video.write(Path(path), pictures, fps=fps, crf=12, preset="veryfast")


def note(**said: Any) -> None:
    """Note what arrived, for the test to look at."""
    with Path(os.environ["STANDIN_JOURNAL"]).open("a", encoding="utf-8") as journal:
        journal.write(json.dumps({"words": sys.argv[1:], "pid": os.getpid(), **said}) + "\n")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
