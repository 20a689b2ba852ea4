"""Commands that make something: `eval`, `edit`, `judge`, `download`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt
from sparkle_bench.cli.progress import Progress

if TYPE_CHECKING:
    from sparkle_bench.benchmark import Benchmark
    from sparkle_bench.leaderboard import Board, Row
    from sparkle_bench.records import Sample
    from sparkle_bench.run import Bench, Made, Work

JUDGE_WORKERS = 8
INCOMPLETE = 3


@click.command("eval")
@opt.model
@opt.judging
@opt.selection
@opt.root
@opt.as_json
@opt.one_line_errors
def evaluate(**given: Any) -> None:
    """Edit with a model, have the edits judged, rebuild the leaderboard.

    What is done already is not done again: after an interruption, run the same command.
    """
    _judge(_Task.of(given, name=_name(given), model=given["model"], options=given["options"]), given)


@click.command("judge")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="The result's name.  [default: the folder's]")
@opt.judging
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
    _judge(_Task.of(given, name=name, model="folder", options={"path": str(path)}), given)


def _name(given: Mapping[str, Any]) -> str:
    """Return the result's name: as given, or the model's (of `module:Class`, the class's)."""
    return str(given["name"] or given["model"].rpartition(":")[2])


@click.command("edit")
@opt.model
@opt.selection
@opt.root
@opt.as_json
@opt.one_line_errors
def edit(**given: Any) -> None:
    """Edit with a model and stop there; `eval` goes on from it."""
    task = _Task.of(given, name=_name(given), model=given["model"], options=given["options"])
    _edit(task)
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


# -- the road both `eval` and `judge` take -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    benchmark: Benchmark
    made: Made
    work: Work
    workers: int | None

    @staticmethod
    def of(given: Mapping[str, Any], *, name: str, model: str, options: Mapping[str, str]) -> _Task:
        from sparkle_bench import benchmark, editors
        from sparkle_bench.run import Made, Work
        from sparkle_bench.store import Store

        loaded = benchmark.load(given["bench"])
        chosen = benchmark.Selection(
            themes=given["themes"], ids=given["ids"], limit=given["limit"], shard=given["shard"]
        )
        samples: Sequence[Sample] = benchmark.select(loaded, chosen)
        work = Work(store=Store(root=given["root"]), model=name, samples=samples, shard=given["shard"])
        made = Made(editor=editors.create(model, options), name=model, options=options)
        return _Task(benchmark=loaded, made=made, work=work, workers=given["workers"])


def _edit(task: _Task) -> None:
    from sparkle_bench import run

    run.start(task.work.store, task.work.model, task.benchmark, task.made, now=_now())
    with _stage(task, "editing", workers=task.workers or 1) as work:
        run.edit(work, task.made.editor)


@contextmanager
def _stage(task: _Task, what: str, *, workers: int) -> Iterator[Work]:
    """Yield the work with its progress shown; Ctrl-C carries how far it came."""
    progress = Progress(what)
    try:
        yield replace(
            task.work,
            workers=workers,
            on_start=progress.start,
            on_record=lambda record: progress.step(ok=record.ok),
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(progress.summary()) from stop
    finally:
        progress.stop()


def _judge(task: _Task, given: Mapping[str, Any]) -> None:
    from sparkle_bench import leaderboard, run

    bench = _bench(task.benchmark.name, given)
    for note in bench.judge.notes:
        click.echo(f"note: {note}", err=True)
    _edit(task)
    _check_any_edit(task)
    with _stage(task, "judging", workers=task.workers or JUDGE_WORKERS) as work:
        run.judge(work, bench, now=_now())
    boards = leaderboard.rebuild(task.work.store)
    board = next(b for b in boards if b.judge_key == bench.key and b.benchmark == task.benchmark.name)
    row = next(row for row in board.rows if row.entry.model == task.work.model)
    lacking = sorted({sample.id for sample in task.work.samples} & set(row.entry.summary.lacking))
    summary, lines = _summary(task, board, row, lacking)
    _report(summary, [*lines, *_first_error(task)], as_json=given["as_json"])
    sys.exit(INCOMPLETE if lacking else 0)


def _check_any_edit(task: _Task) -> None:
    """Stop before a row of nothing but missing edits: a mistake in the command is likelier than such a model.

    A shard's share may well be missing from an incomplete submission.
    """
    from sparkle_bench.errors import EditorError

    edits = task.work.store.edits(task.work.model)
    whole = task.work.shard == (0, 1)
    if whole and task.work.samples and not any(edit.ok for edit in edits.values()):
        first = edits[task.work.samples[0].id]
        raise EditorError(f"not one edit was made; the first, {first.sample_id}: {first.error}")


def _bench(benchmark: str, given: Mapping[str, Any]) -> Bench:
    from sparkle_bench.judges import probe
    from sparkle_bench.judges.transport import Transport
    from sparkle_bench.prompts import load_prompt
    from sparkle_bench.run import Bench

    url = _url(given["judge_url"])
    prompt = load_prompt(benchmark, root=given["root"], template=given["prompt"])
    wishes = probe.Options(
        model=given["judge_model"],
        media=given["media"],
        frames=given["frames"],
        max_pixels=given["max_pixels"],
        constrain=given["constrain"],
        server_clock=given["server_clock"],
    )
    transport = Transport(url=url, api_key=_api_key(), timeout=given["timeout"])
    judge = probe.connect(transport, prompt, wishes)
    return Bench(judge=judge, prompt=prompt, strict=given["strict_parse"], repeats=given["repeats"])


def _url(given: str | None) -> str:
    """Return the judge's address if it can be one."""
    from urllib.parse import urlsplit

    if not given:
        raise click.UsageError(
            "no judge: pass --judge-url, such as http://127.0.0.1:8000/v1 (or set SPARKLE_JUDGE_URL)"
        )
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise click.UsageError("--judge-url is no address; it looks like http://127.0.0.1:8000/v1")
    return given


def _api_key() -> str | None:
    """Take the key out of the environment, where the programs we start would find it too."""
    key = os.environ.pop("SPARKLE_JUDGE_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise click.UsageError("SPARKLE_JUDGE_API_KEY holds characters that no key has")
    return key or None


def _summary(task: _Task, board: Board, row: Row, lacking: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
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
        f"  board: {folder / 'index.html'}",
    ]
    return data, lines


def _first_error(task: _Task) -> list[str]:
    """Return a line on the edits that failed."""
    edits = task.work.store.edits(task.work.model)
    failed = [edits[s.id] for s in task.work.samples if s.id in edits and not edits[s.id].ok]
    return [f"  {len(failed)} edits failed; the first, {failed[0].sample_id}: {failed[0].error}"] if failed else []


def _report(data: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


def _now() -> datetime:
    return datetime.now(timezone.utc)
