"""Between the two stages: signals of every edit of the chosen samples, or the reason why there are none.

Signals belong to an exact file and a version of the measuring; what has both is not measured again.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

from sparkle_bench import signals
from sparkle_bench.errors import MachineError, SignalsError, SparkleError, StaleEdit, VideoError, one_line
from sparkle_bench.records import Edit, Measurement, Sample
from sparkle_bench.run.fresh import check_hash
from sparkle_bench.run.work import Work
from sparkle_bench.workers import stream


def measure(work: Work) -> None:
    """Measure every good edit of the chosen samples that has no signals yet, one record each.

    Raises:
        StoreError: Another run is at work on these samples.
    """
    with work.store.working(work.model, work.shard):
        tasks = _tasks(work)
        work.on_start(len(tasks))
        for record in stream(tasks, functools.partial(_measure_one, work), workers=work.workers):
            work.store.append_measurement(work.model, record)
            work.on_record(record)


def _tasks(work: Work) -> list[tuple[Sample, Edit]]:
    edits, earlier = work.store.edits(work.model), work.store.measurements(work.model)
    tasks = []
    for sample in work.samples:
        edit = edits.get(sample.id)
        if edit is None or edit.sha256 is None or not edit.here:
            continue
        known = earlier.get((sample.id, edit.sha256))
        if known is None or not known.ok or known.version != signals.VERSION:
            tasks.append((sample, edit))
    return tasks


def _measure_one(work: Work, task: tuple[Sample, Edit]) -> list[Measurement]:
    sample, edit = task
    begun = time.monotonic()
    found: dict[str, Any] | None = None
    error: SparkleError | None = None
    try:
        found = signals.to_data(_measured(work.store.video_path(work.model, sample), sample, edit))
    except (VideoError, MachineError, StaleEdit, SignalsError) as trouble:
        error = trouble
    return [
        Measurement(
            sample_id=sample.id,
            edit_sha256=edit.sha256 or "",
            version=signals.VERSION,
            signals=found,
            error=None if error is None else one_line(error),
            error_type=None if error is None else type(error).__name__,
            seconds=round(time.monotonic() - begun, 3),
        )
    ]


def _measured(edited: Path, sample: Sample, edit: Edit) -> signals.Signals:
    """Measure the very file of the Edit."""
    check_hash(edited, edit)
    found = signals.measure(sample.source_path, edited)
    check_hash(edited, edit)
    return found
