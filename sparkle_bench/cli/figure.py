"""The command that draws one sample for a paper: `figure`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from sparkle_bench.cli import options as opt

if TYPE_CHECKING:
    from sparkle_bench.plots.comparison import Comparison
    from sparkle_bench.store import Store

Kind = Literal["png", "pdf"]
PICTURES: tuple[Kind, ...] = ("png", "pdf")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")


@click.command("figure")
@click.option(
    "--models",
    multiple=True,
    required=True,
    callback=opt.models,
    metavar="a,b,…",
    help="Whose edits, one row each, in this order.",
)
@click.option("--only", "ids", multiple=True, required=True, metavar="ID", help="Of which sample. May be repeated.")
@click.option("--frames", type=click.IntRange(1, 24), default=6, show_default=True, help="Instants: so many columns.")
@click.option(
    "--judge",
    "judge_key",
    metavar="KEY",
    help="Beside each edit its mean mark by this judge key, or one that begins so.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="NAME",
    help="A file name without its ending, or a folder.  [default: figure-ID here]",
)
@click.option("--kind", type=click.Choice(PICTURES), multiple=True, help="Only this kind of file. May be repeated.")
@opt.bench
@opt.root
@opt.as_json
@opt.one_line_errors
def figure(models: tuple[str, ...], ids: tuple[str, ...], **given: Any) -> None:
    """Draw a comparison grid for a paper: source and models in rows, instants in columns, the instruction below.

    Every edit is shown at the same relative instants as the source. A model without an edit of the sample has an empty
    row with the reason. Writes a PNG and a PDF for every sample. Without --bench, and with no benchmark in its usual
    place, the sources come from the folder that the results' board was made with on this machine.
    """
    from sparkle_bench import disk, plots
    from sparkle_bench.plots.comparison import Wish, compare
    from sparkle_bench.store import Store

    store = Store(root=given["root"])
    wish = Wish(
        models=models,
        frames=given["frames"],
        bench=_bench(store, models, given["bench"]),
        judge_key=_judge_key(store, models, given["judge_key"]),
    )
    said = []
    for sample_id in dict.fromkeys(ids):
        found = compare(store, sample_id, wish)
        name = _name(given["out"], sample_id, several=len(set(ids)) > 1)
        drawn = plots.grid(found)
        kinds: tuple[Kind, ...] = given["kind"] or PICTURES
        paths = {kind: name.with_name(f"{name.name}.{kind}") for kind in kinds}
        for kind, path in paths.items():
            disk.write(path, plots.render(drawn, kind))
        said.append(_about(found, paths.values()))
        if not plots.is_legible(found):
            hint = "no font here has all its letters; install one that does, such as Noto Sans CJK"
            click.echo(f"note: {sample_id}: {hint}", err=True)
    if given["as_json"]:
        click.echo(json.dumps({"figures": said}, indent=2, ensure_ascii=False))
        return
    for about in said:
        for row in about["rows"]:
            if row["why"]:
                click.echo(f"note: {about['sample_id']}, {row['label']}: {row['why']}", err=True)
        click.echo("\n".join(about["paths"]))


def _bench(store: Store, models: Iterable[str], given: Path) -> Path:
    """Return the benchmark's folder; where the default is not there, the link to the one that a board was made with."""
    source = click.get_current_context().get_parameter_source("bench")
    if source is not ParameterSource.DEFAULT or given.is_dir():
        return given
    for model in models:
        version = (store.read_run(model) or {}).get("benchmark")
        if isinstance(version, dict):
            link = store.sources_link(str(version.get("name")), str(version.get("digest")))
            if link.is_dir():
                return link
    return given


def _judge_key(store: Store, models: Iterable[str], wanted: str | None) -> str | None:
    """Return the judge key that is meant; one that nothing fits stays as it is, to be refused with near misses."""
    from sparkle_bench.leaderboard.comparison import meant

    if wanted is None:
        return None
    keys = dict.fromkeys(key for model in models for key in store.judge_keys(model))
    return meant(wanted, list(keys)) or wanted


def _name(out: Path | None, sample_id: str, *, several: bool) -> Path:
    """Return a figure's file without its ending."""
    own = _UNSAFE.sub("_", sample_id)
    if out is None:
        return Path(f"figure-{own}")
    if out.is_dir():
        return out / f"figure-{own}"
    stem = out.with_suffix("") if out.suffix[1:] in PICTURES else out
    return stem.with_name(f"{stem.name}-{own}") if several else stem


def _about(found: Comparison, paths: Iterable[Path]) -> dict[str, Any]:
    """Return what a figure shows, for machines."""
    return {
        "sample_id": found.sample.id,
        "paths": [str(path) for path in paths],
        "seconds": [round(time, 4) for time in found.times],
        "rows": [
            {"label": strip.label, "pictures": len(strip.pictures), "why": strip.why, "mark": strip.mark}
            for strip in found.strips
        ],
    }
