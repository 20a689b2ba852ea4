"""The first lines of a result: `run.json` says how its edits are made, and nothing may be added that was made otherwise.

What decides about edits (options, weights, code of a checkout) must be the same in every run of one result. What may differ
from machine to machine (the GPU, versions of libraries) is kept of every run: of the first in `options` and `hardware`, of
others under `also`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sparkle_bench import editors
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.errors import StoreError, one_line
from sparkle_bench.provenance import code_version, hardware
from sparkle_bench.run.work import Made
from sparkle_bench.store import Store

OF_THE_MACHINE = (
    "device",
    "devices",
    "gpu",
    "cuda",
    "driver",
    "versions",
    "ray",
    "host",
    "usd_per_credit",
    "usd_per_second",
)
"""What an editor may describe that does not decide what comes out."""
MOST = 200
"""Runs of which `also` tells."""


def start(
    store: Store,
    model: str,
    benchmark: Benchmark,
    made: Made,
    *,
    now: datetime,
    busy: bool = True,
    load: bool = False,
    empty: bool = False,
) -> None:
    """Write `run.json`, or check that the result there was made the same way.

    An editor that tells by content what is current (such as `folder`) may come with other options; the newest are kept.
    So is the newest of what the makers declare of the model.

    Args:
        store: Where results lie.
        model: The result's name.
        benchmark: What is edited.
        made: How.
        now: The time.
        busy: Whether something is left to edit. If nothing is, a model need not be loaded to be described again.
        load: Whether to load the model before it is described: versions and weights are known then.
        empty: Whether the result has no good edit and nobody else is at work on it, so that options may still change.

    Raises:
        StoreError: The name is taken by another editor, other options, other weights, or another version of the benchmark.
        EditorError: What the editor declares cannot be declared.
        SubmissionError: The `submission.toml` that it reads is malformed.
    """
    run = _subject(model, benchmark, made)
    bound_by_content = editors.is_bound_by_content(made.editor)
    loose = bound_by_content or empty
    earlier = store.read_run(model)
    if earlier is not None:
        _check_same(model, earlier, run, loose=loose)
        if not (busy or bound_by_content):
            return
    if load:
        editors.load(made.editor)
    # Outside the lock: a model may have to be loaded to be described, and shards start at the same time.
    run["editor"]["options"] = editors.describe(made.editor, made.options)
    declared = editors.declared(made.editor)
    used = {"used": list(made.gpus)} if made.gpus else {}
    where = (editors.hardware(made.editor) or hardware()) | used
    run |= {"code_version": code_version(), "hardware": where, "date": now.isoformat(timespec="seconds")}
    run |= {"declared": declared} if declared else {}
    with store.starting(model):
        earlier = store.read_run(model)
        if earlier is not None:
            _check_same(model, earlier, run, loose=loose)
            run = _changed(earlier, run) if loose else _joined(model, earlier, run, editors.incidental(made.editor))
        if run != earlier:
            store.write_run(model, run, benchmark.samples)


def _subject(model: str, benchmark: Benchmark, made: Made) -> dict[str, Any]:
    """Return what two runs have in common that may write into one result."""
    counts = benchmark.counts
    return {
        "model": model,
        "benchmark": {
            "name": benchmark.name,
            "digest": benchmark.digest,
            "samples": counts.samples,
            "partial": benchmark.partial,
        },
        "editor": {
            "name": made.name,
            "options_hash": _hash([dict(made.options), made.preset] if made.preset else dict(made.options)),
        },
    }


def _hash(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _cure(model: str) -> str:
    return f"use another --name, or remove results/{model}"


def _check_same(model: str, earlier: Mapping[str, Any], run: Mapping[str, Any], *, loose: bool) -> None:
    """Refuse another benchmark, another editor and, unless that is allowed, other options."""
    versions = [document.get("benchmark") for document in (earlier, run)]
    digests = [version.get("digest") if isinstance(version, dict) else None for version in versions]
    if digests[0] != digests[1]:
        raise StoreError(f"results/{model} belongs to another version of the benchmark; {_cure(model)}")
    before, after = earlier.get("editor"), run["editor"]
    if not isinstance(before, dict):
        raise StoreError(f"results/{model}/run.json names no editor; {_cure(model)}")
    other_options = before.get("options_hash") != after["options_hash"]
    if before.get("name") != after["name"] or (other_options and not loose):
        raise StoreError(
            f"results/{model} was made by {before.get('name')} with options {before.get('options')}; {_cure(model)}"
        )


def _changed(earlier: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Return the new lines if they say another thing than the old ones, which else keep their date."""
    same = earlier["editor"] == run["editor"] and earlier.get("declared") == run.get("declared")
    return earlier if same else run


def _joined(model: str, earlier: dict[str, Any], run: Mapping[str, Any], incidental: Iterable[str]) -> dict[str, Any]:
    """Return the old lines with what this run adds to them.

    Raises:
        StoreError: The editor describes itself otherwise than then.
    """
    loose = {*OF_THE_MACHINE, *incidental}
    before, after = earlier["editor"].get("options"), run["editor"]["options"]
    if isinstance(before, dict):
        for name in {**before, **after}:
            if name not in loose and _told(before.get(name)) != _told(after.get(name)):
                raise StoreError(
                    f"results/{model} was made with {name} {one_line(before.get(name), limit=200)}, and this run has "
                    f"{one_line(after.get(name), limit=200)}; {_cure(model)}"
                )
    others = [other for other in earlier.get("also", []) if isinstance(other, dict)]
    ours = _particular(run)
    known = any(_particular(other) == ours for other in [earlier, *others])
    joined = {name: value for name, value in earlier.items() if name not in ("also", "declared")}
    joined |= {"declared": run["declared"]} if "declared" in run else {}
    also = others if known or len(others) >= MOST else [*others, {**ours, "date": run["date"]}]
    return joined | ({"also": also} if also else {})


def _told(value: object) -> object:
    """Return what decides of a described value: weights are told by their hash, whatever their folder is called."""
    return value["sha256"] if isinstance(value, Mapping) and value.get("sha256") else value


def _particular(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of one run that need not hold for others."""
    options = run["editor"]["options"] if "editor" in run else run.get("options", {})
    found = {name: options[name] for name in OF_THE_MACHINE if isinstance(options, dict) and name in options}
    return {"options": found, "hardware": run.get("hardware"), "code_version": run.get("code_version")}
