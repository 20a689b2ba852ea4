"""The second stage: a verdict, or the reason why there is none, on every edit of the chosen samples."""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
from collections.abc import Sequence
from datetime import datetime

from sparkle_bench import asked
from sparkle_bench.errors import JudgeUnavailable, RequestFailed
from sparkle_bench.provenance import code_version
from sparkle_bench.records import Judgment
from sparkle_bench.run import asking, reuse
from sparkle_bench.run.asking import SYSTEMIC, Bench, Desk, Task
from sparkle_bench.run.fresh import Look
from sparkle_bench.run.spending import Purse, usage
from sparkle_bench.run.work import Work
from sparkle_bench.video import Kept
from sparkle_bench.workers import stream

BREAKER = 10
"""So many questions in a row without an answer stop the run: the server is at fault, not the samples."""
PASSES = 3
"""So often what the server did not answer is asked in one run: once, and again after all else."""


def judge(work: Work, bench: Bench, *, now: datetime) -> None:
    """Ask for every verdict on a good edit that is not there yet, one record each.

    Verdicts of the same judge on the same file under another name are taken over. Once more repeats were asked for, fewer
    would leave the result incomplete for good: the most ever asked for counts.

    Raises:
        StoreError: Another run is at work on these samples.
        JudgeUnavailable: The judge is out of reach; everything answered so far is on disk.
        BudgetSpent: One more question might cost more than the budget leaves; likewise.
    """
    with work.store.working(work.model, work.shard):
        bench = dataclasses.replace(bench, repeats=max(bench.repeats, _earlier_repeats(work, bench)))
        tasks = lacking(work, bench)
        _describe(work, bench, now, busy=bool(tasks))
        if not tasks:
            if "usage" not in (work.store.read_judge(work.model, bench.key) or {}):
                _sum_up(work, bench)
            asked.note(work.store, work.model, bench.key)  # a run that was killed at its end has not
            return
        work.on_start(sum(len(task.repeats) for task in tasks))
        desk = _desk(work, bench)
        try:
            _take_over(work, bench, tasks)
            _passes(desk)
        finally:
            _sum_up(work, bench)
            asked.note(work.store, work.model, bench.key)


def _desk(work: Work, bench: Bench) -> Desk:
    identity = bench.judge.identity
    decoding = identity.get("decoding")
    longest = decoding.get("max_tokens") if isinstance(decoding, dict) else None
    purse = Purse(
        price=bench.price,
        budget=bench.budget,
        prompt_tokens=getattr(bench.judge, "tokens", 0),
        reply_tokens=longest if isinstance(longest, int) else None,
    )
    look = Look(sampling=bench.judge.sampling, kept=Kept(work.store.kept_sources()))
    loading = threading.Semaphore(max(2, os.cpu_count() or 1))
    return Desk(work=work, bench=bench, purse=purse, look=look, loading=loading)


def _passes(desk: Desk) -> None:
    """Ask for what is missing, then again for what a server in trouble left unanswered."""
    work, bench = desk.work, desk.bench
    key = bench.key  # made of much; once is enough
    tasks = lacking(work, bench)
    for number in range(PASSES):
        unanswered: set[reuse.Key] = set()
        breaker = _Breaker()
        if number:
            work.on_start(sum(len(task.repeats) for task in tasks))
        for record in stream(tasks, functools.partial(asking.verdicts, desk), workers=work.workers):
            work.store.append_judgment(work.model, key, record, asked=_asks(bench))
            work.on_record(record)
            breaker.see(record)
            if record.error_type == SYSTEMIC:
                unanswered.add(record.key)
        if desk.purse.empty:
            desk.purse.set_aside()  # says how much is left
        if not unanswered:
            return
        tasks = [task for task in lacking(work, bench) if _keys(task) & unanswered]


def lacking(work: Work, bench: Bench) -> list[Task]:
    """Return the edits of the chosen samples that lack a verdict, with the repeats that they lack."""
    edits = work.store.edits(work.model)
    measured = work.store.measurements(work.model) if bench.judge.sees == "signals" else {}
    have = {key for key, judgment in work.store.judgments(work.model, bench.key).items() if judgment.ok}
    tasks = []
    for sample in work.samples:
        edit = edits.get(sample.id)
        if edit is None or edit.sha256 is None or not (edit.here or bench.judge.sees == "nothing"):
            continue
        missing = tuple(n for n in range(bench.repeats) if (sample.id, edit.sha256, n) not in have)
        if missing:
            measurement = measured.get((sample.id, edit.sha256))
            tasks.append(Task(sample=sample, edit=edit, repeats=missing, measurement=measurement))
    return tasks


def _keys(task: Task) -> set[reuse.Key]:
    return {(task.sample.id, task.edit.sha256 or "", repeat) for repeat in task.repeats}


def _take_over(work: Work, bench: Bench, tasks: Sequence[Task]) -> None:
    """Take verdicts from other results, rather from those that were judged here."""
    key, store = bench.key, work.store
    wanted = [one for task in tasks for one in sorted(_keys(task))]
    others = [model for model in store.models() if model != work.model and key in store.judge_keys(model)]
    here = [model for model in others if asked.judged_here(store, model, key)]
    for models, known in ((here, _asks(bench)), (others, False)):
        found = reuse.elsewhere(work, key, wanted, models)
        for verdict in found.values():
            store.append_judgment(work.model, key, verdict, asked=known)
            work.on_record(verdict)
        wanted = [one for one in wanted if one not in found]


def _earlier_repeats(work: Work, bench: Bench) -> int:
    repeats = (work.store.read_judge(work.model, bench.key) or {}).get("repeats", 1)
    return repeats if isinstance(repeats, int) else 1


def _describe(work: Work, bench: Bench, now: datetime, *, busy: bool) -> None:
    """Write `judge.json`; date and code are those of the last run that had something to ask."""
    described = work.store.read_judge(work.model, bench.key) is not None
    if described and (not busy or bench.judge.sees == "nothing"):  # whoever reads stored replies again is not the judge
        return
    judge = {
        "key": bench.key,
        "identity": bench.identity,
        "notes": list(bench.judge.notes),
        "rubric": bench.prompt.rubric.to_data(),
        "prompt": bench.prompt.text,
        "repeats": bench.repeats,
        "price": None if bench.price is None else dataclasses.asdict(bench.price),
        "wishes": bench.wishes,
        "code_version": code_version(),
        "date": now.isoformat(timespec="seconds"),
    }
    work.store.write_judge(work.model, bench.key, judge)


def _sum_up(work: Work, bench: Bench) -> None:
    """Write into `judge.json` what all its judgments took."""
    judge = work.store.read_judge(work.model, bench.key)
    if judge is not None:
        judge["usage"] = usage(work.store.all_judgments(work.model, bench.key))
        work.store.write_judge(work.model, bench.key, judge)


def _asks(bench: Bench) -> bool:
    """Whether the judge is asked, and not an earlier one's replies read again."""
    return bench.judge.sees != "nothing"


class _Breaker:
    """Stops a run in which the server answers nothing at all, or refuses every question from the first."""

    def __init__(self) -> None:
        self._unanswered = self._refused = 0
        self._any_answer = False

    def see(self, record: Judgment) -> None:
        self._any_answer = self._any_answer or record.reply is not None
        self._unanswered = self._unanswered + 1 if record.error_type == SYSTEMIC else 0
        self._refused += record.error_type == RequestFailed.__name__ and not self._any_answer
        if self._unanswered >= BREAKER:
            raise JudgeUnavailable(
                f"the judge gave no answer to {self._unanswered} questions in a row; the last: {record.error}; "
                "look at its log and run again"
            )
        if self._refused >= BREAKER and not self._any_answer:
            raise JudgeUnavailable(
                f"the judge refused every one of {self._refused} questions; the last: {record.error}"
            )
