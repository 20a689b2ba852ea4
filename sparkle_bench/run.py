"""The two stages: what is left to do, doing it, recording it.

Both resume to the sample: what has a good record is not done again, and an error is tried again. A stage may be killed at
any instant; a record is on disk before the next stage can see it.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sparkle_bench import editors, video
from sparkle_bench.benchmark import Benchmark, file_sha256
from sparkle_bench.editors import Editor
from sparkle_bench.errors import (
    JudgeUnavailable,
    RequestFailed,
    SparkleError,
    StoreError,
    VerdictError,
    VideoError,
    one_line,
)
from sparkle_bench.judges import Judge, Question, Reply, judge_key
from sparkle_bench.prompts import Prompt
from sparkle_bench.provenance import code_version, hardware
from sparkle_bench.records import Edit, Judgment, Sample
from sparkle_bench.rubric import Scores, parse, parse_strict
from sparkle_bench.store import Store
from sparkle_bench.workers import stream

VERDICT_TRIES = 3
"""How often a judge whose reply cannot be read is asked."""
BREAKER = 10
"""So many samples in a row without an answer stop the run: the server is at fault, not the samples."""

OnRecord = Callable[[Edit | Judgment], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a stage works on.

    Attributes:
        store: Where records go.
        model: The result's name.
        samples: The chosen samples.
        shard: Which part of a division they are, for the lock.
        workers: How many samples at once.
        on_start: Told how many records the stage will make, before the first.
        on_record: Told of every record once it is on disk.
    """

    store: Store
    model: str
    samples: Sequence[Sample]
    shard: tuple[int, int] = (0, 1)
    workers: int = 1
    on_start: Callable[[int], None] = lambda total: None
    on_record: OnRecord = lambda record: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a model's edits are made.

    Attributes:
        editor: The editor.
        name: What `--model` called it.
        options: Its options as given.
    """

    editor: Editor
    name: str
    options: Mapping[str, str]


def start(store: Store, model: str, benchmark: Benchmark, made: Made, *, now: datetime) -> None:
    """Write `run.json`, or check that the result there was made the same way.

    Raises:
        StoreError: The name is taken by another editor, other options, or another version of the benchmark.
    """
    editor = {"name": made.name, "options": editors.describe(made.editor, made.options)}
    counts = benchmark.counts
    version = {
        "name": benchmark.name,
        "digest": benchmark.digest,
        "samples": counts.samples,
        "partial": benchmark.partial,
    }
    earlier = store.read_run(model)
    if earlier is None:
        run = {
            "model": model,
            "benchmark": version,
            "editor": editor,
            "code_version": code_version(),
            "hardware": hardware(),
            "date": now.isoformat(timespec="seconds"),
        }
        store.write_run(model, run, benchmark.samples)
        return
    cure = "use another --name, or remove that folder"
    if earlier.get("benchmark", {}).get("digest") != version["digest"]:
        raise StoreError(f"results/{model} belongs to another version of the benchmark; {cure}")
    other = earlier.get("editor", {})
    if other.get("name") != made.name or (other != editor and not editors.is_bound_by_content(made.editor)):
        raise StoreError(f"results/{model} was made by {other.get('name')} with options {other.get('options')}; {cure}")


# -- editing ---------------------------------------------------------------------------------------------------------


def edit(work: Work, editor: Editor) -> None:
    """Edit every chosen sample that has no good edit yet, one record each.

    Raises:
        StoreError: Another run is at work on these samples.
        EditorError: The editor refuses the work as a whole.
    """
    with work.store.working(work.model, "edit", work.shard):
        try:
            editors.prepare(editor, work.samples)
            earlier = work.store.edits(work.model)
            left = [s for s in work.samples if not _is_done(work, editor, s, earlier.get(s.id))]
            work.on_start(len(left))
            workers = work.workers if editors.is_thread_safe(editor) else 1
            for record in stream(left, lambda sample: [_edit_one(work, editor, sample)], workers=workers):
                work.store.append_edit(work.model, record)
                work.on_record(record)
        finally:
            editors.close(editor)


def _is_done(work: Work, editor: Editor, sample: Sample, edit: Edit | None) -> bool:
    if edit is None or not edit.ok:
        return False
    out = work.store.video_path(work.model, sample)
    return out.is_file() and file_sha256(out) == edit.sha256 and editors.is_current(editor, sample, edit)


def _edit_one(work: Work, editor: Editor, sample: Sample) -> Edit:
    out = work.store.video_path(work.model, sample)
    part = out.with_name(f".{sample.id}.{os.getpid()}.part.mp4")
    begun = time.monotonic()
    try:
        _make_room(out, sample)
        editor.edit(sample, part)
        probe = video.probe(part)
        sha256 = file_sha256(part)
        _sync(part)
        part.replace(out)
    except Exception as error:  # the border to other people's editors: whatever they raise is this sample's outcome
        return _failed_edit(sample, error, time.monotonic() - begun, leftovers=(part, out))
    return Edit(
        sample_id=sample.id,
        video=out.relative_to(work.store.model_dir(work.model)).as_posix(),
        sha256=sha256,
        probe=probe,
        seconds=round(time.monotonic() - begun, 3),
    )


def _make_room(out: Path, sample: Sample) -> None:
    """Make the edit's folder, and remove what a killed run left of this sample."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for leftover in out.parent.glob(f".{glob.escape(sample.id)}.*.part.mp4"):
        leftover.unlink(missing_ok=True)


def _failed_edit(sample: Sample, error: Exception, seconds: float, *, leftovers: tuple[Path, ...]) -> Edit:
    for path in leftovers:
        with contextlib.suppress(OSError):
            path.unlink()
    reason = error if isinstance(error, SparkleError) else f"{type(error).__name__}: {error}"
    return Edit(
        sample_id=sample.id,
        error=one_line(reason, limit=1000),
        error_type=type(error).__name__,
        seconds=round(seconds, 3),
    )


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


# -- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A judge with its question: everything a verdict depends on, beside the videos.

    Attributes:
        judge: Who answers.
        prompt: What is asked, and the rubric.
        strict: Read replies as the authors' script does.
        repeats: Verdicts per edit.
    """

    judge: Judge
    prompt: Prompt
    strict: bool = False
    repeats: int = 1

    @property
    def identity(self) -> dict[str, Any]:
        """All that can change a verdict."""
        reader = "strict" if self.strict else "forgiving"
        return {**self.judge.identity, "prompt": self.prompt.digest, "reader": reader}

    @property
    def key(self) -> str:
        """The judge key."""
        return judge_key(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    sample: Sample
    edit: Edit
    repeats: tuple[int, ...]


def judge(work: Work, bench: Bench, *, now: datetime) -> None:
    """Ask for every verdict on a good edit that is not there yet, one record each.

    Raises:
        StoreError: Another run is at work on these samples.
        JudgeUnavailable: The judge is out of reach; everything answered so far is on disk.
    """
    with work.store.working(work.model, f"judge-{bench.key}", work.shard):
        _describe(work, bench, now)
        breaker = _Breaker()
        tasks = _tasks(work, bench)
        work.on_start(sum(len(task.repeats) for task in tasks))
        for record in stream(tasks, functools.partial(_judge_one, work, bench), workers=work.workers):
            work.store.append_judgment(work.model, bench.key, record)
            work.on_record(record)
            breaker.see(record)


def _tasks(work: Work, bench: Bench) -> list[_Task]:
    edits = work.store.edits(work.model)
    have = {key for key, judgment in work.store.judgments(work.model, bench.key).items() if judgment.ok}
    tasks = []
    for sample in work.samples:
        edit = edits.get(sample.id)
        if edit is None or edit.sha256 is None:
            continue
        missing = tuple(n for n in range(bench.repeats) if (sample.id, edit.sha256, n) not in have)
        if missing:
            tasks.append(_Task(sample=sample, edit=edit, repeats=missing))
    return tasks


def _describe(work: Work, bench: Bench, now: datetime) -> None:
    earlier = work.store.read_judge(work.model, bench.key)
    judge = {
        "key": bench.key,
        "identity": bench.identity,
        "notes": list(bench.judge.notes),
        "rubric": bench.prompt.rubric.to_data(),
        "prompt": bench.prompt.text,
        "code_version": code_version(),
        "date": now.isoformat(timespec="seconds"),
        **(earlier or {}),
        "repeats": max(bench.repeats, (earlier or {}).get("repeats", 1)),
    }
    if judge != earlier:
        work.store.write_judge(work.model, bench.key, judge)


def _judge_one(work: Work, bench: Bench, task: _Task) -> Iterator[Judgment]:
    """Decode a pair once and ask for each missing repeat."""
    sha256 = task.edit.sha256
    assert sha256 is not None, "only good edits become tasks"
    begun = time.monotonic()
    try:
        edited = work.store.video_path(work.model, task.sample)
        pair = video.load_pair(task.sample.source_path, edited, bench.judge.sampling)
    except VideoError as error:
        for repeat in task.repeats:
            yield Judgment(
                sample_id=task.sample.id,
                edit_sha256=sha256,
                repeat=repeat,
                error=one_line(error),
                error_type=type(error).__name__,
                attempts=0,
                seconds=round(time.monotonic() - begun, 3),
            )
        return
    prompt = bench.prompt.render(task.sample.instruction)
    for repeat in task.repeats:
        question = Question(sample=task.sample, prompt=prompt, pair=pair, seed=bench.judge.seed + repeat)
        yield _verdict(bench, question, sha256, repeat)


def _verdict(bench: Bench, question: Question, edit_sha256: str, repeat: int) -> Judgment:
    """Ask until a reply can be read or the tries are used up; record either."""
    begun = time.monotonic()
    failures: list[str] = []
    reply: Reply | None = None
    scores: Scores | None = None
    trouble: SparkleError | None = None
    for _ in range(VERDICT_TRIES):
        try:
            reply = bench.judge.ask(question)
            failures.extend(reply.failures)
            scores, trouble = (parse_strict if bench.strict else parse)(reply.text, bench.prompt.rubric), None
            break
        except VerdictError as error:
            trouble = error
            failures.append(str(error))
        except RequestFailed as error:
            trouble = error
            failures.extend(error.failures)
            break
    return Judgment(
        sample_id=question.sample.id,
        edit_sha256=edit_sha256,
        repeat=repeat,
        reply=reply.text if reply else None,
        scores=scores,
        error=None if trouble is None else one_line(trouble),
        error_type=None if trouble is None else _kind(trouble),
        attempts=len(failures) + (scores is not None),
        failures=tuple(failures),
        prompt_tokens=reply.prompt_tokens if reply else None,
        completion_tokens=reply.completion_tokens if reply else None,
        seconds=round(time.monotonic() - begun, 3),
    )


SYSTEMIC = "ServerFailed"


def _kind(error: SparkleError) -> str:
    """Return the error's name for the record; trouble that may lie with the server has a name of its own."""
    return SYSTEMIC if isinstance(error, RequestFailed) and error.systemic else type(error).__name__


class _Breaker:
    """Stops a run in which the server answers nothing at all."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def see(self, record: Judgment) -> None:
        self._in_a_row = self._in_a_row + 1 if record.error_type == SYSTEMIC else 0
        if self._in_a_row >= BREAKER:
            raise JudgeUnavailable(
                f"the judge gave no answer to {self._in_a_row} samples in a row; the last: {record.error}; "
                "look at its log and run again"
            )
