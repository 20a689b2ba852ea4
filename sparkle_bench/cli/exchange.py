"""Commands that carry verdicts out of a result and into one: `export`, `import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkle_bench.cli import options as opt
from sparkle_bench.cli import road
from sparkle_bench.cli.outcome import place

if TYPE_CHECKING:
    from sparkle_bench.exchange import Incoming


@click.command("export")
@click.argument("model")
@click.option(
    "--format", "form", type=click.Choice(["authors"]), default="authors", show_default=True, help="Whose form."
)
@click.option("--judge", "judge_key", metavar="KEY", help="Whose verdicts.  [default: the only judge's]")
@click.option("--out", "folder", type=opt.FOLDER, help="Where to write.  [default: MODEL-authors]")
@opt.root
@opt.as_json
@opt.one_line_errors
def export(model: str, form: str, judge_key: str | None, folder: Path | None, root: Path, as_json: bool) -> None:
    """Write a result's verdicts as the benchmark authors' score files: {theme}_{judge}_sparkle_score.jsonl.

    A line has a scored sample's capped marks and the reply of the first repeat. All the rest, failed edits and missing
    verdicts among it, goes into sparkle_bench.json beside them, so that `import` restores the result. No video is copied.
    """
    from sparkle_bench import exchange
    from sparkle_bench.store import Store

    done = exchange.export(Store(root=root), model, folder or Path(f"{model}-{form}"), judge_key=judge_key)
    data = {
        "model": model,
        "judge_key": done.judge_key,
        "folder": str(done.folder),
        "files": list(done.files),
        "scored": done.scored,
        "of": done.of,
    }
    text = f"{done.folder}: {done.scored} of {done.of} samples in {len(done.files)} files, under {done.judge_key}"
    click.echo(json.dumps(data, indent=2) if as_json else text)


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True, help="The result's name.")
@opt.bench
@opt.root
@opt.as_json
@opt.one_line_errors
def import_(paths: tuple[Path, ...], name: str, bench: Path, root: Path, as_json: bool) -> None:
    """Take score files of the benchmark authors' script into a result, and rebuild the leaderboard.

    PATH is a folder with files {theme}_{judge}_sparkle_score.jsonl, or such files. What `export` wrote is restored as it
    was and needs no --bench. In the authors' own files a sample without a line has no verdict, and the judge is known by
    name only, so that they stand on a board of their own. Another judge's files may follow under the same --name.
    """
    from sparkle_bench import exchange, leaderboard, report
    from sparkle_bench.store import Store

    store = Store(root=root)
    incoming = _read(paths, bench, root)
    taken = exchange.take(store, name, incoming)
    for note in incoming.judge["notes"]:
        click.echo(f"note: {note}", err=True)
    boards = leaderboard.rebuild(store)
    board = next(
        b for b in boards if b.judge_key == taken.judge_key and b.benchmark == incoming.run["benchmark"]["name"]
    )
    row = next(row for row in board.rows if row.entry.model == name)
    page = store.board_dir(board.benchmark, board.judge_key) / "index.html"
    summary = row.entry.summary
    data = {
        **leaderboard.row_values(board, row),
        "judge_key": taken.judge_key,
        "written": taken.written,
        "board": str(page),
    }
    lines = [
        f"{name}: overall {report.headline(row)} ({place(board, row)})",
        f"  scored {summary.scored} of {summary.of}; mean over scored alone {report.number(summary.scored_overall)}; "
        f"{taken.written} records written",
        f"  board: {page}",
    ]
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


def _read(paths: tuple[Path, ...], bench: Path, root: Path) -> Incoming:
    """Read the files, with what lies beside them or else with the benchmark."""
    from sparkle_bench import benchmark, exchange
    from sparkle_bench.prompts import load_prompt

    files = exchange.read_authors(paths)
    sidecar = exchange.read_beside(files)
    if sidecar is not None:
        return exchange.restored(files, sidecar)
    loaded = benchmark.load(bench)
    rubric = load_prompt(loaded.name, root=root).rubric
    return exchange.adopted(files, loaded, rubric, now=road.now())
