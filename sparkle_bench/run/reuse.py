"""Never pay twice: verdicts of the same judge on the very same file, given under another result's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sparkle_bench.records import Judgment, Sample
from sparkle_bench.run.work import Work

Key = tuple[str, str, int]
"""What is judged once: sample id, hash of the edit, repeat."""


def elsewhere(work: Work, judge_key: str, wanted: Sequence[Key], models: Sequence[str]) -> dict[Key, Judgment]:
    """Return the wanted verdicts that other results hold under this judge key, each saying from which it was taken.

    Only where the sample is the same in every field: its source, its instruction and its labels.

    Args:
        work: What they are wanted for.
        judge_key: Whose verdicts.
        wanted: Which.
        models: The results to look into, which that judge has judged; an earlier one goes before a later one.
    """
    found: dict[Key, Judgment] = {}
    if not wanted:
        return found
    own = {sample.id: sample for sample in work.samples}
    for model in models:
        verdicts = work.store.judgments(model, judge_key)
        fitting = [key for key in wanted if key not in found and key in verdicts and verdicts[key].ok]
        same = _same_samples(work, model, own) if fitting else set()
        found |= {key: _taken(verdicts[key], model) for key in fitting if key[0] in same}
    return found


def _same_samples(work: Work, model: str, own: dict[str, Sample]) -> set[str]:
    return {sample.id for sample in work.store.samples(model) if own.get(sample.id) == sample}


def _taken(judgment: Judgment, model: str) -> Judgment:
    return dataclasses.replace(
        judgment,
        reused=judgment.reused or model,
        attempts=0,
        failures=(),
        prompt_tokens=None,
        completion_tokens=None,
        cost=None,
        latency=None,
        seconds=0.0,
    )
