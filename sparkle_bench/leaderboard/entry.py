"""One result on a board: what is on disk of it, read and scored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sparkle_bench import disk
from sparkle_bench.asked import judged_here
from sparkle_bench.audit import Audit, audit
from sparkle_bench.errors import PromptError, StoreError, SubmissionError, listed, printable
from sparkle_bench.leaderboard.cells import unarmed
from sparkle_bench.leaderboard.command import command
from sparkle_bench.records import BENCHMARK_FIELDS, JUDGE_FIELDS, MOST_REPEATS, RUN_FIELDS, unusable
from sparkle_bench.report.details import details
from sparkle_bench.rubric import Rubric, rubric_from_data
from sparkle_bench.scoring import Efforts, Evidence, Marks, Summary, collect, counted, efforts, score_table, summarise
from sparkle_bench.signals.request import load_rules
from sparkle_bench.stats import Agreement, noise
from sparkle_bench.store import Store
from sparkle_bench.submission import card

if TYPE_CHECKING:
    import pandas as pd

SCORES, FLAGS = "scores.csv", "flags.csv"
DERIVED = (SCORES, FLAGS)
"""What is derived from one judge's verdicts on a result, and kept beside them."""
MOST_MACHINES = 10_000
FLAG_COLUMNS = ("sample_id", "repeat", "name", "why")
Judged = Literal["judged here", "self-reported"]
"""Whether whoever keeps these results asked the judge, or took over what others say that it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One result on a board.

    Attributes:
        model: The result's name.
        run: Its `run.json`.
        judge: Its `judge.json`.
        marks: Every mark.
        summary: Its numbers.
        audit: Where the judge and the measured signals contradict each other; None if nothing was measured.
        noise: How far verdicts on the same edits agree, by dimension key; empty if none was judged more than once.
        efforts: What its edits took.
        texts: The files that are derived from it, by name; None if they are on disk as they should be.
        details: What the page says of each sample; None likewise.
        declared: What its makers say of the model; None if nothing.
        judged: Who asked the judge.
        command: What to run to make it again.
    """

    model: str
    run: Mapping[str, Any]
    judge: Mapping[str, Any]
    marks: Marks
    summary: Summary
    audit: Audit | None
    noise: Mapping[str, Agreement]
    efforts: Efforts
    texts: Mapping[str, bytes] | None
    details: bytes | None
    declared: card.Card | None
    judged: Judged
    command: str

    @property
    def track(self) -> str:
        """Among which results it is ranked: `instruction`, or the inputs that it had beyond source and instruction."""
        return self.declared.track if self.declared else card.INSTRUCTION

    @property
    def overlap(self) -> card.Answer:
        """Whether its training data overlaps the benchmark's sources, as declared."""
        return self.declared.overlap if self.declared else "unknown"

    @property
    def weights(self) -> Literal["open", "closed", "unknown"]:
        """Whether anybody can have the model's weights, as declared."""
        return self.declared.weights if self.declared else "unknown"

    @property
    def is_control(self) -> bool:
        """Whether our own editor handed the source back, whatever the result is called: others are seen against it."""
        return bool(self.run["editor"].get("name") == "identity")

    @property
    def edit_code_version(self) -> str | None:
        """The version of this package that made the edits, as `run.json` has it."""
        found = self.run.get("code_version")
        return found if isinstance(found, str) else None

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


def read_entry(
    results: Store, model: str, judge_key: str, *, hash_of: Callable[[Path], str] = disk.file_sha256
) -> Entry:
    """Score one result under one judge. Nothing is written.

    Args:
        results: The results.
        model: The result's name.
        judge_key: Whose verdicts.
        hash_of: Returns a file's sha256.

    Raises:
        StoreError: There is no such result, or it is damaged.
    """
    header = read_header(results, model, judge_key, hash_of=hash_of)
    try:
        known = evidence(results, model, judge_key, header.judge)
        marks = collect(known, header.rubric)
        audited = _audit(results, model, known, benchmark=header.benchmark)
        return entry_of(
            header,
            marks=marks,
            audit=audited,
            efforts=efforts(known),
            texts=derived_texts(score_table(marks), audited),
            details=details(model, known, audited),
        )
    except (PromptError, StoreError) as error:
        raise StoreError(f"results/{model} cannot be scored: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a result says of itself, beside its records.

    Attributes:
        model: The result's name.
        run: Its `run.json`.
        judge: Its `judge.json`.
        rubric: What its marks mean.
        declared: What its makers say of the model; None if nothing.
        judged: Who asked the judge.
    """

    model: str
    run: Mapping[str, Any]
    judge: Mapping[str, Any]
    rubric: Rubric
    declared: card.Card | None
    judged: Judged

    @property
    def benchmark(self) -> str:
        """The benchmark's name."""
        return str(self.run["benchmark"]["name"])


def read_header(
    results: Store, model: str, judge_key: str, *, hash_of: Callable[[Path], str] = disk.file_sha256
) -> Header:
    """Read what one result says of itself, and whether it was judged here.

    Args:
        results: The results.
        model: The result's name.
        judge_key: Whose verdicts.
        hash_of: Returns a file's sha256.

    Raises:
        StoreError: There is no such result, or what it says cannot be.
    """
    run, judge = results.read_run(model), results.read_judge(model, judge_key)
    if run is None or judge is None:
        raise StoreError(f"results/{model} has no verdicts of {judge_key}")
    declared = _declared(model, run)
    run, judge = _writable(run), _writable(judge)
    _check_fields(f"results/{model}/run.json", run, RUN_FIELDS)
    _check_fields(f"results/{model}/run.json", run["benchmark"], BENCHMARK_FIELDS)
    _check_fields(f"results/{model}/judged/{judge_key}/judge.json", judge, JUDGE_FIELDS)
    if not 1 <= judge["repeats"] <= MOST_REPEATS:
        asks = f"asks for {judge['repeats']} repeats; 1 to {MOST_REPEATS} are believed"
        raise StoreError(f"results/{model}/judged/{judge_key}/judge.json {asks}; restore it or remove the folder")
    try:
        results.board_dir(run["benchmark"]["name"], judge_key)  # refuses a name that cannot be a folder's
        rubric = rubric_from_data(judge["rubric"])
    except (PromptError, StoreError) as error:
        raise StoreError(f"results/{model} cannot be scored: {error}") from error
    here = judged_here(results, model, judge_key, hash_of=hash_of)
    return Header(
        model=model,
        run=run,
        judge=judge,
        rubric=rubric,
        declared=declared,
        judged="judged here" if here else "self-reported",
    )


def entry_of(header: Header, *, marks: Marks, **parts: Any) -> Entry:
    """Return the entry that a header and what was made of its records come to.

    Raises:
        StoreError: There is no sample.
    """
    _check_labels(header.model, marks)
    summary = summarise(marks)
    return Entry(
        model=header.model,
        run=header.run,
        judge=header.judge,
        marks=marks,
        summary=summary,
        noise=noise(marks.repeated(), header.rubric),
        declared=header.declared,
        judged=header.judged,
        command=command(header.run, header.judge, missing=summary.no_edit > 0),
        **parts,
    )


def _check_labels(model: str, marks: Marks) -> None:
    """Refuse samples that no table can hold; the benchmark's own are checked when it is read.

    Raises:
        StoreError: A text holds half a character.
    """
    try:
        "".join(text for labels in marks.layout for text in labels).encode()
        "".join(sample.instruction for sample in marks.samples).encode()
    except UnicodeEncodeError:
        raise StoreError(
            f"results/{model}/samples.jsonl holds half a character (a lone surrogate); restore it"
        ) from None


def _writable(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON data without halves of surrogate pairs, which no file can be written with."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        found: dict[str, Any] = json.loads(text.encode(errors="replace"))
        return found
    return dict(data)


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
