"""The command that measures: `signals`."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt
from sparkle_bench.cli import road

if TYPE_CHECKING:
    from sparkle_bench.records import Measurement
    from sparkle_bench.signals import Signals

INCOMPLETE = 3


@click.command("signals")
@click.argument("model")
@opt.selection
@opt.root
@opt.as_json
@opt.one_line_errors
def signals(model: str, **given: Any) -> None:
    """Measure a result's edits: media, change, subject, background, light, text on screen. No judge, no network.

    `eval` and `judge` do it too. What was measured stands in results/MODEL/signals.jsonl; a signal that the pixels do
    not tell is null there, with the reason. `show MODEL ID` prints one sample's. Exit code 3: not every edit could be
    measured.
    """
    from sparkle_bench import benchmark
    from sparkle_bench.errors import StoreError
    from sparkle_bench.run import Work
    from sparkle_bench.store import Store

    store = Store(root=given["root"])
    if store.read_run(model) is None:
        known = benchmark.suggestion(model, store.models()) if store.models() else "there are no results yet"
        raise StoreError(f"no result {model!r} under {given['root'] / 'results'}; {known}")
    hashes = store.hashes()
    loaded = benchmark.load(given["bench"], hashes=hashes)
    hashes.save()
    _check_version(store.read_run(model) or {}, loaded.digest, model)
    work = Work(store=store, model=model, samples=road.chosen(loaded, given), shard=given["shard"])
    road.measure(work, given["workers"])
    edits, measured = store.edits(model), store.measurements(model)
    keys = [(s.id, edits[s.id].sha256 or "") for s in work.samples if s.id in edits and edits[s.id].here]
    found = [measured[key] for key in keys if key in measured]
    click.echo(_as_json(model, found) if given["as_json"] else "\n".join(_lines(model, found)))
    sys.exit(INCOMPLETE if any(not record.ok for record in found) else 0)


def _check_version(run: Mapping[str, Any], digest: str, model: str) -> None:
    from sparkle_bench.errors import StoreError

    if run.get("benchmark", {}).get("digest") != digest:
        raise StoreError(f"results/{model} belongs to another version of the benchmark than --bench; name its folder")


def _facts(found: Sequence[Signals]) -> dict[str, int]:
    """Count what deserves a look."""
    return {
        "the source again": sum(s.change.source_again for s in found),
        "no subject found": sum(not s.subject.found for s in found),
        "not index-aligned": sum(s.media.timing not in ("index-aligned", "unknown") for s in found),
        "timing unknown": sum(s.media.timing == "unknown" for s in found),
        "frozen background": sum((s.background.frozen or 0) >= 0.9 for s in found),
        "looping background": sum(s.background.loop is not None or s.background.ping_pong for s in found),
        "new text on screen": sum(s.text.new_lines > 0 for s in found),
        "other length": sum(s.media.length != "same" for s in found),
        "other rate": sum(abs(s.media.fps - s.media.source_fps) > 0.01 for s in found),
    }


MEDIANS: Mapping[str, tuple[str, str, str]] = {
    "changed": ("change", "changed", "share of the structure"),
    "subject": ("change", "subject", "share of the picture"),
    "subject structure": ("subject", "structure", "-1 to 1"),
    "subject flow error": ("subject", "flow_error", "px/frame"),
    "background energy": ("background", "energy", "grey levels/frame"),
    "background frozen": ("background", "frozen", "share"),
    "background sharpness": ("background", "sharpness", "octave ratio"),
}


def _lines(model: str, records: Sequence[Measurement]) -> list[str]:
    from sparkle_bench.signals import from_data

    found = [from_data(record.signals) for record in records if record.signals is not None]
    failed = [record for record in records if not record.ok]
    lines = [f"{model}: {len(found)} of {len(records)} edits measured"]
    if failed:
        lines.append(f"  {len(failed)} could not be; the first, {failed[0].sample_id}: {failed[0].error}")
    for name, (group, signal, unit) in MEDIANS.items():
        values = [v for s in found if (v := getattr(getattr(s, group), signal)) is not None]
        unknown = f"; {len(found) - len(values)} unknown" * (len(values) < len(found))
        middle = f"{statistics.median(values):.2f}" if values else "–"
        lines.append(f"  {name:<22} {middle:>6}  {unit}, median{unknown}")
    return [*lines, *(f"  {name:<22} {count:>6}  samples" for name, count in _facts(found).items() if count)]


def _as_json(model: str, records: Sequence[Measurement]) -> str:
    from sparkle_bench.records import to_json
    from sparkle_bench.signals import from_data

    found = [from_data(record.signals) for record in records if record.signals is not None]
    data = {"model": model, "measured": len(found), "edits": len(records), "facts": _facts(found)}
    return json.dumps({**data, "measurements": [to_json(r) for r in records]}, indent=2, ensure_ascii=False)
