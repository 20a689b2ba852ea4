"""How many bytes each clip of a bundle may have, and what its files are called. Pure but for a look at each file's index.

A clip needs no more than it has. Larger ones are brought down to one level, the highest at which all fit. Levels are steps,
so that a few more clips seldom move it and clips that were made stay good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sparkle_bench.bundle.clips import Content
from sparkle_bench.bundle.wish import Wish
from sparkle_bench.errors import StoreError
from sparkle_bench.video import shrink

LEAST = 60_000
"""Below this a clip of five seconds shows little."""
STEP = 1.1
MOST = 95_000_000
"""GitHub takes files of 100 MB."""
POSTER_SHARE = 6
LEAST_POSTER = 6_000
OTHER_CODEC = 2
"""H.264 needs about twice the bytes of newer codecs."""
LEAST_OF_OTHER_CODEC = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A clip of the bundle.

    Attributes:
        content: What it is made from.
        most_bytes: Of the clip.
        poster_bytes: Of the poster.
        stem: Of both files' paths in the bundle.
    """

    content: Content
    most_bytes: int
    poster_bytes: int
    stem: str

    @property
    def video(self) -> str:
        """The clip's path."""
        return f"{self.stem}.mp4"

    @property
    def poster(self) -> str:
        """The poster's path."""
        return f"{self.stem}.jpg"


def overhead(page_bytes: int, links: int) -> int:
    """Return how many bytes of a bundle are no videos: its pages, what names the videos, and what is written around them."""
    return page_bytes + 250 * links + 100_000


def shared(contents: Mapping[str, Content], budget: int, wish: Wish) -> dict[str, Name]:
    """Return what each file becomes, by hash.

    Args:
        contents: The files, by hash.
        budget: Bytes for all videos and posters.
        wish: Names the limit in an error.

    Raises:
        StoreError: They do not fit in any reasonable way.
    """
    if budget < 0:
        raise StoreError(f"the boards alone have more than {mega(wish.most_bytes)}; allow more with --bundle-size")
    wants = {sha256: _wants(content) for sha256, content in contents.items()}
    level = _level(list(wants.values()), budget)
    if level == 0:
        each = max(0, budget // len(contents)) // 1000
        raise StoreError(
            f"{len(contents)} videos do not fit in {mega(wish.most_bytes)}: that leaves {each} kB for each, and "
            f"{LEAST // 1000} kB at least are needed; choose fewer models (--models a,b) or samples (--theme, --only, "
            "--limit), allow more with --bundle-size, or do without with --bundle-videos none"
        )
    return {sha256: _named(sha256, contents[sha256], want, level) for sha256, want in wants.items()}


def level_of(contents: Mapping[str, Content], budget: int) -> int | None:
    """Return what the larger clips are brought down to, or None if none has to be."""
    wants = [_wants(content) for content in contents.values()]
    level = _level(wants, budget)
    return level if any(want > level for want in wants) else None


def mega(count: int) -> str:
    """Return a number of bytes in MB."""
    return f"{count / 1e6:,.0f} MB" if count >= 10_000_000 else f"{count / 1e6:.2g} MB"


def poster_bytes(clip: int) -> int:
    """Return how many bytes the poster of a clip of so many may have."""
    return min(shrink.POSTER_BYTES, max(LEAST_POSTER, clip // POSTER_SHARE))


def _wants(content: Content) -> int:
    """Return the bytes that a clip needs to keep its quality: its own, and a little for another index."""
    if shrink.may_stay(content.path):
        return min(MOST, content.bytes + content.bytes // 50 + 4096)
    return min(MOST, max(LEAST_OF_OTHER_CODEC, OTHER_CODEC * content.bytes))


def _level(wants: list[int], budget: int) -> int:
    """Return the highest level at which all fit, 0 if there is none."""
    levels = [LEAST]
    while levels[-1] < max(wants, default=0):
        levels.append(round(levels[-1] * STEP))
    for level in reversed(levels):
        shares = [min(want, level) for want in wants]
        if sum(shares) + sum(map(poster_bytes, shares)) <= budget:
            return level
    return 0


def _named(sha256: str, content: Content, want: int, level: int) -> Name:
    most = min(want, level)
    recipe = f"{sha256} {most} {poster_bytes(most)} {shrink.VERSION}"
    name = hashlib.sha256(recipe.encode()).hexdigest()[:24]
    return Name(content=content, most_bytes=most, poster_bytes=poster_bytes(most), stem=f"videos/{name[:2]}/{name}")
