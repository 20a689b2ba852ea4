"""Where a judge's marks and the measured signals contradict each other. Pure. A flag never changes a mark.

A flag is a reason to look, at the judge or at the edit. Raw marks are compared, for they are what the judge said. Which
marks contradict which fact is data (`prompts/<benchmark>/signals.toml`); the facts are here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sparkle_bench.judges.marking import stands_still
from sparkle_bench.records import Judgment, Measurement, Sample
from sparkle_bench.rubric import Scores
from sparkle_bench.signals import VERSION, Signals, from_data
from sparkle_bench.signals.request import ENERGETIC, GENTLE, Contradiction, Rules, implied_motion


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One contradiction.

    Attributes:
        sample_id: The sample.
        repeat: Of the verdict.
        name: Of the fact, such as `source_again`.
        why: One line: what the pixels show and what the judge said.
    """

    sample_id: str
    repeat: int
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the signals say of one model's verdicts.

    Attributes:
        flags: In the order of the samples.
        measured: Samples with a verdict whose edit has signals.
        labels: By name of a flag, its label.
    """

    flags: tuple[Flag, ...]
    measured: int
    labels: Mapping[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """Flagged samples by name of the flag; a sample counts once however many repeats it has."""
        pairs = {(flag.name, flag.sample_id) for flag in self.flags}
        found = Counter(name for name, _ in pairs)
        return {name: found.get(name, 0) for name in self.labels}

    @property
    def samples(self) -> int:
        """Samples with any flag."""
        return len({flag.sample_id for flag in self.flags})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a rule looks at: the signals of an edit and the motion its instruction asks for."""

    signals: Signals
    asked: str


def audit(
    samples: Sequence[Sample],
    measurements: Mapping[tuple[str, str], Measurement],
    judgments: Iterable[Judgment],
    rules: Rules,
) -> Audit:
    """Compare every verdict with the signals of the exact file that was judged.

    Args:
        samples: Every sample of the benchmark.
        measurements: By sample and file hash.
        judgments: The verdicts that count.
        rules: Which marks contradict which fact.
    """
    by_id = {sample.id: place for place, sample in enumerate(samples)}
    facts: dict[tuple[str, str], Fact] = {}
    flags: list[Flag] = []
    for judgment in judgments:
        at = (judgment.sample_id, judgment.edit_sha256)
        found = measurements.get(at)
        if found is None or found.signals is None or found.version != VERSION:
            continue
        if judgment.sample_id not in by_id or judgment.scores is None:
            continue
        if at not in facts:
            asked = implied_motion(samples[by_id[judgment.sample_id]].instruction, rules)
            facts[at] = Fact(signals=from_data(found.signals), asked=asked)
        flags += _flags(judgment, judgment.scores, facts[at], rules)
    flags.sort(key=lambda flag: (by_id[flag.sample_id], flag.repeat))
    measured = len({sample_id for sample_id, _ in facts})
    return Audit(flags=tuple(flags), measured=measured, labels={rule.name: rule.label for rule in rules.audit})


def _flags(judgment: Judgment, scores: Scores, fact: Fact, rules: Rules) -> list[Flag]:
    flags = []
    for rule in rules.audit:
        seen = FACTS[rule.name](fact) if rule.name in FACTS else None
        said = _said(rule, scores)
        if seen is not None and said is not None:
            why = f"{seen}{said}"
            flags.append(Flag(sample_id=judgment.sample_id, repeat=judgment.repeat, name=rule.name, why=why))
    return flags


def _said(rule: Contradiction, scores: Scores) -> str | None:
    """Return what the judge said that contradicts a fact, or None if nothing does."""
    if rule.dimension is None or rule.highest is None:
        return ""
    mark = scores.marks.get(rule.dimension)
    return f", yet {rule.dimension} is {mark}" if mark is not None and mark > rule.highest else None


# -- facts: each says in a few words what the pixels show, or None ---------------------------------------------------


def source_again(fact: Fact) -> str | None:
    """The edit is the source again."""
    return f"the edit is the source again ({fact.signals.change.how})" if fact.signals.change.source_again else None


def frozen_background(fact: Fact) -> str | None:
    """The background stands still although the instruction asks for motion."""
    if fact.asked not in (GENTLE, ENERGETIC) or not stands_still(fact.signals):
        return None
    share = fact.signals.background.frozen
    return f"{share:.0%} of the background stands still" if share is not None else "the background stands still"


def retimed_subject(fact: Fact) -> str | None:
    """The subject moves at another time than in the source."""
    media = fact.signals.media
    if media.timing in ("index-aligned", "time-aligned", "unknown") or (media.off or 0) < 2:
        return None
    return f"the subject is {media.timing} ({media.off:.1f} frames off on average)"


def subject_gone(fact: Fact) -> str | None:
    """Nothing of the source was kept."""
    return None if fact.signals.subject.found else "nothing of the source was kept"


def new_text(fact: Fact) -> str | None:
    """There is text on screen that the source lacks."""
    lines = fact.signals.text.new_lines
    return f"{lines} new line{'s' * (lines > 1)} of text on screen" if lines else None


FACTS: dict[str, Callable[[Fact], str | None]] = {
    "source_again": source_again,
    "frozen_background": frozen_background,
    "retimed_subject": retimed_subject,
    "subject_gone": subject_gone,
    "new_text": new_text,
}
