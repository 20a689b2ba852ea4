"""The demo: a benchmark made from code, edited by editors whose faults are known, judged, put on a board.

It shows the whole road on any machine in under a minute. With a real judge it is a check of that judge: the right edit
should come first, the unchanged source last, and each spoiled edit should lose most where it is spoiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sparkle_bench import benchmark, editors, leaderboard, run, synthetic
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.editors.known_answer import ANSWERS
from sparkle_bench.leaderboard import Board, Entry
from sparkle_bench.run import Bench, Made, Work
from sparkle_bench.signals.request import load_rules
from sparkle_bench.store import Store

RIGHT, CONTROL = "composite", "identity"
SPOILS: Mapping[str, str] = {
    "static-background": "background_motion",
    "damaged-subject": "subject",
    "retimed": "subject_motion",
    "blurred-background": "background_picture",
    "day-lit-subject-at-night": "picture",
    "wrong-background": "compliance",
}
"""What each spoiled edit should lose most in, by the name of the rule that looks at it (see `signals.toml`)."""
BEYOND_PIXELS = frozenset({"wrong-background"})
"""Faults that no pixel betrays: a judge without eyes for content cannot mark them down."""
ORDER = (RIGHT, *SPOILS, CONTROL)

STEPS = 3 * len(ORDER) * len(synthetic.CLIPS)
"""Records that the demo makes: an edit, a measurement and a verdict of every clip by every editor."""

Stage = Callable[[Work], AbstractContextManager[Work]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What the demo needs.

    Attributes:
        root: Where the benchmark, the results and the board go.
        bench: The judge with its question.
        stage: Shows a stage's progress; it is given the work and yields it, watched.
        now: For records.
        workers: Samples at once.
    """

    root: Path
    bench: Bench
    stage: Stage
    now: datetime
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one known answer was marked.

    Attributes:
        model: The editor.
        about: What is wrong with its edits.
        overall: Its mean, or None while verdicts are missing.
        spoils: The dimension it spoils, or None.
        loses: The dimension in which it loses most against the right edit, or None if it loses nothing.
        loss: How much it loses there.
        as_known: Whether the marks are as they should be: the right edit first, the control last, the others spoiled
            most where they are spoiled.
        blind: Whether this judge cannot catch it.
    """

    model: str
    about: str
    overall: float | None
    spoils: str | None
    loses: str | None
    loss: float
    as_known: bool
    blind: bool


def play(play: Play) -> Board:
    """Make the benchmark and every edit, have them judged, and return the board.

    What is done is not done again: after an interruption, it goes on.
    """
    bench_dir = synthetic.write_benchmark(play.root / "data" / "demo", workers=play.workers)
    loaded = benchmark.load(bench_dir)
    store = Store(root=play.root)
    for name in (CONTROL, *ANSWERS):
        work = Work(store=store, model=name, samples=loaded.samples, workers=play.workers)
        _edit(play, work, loaded)
        with play.stage(work) as staged:
            run.measure(staged)
        with play.stage(work) as staged:
            run.judge(staged, play.bench, now=play.now)
    return next(board for board in leaderboard.rebuild(store, sources=bench_dir) if board.judge_key == play.bench.key)


def _edit(play: Play, work: Work, loaded: Benchmark) -> None:
    known = work.model in ANSWERS
    name, options = ("known-answer", {"answer": work.model}) if known else (work.model, {})
    made = Made(editor=editors.create(name, options), name=name, options=options)
    run.start(work.store, work.model, loaded, made, now=play.now)
    with play.stage(work) as staged:
        run.edit(staged, made.editor)


def answers(board: Board, *, root: Path, blind: bool) -> list[Answer]:
    """Compare the board with what is known.

    Args:
        board: The demo's board.
        root: Where the user's own `prompts/` may be.
        blind: Whether the judge cannot see content.
    """
    found = load_rules(board.benchmark, root=root)
    rules = {key: found.marks.get(key, "") if found else "" for key in board.rubric.keys}
    entries = {row.entry.model: row.entry for row in board.rows}
    overall = [entries[name].summary.overall.low for name in ORDER]
    ends = {RIGHT: max(overall), CONTROL: min(overall)}
    return [_answer(name, entries, rules, ends, blind=blind) for name in ORDER]


def _answer(
    name: str, entries: Mapping[str, Entry], rules: Mapping[str, str], ends: Mapping[str, float], *, blind: bool
) -> Answer:
    own, right = entries[name].summary, entries[RIGHT].summary
    losses = {key: round(right.dimensions[key].low - own.dimensions[key].low, 6) for key in rules}
    spoils = next((key for key, rule in rules.items() if rule == SPOILS.get(name)), None)
    most = max(losses.values())
    loses = spoils if spoils is not None and losses[spoils] == most else max(losses, key=lambda key: losses[key])
    as_known = own.overall.low == ends[name] if name in ends else most > 0 and loses == spoils
    return Answer(
        model=name,
        about=ANSWERS.get(name, "the source, unchanged: the control"),
        overall=own.overall.value,
        spoils=spoils,
        loses=loses if most > 0 else None,
        loss=most,
        as_known=as_known,
        blind=blind and name in BEYOND_PIXELS,
    )
