"""What becomes of an answer: verdicts found by content, replies read again, money, expected marks, the authors' way."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import run
from sparkle_bench.errors import BudgetSpent
from sparkle_bench.judges import probe, replay
from sparkle_bench.judges.soft import TokenChoice, expected_marks
from sparkle_bench.prompts import load_prompt
from sparkle_bench.rubric import Scores, mark_places
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_benchmark
from tests.road import PROMPT, Road

EVAL = ("eval", "--model", "identity", "--bench", "bench", "--no-signals")
KEYS = PROMPT.rubric.keys
MARKS = dict(zip(KEYS, (4, 3, 5, 2, 4, 4), strict=True))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def road(tmp_path: Path) -> Road:
    write_benchmark(tmp_path / "bench", samples_per_theme=1)
    return Road(tmp_path)


@pytest.fixture
def fake(stack: ExitStack) -> FakeJudge:
    return stack.enter_context(serving(FakeJudge()))


# -- never pay twice ---------------------------------------------------------------------------------------------------


def test_the_same_file_is_not_judged_again_under_another_name(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    judge = road.connected(stack, fake)
    first = sorted(road.judge(judge), key=lambda j: j.sample_id)
    second = sorted(road.judge(judge, name="again"), key=lambda j: j.sample_id)
    assert len(fake.requests) == 4
    assert [j.reused for j in second] == ["identity"] * 4
    assert [(j.sample_id, j.edit_sha256, j.reply, j.scores and dict(j.scores.marks)) for j in first] == [
        (j.sample_id, j.edit_sha256, j.reply, j.scores and dict(j.scores.marks)) for j in second
    ]
    assert {j.attempts for j in second} == {0}
    road.judge(judge, name="a-third")
    assert {j.reused for j in road.store.judgments("a-third", road.store.judge_keys("a-third")[0]).values()} == {
        "identity"
    }, "it names who paid, not who took it over"


def test_another_repeat_or_another_judge_is_asked(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    road.judge(road.connected(stack, fake))
    road.judge(road.connected(stack, fake), name="again", repeats=2)
    assert len(fake.requests) == 4 + 4
    road.judge(road.connected(stack, fake, options=probe.Options(frames=4)), name="other")
    assert len(fake.requests) == 4 + 4 + 4


def test_a_sample_with_another_instruction_is_another_question(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    road.judge(road.connected(stack, fake))
    table = next((road.root / "bench").glob("time_bench.csv"))
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows([{**row, "prompt": "Something else altogether"} for row in rows])
    road.judge(road.connected(stack, fake), name="again")
    assert len(fake.requests) == 4 + 1


# -- stored replies, read again ----------------------------------------------------------------------------------------


def test_replies_are_read_again_and_nobody_is_asked(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.answer = lambda body: Answer(text=verdict(4, 3, 5, 2, 4, 4).replace(": 4", ": 4/5"))
    strictly = road.judge(road.connected(stack, fake), strict=True)
    assert not any(j.ok for j in strictly)
    asked, key = len(fake.requests), road.store.judge_keys("identity")[0]
    judge, prompt = replay.replay(road.store.read_judge("identity", key) or {}, strictly)
    judgments = road.judge(judge, prompt=prompt)
    assert len(fake.requests) == asked
    assert [dict(j.scores.marks) for j in judgments if j.scores] == [MARKS] * 4
    assert {(j.reused, j.attempts) for j in judgments} == {("replay", 0)}
    assert len(road.store.judge_keys("identity")) == 2, "another reader, another key"


def test_the_same_reader_leads_to_the_same_key_and_changes_nothing(
    road: Road, fake: FakeJudge, stack: ExitStack
) -> None:
    stored = road.judge(road.connected(stack, fake))
    key = road.store.judge_keys("identity")[0]
    judge, prompt = replay.replay(road.store.read_judge("identity", key) or {}, stored)
    assert run.Bench(judge=judge, prompt=prompt).key == key
    before = (road.store.judged_dir("identity", key) / "judgments.jsonl").read_bytes()
    road.judge(judge, prompt=prompt)
    assert (road.store.judged_dir("identity", key) / "judgments.jsonl").read_bytes() == before


def test_replay_on_the_command_line(road: Road, fake: FakeJudge) -> None:
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", "bench", "--no-signals", "--json"]
    first = cli.run(*words, "--judge-url", fake.url, "--strict-parse", cwd=road.root)
    assert first.returncode == 0, first.stderr
    asked = len(fake.requests)
    folder = next((road.root / "results/identity/judged").iterdir())
    again = cli.run(*words, "--judge", f"replay:{folder / 'judgments.jsonl'}", cwd=road.root)
    assert again.returncode == 0, again.stderr
    assert len(fake.requests) == asked
    one, other = json.loads(first.stdout), json.loads(again.stdout)
    assert one["overall"] == other["overall"]
    assert one["judge_key"] != other["judge_key"]
    nothing = cli.run(*words, "--judge", "replay:bench", cwd=road.root)
    assert nothing.returncode == 1
    assert "no judgments at" in nothing.stderr


# -- money -------------------------------------------------------------------------------------------------------------

PRICE = run.Price(prompt=1.0, completion=10.0)
ONE = (1.0 * 1000 + 10.0 * 60) / 1e6
"""What an answer of the made-up judge costs."""


def test_tokens_cost_and_latency_are_on_record_and_summed(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.queue.append(Answer(text="no marks"))
    judgments = road.judge(road.connected(stack, fake), workers=1, price=PRICE)
    assert [j.prompt_tokens for j in judgments] == [2000, 1000, 1000, 1000], "both replies were paid for"
    assert [j.completion_tokens for j in judgments] == [120, 60, 60, 60]
    assert judgments[0].cost == pytest.approx(2 * ONE)
    assert all(j.latency and 0 < j.latency < 5 for j in judgments)
    usage = (road.store.read_judge("identity", road.store.judge_keys("identity")[0]) or {})["usage"]
    assert usage["judgments"] == 4
    assert (usage["attempts"], usage["failed_attempts"]) == (5, 1)
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (5000, 300)
    assert usage["cost_usd"] == pytest.approx(5 * ONE)
    latencies = sorted(j.latency or 0.0 for j in judgments)
    assert usage["latency_median"] == pytest.approx((latencies[1] + latencies[2]) / 2, abs=1e-3)
    assert latencies[2] <= usage["latency_p95"] <= latencies[3]


@pytest.mark.parametrize("workers", [1, 8])
def test_a_budget_is_never_exceeded_and_nothing_paid_for_is_lost(
    tmp_path: Path, fake: FakeJudge, stack: ExitStack, workers: int
) -> None:
    write_benchmark(tmp_path / "bench", samples_per_theme=8)
    road = Road(tmp_path)
    judge = road.connected(stack, fake)
    budget = 12 * ONE
    with pytest.raises(BudgetSpent, match="run again with a higher --budget"):
        road.judge(judge, workers=workers, price=PRICE, budget=budget)
    key = road.store.judge_keys("identity")[0]
    judgments = list(road.store.all_judgments("identity", key))
    assert all(j.ok for j in judgments), "what was not asked has no record"
    assert len(judgments) == len(fake.requests), "what was asked has one"
    spent = sum(j.cost or 0.0 for j in judgments)
    assert 0 < spent <= budget
    assert (road.store.read_judge("identity", key) or {})["usage"]["cost_usd"] == pytest.approx(spent, abs=1e-5)
    assert len(road.judge(judge, price=PRICE)) == 32


def test_a_budget_on_the_command_line_stops_cleanly(road: Road, fake: FakeJudge) -> None:
    words = (*EVAL, "--judge-url", fake.url)
    done = cli.run(
        *words, "--price", "1,10", "--max-tokens", "64", "--budget", "0.008", "--workers", "1", cwd=road.root
    )
    assert done.returncode == 3
    assert "USD of the budget of 0.008 are spent" in done.stderr
    assert len(fake.requests) == 3
    assert "overall" in done.stdout
    wrong = cli.run(*words, "--budget", "1", cwd=road.root)
    assert wrong.returncode == 2
    assert "--budget needs a price" in wrong.stderr
    for odd in ("nan", "inf", "0", "-1"):
        assert cli.run(*words, "--price", "1,10", "--budget", odd, cwd=road.root).returncode == 2


def test_a_budget_of_many_questions_is_used_up_and_not_only_begun(
    tmp_path: Path, fake: FakeJudge, stack: ExitStack
) -> None:
    """What others may cost is waited for, not taken for spent: every question that fits is asked."""
    write_benchmark(tmp_path / "bench", samples_per_theme=3)
    road = Road(tmp_path)
    limited = road.connected(stack, fake, options=probe.Options(frames=2, max_tokens=None))
    judgments = road.judge(
        limited, workers=8, price=PRICE, budget=12 * ONE + run.Price(prompt=1, completion=10).of(0, 8192)
    )
    assert len(judgments) == 12


def test_replies_that_no_server_counts_cost_what_was_set_aside(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.answer = lambda body: Answer(usage=None)
    with pytest.raises(BudgetSpent):
        road.judge(road.connected(stack, fake), price=PRICE, budget=0.012)
    key = road.store.judge_keys("identity")[0]
    costs = [j.cost for j in road.store.all_judgments("identity", key)]
    assert costs
    assert 0 < sum(cost or 0 for cost in costs) <= 0.012


def test_a_budget_holds_where_no_question_has_a_known_length(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    judge = road.connected(stack, fake, options=probe.Options(media="mp4"))
    assert judge.tokens == 0
    thousand = run.Price(prompt=1000.0, completion=0.0)  # one USD a question, as the made-up judge counts them
    with pytest.raises(BudgetSpent, match="one more question may cost 16"):
        road.judge(judge, workers=8, price=thousand, budget=16.0)
    assert fake.requests == [], "it may take more than the budget, as far as anybody knows"
    with pytest.raises(BudgetSpent):
        road.judge(road.connected(stack, fake), name="again", workers=8, price=thousand, budget=3.5)
    assert 2 <= len(fake.requests) <= 3


def test_answers_without_a_reply_were_paid_for_too(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.queue.append(Answer(text=" "))
    first = road.judge(road.connected(stack, fake), workers=1, price=PRICE)[0]
    assert (first.attempts, first.prompt_tokens, first.completion_tokens) == (2, 2000, 120)
    assert first.cost == pytest.approx(2 * ONE)


def test_what_was_thought_is_charged_where_only_the_total_holds_it() -> None:
    from sparkle_bench.judges.transport import tokens_of

    assert tokens_of({"usage": {"prompt_tokens": 3000, "completion_tokens": 80, "total_tokens": 8080}}) == (3000, 5080)
    assert tokens_of({"usage": {"prompt_tokens": 3000, "completion_tokens": 80}}) == (3000, 80)
    assert tokens_of({"usage": {"prompt_tokens": "3000"}}) == (0, 0)
    assert tokens_of({}) == (0, 0)


def test_an_estimate_asks_nobody(road: Road, fake: FakeJudge) -> None:
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", "bench", "--judge-url", fake.url, "--json"]
    words += ["--price", "1,10", "--judge-model", "tiny-judge", "--estimate", "--repeats", "2"]
    done = cli.run(*words, cwd=road.root)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert fake.paths == []
    assert not (road.root / "results").exists()
    assert (said["samples"], said["requests"], said["judged_already"]) == (4, 8, 0)
    assert said["cost_usd"] == pytest.approx((said["prompt_tokens"] + 10 * said["completion_tokens"]) / 1e6, abs=1e-4)
    judged = cli.run(*[word for word in words if word != "--estimate"], "--no-signals", cwd=road.root)
    assert judged.returncode == 0, judged.stderr
    left = json.loads(cli.run(*words, cwd=road.root).stdout)
    assert (left["requests"], left["judged_already"], left["cost_usd"]) == (0, 8, 0.0)


# -- expected marks ----------------------------------------------------------------------------------------------------


def tokens_of(text: str, at: int, alternatives: dict[str, float]) -> list[TokenChoice]:
    """Return a reply as one token a character, with alternatives for the one at a place."""
    return [
        TokenChoice(text=character, alternatives=alternatives if place == at else {character: 0.0})
        for place, character in enumerate(text)
    ]


def test_the_expected_mark_is_the_mean_over_the_marks_probabilities() -> None:
    text = verdict(4, 3, 5, 2, 4, 4)
    at = mark_places(text, PROMPT.rubric)["instruction"]
    listed = {"4": math.log(0.5), "5": math.log(0.2), "3": math.log(0.1), "7": math.log(0.1), "x": math.log(0.1)}
    found = expected_marks(text, tokens_of(text, at, listed), Scores(marks=MARKS), PROMPT.rubric)
    assert found["instruction"] == pytest.approx((4 * 0.5 + 5 * 0.2 + 3 * 0.1) / 0.8, abs=1e-4)
    assert found["visual"] == 3.0
    assert set(found) == set(KEYS)


@pytest.mark.parametrize(
    ("token", "inside"), [(": 4", 2), (" 4", 1), ("4", 0), ("4\n", 0)], ids=["colon", "blank", "bare", "line break"]
)
def test_a_mark_may_share_its_token(token: str, inside: int) -> None:
    text = verdict(4, 3, 5, 2, 4, 4)
    at = mark_places(text, PROMPT.rubric)["instruction"] - inside
    listed = {token: math.log(0.6), token.replace("4", "2"): math.log(0.2), token.replace("4", "44"): math.log(0.2)}
    pieces = [
        TokenChoice(text=text[:at], alternatives={}),
        TokenChoice(text=token, alternatives=listed),
        TokenChoice(text=text[at + len(token) :], alternatives={}),
    ]
    found = expected_marks(text, pieces, Scores(marks=MARKS), PROMPT.rubric)
    assert found == {"instruction": pytest.approx((4 * 0.6 + 2 * 0.2) / 0.8, abs=1e-4)}


def test_what_cannot_be_told_is_left_out() -> None:
    text = verdict(4, 3, 5, 2, 4, 4)
    scores = Scores(marks=MARKS)
    assert expected_marks(text, [], scores, PROMPT.rubric) == {}
    assert expected_marks(text, tokens_of("another text", 0, {}), scores, PROMPT.rubric) == {}
    other = Scores(marks={**MARKS, "instruction": 1})
    every = tokens_of(text, -1, {})
    assert "instruction" not in expected_marks(text, every, other, PROMPT.rubric), "not the digit that was read"


def test_special_tokens_that_the_text_leaves_out_do_not_move_the_place() -> None:
    text = verdict(4, 3, 5, 2, 4, 4)
    plain = tokens_of(text, -1, {})
    special = TokenChoice(text="<|box_start|>", alternatives={"<|box_start|>": 0.0})
    everything = [special, *plain[:20], special, *plain[20:90], special, special, *plain[90:], special]
    expected = {key: float(mark) for key, mark in MARKS.items()}
    assert expected_marks(text, everything, Scores(marks=MARKS), PROMPT.rubric) == expected
    assert expected_marks(text, everything[:-3], Scores(marks=MARKS), PROMPT.rubric) == {}, "the reply is not whole"


def test_characters_beyond_ascii_do_not_move_the_place() -> None:
    text = "Brief reasoning: très bien, 海 🌊.\n" + verdict(4, 3, 5, 2, 4, 4).partition("\n")[2]
    data = text.encode()
    cut = data.index("🌊".encode()) + 2  # a token may end inside a character
    pieces = [data[:cut], data[cut:]]
    half = [TokenChoice(text=piece.decode("utf-8", "surrogateescape"), alternatives={}) for piece in pieces]
    every = tokens_of(half[1].text, -1, {})
    assert expected_marks(text, [half[0], *every], Scores(marks=MARKS), PROMPT.rubric) == {
        key: float(mark) for key, mark in MARKS.items()
    }


def test_soft_marks_stand_beside_the_hard_ones(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    text = verdict(4, 3, 5, 2, 4, 4)
    at = mark_places(text, PROMPT.rubric)["bg_visual"]
    entries: list[dict[str, Any]] = [
        {"token": c, "bytes": list(c.encode()), "logprob": 0.0, "top_logprobs": []} for c in text
    ]
    entries[at] |= {"logprob": math.log(0.7), "top_logprobs": [{"token": "1", "logprob": math.log(0.3)}]}
    fake.answer = lambda body: Answer(text=text, logprobs=entries if body.get("logprobs") else None)
    hard = road.judge(road.connected(stack, fake))
    assert {j.soft for j in hard} == {None}
    soft = road.judge(road.connected(stack, fake, options=probe.Options(frames=2, soft=True)))
    for judgment in soft:
        assert judgment.scores is not None and judgment.soft is not None
        assert judgment.scores["bg_visual"] == 4
        assert judgment.soft["bg_visual"] == pytest.approx(4 * 0.7 + 1 * 0.3, abs=1e-4)
    assert len(road.store.judge_keys("identity")) == 2
    assert fake.requests[-1]["top_logprobs"] == 20


def test_a_server_without_probabilities_gives_hard_marks_alone(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    judgments = road.judge(road.connected(stack, fake, options=probe.Options(frames=2, soft=True)))
    assert all(j.ok and j.soft is None for j in judgments)


# -- the authors' way --------------------------------------------------------------------------------------------------

AUTHORS = probe.Options(media="mp4", protocol="authors", max_tokens=None)


def test_a_question_in_the_authors_way(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.owned_by = "somebody"
    road.judge(road.connected(stack, fake, options=AUTHORS), workers=1, authors=True, strict=True)
    body = fake.requests[0]
    assert set(body) == {"model", "messages", "temperature", "seed"}
    assert (body["temperature"], body["seed"]) == (0, 42)
    (message,) = body["messages"]
    assert message["role"] == "user"
    assert [part["type"] for part in message["content"]] == ["text", "image_url", "image_url"]
    assert all(p["image_url"]["url"].startswith("data:video/mp4;base64,") for p in message["content"][1:])


def test_for_vllm_the_authors_files_are_video(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    road.judge(road.connected(stack, fake, options=AUTHORS), authors=True, strict=True)
    assert [part["type"] for part in fake.requests[0]["messages"][0]["content"]] == ["text", "video_url", "video_url"]
    assert "structured_outputs" not in fake.requests[0]


def test_twenty_requests_and_no_more(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.queue.extend([Answer(status=500), Answer(text="no marks")] * 10)
    judgments = road.judge(road.connected(stack, fake, options=AUTHORS), workers=1, authors=True, strict=True)
    assert [j.ok for j in judgments] == [False, True, True, True]
    assert (judgments[0].attempts, judgments[0].error_type) == (20, "VerdictError")
    assert len(fake.requests) == 23
    assert len({body["seed"] for body in fake.requests}) == 1
    assert {body["temperature"] for body in fake.requests} == {0}


def test_the_twentieth_may_succeed(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.queue.extend([Answer(text="no marks"), Answer(status=429), Answer(cut_off=True)] * 6 + [Answer(status=503)])
    first = road.judge(road.connected(stack, fake, options=AUTHORS), workers=1, authors=True, strict=True)[0]
    assert first.ok
    assert (first.attempts, len(first.failures)) == (20, 19)


def test_the_protocol_on_the_command_line(road: Road, fake: FakeJudge) -> None:
    words = (*EVAL, "--judge-url", fake.url)
    done = cli.run(*words, "--protocol", "authors", "--json", cwd=road.root)
    assert done.returncode == 0, done.stderr
    judge = json.loads(next((road.root / "results/identity/judged").glob("*/judge.json")).read_text())
    identity = judge["identity"]
    assert (identity["protocol"], identity["media"], identity["reader"].split()[0]) == ("authors", "mp4", "strict")
    assert identity["decoding"] == {
        "temperature": 0.0, "again_temperature": 0.0, "seed": 42, "max_tokens": None, "constrained": False,
        "thinking": None, "soft": False,
    }  # fmt: skip
    wrong = cli.run(*words, "--protocol", "authors", "--frames", "8", cwd=road.root)
    assert wrong.returncode == 2
    assert "leave out --frames" in wrong.stderr


def test_the_prompt_is_read_out_of_a_script(tmp_path: Path) -> None:
    script = tmp_path / "evaluate.py"
    script.write_text('import nowhere\nASK = """Rate it. The request: {edit_prompt}."""\nraise SystemExit\n')
    prompt = load_prompt("sparkle", root=Path(), template=script)
    assert prompt.render("put her on a coast") == "Rate it. The request: put her on a coast."


# -- provenance --------------------------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[probe.Options, dict[str, Any]]] = {
    "frames": (probe.Options(frames=4), {}),
    "pixels": (probe.Options(frames=2, max_pixels=100_000), {}),
    "media": (probe.Options(media="mp4"), {}),
    "constrained": (probe.Options(frames=2, constrain=False), {}),
    "thinking": (probe.Options(frames=2, thinking=True), {}),
    "not thinking": (probe.Options(frames=2, thinking=False), {}),
    "longest reply": (probe.Options(frames=2, max_tokens=600), {}),
    "seed": (probe.Options(frames=2, seed=1), {}),
    "soft": (probe.Options(frames=2, soft=True), {}),
    "part": (probe.Options(frames=2, part="image_url"), {}),
    "revision": (probe.Options(frames=2, revision="abc"), {}),
    "strict": (probe.Options(frames=2), {"strict": True}),
}


@pytest.mark.parametrize(("options", "seat"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_anything_gives_another_key(
    road: Road, fake: FakeJudge, stack: ExitStack, options: probe.Options, seat: dict[str, Any]
) -> None:
    fake.tokenize = False  # its picture of a question is made for one size
    usual = run.Bench(judge=road.connected(stack, fake), prompt=PROMPT)
    changed = run.Bench(judge=road.connected(stack, fake, options=options), prompt=PROMPT, **seat)
    assert usual.key != changed.key
    assert usual.key == run.Bench(judge=road.connected(stack, fake), prompt=PROMPT).key


def test_frames_may_go_as_pictures_with_their_times(road: Road, fake: FakeJudge, stack: ExitStack) -> None:
    fake.owned_by = "somebody"
    road.judge(road.connected(stack, fake, options=probe.Options(frames=2, part="image_url")))
    parts = fake.requests[0]["messages"][0]["content"]
    assert [part["type"] for part in parts[1:]] == ["text", *["text", "image_url"] * 2] * 2
    assert parts[2]["text"] == "0.00 s"
    assert parts[3]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_key_for_azure_goes_where_azure_looks_for_it(stack: ExitStack) -> None:
    from sparkle_bench.judges.transport import Transport

    transport = Transport(url="https://x.openai.azure.com/openai/deployments/g?api-version=2024-03-01", api_key="k")
    stack.callback(transport.close)
    assert transport._client.headers["api-key"] == "k"
    assert "Authorization" not in transport._client.headers
    expected = "https://x.openai.azure.com/openai/deployments/g/chat/completions?api-version=2024-03-01"
    assert transport.address("/chat/completions") == expected
