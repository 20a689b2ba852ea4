"""The command that looks at the machine: `doctor`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt
from sparkle_bench.cli.judge import address, api_key

if TYPE_CHECKING:
    from sparkle_bench.doctor import Asked, Check


@click.command("doctor")
@opt.bench
@click.option("--deep", is_flag=True, help="Look into every source video of the benchmark.")
@opt.judge_url
@opt.judge_model
@click.option("--offline", is_flag=True, help="Ask nothing of the network.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=3600.0),
    default=10.0,
    show_default=True,
    help="Seconds for a check; those that load or read much get a multiple of it.",
)
@opt.root
@opt.as_json
@opt.one_line_errors
def doctor(**given: Any) -> None:
    """Say what this machine can do, and the cure for each lack.

    A line begins with ok, with note (good to know, in nobody's way) or with lack; the cure stands below it. The exit
    code is 0 if the demo and judging can work here, that is if decoders, encoders, pictures, disk and prompt are not
    lacking, else 1. A missing benchmark, GPU, vLLM, judge or Hub and damaged results do not change it: a download, a
    server's address or another folder cures them.
    """
    from sparkle_bench.doctor import examine

    report = examine(_asked(given))
    if given["as_json"]:
        data = {
            "works": report.works,
            "checks": [asdict(check) for check in report.checks],
            "uses": [asdict(use) for use in report.uses],
        }
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join([*map(_shown, report.checks), report.summary]))
    sys.exit(0 if report.works else 1)


def _asked(given: Mapping[str, Any]) -> Asked:
    from sparkle_bench.doctor import HUB, Asked

    url, key, wrong = given["judge_url"] or None, None, None
    try:
        key = api_key()  # taken even if nobody needs it: the programs that checks start must not find it
        url = address(url) if url else None
    except click.UsageError as error:
        url, wrong = None, error.message
    return Asked(
        root=given["root"],
        bench=given["bench"],
        deep=given["deep"],
        judge_url=url,
        judge_model=given["judge_model"],
        api_key=key,
        judge_wrong=wrong,
        hub=os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB,
        hub_off=_is_on("HF_HUB_OFFLINE") or _is_on("TRANSFORMERS_OFFLINE"),
        offline=given["offline"],
        patience=given["timeout"],
    )


def _is_on(variable: str) -> bool:
    """Whether a switch is on, by the reading of the Hub's client."""
    return os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE")


def _shown(check: Check) -> str:
    line = f"{check.state:<4}  {check.name:<9}  {check.found}"
    return f"{line}\n{'':<17}{check.cure}" if check.cure else line
