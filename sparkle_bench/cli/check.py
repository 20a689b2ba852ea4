"""The command that a repository of boards runs on every pull request: `check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from sparkle_bench.cli import judge
from sparkle_bench.cli import options as opt


@click.command("check")
@click.option(
    "--bench", type=opt.FOLDER, help="The benchmark's folder, to compare the entries' samples with it.  [default: none]"
)
@opt.root
@opt.as_json
@opt.one_line_errors
def check(bench: Path | None, root: Path, as_json: bool) -> None:
    """Check a repository that keeps boards: results/ without videos, and leaderboards/.

    Every entry is computed again from its evidence, every board is made again and compared with the one that is
    kept, and what does not belong into such a repository is named. Needs no video, judge or network, and changes
    nothing. Exit code 1 on any difference. leaderboards/README.md says how to set it up.
    """
    judge.api_key()  # nobody needs it here, and the programs that we start must not find it
    from sparkle_bench import benchmark
    from sparkle_bench.store import Store
    from sparkle_bench.verification import keeping

    loaded = benchmark.load(bench) if bench is not None else None
    found = keeping.check(Store(root=root), benchmark=loaded)
    click.echo(json.dumps(found.to_data(), indent=2) if as_json else "\n".join(found.lines()))
    sys.exit(0 if found.ok else 1)
