"""The `Judge` protocol, what a judge answers, the judge key and the table of judges.

A judge answers with text; reading marks from it is `rubric.parse`, a pure function, so a stored reply can be read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sparkle_bench.judges.soft import TokenChoice
from sparkle_bench.records import Sample
from sparkle_bench.signals.facts import Signals
from sparkle_bench.store import slug
from sparkle_bench.video import Pair, Sampling

JUDGES: dict[str, str] = {
    "openai": "sparkle_bench.judges.openai:OpenAIJudge",
    "signals": "sparkle_bench.judges.signals:SignalsJudge",
    "replay": "sparkle_bench.judges.replay:ReplayJudge",
}
GROUP = "sparkle_bench.judges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a judge answered to one question.

    Attributes:
        text: Verbatim.
        prompt_tokens: As the server counted them, or None.
        completion_tokens: As the server counted them, or None.
        failures: One line for every request that failed before this one.
        cut_off: Whether it ended at the limit of tokens, not by itself.
        tokens: The reply's tokens with their alternatives, where they were asked for.
        latency: Seconds that the answered request took, waiting for its turn not included; None if nobody was asked.
    """

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    failures: tuple[str, ...] = ()
    cut_off: bool = False
    tokens: tuple[TokenChoice, ...] = ()
    latency: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to ask a judge.

    Attributes:
        sample: The sample in question.
        prompt: The rendered prompt.
        seed: Seed of the judge's decoding.
        pair: The source and the edit, encoded, for a judge that sees them.
        signals: What was measured of the edit, for a judge that sees that.
        attempt: How often it was asked before, because the reply could not be read.
        repeat: 0 for the first verdict on this edit, 1 for the second, …
        edit_sha256: The exact file in question.
        left: At most so many requests may be sent for it; None leaves that to the judge.
    """

    sample: Sample
    prompt: str
    seed: int
    pair: Pair | None = None
    signals: Signals | None = None
    attempt: int = 0
    repeat: int = 0
    edit_sha256: str = ""
    left: int | None = None


Sees = Literal["frames", "files", "signals", "nothing"]
"""What a judge is shown: sampled frames of both clips, both files whole, measured signals, or nothing at all."""


class Judge(Protocol):
    """Something that looks at an edit and answers in words.

    It may have `prepare()`, called before the first question if there is one, and `tokens`, those of a typical question.

    Attributes:
        sees: What it is shown.
        sampling: How clips become pictures, for a judge that sees frames; else None.
        seed: Seed of the first repeat.
        identity: All that can change a verdict, as JSON data, except the prompt and the reader of replies.
        notes: One line for each thing the reader of a board must know.
    """

    @property
    def sees(self) -> Sees: ...  # noqa: D102

    @property
    def sampling(self) -> Sampling | None: ...  # noqa: D102

    @property
    def seed(self) -> int: ...  # noqa: D102

    @property
    def identity(self) -> Mapping[str, Any]: ...  # noqa: D102

    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102

    def ask(self, question: Question) -> Reply:
        """Answer one question.

        Raises:
            RequestFailed: This question got no answer.
            JudgeUnavailable: The judge is out of reach; no question would get one.
        """
        ...


def prepare(judge: Judge) -> None:
    """Let a judge make sure that it can be asked.

    Raises:
        JudgeUnavailable: It cannot.
    """
    ready = getattr(judge, "prepare", None)
    if ready is not None:
        ready()


def judge_key(identity: Mapping[str, Any]) -> str:
    """Return a readable slug and a short hash of everything that can change a verdict."""
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return f"{slug(str(identity.get('model', 'judge')))}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
