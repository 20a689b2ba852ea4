"""The places of the demo by name, and their moving scenes."""

from __future__ import annotations

from functools import lru_cache

from sparkle_bench.synthetic.sources import SOURCES
from sparkle_bench.synthetic.stage import Moving, Setting
from sparkle_bench.synthetic.targets import TARGETS

SETTINGS: dict[str, Setting] = SOURCES | TARGETS


@lru_cache(maxsize=32)
def scene(name: str) -> Moving:
    """Return the moving scene of a place; it is built once, since building takes as long as a whole clip of it."""
    return SETTINGS[name].build()
