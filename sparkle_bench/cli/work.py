"""Commands that make something: `eval`, `edit`, `judge`, `download`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import estimate, judging, road
from sparkle_bench.cli import judge as judges
from sparkle_bench.cli import options as opt
from sparkle_bench.cli.bench import opened
from sparkle_bench.cli.road import Task, Wanted
from sparkle_bench.errors import BudgetSpent

if TYPE_CHECKING:
    from sparkle_bench.cli.judge import Choice
    from sparkle_bench.leaderboard import Board, Row
    from sparkle_bench.run import Bench

INCOMPLETE = 3


@click.command("eval")
@opt.model
@judging.judging
@opt.selection
@opt.root
@opt.as_json
@opt.one_line_errors
def evaluate(**given: Any) -> None:
    """Edit with a model, have the edits judged, rebuild the leaderboard.

    What is done already is not done again: after an interruption, run the same command.
    """
    _judge(road.task(given, _wanted(given)), given)


@click.command("judge")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="The result's name.  [default: the folder's]")
@judging.judging
@opt.selection
@opt.root
@opt.as_json
@opt.one_line_errors
def judge(path: Path, **given: Any) -> None:
    """Judge finished videos, handed in as a folder or a manifest, and rebuild the leaderboard.

    PATH is a folder in the authors' layout (theme/subtheme---scene/ID_edited.mp4) or with flat names (ID_edited.mp4,
    ID.mp4), or a manifest: a CSV or JSONL file with id and path. A sample without a video counts the lowest marks.
    """
    from sparkle_bench.store import slug

    where = path.resolve()
    name = given["name"] or slug((where if where.is_dir() else where.parent).name)
    _judge(road.task(given, Wanted(name=name, model="folder", options={"path": str(path)})), given)


def _wanted(given: Mapping[str, Any]) -> Wanted:
    """Return the model that is asked for; the result's name is as given, or the model's (of `module:Class`, the class's)."""
    name = str(given["name"] or given["model"].rpartition(":")[2])
    return Wanted(name=name, model=given["model"], options=given["options"])


@click.command("edit")
@opt.model
@opt.selection
@opt.root
@opt.as_json
@opt.one_line_errors
def edit(**given: Any) -> None:
    """Edit with a model and stop there; `eval` goes on from it."""
    judges.api_key()  # nobody needs it here, and the programs that we start must not find it
    task = road.task(given, _wanted(given))
    road.edit(task)
    edits = task.work.store.edits(task.work.model)
    missing = [s.id for s in task.work.samples if s.id not in edits or not edits[s.id].ok]
    done = len(task.work.samples) - len(missing)
    _report(
        {"model": task.work.model, "samples": len(task.work.samples), "edited": done, "failed": len(missing)},
        [f"{task.work.model}: {done} of {len(task.work.samples)} samples edited", *_first_error(task)],
        as_json=given["as_json"],
    )
    sys.exit(INCOMPLETE if missing else 0)


@click.command("download")
@click.option(
    "--to", "folder", type=opt.FOLDER, default=Path("data/Sparkle-Bench"), show_default=True, help="Where to put it."
)
@click.option("--theme", "themes", multiple=True, help="Only this theme. May be repeated.")
@click.option(
    "--revision", help="A commit, branch or tag of the data set.  [default: the first download's commit, else main]"
)
@opt.one_line_errors
def download(folder: Path, themes: tuple[str, ...], revision: str | None) -> None:
    """Download Sparkle-Bench from the Hugging Face Hub; run it again to go on after an interruption."""
    from sparkle_bench import benchmark
    from sparkle_bench import download as hub

    unknown = [theme for theme in themes if theme not in benchmark.THEMES]
    if unknown:
        raise click.BadParameter(f"no theme {unknown[0]!r}; {benchmark.suggestion(unknown[0], benchmark.THEMES)}")
    found = hub.download(folder, themes=themes or benchmark.THEMES, revision=revision)
    part = " (part of the benchmark)" if found.benchmark.partial else ""
    click.echo(f"{folder}: {found.benchmark.counts}{part}, revision {found.revision[:12]}")


def _judge(task: Task, given: Mapping[str, Any]) -> None:
    """Edit, measure, have judged and rebuild. Signals come before a judge that sees them, else after: it may be waiting."""
    choice = judges.choose(given)
    if given["estimate"]:
        lines, data = estimate.estimated(task, choice)
        _report(data, lines, as_json=given["as_json"])
        return
    key = _have_judged(task, choice)
    from sparkle_bench import leaderboard

    boards = leaderboard.rebuild(task.work.store)
    board = next(b for b in boards if b.judge_key == key and b.benchmark == task.benchmark.name)
    row = next(row for row in board.rows if row.entry.model == task.work.model)
    lacking = sorted({sample.id for sample in task.work.samples} & set(row.entry.summary.lacking))
    summary, lines = _summary(task, board, row, lacking)
    _report(summary, [*lines, *_first_error(task)], as_json=given["as_json"])
    sys.exit(INCOMPLETE if lacking else 0)


def _have_judged(task: Task, choice: Choice) -> str:
    """Do what comes before the board, and return the judge's key.

    A judge that runs already is looked at before anything is edited; one that we start comes after, since both may need
    the GPU, and not at all if its work is done.
    """
    from sparkle_bench.judges import prepare

    with ExitStack() as stack:
        bench = None if choice.late else _ready(stack, task, choice)
        if bench is None:
            judges.check(choice)
        elif road.unedited(task):  # before hours of editing, not before the first question
            prepare(bench.judge)
        road.edit(task)
        _check_any_edit(task)
        if bench is None:
            wished = judges.wishes(choice, judges.prompt(choice, task.benchmark.name))
            done = road.finished(task, wished, choice.given["repeats"])
            if done is not None:
                click.echo(f"note: every verdict asked for is there, under {done}; nothing was started", err=True)
                _measure(task, choice)
                return done
            bench = _ready(stack, task, choice)
        if bench.judge.sees == "signals":
            road.measure(task.work, task.workers)
        try:
            road.judge(task, bench, choice.workers)
        except BudgetSpent as spent:
            click.echo(f"stopped: {spent}", err=True)
    if bench.judge.sees != "signals":
        _measure(task, choice)
    return bench.key


def _ready(stack: ExitStack, task: Task, choice: Choice) -> Bench:
    bench = stack.enter_context(opened(choice, task.benchmark.name))
    notes = [choice.preset.note] if choice.preset and choice.preset.note else []
    for note in [*notes, *bench.judge.notes]:
        click.echo(f"note: {note}", err=True)
    return bench


def _measure(task: Task, choice: Choice) -> None:
    if choice.given["with_signals"]:
        road.measure(task.work, task.workers)


def _check_any_edit(task: Task) -> None:
    """Stop before a row of nothing but missing edits: a mistake in the command is likelier than such a model.

    A shard's share may well be missing from an incomplete submission.
    """
    from sparkle_bench.errors import EditorError

    edits = task.work.store.edits(task.work.model)
    whole = task.work.shard == (0, 1)
    if whole and task.work.samples and not any(edit.ok for edit in edits.values()):
        first = edits[task.work.samples[0].id]
        raise EditorError(f"not one edit was made; the first, {first.sample_id}: {first.error}")


def _summary(task: Task, board: Board, row: Row, lacking: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    from sparkle_bench import leaderboard, report

    summary = row.entry.summary
    folder = task.work.store.board_dir(board.benchmark, board.judge_key)
    data = {
        **leaderboard.row_values(board, row),
        "judge_key": board.judge_key,
        "board": str(folder / "index.html"),
        "lacking_verdicts": list(lacking),
    }
    place = f"rank {row.rank} of {sum(r.rank is not None for r in board.rows)}" if row.rank else row.why_unranked
    lines = [
        f"{task.work.model}: overall {report.cell(summary.overall)} ({place})",
        f"  scored {summary.scored} of {summary.of}, no edit {summary.no_edit}, no verdict {summary.no_verdict}, "
        f"not attempted {summary.unattempted}; mean over scored alone {report.number(summary.scored_overall)}",
        *_flag_line(row),
        *_noise_lines(board, row),
        f"  board: {folder / 'index.html'}",
    ]
    return data, lines


def _flag_line(row: Row) -> list[str]:
    """Return a line on where the judge and the signals contradict each other."""
    from sparkle_bench import report

    return [f"  flags: {report.flags(row.entry.audit)}"] if row.entry.audit else []


def _noise_lines(board: Board, row: Row) -> list[str]:
    """Return lines on how far the judge agrees with itself, where it was asked more than once."""
    lines = [
        f"    {board.rubric.label(key):<30} same mark {100 * found.exact:.0f}%, mean difference {found.difference:.2f}, "
        + ("alpha undefined (all marks alike)" if found.alpha is None else f"alpha {found.alpha:.2f}")
        for key, found in row.entry.noise.items()
    ]
    return [f"  the judge's own noise, {row.entry.judge['repeats']} verdicts per edit:", *lines] if lines else []


def _first_error(task: Task) -> list[str]:
    """Return a line on the edits that failed."""
    edits = task.work.store.edits(task.work.model)
    failed = [edits[s.id] for s in task.work.samples if s.id in edits and not edits[s.id].ok]
    return [f"  {len(failed)} edits failed; the first, {failed[0].sample_id}: {failed[0].error}"] if failed else []


def _report(data: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))
