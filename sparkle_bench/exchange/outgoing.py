"""A result's verdicts as the authors' score files, with all the rest in a file beside them. Reads `results/` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sparkle_bench import disk
from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import StoreError, VerdictError, listed
from sparkle_bench.exchange import authors, sidecar
from sparkle_bench.exchange.authors import Scored
from sparkle_bench.exchange.sidecar import Sidecar
from sparkle_bench.records import Judgment
from sparkle_bench.rubric import Rubric, cap, check, rubric_from_data
from sparkle_bench.store import Store, slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where.
        files: Names of the score files.
        judge_key: Whose verdicts.
        scored: Lines in all.
        of: Samples of the benchmark.
    """

    folder: Path
    files: tuple[str, ...]
    judge_key: str
    scored: int
    of: int


def export(store: Store, model: str, folder: Path, *, judge_key: str | None = None) -> Exported:
    """Write a score file for every theme, then the sidecar.

    A line stands for a sample whose edit has marks in the first repeat; lines follow the benchmark's order. A theme
    without any has an empty file.

    Args:
        store: Where the result is.
        model: Its name.
        folder: Where to write; made if need be.
        judge_key: Whose verdicts; None if there is but one judge.

    Raises:
        StoreError: There is no such result or judge, more than one judge, or the folder holds other score files.
    """
    beside = _gathered(store, model, _chosen(store, model, judge_key))
    judge = slug(str(beside.judge["identity"].get("model", beside.judge_key)))
    files = {authors.file_name(theme, judge): rows for theme, rows in _by_theme(beside).items()}
    _check_folder(folder, beside, files)
    for name, rows in files.items():
        disk.write(folder / name, b"".join(row.to_bytes() for row in rows))
    hashes = {name: authors.file_hash(row.digest for row in rows) for name, rows in files.items()}
    disk.write(folder / sidecar.NAME, sidecar.to_bytes(replace(beside, files=hashes)))
    return Exported(
        folder=folder,
        files=tuple(files),
        judge_key=beside.judge_key,
        scored=sum(map(len, files.values())),
        of=len(beside.samples),
    )


def _chosen(store: Store, model: str, judge_key: str | None) -> str:
    if store.read_run(model) is None:
        known = suggestion(model, store.models()) if store.models() else "there are no results yet"
        raise StoreError(f"no result {model!r} under {store.root}; {known}")
    keys = store.judge_keys(model)
    if not keys:
        raise StoreError(
            f"results/{model} has no verdicts yet; run `sparkle-bench judge` or `sparkle-bench eval` first"
        )
    if judge_key is None and len(keys) > 1:
        raise StoreError(f"{len(keys)} judges judged {model}; choose one with --judge: {listed(keys, first=12)}")
    if judge_key is not None and judge_key not in keys:
        raise StoreError(f"no verdicts of {judge_key!r} on {model}; {suggestion(judge_key, keys)}")
    return judge_key or keys[0]


def _gathered(store: Store, model: str, key: str) -> Sidecar:
    run, judge = store.read_run(model) or {}, store.read_judge(model, key) or {}
    try:
        sidecar.check_fields(run, judge)
    except StoreError as error:
        raise StoreError(f"results/{model} cannot be exported: {error}; restore it or remove the folder") from error
    return Sidecar(
        model=model,
        judge_key=key,
        files={},
        run=run,
        judge=judge,
        samples=tuple(store.samples(model)),
        edits=tuple(store.edits(model).values()),
        judgments=tuple(store.judgments(model, key).values()),
        measurements=tuple(store.measurements(model).values()),
    )


def _by_theme(beside: Sidecar) -> dict[str, list[Scored]]:
    verdicts = sidecar.in_files(beside.edits, beside.judgments)
    rubric = rubric_from_data(beside.judge["rubric"])
    rows: dict[str, list[Scored]] = {sample.theme: [] for sample in beside.samples}
    for sample in beside.samples:
        if sample.id in verdicts:
            verdict = verdicts[sample.id]
            rows[sample.theme].append(Scored(sample=sample, marks=_capped(verdict, rubric), reply=verdict.reply))
    return rows


def _capped(verdict: Judgment, rubric: Rubric) -> tuple[int, ...]:
    assert verdict.scores is not None, "only verdicts with marks have a line"
    try:
        capped = cap(check(verdict.scores, rubric), rubric)
    except VerdictError as error:
        raise StoreError(f"the judgment of {verdict.sample_id} does not fit its rubric: {error}") from error
    return tuple(capped[key] for key in rubric.keys)


def _check_folder(folder: Path, beside: Sidecar, files: Mapping[str, object]) -> None:
    """Refuse to mix two results, or two judges, in one folder, and to write over files that are not ours."""
    earlier = sidecar.read(folder / sidecar.NAME)
    there = {path.name for path in folder.glob("*.jsonl") if authors.NAME.fullmatch(path.name)}
    ours = earlier is not None and (earlier.model, earlier.judge_key) == (beside.model, beside.judge_key)
    if (there or earlier) and not ours:
        whose = f"of {earlier.model} under {earlier.judge_key}" if earlier else "from elsewhere"
        raise StoreError(f"{folder} holds score files {whose}; export to another folder with --out")
    if there - files.keys():
        raise StoreError(
            f"{folder} holds {listed(sorted(there - files.keys()))} too; export to another folder with --out"
        )
