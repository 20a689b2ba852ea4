"""Was a result honest? For whoever keeps a board and receives `results/NAME` from a stranger.

`verify` makes everything again from what is on disk and names every difference; signs of gaming stand beside it and are
never a verdict.
"""

from sparkle_bench.verification.evidence import verify
from sparkle_bench.verification.findings import Difference, Sign, Verified
from sparkle_bench.verification.signs import Given, edit_signs, signs

__all__ = ["Difference", "Given", "Sign", "Verified", "edit_signs", "signs", "verify"]
