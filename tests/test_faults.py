"""A judge's server that misbehaves in every way it can, over real HTTP: every sample ends scored, or says why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, run
from sparkle_bench.editors.identity import Identity
from sparkle_bench.errors import JudgeUnavailable
from sparkle_bench.judges import probe, sight
from sparkle_bench.judges.transport import LONGEST_RETRY_AFTER, TRIES, Transport
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Judgment
from sparkle_bench.store import Store
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_benchmark

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
PROMPT = load_prompt("sparkle", root=Path())


@dataclass
class Road:
    """The whole road on four made-up samples, without waiting between tries."""

    root: Path
    fake: FakeJudge
    slept: list[float] = field(default_factory=list)
    timeout: float = 5.0
    key: str | None = None
    repeats: int = 1
    strict: bool = False
    stack: ExitStack = field(default_factory=ExitStack)

    def transport(self) -> Transport:
        made = Transport(url=self.fake.url, api_key=self.key, timeout=self.timeout, sleep=self.slept.append)
        self.stack.callback(made.close)
        return made

    def go(self, *, workers: int = 1, options: probe.Options | None = None) -> list[Judgment]:
        """Edit and judge, and return the newest judgments."""
        bench = benchmark.load(self.root / "bench")
        store = Store(root=self.root)
        made = run.Made(editor=Identity(), name="identity", options={})
        run.start(store, "identity", bench, made, now=NOW)
        work = run.Work(store=store, model="identity", samples=bench.samples, workers=workers)
        run.edit(work, made.editor)
        judge = probe.connect(self.transport(), PROMPT, options or probe.Options(frames=4))
        seat = run.Bench(judge=judge, prompt=PROMPT, repeats=self.repeats, strict=self.strict)
        run.judge(work, seat, now=NOW)
        return list(store.judgments("identity", seat.key).values())


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made-up")
    write_benchmark(folder / "bench", samples_per_theme=1)
    return folder


@pytest.fixture
def road(made_up: Path, tmp_path: Path) -> Iterator[Road]:
    (tmp_path / "bench").symlink_to(made_up / "bench")
    fake = FakeJudge()
    with serving(fake), ExitStack() as stack:
        yield Road(root=tmp_path, fake=fake, stack=stack)


PASSING = {
    "429 with Retry-After": Answer(status=429, text="slow down", headers={"Retry-After": "7"}),
    "429 bare": Answer(status=429),
    "408": Answer(status=408),
    "500": Answer(status=500, text="EngineCore encountered an issue."),
    "503": Answer(status=503),
    "cut off": Answer(cut_off=True),
    "not JSON": Answer(body=b"<html>bad gateway</html>"),
    "JSON, but a list": Answer(body=b"[]"),
    "JSON without choices": Answer(body=b'{"choices": []}'),
    "empty body": Answer(body=b""),
    "empty reply": Answer(text="  \n"),
    "null reply": Answer(body=b'{"choices": [{"message": {"content": null}}]}'),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())
def test_passing_trouble_is_tried_again_and_recorded(road: Road, trouble: Answer) -> None:
    road.fake.queue.append(trouble)
    judgments = road.go()
    assert [j.ok for j in judgments] == [True] * 4
    assert [j.attempts for j in judgments] == [2, 1, 1, 1]
    assert [len(j.failures) for j in judgments] == [1, 0, 0, 0]
    assert len(road.fake.requests) == 5


def test_a_slow_answer_is_tried_again(road: Road) -> None:
    road.timeout = 0.5
    road.fake.queue.append(Answer(delay=1.5))
    first = road.go()[0]
    assert first.ok
    assert first.failures == ("no answer within 0.5 s",)


def test_retry_after_in_seconds_is_honoured(road: Road) -> None:
    road.fake.queue.append(Answer(status=429, headers={"Retry-After": "7"}))
    road.go()
    assert len(road.slept) == 1
    assert 7.0 <= road.slept[0] <= 7.5


def test_retry_after_as_a_date_is_honoured(road: Road) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=20), usegmt=True)
    road.fake.queue.append(Answer(status=503, headers={"Retry-After": date}))
    road.go()
    assert 15.0 <= road.slept[0] <= 20.5


@pytest.mark.parametrize("odd", ["soon", "nan", "-5", "1e9"])
def test_an_odd_retry_after_never_stalls_the_run(road: Road, odd: str) -> None:
    road.fake.queue.append(Answer(status=429, headers={"Retry-After": odd}))
    road.go()
    assert 0.0 <= road.slept[0] <= LONGEST_RETRY_AFTER + 0.5


def fail_first_sample(fake: FakeJudge) -> None:
    """Answer 500 to everything about the sample that is asked about first."""
    first: list[str] = []

    def answer(body: dict[str, Any]) -> Answer:
        asked = body["messages"][0]["content"][0]["text"]
        first.append(asked)
        return Answer(status=500) if asked == first[0] else Answer()

    fake.answer = answer


def test_backoff_grows_and_is_bounded(road: Road) -> None:
    fail_first_sample(road.fake)
    first = road.go()[0]
    assert not first.ok
    assert first.attempts == len(first.failures) == TRIES
    assert len(road.slept) == run.PASSES * (TRIES - 1)
    assert road.slept[TRIES - 2] > road.slept[0]
    assert first.error_type == run.SYSTEMIC


def test_a_sample_without_an_answer_is_recorded_and_tried_on_the_next_run(road: Road) -> None:
    fail_first_sample(road.fake)
    assert sum(j.ok for j in road.go()) == 3
    road.fake.answer = lambda body: Answer()
    asked = len(road.fake.requests)
    assert sum(j.ok for j in road.go()) == 4
    assert len(road.fake.requests) == asked + 1


def test_a_sample_without_an_answer_is_asked_about_again_after_all_else(road: Road) -> None:
    road.fake.queue.extend([Answer(status=500)] * TRIES)
    assert all(j.ok for j in road.go())
    key = Store(root=road.root).judge_keys("identity")[0]
    made = list(Store(root=road.root).all_judgments("identity", key))
    assert [judgment.ok for judgment in made] == [False, True, True, True, True]
    assert made[0].sample_id == made[-1].sample_id


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_not_repeated(road: Road, status: int) -> None:
    road.fake.queue.append(Answer(status=status, text="Input length (9000) exceeds the maximum context length"))
    first = road.go()[0]
    assert first.error is not None
    assert "Input length (9000)" in first.error
    assert (first.attempts, first.error_type, len(road.fake.requests)) == (1, "RequestFailed", 4)


UNREADABLE = {
    "no marks": "I cannot judge this.",
    "a mark is missing": "\n".join(verdict(1, 1, 1, 1, 1, 1).splitlines()[:-1]),
    "a fractional mark": verdict(4, 4, 4, 4, 4, 4).replace("Integrity: 4", "Integrity: 4.5"),
    "out of range": verdict(4, 4, 4, 4, 4, 4).replace("Integrity: 4", "Integrity: 9"),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_reply_is_asked_again(road: Road, text: str) -> None:
    road.fake.queue.append(Answer(text=text))
    first = road.go()[0]
    assert first.ok
    assert first.attempts == 2


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_reply_that_stays_unreadable_is_kept_without_marks(road: Road, text: str) -> None:
    road.fake.queue.extend([Answer(text=text)] * run.VERDICT_TRIES)
    first = road.go()[0]
    assert (first.scores, first.error_type, first.attempts) == (None, "VerdictError", run.VERDICT_TRIES)
    assert first.reply == text
    assert len(first.failures) == run.VERDICT_TRIES


def test_strict_reading_is_another_judge_key(road: Road) -> None:
    road.fake.answer = lambda body: Answer(text=verdict(4, 4, 4, 4, 4, 4).replace(": 4", ": 4/5"))
    assert all(j.ok for j in road.go())
    road.strict = True
    assert not any(j.ok for j in road.go())
    assert len(list((road.root / "results/identity/judged").iterdir())) == 2


def test_a_server_that_answers_nothing_stops_the_run(road: Road) -> None:
    road.repeats = 3
    road.fake.answer = lambda body: Answer(status=500)
    with pytest.raises(JudgeUnavailable, match="no answer to 10 questions in a row"):
        road.go()
    assert len(road.fake.requests) == run.BREAKER * TRIES
    key = Store(root=road.root).judge_keys("identity")[0]
    assert len(Store(root=road.root).judgments("identity", key)) == run.BREAKER, "everything so far is on disk"


def test_a_key_refused_in_mid_run_stops_it_and_never_shows(road: Road) -> None:
    road.fake.key = road.key = "sk-very-secret"
    road.fake.queue.append(Answer(status=401, text="Incorrect API key provided: sk-very-secret"))
    with pytest.raises(JudgeUnavailable) as caught:
        road.go()
    assert "refuses the key" in str(caught.value)
    everything = b"".join(p.read_bytes() for p in road.root.rglob("*.json*") if "bench" not in p.parts)
    assert "sk-very-secret" not in str(caught.value)
    assert b"sk-very-secret" not in everything


def test_a_server_that_goes_away_stops_the_run_within_bounds(road: Road) -> None:
    with ExitStack() as inner:
        fake = FakeJudge()
        inner.enter_context(serving(fake))
        gone: list[Any] = []

        def answer(body: dict[str, Any]) -> Answer:
            gone.append(body)
            return Answer()

        fake.answer = answer
        road.fake = fake
        judge_url = fake.url
        road.go()
    road.repeats = 2
    with pytest.raises(JudgeUnavailable, match="no judge answers at"):
        road.go()
    assert judge_url.startswith("http://127.0.0.1")


def test_workers_finish_what_is_on_its_way_when_one_finds_the_judge_gone(road: Road) -> None:
    road.repeats = 2
    road.fake.queue.extend([Answer(delay=0.3), Answer(status=404, text="The model does not exist.")])
    with pytest.raises(JudgeUnavailable, match="does not know the model"):
        road.go(workers=2)
    store = Store(root=road.root)
    assert any(j.ok for j in store.judgments("identity", store.judge_keys("identity")[0]).values())


def test_each_repeat_has_its_own_seed_and_record(road: Road) -> None:
    road.repeats = 3
    judgments = road.go(workers=4)
    assert sorted({j.repeat for j in judgments}) == [0, 1, 2]
    assert len(judgments) == 12
    assert sorted({body["seed"] for body in road.fake.requests}) == [42, 43, 44]


def test_a_question_holds_prompt_clips_and_true_times(road: Road) -> None:
    road.go()
    body = road.fake.requests[0]
    kinds = [part["type"] for part in body["messages"][0]["content"]]
    assert kinds == ["text", "text", "video_url", "text", "video_url"]
    stated = body["media_io_kwargs"]["video"]
    assert stated["num_frames"] == -1
    assert stated["frames_indices"][0] == 0
    assert stated["frames_indices"][-1] == stated["total_num_frames"] - 1
    assert body["temperature"] == 0.0
    assert "regex" in body["structured_outputs"]


PROBES: dict[str, tuple[Callable[[FakeJudge], None], probe.Options, str]] = {
    "an unknown model, with a near miss": (
        lambda fake: None,
        probe.Options(model="tiny-juge"),
        "does not serve 'tiny-juge'; did you mean tiny-judge",
    ),
    "several models": (
        lambda fake: setattr(fake, "models", ("a", "b")),
        probe.Options(),
        "serves 2 models; name one with --judge-model: a, b",
    ),
    "a wrong key": (lambda fake: setattr(fake, "key", "right"), probe.Options(), "refuses the key"),
    "no stated times": (
        lambda fake: setattr(fake, "trusts", False),
        probe.Options(),
        "start it with --trust-request-mm-kwargs",
    ),
    "frames cut": (lambda fake: setattr(fake, "kept", 10), probe.Options(), "shows its model 10 of 16 frames"),
    "frames cut by the server's own rule": (
        lambda fake: None,
        probe.Options(frames=40, server_clock=True),
        "shows its model 32 of 40 frames",
    ),
    "labels wrong": (lambda fake: setattr(fake, "label_shift", 1.0), probe.Options(), "labels the frames"),
    "no video": (
        lambda fake: setattr(fake, "tokens", lambda body: Answer(status=400, text="tiny is not a multimodal model")),
        probe.Options(),
        "does not accept two videos",
    ),
    "a short context": (lambda fake: setattr(fake, "context", 3000), probe.Options(), "has a context of 3000"),
}


@pytest.mark.parametrize(("spoil", "options", "message"), PROBES.values(), ids=PROBES.keys())
def test_the_probe_names_what_is_wrong(
    spoil: Callable[[FakeJudge], None], options: probe.Options, message: str
) -> None:
    fake = FakeJudge()
    spoil(fake)
    with serving(fake), ExitStack() as stack:
        transport = Transport(url=fake.url)
        stack.callback(transport.close)
        with pytest.raises(JudgeUnavailable) as caught:
            probe.connect(transport, PROMPT, options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert fake.requests == [], "no sample was asked about"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "not a url", "http://user:pass@127.0.0.1:9/v1"])
def test_the_probe_says_that_nobody_answers(url: str) -> None:
    transport = Transport(url=url)
    with pytest.raises(JudgeUnavailable, match="no judge answers at") as caught:
        probe.connect(transport, PROMPT, probe.Options())
    transport.close()
    assert "pass" not in str(caught.value).replace("pass --", "")


@pytest.mark.parametrize("factor", [28, 32])
def test_the_probe_finds_the_multiple_of_picture_sides(factor: int) -> None:
    fake = FakeJudge(factor=factor, labels=factor == 32)
    with serving(fake), ExitStack() as stack:
        transport = Transport(url=fake.url)
        stack.callback(transport.close)
        judge = probe.connect(transport, PROMPT, probe.Options())
    assert judge.sampling is not None
    assert (judge.sampling.factor, judge.clock, judge.notes) == (factor, "stated", ())


def test_a_server_of_another_kind_is_used_plainly_and_the_board_says_so() -> None:
    fake = FakeJudge(owned_by="somebody", tokenize=False)
    with serving(fake), ExitStack() as stack:
        transport = Transport(url=fake.url)
        stack.callback(transport.close)
        judge = probe.connect(transport, PROMPT, probe.Options())
    assert (judge.clock, judge.decoding.constrained, judge.notes) == ("unverified", False, (sight.UNVERIFIED,))
