"""The command that shows everything at once: `demo`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sparkle_bench.cli import judge as judges
from sparkle_bench.cli import judging, road
from sparkle_bench.cli import options as opt
from sparkle_bench.cli.bench import opened
from sparkle_bench.cli.progress import Progress

if TYPE_CHECKING:
    from sparkle_bench.demo import Answer
    from sparkle_bench.leaderboard import Board
    from sparkle_bench.run import Bench, Work

INCOMPLETE = 3


@click.command("demo")
@click.option(
    "--root",
    type=opt.FOLDER,
    default=Path("sparkle-demo"),
    show_default=True,
    help="Where the demo's benchmark, results and board go.",
)
@judging.asking
@click.option("--workers", type=click.IntRange(min=1), help="Samples at once.  [default: one a processor]")
@opt.as_json
@opt.one_line_errors
def demo(root: Path, workers: int | None, as_json: bool, **given: Any) -> None:
    """Show the whole road on a benchmark made from code: no GPU, no key, no download, under a minute.

    Twelve clips are edited by eight editors whose faults are known. Without --judge-url the embedded judge marks them, by
    rules from measured signals; with it a real one does, and the table says whether its marks are as they should be.
    """
    from sparkle_bench import demo as show
    from sparkle_bench.judges import prepare

    if click.get_current_context().get_parameter_source("judge_urls") is ParameterSource.ENVIRONMENT:
        given["judge_urls"] = ()  # only who asks for it pays for it
    name = "openai" if given["judge_urls"] else "signals"
    given = {**given, "root": root, "judge_name": name, "serve": False, "judge_engine": "server", "workers": workers}
    with opened(judges.choose(given), "sparkle") as bench:
        prepare(bench.judge)
        board = _played(root, bench, workers)
    answers = show.answers(board, root=root, blind=bench.judge.sees == "signals")
    page = root / "leaderboards" / board.benchmark / board.judge_key / "index.html"
    if as_json:
        notes = list(bench.judge.notes)
        click.echo(json.dumps({"board": str(page), "notes": notes, "answers": [asdict(a) for a in answers]}, indent=2))
    else:
        click.echo("\n".join([*bench.judge.notes, "", *_table(board, answers), "", *_where(root, page)]))
    sys.exit(INCOMPLETE if any(answer.overall is None for answer in answers) else 0)


def _played(root: Path, bench: Bench, workers: int | None) -> Board:
    """Play the demo with its progress shown."""
    from sparkle_bench import demo as show

    progress = Progress("demo")
    play = show.Play(
        root=root,
        bench=bench,
        stage=lambda work: _counted(work, progress),
        now=road.now(),
        workers=workers or min(road.processors(), road.MEASURE_WORKERS),
    )
    progress.start(show.STEPS)
    try:
        return show.play(play)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(progress.summary()) from stop
    finally:
        progress.stop()


@contextmanager
def _counted(work: Work, progress: Progress) -> Iterator[Work]:
    """Yield a stage's work; all stages count on one display, what was done in an earlier run included."""
    seen = 0

    def step(record: Any) -> None:
        nonlocal seen
        seen += 1
        progress.step(ok=record.ok)

    yield replace(work, on_record=step)
    for _ in range(len(work.samples) - seen):
        progress.step(ok=True)


def _table(board: Board, answers: Sequence[Answer]) -> list[str]:
    labels: Mapping[str, str] = {key: board.rubric.label(key) for key in board.rubric.keys}
    lines = [f"{'edits':<26}{'overall':>8}  {'loses most in':<40}as expected"]
    for answer in answers:
        overall = "–" if answer.overall is None else f"{answer.overall:.2f}"
        loses = f"{labels[answer.loses]} ({-answer.loss:+.2f})" if answer.loses else "nothing"
        verdict = "yes" if answer.as_known else "no: cannot see content" if answer.blind else "no"
        lines.append(f"{answer.model:<26}{overall:>8}  {loses:<40}{verdict}")
    return lines


def _where(root: Path, page: Path) -> list[str]:
    quoted = shlex.quote(str(root))
    return [
        f"board:  {page}",
        f"clips:  {root / 'data' / 'demo' / 'source_videos'}",
        f"edits:  {root / 'results' / '<model>' / 'videos'}",
        f"one sample: sparkle-bench show retimed Demo_location_000001 --root {quoted}",
        f"its figure: sparkle-bench figure --models composite,retimed --only Demo_location_000001 --root {quoted}",
    ]
