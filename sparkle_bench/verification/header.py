"""Is a result of the benchmark that it says it is of? `run.json` and `samples.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparkle_bench.benchmark import Benchmark, digest, is_inside
from sparkle_bench.errors import SubmissionError, listed
from sparkle_bench.records import BENCHMARK_FIELDS, Sample, to_json, unusable
from sparkle_bench.submission import card
from sparkle_bench.verification.findings import FORM, Findings
from sparkle_bench.verification.reading import Result

RUN, SAMPLES = "run.json", "samples.jsonl"


def check_header(result: Result, benchmark: Benchmark | None, findings: Findings) -> None:
    """Compare what a result says of its benchmark with its samples, and these with the keeper's own.

    Args:
        result: The result.
        benchmark: The keeper's own copy, or None.
        findings: Where differences go.
    """
    findings.counts["samples"] = len(result.samples)
    if not result.samples:
        findings.differ(SAMPLES, "holds no sample; nothing can be counted without them")
    _check_samples(result, findings)
    said = _said(result, findings)
    if said is not None:
        _check_said(result, said, findings)
    if benchmark is None:
        findings.note("no benchmark at hand: whether these are its samples is known by their hash alone")
    elif digest(result.samples.values()) != benchmark.digest:
        _compare(result, benchmark, findings)


def _said(result: Result, findings: Findings) -> Mapping[str, Any] | None:
    """Return what `run.json` says of the benchmark, if it says all that is needed."""
    run = result.run
    if run is None:
        if RUN not in findings.damaged:
            findings.differ(RUN, "is missing; no board takes the result up", FORM)
        return None
    said = run.get("benchmark")
    if not isinstance(said, dict) or unusable(said, BENCHMARK_FIELDS) is not None:
        names = ", ".join(BENCHMARK_FIELDS)
        findings.differ(RUN, f"says of its benchmark not all of {names}, or another kind of them", FORM)
        return None
    if not isinstance(run.get("editor"), dict):
        findings.differ(RUN, "has no usable field 'editor'", FORM)
    if run.get("model") != result.model:
        findings.differ(RUN, f"calls the result {run.get('model')!r}; it lies under {result.model!r}")
    if "declared" in run:
        try:
            card.from_data(run["declared"])
        except SubmissionError as error:
            findings.differ(RUN, f"declares what cannot be: {error}", FORM)
    return said


def _check_said(result: Result, said: Mapping[str, Any], findings: Findings) -> None:
    own = Benchmark(name=said["name"], samples=tuple(result.samples.values()))
    if said["digest"] != own.digest:
        findings.differ(RUN, f"the benchmark's digest is {said['digest'][:12]}…, that of {SAMPLES} {own.digest[:12]}…")
    if said["samples"] != len(own.samples):
        findings.differ(RUN, f"says {said['samples']} samples, {SAMPLES} holds {len(own.samples)}")
    if said["partial"] != own.partial:
        counts = f"{own.counts}, published {own.complete}"
        findings.differ(RUN, f"says partial: {str(said['partial']).lower()}, but there are {counts}")
    others = [sample.id for sample in own.samples if sample.benchmark != own.name]
    if others:
        findings.differ(SAMPLES, f"{len(others)} are not of the benchmark {own.name!r}: {listed(others)}")


def _check_samples(result: Result, findings: Findings) -> None:
    for sample in result.samples.values():
        if not (is_inside(sample.edit_path) and is_inside(sample.source)):
            findings.differ(f"{SAMPLES} {sample.id}", f"its labels lead out of its folder: {sample.edit_path!r}")


def _compare(result: Result, benchmark: Benchmark, findings: Findings) -> None:
    """Name what differs from the keeper's benchmark."""
    own, kept = result.samples, {sample.id: sample for sample in benchmark.samples}
    groups = {
        "samples of the benchmark are missing": [i for i in kept if i not in own],
        "samples are not the benchmark's": [i for i in own if i not in kept],
        "samples are changed": [f"{i} ({_changed(own[i], kept[i])})" for i in kept if i in own and own[i] != kept[i]],
    }
    for what, ids in groups.items():
        if ids:
            findings.differ(SAMPLES, f"{len(ids)} {what}: {listed(ids)}")


def _changed(one: Sample, other: Sample) -> str:
    before, after = to_json(one), to_json(other)
    return ", ".join(name for name in before if before[name] != after.get(name))
