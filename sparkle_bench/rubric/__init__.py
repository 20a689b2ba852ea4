"""What a verdict is: the rubric as data, the marks, reading them from a reply, and the cap. Pure."""

from sparkle_bench.rubric.reply import READER, mark_places, parse, parse_strict, reply_pattern
from sparkle_bench.rubric.scale import Dimension, Rubric, Scores, cap, check, rubric_from_data

__all__ = [
    "READER",
    "Dimension",
    "Rubric",
    "Scores",
    "cap",
    "check",
    "mark_places",
    "parse",
    "parse_strict",
    "reply_pattern",
    "rubric_from_data",
]
