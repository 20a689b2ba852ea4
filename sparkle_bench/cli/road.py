"""The road that every command takes part of: samples, edits, signals, verdicts, each stage with its progress shown."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli.judge import MOST_WORKERS
from sparkle_bench.cli.progress import Progress

if TYPE_CHECKING:
    from sparkle_bench.benchmark import Benchmark
    from sparkle_bench.editors import Editor
    from sparkle_bench.editors.placing import Where
    from sparkle_bench.records import Sample
    from sparkle_bench.run import Bench, Made, Work

AHEAD = 4
"""So many samples more than are asked about at once are made ready, so that no server waits for a clip."""
LATER = 2.0
"""Seconds after which the boards' libraries are loaded: not while the first questions are put together."""
MEASURE_WORKERS = 8
"""At most so many unless asked for more: each holds about 0.1 GB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One model's way through the stages.

    Attributes:
        benchmark: The whole benchmark.
        made: The editor, its name and options.
        work: Where records go, and the chosen samples.
        workers: Samples at once, or None for each stage's own number.
    """

    benchmark: Benchmark
    made: Made
    work: Work
    workers: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose edits: the result's name, the editor, its options and where it runs; the editor itself if it is built."""

    name: str
    model: str
    options: Mapping[str, str]
    editor: Editor | None = None
    where: Where | None = None


def task(given: Mapping[str, Any], wanted: Wanted) -> Task:
    """Return the task that a command's options describe.

    Raises:
        BenchmarkError: The benchmark cannot be read, or a chosen sample does not exist.
        EditorError: The model or an option is unknown.
    """
    from sparkle_bench import benchmark, editors
    from sparkle_bench.editors.placing import Where, placed
    from sparkle_bench.run import Made, Work
    from sparkle_bench.store import Store

    store = Store(root=given["root"])
    hashes = store.hashes()
    loaded = benchmark.load(given["bench"], hashes=hashes)
    hashes.save()
    work = Work(store=store, model=wanted.name, samples=chosen(loaded, given), shard=given["shard"])
    recipe = editors.recipe(wanted.model, wanted.options)
    where = wanted.where or Where()
    editor = wanted.editor or placed(recipe, where, say=_note)
    preset = editors.decisive(recipe)
    _give_key(editor)
    options = editors.lasting(editor, wanted.options)
    called = recipe.preset[0] if recipe.preset else wanted.model  # a file's path is this machine's affair
    made = Made(editor=editor, name=called, options=options, preset=preset, gpus=where.gpus)
    return Task(benchmark=loaded, made=made, work=work, workers=given["workers"])


def _give_key(editor: Any) -> None:
    """Take a hosted model's key out of the environment, where the programs we start would find it too."""
    found = [os.environ.pop(name, "") for name in getattr(editor, "keys", ())]
    if any(found):
        editor.key = next(filter(None, found))


def _note(line: str) -> None:
    click.echo(f"note: {line}", err=True)


def chosen(loaded: Benchmark, given: Mapping[str, Any]) -> Sequence[Sample]:
    """Return the samples that `--theme`, `--only`, `--limit` and `--shard` choose."""
    from sparkle_bench.benchmark import Selection, select

    return select(
        loaded,
        Selection(themes=given["themes"], ids=given["ids"], limit=given["limit"], shard=given.get("shard", (0, 1))),
    )


def edit(task: Task, *, allow_failures: bool = True) -> None:
    """Make the edits that are missing.

    Raises:
        SubmissionError: Some failed and may not; they are not on record then.
    """
    from sparkle_bench import editors, run

    busy, editor = unedited(task), task.made.editor
    edits = task.work.store.edits(task.work.model)
    empty = task.work.shard == (0, 1) and not any(edit.ok for edit in edits.values())

    def begin() -> None:
        """Say how the edits are made; in here a model is loaded."""
        about = (task.work.store, task.work.model, task.benchmark, task.made)
        run.start(*about, now=now(), busy=busy, load=busy, empty=empty)

    with stage(task.work, "editing", workers=task.workers or editors.at_once(editor)) as work:
        run.edit(work, editor, begin=begin, allow_failures=allow_failures, loaded=busy)


def measure(work: Work, workers: int | None) -> None:
    """Measure the edits that have no signals."""
    from sparkle_bench import run

    with stage(work, "measuring", workers=workers or min(processors(), MEASURE_WORKERS)) as staged:
        run.measure(staged)


def judge(task: Task, bench: Bench, workers: int | None) -> None:
    """Have the edits judged that have no verdict.

    Raises:
        JudgeUnavailable: The judge is out of reach.
        BudgetSpent: One more question might cost too much.
    """
    from sparkle_bench import run

    loading = threading.Timer(LATER, _load_boards)
    loading.daemon = True
    loading.start()
    pool = getattr(bench.judge, "pool", None)
    ahead = AHEAD if pool is not None else 0
    if pool is not None and workers is not None:  # how many servers a cluster holds is known only now
        workers = max(workers, MOST_WORKERS * len(pool.limits))
    try:
        with stage(task.work, "judging", workers=(task.workers or workers or processors()) + ahead) as work:
            run.judge(work, bench, now=now())
    finally:
        loading.cancel()


def _load_boards() -> None:
    """Load the boards' libraries, which takes a second, while the judge is waited for."""
    from sparkle_bench import leaderboard, plots  # noqa: F401

    plots.load()


def unedited(task: Task) -> bool:
    """Whether something is left to edit."""
    edits = task.work.store.edits(task.work.model)
    return any(s.id not in edits or not edits[s.id].ok for s in task.work.samples)


def finished(task: Task, wishes: Mapping[str, Any], repeats: int) -> str | None:
    """Return the key of a judge that was asked for in the same words and has judged every chosen edit, or None."""
    store, model = task.work.store, task.work.model
    wished = as_stored(wishes)
    edits = store.edits(model)
    hashes = [(s.id, edits[s.id].sha256 or "") for s in task.work.samples if s.id in edits and edits[s.id].ok]
    for key in store.judge_keys(model):
        judge = store.read_judge(model, key) or {}
        if judge.get("wishes") == wished and judge.get("repeats", 0) >= repeats:
            have = store.judgments(model, key)
            wanted = [(*edit, repeat) for edit in hashes for repeat in range(judge["repeats"])]
            if all(name in have and have[name].ok for name in wanted):
                return key
    return None


def as_stored(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return data as it comes back from a JSON file."""
    stored: dict[str, Any] = json.loads(json.dumps(data))
    return stored


@contextmanager
def stage(work: Work, what: str, *, workers: int) -> Iterator[Work]:
    """Yield the work with its progress shown; Ctrl-C carries how far it came."""
    progress = Progress(what)
    try:
        yield replace(
            work, workers=workers, on_start=progress.start, on_record=lambda record: progress.step(ok=record.ok)
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(progress.summary()) from stop
    finally:
        progress.stop()


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def now() -> datetime:
    """Return the time, for records."""
    return datetime.now(timezone.utc)
