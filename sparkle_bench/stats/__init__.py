"""What repeated verdicts say: how far they agree, and whether a stored one is one more of the same judge's. Pure."""

from sparkle_bench.stats.agreement import Agreement, Units, noise, repeated
from sparkle_bench.stats.labels import Marks, Remarked, Shift
from sparkle_bench.stats.retest import Retest, Rules, retest, share_at_most

__all__ = [
    "Agreement",
    "Marks",
    "Remarked",
    "Retest",
    "Rules",
    "Shift",
    "Units",
    "noise",
    "repeated",
    "retest",
    "share_at_most",
]
