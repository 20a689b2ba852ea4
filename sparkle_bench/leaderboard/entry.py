"""One result on a board: what is on disk of it, read and scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkle_bench.audit import Audit, audit
from sparkle_bench.errors import PromptError, StoreError, SubmissionError, listed, printable
from sparkle_bench.leaderboard.cells import unarmed
from sparkle_bench.records import BENCHMARK_FIELDS, JUDGE_FIELDS, RUN_FIELDS, unusable
from sparkle_bench.rubric import rubric_from_data
from sparkle_bench.scoring import Efforts, Evidence, Summary, collect, counted, efforts, score_table, summarise
from sparkle_bench.signals.request import load_rules
from sparkle_bench.stats import Agreement, noise, repeated
from sparkle_bench.store import Store
from sparkle_bench.submission import card

if TYPE_CHECKING:
    import pandas as pd

SCORES, FLAGS = "scores.csv", "flags.csv"
DERIVED = (SCORES, FLAGS)
"""What is derived from one judge's verdicts on a result, and kept beside them."""
MOST_MACHINES = 10_000
FLAG_COLUMNS = ("sample_id", "repeat", "name", "why")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One result on a board.

    Attributes:
        model: The result's name.
        summary: Its numbers.
        audit: Where the judge and the measured signals contradict each other; None if nothing was measured.
        units: Raw marks of the edits judged more than once, by dimension key.
        noise: How far these agree, by dimension key; empty if none was.
        run: Its `run.json`.
        judge: Its `judge.json`.
        texts: The files that are derived from it, by name.
        efforts: What its edits took.
        declared: What its makers say of the model; None if nothing.
    """

    model: str
    summary: Summary
    audit: Audit | None
    units: Mapping[str, Sequence[Sequence[int]]]
    noise: Mapping[str, Agreement]
    run: Mapping[str, Any]
    judge: Mapping[str, Any]
    texts: Mapping[str, bytes]
    efforts: Efforts
    declared: card.Card | None = None

    @property
    def track(self) -> str:
        """Among which results it is ranked: `instruction`, or the inputs that it had beyond source and instruction."""
        return self.declared.track if self.declared else card.INSTRUCTION

    @property
    def overlap(self) -> card.Answer:
        """Whether its training data overlaps the benchmark's sources, as declared."""
        return self.declared.overlap if self.declared else "unknown"

    @property
    def machine(self) -> str:
        """What the edits were made on, as `run.json` has it: its GPUs, or its processors; empty if that is not known."""
        runs = _hardware(self.run)
        gpus: Counter[str] = Counter()
        for machines in runs:  # one after another or beside each other: their numbers are not to be added up
            gpus |= Counter(printable(name, limit=60) for machine in machines for name in _gpus(machine))
        if gpus:
            return listed([name if count == 1 else f"{count} x {name}" for name, count in gpus.items()])
        cpus = [machine.get("cpus") for machines in runs for machine in machines]
        return f"{cpus[0]} CPUs" if cpus and isinstance(cpus[0], int) else ""

    @property
    def version(self) -> str:
        """The version of the benchmark that it was made on."""
        return str(self.run["benchmark"]["digest"])


def _hardware(run: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """Return what each run of a result was made on: a machine, or the machines of a cluster."""
    also = run.get("also")
    found = []
    for part in [run, *(also if isinstance(also, list) else [])]:
        known = part.get("hardware") if isinstance(part, Mapping) else None
        if isinstance(known, Mapping):
            machines = known.get("machines")
            found.append([m for m in machines if isinstance(m, Mapping)] if isinstance(machines, list) else [known])
    return found


def _gpus(hardware: Mapping[str, Any]) -> list[object]:
    """Return the names of the GPUs that were used, as often as there are of them."""
    gpus, used, count = hardware.get("gpus"), hardware.get("used"), hardware.get("count", 1)
    if not isinstance(gpus, list):
        return []
    if isinstance(used, list):  # those that are named otherwise than by number count as the first
        places = [int(name) if str(name).isdigit() else 0 for name in used]
        gpus = [gpus[place] for place in places if place < len(gpus)]
    return gpus * (count if isinstance(count, int) and 0 < count <= MOST_MACHINES else 1)


def read_entry(results: Store, model: str, judge_key: str) -> Entry:
    """Score one result under one judge. Nothing is written.

    Raises:
        StoreError: There is no such result, or it is damaged.
    """
    run, judge = results.read_run(model), results.read_judge(model, judge_key)
    if run is None or judge is None:
        raise StoreError(f"results/{model} has no verdicts of {judge_key}")
    _check_fields(f"results/{model}/run.json", run, RUN_FIELDS)
    _check_fields(f"results/{model}/run.json", run["benchmark"], BENCHMARK_FIELDS)
    _check_fields(f"results/{model}/judged/{judge_key}/judge.json", judge, JUDGE_FIELDS)
    declared = _declared(model, run)
    try:
        results.board_dir(run["benchmark"]["name"], judge_key)  # refuses a name that cannot be a folder's
        rubric = rubric_from_data(judge["rubric"])
        known = evidence(results, model, judge_key, judge)
        marks = collect(known, rubric)
        summary = summarise(marks)
        took = efforts(known)
        units = repeated(counted(known), rubric)
        audited = _audit(results, model, known, benchmark=run["benchmark"]["name"])
    except (PromptError, StoreError) as error:
        raise StoreError(f"results/{model} cannot be scored: {error}") from error
    return Entry(
        model=model,
        summary=summary,
        audit=audited,
        units=units,
        noise=noise(units, rubric),
        run=run,
        judge=judge,
        texts=derived_texts(score_table(marks), audited),
        efforts=took,
        declared=declared,
    )


def _declared(model: str, run: Mapping[str, Any]) -> card.Card | None:
    """Return what `run.json` says that the makers declared; it may have been written by anybody's hand."""
    if "declared" not in run:
        return None
    try:
        return card.from_data(run["declared"])
    except SubmissionError as error:
        raise StoreError(f"results/{model}/run.json declares what cannot be: {error}; mend or restore it") from error


def _audit(results: Store, model: str, known: Evidence, *, benchmark: str) -> Audit | None:
    """Compare the verdicts that count with what was measured; None if nothing was, or the benchmark has no rules."""
    measurements = results.measurements(model)
    rules = load_rules(benchmark, root=results.root) if measurements else None
    return audit(known.samples, measurements, counted(known), rules) if rules else None


def derived_texts(table: pd.DataFrame, audited: Audit | None) -> dict[str, bytes]:
    """Return the files of `DERIVED`, by name; without an audit there are no flags."""
    import pandas as pd

    tables = {SCORES: table}
    if audited is not None:
        rows = [{column: getattr(flag, column) for column in FLAG_COLUMNS} for flag in audited.flags]
        tables[FLAGS] = pd.DataFrame(rows, columns=[*FLAG_COLUMNS])
    return {name: unarmed(made).to_csv(index=False).encode() for name, made in tables.items()}


def _check_fields(where: str, data: Mapping[str, Any], fields: Mapping[str, type]) -> None:
    name = unusable(data, fields)
    if name is not None:
        raise StoreError(f"{where} has no usable field {name!r}; restore it or remove the folder")


def evidence(results: Store, model: str, judge_key: str, judge: Mapping[str, Any]) -> Evidence:
    """Return all that is on disk of one model under one judge."""
    return Evidence(
        samples=results.samples(model),
        edits=results.edits(model),
        judgments=results.judgments(model, judge_key),
        repeats=int(judge["repeats"]),
    )
