"""What can be found out about videos handed in, before anything is judged: no judge, no GPU, no network.

`validate` looks at the video of every sample by probing it and at a picture or two of it; nothing is written and no file is
changed. See `finding.py` for the kinds of findings and the states that they lead to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sparkle_bench import workers
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import listed
from sparkle_bench.validation.checking import Task, check
from sparkle_bench.validation.finding import FINE as FINE
from sparkle_bench.validation.finding import KINDS as KINDS
from sparkle_bench.validation.finding import MISSING as MISSING
from sparkle_bench.validation.finding import ODD as ODD
from sparkle_bench.validation.finding import STATES as STATES
from sparkle_bench.validation.finding import UNREAD as UNREAD
from sparkle_bench.validation.finding import UNUSABLE as UNUSABLE
from sparkle_bench.validation.finding import Checked as Checked
from sparkle_bench.validation.finding import Finding as Finding
from sparkle_bench.validation.report import Report as Report
from sparkle_bench.validation.report import ordered

if TYPE_CHECKING:
    from sparkle_bench.records import Sample
    from sparkle_bench.submission.layout import Layout
    from sparkle_bench.submission.near import NearMiss


def _nothing(_: object) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How to validate.

    Attributes:
        deep: Whether to decode every frame.
        workers: How many videos to look at at once, in threads.
        hashes: The hashes of files, remembered or not.
        on_start: Is told how many samples there are.
        on_record: Is given each sample's record when it is there; one file for several samples is noted at the end.
    """

    deep: bool = False
    workers: int = 2
    hashes: Hashes = field(default_factory=Hashes)
    on_start: Callable[[int], None] = _nothing
    on_record: Callable[[Checked], None] = _nothing


def validate(found: Layout, samples: Sequence[Sample], how: How | None = None) -> Report:
    """Find out about the video of each sample.

    Args:
        found: Which file is which sample's.
        samples: Those chosen.
        how: How to go about it.
    """
    how = how or How()
    sources: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        sources[sample.sha256].append(sample.id)
    task = Task(
        found=found,
        near=_by_sample(found.near),
        deep=how.deep,
        hashes=how.hashes,
        sources={value: tuple(ids) for value, ids in sources.items() if value},
    )

    def do(sample: Sample) -> Iterator[Checked]:
        yield check(sample, task)

    how.on_start(len(samples))
    rows = {}
    for row in workers.stream(samples, do, workers=how.workers):
        rows[row.sample_id] = row
        how.on_record(row)
    chosen = {sample.id for sample in samples}
    return Report(
        rows=ordered(list(_with_twins([rows[sample.id] for sample in samples]))),
        extra=found.extra,
        near=tuple(miss for miss in found.near if miss.sample_id in chosen),
    )


def _by_sample(near: Iterable[NearMiss]) -> dict[str, list[NearMiss]]:
    found: dict[str, list[NearMiss]] = defaultdict(list)
    for miss in near:
        found[miss.sample_id].append(miss)
    return dict(found)


def _with_twins(rows: Sequence[Checked]) -> Iterable[Checked]:
    """Note which samples have one and the same file."""
    owners: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.sha256 is not None:
            owners[row.sha256].append(row.sample_id)
    for row in rows:
        others = [sample_id for sample_id in owners.get(row.sha256 or "", []) if sample_id != row.sample_id]
        if others:
            twin = Finding(kind="same_bytes", text=f"the same file as {listed(others)}")
            row = replace(row, findings=(*row.findings, twin))
        yield row
