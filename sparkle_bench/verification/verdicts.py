"""Every stored verdict against its evidence: the reply read again, the file judged, the rules applied again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sparkle_bench import signals
from sparkle_bench.errors import SparkleError, VerdictError, listed, one_line
from sparkle_bench.judges import Question
from sparkle_bench.judges.replay import CUT_OFF
from sparkle_bench.judges.signals import MARKING, SignalsJudge
from sparkle_bench.records import Judgment
from sparkle_bench.rubric import check, parse, parse_strict
from sparkle_bench.run.asking import REPLAY
from sparkle_bench.signals.request import Rules
from sparkle_bench.verification.findings import FORM, MARKS, Findings
from sparkle_bench.verification.judged import Seat
from sparkle_bench.verification.media import usable
from sparkle_bench.verification.reading import Line, Result

MOST_WORDS = 2000
"""Of motion, in the embedded judge's identity: each is looked for in every instruction."""
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Verdicts of the same judge on other results under the same root.

    Attributes:
        by_model: Those that count, by result.
    """

    by_model: Mapping[str, Mapping[Key, Judgment]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the verdicts of one judge are held against.

    Attributes:
        result: The result.
        seat: The judge.
        others: Verdicts of the same judge under the same root.
        again: Gives the embedded judge's reply on a sample's file again; None for any other judge.
        findings: Where differences go.
        seen: How often something was met that is said once, with its count.
    """

    result: Result
    seat: Seat
    others: Others
    again: Callable[[Judgment], str | None] | None
    findings: Findings
    seen: Counter[str] = field(default_factory=Counter)


def check_verdicts(judgments: Sequence[Line[Judgment]], case: Case) -> None:
    """Check every judgment ever made, then what they are together."""
    result, seat = case.result, case.seat
    for line in judgments:
        where = f"{seat.folder}/judgments.jsonl:{line.number} {line.record.sample_id}"
        for what in (*_about(line.record, case), *_evidence(line.record, case)):
            case.findings.differ(where, what, MARKS)
    _check_twice(seat, judgments, case)
    counts, current = case.findings.counts, {i: edit.sha256 for i, edit in result.newest.items()}
    counts["verdicts"] += sum(line.record.ok for line in judgments)
    counts["replies_read_again"] += sum(line.record.reply is not None for line in judgments)
    counts["verdicts_on_earlier_files"] += sum(
        line.record.ok and current.get(line.record.sample_id) != line.record.edit_sha256 for line in judgments
    )
    for text, number in case.seen.items():
        case.findings.note(f"{seat.key}: {number} {text}")


def _about(judgment: Judgment, case: Case) -> Iterable[str]:
    """Yield what is wrong with what a judgment says it is about."""
    lines = case.result.edits.get(judgment.sample_id, ())
    if judgment.sample_id not in case.result.samples:
        yield "is about no sample of this result's benchmark"
    elif judgment.edit_sha256 not in {line.record.sha256 for line in lines}:
        if lines and all(line.record.unseen or not line.record.ok for line in lines):
            case.seen["verdicts are on earlier files, of which an import keeps no record"] += 1
        else:
            yield f"is about a file that edits.jsonl never had: {judgment.edit_sha256[:12]}…"
    if not 0 <= judgment.repeat < case.seat.repeats:
        yield f"is repeat {judgment.repeat}, but judge.json speaks of {case.seat.repeats}"


def _evidence(judgment: Judgment, case: Case) -> Iterable[str]:
    """Yield what is wrong with a judgment's marks."""
    if judgment.scores is not None:
        try:
            check(judgment.scores, case.seat.rubric)
        except VerdictError as error:
            yield f"its marks do not fit the rubric: {error}"
            return
    yield from _marks(judgment, case)
    if judgment.reused is not None:
        yield from _reused(judgment, case)
    if case.again is not None and judgment.scores is not None:
        reply = case.again(judgment)
        if reply is not None and reply != judgment.reply:
            yield f"the rules make of the stored signals {_short(reply)}, the record says {_short(judgment.reply or '')}"


def _short(reply: str) -> str:
    digits = " ".join(line.rsplit(":", 1)[-1].strip() for line in reply.splitlines()[1:])
    return f"{one_line(reply, limit=60)!r} ({digits[:40]})"


def _marks(judgment: Judgment, case: Case) -> Iterable[str]:
    """Yield how the marks differ from those that the reply gives."""
    scores, reply = judgment.scores, judgment.reply
    if reply is None:
        if scores is not None and not case.seat.imported:
            yield "has marks without a reply: there is no evidence for them"
        elif scores is not None:
            case.seen["verdicts have no reply: the authors' files hold their marks alone"] += 1
        return
    try:
        read = (parse_strict if case.seat.strict else parse)(reply, case.seat.rubric)
    except VerdictError as error:
        if scores is not None and case.seat.imported and judgment.failures:
            case.seen["verdicts have a reply that cannot be read: the authors' files hold their capped marks"] += 1
        elif scores is not None:
            yield f"has marks, but its reply cannot be read: {error}"
        return
    if scores is None:
        # Asked again or not, what was cut off may read well: whether it was, only the server could tell.
        if not any(CUT_OFF in text for text in (judgment.error or "", *judgment.failures)):
            yield f"is recorded as an error ({judgment.error}), but its reply reads well"
        return
    wrong = [f"{key} {scores[key]}, its reply {read[key]}" for key in case.seat.rubric.keys if scores[key] != read[key]]
    if wrong:
        yield f"stored marks are not those of the reply: {'; '.join(wrong)}"


def _reused(judgment: Judgment, case: Case) -> Iterable[str]:
    """Yield what is wrong with a verdict that was taken from another result."""
    name = str(judgment.reused)
    if name == REPLAY:
        case.seen["verdicts are replies that were stored before and read again; by whom is not recorded"] += 1
    elif name == case.result.model:
        yield "says that it was taken from this very result"
    elif name not in case.others.by_model:
        case.seen["verdicts were taken from results that are not here, and are not compared with them"] += 1
    else:
        there = case.others.by_model[name].get(judgment.key)
        if there is None or there.scores is None:
            yield f"was taken from {name}, which has no such verdict"
        elif (there.reply, there.scores) != (judgment.reply, judgment.scores):
            yield f"was taken from {name}, which says otherwise"


def _check_twice(seat: Seat, judgments: Sequence[Line[Judgment]], case: Case) -> None:
    """Name what was judged again although it had marks: a run never does that."""
    first: dict[Key, Line[Judgment]] = {}
    for line in judgments:
        if not line.record.ok:
            continue
        earlier = first.setdefault(line.record.key, line)
        same = (earlier.record.scores, earlier.record.reply) == (line.record.scores, line.record.reply)
        if earlier is line or same:
            continue
        if seat.imported:
            case.seen["verdicts were imported again, otherwise"] += 1
            continue
        where = f"{seat.folder}/judgments.jsonl:{line.number} {line.record.sample_id}"
        case.findings.differ(where, f"was judged again although line {earlier.number} has marks", MARKS)


def embedded_again(result: Result, seat: Seat, findings: Findings) -> Callable[[Judgment], str | None] | None:
    """Return what gives the embedded judge's reply again from the stored signals; None if that cannot be done here."""
    if not seat.embedded:
        return None
    versions = (seat.identity.get("signals"), seat.identity.get("marking"))
    if versions != (signals.VERSION, MARKING):
        findings.note(f"{seat.key}: marked by other versions of signals and rules than this one's; not marked again")
        return None
    judge = _embedded(seat, findings)
    measured = result.measured

    def again(judgment: Judgment) -> str | None:
        found = measured.get((judgment.sample_id, judgment.edit_sha256))
        sample = result.samples.get(judgment.sample_id)
        if judge is None or sample is None:
            return None
        if found is None or found.signals is None or not usable(found):
            where = f"{seat.folder}/judgments.jsonl {judgment.sample_id}"
            if found is None or found.version == signals.VERSION:
                findings.differ(where, "marks by signals, but signals.jsonl has none of this file", MARKS)
            return None
        question = Question(sample=sample, prompt="", seed=0, signals=signals.from_data(found.signals))
        return judge.ask(question).text

    return again


def _embedded(seat: Seat, findings: Findings) -> SignalsJudge | None:
    """Return the embedded judge as its identity describes it."""
    try:
        rules = Rules(
            version=str(seat.identity["rules"]),
            marks={key: str(seat.identity["marks"][key]) for key in seat.rubric.keys},
            audit=(),
            motion={str(kind): tuple(map(str, words)) for kind, words in seat.identity["motion_words"].items()},
        )
        if sum(map(len, rules.motion.values())) > MOST_WORDS:
            raise ValueError(f"more than {MOST_WORDS} words")
        return SignalsJudge(rubric=seat.rubric, rules=rules)
    except (KeyError, TypeError, ValueError, AttributeError, SparkleError) as error:
        text = f"its identity does not describe the embedded judge ({one_line(error, limit=80)})"
        findings.differ(f"{seat.folder}/judge.json", text, FORM)
        return None


def unjudged(result: Result, seat: Seat, judgments: Mapping[Key, Judgment]) -> list[str]:
    """Return the samples with an edit that lack a verdict of any repeat."""
    return [
        sample_id
        for sample_id, edit in result.newest.items()
        if sample_id in result.samples and edit.ok and edit.sha256 is not None
        if any((sample_id, edit.sha256, repeat) not in judgments for repeat in range(seat.repeats))
    ]


def say_unjudged(result: Result, seat: Seat, judgments: Mapping[Key, Judgment], findings: Findings) -> None:
    """Say which samples nobody asked about, or whose verdict was taken out."""
    missing = unjudged(result, seat, judgments)
    if missing:
        findings.lack(
            f"{seat.key}: {len(missing)} of {len(result.samples)} samples have an edit and no line in judgments.jsonl: "
            f"never asked, or taken out: {listed(missing)}"
        )
