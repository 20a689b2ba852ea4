"""Options that several commands share, and how an error becomes one line."""

from __future__ import annotations

import functools
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from sparkle_bench.errors import SparkleError

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(file_okay=False, path_type=Path)
_GPU = re.compile(r"0|[1-9]\d{0,3}|(?:GPU|MIG)-[0-9A-Za-z][0-9A-Za-z/-]*")
MOST_SECONDS = 1e6
"""Eleven days; a longer wait is no other, and more than some clocks count."""
LIMITS = {"timeout": "edit_timeout", "load_timeout": "load_timeout"}
"""How the record `editors.placing.Where` calls time limits, and how the options are called."""


def one_line_errors(function: F) -> F:
    """Turn a `SparkleError` into one line on standard error and exit code 1; so too for Ctrl-C."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except SparkleError as error:
            click.echo(f"error: {error}", err=True)
        except BrokenPipeError:
            raise  # whoever read our output has had enough; click ends quietly
        except OSError as error:
            of = f": {error.filename}" if error.filename else ""
            click.echo(f"error: {error.strerror or error}{of}", err=True)
        except KeyboardInterrupt as stop:
            done = f" after {stop.args[0]}" if stop.args else ""
            click.echo(f"stopped{done}; that is on disk, run the same command to go on", err=True)
        sys.exit(1)

    return wrapped  # type: ignore[return-value]


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds options in the given order."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _shard(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, int]:
    if text is None:
        return (0, 1)
    index, _slash, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise click.BadParameter(f"{text!r} is not i/n with i counted from 0, such as 0/4 to 3/4")
    return int(index), int(count)


def _pairs(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    pairs = dict.fromkeys(texts, "")
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} is not KEY=VALUE")
        del pairs[text]
        pairs[name] = value
    return pairs


def _gpus(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if not _GPU.fullmatch(name):
            raise click.BadParameter(f"{text!r} is no list of GPUs, such as 0,1,2,3")
        if names.count(name) > 1:
            raise click.BadParameter(f"GPU {name} stands twice in {text!r}; a GPU has one worker")
    return names


def models(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Take names apart that stand between commas, each once."""
    names = dict.fromkeys(name.strip() for text in texts for name in text.split(","))
    if not all(names):
        raise click.BadParameter(f"{','.join(texts)!r} is no list of models, such as kiwi,lucy")
    return tuple(names)


def seconds(_: click.Context, __: click.Parameter, given: float | None) -> float | None:
    """Take a number of seconds, at most as many as a clock can wait."""
    if given is None:
        return None
    if math.isnan(given):
        raise click.BadParameter("nan is no number of seconds")
    return min(given, MOST_SECONDS)


def with_model_path(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the model's options, with `--model-path` among them."""
    path: str | None = given["model_path"]
    if path is None:
        return dict(given["options"])
    if "model_path" in given["options"]:
        raise click.UsageError("--model-path and --option model_path=… are one and the same; give one of them")
    return {**given["options"], "model_path": path}


root = click.option(
    "--root",
    type=FOLDER,
    default=Path(),
    show_default="the working directory",
    help="Where prompts/, results/ and leaderboards/ live.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print a summary for machines, as JSON.")

bench = click.option(
    "--bench", type=FOLDER, default=Path("data/Sparkle-Bench"), show_default=True, help="The benchmark's folder."
)
judge_url = click.option(
    "--judge-url",
    envvar="SPARKLE_JUDGE_URL",
    metavar="URL",
    help="The judge's address, such as http://127.0.0.1:8000/v1.",
)
judge_model = click.option(
    "--judge-model", metavar="ID", help="The judge as its server names it.  [default: the only one served]"
)

some_samples = together(
    bench,
    click.option("--theme", "themes", multiple=True, help="Only this theme. May be repeated."),
    click.option("--only", "ids", multiple=True, metavar="ID", help="Only this sample. May be repeated."),
    click.option("--limit", type=click.IntRange(min=1), help="Only the first so many samples."),
)

selection = together(
    some_samples,
    click.option(
        "--shard",
        callback=_shard,
        metavar="i/n",
        help="Every n-th sample from the i-th, counted from 0; for batch systems.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Samples at once.  [default: as many as the model takes to edit, 8 rising to 32 a server to judge, one a "
        "processor to measure]",
    ),
)

executor = together(
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Run models, and judges with --serve, on this machine, or on every GPU of a Ray cluster.",
    ),
    click.option(
        "--ray-address",
        envvar="RAY_ADDRESS",
        metavar="ADDRESS",
        help="The Ray cluster, as HOST:PORT of its head, or local to start one here.  [default: the one of this machine, "
        "else one that is started here]",
    ),
)

model = together(
    click.option("--model", "model", required=True, help="The model under test; `sparkle-bench models` lists them."),
    click.option("--name", help="The result's name.  [default: the model's]"),
    click.option(
        "--option",
        "options",
        multiple=True,
        callback=_pairs,
        metavar="KEY=VALUE",
        help="An option of the model. May be repeated.",
    ),
    click.option("--model-path", metavar="PATH", help="The model's weights; the same as --option model_path=PATH."),
    click.option(
        "--gpus",
        callback=_gpus,
        metavar="0,1,…",
        help="One worker process on each of these GPUs.  [default: what the model takes]",
    ),
    click.option(
        "--python",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="The interpreter of the environment in which the model runs.  [default: that of `setup`, else this one]",
    ),
    executor,
    click.option(
        "--edit-timeout",
        type=click.FloatRange(min=0, min_open=True),
        callback=seconds,
        metavar="SECONDS",
        help="One edit may take so long before its worker process counts as hung.  [default: 3600]",
    ),
    click.option(
        "--load-timeout",
        type=click.FloatRange(min=0, min_open=True),
        callback=seconds,
        metavar="SECONDS",
        help="Loading the model into a worker process may take so long.  [default: 1800]",
    ),
)
