"""Part of a result is judged again: honest and tampered results, another judge, kills, a budget; the result stays."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, disk, run
from sparkle_bench.cli.verify import how_many
from sparkle_bench.errors import StaleEdit, StoreError
from sparkle_bench.judges import probe
from sparkle_bench.judges.replay import replay
from sparkle_bench.judges.signals import SignalsJudge
from sparkle_bench.records import Sample
from sparkle_bench.rubric import parse
from sparkle_bench.signals.request import load_rules
from sparkle_bench.store import Store
from sparkle_bench.verification.again import Again, check_files, rejudge, with_verdict
from sparkle_bench.verification.drawing import subset
from sparkle_bench.verification.rejudged import Rejudged
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_benchmark, write_clip
from tests.road import NOW, PROMPT, Road

PER_THEME = 5
ALL = 4 * PER_THEME
NAME = "identity"
FRAMES = probe.Options(frames=2)


# -- a judge that looks ----------------------------------------------------------------------------------------------


def marks_of(body: dict[str, Any], wavers: float) -> list[int]:
    """What a clip deserves, told by its pictures; with some probability a mark is one off, another one each time."""
    clips = [part["video_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "video_url"]
    seen = random.Random(hashlib.sha256(clips[-1].encode()).digest())
    level = seen.choice((2, 3, 3, 4, 4))
    marks = [min(5, max(1, level + seen.choice((-1, 0, 0, 1)))) for _ in range(6)]
    marks[0] = 5
    return [min(5, max(1, mark + (random.random() < wavers) * random.choice((-1, 1)))) for mark in marks]


def looking(wavers: float = 0.0, **more: Any) -> FakeJudge:
    return FakeJudge(answer=lambda body: Answer(text=verdict(*marks_of(body, wavers)), **more))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two honest results on twenty samples: of a judge that never wavers, and of one that does."""
    folder = tmp_path_factory.mktemp("results")
    write_benchmark(folder / "bench", samples_per_theme=PER_THEME, frames=6)
    random.seed(7)
    for name, wavers in ((NAME, 0.0), ("wavering", 0.15)):
        with serving(looking(wavers)) as fake, ExitStack() as stack:
            road = Road(folder)
            assert len(road.judge(road.connected(stack, fake, options=FRAMES), name=name)) == ALL
    return folder


@pytest.fixture
def root(results: Path, tmp_path: Path) -> Path:
    """A copy to work on; links would let a test reach the original."""
    shutil.copytree(results, tmp_path / "root")
    return tmp_path / "root"


def again(root: Path, *, name: str = NAME, count: int = ALL, seed: int = 1, **more: Any) -> Again:
    store = Store(root=root)
    (key,) = store.judge_keys(name)
    judged = with_verdict(store, name, key, benchmark.load(root / "bench").samples)
    return Again(
        store=store,
        model=name,
        judge_key=key,
        chosen=subset(judged, count, seed),
        of=len(judged),
        seed=seed,
        **more,
    )


def checked(wanted: Again, fake: FakeJudge, *, options: probe.Options = FRAMES, **seat: Any) -> Rejudged:
    with serving(fake), ExitStack() as stack:
        judge = Road(wanted.store.root).connected(stack, fake, options=options)
        return rejudge(wanted, run.Bench(judge=judge, prompt=PROMPT, **seat), now=NOW)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- tampering -------------------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines if line))


def judgments_file(root: Path) -> Path:
    return next((root / "results" / NAME / "judged").glob("*/judgments.jsonl"))


def told(line: dict[str, Any], marks: Sequence[int]) -> dict[str, Any]:
    """A line with other marks and a reply that says them."""
    reply = verdict(*marks)
    return line | {"reply": reply, "scores": dict(parse(reply, PROMPT.rubric).marks)}


def all_one_higher(root: Path) -> None:
    rewritten(judgments_file(root), lambda line: told(line, [min(5, mark + 1) for mark in line["scores"].values()]))


def every_third_one_higher(root: Path) -> None:
    chance = random.Random(3)
    rewritten(
        judgments_file(root),
        lambda line: told(line, [min(5, m + 1) for m in line["scores"].values()]) if chance.random() < 0.35 else line,
    )


def invented_replies(root: Path) -> None:
    chance = random.Random(4)
    rewritten(judgments_file(root), lambda line: told(line, [5, *(chance.choice((3, 4, 5)) for _ in range(5))]))


def swapped_videos(root: Path) -> None:
    """Every sample gets the next one's video, and its records say so, under the old marks."""
    store = Store(root=root)
    samples = store.samples(NAME)
    videos = [store.video_path(NAME, sample) for sample in samples]
    held = [video.read_bytes() for video in videos]
    hashes = {}
    for place, (sample, video) in enumerate(zip(samples, videos, strict=True)):
        video.write_bytes(held[(place + 1) % len(held)])
        hashes[sample.id] = disk.file_sha256(video)
    rewritten(root / "results" / NAME / "edits.jsonl", lambda line: line | {"sha256": hashes[line["sample_id"]]})
    rewritten(judgments_file(root), lambda line: line | {"edit_sha256": hashes[line["sample_id"]]})


TAMPERING = {
    "marks and replies one higher": all_one_higher,
    "a third one higher": every_third_one_higher,
    "invented replies": invented_replies,
    "swapped videos": swapped_videos,
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_a_tampered_result_is_inconsistent(root: Path, tamper: Callable[[Path], None]) -> None:
    tamper(root)
    found = checked(again(root), looking())
    assert found.verdict == "inconsistent", found.lines()
    assert found.lines()[-1] == "verdict: inconsistent"


@pytest.mark.parametrize("name", [NAME, "wavering"])
def test_an_honest_result_is_consistent_and_stays_as_it_is(root: Path, name: str) -> None:
    before = contents(root / "results" / name)
    fake = looking(0.15 if name == "wavering" else 0.0)
    random.seed(8)
    found = checked(again(root, name=name), fake, repeats=1)
    assert found.verdict == "consistent", found.lines()
    assert found.retest is not None
    assert (found.retest.n, found.retest.of, found.retest.repeats) == (ALL, ALL, 2)
    assert (found.retest.noise > 0.05) == (name == "wavering")
    assert contents(root / "results" / name) == before
    assert Store(root=root).models() == [NAME, "wavering"], "what is judged again is no result"
    assert len(fake.requests) == 2 * ALL, "no verdict was taken over"
    assert sorted(Counter(body["seed"] for body in fake.requests).values()) == [ALL, ALL], "two repeats, a seed each"


def test_a_part_of_a_wavering_result_is_too_few(root: Path) -> None:
    found = checked(again(root, name="wavering", count=5), looking(0.15))
    assert found.verdict == "too few to tell"
    assert found.lines()[0].startswith("judged again: 5 of 20 verdicts of tiny-judge-")


def test_all_stored_repeats_count(root: Path) -> None:
    lines = [json.loads(line) for line in judgments_file(root).read_text().splitlines()]
    more = [told(line | {"repeat": n}, [5] * 6) for line in lines for n in (1, 2)]
    judgments_file(root).write_text("".join(json.dumps(line) + "\n" for line in [*lines, *more]))
    found = checked(again(root), looking())
    assert found.verdict == "inconsistent", "the first repeat of each is honest"


# -- what is refused -------------------------------------------------------------------------------------------------


def test_another_judge_is_refused_and_told_apart(root: Path) -> None:
    fake = looking()
    with pytest.raises(StoreError) as refused:
        checked(again(root), fake, options=probe.Options(frames=4))
    said = str(refused.value)
    assert "sampling" in said
    assert " there, " in said
    assert said.endswith("nothing was asked")
    assert len(said.splitlines()) == 1
    with pytest.raises(StoreError, match=r'server: "vllm 0.0.fake" there, "vllm 9.9" here'):
        checked(again(root), dataclasses.replace(looking(), version="9.9"))
    assert fake.requests == []
    assert not (root / "results" / ".cache" / "rejudged").exists()


def test_a_judge_json_that_does_not_belong_to_its_key_is_told(root: Path) -> None:
    store = Store(root=root)
    (key,) = store.judge_keys(NAME)
    folder = store.judged_dir(NAME, key)
    folder.rename(folder.with_name("tiny-judge-00000000"))
    with pytest.raises(StoreError, match=r"its judge\.json does not belong to that key"):
        checked(again(root), looking())


def test_stored_replies_are_no_judge(root: Path) -> None:
    wanted = again(root)
    stored = wanted.store.read_judge(NAME, wanted.judge_key) or {}
    judge, prompt = replay(stored, list(wanted.store.all_judgments(NAME, wanted.judge_key)))
    with pytest.raises(StoreError, match="looks at no video"):
        rejudge(wanted, run.Bench(judge=judge, prompt=prompt), now=NOW)


def without_a_video(root: Path) -> None:
    Store(root=root).video_path(NAME, again(root).chosen[3]).unlink()


def with_another_video(root: Path) -> None:
    write_clip(Store(root=root).video_path(NAME, again(root).chosen[3]), frames=7)


def without_a_source(root: Path) -> None:
    (root / "bench" / again(root).chosen[3].source).unlink()


def with_another_instruction(root: Path) -> None:
    name = again(root).chosen[3].id
    rewritten(
        root / "results" / NAME / "samples.jsonl",
        lambda line: line | ({"instruction": "give five"} if line["id"] == name else {}),
    )


def with_marks_off_the_scale(root: Path) -> None:
    rewritten(judgments_file(root), lambda line: line | {"scores": dict(line["scores"], fg_motion=9)})


def with_endless_repeats(root: Path) -> None:
    line = json.loads(judgments_file(root).read_text().splitlines()[0])
    with judgments_file(root).open("a") as file:
        file.writelines(json.dumps(line | {"repeat": n}) + "\n" for n in range(1, 400))


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (without_a_video, StoreError, "1 chosen videos are not here: "),
        (with_another_video, StaleEdit, "1 of 20 chosen videos are not the files that were judged: "),
        (without_a_source, StoreError, "1 sources are not here: "),
        (with_another_instruction, StoreError, "1 samples of the result are not as in this benchmark: "),
        (with_marks_off_the_scale, StoreError, "9 is outside 1 to 5"),
        (with_endless_repeats, StoreError, "1 samples have more than 50 verdicts each"),
    ],
    ids=["no video", "another video", "no source", "another instruction", "marks off the scale", "endless repeats"],
)
def test_what_cannot_be_checked_is_one_line_and_nothing_is_asked(
    root: Path, spoil: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    wanted, fake = again(root), looking()
    spoil(root)
    with pytest.raises(error, match=message) as refused:
        checked(wanted, fake)
    assert len(str(refused.value).splitlines()) == 1
    assert fake.requests == []
    assert not (root / "results" / ".cache" / "rejudged").exists()


def test_samples_without_a_verdict_are_not_drawn_and_refused_if_named(root: Path) -> None:
    wanted = again(root)
    names = [sample.id for sample in wanted.chosen[:2]]
    rewritten(judgments_file(root), lambda line: None if line["sample_id"] in names else line)
    fewer = again(root)
    assert (len(fewer.chosen), fewer.of) == (ALL - 2, ALL - 2)
    with pytest.raises(StoreError, match="2 chosen samples have no verdict"):
        check_files(wanted)
    with pytest.raises(StoreError, match="could be judged again"):
        dataclasses.replace(wanted, chosen=(), of=0)
    with pytest.raises(StoreError, match="do not show the judge's own noise"):
        dataclasses.replace(wanted, repeats=1)


# -- trouble on the way ----------------------------------------------------------------------------------------------


def test_what_gets_no_verdict_is_counted_and_left_out(root: Path) -> None:
    fake = looking()
    good = fake.answer
    bad = {clip_of(root, sample) for sample in again(root).chosen[:3]}
    fake.answer = lambda body: Answer(text="I would rather not.") if shown(body) in bad else good(body)
    found = checked(again(root), fake)
    assert len(found.left_out) == 3
    assert found.retest is not None
    assert (found.retest.n, found.verdict) == (ALL - 3, "consistent")
    assert found.lines()[1].startswith(
        "3 more were drawn but have no 2 new verdicts, so they are left out; the first, "
    )
    none = looking()
    none.answer = lambda body: Answer(text="I would rather not.")
    nothing = checked(again(root, seed=2), none)
    assert (nothing.verdict, nothing.retest, len(nothing.left_out)) == ("too few to tell", None, ALL)
    assert nothing.lines()[-1] == "verdict: too few to tell"


def shown(body: Mapping[str, Any]) -> str:
    urls = [part["video_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "video_url"]
    return hashlib.sha256(urls[-1].encode()).hexdigest()


def clip_of(root: Path, sample: Sample) -> str:
    """What `shown` will say of a sample's edit, learnt by having it judged once."""
    fake = looking()
    with serving(fake), ExitStack() as stack:
        judge = Road(root).connected(stack, fake, options=FRAMES)
        apart = dataclasses.replace(again(root), chosen=(sample,), seed=900)
        rejudge(apart, run.Bench(judge=judge, prompt=PROMPT), now=NOW)
    shutil.rmtree(root / "results" / ".cache" / "rejudged")
    return shown(fake.requests[0])


def test_the_same_seed_asks_for_nothing_twice_and_another_finds_nothing_laid_ready(root: Path) -> None:
    fake = looking()
    first = checked(again(root), fake)
    assert len(fake.requests) == 2 * ALL
    assert checked(again(root), fake) == first
    assert len(fake.requests) == 2 * ALL
    checked(again(root, repeats=3), fake)
    assert len(fake.requests) == 3 * ALL
    checked(again(root, seed=2, count=10), fake)
    assert len(fake.requests) == 3 * ALL + 20


def test_a_larger_part_with_the_same_seed_goes_on(root: Path) -> None:
    fake = looking()
    few = again(root, count=8)
    checked(few, fake)
    many = again(root, count=16)
    checked(many, fake)
    both = {sample.id for sample in (*few.chosen, *many.chosen)}
    assert len(fake.requests) == 2 * len(both)


def test_a_budget_stops_it_cleanly_and_a_higher_one_goes_on(root: Path) -> None:
    fake = looking()
    price = run.Price(prompt=1000.0, completion=1000.0)  # 1.06 USD a question
    found = checked(again(root), fake, price=price, budget=14.0)
    assert 4 <= len(fake.requests) <= 13
    assert found.stopped is not None
    assert found.verdict == "too few to tell"
    assert any(line.startswith("stopped: ") and "--seed 1" in line for line in found.lines())
    assert len(found.left_out) + (found.retest.n if found.retest else 0) == ALL
    assert "not asked" in found.left_out.values()
    assert checked(again(root), fake, price=price, budget=1000.0).verdict == "consistent"
    assert len(fake.requests) == 2 * ALL


SCRIPT = """
import sys
from contextlib import ExitStack
from pathlib import Path
from sparkle_bench import run
from tests.fake_judge import FakeJudge
from tests.road import NOW, PROMPT, Road
from tests.test_rejudging import FRAMES, again
from sparkle_bench.verification.again import rejudge
root, url = Path(sys.argv[1]), sys.argv[2]
with ExitStack() as stack:
    fake = FakeJudge()
    fake.url = url
    judge = Road(root).connected(stack, fake, options=FRAMES)
    print(rejudge(again(root), run.Bench(judge=judge, prompt=PROMPT), now=NOW).verdict)
"""


def started(root: Path, fake: FakeJudge) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(root), fake.url]
    folder = Path(__file__).parent.parent
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answered(fake: FakeJudge, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(fake.requests) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_on_the_way_and_run_again_only_the_rest_is_asked(root: Path) -> None:
    before = contents(root / "results" / NAME)
    fake = looking(delay=0.1)
    with serving(fake):
        for count in (3, 12, 25):
            process = started(root, fake)
            answered(fake, count)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        process = started(root, fake)
        said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert said.strip() == "consistent"
    assert 2 * ALL <= len(fake.requests) <= 2 * ALL + 3
    assert contents(root / "results" / NAME) == before


def test_twice_at_once_with_one_seed_is_refused(root: Path) -> None:
    fake = looking(delay=0.2)
    with serving(fake), ExitStack() as stack:
        process = started(root, fake)
        answered(fake, 2)
        judge = Road(root).connected(stack, fake, options=FRAMES)
        with pytest.raises(StoreError, match="another run is at work"):
            rejudge(again(root), run.Bench(judge=judge, prompt=PROMPT), now=NOW)
        said, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert said.strip() == "consistent"
    assert len(fake.requests) == 2 * ALL


def test_videos_are_not_copied_and_a_changed_one_is_replaced(root: Path) -> None:
    wanted = again(root)
    checked(wanted, looking())
    sample = wanted.chosen[0]
    here, there = wanted.store.video_path(NAME, sample), wanted.apart.video_path(NAME, sample)
    assert there.samefile(here)
    there.unlink()
    there.write_bytes(b"something else")
    fake = looking()
    assert checked(dataclasses.replace(wanted, repeats=3), fake).verdict == "consistent"
    assert there.samefile(here)
    assert len(fake.requests) == ALL
    assert not list(root.rglob("*.tmp"))


def test_videos_that_are_links_are_judged_too(root: Path) -> None:
    wanted = again(root)
    for place, sample in enumerate(wanted.chosen):
        video = wanted.store.video_path(NAME, sample)
        video.rename(root / f"elsewhere-{place}.mp4")
        video.symlink_to(root / f"elsewhere-{place}.mp4")
    found = checked(wanted, looking())
    assert found.verdict == "consistent"
    assert not wanted.apart.video_path(NAME, wanted.chosen[0]).is_symlink()


def test_the_embedded_judge_measures_anew(root: Path) -> None:
    rules = load_rules("sparkle", root=root)
    assert rules is not None
    bench = run.Bench(judge=SignalsJudge(rubric=PROMPT.rubric, rules=rules), prompt=PROMPT)
    loaded = benchmark.load(root / "bench")
    work = run.Work(store=Store(root=root), model=NAME, samples=loaded.samples[:10])
    run.measure(work)
    run.judge(work, bench, now=NOW)
    chosen = subset(with_verdict(work.store, NAME, bench.key, loaded.samples), 10, 1)
    wanted = Again(store=work.store, model=NAME, judge_key=bench.key, chosen=chosen, of=10, seed=1)
    assert rejudge(wanted, bench, now=NOW).verdict == "consistent"
    assert len(wanted.apart.measurements(NAME)) == 10
    path = root / "results" / NAME / "judged" / bench.key / "judgments.jsonl"
    rewritten(path, lambda line: told(line, [5, 5, 5, 4, 5, 5]))
    assert rejudge(wanted, bench, now=NOW).verdict == "inconsistent"


def test_everything_is_said_as_data(root: Path) -> None:
    data = json.loads(json.dumps(checked(again(root), looking()).to_data()))
    assert data["verdict"] == data["retest"]["verdict"] == "consistent"
    assert (data["seed"], data["of"], len(data["chosen"]), data["stopped"]) == (1, ALL, ALL, None)


# -- which samples ---------------------------------------------------------------------------------------------------


def made_up(**themes: int) -> list[Sample]:
    return [
        Sample(
            id=f"{theme}-{n:03d}",
            benchmark="sparkle",
            theme=theme,
            subtheme="a",
            scene="b",
            instruction="c",
            source=f"{theme}-{n}.mp4",
            sha256="0" * 64,
        )
        for theme, count in themes.items()
        for n in range(count)
    ]


PUBLISHED = {"location": 152, "season": 92, "style": 134, "time": 80}


def test_every_theme_gets_its_share_whatever_the_order() -> None:
    samples = made_up(**PUBLISHED)
    for seed in range(30):
        drawn = subset(samples, 46, seed)
        assert len({sample.id for sample in drawn}) == 46
        for theme, count in Counter(sample.theme for sample in drawn).items():
            assert abs(count - 46 * PUBLISHED[theme] / 458) < 1
        assert subset(random.Random(seed).sample(samples, len(samples)), 46, seed) == drawn
    assert subset(samples, 46, 1) != subset(samples, 46, 2)


def test_every_sample_is_as_likely_as_any_other() -> None:
    samples = made_up(**PUBLISHED)
    rounds = 600
    drawn = Counter(sample.id for seed in range(rounds) for sample in subset(samples, 46, seed))
    expected = rounds * 46 / 458
    assert len(drawn) == 458
    assert max(abs(count - expected) for count in drawn.values()) < 5 * expected**0.5


def test_the_first_few_are_a_fair_part_too() -> None:
    samples = made_up(**PUBLISHED)
    first = Counter(sample.theme for seed in range(400) for sample in subset(samples, 46, seed)[:5])
    for theme, count in PUBLISHED.items():
        assert first[theme] / 2000 == pytest.approx(count / 458, abs=0.04)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 50])
def test_as_many_as_asked_for_at_most_all(count: int) -> None:
    assert len(subset(made_up(a=1, b=1, c=9), count, 0)) == min(count, 11)


def test_of_nothing_nothing_is_drawn() -> None:
    assert subset([], 1, 0) == []


@pytest.mark.parametrize(
    ("text", "of", "count"),
    [("10%", 458, 46), ("10 %", 460, 46), ("100%", 7, 7), ("0.1%", 50, 1), ("46", 458, 46), ("900", 458, 458),
     ("1%", 1, 1), ("12.5%", 8, 1), ("30%", 10, 3), ("7%", 100, 7)],
)  # fmt: skip
def test_a_share_or_a_number(text: str, of: int, count: int) -> None:
    assert how_many(text, of) == count


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "-3", "ten", "1e2", "10%%", "0.1", "٣", "9" * 5000])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a share such as 10%"):
        how_many(text, 458)
