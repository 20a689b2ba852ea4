"""What a verdict is: the rubric as data, the marks, reading them from a reply, and the cap. Pure."""

from sparkle_bench.rubric.reply import parse, parse_strict, reply_pattern
from sparkle_bench.rubric.scale import Dimension, Rubric, Scores, cap, check, rubric_from_data

__all__ = [
    "Dimension",
    "Rubric",
    "Scores",
    "cap",
    "check",
    "parse",
    "parse_strict",
    "reply_pattern",
    "rubric_from_data",
]
