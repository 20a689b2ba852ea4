"""The command that serves a judge: `serve`, and its options, which commands with `--serve` share."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt

if TYPE_CHECKING:
    from sparkle_bench.judges.serving import Launch, Served
    from sparkle_bench.judges.table import Preset

DEFAULT_JUDGE = "qwen3-vl-32b"
DEFAULT_PORT = 8000
SECRETS = ("SPARKLE_JUDGE_API_KEY",)
_KEY = re.compile(r"[a-z][a-z0-9_.]*")
_TAKEN = {
    "model": "--judge-model",
    "served_model_name": "--judge-model",
    "revision": "--judge-revision",
    "port": "--port",
    "host": "127.0.0.1, for this machine alone",
    "trust_request_mm_kwargs": "always on",
}


def _engine(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    """Read `KEY=VALUE`: the key with underscores, the value as JSON if it is that, else as text."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip().removeprefix("--").replace("-", "_")
        if not (equals and _KEY.fullmatch(key)):
            raise click.BadParameter(f"{text!r} is not KEY=VALUE, such as max-model-len=8192")
        if key in _TAKEN:
            raise click.BadParameter(f"{key.replace('_', '-')} is set here: {_TAKEN[key]}")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


serving_options = opt.together(
    click.option(
        "--judge-revision", metavar="REV", help="Branch, tag or commit on the Hub.  [default: the judge's preset's]"
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=DEFAULT_PORT,
        show_default=True,
        help="Where the server listens, on 127.0.0.1; 0 for any free port.",
    ),
    click.option(
        "--log",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The server's output.  [default: sparkle-serve-JUDGE.log here, with the port if it is not 8000]",
    ),
    click.option(
        "--serve-option",
        "serve_options",
        multiple=True,
        callback=_engine,
        metavar="KEY=VALUE",
        help="An option of vLLM, over the preset's: max-model-len=8192, enforce-eager=true, dtype=float32. null takes a "
        "preset's away. May be repeated.",
    ),
    click.option(
        "--vllm-python",
        envvar="SPARKLE_VLLM_PYTHON",
        metavar="PATH",
        help="The interpreter of an environment with vLLM.  [default: this one]",
    ),
    click.option(
        "--patience",
        type=click.FloatRange(min=1.0),
        default=3600.0,
        show_default=True,
        help="Seconds until the server must answer; the first time it downloads the model.",
    ),
)


@click.command("serve")
@click.option(
    "--judge",
    "judge_name",
    default=DEFAULT_JUDGE,
    show_default=True,
    metavar="NAME",
    help="The judge; `sparkle-bench judges` lists them.",
)
@click.option("--judge-model", metavar="ID", help="Another model: a Hub id or a folder.  [default: the judge's]")
@serving_options
@click.option("--dry-run", is_flag=True, help="Print the command and start nothing.")
@opt.one_line_errors
def serve(**given: Any) -> None:
    """Start a judge with vLLM and print its address once it answers; Ctrl-C ends it."""
    from sparkle_bench.judges import serving, table

    wanted = launch(given, table.load(given["judge_name"]))
    if given["dry_run"]:
        words = serving.command(wanted)
        click.echo(shlex.join(words))
        if "tensor_parallel_size" in wanted.engine and "--tensor-parallel-size" not in words:
            click.echo("no GPU is seen here, so the options for GPUs are left out", err=True)
        return
    _serve(wanted)


def _serve(wanted: Launch) -> None:
    from sparkle_bench.errors import JudgeUnavailable
    from sparkle_bench.judges.serving import serving

    click.echo(f"starting {wanted.name}; its log is {wanted.log}", err=True)
    answered = False
    try:
        with serving(wanted, said_to_load) as served:
            answered = True
            _tell(served)
            why = served.wait()
    except KeyboardInterrupt:
        click.echo("stopped" if answered else "stopped before it answered", err=True)
        sys.exit(0 if answered else 1)
    raise JudgeUnavailable(f"the server ended by itself: {why}")


def _tell(served: Served) -> None:
    commit = f" at {served.commit[:12]}" if served.commit else ""
    click.echo(f"{served.name}{commit} answers after {served.seconds:.0f} s; Ctrl-C ends it", err=True)
    click.echo(served.url)
    click.echo(f"--judge-url {served.url} --judge-model {shlex.quote(served.name)}")
    sys.stdout.flush()


def said_to_load(seconds: float, line: str) -> None:
    """Say on standard error that the server still loads, and its log's last line."""
    click.echo(f"still loading after {seconds:.0f} s: {line}", err=True)


def launch(given: Mapping[str, Any], preset: Preset) -> Launch:
    """Return the server that the options ask for.

    `--judge-model` takes the place of the preset's model. If another preset is that model, its options and memory
    apply; of an unknown model the need of memory is unknown, and it gets one GPU unless `--serve-option` says more.

    Raises:
        JudgeUnavailable: The judge is a provider's, or no interpreter with vLLM was found.
    """
    from sparkle_bench.judges import before_start, serving

    model = _model(given, preset)
    known = _known(model, preset)
    engine = {**(known or preset).engine, **given["serve_options"]}
    if known is None and "tensor_parallel_size" not in given["serve_options"]:
        engine.pop("tensor_parallel_size", None)
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    python = given["vllm_python"] or sys.executable
    if not given.get("dry_run"):
        python = serving.find_python(python, environment)
    as_known = known is not None and not set(given["serve_options"]) & set(before_start.OTHER_MEMORY)
    port = given["port"] or serving.free_port()
    return serving.Launch(
        model=model,
        served_name=model if before_start.is_hub_id(model) else None,
        revision=given["judge_revision"] or (known.revision if known else None),
        engine=engine,
        python=python,
        port=port,
        log=given["log"] or _log(given, preset, port),
        patience=given["patience"],
        memory_gib=known.memory_gib if known and as_known else None,
        environment=environment,
    )


def _model(given: Mapping[str, Any], preset: Preset) -> str:
    from sparkle_bench.errors import JudgeUnavailable

    if given["judge_model"]:
        model: str = given["judge_model"]
        return str(Path(model).expanduser()) if model.startswith("~") else model
    if preset.served_by != "vllm":
        at = f" --judge-url {preset.url}" if preset.url else ""
        raise JudgeUnavailable(f"{preset.name} runs at a provider and cannot be served here; judge with{at}")
    return preset.model


def _known(model: str, preset: Preset) -> Preset | None:
    """Return the preset whose model it is: the given one, another, or none."""
    from sparkle_bench.judges import table

    known = preset if model == preset.model else table.matching(model, None)
    return known if known and known.served_by == "vllm" else None


def _log(given: Mapping[str, Any], preset: Preset, port: int) -> Path:
    from sparkle_bench.store import slug

    model = given["judge_model"]
    name = slug(model.rstrip("/").rpartition("/")[2]) if model else preset.name
    return Path(f"sparkle-serve-{name}{'' if port == DEFAULT_PORT else f'-{port}'}.log")
