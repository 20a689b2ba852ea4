"""Verdicts in the form of the benchmark authors' script, out of a result and into one.

The form has room for scored samples alone: a line has the capped marks and the reply. What it has no room for stands in
a file beside it (`sidecar`), so that a result which was sent out comes back whole. Files without it are the authors' own;
what they do not tell is not made up. No video travels.
"""

from sparkle_bench.exchange.adopting import adopted
from sparkle_bench.exchange.authors import Line, ScoreFile, find, read_authors
from sparkle_bench.exchange.incoming import Incoming, Taken, restored, take
from sparkle_bench.exchange.outgoing import Exported, export
from sparkle_bench.exchange.sidecar import Sidecar, read_beside

__all__ = [
    "Exported",
    "Incoming",
    "Line",
    "ScoreFile",
    "Sidecar",
    "Taken",
    "adopted",
    "export",
    "find",
    "read_authors",
    "read_beside",
    "restored",
    "take",
]
