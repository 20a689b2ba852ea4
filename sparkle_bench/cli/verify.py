"""The command for whoever keeps a board: `verify`."""

from __future__ import annotations

import json
import math
import re
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import judge as judges
from sparkle_bench.cli import judging, road
from sparkle_bench.cli import options as opt
from sparkle_bench.cli.bench import opened
from sparkle_bench.errors import one_line

if TYPE_CHECKING:
    from sparkle_bench.benchmark import Benchmark
    from sparkle_bench.run import Work
    from sparkle_bench.store import Store
    from sparkle_bench.verification.again import Again
    from sparkle_bench.verification.rejudged import Rejudged

WRONG, UNSURE = 1, 3
SEEDS = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which result is verified, and against what.

    Attributes:
        store: Where it is.
        model: Its name.
        judge_keys: Whose verdicts; None for all.
        benchmark: The keeper's own copy, or None.
    """

    store: Store
    model: str
    judge_keys: Sequence[str] | None
    benchmark: Benchmark | None


@click.command("verify")
@click.argument("result")
@click.option(
    "--judge-key", "judge_keys", multiple=True, metavar="KEY", help="Only this judge's verdicts. May be repeated."
)
@click.option(
    "--rejudge", metavar="SHARE", help="Have a part judged again, such as 10% or 46 edits, by the judge named below."
)
@click.option(
    "--seed",
    type=click.IntRange(0, SEEDS, max_open=True),
    help="Which samples --rejudge draws; with the same seed it goes on where it stopped.  [default: drawn afresh]",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0, max=4.0),
    default=0.0,
    show_default=True,
    help="So many marks of difference are not held against a result: another GPU may round otherwise.",
)
@judging.choosing
@opt.bench
@click.option("--workers", type=click.IntRange(min=1), help="Samples at once, with --rejudge.  [default: as judge]")
@opt.root
@opt.as_json
@opt.one_line_errors
def verify(result: str, **given: Any) -> None:
    """Make everything in a result again from its evidence, and name every difference.

    RESULT is a result's name, or its folder. Hashes, marks, judge key, costs and tables are made again from the stored
    replies and files; signs of gaming stand beside that and are never a verdict. With --rejudge a judge marks some edits
    again, and it is tested whether the difference is within the judge's own noise; the result itself is not changed. Exit
    codes: 0 no difference, 1 some (or `inconsistent`), 3 incomplete (or `too few to tell`).
    """
    from sparkle_bench import verification

    if not given["rejudge"]:
        judges.api_key()  # nobody needs it here, and the programs that we start must not find it
        _check_idle()
    question = _question(result, given)
    hashes = question.store.hashes()
    found = verification.verify(
        question.store,
        question.model,
        judge_keys=question.judge_keys,
        benchmark=question.benchmark,
        prompts=given["root"],
        hashes=hashes,
    )
    hashes.save()
    if not given["as_json"]:
        click.echo("\n".join(found.lines()))
    again = None
    try:
        again = _rejudged(question, given) if given["rejudge"] else None
    finally:  # what was found is not lost if the judge cannot be asked
        if given["as_json"]:
            rejudged = again.to_data() if again else None
            click.echo(json.dumps({**found.to_data(), "rejudged": rejudged}, indent=2))
    if again is not None and not given["as_json"]:
        click.echo("\n".join(again.lines()))
    if not found.ok or (again is not None and again.verdict == "inconsistent"):
        sys.exit(WRONG)
    unsure = bool(found.incomplete) or (again is not None and again.verdict != "consistent")
    sys.exit(UNSURE if unsure else 0)


ALWAYS = ("result", "judge_keys", "rejudge", "bench", "root", "as_json")
"""Options of use without --rejudge, by the names of their values."""


def _check_idle() -> None:
    """Refuse options that would do nothing.

    Raises:
        UsageError: Naming them.
    """
    parameters = click.get_current_context().command.params
    idle = [max(p.opts, key=len) for p in parameters if p.name not in ALWAYS and p.name and _is_given(p.name)]
    if idle:
        raise click.UsageError(f"{', '.join(idle)} is of use with --rejudge alone")


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _question(result: str, given: Mapping[str, Any]) -> Question:
    """Return what is asked for; a folder is taken with its root."""
    from sparkle_bench import benchmark
    from sparkle_bench.store import Store

    folder = Path(result)
    inside = folder.is_dir() and folder.resolve().parent.name == "results"
    root = folder.resolve().parent.parent if inside else given["root"]
    store = Store(root=root)
    hashes = store.hashes()
    there = given["bench"].is_dir() or _is_given("bench")  # a folder that was named and is not there is a mistake
    loaded = benchmark.load(given["bench"], hashes=hashes) if there else None
    return Question(
        store=store,
        model=folder.resolve().name if inside else result,
        judge_keys=given["judge_keys"] or None,
        benchmark=loaded,
    )


def _rejudged(question: Question, given: Mapping[str, Any]) -> Rejudged:
    """Have part of the verdicts given again.

    Raises:
        StoreError: There is no benchmark, or not one judge in question.
    """
    from sparkle_bench.errors import StoreError
    from sparkle_bench.verification import again

    choice = judges.choose(given)
    if question.benchmark is None:
        raise StoreError(f"--rejudge needs the benchmark's sources; none in {given['bench']}: pass --bench DIR")
    wanted = _again(question, given)
    again.check_files(wanted)
    if choice.late:
        judges.check(choice)
    with opened(choice, question.benchmark.name) as bench:
        return again.rejudge(wanted, bench, _stage(given, choice.workers), now=road.now())


def _again(question: Question, given: Mapping[str, Any]) -> Again:
    """Draw the samples."""
    from sparkle_bench.stats import Rules
    from sparkle_bench.verification import again
    from sparkle_bench.verification.drawing import subset
    from sparkle_bench.verification.rejudged import REPEATS

    assert question.benchmark is not None, "it was asked for"
    key = _one_key(question)
    having = again.with_verdict(question.store, question.model, key, question.benchmark.samples)
    try:
        count = how_many(given["rejudge"], len(having))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--rejudge") from error
    seed = given["seed"] if given["seed"] is not None else secrets.randbelow(SEEDS)
    return again.Again(
        store=question.store,
        model=question.model,
        judge_key=key,
        chosen=subset(having, count, seed) if having else (),
        of=len(having),
        seed=seed,
        repeats=max(REPEATS, given["repeats"]),
        rules=Rules(tolerance=given["tolerance"]),
    )


def how_many(text: str, of: int) -> int:
    """Return how many of `of` samples `10%` or `46` are: a part is rounded up, at least one, at most all.

    Raises:
        ValueError: It is neither.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?%|(\d{1,9})", text.strip(), re.ASCII)
    if found is None or not float(found[1] or found[2]) or float(found[1] or 0) > 100:
        raise ValueError(
            f"{one_line(text, limit=60)!r} is neither a share such as 10% nor a number of samples such as 46"
        )
    wanted = math.ceil(round(of * float(found[1]) / 100, 6)) if found[1] else int(found[2])
    return min(max(1, wanted), of)


def _one_key(question: Question) -> str:
    from sparkle_bench.errors import StoreError, listed

    keys = question.judge_keys or question.store.judge_keys(question.model)
    if len(keys) != 1:
        raise StoreError(
            f"--rejudge compares one judge's verdicts; choose one with --judge-key: {listed(list(keys)) or 'none'}"
        )
    return keys[0]


def _stage(given: Mapping[str, Any], usual: int | None) -> Any:
    """Return what shows the progress of a stage and says how many samples it does at once."""
    workers = given["workers"] or usual or road.processors()

    @contextmanager
    def shown(work: Work, what: str) -> Iterator[Work]:
        with road.stage(work, what, workers=workers) as staged:
            yield staged

    return shown
