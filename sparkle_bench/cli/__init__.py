"""The command line: parse, call one function, print. One file per group of commands.

Exit codes: 0 done, 1 an error or stopped, 2 wrong usage, 3 finished but not whole: some samples have no verdict (for `edit`
no edit, for `validate` no usable video), or `verify` is not sure.
Environment variables are read here alone: `SPARKLE_JUDGE_URL`, `SPARKLE_JUDGE_API_KEY`, `SPARKLE_VLLM_PYTHON`,
`RAY_ADDRESS` and the keys of hosted models, such as `RUNWAYML_API_SECRET`.
"""

from __future__ import annotations

import os
import signal
import sys

import click

from sparkle_bench import __version__
from sparkle_bench.cli.boards import leaderboard
from sparkle_bench.cli.check import check
from sparkle_bench.cli.compare import compare
from sparkle_bench.cli.demo import demo
from sparkle_bench.cli.doctor import doctor
from sparkle_bench.cli.exchange import export, import_
from sparkle_bench.cli.figure import figure
from sparkle_bench.cli.judges import judges
from sparkle_bench.cli.look import show
from sparkle_bench.cli.measure import signals
from sparkle_bench.cli.models import models
from sparkle_bench.cli.serve import serve
from sparkle_bench.cli.setup import setup
from sparkle_bench.cli.validate import pack, validate
from sparkle_bench.cli.verify import verify
from sparkle_bench.cli.work import download, edit, evaluate, judge


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sparkle-bench")
def cli() -> None:
    """Judge instruction-guided video background replacement on Sparkle-Bench."""


COMMANDS = (
    demo, validate, pack, evaluate, edit, judge, serve, signals, leaderboard, show, compare, figure, verify, check, export,
    import_, models, setup, judges, download, doctor,
)  # fmt: skip
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line; a batch system's SIGTERM stops it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cli(prog_name="sparkle-bench")
    except SystemExit as ended:
        _leave(ended.code)


def _leave(code: str | int | None) -> None:
    """End the process, without waiting for threads that a stopped run left behind.

    A thread inside a decoder's or encoder's own code when Python winds down makes the process abort, so that the exit
    code is lost; all records are on disk by then.
    """
    from sparkle_bench.workers import still_running

    if still_running():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
    sys.exit(code)
