"""Opening the judge that the options choose: connecting, starting or loading it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli.judge import MOST_WORKERS, REPLAY, WORKERS, Choice, options, wishes
from sparkle_bench.cli.judge import prompt as asked_with

if TYPE_CHECKING:
    from sparkle_bench.judges import Judge
    from sparkle_bench.judges.probe import Options
    from sparkle_bench.judges.serving import Launch
    from sparkle_bench.judges.transport import Transport
    from sparkle_bench.prompts import Prompt
    from sparkle_bench.run import Bench

TIMEOUT, AUTHORS_TIMEOUT = 300.0, 60.0


@contextmanager
def opened(choice: Choice, benchmark: str) -> Iterator[Bench]:
    """Yield the judge with its question; what was started for it ends when the block is left.

    Raises:
        JudgeUnavailable: It cannot be used.
        PromptError: The prompt cannot be.
    """
    with ExitStack() as stack:
        if choice.kind == "replay":
            judge, asked, repeats = _replayed(choice.given)
            yield dataclasses.replace(_bench(choice, judge, asked), repeats=repeats)
            return
        asked = asked_with(choice, benchmark)
        judge = _judge(choice, benchmark, asked, stack)
        yield _bench(choice, judge, asked)


def _bench(choice: Choice, judge: Judge, prompt: Prompt) -> Bench:
    from sparkle_bench.run import Bench

    given, authors = choice.given, choice.given["protocol"] == "authors"
    return Bench(
        judge=judge,
        prompt=prompt,
        strict=given["strict_parse"] or authors,
        repeats=given["repeats"],
        authors=authors,
        price=choice.price,
        budget=given["budget"],
        wishes=wishes(choice, prompt),
    )


def _judge(choice: Choice, benchmark: str, prompt: Prompt, stack: ExitStack) -> Judge:
    if choice.kind == "signals":
        return _embedded(benchmark, prompt, choice.given)
    if choice.kind == "offline":
        return _offline(choice, prompt, stack)
    if choice.kind == "launched":
        return _launched(choice, prompt, stack)
    return _served(choice, choice.urls, prompt, options(choice), stack)


def _served(choice: Choice, urls: Sequence[str], prompt: Prompt, wished: Options, stack: ExitStack) -> Judge:
    from sparkle_bench.judges import probe
    from sparkle_bench.judges.pace import Pace

    given, key = choice.given, choice.key
    workers = given["workers"]
    pace = Pace(
        start=workers or WORKERS,
        most=workers or MOST_WORKERS,
        max_rpm=given["max_rpm"],
        max_tpm=given["max_tpm"],
    )
    transports = [_transport(url, key, given, stack) for url in urls]
    judge = probe.connect_all(transports, prompt, wished, pace)
    stack.callback(judge.pool.close)
    for server, trouble in judge.pool.aside.items():
        click.echo(f"note: {server} does not answer ({trouble}); going on without it", err=True)
    return judge


def _transport(url: str, key: str | None, given: Mapping[str, Any], stack: ExitStack) -> Transport:
    from sparkle_bench.judges.transport import Transport

    usual = AUTHORS_TIMEOUT if given["protocol"] == "authors" else TIMEOUT
    transport = Transport(url=url, api_key=key, timeout=given["timeout"] or usual)
    stack.callback(transport.close)
    return transport


def _launched(choice: Choice, prompt: Prompt, stack: ExitStack) -> Judge:
    """Start a server of our own, or one on every group of GPUs of a Ray cluster, and connect."""
    from sparkle_bench.cli.serve import launch, said_to_load
    from sparkle_bench.judges.before_start import weights
    from sparkle_bench.judges.serving import serving

    assert choice.preset is not None
    if choice.given.get("executor") == "ray":
        return _on_ray(choice, prompt, stack)
    wanted = launch(choice.given, choice.preset)
    click.echo(f"starting {wanted.name}; its log is {wanted.log}", err=True)
    served = stack.enter_context(serving(wanted, said_to_load))
    wished = _as_launched(choice, wanted, served.commit or weights(wanted.model))
    stack.push(_why_it_ended(lambda: served.wait(0)))
    return _served(choice, [served.url], prompt, wished, stack)


def _on_ray(choice: Choice, prompt: Prompt, stack: ExitStack) -> Judge:
    from sparkle_bench.cli.serve import said_to_load
    from sparkle_bench.judges import on_ray

    wanted = on_ray.Wanted(
        launch=remote_launch(choice),
        python=choice.given["vllm_python"],
        surroundings=surroundings,
        address=choice.given["ray_address"],
    )
    click.echo(f"starting {wanted.launch.name} on the machines of the Ray cluster", err=True)
    served = stack.enter_context(on_ray.servers(wanted, said_to_load))
    for trouble in served.failed:
        click.echo(
            f"note: a server on a machine of the Ray cluster does not start: {trouble}; going on without it", err=True
        )
    stack.push(_why_it_ended(served.why))
    choice = dataclasses.replace(choice, key=served.key)
    return _served(choice, served.urls, prompt, _as_launched(choice, wanted.launch, served.revision), stack)


def surroundings() -> dict[str, str]:
    """Return the environment of the process that calls it, on whatever machine, without our secrets."""
    from sparkle_bench.cli.serve import SECRETS

    return {name: value for name, value in os.environ.items() if name not in SECRETS}


def remote_launch(choice: Choice) -> Launch:
    """Return the server to start on each machine of a Ray cluster; nothing of this machine's environment is in it."""
    from sparkle_bench.cli.serve import launch

    assert choice.preset is not None
    return dataclasses.replace(launch({**choice.given, "dry_run": True}, choice.preset), environment={})


def _as_launched(choice: Choice, launch: Launch, revision: str | None) -> Options:
    """Return how the user wants to be judged, by what was launched: wherever that is, the judge is the same."""
    from sparkle_bench.judges.serving import telling

    return dataclasses.replace(options(choice), model=launch.name, revision=revision, engine=telling(launch.engine))


def _why_it_ended(ended: Callable[[], str | None]) -> Callable[..., None]:
    """Return a handler that says, when the judge is gone, why a server of ours ended."""

    def explain(_: object, error: BaseException | None, __: object) -> None:
        from sparkle_bench.errors import JudgeUnavailable

        why = ended() if isinstance(error, JudgeUnavailable) else None
        if why is not None:
            raise JudgeUnavailable(f"the server ended in mid-run: {why}") from error

    return explain


def _offline(choice: Choice, prompt: Prompt, stack: ExitStack) -> Judge:
    """Load the model into this process."""
    from sparkle_bench.judges.offline import Setup, open_offline
    from sparkle_bench.judges.openai import Decoding

    assert choice.preset is not None
    given, wished = choice.given, options(choice)
    authors = wished.protocol == "authors"
    decoding = Decoding(
        constrained=not authors if wished.constrain is None else wished.constrain,
        max_tokens=wished.max_tokens,
        thinking=wished.thinking,
        soft=wished.soft,
        again_temperature=0.0 if authors else Decoding().again_temperature,
    )
    model = given["judge_model"] or choice.preset.model
    setup = Setup(
        model=model,
        revision=given["judge_revision"] or (choice.preset.revision if model == choice.preset.model else None),
        engine={**choice.preset.engine, **given["serve_options"]},
        media=wished.media,
        frames=wished.frames,
        max_pixels=wished.max_pixels,
        decoding=decoding,
        protocol=wished.protocol,
    )
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # standard output is for what we print
    judge = open_offline(setup, prompt)
    stack.callback(judge.close)
    return judge


def _embedded(benchmark: str, prompt: Prompt, given: Mapping[str, Any]) -> Judge:
    from sparkle_bench.errors import PromptError
    from sparkle_bench.judges.signals import SignalsJudge
    from sparkle_bench.signals.request import FILE, load_rules

    rules = load_rules(benchmark, root=given["root"])
    if rules is None:
        raise PromptError(f"the benchmark {benchmark!r} has no {FILE}, so no embedded judge")
    return SignalsJudge(rubric=prompt.rubric, rules=rules)


def _replayed(given: Mapping[str, Any]) -> tuple[Judge, Prompt, int]:
    """Return the judge of stored replies (a `judgments.jsonl`, or its folder), its prompt and how often it was asked."""
    from pathlib import Path

    from sparkle_bench.errors import StoreError
    from sparkle_bench.judges.replay import replay
    from sparkle_bench.store import read_judged

    path = Path(given["judge_name"].removeprefix(REPLAY))
    judge, judgments = read_judged(path)
    if judge is None:
        raise StoreError(
            f"no judge.json beside {path}; replay:FILE takes the judgments.jsonl of a result, or its folder"
        )
    again = replay(judge, judgments)
    return *again, max([1, *(judgment.repeat + 1 for judgment in judgments)])
