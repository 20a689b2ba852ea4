"""Batches before an engine, and the checks of a judge inside the process, with an engine of the tests' own."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sparkle_bench.errors import JudgeUnavailable, RequestFailed, SparkleError
from sparkle_bench.judges import Question, Reply, judge_key, made_up, sight
from sparkle_bench.judges.batches import MOST, Batches
from sparkle_bench.judges.offline import OfflineJudge, open_offline, opened
from sparkle_bench.judges.openai import Decoding
from sparkle_bench.judges.vllm_engine import Look, Setup, decoded
from sparkle_bench.prompts import Prompt, load_prompt
from sparkle_bench.records import Sample
from sparkle_bench.video import Clip, Pair, Sampling

SAMPLE = Sample(
    id="a",
    benchmark="sparkle",
    theme="time",
    subtheme="dawn",
    scene="mist",
    instruction="x",
    source="a.mp4",
    sha256="0",
)

FOREVER = 30.0
"""Seconds after which a test would be wrong in any case."""


def question(text: str) -> Question:
    return Question(sample=SAMPLE, prompt=text, seed=42)


@dataclass(kw_only=True)
class Echo:
    """An engine that answers each question with its own words, and keeps what it was called with."""

    seconds: float = 0.0
    gate: threading.Event | None = None
    version: str = "vllm 0.0"
    revision: str | None = "abc"
    factor: int = 32
    context: int = 32768
    batches: list[list[str]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    within: int = 0
    closed: int = 0

    def prepare(self, question: Question) -> str:
        self.threads.add(threading.get_ident())
        if question.prompt.startswith("torn"):
            raise RequestFailed("a picture cannot be decoded", systemic=False)
        if question.prompt.startswith("odd"):
            raise KeyError("something unforeseen")
        return question.prompt

    def generate(self, requests: Sequence[str]) -> list[Reply]:
        self.threads.add(threading.get_ident())
        assert self.within == 0, "two threads in the engine at once"
        self.within += 1
        try:
            return self._generate(list(requests))
        finally:
            self.within -= 1

    def _generate(self, requests: list[str]) -> list[Reply]:
        self.batches.append(requests)
        if self.gate is not None:
            assert self.gate.wait(30)
        time.sleep(self.seconds)
        if any(request.startswith("bad") for request in requests):
            raise ValueError("the prompt is longer than the context")
        if any(request.startswith("deadly") for request in requests):
            raise JudgeUnavailable("the engine died")
        if any(request.startswith("lost") for request in requests):
            return []
        return [Reply(text="" if request.startswith("empty") else f"re: {request}") for request in requests]

    def look(self, text: str, pair: Pair) -> Look:
        return Look(tokens=(1,), text="") if pair.timing is None else seen(self.factor, pair)

    def close(self) -> None:
        self.closed += 1


def seen(factor: int, pair: Pair, *, frames: int = 16, shift: float = 0.0) -> Look:
    """Return what a Qwen3-VL sees of a made-up pair, with fewer frames or shifted times on demand."""
    height, width = made_up.size(Sampling(factor=factor))
    pads = sight.VIDEO_TOKEN * ((height // factor) * (width // factor))
    times = sight.expected_times(pair)[: frames // 2]
    video = "".join(f"<{seconds + shift:.1f} seconds>{pads}" for seconds in times)
    return Look(tokens=tuple(range(4000)), text=f"Look.{video}{video}")


def outcome(batches: Batches, text: str) -> str:
    """Return an answer's text, or its error's class and words."""
    try:
        return batches.ask(question(text)).text
    except SparkleError as error:
        return f"{type(error).__name__}: {error}"


def all_at_once(batches: Batches, texts: Sequence[str]) -> list[str]:
    with ThreadPoolExecutor(len(texts)) as pool:
        return list(pool.map(lambda text: outcome(batches, text), texts))


# -- batches ---------------------------------------------------------------------------------------------------------


def test_every_answer_goes_to_its_asker_from_one_thread() -> None:
    engine = Echo()
    texts = [f"question {number}" for number in range(300)]
    with closing(Batches(engine)) as batches, ThreadPoolExecutor(40) as pool:
        assert list(pool.map(lambda text: outcome(batches, text), texts)) == [f"re: {text}" for text in texts]
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads
    assert sorted(text for batch in engine.batches for text in batch) == sorted(texts), "each is asked once"


def test_all_that_wait_go_together() -> None:
    engine = Echo()
    with closing(Batches(engine, most=20, pause=FOREVER)) as batches:
        all_at_once(batches, [str(number) for number in range(20)])
    assert [len(batch) for batch in engine.batches] == [20]


def test_a_batch_has_at_most_so_many() -> None:
    engine = Echo()
    with closing(Batches(engine, most=8, pause=2.0)) as batches:
        all_at_once(batches, [str(number) for number in range(20)])
    assert [len(batch) for batch in engine.batches] == [8, 8, 4]
    assert MOST == 64


def test_a_lonely_question_does_not_wait_for_others() -> None:
    with closing(Batches(Echo())) as batches:
        begun = time.monotonic()
        assert outcome(batches, "alone") == "re: alone"
        assert time.monotonic() - begun < FOREVER / 4


def test_the_time_of_the_batch_is_recorded() -> None:
    with closing(Batches(Echo(seconds=0.2))) as batches:
        latency = batches.ask(question("x")).latency
    assert latency is not None
    assert 0.2 <= latency < FOREVER


@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_refused_question_leaves_the_others_their_answers(place: int) -> None:
    engine = Echo()
    texts = [f"bad {n}" if n == place else f"good {n}" for n in range(8)]
    with closing(Batches(engine, most=8, pause=FOREVER)) as batches:
        outcomes = all_at_once(batches, texts)
    assert [text for text in outcomes if text.startswith("re: ")] == [f"re: good {n}" for n in range(8) if n != place]
    assert outcomes[place] == "RequestFailed: the engine refused it: ValueError: the prompt is longer than the context"
    assert len(engine.batches) <= 7, "halved, not asked one by one"


def test_many_bad_questions_of_many_kinds() -> None:
    texts = ["torn", "good 1", "odd", "bad 1", "good 2", "empty", "bad 2", "good 3"]
    with closing(Batches(Echo(), most=8, pause=FOREVER)) as batches:
        outcomes = all_at_once(batches, texts)
    refused = "RequestFailed: the engine refused it: ValueError: the prompt is longer than the context"
    assert outcomes == [
        "RequestFailed: a picture cannot be decoded",
        "re: good 1",
        "RequestFailed: the engine refused it: KeyError: 'something unforeseen'",
        refused,
        "re: good 2",
        "RequestFailed: the reply is empty",
        refused,
        "re: good 3",
    ]


def test_a_dead_engine_stops_all_who_wait_and_all_who_come() -> None:
    engine = Echo(gate=threading.Event())
    batches = Batches(engine, pause=0.2, most=4)
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(outcome, batches, f"deadly {n}") for n in range(12)]
        wait_for(lambda: len(engine.batches) == 1)
        assert engine.gate is not None
        engine.gate.set()
        outcomes = [future.result(timeout=30) for future in asked]
    assert outcomes == ["JudgeUnavailable: the engine died"] * 12
    assert outcome(batches, "late") == "JudgeUnavailable: the engine died"
    batches.close()
    assert engine.closed == 1
    assert len(engine.batches) == 1, "a dead engine is asked nothing more"


def test_an_engine_that_dies_while_a_batch_is_halved_has_answered_the_first_half() -> None:
    with closing(Batches(Echo(), most=2, pause=FOREVER)) as batches:
        outcomes = set(all_at_once(batches, ["bad", "deadly"]))
    assert "JudgeUnavailable: the engine died" in outcomes


def test_answers_that_nobody_can_place_are_given_to_nobody() -> None:
    with closing(Batches(Echo())) as batches:
        assert outcome(batches, "lost").startswith("JudgeUnavailable: the engine gave 0 answers to 1 questions")


def test_closing_lets_the_running_batch_end_and_refuses_the_rest() -> None:
    engine = Echo(gate=threading.Event())
    assert engine.gate is not None
    batches = Batches(engine, most=2, pause=0.2)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(outcome, batches, str(n)) for n in range(5)]
        wait_for(lambda: len(engine.batches) == 1)
        closer = pool.submit(batches.close)
        wait_for(lambda: sum(future.done() for future in asked) == 3)
        engine.gate.set()
        closer.result(timeout=30)
        outcomes = sorted(future.result(timeout=30) for future in asked)
    assert outcomes[:3] == ["JudgeUnavailable: the judge was closed"] * 3
    assert all(text.startswith("re: ") for text in outcomes[3:])
    batches.close()
    assert engine.closed == 1
    assert outcome(batches, "late") == "JudgeUnavailable: the judge was closed"


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# -- the judge -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    return load_prompt("sparkle", root=Path())


@pytest.fixture
def judge(prompt: Prompt) -> Iterator[OfflineJudge]:
    engine = {"dtype": "float32", "hf_token": "secret", "max_model_len": 32768}
    setup = Setup(model="org/tiny", revision="main", engine=engine, decoding=Decoding(seed=7))
    with closing(opened(Echo(), setup, prompt)) as judge:
        yield judge


def test_a_judge_is_ready_once_its_sight_was_checked(judge: OfflineJudge) -> None:
    assert judge.checked
    assert judge.notes == ()
    assert (judge.sees, judge.seed) == ("frames", 7)
    assert judge.sampling == Sampling(frames=16, max_pixels=640 * 360, factor=32)
    assert judge.ask(question("x")).text == "re: x"


def test_all_that_can_change_a_verdict_is_in_its_identity(judge: OfflineJudge) -> None:
    identity = judge.identity
    plain = {name: value for name, value in identity.items() if name not in ("sampling", "decoding", "message_form")}
    assert plain == {
        "judge": "offline",
        "model": "org/tiny",
        "revision": "abc",
        "server": "vllm 0.0",
        "engine": {"dtype": "float32"},
        "protocol": "sparkle-bench",
        "media": "frames",
        "clock": "stated",
        "checked": True,
    }
    assert identity["sampling"]["factor"] == 32
    assert identity["sampling"]["decoder"]
    assert identity["decoding"]["seed"] == 7
    for change in (
        {"decoding": Decoding(seed=8)},
        {"decoding": Decoding(constrained=True)},
        {"engine": {"dtype": "auto"}},
    ):
        other = dataclasses.replace(judge, setup=dataclasses.replace(judge.setup, **change))
        assert judge_key(other.identity) != judge_key(identity)


def test_the_folders_of_this_machine_are_in_no_identity(tmp_path: Path, prompt: Prompt) -> None:
    folder = tmp_path / "tiny-model"
    folder.mkdir()
    with closing(opened(Echo(), Setup(model=str(folder)), prompt)) as judge:
        assert judge.identity["model"] == "tiny-model"


def test_whole_files_are_sampled_by_the_rule_of_vllm(prompt: Prompt) -> None:
    engine = Echo()
    with closing(opened(engine, Setup(model="org/tiny", media="mp4"), prompt)) as judge:
        assert (judge.sees, judge.sampling, judge.clock, judge.checked) == ("files", None, "server", False)
        assert judge.notes == (sight.WHOLE_FILES,)


@dataclass(kw_only=True)
class Blind(Echo):
    """An engine whose model sees something else."""

    shows: Callable[[Pair], Look]

    def look(self, text: str, pair: Pair) -> Look:
        return self.shows(pair)


def _refusing(pair: Pair) -> Look:
    raise ValueError("this model takes no video")


@pytest.mark.parametrize(
    ("shows", "words"),
    [
        (lambda pair: seen(32, pair, frames=8), "video tokens where"),
        (lambda pair: seen(32, pair, shift=0.3), "labels the frames 0.5 s"),
        (lambda pair: dataclasses.replace(seen(32, pair), tokens=tuple(range(32500))), "has a context of 32768"),
        (_refusing, r"cannot take a question of two videos \(this model takes no video\)"),
    ],
    ids=["frames lost", "times wrong", "context too short", "no video"],
)
def test_a_model_that_would_see_wrong_is_refused_and_freed(
    shows: Callable[[Pair], Look], words: str, prompt: Prompt
) -> None:
    engine = Blind(shows=shows)
    with pytest.raises(JudgeUnavailable, match=words) as caught:
        opened(engine, Setup(model="org/tiny"), prompt)
    assert "\n" not in str(caught.value)
    assert engine.closed == 1


def test_a_model_with_other_video_tokens_is_taken_and_recorded_as_unchecked(prompt: Prompt) -> None:
    engine = Blind(shows=lambda pair: Look(tokens=(1, 2, 3), text="<video>"))
    with closing(opened(engine, Setup(model="org/other"), prompt)) as judge:
        assert not judge.checked
        assert judge.notes == (sight.UNVERIFIED,)


def test_pictures_are_decoded_as_they_are_and_torn_ones_are_refused() -> None:
    pair = made_up.frames(Sampling(frames=2))
    first = decoded(pair.before)[0]
    assert (first.mode, first.size) == ("RGB", made_up.size(Sampling(frames=2))[::-1])
    with pytest.raises(RequestFailed, match="a picture cannot be decoded"):
        decoded(Clip(mime="video/jpeg", parts=(pair.before.parts[0][:200],)))


def test_without_vllm_one_line_names_the_cure(prompt: Prompt) -> None:
    with pytest.raises(JudgeUnavailable, match=r"needs \w+; install it with pip install 'sparkle-bench\[vllm\]'"):
        open_offline(Setup(model="org/tiny"), prompt)


def test_the_module_loads_nothing_heavy() -> None:
    code = "import sys, sparkle_bench.judges.offline; print([n for n in ('torch', 'vllm', 'PIL') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
