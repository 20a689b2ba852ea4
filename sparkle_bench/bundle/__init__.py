"""A folder to publish: all boards with the videos that they speak of, within a limit, with relative links alone.

    <folder>/index.html                          all boards
    <folder>/<benchmark>/<judge-key>/…           a board as in leaderboards/, but for page/media.js
    <folder>/videos/ab/<name>.mp4, <name>.jpg    a clip and its poster; named after the file that it was made from and the
                                                 bytes that it may have, so that boards and models share it and no name of
                                                 a stranger becomes a file's
    <folder>/README.md, .nojekyll                what a Space of the Hub and GitHub Pages want
    <folder>/.sparkle-bundle.json                what a bundle wrote here, and so may replace and remove

A clip that is there is not made again. Whatever else lies in the folder is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkle_bench import workers
from sparkle_bench.bundle import clips, pages, shares
from sparkle_bench.bundle.clips import Clip, Content
from sparkle_bench.bundle.folder import SHARED, Folder, check, opened
from sparkle_bench.bundle.wish import DEFAULT_BYTES, Bundled, LeftOut, Telling, Wish
from sparkle_bench.errors import VideoError
from sparkle_bench.video import shrink

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board
    from sparkle_bench.store import Store

__all__ = ["DEFAULT_BYTES", "Bundled", "LeftOut", "Telling", "Wish", "bundle", "check"]


def bundle(store: Store, boards: Sequence[Board], wish: Wish, telling: Telling | None = None) -> Bundled:
    """Write a bundle of boards that were rebuilt before, or bring one up to date.

    Args:
        store: Where the results and boards lie.
        boards: As `leaderboard.rebuild` gave them.
        wish: What goes where.
        telling: Is told of every clip that has to be made.

    Raises:
        StoreError: The folder holds other things, or is no place for a bundle; a name is unknown; the limit is too low.
        BenchmarkError: A theme or sample is unknown.
        MachineError: This machine cannot write the videos.
    """
    with opened(store, wish) as folder:
        with store.rebuilding():
            texts = pages.collect(store, boards)
        gathered = clips.gather(store, boards, wish)
        budget = wish.most_bytes - shares.overhead(sum(map(len, texts.values())), len(gathered.clips) * len(boards))
        named = shares.shared(gathered.contents, budget, wish)
        files = [path for name in named.values() for path in (name.video, name.poster)]
        folder.begin([*texts, *SHARED, *files])
        made, spoilt = _make(folder, named, (wish, telling))
        there = {sha256: name for sha256, name in named.items() if sha256 not in spoilt}
        texts |= pages.media_scripts(boards, gathered.clips, there)
        for path, text in texts.items():
            folder.write(path, text)
        folder.write_readme(pages.readme(boards))
        folder.write(".nojekyll", b"")  # else GitHub leaves out what begins with an underscore
        left_out = [*gathered.left_out, *(_left_out(clip, spoilt) for clip in gathered.clips if clip.sha256 in spoilt)]
        files = [path for name in there.values() for path in (name.video, name.poster)]
        broken = {named[sha256].video: why for sha256, why in spoilt.items()}
        removed = folder.finish([*texts, *SHARED, *files], broken)
        return Bundled(
            folder=wish.folder,
            boards=len(boards),
            clips=sum(clip.sha256 in there for clip in gathered.clips),
            videos=len(there),
            made=made,
            left_out=tuple(left_out),
            absent=gathered.absent,
            level=shares.level_of(gathered.contents, budget) if gathered.contents else None,
            bytes=folder.bytes(),
            removed=removed,
        )


def _make(
    folder: Folder, named: dict[str, shares.Name], how: tuple[Wish, Telling | None]
) -> tuple[int, dict[str, str]]:
    """Make the clips that are not there; return how many, and why others cannot be made, by hash."""
    wish, telling = how
    spoilt = {sha256: why for sha256, name in named.items() if (why := folder.known_broken(name.video))}
    missing = [
        sha256
        for sha256, name in named.items()
        if sha256 not in spoilt and not (folder.has(name.video) and folder.has(name.poster))
    ]
    if telling is not None:
        telling.start(len(missing))

    def make(sha256: str) -> list[tuple[str, str | None]]:
        return [(sha256, _made(folder, named[sha256]))]

    for sha256, why in workers.stream(missing, make, workers=wish.workers):
        if why is not None:
            spoilt[sha256] = why
        if telling is not None:
            telling.step(ok=why is None)
    return sum(sha256 not in spoilt for sha256 in missing), spoilt


def _made(folder: Folder, name: shares.Name) -> str | None:
    """Make one clip and its poster; return what is wrong with it, or None."""
    video, poster = folder.place(name.video), folder.place(name.poster)
    content: Content = name.content
    try:
        if not folder.has(name.video):
            shrink.shrink(content.path, video, most_bytes=name.most_bytes)
        shrink.poster(video, poster, most_bytes=name.poster_bytes)
    except VideoError as error:
        return str(error)
    return None


def _left_out(clip: Clip, spoilt: dict[str, str]) -> LeftOut:
    return LeftOut(model=clip.model, sample_id=clip.sample_id, why=spoilt[clip.sha256])
