"""Commands that make something: `eval`, `edit`, `judge`, `download`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import estimate, handed_in, judging, outcome, road
from sparkle_bench.cli import judge as judges
from sparkle_bench.cli import options as opt
from sparkle_bench.cli.bench import opened
from sparkle_bench.cli.road import Task, Wanted
from sparkle_bench.errors import BudgetSpent

if TYPE_CHECKING:
    from sparkle_bench.cli.handed_in import HandedIn
    from sparkle_bench.cli.judge import Choice
    from sparkle_bench.editors.placing import Where
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
@handed_in.path
@click.option("--name", help="The result's name.  [default: the folder's or archive's]")
@click.option(
    "--allow-incomplete", is_flag=True, help="Go on although samples have no video; they count the lowest marks."
)
@judging.judging
@opt.executor
@opt.selection
@handed_in.scratch
@opt.root
@opt.as_json
@opt.one_line_errors
def judge(path: str, **given: Any) -> None:
    """Judge finished videos and rebuild the leaderboard.

    PATH is a folder in the authors' layout (theme/subtheme---scene/ID_edited.mp4) or with flat names (ID_edited.mp4,
    ID.mp4), a manifest (CSV, JSONL or JSON with id and path), a .zip, .tar or .tar.gz of these, or a Hub data set
    (hf://owner/name); `validate` looks closer. A sample without a video counts the lowest marks.
    """
    _check_address(given)
    if given["executor"] == "ray" and not given["serve"]:
        raise click.UsageError("--executor ray goes with --serve here: servers of ours on the cluster's machines")
    with handed_in.opened(path, handed_in.room(given)) as found:
        name = given["name"] or handed_in.result_name(found)
        wanted = Wanted(name=name, model="folder", options={"path": path}, editor=found.editor())
        task = road.task(given, wanted)
        _announce(task, found, path, allow_incomplete=given["allow_incomplete"])
        _judge(task, given)


def _wanted(given: Mapping[str, Any]) -> Wanted:
    """Return the model that is asked for; the result's name is as given, or the model's (the class's, the file's)."""
    name = str(given["name"] or given["model"].rpartition(":")[2])
    if name.endswith(".toml"):
        name = Path(name).stem
    return Wanted(name=name, model=given["model"], options=opt.with_model_path(given), where=_where(given))


def _where(given: Mapping[str, Any]) -> Where:
    """Return where the model is to run."""
    from sparkle_bench.editors.placing import Where

    if given["executor"] == "ray" and given["gpus"]:
        raise click.UsageError(
            "--gpus chooses GPUs of this machine; with --executor ray an actor runs on each of the cluster's"
        )
    _check_address(given)
    limits = {name: given[option] for name, option in opt.LIMITS.items() if given[option] is not None}
    return Where(
        gpus=given["gpus"],
        python=given["python"],
        executor=given["executor"],
        ray_address=given["ray_address"],
        **limits,
    )


def _check_address(given: Mapping[str, Any]) -> None:
    """Refuse an address that does nothing; one in the environment may stand there for other commands."""
    source = click.get_current_context().get_parameter_source("ray_address")
    if given["executor"] != "ray" and source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--ray-address goes with --executor ray")


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
        [f"{task.work.model}: {done} of {len(task.work.samples)} samples edited", *outcome.first_error(task)],
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

    before = task.work.store.read_board(task.benchmark.name, key)
    boards = leaderboard.rebuild(task.work.store, sources=task.benchmark.samples[0].root)
    board = next(b for b in boards if b.judge_key == key and b.benchmark == task.benchmark.name)
    found = outcome.outcome(task, board, before)
    _report(found.data, [*found.lines, *outcome.first_error(task)], as_json=given["as_json"])
    sys.exit(INCOMPLETE if found.lacking else 0)


def _have_judged(task: Task, choice: Choice) -> str:
    """Do what comes before the board, and return the judge's key.

    A judge that runs already is looked at before anything is edited; one that we start comes after, since both may need
    the GPU, and not at all if its work is done.
    """
    from sparkle_bench import asked
    from sparkle_bench.judges import prepare

    with ExitStack() as stack:
        bench = None if choice.late else _ready(stack, task, choice)
        if bench is None:
            judges.check(choice)
        elif road.unedited(task):  # before hours of editing, not before the first question
            prepare(bench.judge)
        road.edit(task, allow_failures=choice.given.get("allow_incomplete", True))
        _check_any_edit(task)
        if bench is None:
            wished = judges.wishes(choice, judges.prompt(choice, task.benchmark.name))
            done = road.finished(task, wished, choice.given["repeats"])
            if done is not None:
                click.echo(f"note: every verdict asked for is there, under {done}; nothing was started", err=True)
                asked.note(task.work.store, task.work.model, done)  # a run that was killed at its end has not
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


def _announce(task: Task, found: HandedIn, path: str, *, allow_incomplete: bool) -> None:
    """Say what is there before anything is judged; missing videos must be meant.

    Raises:
        SubmissionError: Nothing matches, or samples have no video and that is not allowed.
    """
    from sparkle_bench.errors import SubmissionError, listed
    from sparkle_bench.submission import layout

    seen = layout.find(found.path, task.benchmark.samples, inside=found.foreign)
    chosen = task.work.samples
    layout.check_any(seen, task.benchmark.samples, path, foreign=found.foreign)
    layout.check_version(seen, task.benchmark.digest, path)
    missing = [sample.id for sample in chosen if sample.id not in seen.videos]
    click.echo(f"{len(chosen) - len(missing)} of {len(chosen)} samples have a video", err=True)
    if not missing:
        return
    near = sum(miss.sure for miss in seen.near if miss.sample_id in set(missing))
    how = f"{near} files are nearly named right: {layout.cure(seen, path, foreign=found.foreign)}; " * bool(near)
    says = f"{len(missing)} of {len(chosen)} samples have no video ({listed(missing)}) and count the lowest marks"
    if not allow_incomplete:
        raise SubmissionError(
            f"{says}; {how}pass --allow-incomplete if that is meant, or choose some with --theme or --only"
        )
    click.echo(f"note: {says}; {outcome.best_possible(task, missing)}", err=True)


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


def _report(data: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))
