"""How fast a judge is asked, and several servers of one judge: load, limits, servers that die and come back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.errors import JudgeUnavailable, RequestFailed
from sparkle_bench.judges.pace import MINUTE, Limit, Pace, Rates
from sparkle_bench.judges.pool import FAILURES, Pool, Post
from sparkle_bench.judges.transport import Transport
from sparkle_bench.store import Store
from tests.fake_judge import Answer, FakeJudge, serving
from tests.makers import write_benchmark
from tests.road import Road

ASK = Post(path="/chat/completions", body=b'{"model": "tiny-judge", "messages": []}', check=lambda data: None)


# -- the number of requests on their way, as arithmetic ----------------------------------------------------------------


def answered(limit: Limit, count: int, *, seconds: float = 1.0, at: float = 0.0) -> None:
    for _ in range(count):
        limit.answered(seconds, now=at, full=True)


def test_it_rises_while_answers_come_and_stops_at_the_most() -> None:
    limit = Limit(Pace(start=2, most=10))
    seen = [limit.value]
    for _ in range(12):
        answered(limit, 1)
        seen.append(limit.value)
    assert seen == [2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10]


def test_it_does_not_rise_while_there_is_room() -> None:
    limit = Limit(Pace(start=4, most=10))
    for _ in range(20):
        limit.answered(1.0, now=0.0, full=False)
    assert limit.value == 4


def test_a_busy_server_halves_it_once_per_round_and_it_recovers() -> None:
    limit = Limit(Pace(start=16, most=16))
    limit.busy(begun=0.0, now=1.0)
    limit.busy(begun=0.5, now=1.1)
    assert limit.value == 8, "what was sent before the fall counts once"
    limit.busy(begun=1.2, now=1.3)
    assert limit.value == 4
    answered(limit, 5)
    assert limit.value == 5, "one more per round after trouble"
    answered(limit, 300)
    assert limit.value == 16


def test_it_never_falls_below_one() -> None:
    limit = Limit(Pace(start=4))
    for second in range(20):
        limit.busy(begun=float(second), now=second + 0.5)
    assert limit.value == 1


def test_answers_that_grow_slow_with_load_lower_it_and_it_recovers() -> None:
    limit = Limit(Pace(start=20, most=20))
    answered(limit, 80, seconds=1.0)
    assert limit.value == 20
    lowest = 20
    for _ in range(300):
        limit.answered(max(1.0, 3.0 * limit.value / 20), now=0.0, full=True)  # overloaded: fewer at once are faster
        lowest = min(lowest, limit.value)
    assert lowest <= 16
    answered(limit, 600, seconds=1.0)
    assert limit.value == 20


def test_answers_that_grow_slow_whatever_the_load_change_nothing_for_long() -> None:
    limit = Limit(Pace(start=20, most=20))
    answered(limit, 80, seconds=1.0)
    answered(limit, 40, seconds=6.0)
    assert limit.value == 16, "a fall, to see whether it helps"
    answered(limit, 40, seconds=6.0)
    assert limit.value == 20, "it did not, so it is taken back"


def test_the_first_question_of_unknown_length_goes_alone() -> None:
    rates = Rates(Pace(max_tpm=10_000))
    first = rates.send(0, now=0.0)
    assert rates.wait(0, now=0.1) > 0
    rates.settle(first, 5000)
    assert rates.wait(0, now=0.2) == 0.0
    rates.send(0, now=0.2)
    assert rates.wait(0, now=0.3) == pytest.approx(MINUTE - 0.3), "the next may be as long as the longest"


@pytest.mark.parametrize(
    "seconds",
    [
        lambda rng: rng.uniform(0.6, 1.6),
        lambda rng: rng.expovariate(1 / 4),
        lambda rng: 2.4 * rng.lognormvariate(0.0, 1.0),
        lambda rng: 1.0 if rng.random() < 0.66 else 6.0,
    ],
    ids=["uniform", "exponential", "long thoughts", "cached or not"],
)
def test_spread_that_has_nothing_to_do_with_load_costs_little(seconds: Callable[[random.Random], float]) -> None:
    values = []
    for seed in range(5):
        rng, limit = random.Random(seed), Limit(Pace(start=20, most=20))
        for _ in range(1000):
            limit.answered(seconds(rng), now=0.0, full=True)
            values.append(limit.value)
    assert sum(values) / len(values) > 19


@pytest.mark.parametrize(
    ("pace", "tokens", "sent", "wait"),
    [
        (Pace(), 10**9, 1000, 0.0),
        (Pace(max_rpm=3), 0, 2, 0.0),
        (Pace(max_rpm=3), 0, 3, MINUTE - 1),
        (Pace(max_tpm=1000), 400, 1, 0.0),
        (Pace(max_tpm=1000), 400, 2, MINUTE - 1),
        (Pace(max_tpm=1000), 5000, 0, 0.0),
        (Pace(max_tpm=1000), 5000, 1, MINUTE - 1),
    ],
)
def test_rates_say_how_long_to_wait(pace: Pace, tokens: int, sent: int, wait: float) -> None:
    rates = Rates(pace)
    for _ in range(sent):
        rates.settle(rates.send(tokens, now=100.0), tokens)
    assert rates.wait(tokens, now=101.0) == pytest.approx(wait)
    assert rates.wait(tokens, now=100.0 + MINUTE) == 0.0


def test_no_minute_holds_more_than_allowed() -> None:
    """A second way of counting: every window of a minute, after a thousand requests of random size."""
    rng, rates, now = random.Random(3), Rates(Pace(max_rpm=20, max_tpm=5000)), 0.0
    sent: list[tuple[float, int]] = []
    for _ in range(1000):
        tokens = rng.randint(1, 900)
        now += rng.uniform(0.0, 2.0)
        while (pause := rates.wait(tokens, now=now)) > 0:
            now += pause
        rates.settle(rates.send(tokens, now=now), tokens)
        sent.append((now, tokens))
    for index, (begun, _) in enumerate(sent):
        window = [size for at, size in sent[index:] if at < begun + MINUTE]
        assert len(window) <= 20
        assert sum(window) <= 5000


# -- one server --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def pool(stack: ExitStack, *fakes: FakeJudge, pace: Pace | None = None, **wishes: Any) -> Pool:
    transports = [Transport(url=fake.url, sleep=lambda seconds: time.sleep(seconds / 100), **wishes) for fake in fakes]
    made = Pool(transports, pace)
    stack.callback(made.close)
    return made


def ask(pool: Pool, count: int, *, threads: int) -> list[str]:
    """Ask so many times from so many threads; return what went wrong."""
    wrong: list[str] = []
    left = iter(range(count))

    def work() -> None:
        for _ in left:
            try:
                pool.post(ASK)
            except (RequestFailed, JudgeUnavailable) as error:
                wrong.append(str(error))

    several = [threading.Thread(target=work) for _ in range(threads)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join(60)
    return wrong


def test_no_more_are_on_their_way_than_the_limit_says(stack: ExitStack) -> None:
    fake = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.1))))
    made = pool(stack, fake, pace=Pace(start=2, most=5))
    assert ask(made, 60, threads=12) == []
    assert fake.most_on_their_way == 5
    assert made.limits == [5]


def test_a_server_that_says_429_is_asked_less(stack: ExitStack) -> None:
    fake = FakeJudge()

    def answer(body: dict[str, Any]) -> Answer:
        return Answer(status=429) if fake.on_their_way > 3 else Answer(delay=0.02)

    fake.answer = answer
    stack.enter_context(serving(fake))
    made = pool(stack, fake, pace=Pace(start=16, most=16), tries=50)
    assert ask(made, 150, threads=16) == []
    assert made.limits[0] < 8
    refused = len(fake.requests) - 150
    fake.requests.clear()
    assert ask(made, 150, threads=16) == []
    assert len(fake.requests) - 150 < refused, "it has learned"


def test_a_quota_is_waited_for_and_uses_up_no_try(stack: ExitStack) -> None:
    """A server that takes twenty requests and then says 429 until its minute is over."""
    fake = FakeJudge()
    window: list[float] = []

    def answer(body: dict[str, Any]) -> Answer:
        with fake.lock:
            now = time.monotonic()
            window[:] = [at for at in window if at > now - 1.0]
            if len(window) >= 20:
                return Answer(status=429)
            window.append(now)
            return Answer()

    fake.answer = answer
    stack.enter_context(serving(fake))
    made = pool(stack, fake, pace=Pace(start=8))
    assert ask(made, 60, threads=8) == []
    assert len(fake.requests) - 60 < 60, "while one waits, the others do not ask"


def test_a_quota_that_never_comes_back_is_given_up(stack: ExitStack) -> None:
    fake = stack.enter_context(
        serving(FakeJudge(answer=lambda body: Answer(status=429, headers={"Retry-After": "60"})))
    )
    transport = Transport(url=fake.url, sleep=lambda seconds: None)
    made = Pool([transport])
    stack.callback(made.close)
    wrong = ask(made, 2, threads=2)
    assert len(wrong) == 2
    assert "429" in wrong[0]


def test_a_server_that_hangs_is_given_up(stack: ExitStack) -> None:
    fake = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=1.0))))
    made = pool(stack, fake, timeout=0.1)
    begun = time.monotonic()
    wrong = ask(made, 40, threads=8)
    assert len(wrong) == 40
    assert "answers nothing any more: 12 requests in a row" in wrong[-1]
    assert time.monotonic() - begun < 20


def test_a_single_refusal_is_that_questions_own(stack: ExitStack) -> None:
    fake = stack.enter_context(serving(FakeJudge()))
    made = pool(stack, fake)
    made.post(ASK)
    fake.queue.append(Answer(status=403, text="this content is not for us"))
    with pytest.raises(RequestFailed, match="this content is not for us"):
        made.post(ASK)
    made.post(ASK)


def test_unreachable_servers_use_up_no_try(stack: ExitStack) -> None:
    dead = [FakeJudge() for _ in range(8)]
    for fake in dead:
        with serving(fake):
            pass
    alive = stack.enter_context(serving(FakeJudge()))
    assert ask(pool(stack, *dead, alive), 3, threads=1) == []


def test_a_look_that_fails_in_any_way_holds_nobody_up(stack: ExitStack) -> None:
    with serving(FakeJudge()) as gone:
        pass

    def look(transport: Transport) -> str | None:
        raise LookupError("something else")

    made = Pool([Transport(url=gone.url, sleep=lambda seconds: None)], look=look)
    stack.callback(made.close)
    assert "is gone" in ask(made, 2, threads=2)[0]


def test_closing_wakes_those_who_wait(stack: ExitStack) -> None:
    fake = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.5))))
    made = pool(stack, fake, pace=Pace(start=1, most=1))
    threading.Timer(0.2, made.close).start()
    begun = time.monotonic()
    assert ask(made, 4, threads=4)
    assert time.monotonic() - begun < 5


def test_time_outs_lower_the_limit(stack: ExitStack) -> None:
    fake = stack.enter_context(serving(FakeJudge()))
    made = pool(stack, fake, pace=Pace(start=8, most=8), timeout=0.2)
    fake.queue.extend([Answer(delay=0.6)] * 8)
    assert ask(made, 8, threads=8) == []
    assert 4 <= made.limits[0] <= 5, "halved once, and risen a little since"


def test_max_rpm_holds_requests_back(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkle_bench.judges.pace.MINUTE", 1.0)
    fake = stack.enter_context(serving(FakeJudge()))
    made = pool(stack, fake, pace=Pace(max_rpm=5))
    begun = time.monotonic()
    assert ask(made, 15, threads=8) == []
    assert time.monotonic() - begun >= 1.9, "five at once, five after a minute, five after two"


# -- several servers ---------------------------------------------------------------------------------------------------


def test_the_least_loaded_server_gets_the_next_request(stack: ExitStack) -> None:
    slow = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.2))))
    fast = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.01))))
    assert ask(pool(stack, slow, fast), 80, threads=4) == []
    assert len(fast.requests) > 3 * len(slow.requests) > 0


def test_a_server_that_dies_is_set_aside_and_taken_back(stack: ExitStack) -> None:
    first, second = FakeJudge(), FakeJudge(answer=lambda body: Answer(delay=0.01))
    stack.enter_context(serving(second))
    with serving(first):
        port = int(first.url.rpartition(":")[2].removesuffix("/v1"))
        made = pool(stack, first, second)
        assert ask(made, 10, threads=4) == []
        assert len(made.up) == 2
    assert ask(made, 20, threads=4) == []
    assert made.up == [second.url]
    back = FakeJudge()
    stack.enter_context(serving(back, port))
    deadline = time.monotonic() + 20
    while len(made.up) < 2:
        assert time.monotonic() < deadline, made.aside
        time.sleep(0.02)
    assert ask(made, 20, threads=4) == []
    assert back.requests


def test_when_none_is_left_the_run_stops_within_bounds(stack: ExitStack) -> None:
    with serving(FakeJudge()) as first, serving(FakeJudge()) as second:
        made = pool(stack, first, second)
        assert ask(made, 4, threads=4) == []
    begun = time.monotonic()
    wrong = ask(made, 4, threads=4)
    assert len(wrong) == 4
    assert "none of the judge's 2 servers is left" in wrong[0]
    assert first.url in wrong[0]
    assert time.monotonic() - begun < 30


def test_a_sick_server_is_set_aside_while_another_answers(stack: ExitStack) -> None:
    sick = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(status=500))))
    well = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.02))))
    transports = [Transport(url=fake.url, sleep=lambda seconds: time.sleep(seconds / 100)) for fake in (sick, well)]
    made = Pool(transports, look=lambda transport: "still sick")
    stack.callback(made.close)
    assert ask(made, 60, threads=4) == []
    assert made.up == [well.url]
    assert FAILURES <= len(sick.requests) <= FAILURES + 4


def test_a_server_that_forgets_the_model_is_given_up(stack: ExitStack) -> None:
    forgets = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(status=404, text="no such model"))))
    knows = stack.enter_context(serving(FakeJudge()))
    made = pool(stack, forgets, knows)
    assert ask(made, 20, threads=4) == []
    assert made.up == [knows.url]
    assert "does not know the model" in made.aside[forgets.url]


@pytest.fixture
def road(tmp_path: Path) -> Road:
    write_benchmark(tmp_path / "bench", samples_per_theme=3)
    return Road(tmp_path)


def test_servers_that_differ_are_no_one_judge(stack: ExitStack, road: Road) -> None:
    old = stack.enter_context(serving(FakeJudge(version="0.1")))
    new = stack.enter_context(serving(FakeJudge(version="0.2")))
    with pytest.raises(JudgeUnavailable, match=r"not the same judge \(server: vllm 0.1 against vllm 0.2\)"):
        road.connected(stack, old, new)


def test_a_server_that_is_down_at_first_is_done_without(stack: ExitStack, road: Road) -> None:
    with serving(FakeJudge()) as down:
        pass
    up = stack.enter_context(serving(FakeJudge()))
    judge = road.connected(stack, down, up)
    assert list(judge.pool.aside) == [down.url]
    assert all(judgment.ok for judgment in road.judge(judge))


def test_a_server_that_comes_back_as_another_is_not_taken_back(stack: ExitStack, road: Road) -> None:
    up = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.01))))
    with serving(FakeJudge()) as first:
        port = int(first.url.rpartition(":")[2].removesuffix("/v1"))
        judge = road.connected(stack, first, up)
    assert all(judgment.ok for judgment in road.judge(judge))
    changed = stack.enter_context(serving(FakeJudge(version="0.2"), port))
    deadline = time.monotonic() + 20
    while "/tokenize" not in changed.paths:
        assert time.monotonic() < deadline, "nobody looked"
        time.sleep(0.02)
    time.sleep(0.2)
    assert list(judge.pool.aside) == [first.url]
    assert changed.requests == []


def test_one_killed_in_mid_run_loses_nothing(stack: ExitStack, road: Road) -> None:
    survivor = stack.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.02))))
    with ExitStack() as life:
        victim = life.enter_context(serving(FakeJudge(answer=lambda body: Answer(delay=0.02))))
        judge = road.connected(stack, victim, survivor)
        threading.Timer(0.05, life.close).start()
        judgments = road.judge(judge)
    assert len(judgments) == 12
    assert all(judgment.ok for judgment in judgments)


# -- schedules of faults -----------------------------------------------------------------------------------------------


def schedule(seed: int, rate: float) -> tuple[FakeJudge, dict[str, int]]:
    """Return a server that does something bad with such a share of its answers."""
    rng, lock, counts = random.Random(seed), threading.Lock(), dict.fromkeys(FAULTS, 0)

    def answer(body: dict[str, Any]) -> Answer:
        with lock:
            bad = rng.random() < rate
            name = rng.choice(list(FAULTS))
            counts[name] += bad
        return FAULTS[name] if bad else Answer()

    return FakeJudge(answer=answer), counts


FAULTS = {
    "429": Answer(status=429),
    "500": Answer(status=500),
    "503": Answer(status=503, headers={"Retry-After": "1"}),
    "reset": Answer(reset=True),
    "slow": Answer(delay=0.7),
    "truncated": Answer(cut_off=True),
    "no JSON": Answer(body=b"<html>"),
    "no verdict": Answer(text="I would rather not say."),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_whatever_the_schedule_of_faults_every_sample_ends_scored_once(
    tmp_path: Path, stack: ExitStack, rate: float, seed: int
) -> None:
    write_benchmark(tmp_path / "bench", samples_per_theme=8)
    made = [schedule(10 * seed + number, rate) for number in range(2)]
    fakes = [stack.enter_context(serving(fake)) for fake, _ in made]
    road = Road(tmp_path)
    judge = road.connected(stack, *fakes, timeout=0.5)
    road.judge(judge)
    store = Store(root=tmp_path)
    key = store.judge_keys("identity")[0]
    lines = list(store.all_judgments("identity", key))
    scored = [line.sample_id for line in lines if line.ok]
    for _ in range(3):  # three unreadable replies in a row are a verdict that is missing, and the next run asks again
        if len(scored) == 32:
            break
        road.judge(judge)
        lines = list(store.all_judgments("identity", key))
        scored = [line.sample_id for line in lines if line.ok]
    assert sorted(scored) == sorted(sample.id for sample in store.samples("identity"))
    assert sum(sum(counts.values()) for _, counts in made) > 0, "nothing went wrong, so nothing was tested"
    failures = [failure for line in lines for failure in line.failures]
    assert failures
    asked = sum(len(fake.requests) for fake in fakes)
    assert sum(line.attempts for line in lines) == asked, "every request is on record"
