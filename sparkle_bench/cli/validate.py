"""Commands for those who have videos: `validate` looks at them, `pack` makes one archive of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import handed_in, road
from sparkle_bench.cli import options as opt
from sparkle_bench.cli.progress import Progress

if TYPE_CHECKING:
    from sparkle_bench.benchmark import Benchmark
    from sparkle_bench.cli.handed_in import HandedIn
    from sparkle_bench.disk import Hashes
    from sparkle_bench.records import Sample
    from sparkle_bench.submission.layout import Layout
    from sparkle_bench.validation import Report

UNUSABLE, INCOMPLETE = 1, 3
SHOWN = 40
"""So many samples that are not fine are listed."""


@click.command("validate")
@handed_in.path
@click.option("--deep", is_flag=True, help="Decode every frame, not only look at packets and a few frames.")
@click.option("--fix", is_flag=True, help="Link files that are nearly named right to where they belong.")
@click.option("--init", is_flag=True, help="Write a submission.toml to fill in, and stop there.")
@click.option("--all", "show_all", is_flag=True, help="List every sample that is not fine, however many.")
@opt.some_samples
@click.option("--workers", type=click.IntRange(min=1), help="Videos at once.  [default: one a processor]")
@handed_in.scratch
@opt.root
@opt.as_json
@opt.one_line_errors
def validate(path: str, **given: Any) -> None:
    """Look at finished videos before they are judged: no judge, no GPU, no network.

    PATH is a folder in the authors' layout (theme/subtheme---scene/ID_edited.mp4) or with flat names (ID_edited.mp4,
    ID.mp4), a manifest (CSV, JSONL or JSON with id and path), a .zip, .tar or .tar.gz of these, or a Hub data set
    (hf://owner/name). Exit codes: 0 every sample has a usable video, 3 some do not (or submission.toml or a manifest
    needs mending), 1 none does.
    """
    if given["init"]:
        if given["deep"] or given["fix"] or given["as_json"]:
            raise click.UsageError("--init only writes a file to fill in; leave out --deep, --fix and --json")
        _init(path)
        return
    from sparkle_bench.submission.layout import check_any

    with handed_in.opened(path, handed_in.room(given)) as found:
        loaded, hashes = _benchmark(given)
        layout = _found(found, loaded.samples, fix=given["fix"])
        notes = _notes(layout, loaded)
        chosen = road.chosen(loaded, given)
        if not given["as_json"]:  # machines get every sample as missing
            check_any(layout, chosen, path, foreign=found.foreign)
        report = _validated(layout, chosen, hashes, given)
        hashes.save()
    _print(report, notes, given)
    complete = report.complete and all(note.ok for note in notes)
    sys.exit(0 if complete else INCOMPLETE if report.usable else UNUSABLE)


@click.command("pack")
@handed_in.path
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The archive, a .zip.  [default: the folder's name with .zip]",
)
@click.option(
    "--allow-incomplete", is_flag=True, help="Pack although samples are missing; they count the lowest marks."
)
@opt.bench
@opt.root
@opt.as_json
@opt.one_line_errors
def pack(path: str, out: Path | None, allow_incomplete: bool, **given: Any) -> None:
    """Make one archive of finished videos, with a manifest of their hashes; the same videos give the same bytes.

    PATH is what `validate` takes, but no archive. `judge` takes the archive as it is.
    """
    from sparkle_bench.errors import SubmissionError
    from sparkle_bench.submission.archive import is_archive
    from sparkle_bench.submission.layout import check_any, check_promises, check_version
    from sparkle_bench.validation.pack import Packing
    from sparkle_bench.validation.pack import pack as packed

    if is_archive(Path(path)):
        raise SubmissionError(f"{path} is an archive already; `judge` takes it as it is")
    with handed_in.opened(path, handed_in.room(given)) as found:
        target = out or Path(f"{handed_in.result_name(found)}.zip")
        if target.suffix != ".zip":
            raise click.UsageError(f"{target} does not end in .zip")
        loaded, hashes = _benchmark(given)
        layout = _found(found, loaded.samples, fix=False)
        check_any(layout, loaded.samples, path, foreign=found.foreign)
        check_version(layout, loaded.digest, path)
        check_promises(layout, hashes)
        packing = Packing(benchmark=loaded, hashes=hashes, workers=road.processors())
        done = packed(layout, target, packing, allow_incomplete=allow_incomplete)
        hashes.save()
    data = {"archive": str(target), "videos": done.videos, "of": len(loaded.samples), "bytes": done.bytes,
            "sha256": done.sha256, "missing": list(done.missing), "unreadable": done.unreadable}  # fmt: skip
    lines = [
        f"{target}: {done.videos} of {len(loaded.samples)} videos, {done.bytes / 1e6:.1f} MB, sha256 {done.sha256}",
        *([] if layout.card else ["  no submission.toml beside the videos: `sparkle-bench validate PATH --init` writes one"]),
        *([f"  {len(done.missing) + len(done.unreadable)} samples are left out and count the lowest marks"]
          if done.missing or done.unreadable else []),
    ]  # fmt: skip
    click.echo(json.dumps(data, indent=2) if given["as_json"] else "\n".join(lines))


def _init(path: str) -> None:
    from sparkle_bench.errors import SubmissionError
    from sparkle_bench.submission import card

    folder = Path(path)
    if not folder.is_dir():
        raise SubmissionError(f"{path} is no folder; submission.toml lies beside the videos")
    click.echo(f"{card.write_template(folder)}: fill in what applies, then run `sparkle-bench validate {path}`")


def _benchmark(given: Mapping[str, Any]) -> tuple[Benchmark, Hashes]:
    from sparkle_bench import benchmark
    from sparkle_bench.store import Store

    hashes = Store(root=given["root"]).hashes()
    return benchmark.load(given["bench"], hashes=hashes), hashes


def _found(found: HandedIn, samples: Sequence[Sample], *, fix: bool) -> Layout:
    """Look at what is handed in, and put near misses into place if asked to."""
    from sparkle_bench.errors import SubmissionError, printable
    from sparkle_bench.submission import layout, linking

    seen = layout.find(found.path, samples, inside=found.foreign)
    if not fix:
        return seen
    if found.foreign or seen.kind == "manifest":
        what = "a manifest decides here: mend it" if seen.kind == "manifest" else "unpack it first"
        raise SubmissionError(f"--fix makes links in a folder of yours; {what}")
    linked = linking.link(seen.base, seen.near)
    for place, path in linked.links:
        click.echo(f"linked {printable(place)} -> {printable(path)}", err=True)
    for miss in linked.left:
        click.echo(f"left as it is: {printable(miss.path)} ({printable(miss.why)})", err=True)
    if not seen.near:
        click.echo("nothing to link: no file is nearly named right", err=True)
    return layout.find(found.path, samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What concerns the submission as a whole, and whether it can stay so."""

    text: str
    ok: bool = True


def _notes(layout: Layout, loaded: Benchmark) -> list[Note]:
    """Return what concerns the submission as a whole, its card included."""
    from sparkle_bench.errors import SubmissionError
    from sparkle_bench.submission import card

    notes = []
    if layout.card is None:
        text = "no submission.toml beside the videos: `sparkle-bench validate PATH --init` writes one to fill in"
        notes.append(Note(text=text))
    else:
        try:
            declared = card.read(layout.card)
            notes.append(Note(text=f"submission.toml: {declared.model.name}, track {declared.track}"))
        except SubmissionError as error:
            notes.append(Note(text=str(error), ok=False))
    if layout.benchmark not in (None, loaded.digest):
        text = "the manifest was written for another version of the benchmark than the one in --bench"
        notes.append(Note(text=text, ok=False))
    return notes


def _validated(layout: Layout, samples: Sequence[Sample], hashes: Hashes, given: Mapping[str, Any]) -> Report:
    from sparkle_bench.validation import How
    from sparkle_bench.validation import validate as validated

    progress = Progress("validating")
    how = How(
        deep=given["deep"],
        workers=given["workers"] or road.processors(),
        hashes=hashes,
        on_start=progress.start,
        on_record=lambda row: progress.step(ok=row.usable),
    )
    try:
        return validated(layout, samples, how)
    finally:
        progress.stop()


def _print(report: Report, notes: Sequence[Note], given: Mapping[str, Any]) -> None:
    if given["as_json"]:
        data = {**report.to_data(), "notes": [{"text": note.text, "ok": note.ok} for note in notes]}
        click.echo(json.dumps(data, indent=2))
        return
    click.echo("\n".join(report.lines(None if given["show_all"] else SHOWN)))
    for note in notes:
        click.echo(f"{'note' if note.ok else 'error'}: {note.text}", err=True)
