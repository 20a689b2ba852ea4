"""`sparkle-bench compare A B`: true numbers, honest refusals, nothing left out in silence."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sparkle_bench import asked, disk
from sparkle_bench.cli.compare import compare
from sparkle_bench.cli.look import show
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Edit, Judgment, Probe, Sample, to_json
from sparkle_bench.rubric import Scores
from sparkle_bench.store import Store

PROMPT = load_prompt("sparkle", root=Path())
RUBRIC = PROMPT.rubric
KEY, OTHER_KEY = "qwen3-vl-32b-0123abcd", "qwen3-vl-8b-89ab4567"
SHA256 = "c3" * 32


SCENES = {"location": 9, "season": 5, "time": 7, "style": 3}
"""Themes count alike, however many samples they have."""


def benchmark(each: int = 2) -> list[Sample]:
    """Four themes of scenes of so many samples."""
    return [
        Sample(
            id=f"Sparkle_{theme}_{scene:03d}_{number}",
            benchmark="sparkle",
            theme=theme,
            subtheme="part",
            scene=f"scene {scene}",
            instruction="Replace the background.",
            source=f"source_videos/{theme}/{scene}_{number}.mp4",
            sha256="ab" * 32,
        )
        for theme, scenes in SCENES.items()
        for scene in range(scenes)
        for number in range(each)
    ]


SAMPLES = benchmark()
Mark = Sequence[int] | str
"""Six marks, `failed` edit, `untried`, or `unanswered` by the judge."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A result under one judge: the marks of each sample, or a function of its place and the repeat."""

    marks: Callable[[int, int], Mark]
    key: str = KEY
    repeats: int = 1
    samples: Sequence[Sample] = dataclasses.field(default_factory=lambda: SAMPLES)
    digest: str = "d" * 64
    benchmark: str = "sparkle"
    declared: dict[str, Any] | None = None
    asked: bool = False


def put(store: Store, model: str, made: Made) -> None:
    fresh = store.read_run(model) is None
    if fresh:
        version = {"name": made.benchmark, "digest": made.digest, "samples": len(made.samples), "partial": True}
        run = {"model": model, "benchmark": version, "editor": {"name": "identity", "options": {}}, "hardware": {}}
        run |= {"code_version": "0.1.0", "date": "2026-01-02"} | ({"declared": made.declared} if made.declared else {})
        store.write_run(model, run, tuple(made.samples))
    judge: dict[str, Any] = {
        "key": made.key,
        "identity": {"model": "a/b", "prompt": PROMPT.digest},
        "notes": [],
        "prompt": PROMPT.text,
    }
    judge |= {"rubric": RUBRIC.to_data(), "code_version": "0.1.0", "date": "2026-01-02", "repeats": made.repeats}
    store.write_judge(model, made.key, judge)
    edits: list[Edit] = []
    judgments: list[Judgment] = []
    for place, sample in enumerate(made.samples):
        first = made.marks(place, 0)
        edits += [an_edit(sample, failed=first == "failed")] if first != "untried" else []
        repeats = range(made.repeats if first not in ("failed", "untried") else 0)
        judgments += [a_judgment(sample, made.marks(place, repeat), repeat) for repeat in repeats]
    if fresh:
        write(store.model_dir(model) / "edits.jsonl", edits)
    if made.asked:
        for judgment in judgments:
            store.append_judgment(model, made.key, judgment, asked=True)
        asked.note(store, model, made.key)
    else:
        write(store.judgments_path(model, made.key), judgments)


def write(path: Path, records: Sequence[Edit | Judgment]) -> None:
    """Write lines at once: syncing each to the disk takes most of a test's time."""
    path.write_bytes(b"".join(disk.json_line(to_json(record)) for record in records))


def an_edit(sample: Sample, *, failed: bool) -> Edit:
    if failed:
        return Edit(sample_id=sample.id, error="out of memory", error_type="RuntimeError")
    probe = Probe(frames=33, fps=15.0, width=1280, height=704)
    return Edit(sample_id=sample.id, video=f"videos/{sample.edit_path}", sha256=SHA256, probe=probe)


def a_judgment(sample: Sample, marks: Mark, repeat: int) -> Judgment:
    if isinstance(marks, str):
        return Judgment(sample_id=sample.id, edit_sha256=SHA256, repeat=repeat, error="no answer", error_type="X")
    scores = Scores(marks=dict(zip(RUBRIC.keys, marks, strict=True)))
    return Judgment(sample_id=sample.id, edit_sha256=SHA256, repeat=repeat, scores=scores, reply="a reply")


def drawn(seed: int, shift: float = 0.0) -> Callable[[int, int], Mark]:
    """Marks that wobble around 3, the same whenever they are asked for."""

    def marks(place: int, repeat: int) -> Mark:
        rng = np.random.default_rng([seed, place, repeat])
        return [int(mark) for mark in np.clip(np.rint(rng.normal(3 + shift, 0.8, 6)), 1, 5)]

    return marks


def but(marks: Callable[[int, int], Mark], **others: Mark) -> Callable[[int, int], Mark]:
    """The same marks, but for some places: `but(marks, at_3="failed")`."""
    return lambda place, repeat: others.get(f"at_{place}", marks(place, repeat))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """`good` is clearly better than `poor`; `twin` differs from `good` by chance alone."""
    found = Store(root=tmp_path)
    put(found, "good", Made(marks=drawn(1, 0.8), repeats=2))
    put(found, "poor", Made(marks=drawn(2, -0.4), repeats=2))
    put(found, "twin", Made(marks=drawn(3, 0.8), repeats=2))
    return found


def run(store: Store, *words: str) -> Result:
    return CliRunner().invoke(compare, [*words, "--root", str(store.root)])


def said(store: Store, *words: str, code: int = 0) -> str:
    done = run(store, *words)
    assert done.exit_code == code, done.output
    return done.output


def data(store: Store, *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(store, *words, "--json", code=code))
    return found


def refusal(store: Store, *words: str) -> str:
    done = run(store, *words)
    assert done.exit_code == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


# -- numbers -----------------------------------------------------------------------------------------------------------


def by_hand(store: Store, model: str, *, capped: bool = True) -> dict[str, dict[str, float]]:
    """The numbers of a result from its lines alone: a mean over repeats and samples of a theme, then over themes."""
    where = {sample.id: sample.theme for sample in store.samples(model)}
    sums: dict[str, dict[str, list[float]]] = {key: defaultdict(list) for key in RUBRIC.keys}
    samples: dict[str, list[float]] = defaultdict(list)
    with (store.judgments_path(model, KEY)).open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            marks = dict(line["scores"])
            if capped:
                marks = {key: min(mark, marks[str(RUBRIC.cap)]) for key, mark in marks.items()}
            for key, mark in marks.items():
                sums[key][where[line["sample_id"]]].append(mark)
            samples[line["sample_id"]].append(sum(marks.values()) / len(marks))
    dimensions = {key: mean([mean(each) for each in of.values()]) for key, of in sums.items()}
    themes = {
        theme: mean([mean(samples[sample]) for sample in where if where[sample] == theme])
        for theme in set(where.values())
    }
    each = {sample: mean(of) for sample, of in samples.items()}
    return {
        "dimensions": dimensions,
        "themes": themes,
        "samples": each,
        "overall": {"overall": mean([*themes.values()])},
    }


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


@pytest.mark.parametrize("words", [(), ("--raw",)], ids=["capped", "raw"])
def test_every_number_is_what_the_lines_give(store: Store, words: tuple[str, ...]) -> None:
    found = data(store, "good", "poor", "--show", "1000", *words)
    a, b = (by_hand(store, model, capped=not words) for model in ("good", "poor"))
    for kind, rows in (("dimensions", found["dimensions"]), ("themes", found["themes"]), ("overall", found)):
        for key in a[kind]:
            row = rows[key]
            assert row["a"] == pytest.approx(a[kind][key])
            assert row["b"] == pytest.approx(b[kind][key])
            assert row["difference"] == pytest.approx(a[kind][key] - b[kind][key], abs=1e-9)
            assert row["low"] <= row["difference"] <= row["high"]
    assert list(found["dimensions"]) == list(RUBRIC.keys)
    differences = {sample: a["samples"][sample] - b["samples"][sample] for sample in a["samples"]}
    listed = {one["sample_id"]: one["difference"] for side in ("a", "b") for one in found["most"][side]}
    assert listed == {sample: pytest.approx(of) for sample, of in differences.items() if abs(of) > 1e-9}
    assert (found["wins"], found["losses"], found["ties"]) == (
        sum(of > 1e-9 for of in differences.values()),
        sum(of < -1e-9 for of in differences.values()),
        sum(abs(of) <= 1e-9 for of in differences.values()),
    )
    assert found["marks"] == ("raw" if words else "capped")


def test_the_cap_makes_a_difference(store: Store) -> None:
    assert data(store, "good", "poor")["overall"] != data(store, "good", "poor", "--raw")["overall"]


def test_the_other_way_round_is_the_same_with_the_other_sign(store: Store) -> None:
    one, other = data(store, "good", "poor"), data(store, "poor", "good")
    assert one["overall"]["difference"] == pytest.approx(-other["overall"]["difference"])
    assert one["overall"]["low"] == pytest.approx(-other["overall"]["high"])
    assert (one["wins"], one["ties"], one["losses"]) == (other["losses"], other["ties"], other["wins"])
    assert (one["overall"]["better"], other["overall"]["better"]) == ("a", "b")
    assert one["most"]["a"][0]["sample_id"] == other["most"]["b"][0]["sample_id"]


def test_what_is_better_is_told_apart_and_what_differs_by_chance_is_not(store: Store) -> None:
    assert "A better" in overall_line(said(store, "good", "poor"))
    assert "B better" in overall_line(said(store, "poor", "good"))
    assert "not told apart" in overall_line(said(store, "good", "twin"))
    assert data(store, "good", "twin")["overall"]["better"] is None


def overall_line(text: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith("overall"))
    return line


def test_the_same_marks_are_told_apart_nowhere(store: Store) -> None:
    put(store, "copy", Made(marks=drawn(1, 0.8), repeats=2))
    found = data(store, "good", "copy")
    assert (found["wins"], found["ties"], found["losses"]) == (0, len(SAMPLES), 0)
    assert found["overall"]["difference"] == 0
    assert found["most"] == {"a": [], "b": []}
    assert not any(of["better"] for of in (*found["dimensions"].values(), *found["themes"].values()))
    assert "favour" not in said(store, "good", "copy")


def test_the_text_says_what_the_data_says(store: Store) -> None:
    text, found = said(store, "good", "poor"), data(store, "good", "poor")
    row = found["overall"]
    assert overall_line(text).split()[1:4] == [f"{row['a']:.2f}", f"{row['b']:.2f}", f"{row['difference']:+.3f}"]
    assert f"{row['low']:+.3f} to {row['high']:+.3f}" in overall_line(text)
    assert f"A better on {found['wins']}, B on {found['losses']}, alike on {found['ties']}" in text
    assert f"{len(SAMPLES)} samples in 24 scenes, judge {KEY}, 2 verdicts an edit, capped marks" in text
    for key in RUBRIC.keys:
        assert f"  {RUBRIC.label(key)} " in text


def test_numbers_do_not_change_from_run_to_run(store: Store) -> None:
    assert said(store, "good", "poor", "--json") == said(store, "good", "poor", "--json")


def test_the_judges_wavering_is_told_where_it_is_known(store: Store) -> None:
    found = data(store, "good", "poor")
    errors = []
    for model in ("good", "poor"):
        each: dict[str, list[float]] = defaultdict(list)
        for judgment in store.judgments(model, KEY).values():
            assert judgment.scores is not None
            marks = judgment.scores.marks
            each[judgment.sample_id].append(mean([min(mark, marks[str(RUBRIC.cap)]) for mark in marks.values()]))
        where = {sample.id: sample.theme for sample in SAMPLES}
        weights = {sample: 1 / (4 * 2 * SCENES[where[sample]]) for sample in each}
        errors.append(sum((a - b) ** 2 / 4 * weights[sample] ** 2 for sample, (a, b) in each.items()))
    assert found["judge_error"] == pytest.approx(math.sqrt(sum(errors)))
    assert f"±{1.96 * found['judge_error']:.3f}" in said(store, "good", "poor")
    put(store, "once", Made(marks=drawn(4)))
    assert data(store, "good", "once")["judge_error"] is None
    assert "own wavering" not in said(store, "good", "once")
    assert "1 and 2 verdicts an edit" in said(store, "good", "once")


def test_a_theme_of_one_scene_has_no_interval(tmp_path: Path) -> None:
    samples = [s for s in SAMPLES if s.theme != "style" or s.scene == "scene 0"]
    store = Store(root=tmp_path)
    for number, model in enumerate(("a", "b")):
        put(store, model, Made(marks=drawn(number), samples=samples))
    found = data(store, "a", "b")
    assert found["themes"]["style"]["low"] is None
    assert found["overall"]["low"] is None
    assert found["themes"]["time"]["low"] is not None
    assert "unknown" in overall_line(said(store, "a", "b"))


# -- which judge -------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_judges(store: Store) -> Store:
    for number, model in enumerate(("good", "poor")):
        put(store, model, Made(marks=drawn(9 + number), key=OTHER_KEY))
    put(store, "good", Made(marks=drawn(20), key="gemini-2.5-pro-aaaa0000"))
    return store


def test_of_several_judges_one_must_be_named(two_judges: Store) -> None:
    line = refusal(two_judges, "good", "poor")
    assert f"both were judged under 2 judge keys; choose one with --judge: {KEY}, {OTHER_KEY}" in line


@pytest.mark.parametrize("wanted", [KEY, "qwen3-vl-32b", "qwen3-vl-3"])
def test_a_judge_is_named_by_its_key_or_how_that_begins(two_judges: Store, wanted: str) -> None:
    assert data(two_judges, "good", "poor", "--judge", wanted)["judge_key"] == KEY


def test_a_beginning_that_fits_several_is_refused(two_judges: Store) -> None:
    line = refusal(two_judges, "good", "poor", "--judge", "qwen")
    assert f"--judge qwen fits 2 judge keys; choose one with --judge: {KEY}, {OTHER_KEY}" in line


def test_a_whole_key_counts_although_another_begins_with_it(store: Store) -> None:
    for model in ("good", "poor"):
        put(store, model, Made(marks=drawn(9), key=f"{KEY}-b"))
    assert data(store, "good", "poor", "--judge", KEY)["judge_key"] == KEY


def test_the_only_judge_of_both_needs_no_name(two_judges: Store) -> None:
    assert data(two_judges, "good", "twin")["judge_key"] == KEY


def test_a_judge_of_one_alone_is_told(two_judges: Store) -> None:
    line = refusal(two_judges, "good", "poor", "--judge", "gemini-2.5-pro-aaaa0000")
    assert "poor has no verdicts of gemini-2.5-pro-aaaa0000; both have: " in line


def test_a_judge_nearly_named_right_is_suggested(two_judges: Store) -> None:
    assert f"did you mean {KEY}" in refusal(two_judges, "good", "poor", "--judge", "qwen3-vl-32-0123abcd")


def test_results_of_different_judges_do_not_compare(store: Store) -> None:
    put(store, "other", Made(marks=drawn(1), key=OTHER_KEY))
    line = refusal(store, "good", "other")
    assert f"no judge has judged both (good {KEY} and other {OTHER_KEY})" in line


# -- what does not compare ---------------------------------------------------------------------------------------------


def test_a_result_nearly_named_right_is_suggested(store: Store) -> None:
    assert "no result 'goood' under" in refusal(store, "goood", "poor")
    assert "did you mean good?" in refusal(store, "goood", "poor")
    assert "did you mean poor?" in refusal(store, "good", "pooor")


def test_a_result_is_not_compared_with_itself(store: Store) -> None:
    assert "good is compared with itself; name two results" in refusal(store, "good", "good")


VERSIONS: dict[str, tuple[dict[str, Any], str]] = {
    "another hash": ({"digest": "e" * 64}, "different versions of sparkle (dddddddd and eeeeeeee, 48 and 48 samples)"),
    "other samples": (
        {"samples": SAMPLES[:-2]},
        "different versions of sparkle (dddddddd and dddddddd, 48 and 46 samples)",
    ),
    "samples in another order": ({"samples": SAMPLES[::-1]}, "different versions of sparkle"),
    "another benchmark": ({"benchmark": "openve"}, "good belongs to the benchmark sparkle and other to openve"),
}


@pytest.mark.parametrize(("change", "what"), VERSIONS.values(), ids=VERSIONS)
def test_results_on_different_versions_do_not_compare(store: Store, change: dict[str, Any], what: str) -> None:
    put(store, "other", Made(marks=drawn(1), **change))
    assert what in refusal(store, "good", "other")
    assert what in refusal(store, "good", "other", "--common")


def test_an_incomplete_result_is_refused(store: Store) -> None:
    put(store, "gappy", Made(marks=but(drawn(5), at_3="unanswered", at_7="untried")))
    put(store, "lazy", Made(marks=but(drawn(6), at_9="untried")))
    line = refusal(store, "good", "gappy")
    assert "gappy is incomplete (1 without verdict, 1 not attempted)" in line
    assert "--common, which is no ranking" in line
    both = refusal(store, "gappy", "lazy")
    assert "gappy is incomplete" in both
    assert "lazy is incomplete (1 not attempted)" in both


def test_only_what_both_have_is_compared_if_that_is_asked_for(store: Store) -> None:
    put(store, "gappy", Made(marks=but(drawn(5), at_3="unanswered", at_7="untried")))
    put(store, "lazy", Made(marks=but(drawn(6), at_7="untried", at_9="unanswered")))
    text = said(store, "gappy", "lazy", "--common", code=3)
    assert "NO RANKING: 3 of 48 samples are left out (A lacks verdicts on 2, B on 2)" in text
    found = data(store, "gappy", "lazy", "--common", "--show", "100", code=3)
    assert (found["samples"], found["left_out"]) == (45, 3)
    assert (found["a"]["lacking_verdicts"], found["b"]["lacking_verdicts"]) == (2, 2)
    shown = {one["sample_id"] for side in ("a", "b") for one in found["most"][side]}
    assert not shown & {SAMPLES[place].id for place in (3, 7, 9)}


def test_a_repeat_that_lacks_leaves_its_sample_out(store: Store) -> None:
    def marks(place: int, repeat: int) -> Mark:
        return "unanswered" if (place, repeat) == (4, 1) else drawn(5)(place, repeat)

    put(store, "gappy", Made(marks=marks, repeats=2))
    assert data(store, "good", "gappy", "--common", code=3)["left_out"] == 1


def test_where_nothing_lacks_nothing_is_said_of_it(store: Store) -> None:
    assert said(store, "good", "poor", "--common") == said(store, "good", "poor")


def test_a_failed_edit_counts_the_lowest_marks_and_is_not_left_out(store: Store) -> None:
    put(store, "failing", Made(marks=but(drawn(5), at_0="failed"), repeats=2))
    found = data(store, "good", "failing", "--show", "100")
    (first,) = (one for one in found["most"]["a"] if one["sample_id"] == SAMPLES[0].id)
    assert first["b"] == 1.0


def test_nothing_in_common_is_told(store: Store) -> None:
    half = len(SAMPLES) // 2
    put(store, "one", Made(marks=lambda place, repeat: "untried" if place < half else [3] * 6))
    put(store, "other", Made(marks=lambda place, repeat: "untried" if place >= half else [3] * 6))
    assert "one and other have verdicts on no sample in common" in refusal(store, "one", "other", "--common")


def test_a_theme_without_a_compared_sample_is_left_out(store: Store) -> None:
    lacking = {f"at_{place}": "unanswered" for place, sample in enumerate(SAMPLES) if sample.theme == "style"}
    put(store, "gappy", Made(marks=but(drawn(5), **lacking)))
    found = data(store, "good", "gappy", "--common", code=3)
    assert list(found["themes"]) == ["location", "season", "time"]
    mean_of_themes = mean([found["themes"][theme]["difference"] for theme in found["themes"]])
    assert found["overall"]["difference"] == pytest.approx(mean_of_themes)


# -- what is said ------------------------------------------------------------------------------------------------------


def test_different_tracks_are_noted(store: Store) -> None:
    declared = {"model": {"name": "Masked"}, "inputs": {"masks": True}}
    put(store, "masked", Made(marks=drawn(5), declared=declared))
    text = said(store, "good", "masked")
    assert "note: different tracks (instruction, masks)" in text
    assert "note: different tracks" not in said(store, "good", "poor")


def test_who_asked_the_judge_is_told(store: Store) -> None:
    put(store, "ours", Made(marks=drawn(5), asked=True))
    assert said(store, "ours", "good").splitlines()[:2] == ["A  ours, judged here", "B  good, self-reported"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_so_many_samples_are_shown_as_are_asked_for(store: Store, count: int) -> None:
    text, found = said(store, "good", "twin", "--show", str(count)), data(store, "good", "twin", "--show", str(count))
    assert text.count("sparkle-bench show") == 4 * count
    assert [len(found["most"][side]) for side in ("a", "b")] == [count, count]
    for side in ("a", "b"):
        differences = [abs(one["difference"]) for one in found["most"][side]]
        assert differences == sorted(differences, reverse=True)


def test_the_commands_that_show_a_sample_work(store: Store) -> None:
    lines = [line for line in said(store, "good", "twin", "--show", "1").splitlines() if "sparkle-bench show" in line]
    for command in (part for line in lines for part in line.split(" && ")):
        words = shlex.split(command)
        done = CliRunner().invoke(show, words[2:])
        assert done.exit_code == 0, done.output
        assert words[3] in done.output


HOSTILE = "\x1b[2J\u202e$(touch pwned)\n'; rm -rf /"


def test_hostile_texts_reach_no_terminal_and_no_shell(tmp_path: Path) -> None:
    """Ids, themes and scenes come from `samples.jsonl`, which anybody may have written."""
    samples = [
        dataclasses.replace(s, id=f"{s.id}{HOSTILE}", theme=f"{s.theme}{HOSTILE}", scene=HOSTILE) for s in SAMPLES
    ]
    store = Store(root=tmp_path)
    for number, model in enumerate(("a", "b")):
        put(store, model, Made(marks=drawn(number), samples=samples))
    text = said(store, "a", "b")
    assert all(line.isprintable() for line in text.splitlines())
    for line in (line for line in text.splitlines() if "sparkle-bench show" in line):
        assert shlex.split(line)[:3] == ["sparkle-bench", "show", "a"]
        assert len(shlex.split(line)) == 13
    data(store, "a", "b")


def test_a_damaged_result_is_one_line(store: Store) -> None:
    store.judgments_path("poor", KEY).write_text("rubbish\n", encoding="utf-8")
    assert "line 1 is damaged" in refusal(store, "good", "poor")


def test_a_result_with_another_rubric_does_not_compare(store: Store) -> None:
    judge = store.read_judge("poor", KEY) or {}
    judge["rubric"]["name"] = "another"
    store.write_judge("poor", KEY, judge)
    assert "hold different rubrics" in refusal(store, "good", "poor")
