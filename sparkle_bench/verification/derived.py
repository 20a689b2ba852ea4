"""What is derived from the verdicts, made again and compared with what was handed in. Nothing is written.

Line ends do not count, for git may change them. The score table also says whether a board ranks the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkle_bench import leaderboard
from sparkle_bench.audit import audit
from sparkle_bench.errors import PromptError, StoreError, one_line
from sparkle_bench.records import Judgment
from sparkle_bench.scoring import collect, counted, score_table, summarise
from sparkle_bench.signals.request import load_rules
from sparkle_bench.store import NAME
from sparkle_bench.verification import comparing
from sparkle_bench.verification.findings import FORM, MARKS, Findings
from sparkle_bench.verification.judged import Seat
from sparkle_bench.verification.reading import Result, content

if TYPE_CHECKING:
    from sparkle_bench.audit import Audit
    from sparkle_bench.scoring import Evidence

MOST_ROWS = 500_000
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
        marks = collect(known, seat.rubric)
        table, summary = score_table(marks), summarise(marks)
    except (StoreError, ValueError) as error:
        findings.differ(judgments, f"no score table can be made of it: {one_line(error)}", FORM)
        return
    _compare(result, seat, leaderboard.SCORES, leaderboard.derived_texts(table, None), findings)
    if not summary.complete:
        parts = {"without a verdict": summary.no_verdict, "not attempted": summary.unattempted}
        said = ", ".join(f"{number} {what}" for what, number in parts.items() if number)
        findings.lack(f"{seat.key}: of {summary.of} samples {said}: the row stands unranked, with bounds")
    if "signals.jsonl" in findings.damaged:
        findings.note(f"{seat.folder}/flags.csv is not compared: signals.jsonl cannot be read whole")
        return
    try:
        audited = _audited(result, known)
    except PromptError as error:
        findings.note(f"flags are not made again: {one_line(error)}")
        return
    _compare(result, seat, leaderboard.FLAGS, leaderboard.derived_texts(table, audited), findings)


def _compare(result: Result, seat: Seat, name: str, made: Mapping[str, bytes], findings: Findings) -> None:
    where = f"{seat.folder}/{name}"
    given = content(result.files, where, findings)
    if given is None:
        if name in made and where not in findings.damaged:
            findings.note(f"there is no {where}; `sparkle-bench leaderboard` makes it")
    elif name not in made:
        findings.differ(where, "speaks of signals, but there are none", FORM)
    elif wrong := comparing.differences(name, given.replace(b"\r\n", b"\n"), made[name].replace(b"\r\n", b"\n")):
        findings.differ(where, "; ".join(wrong), MARKS if name == leaderboard.SCORES else FORM)


def _audited(result: Result, known: Evidence) -> Audit | None:
    """Compare the verdicts with the signals, as a board's making does; None if nothing was measured.

    Raises:
        PromptError: The rules are malformed.
    """
    benchmark = (result.run or {}).get("benchmark")
    name = benchmark.get("name") if isinstance(benchmark, Mapping) else None
    if not result.measurements or not (isinstance(name, str) and NAME.fullmatch(name)):
        return None
    rules = load_rules(name, root=result.prompts)
    return audit(known.samples, result.measured, counted(known), rules) if rules else None


def current(result: Result, seat: Seat, newest: Mapping[tuple[str, str, int], Judgment]) -> list[Judgment]:
    """Return the verdicts that count: those with marks on the file that is each sample's edit now."""
    hashes = {sample_id: edit.sha256 for sample_id, edit in result.newest.items() if sample_id in result.samples}
    return [
        judgment
        for judgment in newest.values()
        if judgment.ok and hashes.get(judgment.sample_id) == judgment.edit_sha256 and judgment.repeat < seat.repeats
    ]
