"""Which videos a bundle holds: the edits and sources of the chosen models and samples that are on this machine.

Paths in `results/` are strangers' words. An edit is taken only from its model's folder, and only if it is the file that was
judged; a source only if it is the one that the result speaks of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkle_bench import workers
from sparkle_bench.benchmark import Benchmark, is_inside, select, suggestion
from sparkle_bench.bundle.wish import LeftOut, Wish
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import StoreError, one_line

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board
    from sparkle_bench.records import Sample
    from sparkle_bench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video that a board speaks of.

    Attributes:
        benchmark: The board's.
        model: Whose edit it is; None for a source.
        sample_id: Of which sample.
        path: Where it is on this machine.
        sha256: The hash that it must have, hexadecimal.
    """

    benchmark: str
    model: str | None
    sample_id: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file, whatever it stands for.

    Attributes:
        path: One place where it lies.
        bytes: Its size.
    """

    path: Path
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The videos of a bundle.

    Attributes:
        clips: In the boards' order.
        contents: What they are made from, by hash.
        left_out: Those that are here but are not what they should be.
        absent: How many are not here.
    """

    clips: tuple[Clip, ...]
    contents: dict[str, Content]
    left_out: tuple[LeftOut, ...]
    absent: int


def gather(store: Store, boards: Sequence[Board], wish: Wish) -> Gathered:
    """Return the videos that are wanted and here.

    Raises:
        StoreError: A model stands on no board, or a result is damaged.
        BenchmarkError: A theme or sample is unknown.
    """
    _check_models(boards, wish)
    if not wish.videos:
        return Gathered(clips=(), contents={}, left_out=(), absent=0)
    wanted = list(_wanted(store, boards, wish))
    clips: list[Clip] = []
    contents: dict[str, Content] = {}
    left_out: list[LeftOut] = []
    absent = 0
    hashes = store.hashes()
    checked = workers.stream(wanted, lambda clip: [(clip, _check(clip, hashes))], workers=wish.workers)
    found = {(clip.model, clip.benchmark, clip.sample_id): state for clip, state in checked}
    hashes.save()
    for clip in wanted:
        state = found[clip.model, clip.benchmark, clip.sample_id]
        if state is None:
            absent += 1
        elif isinstance(state, str):
            left_out.append(LeftOut(model=clip.model, sample_id=clip.sample_id, why=state))
        else:
            clips.append(clip)
            contents.setdefault(clip.sha256, state)
    return Gathered(clips=tuple(clips), contents=contents, left_out=tuple(left_out), absent=absent)


def _check_models(boards: Sequence[Board], wish: Wish) -> None:
    known = sorted({row.entry.model for board in boards for row in board.rows})
    for model in wish.models:
        if model not in known:
            raise StoreError(f"no model {model!r} on any board; {suggestion(model, known)}")


def _wanted(store: Store, boards: Sequence[Board], wish: Wish) -> Iterator[Clip]:
    """Yield every edit and source that is wanted, each once, whether it is here or not."""
    models = {row.entry.model: board.benchmark for board in boards for row in board.rows}
    samples = {model: store.samples(model) for model in models}
    union: dict[tuple[str, str], Sample] = {}
    for model, benchmark in models.items():
        for sample in samples[model]:
            union.setdefault((benchmark, sample.id), sample)
    chosen = {id(sample) for sample in select(Benchmark(name="", samples=tuple(union.values())), wish.selection)}
    keys = {key for key, sample in union.items() if id(sample) in chosen}
    for (benchmark, sample_id), sample in union.items():
        if (benchmark, sample_id) in keys and wish.bench is not None and is_inside(sample.source):
            place = wish.bench / sample.source
            yield Clip(benchmark=benchmark, model=None, sample_id=sample_id, path=place, sha256=sample.sha256)
    for model, benchmark in models.items():
        if not wish.models or model in wish.models:
            ids = {sample.id for sample in samples[model] if (benchmark, sample.id) in keys}
            yield from _edits(store, model, benchmark, ids)


def _edits(store: Store, model: str, benchmark: str, ids: set[str]) -> Iterator[Clip]:
    folder = store.model_dir(model)
    for edit in store.edits(model).values():
        if edit.sample_id in ids and edit.ok:
            place = _inside(folder, edit.video or "") or folder / "-"
            known = edit.sha256 or ""
            yield Clip(benchmark=benchmark, model=model, sample_id=edit.sample_id, path=place, sha256=known)


def _inside(folder: Path, path: str) -> Path | None:
    """Return a file's place, or None if it leaves the folder, by its words or by a link."""
    place = folder / path
    try:
        return place if is_inside(path) and place.resolve().is_relative_to(folder.resolve()) else None
    except ValueError:  # half a surrogate pair, which no file system takes
        return None


def _check(clip: Clip, hashes: Hashes) -> Content | str | None:
    """Return the clip's file; what is wrong with it; or None if there is none."""
    try:
        if not clip.path.is_file():
            return None
        size, sha256 = clip.path.stat().st_size, hashes.of(clip.path)
    except ValueError:  # as above
        return None
    except OSError as error:
        return f"cannot be read: {one_line(error.strerror or type(error).__name__)}"
    if sha256 != clip.sha256:
        return "is not the file that was judged" if clip.model else "is not the source that the results speak of"
    return Content(path=clip.path, bytes=size)
