"""What edits took: time, memory, cost. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from sparkle_bench.records import Edit
from sparkle_bench.scoring.marks import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Efforts:
    """What a model's edits took, as its editor told it; what is None is not known.

    Only an editor's own word counts, and only on edits that were made: the time from a sample's start to its file holds
    waiting, decoding and, for videos handed in, nothing but a copy.

    Attributes:
        edits: Edits there are.
        timed: Those of which the model's own time is known.
        seconds_per_clip: The median of these times.
        frames_per_second: The frames of these edits, in all, over their time, in all.
        host_memory_gb: The most memory that a process which edited has held, in 10^9 bytes.
        gpu_memory_gb: The most GPU memory in use during an edit, in 10^9 bytes.
        priced: Edits whose cost is known.
        cost_usd: What all edits cost together, in US dollars; None unless each one's cost is known.
        cost_per_clip_usd: The mean over those whose cost is known.
        timekeeping: Edits whose frames are known to stand for the source's one by one, or known not to.
        aligned: The share of these that do.
    """

    edits: int
    timed: int
    seconds_per_clip: float | None
    frames_per_second: float | None
    host_memory_gb: float | None
    gpu_memory_gb: float | None
    priced: int
    cost_usd: float | None
    cost_per_clip_usd: float | None
    timekeeping: int
    aligned: float | None

    @property
    def known(self) -> bool:
        """Whether anything is."""
        values = (self.seconds_per_clip, self.host_memory_gb, self.gpu_memory_gb, self.cost_per_clip_usd, self.aligned)
        return any(value is not None for value in values)


def efforts(evidence: Evidence) -> Efforts:
    """Return what the edits of the benchmark's samples took."""
    found = [evidence.edits[sample.id] for sample in evidence.samples if sample.id in evidence.edits]
    made = [edit for edit in found if edit.ok and edit.here]
    times = {edit.sample_id: seconds for edit in made if (seconds := _known(edit, "seconds"))}
    frames = [float(edit.probe.frames) for edit in made if edit.sample_id in times and edit.probe]
    costs = [cost for edit in made if (cost := _known(edit, "cost")) is not None]
    kept = [edit.effort.aligned for edit in made if edit.effort and isinstance(edit.effort.aligned, bool)]
    return Efforts(
        edits=len(made),
        timed=len(times),
        seconds_per_clip=statistics.median(times.values()) if times else None,
        frames_per_second=math.fsum(frames) / math.fsum(times.values()) if times else None,
        host_memory_gb=_gigabytes(_known(edit, "host_memory") for edit in made),
        gpu_memory_gb=_gigabytes(_known(edit, "gpu_memory") for edit in made),
        priced=len(costs),
        cost_usd=math.fsum(costs) if costs and len(costs) == len(made) else None,
        cost_per_clip_usd=math.fsum(costs) / len(costs) if costs else None,
        timekeeping=len(kept),
        aligned=sum(kept) / len(kept) if kept else None,
    )


def _known(edit: Edit, name: str) -> float | None:
    """Return a number of an edit's effort."""
    value = getattr(edit.effort, name, None)
    return None if value is None else float(value)


def _gigabytes(sizes: Iterable[float | None]) -> float | None:
    """Return the largest of the known sizes."""
    known = [size for size in sizes if size]
    return max(known) / 1e9 if known else None
