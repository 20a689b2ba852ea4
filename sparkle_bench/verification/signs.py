"""Signs of gaming: patterns that invented or bought marks leave behind, and that may have another reason.

A sign is a reason to look and never makes a result wrong. Shares are compared with those of other results of the same judge
where there are some: what a judge does to everybody is the judge's habit. Edits that are the source again are left out
of every pattern but their own, for an honest judge says the same of all of them. The embedded judge is left out of all:
its marks are made again from the signals.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sparkle_bench.records import Edit, Judgment, Measurement, Sample
from sparkle_bench.rubric import Rubric, cap
from sparkle_bench.verification.findings import FIRST, Sign
from sparkle_bench.verification.words import rationale, subjects

FEWEST = 12
"""Below so many verdicts no share is looked at."""
MARGIN = 0.3
"""So much higher than that of every other result of the same judge must a share be."""
LONG_RATIONALE = 12
"""Words from which on two rationales are not alike by chance, unless the scene is the same."""
ALONE: Mapping[str, float] = {
    "one_vector": 0.8,
    "identical": 0.2,
    "long_identical": 0.02,
    "unmentioned": 0.5,
    "copied": 0.2,
}
"""Shares from which on there is a sign, where no other result of the judge is at hand."""
LENGTH_FACTOR, LENGTH_SPREADS = 1.4, 6.0
"""A reply is of another length than its tokens if its signs per token are off the median by both."""
LIFT = 0.25
"""Marks with text on screen are higher than without by so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What signs are looked for in.

    Attributes:
        samples: The benchmark's, by id.
        verdicts: Those with marks on the files that are the edits now.
        rubric: What was marked.
        measured: What was measured, by sample and file.
        rivals: Verdicts with marks of the same judge on other results, by result.
        judge_key: Whose verdicts.
    """

    samples: Mapping[str, Sample]
    verdicts: Sequence[Judgment]
    rubric: Rubric
    measured: Mapping[tuple[str, str], Measurement] = field(default_factory=dict)
    rivals: Mapping[str, Sequence[Judgment]] = field(default_factory=dict)
    judge_key: str = ""


def signs(given: Given) -> tuple[Sign, ...]:
    """Return the signs that one judge's verdicts show."""
    own = [v for v in given.verdicts if v.scores is not None and not _is_source(given, v)]
    rivals = [
        [v for v in verdicts if v.scores is not None and not _is_source(given, v)] for verdicts in given.rivals.values()
    ]
    rivals = [verdicts for verdicts in rivals if len(verdicts) >= FEWEST]
    found: list[Sign] = []
    for look in (_one_vector, _identical, _unmentioned):
        found += look(given, own, rivals)
    for look_alone in (_copied, _lengths, _text_in_video, _attempts):
        found += look_alone(given, own)
    found += _source_marked_high(given)
    return tuple(found)


def edit_signs(samples: Mapping[str, Sample], edits: Mapping[str, Edit]) -> tuple[Sign, ...]:
    """Return the signs that the edits show without any verdict: one video for several samples."""
    by_hash: defaultdict[str, list[str]] = defaultdict(list)
    for sample_id, edit in edits.items():
        sample = samples.get(sample_id)
        if edit.sha256 is not None and sample is not None and edit.sha256 != sample.sha256:
            by_hash[edit.sha256].append(sample_id)
    shared = [sample_id for ids in by_hash.values() if len(ids) > 1 for sample_id in ids]
    if not shared:
        return ()
    what = "these samples have the very same video as another one"
    return (_sign("same_video", shared, len(edits), what),)


def _is_source(given: Given, verdict: Judgment) -> bool:
    """Whether the file judged is the sample's own source, as far as that is known."""
    sample = given.samples.get(verdict.sample_id)
    if sample is not None and sample.sha256 == verdict.edit_sha256:
        return True
    found = given.measured.get((verdict.sample_id, verdict.edit_sha256))
    change = found.signals.get("change") if found is not None and found.signals is not None else None
    return isinstance(change, Mapping) and change.get("source_again") is True


def _sign(name: str, ids: Sequence[str], of: int, what: str, judge_key: str = "") -> Sign:
    shown = tuple(sorted(set(ids)))
    return Sign(name=name, count=len(ids), of=of, what=what, samples=shown[:FIRST], judge_key=judge_key)


def _limit(name: str, usual: Sequence[float], *, least: float) -> float:
    """Return the share from which on there is a sign, given those of other results."""
    return max(least, max(usual) + MARGIN) if usual else ALONE[name]


# -- patterns of marks -----------------------------------------------------------------------------------------------


def _one_vector(given: Given, own: Sequence[Judgment], rivals: Sequence[Sequence[Judgment]]) -> Iterator[Sign]:
    """One set of marks for most samples; `ceiling` if it is the highest throughout, `floor` if the lowest."""
    if len(own) < FEWEST:
        return
    vector, count = Counter(_vector(given, v) for v in own).most_common(1)[0]
    usual = [Counter(_vector(given, v) for v in verdicts).most_common(1)[0][1] / len(verdicts) for verdicts in rivals]
    if count / len(own) < _limit("one_vector", usual, least=0.7):
        return
    ends = {given.rubric.highest: "ceiling", given.rubric.lowest: "floor"}
    name = ends.get(vector[0], "one_vector") if len(set(vector)) == 1 else "one_vector"
    ids = [v.sample_id for v in own if _vector(given, v) == vector]
    yield _sign(name, ids, len(own), f"the marks are {' '.join(map(str, vector))}{_against(usual)}", given.judge_key)


def _vector(given: Given, verdict: Judgment) -> tuple[int, ...]:
    assert verdict.scores is not None
    return tuple(verdict.scores.marks.get(key, 0) for key in given.rubric.keys)


def _against(usual: Sequence[float]) -> str:
    return f"; in other results of this judge at most {max(usual):.0%} are alike" if usual else ""


# -- patterns of replies ---------------------------------------------------------------------------------------------


def _identical(given: Given, own: Sequence[Judgment], rivals: Sequence[Sequence[Judgment]]) -> Iterator[Sign]:
    """One rationale for samples of different scenes; marks without a rationale never count."""
    said, alike, long = _alike(given, own)
    if said < FEWEST:
        return
    usual = [len(theirs) / total for total, theirs, _ in (_alike(given, v) for v in rivals) if total >= FEWEST]
    usual_long = [len(theirs) / total for total, _, theirs in (_alike(given, v) for v in rivals) if total >= FEWEST]
    short_limit = _limit("identical", usual, least=ALONE["identical"])
    long_limit = max([ALONE["long_identical"], *(share + 0.1 for share in usual_long)])
    if len(alike) >= max(4, short_limit * said) or len(long) >= max(3, long_limit * said):
        text = f"word for word the same rationale is given for different scenes{_against(usual)}"
        yield _sign("identical_rationales", alike, said, text, given.judge_key)


def _alike(given: Given, verdicts: Sequence[Judgment]) -> tuple[int, list[str], list[str]]:
    """Return how many verdicts have a rationale, and the samples whose rationale, or long one, another scene has too."""
    by_text: defaultdict[str, list[str]] = defaultdict(list)
    for verdict in verdicts:
        text = rationale(verdict.reply or "", given.rubric)
        if text and verdict.repeat == 0 and verdict.sample_id in given.samples:
            by_text[text].append(verdict.sample_id)
    shared = {text: ids for text, ids in by_text.items() if len({_scene(given, i) for i in ids}) > 1}
    alike = [i for ids in shared.values() for i in ids]
    long = [i for text, ids in shared.items() if len(text.split()) >= LONG_RATIONALE for i in ids]
    return sum(map(len, by_text.values())), alike, long


def _scene(given: Given, sample_id: str) -> tuple[str, str, str]:
    sample = given.samples[sample_id]
    return (sample.theme, sample.subtheme, sample.scene)


def _unmentioned(given: Given, own: Sequence[Judgment], rivals: Sequence[Sequence[Judgment]]) -> Iterator[Sign]:
    """Rationales that have no more in common with their own instruction than with those of other samples."""
    about = subjects(given.samples)

    def compared(verdicts: Sequence[Judgment]) -> tuple[int, list[str]]:
        told = {v.sample_id: about.above_others(v.sample_id, text) for v, text in _rationales(given, verdicts)}
        known = {sample_id: above for sample_id, above in told.items() if above is not None}
        return len(known), [sample_id for sample_id, above in known.items() if not above]

    of, ids = compared(own)
    if of < FEWEST:
        return
    usual = [len(theirs) / total for total, theirs in map(compared, rivals) if total >= FEWEST]
    if len(ids) / of >= _limit("unmentioned", usual, least=ALONE["unmentioned"]):
        text = "the rationale has no more in common with its own instruction than with those of other samples"
        yield _sign("unmentioned_instruction", ids, of, f"{text}{_usually(usual)}", given.judge_key)


def _usually(usual: Sequence[float]) -> str:
    return f"; in other results of this judge it is at most {max(usual):.0%}" if usual else ""


def _rationales(given: Given, verdicts: Sequence[Judgment]) -> Iterator[tuple[Judgment, str]]:
    """Yield the first verdict on each sample that has a rationale, with it."""
    seen: set[str] = set()
    for verdict in verdicts:
        text = rationale(verdict.reply or "", given.rubric)
        if text and verdict.sample_id in given.samples and verdict.sample_id not in seen:
            seen.add(verdict.sample_id)
            yield verdict, text


def _copied(given: Given, own: Sequence[Judgment]) -> Iterator[Sign]:
    """Long rationales that another result has word for word for the same sample, though its video is another."""
    theirs: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, verdicts in given.rivals.items():
        for verdict, text in _rationales(given, verdicts):
            theirs[verdict.sample_id, text].append((name, verdict.edit_sha256))
    said = list(_rationales(given, own))
    taken: defaultdict[str, list[str]] = defaultdict(list)
    for verdict, text in said:
        if len(text.split()) >= LONG_RATIONALE // 2:
            for name, sha256 in theirs.get((verdict.sample_id, text), ()):
                if sha256 != verdict.edit_sha256:
                    taken[name].append(verdict.sample_id)
    for name, ids in taken.items():
        if len(said) >= FEWEST and len(ids) >= max(4, ALONE["copied"] * len(said)):
            what = f"the rationale stands word for word in {name}, on another video"
            yield _sign("copied_rationales", ids, len(said), what, given.judge_key)


def _lengths(given: Given, own: Sequence[Judgment]) -> Iterator[Sign]:
    """Replies that are much longer or shorter than their count of tokens allows, against the others of the file."""
    ratios = {
        v.sample_id: math.log(len(v.reply) / v.completion_tokens)
        for v in own
        # The count is over all replies to a question, so only a first one can be compared.
        if v.reply and v.completion_tokens and v.completion_tokens > 0 and v.attempts == 1 and not v.failures
    }
    if len(ratios) < FEWEST:
        return
    median = statistics.median(ratios.values())
    spread = 1.4826 * statistics.median(abs(ratio - median) for ratio in ratios.values())
    limit = max(math.log(LENGTH_FACTOR), LENGTH_SPREADS * spread)
    ids = [sample_id for sample_id, ratio in ratios.items() if abs(ratio - median) > limit]
    if len(ids) >= max(2, 0.01 * len(ratios)):
        what = "the reply is of another length than its count of tokens allows"
        yield _sign("reply_length", ids, len(ratios), what, given.judge_key)


def _attempts(given: Given, own: Sequence[Judgment]) -> Iterator[Sign]:
    """Verdicts that say of their asking what no run writes: every failed attempt leaves a line, and one succeeded."""
    asked = [v for v in own if v.reused is None and v.reply is not None]
    ids = [v.sample_id for v in asked if v.attempts != len(v.failures) + 1]
    if ids:
        what = "the count of attempts is not that of the failures and the one that succeeded"
        yield _sign("attempts", ids, len(asked), what, given.judge_key)


# -- patterns of edits -----------------------------------------------------------------------------------------------


def _mean(given: Given, verdicts: Sequence[Judgment]) -> float:
    """Return the mean of the marks that count: capped."""
    marks = [
        statistics.fmean(cap(v.scores, given.rubric).marks.values())
        for v in verdicts
        if v.scores is not None and set(v.scores.marks) == set(given.rubric.keys)
    ]
    return statistics.fmean(marks) if marks else math.nan


def _text_in_video(given: Given, own: Sequence[Judgment]) -> Iterator[Sign]:
    """New text on screen, with higher marks than the rest or in a third of all edits: a judge can be talked to."""
    lines = {(v.sample_id, v.edit_sha256): n for v in own if (n := _new_lines(given, v)) is not None}
    measured = [v for v in own if (v.sample_id, v.edit_sha256) in lines]
    with_text = [v for v in measured if lines[v.sample_id, v.edit_sha256] > 0]
    rest = [v for v in measured if lines[v.sample_id, v.edit_sha256] == 0]
    if len(with_text) < 2:
        return
    marked, usual = _mean(given, with_text), _mean(given, rest)
    higher = marked >= usual + LIFT  # never so where there is no rest
    if higher or len(with_text) >= max(4, len(measured) / 3):
        what = f"there are new lines of text on screen; mean mark {marked:.2f}, of the others {usual:.2f}"
        yield _sign("text_in_video", [v.sample_id for v in with_text], len(measured), what, given.judge_key)


def _new_lines(given: Given, verdict: Judgment) -> int | None:
    found = given.measured.get((verdict.sample_id, verdict.edit_sha256))
    text = found.signals.get("text") if found is not None and found.signals is not None else None
    lines = text.get("new_lines") if isinstance(text, Mapping) else None
    return lines if isinstance(lines, int) else None


def _source_marked_high(given: Given) -> Iterator[Sign]:
    """The source's own bytes, marked as though something had been edited."""
    middle = (given.rubric.lowest + given.rubric.highest) / 2
    unedited = [
        v for v in given.verdicts if v.sample_id in given.samples and given.samples[v.sample_id].sha256 == v.edit_sha256
    ]
    ids = [v.sample_id for v in unedited if _mean(given, [v]) >= middle]
    if ids:
        what = "the edit is the source's own file, yet its mean mark is in the upper half"
        yield _sign("source_marked_high", ids, len(unedited), what, given.judge_key)
