"""The two stages, and measuring between them: what is left to do, doing it, recording it.

All resume to the sample: what has a good record is not done again, and an error is tried again. A stage may be killed at
any instant; a record is on disk before the next stage can see it.
"""

from sparkle_bench.run.asking import SYSTEMIC, VERDICT_TRIES, Bench
from sparkle_bench.run.editing import edit
from sparkle_bench.run.judging import BREAKER, PASSES, judge, lacking
from sparkle_bench.run.measuring import measure
from sparkle_bench.run.spending import Price, Purse, usage
from sparkle_bench.run.starting import start
from sparkle_bench.run.work import Made, Work

__all__ = [
    "BREAKER",
    "PASSES",
    "SYSTEMIC",
    "VERDICT_TRIES",
    "Bench",
    "Made",
    "Price",
    "Purse",
    "Work",
    "edit",
    "judge",
    "lacking",
    "measure",
    "start",
    "usage",
]
