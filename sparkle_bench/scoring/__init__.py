"""What the verdicts on a result come to: one state for every sample and repeat, and what a board says of them. Pure.

A sample's repeat is `scored`, `no_edit` or `no_verdict`:

- `scored`: the marks, capped (`rubric.cap`); the raw ones stand beside them.
- `no_edit`: there is no readable video. That is the model's failure and counts the lowest mark in every dimension.
- `no_verdict`: there is a video but the judge gave no marks. It never counts; the result shows bounds (every missing
  mark lowest, every one highest) and is incomplete, hence unranked. A sample nobody has tried to edit yet is `no_edit`
  with `attempted` false: it too leaves the result incomplete, and is bounded in the same way.

Means: over the samples of a theme, then unweighted over themes, then over dimensions (arXiv 2605.06535). The authors' script
drops what is missing; its number stands apart as `scored_overall`.

What edits took stands beside the marks and never changes one.
"""

from sparkle_bench.scoring.efforts import Efforts, efforts
from sparkle_bench.scoring.marks import (
    NO_EDIT,
    NO_VERDICT,
    RAW,
    SCORED,
    STATUSES,
    UNREADABLE,
    Evidence,
    Marks,
    collect,
    counted,
    counting,
    score_table,
)
from sparkle_bench.scoring.summary import Bounds, Cell, Summary, summarise

__all__ = [
    "NO_EDIT",
    "NO_VERDICT",
    "RAW",
    "SCORED",
    "STATUSES",
    "UNREADABLE",
    "Bounds",
    "Cell",
    "Efforts",
    "Evidence",
    "Marks",
    "Summary",
    "collect",
    "counted",
    "counting",
    "efforts",
    "score_table",
    "summarise",
]
