"""The command that sets two results against each other: `compare`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from sparkle_bench.cli import options as opt

if TYPE_CHECKING:
    from sparkle_bench.leaderboard.comparison import Compared, Comparison
    from sparkle_bench.leaderboard.entry import Entry

INCOMPLETE = 3
SIDES: tuple[Literal["a", "b"], ...] = ("a", "b")
HEAD = ("", "A", "B", "A - B", "95% interval", "p", "corrected", "")


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option(
    "--judge",
    "judge_key",
    metavar="KEY",
    help="Under which judge key, or how it begins.  [default: the only one that judged both]",
)
@click.option("--raw", is_flag=True, help="Compare the judge's marks as it gave them, without the cap.")
@click.option(
    "--common",
    is_flag=True,
    help="Leave out samples on which either lacks a verdict. That is no ranking: it may favour the one that lacks them.",
)
@click.option(
    "--show",
    "shown",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="So many samples that differ most, in each direction.",
)
@opt.root
@opt.as_json
@opt.one_line_errors
def compare(a: str, b: str, **given: Any) -> None:
    """Compare two results sample by sample: which is better, by how much, and how surely.

    A and B are results under one judge. Differences are A minus B, in marks; intervals come of resampling scenes, p of
    exchanging the two within scenes, corrected (Holm) for the number of dimensions or themes. Exit code 3: with --common,
    if samples were left out.
    """
    from sparkle_bench.leaderboard.comparison import Terms, comparison
    from sparkle_bench.store import Store

    terms = Terms(judge_key=given["judge_key"], capped=not given["raw"], common=given["common"])
    found = comparison(Store(root=given["root"]), a, b, terms)
    if given["as_json"]:
        click.echo(json.dumps(_data(found, given), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(found, given)))
    sys.exit(INCOMPLETE if found.left_out else 0)


# -- for people --------------------------------------------------------------------------------------------------------


def _lines(found: Comparison, given: dict[str, Any]) -> Iterator[str]:
    from sparkle_bench.errors import printable

    samples, scenes = len(found.samples), found.design.scenes
    repeats = sorted({found.a.marks.status.shape[1], found.b.marks.status.shape[1]})
    verdicts = " and ".join(map(str, repeats)) + (" verdict" if repeats == [1] else " verdicts") + " an edit"
    marks = "the judge's own marks, without the cap" if given["raw"] else "capped marks"
    yield from (f"{letter}  {_entry_line(entry)}" for letter, entry in (("A", found.a), ("B", found.b)))
    yield (
        f"{printable(found.a.run['benchmark']['name'])}, {samples} samples in {scenes} scenes, judge {found.judge_key}, "
        f"{verdicts}, {marks}"
    )
    yield from _notes(found)
    yield ""
    yield from _table(found)
    yield ""
    contrast = found.contrast
    yield f"samples: A better on {contrast.wins}, B on {contrast.losses}, alike on {contrast.ties}"
    if found.noise is not None:
        yield f"the judge's own wavering alone moves the overall difference by about ±{1.96 * found.noise:.3f} (95%)"
    yield "p and interval are those of this one comparison; a board corrects for all of its pairs"
    yield from _most(found, given)


def _entry_line(entry: Entry) -> str:
    track = f", track {entry.track}" if entry.track != "instruction" else ""
    return f"{entry.model}, {entry.judged}{track}"


def _notes(found: Comparison) -> Iterator[str]:
    a, b = found.a, found.b
    if found.left_out:
        yield (
            f"NO RANKING: {found.left_out} of {len(a.marks.samples)} samples are left out (A lacks verdicts on "
            f"{found.lacking_a}, B on {found.lacking_b}); whoever lacks the hard ones looks better"
        )
    if a.track != b.track:
        yield f"note: different tracks ({a.track}, {b.track}); a board does not rank these against each other"


def _table(found: Comparison) -> Iterator[str]:
    rows = [HEAD, *_rows(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        first, *rest, last = (
            text.ljust(width) if place in (0, len(HEAD) - 1) else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *rest, last]).rstrip()


def _rows(found: Comparison) -> Iterator[tuple[str, ...]]:
    from sparkle_bench.errors import printable

    yield _row("overall", found.overall)
    for name, group in (("dimensions", found.dimensions), ("themes", found.themes)):
        yield (f"{name}:", *[""] * (len(HEAD) - 1))
        yield from (_row(f"  {printable(of.label, limit=60)}", of) for of in group)


def _row(label: str, of: Compared) -> tuple[str, ...]:
    between, p = of.difference.interval, of.difference.p
    interval = "unknown" if between is None else f"{_signed(between.low)} to {_signed(between.high)}"
    words = {"a": "A better", "b": "B better", None: "not told apart"}
    corrected = "" if of.key == "overall" else _p(of.p)
    value = _signed(of.difference.value)
    return label, f"{of.a:.2f}", f"{of.b:.2f}", value, interval, _p(p), corrected, words[of.better]


def _signed(number: float) -> str:
    return f"{number:+.3f}" if abs(number) >= 0.0005 else "0.000"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _most(found: Comparison, given: dict[str, Any]) -> Iterator[str]:
    """Yield the samples that differ most, each with the commands that show it."""
    from sparkle_bench.errors import printable

    root = [] if given["root"] == Path() else ["--root", str(given["root"])]
    a, b = found.marks_a.mean(axis=1), found.marks_b.mean(axis=1)
    for side in SIDES:
        places = found.most(given["shown"], favouring=side)
        if places:
            yield f"\nmost in {side.upper()}'s favour:"
        for number in places:
            sample = found.samples[number]
            label = printable(f"{sample.theme} / {sample.subtheme} / {sample.scene}", limit=120)
            difference = _signed(found.contrast.by_sample[number])
            yield f"  {difference}  A {a[number]:.2f}  B {b[number]:.2f}  {printable(sample.id, limit=120)}  {label}"
            commands = [
                shlex.join(["sparkle-bench", "show", entry.model, printable(sample.id), *root])
                for entry in (found.a, found.b)
            ]
            yield f"    {' && '.join(commands)}"


# -- for machines ------------------------------------------------------------------------------------------------------


def _data(found: Comparison, given: dict[str, Any]) -> dict[str, Any]:
    contrast = found.contrast
    return {
        "a": _entry_data(found.a, lacking=found.lacking_a),
        "b": _entry_data(found.b, lacking=found.lacking_b),
        "benchmark": {"name": found.a.run["benchmark"]["name"], "digest": found.a.version},
        "judge_key": found.judge_key,
        "marks": "raw" if given["raw"] else "capped",
        "samples": len(found.samples),
        "scenes": found.design.scenes,
        "left_out": found.left_out,
        "alpha": contrast.alpha,
        "overall": _compared_data(found.overall),
        "dimensions": {of.key: {"label": of.label, **_compared_data(of)} for of in found.dimensions},
        "themes": {of.key: _compared_data(of) for of in found.themes},
        "wins": contrast.wins,
        "ties": contrast.ties,
        "losses": contrast.losses,
        "judge_error": found.noise,
        "most": {side: _most_data(found, found.most(given["shown"], favouring=side)) for side in SIDES},
    }


def _entry_data(entry: Entry, *, lacking: int) -> dict[str, Any]:
    return {
        "model": entry.model,
        "track": entry.track,
        "judged": entry.judged,
        "repeats": int(entry.marks.status.shape[1]),
        "lacking_verdicts": lacking,
    }


def _compared_data(of: Compared) -> dict[str, Any]:
    between = of.difference.interval
    return {
        "a": of.a,
        "b": of.b,
        "difference": of.difference.value,
        "low": between.low if between else None,
        "high": between.high if between else None,
        "p": of.difference.p,
        "corrected": of.p,
        "better": of.better,
    }


def _most_data(found: Comparison, places: list[int]) -> list[dict[str, Any]]:
    a, b = found.marks_a.mean(axis=1).tolist(), found.marks_b.mean(axis=1).tolist()
    differences = found.contrast.by_sample.tolist()
    return [
        {"sample_id": found.samples[place].id, "a": a[place], "b": b[place], "difference": differences[place]}
        for place in places
    ]
