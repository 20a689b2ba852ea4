"""The embedded judge: marks by documented rules from measured signals, with no network, GPU or download.

It exists for the demo, smoke runs and as a baseline. It is no vision-language model and cannot read content: a beautiful,
moving, wrong background gets full marks. Its boards say so everywhere and compare with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkle_bench import signals
from sparkle_bench.errors import PromptError, RequestFailed
from sparkle_bench.judges import Question, Reply, Sees
from sparkle_bench.judges.marking import RULES, marks
from sparkle_bench.rubric import Rubric
from sparkle_bench.signals.request import Rules, implied_motion
from sparkle_bench.video import Sampling, decoder

MODEL = "signals-no-vlm"
"""It begins the judge key, so that every path and title says what it is."""
MARKING = 1
"""Changes whenever a rule of `marking.py` does."""
NOTE = (
    "This judge is no vision-language model: it marks by rules from measured signals, cannot read content "
    "(a wrong background passes) and compares with no other board."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsJudge:
    """Rules over measured signals: no VLM, cannot read content; for the demo, smoke runs and as a baseline."""

    rubric: Rubric
    rules: Rules
    sees: Sees = "signals"
    sampling: Sampling | None = None
    seed: int = 0
    notes: tuple[str, ...] = (NOTE,)

    def __post_init__(self) -> None:
        lacking = [key for key in self.rubric.keys if self.rules.marks.get(key) not in RULES]
        if lacking or (self.rubric.lowest, self.rubric.highest) != (1, 5):
            raise PromptError(
                f"signals.toml has no known rule for {', '.join(lacking) or 'this scale'}; known: {', '.join(RULES)}"
            )

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that can change a verdict."""
        return {
            "judge": "signals",
            "model": MODEL,
            "signals": signals.VERSION,
            "decoder": decoder(),
            "marking": MARKING,
            "rules": self.rules.version,
            "marks": dict(self.rules.marks),
            "motion_words": {kind: list(words) for kind, words in self.rules.motion.items()},
        }

    def ask(self, question: Question) -> Reply:
        """Mark one edit.

        Raises:
            RequestFailed: There are no signals of it.
        """
        if question.signals is None:
            raise RequestFailed("there are no signals of this edit", systemic=False)
        asked = implied_motion(question.sample.instruction, self.rules)
        given = marks(question.signals, asked, self.rules.marks)
        reasons = list(dict.fromkeys(mark.why for mark in given.values() if mark.why))
        words = ", ".join(reasons) or "nothing found wrong"
        lines = [f"{self.rubric.label(key)}: {given[key].value}" for key in self.rubric.keys]
        return Reply(text="\n".join([f"Brief reasoning: measured, not seen; {words}.", *lines]))
