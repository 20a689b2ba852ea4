"""What a stage works on, and the first lines of a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sparkle_bench import editors
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.editors import Editor
from sparkle_bench.errors import StoreError
from sparkle_bench.provenance import code_version, hardware
from sparkle_bench.records import Edit, Judgment, Measurement, Sample
from sparkle_bench.store import Store

OnRecord = Callable[[Edit | Measurement | Judgment], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a stage works on.

    Attributes:
        store: Where records go.
        model: The result's name.
        samples: The chosen samples.
        shard: Which part of a division they are, for the lock.
        workers: How many samples at once.
        on_start: Told how many records the stage will make, before the first.
        on_record: Told of every record once it is on disk.
    """

    store: Store
    model: str
    samples: Sequence[Sample]
    shard: tuple[int, int] = (0, 1)
    workers: int = 1
    on_start: Callable[[int], None] = lambda total: None
    on_record: OnRecord = lambda record: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a model's edits are made.

    Attributes:
        editor: The editor.
        name: What `--model` called it.
        options: Its options as given.
        preset: What of a preset's data decides what comes out; hashed with the options, so that no result is made half by
            one preset and half by its next edition.
        gpus: The GPUs that were chosen for it; none if it takes what it finds.
    """

    editor: Editor
    name: str
    options: Mapping[str, str]
    preset: Mapping[str, Any] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()


def start(
    store: Store,
    model: str,
    benchmark: Benchmark,
    made: Made,
    *,
    now: datetime,
    busy: bool = True,
    load: bool = False,
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

    Raises:
        StoreError: The name is taken by another editor, other options, or another version of the benchmark.
        EditorError: What the editor declares cannot be declared.
        SubmissionError: The `submission.toml` that it reads is malformed.
    """
    run = _subject(model, benchmark, made)
    editor = run["editor"]
    bound_by_content = editors.is_bound_by_content(made.editor)
    earlier = store.read_run(model)
    if earlier is not None:
        _check_same(model, earlier, run, bound_by_content=bound_by_content)
        if not (busy or bound_by_content):
            return
    if load:
        editors.load(made.editor)
    # Outside the lock: a model may have to be loaded to be described, and shards start at the same time.
    editor["options"] = editors.describe(made.editor, made.options)
    declared = editors.declared(made.editor)
    used = {"used": list(made.gpus)} if made.gpus else {}
    run |= {"code_version": code_version(), "hardware": hardware() | used, "date": now.isoformat(timespec="seconds")}
    run |= {"declared": declared} if declared else {}
    with store.starting(model):
        earlier = store.read_run(model)
        if earlier is not None:
            _check_same(model, earlier, run, bound_by_content=bound_by_content)
        if earlier is None or earlier["editor"] != editor or earlier.get("declared", {}) != declared:
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


def _check_same(model: str, earlier: Mapping[str, Any], run: Mapping[str, Any], *, bound_by_content: bool) -> None:
    cure = f"use another --name, or remove results/{model}"
    versions = [document.get("benchmark") for document in (earlier, run)]
    digests = [version.get("digest") if isinstance(version, dict) else None for version in versions]
    if digests[0] != digests[1]:
        raise StoreError(f"results/{model} belongs to another version of the benchmark; {cure}")
    before, after = earlier.get("editor"), run["editor"]
    if not (isinstance(before, dict) and isinstance(after, dict)):
        raise StoreError(f"results/{model}/run.json names no editor; {cure}")
    other_options = before.get("options_hash") != after["options_hash"]
    if before.get("name") != after["name"] or (other_options and not bound_by_content):
        raise StoreError(
            f"results/{model} was made by {before.get('name')} with options {before.get('options')}; {cure}"
        )
