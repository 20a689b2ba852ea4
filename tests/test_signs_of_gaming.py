"""Signs of gaming: no other result silences them, and one result under two names is seen on both."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark
from sparkle_bench.exchange.authors import content_hash
from sparkle_bench.records import Edit, Judgment, Probe, Sample
from sparkle_bench.rubric import Scores
from sparkle_bench.verification import Given, Sign, edit_signs, signs
from tests.fake_judge import verdict
from tests.makers import write_edits
from tests.road import PROMPT
from tests.test_verifying import (
    Handed,
    have_judged,
    honest_reply,
    invented_alike,
    rewrite,
    verified,
    with_text,
    write_rich_benchmark,
)

KEYS = PROMPT.rubric.keys
THINGS = (
    "vineyard leaves", "rocky shore", "desert dunes", "neon crossing", "melting snow", "maple forest", "blizzard pines",
    "wheat field", "misty valley", "harbour cranes", "starry lake", "market square", "dystopian chimneys",
    "medieval village", "lily pond", "pixel dungeon", "glacier cave", "coral reef", "bamboo grove", "opera stage",
)  # fmt: skip
USUAL = (5, 4, 5, 4, 4, 4)
TOP = (5,) * 6


def sha(*words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()


SAMPLES = {
    f"s{n:02}": Sample(
        id=f"s{n:02}",
        benchmark="sparkle",
        theme="location",
        subtheme=thing,
        scene=thing,
        instruction=f"Put her before {thing}, please.",
        source=f"s{n:02}.mp4",
        sha256=sha("source", n),
    )
    for n, thing in enumerate(THINGS)
}

Marks = Callable[[int], Sequence[int]]
Say = Callable[[Sample], str]


def varied(n: int) -> Sequence[int]:
    """Marks of a judge that tells edits apart."""
    return [random.Random(7 * n + place).choice((2, 3, 4, 5)) for place in range(6)]


def habit(share: float, marks: Sequence[int] = USUAL) -> Marks:
    """The same marks for so many of the samples."""
    return lambda n: marks if n < share * len(SAMPLES) else varied(n)


def seeing(sample: Sample) -> str:
    return f"The scene now shows {sample.scene} and is kept well."


def blind(sample: Sample) -> str:
    return "A splendid edit of the highest quality, true to the request in each and every way."


def praise(sample: Sample) -> str:
    """Another praise for each, without a word of the instruction."""
    words = random.Random(sample.id).sample(["superb", "clean", "sharp", "natural", "stable", "rich", "fine"], 6)
    return f"Put before her, {' '.join(words)}."


def judged(videos: str, marks: Marks = varied, say: Say = seeing) -> list[Judgment]:
    """Return what a judge says of the videos of a model."""
    return [
        Judgment(
            sample_id=sample.id,
            edit_sha256=sha(videos, n),
            reply=verdict(*marks(n)).replace("a made-up verdict.", say(sample)),
            scores=Scores(marks=dict(zip(KEYS, marks(n), strict=True))),
        )
        for n, sample in enumerate(SAMPLES.values())
    ]


def found(own: Sequence[Judgment], **rivals: Sequence[Judgment]) -> dict[str, Sign]:
    given = Given(samples=SAMPLES, verdicts=own, rubric=PROMPT.rubric, rivals=rivals, judge_key="k")
    copied = "copied_rationales"  # the models here get the same words, which is another pattern
    return {sign.name: sign for sign in signs(given) if sign.name != copied}


def reused(verdicts: Sequence[Judgment], name: str) -> list[Judgment]:
    return [dataclasses.replace(v, reused=name, attempts=0) for v in verdicts]


# -- what is usual -----------------------------------------------------------------------------------------------------

GAMED: Mapping[str, tuple[list[Judgment], str]] = {
    "ceiling": (judged("thief", habit(1, TOP)), "ceiling"),
    "one set of marks": (judged("thief", habit(0.9)), "one_vector"),
    "one reply": (judged("thief", say=blind), "identical_rationales"),
    "generic praise": (judged("thief", say=praise), "unmentioned_instruction"),
}
EACH_GAMED = pytest.mark.parametrize(("own", "name"), GAMED.values(), ids=GAMED)


def beside(own: Sequence[Judgment]) -> Mapping[str, Mapping[str, Sequence[Judgment]]]:
    """Results that somebody may put beside a gamed one, or that lie there."""
    other_videos = [dataclasses.replace(v, edit_sha256=sha("other", v.sample_id)) for v in own]
    return {
        "none": {},
        "a copy": {"copy": own},
        "copies": {f"copy{n}": own for n in range(5)},
        "verdicts taken from it": {f"kiwi{n}": reused(own, "thief") for n in range(5)},
        "verdicts taken from some that are not there": {
            f"kiwi{n}": reused([dataclasses.replace(v, edit_sha256=sha(n, v.sample_id)) for v in own], f"gone{n}")
            for n in range(5)
        },
        "its videos with other marks": {f"again{n}": judged("thief", habit(1)) for n in range(5)},
        "another one": {"other": other_videos},
        "one of other videos under many names": {f"other{n}": other_videos for n in range(5)},
        "another one beside two honest ones": {"a": judged("a"), "other": other_videos, "b": judged("b")},
        "honest ones": {name: judged(name) for name in "abcde"},
    }


@pytest.mark.parametrize("neighbours", beside([]))
@EACH_GAMED
def test_no_result_beside_silences_a_sign(own: list[Judgment], name: str, neighbours: str) -> None:
    assert name in found(own, **beside(own)[neighbours])


@EACH_GAMED
def test_many_invented_results_do_not_silence_what_is_said_of_all(own: list[Judgment], name: str) -> None:
    """The middle is theirs then, but no limit reaches the whole."""
    invented = {
        f"invented{n}": [dataclasses.replace(v, edit_sha256=sha(n, v.sample_id)) for v in own] for n in range(5)
    }
    silenced = name == "one_vector"  # nine in ten: below the highest limit
    assert (name in found(own, **invented)) is not silenced


def test_the_reason_of_the_highest_limit_is_said() -> None:
    sign = found(judged("mine", habit(1)), **{name: judged(name, habit(1)) for name in "abc"})["one_vector"]
    assert sign.what == (
        "the marks are 5 4 5 4 4 4; usual in 3 other results of this judge: 100%, but from 95% on nothing is told apart"
    )


HABITS: Mapping[str, tuple[Marks, Say, str]] = {
    "of marks": (habit(0.85), seeing, "one_vector"),
    "of words": (varied, lambda sample: blind(sample) if sample.id < "s06" else seeing(sample), "identical_rationales"),
    "of praise": (varied, lambda sample: praise(sample) if sample.id < "s14" else seeing(sample), "unmentioned_instruction"),
}  # fmt: skip


@pytest.mark.parametrize(("marks", "say", "name"), HABITS.values(), ids=HABITS)
def test_a_judges_habit_is_no_sign_once_enough_results_show_it(marks: Marks, say: Say, name: str) -> None:
    own = judged("mine", marks, say)
    others = {model: judged(model, marks, say) for model in "abc"}
    assert name in found(own)
    assert name in found(own, a=others["a"], b=others["b"]), "two are too few"
    assert found(own, **others) == {}


def test_a_lower_share_is_a_sign_where_the_judge_is_known_to_tell_edits_apart() -> None:
    own = judged("mine", habit(0.75))
    assert "one_vector" not in found(own)
    sign = found(own, a=judged("a"), b=judged("b"), c=judged("c", habit(0.4)))["one_vector"]
    assert (sign.count, sign.of) == (15, 20)
    assert sign.what.endswith("; usual in 3 other results of this judge: 5%")


def test_one_odd_result_moves_the_limit_of_an_honest_one_no_more_than_that_of_a_gamed_one() -> None:
    honest = {name: judged(name) for name in "abcd"}
    for name, own in honest.items():
        rivals = {other: verdicts for other, verdicts in honest.items() if other != name}
        assert found(own, thief=judged("thief", habit(1, TOP)), **rivals) == {}


def test_a_few_verdicts_taken_from_elsewhere_leave_the_rest_of_a_rival() -> None:
    """What was marked for it still tells what is usual."""
    own = judged("mine", habit(0.85))
    partly = {name: judged(name, habit(0.85)) for name in "abc"}
    partly = {name: [*reused(verdicts[:4], "gone"), *verdicts[4:]] for name, verdicts in partly.items()}
    assert found(own, **partly) == {}


# -- one result under two names ----------------------------------------------------------------------------------------


def edits(videos: str, **other: str) -> dict[str, Edit]:
    """Return a model's edits; those named are other files."""
    probe = Probe(frames=8, fps=8.0, width=64, height=48)
    return {i: Edit(sample_id=i, video=f"{i}.mp4", sha256=other.get(i, sha(videos, i)), probe=probe) for i in SAMPLES}


def hashes(of: Mapping[str, Edit]) -> dict[str, str]:
    return {i: edit.sha256 for i, edit in of.items() if edit.sha256 is not None}


def of_both(one: Mapping[str, Edit], two: Mapping[str, Edit]) -> list[dict[str, Sign]]:
    return [
        {sign.name: sign for sign in edit_signs(SAMPLES, one, {"two": hashes(two)})},
        {sign.name: sign for sign in edit_signs(SAMPLES, two, {"one": hashes(one)})},
    ]


def first(count: int) -> list[str]:
    return list(SAMPLES)[:count]


def test_the_same_videos_under_two_names_are_a_sign_on_both() -> None:
    on_one, on_two = of_both(edits("arc"), edits("arc"))
    assert on_one.keys() == on_two.keys() == {"same_videos_as"}
    assert (on_one["same_videos_as"].count, on_one["same_videos_as"].of) == (20, 20)
    assert on_one["same_videos_as"].what.startswith("the hashes of the videos are those of two;")
    assert on_two["same_videos_as"].what.startswith("the hashes of the videos are those of one;")
    assert on_two["same_videos_as"].samples == tuple(first(5))


SHARED: Mapping[str, tuple[dict[str, Edit], dict[str, Edit], tuple[int, int] | None]] = {
    "other videos": (edits("arc"), edits("kiwi"), None),
    "more than half": (edits("arc"), edits("kiwi", **{i: sha("arc", i) for i in first(11)}), (11, 20)),
    "half": (edits("arc"), edits("kiwi", **{i: sha("arc", i) for i in first(10)}), None),
    "a part of the result": (edits("arc"), {i: edits("arc")[i] for i in first(6)}, (6, 6)),
    "too few in common": (edits("arc"), {i: edits("arc")[i] for i in first(3)}, None),
    "a sample that failed": (
        edits("arc"),
        {**edits("arc"), "s00": Edit(sample_id="s00", error="no memory", error_type="EditorError")},
        (19, 19),
    ),
    "the sources themselves": (
        edits("x", **{i: s.sha256 for i, s in SAMPLES.items()}),
        edits("y", **{i: s.sha256 for i, s in SAMPLES.items()}),
        None,
    ),
    "the sources but for some copied": (
        edits("arc", **{i: SAMPLES[i].sha256 for i in first(14)}),
        edits("arc", **{i: SAMPLES[i].sha256 for i in first(14)}),
        (6, 6),
    ),
    "the same videos for other samples": (
        edits("arc"),
        edits("y", **{i: sha("arc", j) for i, j in zip(SAMPLES, [*first(20)[1:], "s00"], strict=True)}),
        None,
    ),
    "lines that two score files lack": (
        {i: Edit(sample_id=i, sha256=content_hash(i, None, None), unseen=True) for i in SAMPLES},
        {i: Edit(sample_id=i, sha256=content_hash(i, None, None), unseen=True) for i in SAMPLES},
        None,
    ),
    "one published score file twice": (
        {i: Edit(sample_id=i, sha256=content_hash(i, f"Fine {i}.", TOP), unseen=True) for i in SAMPLES},
        {i: Edit(sample_id=i, sha256=content_hash(i, f"Fine {i}.", TOP), unseen=True) for i in SAMPLES},
        (20, 20),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("one", "two", "counts"), SHARED.values(), ids=SHARED)
def test_how_many_videos_must_be_the_same(
    one: dict[str, Edit], two: dict[str, Edit], counts: tuple[int, int] | None
) -> None:
    on_both = [
        {name: (sign.count, sign.of) for name, sign in shown.items() if name == "same_videos_as"}
        for shown in of_both(one, two)
    ]
    assert on_both == [{"same_videos_as": counts} if counts else {}] * 2


def test_many_copies_are_one_sign_and_the_closest_is_named_first() -> None:
    others = {f"copy{n}": hashes(edits("arc", **{i: sha("own", n, i) for i in first(n)})) for n in range(9)}
    (sign,) = edit_signs(SAMPLES, edits("arc"), others)
    assert (sign.count, sign.of) == (20, 20)
    assert "those of copy0, copy1, copy2 and 6 more;" in sign.what


def test_samples_that_the_benchmark_lacks_are_not_looked_at() -> None:
    strange = {f"x{n}": Edit(sample_id=f"x{n}", sha256=sha(n), unseen=True) for n in range(9)}
    assert edit_signs(SAMPLES, strange, {"two": hashes(strange)}) == ()


# -- on disk -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the honest result `mine`; read-only."""
    root = tmp_path_factory.mktemp("honest")
    samples = benchmark.load(write_rich_benchmark(root / "bench")).samples
    have_judged(root, "mine", write_edits(root / "videos", samples, frames=8), honest_reply)
    return root


def copy(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], Any] = lambda lines: None) -> None:
    """Copy `mine` under another name and change its verdicts."""
    shutil.copytree(folder / "results/mine", folder / "results" / name)
    handed = Handed(folder)
    handed.change_json(folder / "results" / name / "run.json", lambda run: run.update(model=name))
    handed.change(folder / "results" / name / handed.judgments.relative_to(handed.folder), change)


def test_a_copy_with_top_marks_shows_beside_the_result_it_was_made_from(honest: Path, tmp_path: Path) -> None:
    shutil.copytree(honest / "results", tmp_path / "results")
    copy(tmp_path, "arc")
    rewrite(Handed(tmp_path), lambda sample, line: with_text(f"It shows {sample.scene}, {sample.id}.", (5,) * 6))
    copy(tmp_path, "another")
    assert "ceiling" in {sign.name for sign in verified(tmp_path).signs}


def test_invented_replies_show_beside_a_result_that_took_them_over(honest: Path, tmp_path: Path) -> None:
    shutil.copytree(honest / "results", tmp_path / "results")
    rewrite(Handed(tmp_path), invented_alike)
    copy(tmp_path, "kiwi", lambda lines: [line.update(reused="mine", attempts=0) for line in lines])
    for model in ("mine", "kiwi"):
        names = {sign.name for sign in verified(tmp_path, model=model).signs}
        assert {"ceiling", "identical_rationales", "unmentioned_instruction"} <= names
