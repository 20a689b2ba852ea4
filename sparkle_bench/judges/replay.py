"""A judge that asks nobody: it says again what a judge once replied, so that stored replies are read anew."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkle_bench.errors import RequestFailed, StoreError
from sparkle_bench.judges import Question, Reply, Sees
from sparkle_bench.prompts import Prompt
from sparkle_bench.records import Judgment
from sparkle_bench.rubric import rubric_from_data
from sparkle_bench.video import Sampling

ADDED = ("prompt", "rubric", "reader")
"""What a bench adds to a judge's identity."""
CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayJudge:
    """Stored replies, read again; nobody is asked."""

    identity: Mapping[str, Any]
    replies: Mapping[tuple[str, str, int], Judgment]
    sees: Sees = "nothing"
    sampling: Sampling | None = None
    seed: int = 0
    notes: tuple[str, ...] = field(default=())

    def ask(self, question: Question) -> Reply:
        """Return the stored reply about the very file, sample and repeat.

        Raises:
            RequestFailed: There is none.
        """
        found = self.replies.get((question.sample.id, question.edit_sha256, question.repeat))
        if found is None or found.reply is None:
            raise RequestFailed("there is no stored reply on this edit", systemic=False)
        return Reply(text=found.reply, cut_off=CUT_OFF in (found.error or ""))


def replay(judge: Mapping[str, Any], judgments: Iterable[Judgment]) -> tuple[ReplayJudge, Prompt]:
    """Return the judge of stored replies and what it was asked.

    It keeps the identity of the judge that gave them, so an unchanged reader of replies leads to the same judge key.

    Args:
        judge: Its `judge.json`.
        judgments: Its judgments.

    Raises:
        StoreError: `judge.json` lacks what is needed.
        PromptError: Its rubric is malformed.
    """
    try:
        identity = {name: value for name, value in judge["identity"].items() if name not in ADDED}
        prompt = Prompt(text=judge["prompt"], rubric=rubric_from_data(judge["rubric"]), past=True)
        notes = tuple(map(str, judge["notes"]))
        json.dumps(identity)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise StoreError(f"the judge.json beside the replies lacks {error}; restore it") from error
    replies: dict[tuple[str, str, int], Judgment] = {}
    for judgment in judgments:
        if judgment.reply is not None and (judgment.ok or judgment.key not in replies):
            replies[judgment.key] = judgment
    return ReplayJudge(identity=identity, replies=replies, notes=notes), prompt
