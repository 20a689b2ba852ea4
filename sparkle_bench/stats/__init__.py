"""What a board's numbers are worth, and what repeated verdicts say. Pure.

Intervals, paired comparisons and ranks of the models on one board; agreement of repeats and of judges; and whether a stored
verdict is one more of the same judge's.
"""

from sparkle_bench.stats.agreement import Agreement, Units, judge_error, noise, repeated
from sparkle_bench.stats.bootstrap import Interval, Intervals, intervals
from sparkle_bench.stats.design import Design, design
from sparkle_bench.stats.judges import RankAgreement, rank_agreement
from sparkle_bench.stats.labels import Marks, Remarked, Shift
from sparkle_bench.stats.paired import Contrast, Difference, Pairs, compare, detectable, pairs
from sparkle_bench.stats.retest import Retest, Rules, retest, share_at_most
from sparkle_bench.stats.standing import Standing, standings

__all__ = [
    "Agreement",
    "Contrast",
    "Design",
    "Difference",
    "Interval",
    "Intervals",
    "Marks",
    "Pairs",
    "RankAgreement",
    "Remarked",
    "Retest",
    "Rules",
    "Shift",
    "Standing",
    "Units",
    "compare",
    "design",
    "detectable",
    "intervals",
    "judge_error",
    "noise",
    "pairs",
    "rank_agreement",
    "repeated",
    "retest",
    "share_at_most",
    "standings",
]
