"""What is derived from the verdicts, made again and compared with what was handed in. Nothing is written.

`scores.csv` is compared as text, `flags.csv` row by row. The score table also says whether a board ranks the result.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sparkle_bench import leaderboard
from sparkle_bench.audit import audit
from sparkle_bench.errors import PromptError, StoreError, one_line
from sparkle_bench.records import Judgment
from sparkle_bench.scoring import counted, score_table, summarise
from sparkle_bench.signals.request import load_rules
from sparkle_bench.store import NAME
from sparkle_bench.verification.findings import FORM, MARKS, Findings
from sparkle_bench.verification.judged import Seat
from sparkle_bench.verification.reading import Result, content

if TYPE_CHECKING:
    from sparkle_bench.scoring import Evidence

MOST_ROWS = 500_000
FLAG_COLUMNS = ("sample_id", "repeat", "name", "why")
_CORE = ("samples.jsonl", "edits.jsonl")


def check_derived(result: Result, seat: Seat, findings: Findings) -> None:
    """Make the score table and the flags again; say whether the row would be ranked."""
    judgments = f"{seat.folder}/judgments.jsonl"
    spoilt = [name for name in (*_CORE, judgments) if name in findings.damaged]
    if spoilt or not result.samples or len(result.samples) * seat.repeats > MOST_ROWS:
        why = f"{', '.join(spoilt)} cannot be read whole" if spoilt else "there are no samples, or too many"
        findings.note(f"{seat.folder}/scores.csv is not compared: {why}")
        return
    try:
        known = leaderboard.evidence(result.store, result.model, seat.key, seat.judge)
        table = score_table(known, seat.rubric)
        summary = summarise(table, seat.rubric)
    except (StoreError, ValueError) as error:
        findings.differ(judgments, f"no score table can be made of it: {one_line(error)}", FORM)
        return
    _check_scores(result, seat, table.to_csv(index=False), findings)
    if not summary.complete:
        parts = {"without a verdict": summary.no_verdict, "not attempted": summary.unattempted}
        said = ", ".join(f"{number} {what}" for what, number in parts.items() if number)
        findings.lack(f"{seat.key}: of {summary.of} samples {said}: the row stands unranked, with bounds")
    _check_flags(result, seat, known, findings)


def _check_scores(result: Result, seat: Seat, made: str, findings: Findings) -> None:
    where = f"{seat.folder}/scores.csv"
    data = content(result.files, where, findings)
    if data is None:
        if where not in findings.damaged:
            findings.note(f"there is no {where}; `sparkle-bench leaderboard` makes it")
        return
    given, wanted = _rows(data.decode("utf-8", "replace")), _rows(made)
    if given is None or wanted is None:
        findings.damage(where, "is no CSV table")
        return
    wrong = [number for number, row in enumerate(wanted) if number >= len(given) or given[number] != row]
    if wrong or len(given) != len(wanted):
        findings.differ(where, _first(given, wanted, wrong), MARKS)


def _rows(text: str) -> list[list[str]] | None:
    """Return the cells of a CSV table; line ends do not count, for git may change them."""
    try:
        return list(csv.reader(io.StringIO(text.replace("\r\n", "\n"), newline="")))
    except csv.Error:
        return None


def _first(given: Sequence[list[str]], wanted: Sequence[list[str]], wrong: Sequence[int]) -> str:
    """Say in which row two tables differ first, and in how many."""
    if len(given) != len(wanted) or not wrong or wrong[0] == 0 or len(given[wrong[0]]) != len(wanted[0]):
        return f"is not what the verdicts give: {len(given)} rows, made again {len(wanted)}, {len(wrong)} differ"
    row, made = given[wrong[0]], wanted[wrong[0]]
    cells = [f"{n} {a!r}, made again {b!r}" for n, a, b in zip(wanted[0], row, made, strict=True) if a != b]
    more = f" (and {len(wrong) - 1} rows more)" if len(wrong) > 1 else ""
    return f"row {wrong[0] + 1}, {made[0]}: {'; '.join(cells[:3])}{more}"


def _check_flags(result: Result, seat: Seat, known: Evidence, findings: Findings) -> None:
    where = f"{seat.folder}/flags.csv"
    if "signals.jsonl" in findings.damaged:
        findings.note(f"{where} is not compared: signals.jsonl cannot be read whole")
        return
    made = _flags(result, known, findings)
    data = content(result.files, where, findings)
    if data is None or made is None:
        if data is not None:
            findings.differ(where, "speaks of signals, but there are none", FORM)
        elif made is not None and where not in findings.damaged:
            findings.note(f"there is no {where}; `sparkle-bench leaderboard` makes it")
        return
    given = _rows(data.decode("utf-8", "replace"))
    if given != made:
        rows = 0 if given is None else max(0, len(given) - 1)
        missing = [row for row in made[1:] if row not in (given or [])]
        first = f"; missing: {missing[0][0]}, {missing[0][3]}" if missing else ""
        findings.differ(where, f"is not what the signals give: {rows} flags, made again {len(made) - 1}{first}", FORM)


def _flags(result: Result, known: Evidence, findings: Findings) -> list[list[str]] | None:
    """Return the rows of `flags.csv` as a board's making writes them; None if nothing was measured."""
    benchmark = (result.run or {}).get("benchmark")
    name = benchmark.get("name") if isinstance(benchmark, Mapping) else None
    if not result.measurements or not (isinstance(name, str) and NAME.fullmatch(name)):
        return None
    try:
        rules = load_rules(name, root=result.store.root)
    except PromptError as error:
        findings.note(f"flags are not made again: {one_line(error)}")
        return None
    if rules is None:
        return None
    found = audit(known.samples, result.measured, counted(known), rules)
    rows = [[str(getattr(flag, column)) for column in FLAG_COLUMNS] for flag in found.flags]
    return [list(FLAG_COLUMNS), *rows]


def current(result: Result, seat: Seat, newest: Mapping[tuple[str, str, int], Judgment]) -> list[Judgment]:
    """Return the verdicts that count: those with marks on the file that is each sample's edit now."""
    hashes = {sample_id: edit.sha256 for sample_id, edit in result.newest.items() if sample_id in result.samples}
    return [
        judgment
        for judgment in newest.values()
        if judgment.ok and hashes.get(judgment.sample_id) == judgment.edit_sha256 and judgment.repeat < seat.repeats
    ]
