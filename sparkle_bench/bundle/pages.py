"""The pages of a bundle: those of `leaderboards/`, with scripts of their own that say where the videos are."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sparkle_bench import leaderboard
from sparkle_bench.bundle.clips import Clip
from sparkle_bench.bundle.folder import SHARED
from sparkle_bench.bundle.shares import Name
from sparkle_bench.errors import StoreError
from sparkle_bench.report.assets import MEDIA, details_of
from sparkle_bench.report.media import Bundled as Linked
from sparkle_bench.report.media import Places, media

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board
    from sparkle_bench.store import Store

VIDEOS = "videos"
KINDS = frozenset({".html", ".css", ".js", ".svg", ".png", ".csv", ".json", ".md", ".tex", ".pdf"})
README = """---
title: {title}
emoji: 🎬
colorFrom: indigo
colorTo: green
sdk: static
app_file: index.html
pinned: false
---

# {title}

Made by `sparkle-bench leaderboard --bundle`: a static site that needs no server. Open `index.html`.

The same command brings it up to date. This file may be changed; it is then left as it is.

- GitHub Pages: commit everything, with `.nojekyll`, and publish the branch.
- A static Space of the Hugging Face Hub: `hf upload <user>/<space> . --repo-type space`.

The videos are the works of others. Sources and edits may be published only by who has the right to: the sources of
Sparkle-Bench are derived from OpenVE-3M and keep the licences of their origins, and edits may be bound by the terms of the
model that made them.
"""


def collect(store: Store, boards: Sequence[Board]) -> dict[str, bytes]:
    """Return all pages, tables and figures, by their path in the bundle; `media_scripts` gives what is still empty.

    Raises:
        StoreError: A board's files are not there, or its name is one of a bundle's own.
    """
    own = {name.lower() for name in (*SHARED, VIDEOS, "index.html")}
    for board in boards:
        if board.benchmark.lower() in own:
            raise StoreError(f"a benchmark called {board.benchmark!r} cannot be put into a bundle; rename it")
    index = store.boards_index()
    root = index.parent
    places = {path.relative_to(root).as_posix(): path for path in _linked(index)}
    for board in boards:
        folder = store.board_dir(board.benchmark, board.judge_key)
        details = [details_of(row.entry.model) for row in board.rows]
        for name in (*leaderboard.FILES, *details):
            if (folder / name).is_file():
                places[(folder / name).relative_to(root).as_posix()] = folder / name
    found = {}
    try:
        for name, path in sorted(places.items()):
            if name not in SHARED:
                found[name] = path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    return {**found, **{_media_path(board): b"" for board in boards}}


def media_scripts(boards: Sequence[Board], clips: Sequence[Clip], there: Mapping[str, Name]) -> dict[str, bytes]:
    """Return the script of each board that says which videos are in the bundle, by its path.

    Args:
        boards: The boards.
        clips: The videos that they speak of.
        there: What became of a video, by the hash of its file.
    """
    scripts = {}
    for board in boards:
        models: dict[str, dict[str, str]] = {}
        sources: dict[str, str] = {}
        shown = {row.entry.model for row in board.rows}
        for clip in clips:
            if clip.benchmark != board.benchmark or clip.sha256 not in there:
                continue
            path = f"../../{there[clip.sha256].video}"
            if clip.model is None:
                sources[clip.sample_id] = path
            elif clip.model in shown:
                models.setdefault(clip.model, {})[clip.sample_id] = path
        links = Linked(sources=sources, models=models)
        scripts[_media_path(board)] = media(Places(models=list(models), bundle=links))
    return scripts


def _media_path(board: Board) -> str:
    return f"{board.benchmark}/{board.judge_key}/{MEDIA}"


def readme(boards: Sequence[Board]) -> bytes:
    """Return the README, with the head that a static Space needs."""
    names = sorted({board.benchmark for board in boards})
    title = "Leaderboards" if len(names) != 1 else f"Leaderboards of {names[0]}"
    return README.format(title=title).encode()


class _Links(HTMLParser):
    """Notes what a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link."""
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def _linked(index: Path) -> Iterator[Path]:
    """Yield the page of all boards and every file beside it that can be reached from there by links."""
    root, queue, seen = index.parent, [index.name], {index.name}
    while queue:
        name = queue.pop()
        path = root / name
        if path.suffix not in KINDS or not path.is_file() or path.is_symlink():
            continue
        yield path
        if path.suffix != ".html":
            continue
        links = _Links()
        links.feed(path.read_text(encoding="utf-8", errors="replace"))
        for link in links.found:
            inner = _inner(name, link)
            if inner is not None and inner not in seen:
                seen.add(inner)
                queue.append(inner)


def _inner(page: str, link: str) -> str | None:
    """Return the path of a relative link that stays in the folder, or None."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    target = unquote(parts.path)
    if parts.scheme or parts.netloc or not target or target.startswith("/") or "\0" in target:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
    return None if path.startswith("..") or path == "." else path
