"""Signs of gaming: patterns that invented or bought marks leave behind, and that may have another reason.

A sign is a reason to look and never makes a result wrong. Shares are compared with those of other results of the same judge
where there are enough: what a judge does to everybody is the judge's habit. A result that stands beside another must not
silence its signs, so a rival counts only with verdicts of its own on videos of its own, the middle one is the measure, and
no limit reaches the whole. Whoever invents as many results as others hand in still shifts the middle.
Edits that are the source again are left out of every pattern but their own, for an honest judge says the same of all of
them. The embedded judge is left out of all: its marks are made again from the signals.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sparkle_bench.errors import listed
from sparkle_bench.exchange.authors import content_hash
from sparkle_bench.records import Edit, Judgment, Measurement, Sample
from sparkle_bench.rubric import Rubric, cap
from sparkle_bench.verification.findings import FIRST, Sign
from sparkle_bench.verification.words import rationale, subjects

FEWEST = 12
"""Below so many verdicts no share is looked at."""
ENOUGH = 3
"""Of fewer other results one invented one moves the middle at will."""
HIGHEST = 0.95
"""No limit is higher: a judge that says the same of nearly all tells nothing apart, whatever is usual."""
MOST = 0.5
"""Two results of which more than half the files are the same are one result: chance makes no two files alike."""
FEWEST_SAME = 4
"""Fewer files in common may be what two programs write where they give up, such as one still."""
LONG_RATIONALE = 12
"""Words from which on two rationales are not alike by chance, unless the scene is the same."""
ALONE: Mapping[str, float] = {
    "one_vector": 0.8,  # a coarse judge gives many edits its middle mark, but not four in five all marks alike
    "identical": 0.2,  # short phrases recur by chance
    "long_identical": 0.02,  # long ones do not, but a model may have failed in one way more than once
    "unmentioned": 0.5,  # so many would be so if rationales had nothing to do with instructions
    "copied": 0.2,  # a judge may say the same of two videos that failed in the same way
}
"""Shares from which on there is a sign, where too few other results of the judge are at hand."""
LEAST: Mapping[str, float] = {**ALONE, "one_vector": 0.7}
"""The same where there are enough; of marks a lower share will do, for the judge is then known to tell edits apart."""
MARGINS: Mapping[str, float] = {"one_vector": 0.3, "identical": 0.3, "unmentioned": 0.3, "long_identical": 0.1}
"""So much higher than the usual must a share be: models differ, though less in long rationales that are alike."""
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
    rivals = _independent(given, own)
    found: list[Sign] = []
    for look in (_one_vector, _identical, _unmentioned):
        found += look(given, own, rivals)
    for look_alone in (_copied, _lengths, _text_in_video, _attempts):
        found += look_alone(given, own)
    found += _source_marked_high(given)
    return tuple(found)


def edit_signs(
    samples: Mapping[str, Sample],
    edits: Mapping[str, Edit],
    others: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[Sign, ...]:
    """Return the signs that the edits show without any verdict: one video for several samples, or for several results.

    Args:
        samples: The benchmark's, by id.
        edits: The newest of each sample.
        others: The hashes of the newest edits of other results, by sample id, by result.
    """
    own = {
        sample_id: edit.sha256
        for sample_id, edit in edits.items()
        if edit.sha256 is not None and sample_id in samples and edit.sha256 != samples[sample_id].sha256
    }
    by_hash: defaultdict[str, list[str]] = defaultdict(list)
    for sample_id, sha256 in own.items():
        by_hash[sha256].append(sample_id)
    shared = [sample_id for ids in by_hash.values() if len(ids) > 1 for sample_id in ids]
    found = list(_same_videos(own, others or {}))
    if shared:
        what = "these samples have the very same video as another one"
        found.append(_sign("same_video", shared, len(edits), what))
    return tuple(found)


def _same_videos(own: Mapping[str, str], others: Mapping[str, Mapping[str, str]]) -> Iterator[Sign]:
    """Most files are those of another result: one of the two is a copy, or one model stands under two names.

    Only samples of which both results have an edit are compared, so both show the same sign.
    """
    # A verdict that a published score file lacks is on a file whose made-up hash all such results have.
    real = {i: sha256 for i, sha256 in own.items() if sha256 != content_hash(i, None, None)}
    alike: dict[str, list[str]] = {}
    of: dict[str, int] = {}
    for name, theirs in others.items():
        both = [i for i in real if i in theirs]
        same = [i for i in both if theirs[i] == real[i]]
        if len(same) >= FEWEST_SAME and len(same) > MOST * len(both):
            alike[name], of[name] = same, len(both)
    if alike:
        names = sorted(alike, key=lambda name: (-len(alike[name]), name))
        what = f"the hashes of the videos are those of {listed(names)}; they do not tell whose came first"
        yield _sign("same_videos_as", alike[names[0]], of[names[0]], what)


def _independent(given: Given, own: Sequence[Judgment]) -> list[list[Judgment]]:
    """Return the verdicts of those other results that tell what is usual.

    A verdict that was taken from elsewhere is none of the result's own, and results of the same files count once.
    """
    found: list[list[Judgment]] = []
    known = [_files(own)]
    for verdicts in given.rivals.values():
        fresh = [v for v in verdicts if v.scores is not None and v.reused is None and not _is_source(given, v)]
        files = _files(fresh)
        again = any(len(files & others) > MOST * min(len(files), len(others)) for others in known)
        if len(fresh) >= FEWEST and not again:
            found.append(fresh)
            known.append(files)
    return found


def _files(verdicts: Sequence[Judgment]) -> set[tuple[str, str]]:
    return {(v.sample_id, v.edit_sha256) for v in verdicts}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """From where on a share is a sign.

    Attributes:
        share: That share.
        why: What a sign says of it; empty if it is that of a result alone.
    """

    share: float
    why: str = ""


def _limit(name: str, shares: Sequence[float]) -> _Limit:
    """Return the share from which on there is a sign, given those of other results."""
    if len(shares) < ENOUGH:
        return _Limit(share=ALONE[name])
    usual = statistics.median(shares)
    share = max(LEAST[name], usual + MARGINS[name])
    why = f"; usual in {len(shares)} other results of this judge: {usual:.0%}"
    if share <= HIGHEST:
        return _Limit(share=share, why=why)
    return _Limit(share=HIGHEST, why=f"{why}, but from {HIGHEST:.0%} on nothing is told apart")


# -- patterns of marks -----------------------------------------------------------------------------------------------


def _one_vector(given: Given, own: Sequence[Judgment], rivals: Sequence[Sequence[Judgment]]) -> Iterator[Sign]:
    """One set of marks for most samples; `ceiling` if it is the highest throughout, `floor` if the lowest."""
    if len(own) < FEWEST:
        return
    vector, count = Counter(_vector(given, v) for v in own).most_common(1)[0]
    usual = [Counter(_vector(given, v) for v in verdicts).most_common(1)[0][1] / len(verdicts) for verdicts in rivals]
    limit = _limit("one_vector", usual)
    if count / len(own) < limit.share:
        return
    ends = {given.rubric.highest: "ceiling", given.rubric.lowest: "floor"}
    name = ends.get(vector[0], "one_vector") if len(set(vector)) == 1 else "one_vector"
    ids = [v.sample_id for v in own if _vector(given, v) == vector]
    yield _sign(name, ids, len(own), f"the marks are {' '.join(map(str, vector))}{limit.why}", given.judge_key)


def _vector(given: Given, verdict: Judgment) -> tuple[int, ...]:
    assert verdict.scores is not None
    return tuple(verdict.scores.marks.get(key, 0) for key in given.rubric.keys)


# -- patterns of replies ---------------------------------------------------------------------------------------------


def _identical(given: Given, own: Sequence[Judgment], rivals: Sequence[Sequence[Judgment]]) -> Iterator[Sign]:
    """One rationale for samples of different scenes; marks without a rationale never count."""
    said, alike, long = _alike(given, own)
    if said < FEWEST:
        return
    usual = [len(theirs) / total for total, theirs, _ in (_alike(given, v) for v in rivals) if total >= FEWEST]
    usual_long = [len(theirs) / total for total, _, theirs in (_alike(given, v) for v in rivals) if total >= FEWEST]
    limit, long_limit = _limit("identical", usual), _limit("long_identical", usual_long)
    if len(alike) >= max(4, limit.share * said) or len(long) >= max(3, long_limit.share * said):
        text = f"word for word the same rationale is given for different scenes{limit.why}"
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
    limit = _limit("unmentioned", usual)
    if len(ids) / of >= limit.share:
        text = "the rationale has no more in common with its own instruction than with those of other samples"
        yield _sign("unmentioned_instruction", ids, of, f"{text}{limit.why}", given.judge_key)


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
