"""Benchmarks: run by hand, as ratios measured in one run; `python -m tests.benchmarks.signals`."""
