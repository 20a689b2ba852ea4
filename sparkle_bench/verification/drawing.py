"""Which samples are looked at again: a random part of each theme, the same for the same seed. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from sparkle_bench.records import Sample


def subset(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """Return `count` samples drawn at random, each theme in proportion, whatever the order in which they come.

    They come in random order too: the first few of them are a fair part again, if the rest is never reached.
    """
    themes: dict[str, list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: _drawn(seed, sample.id)):
        themes.setdefault(sample.theme, []).append(sample)
    shares = {theme: count * len(found) / len(samples) for theme, found in themes.items()}
    taken = {theme: math.floor(share + 1e-9) for theme, share in shares.items()}
    for theme in sorted(themes, key=lambda theme: (taken[theme] - shares[theme], _drawn(seed, theme))):
        if sum(taken.values()) < min(count, len(samples)):
            taken[theme] += 1
    drawn = [sample for theme, found in themes.items() for sample in found[: taken[theme]]]
    return sorted(drawn, key=lambda sample: _drawn(seed, sample.id))


def _drawn(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
