"""sparkle-bench: the evaluation harness for instruction-guided video background replacement.

Importing the package loads nothing heavy; the command line and the modules named in the README are the way in.
"""

__version__ = "0.1.0"
