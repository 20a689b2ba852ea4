"""What a comparison grid shows of one sample: the source and each model's edit, at the same relative instants.

The instants are those at which a judge is shown clips: spread evenly, the first and the last frame included, so that an edit
of another length or rate is seen at the same points of its own time.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.benchmark import is_inside, suggestion
from sparkle_bench.errors import BenchmarkError, StoreError, VideoError, printable
from sparkle_bench.records import Edit, Probe, Sample
from sparkle_bench.rubric import rubric_from_data
from sparkle_bench.scoring import Evidence, collect
from sparkle_bench.store import Store
from sparkle_bench.video import hold, instants
from sparkle_bench.video.probe import File, probe_file
from sparkle_bench.video.reader import pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 1000
"""Pixels across that print needs of one picture; larger ones are shrunk as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be compared.

    Attributes:
        models: Results, in the order of the rows.
        frames: Pictures in a row, at least one.
        bench: The benchmark's folder, where the sources are.
        judge_key: Whose marks stand beside the rows, or None.
    """

    models: Sequence[str]
    frames: int
    bench: Path
    judge_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A row: pictures, or why there are none.

    Attributes:
        label: The source, or the model's name.
        pictures: RGB (height×width×3, uint8), in order of time; empty if there are none.
        why: One line; empty if there are pictures.
        timing: Frames and rate, where these are not the source's; else empty.
        mark: The mean mark, or a word on why there is none; empty if no judge was asked for.
    """

    label: str
    pictures: Sequence[NDArray[np.uint8]] = ()
    why: str = ""
    timing: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A grid.

    Attributes:
        sample: What was asked for.
        times: When the source's pictures stand, in seconds.
        strips: The source, then each model.
    """

    sample: Sample
    times: Sequence[float]
    strips: Sequence[Strip]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clip:
    """Some pictures of a video, and what it holds."""

    pictures: Sequence[NDArray[np.uint8]]
    indices: Sequence[int]
    probe: Probe


def compare(store: Store, sample_id: str, wish: Wish) -> Comparison:
    """Return the source and the models' edits of a sample.

    Raises:
        StoreError: A model, the judge key or the sample does not exist; the message offers near misses.
        BenchmarkError: The source is not in the benchmark's folder.
        VideoError: The source cannot be read; an edit that cannot be is a row with the reason.
    """
    _known(store, wish)
    known = {model: {sample.id: sample for sample in store.samples(model)} for model in wish.models}
    found = [samples[sample_id] for samples in known.values() if sample_id in samples]
    if not found:
        names = list(dict.fromkeys(name for samples in known.values() for name in samples))
        raise StoreError(f"no sample {sample_id!r} in {', '.join(wish.models)}; {suggestion(sample_id, names)}")
    sample = dataclasses.replace(found[0], root=wish.bench)
    source = _source(sample, wish)
    strips = [Strip(label="source", pictures=source.pictures)]
    for model in wish.models:
        own = known[model].get(sample_id)
        strips.append(_strip(store, model, own, (sample, source, wish)))
    return Comparison(sample=sample, times=[index / source.probe.fps for index in source.indices], strips=strips)


def _known(store: Store, wish: Wish) -> None:
    """Refuse names that stand for nothing."""
    models = store.models()
    for model in wish.models:
        if model not in models:
            near = suggestion(model, models) if models else "there are no results yet"
            raise StoreError(f"no result {model!r} under {store.root / 'results'}; {near}")
    keys = list(dict.fromkeys(key for model in wish.models for key in store.judge_keys(model)))
    if wish.judge_key is not None and wish.judge_key not in keys:
        near = suggestion(wish.judge_key, keys) if keys else "none of these models was judged"
        raise StoreError(f"no verdicts of {wish.judge_key!r}; {near}")


def _source(sample: Sample, wish: Wish) -> _Clip:
    if not wish.bench.is_dir():
        raise BenchmarkError(f"no benchmark folder at {wish.bench}; run `sparkle-bench download` or pass --bench DIR")
    if not is_inside(sample.source) or not sample.source_path.is_file():
        raise BenchmarkError(
            f"{wish.bench} has no source video of {sample.id}; pass --bench DIR of the whole benchmark"
        )
    file = hold(sample.source_path)
    if _is_other(file, sample.sha256):
        raise BenchmarkError(f"the source of {sample.id} in {wish.bench} is another than the one that was edited")
    return _clip(file, wish.frames)


def _strip(store: Store, model: str, own: Sample | None, of: tuple[Sample, _Clip, Wish]) -> Strip:
    """Return a model's row."""
    sample, source, wish = of
    label = printable(model, limit=100)
    if own is None or own.sha256 != sample.sha256:
        return Strip(label=label, why="no edit: this sample is not in its benchmark, or with another source")
    edits = store.edits(model)
    edit, mark = edits.get(sample.id), _mark(store, model, own, (edits, wish.judge_key))
    path = store.model_dir(model) / (edit.video if edit and edit.video and is_inside(edit.video) else "")
    why = _why_none(edit)
    if edit is None or why:
        return Strip(label=label, why=f"no edit: {printable(why, limit=300)}", mark=mark)
    try:
        file = hold(path)
        if _is_other(file, edit.sha256 or ""):
            return Strip(label=label, why="no edit: the video was changed after it was made", mark=mark)
        clip = _clip(file, wish.frames)
    except VideoError as error:
        return Strip(label=label, why=f"no edit: {printable(error, limit=300)}", mark=mark)
    return Strip(label=label, pictures=clip.pictures, timing=_timing(clip.probe, source.probe), mark=mark)


def _why_none(edit: Edit | None) -> str:
    """Return why there is nothing to show; empty if there is something."""
    if edit is None:
        return "not attempted"
    if edit.unseen:
        return "not here; only verdicts on it were handed in"
    return edit.error or ("" if edit.video and is_inside(edit.video) else "its path leaves the result's folder")


def _is_other(file: File, sha256: str) -> bool:
    """Whether a file is known to be another than the one on record; one too large to be held is taken as it is."""
    return file.data is not None and hashlib.sha256(file.data).hexdigest() != sha256


def _clip(file: File, count: int) -> _Clip:
    probe = probe_file(file)
    indices = instants(probe.frames, count) if count > 1 else [(probe.frames - 1) // 2]
    return _Clip(
        pictures=[_shrunk(picture) for picture in pictures(file, probe.frames, indices)], indices=indices, probe=probe
    )


def _shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture of its own, at a whole fraction of its size that is still enough, each pixel the mean of a block."""
    step = max(1, picture.shape[1] // ENOUGH)
    high, wide = (side // step * step for side in picture.shape[:2])
    blocks = picture[:high, :wide].reshape(high // step, step, wide // step, step, 3)
    shrunk: NDArray[np.uint8] = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return shrunk


def _timing(own: Probe, source: Probe) -> str:
    if own.frames == source.frames and abs(own.fps - source.fps) < 0.01:
        return ""
    return f"{own.frames} frames at {own.fps:.4g} fps"


def _mark(store: Store, model: str, sample: Sample, of: tuple[Mapping[str, Edit], str | None]) -> str:
    """Return the mean over dimensions and repeats of the marks that count, in words."""
    edits, key = of
    if key is None:
        return ""
    judge = store.read_judge(model, key)
    if judge is None:
        return "not judged"
    evidence = Evidence(
        samples=(sample,), edits=edits, judgments=store.judgments(model, key), repeats=int(judge["repeats"])
    )
    marks = collect(evidence, rubric_from_data(judge["rubric"]))
    return f"mean mark {marks.counts.mean():.2f}" if marks.known.all() else "no verdict"
