"""Made-up boards are what they say: the seed decides, lines are the records' own, marks are lifelike, the truth is true."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkle_bench import benchmark
from sparkle_bench.errors import SubmissionError
from sparkle_bench.records import (
    Record,
    edit_from_json,
    judgment_from_json,
    measurement_from_json,
    sample_from_json,
    to_json,
)
from sparkle_bench.rubric import cap, parse
from sparkle_bench.store import Store
from sparkle_bench.submission import card
from sparkle_bench.video import probe
from sparkle_bench.video.frames import frames
from tests import cli
from tests.made_results import BENCH, BITS, KEYS, PROMPT, SIZE, Made, names, samples, truth, write
from tests.made_words import HALF_PAIR, HOSTILE, REFUSED_LINKS

KEY, OTHER = "made-judge-0000", "made-judge-1111"
READERS: Mapping[str, Callable[[Mapping[str, Any]], Record]] = {
    "samples.jsonl": sample_from_json,
    "edits.jsonl": edit_from_json,
    "signals.jsonl": measurement_from_json,
    "judgments.jsonl": judgment_from_json,
}
LARGE = Made(models=12, judges=(KEY, OTHER), signals=True, gappy=4, partial=0)
WILD = Made(models=6, samples=76, repeats=2, signals=True, hostile=True, no_edit=0.3, gappy=3, no_verdict=0.2)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A board of full height; tests only look at it."""
    return written(tmp_path_factory.mktemp("large"), LARGE)


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A hostile one."""
    return written(tmp_path_factory.mktemp("wild"), WILD)


def written(root: Path, made: Made) -> Store:
    write(root, made)
    return Store(root=root)


def contents(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def observed(store: Store, model: str, key: str = KEY) -> float:
    """Overall by plain arithmetic: over verdicts, then themes, then dimensions; a failed edit counts 1."""
    edits = store.edits(model)
    by_theme: dict[str, list[list[float]]] = {}
    marks: dict[str, list[list[float]]] = {}
    for judgment in store.judgments(model, key).values():
        if judgment.scores is not None:
            capped = cap(judgment.scores, PROMPT.rubric)
            marks.setdefault(judgment.sample_id, []).append([capped[name] for name in KEYS])
    for sample in store.samples(model):
        failed = sample.id in edits and not edits[sample.id].ok
        by_theme.setdefault(sample.theme, []).extend([[1.0] * len(KEYS)] if failed else marks.get(sample.id, []))
    return float(np.mean([np.mean(found) for found in by_theme.values()]))


# -- the seed and the lines ------------------------------------------------------------------------------------------


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(tmp_path / name, Made(models=4, samples=30, signals=True, seed=seed))
    same, again, other = (contents(tmp_path / name) for name in "abc")
    assert same == again
    assert same.keys() == other.keys()
    assert all(same[name] != other[name] for name in same if name.endswith("judgments.jsonl"))


def test_the_first_models_of_a_large_board_are_those_of_a_small_one(tmp_path: Path) -> None:
    write(tmp_path / "few", Made(models=5, samples=40))
    write(tmp_path / "many", Made(models=9, samples=40))
    assert contents(tmp_path / "few").items() <= contents(tmp_path / "many").items()


@pytest.mark.parametrize("which", ["large", "wild"])
def test_every_line_is_the_one_that_its_record_gives(which: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(which)
    for name, read in READERS.items():
        paths = sorted(store.root.rglob(name))
        assert paths
        for line in paths[1].read_bytes().split(b"\n")[:-1]:
            text = json.dumps(to_json(read(json.loads(line))), ensure_ascii=False)
            assert text.encode(errors="backslashreplace") == line


def test_usage_is_that_of_the_lines(large: Store) -> None:
    model = names(LARGE)[4]
    usage = (large.read_judge(model, KEY) or {})["usage"]
    lines = list(large.all_judgments(model, KEY))
    assert usage["judgments"] == len(lines)
    assert usage["prompt_tokens"] == sum(line.prompt_tokens or 0 for line in lines)


# -- the benchmark ---------------------------------------------------------------------------------------------------


def test_at_full_height_the_counts_are_the_published_ones(large: Store) -> None:
    assert benchmark.Benchmark(name="sparkle", samples=samples(LARGE)).counts == benchmark.COMPLETE
    assert (large.read_run("identity") or {})["benchmark"]["partial"] is False
    sizes = Counter((sample.theme, sample.subtheme, sample.scene) for sample in samples(LARGE)).values()
    assert min(sizes) <= 3
    assert max(sizes) >= 10


def test_instructions_are_of_many_lengths_and_scripts() -> None:
    texts = [sample.instruction for sample in samples(LARGE)]
    assert len(set(texts)) > 300
    assert min(map(len, texts)) < 10
    assert max(map(len, texts)) > 600
    for sign in ('"', ",", "镇", "桜", "سوق", "חוף", "🎬"):
        assert any(sign in text for text in texts), sign


@pytest.mark.parametrize("count", [4, 7, 60])
def test_a_smaller_benchmark_has_as_many_samples_as_asked_for_and_all_themes(count: int) -> None:
    found = samples(Made(samples=count))
    assert len({sample.id for sample in found}) == len(found) == count
    assert len({sample.theme for sample in found}) == 4


# -- marks and gaps --------------------------------------------------------------------------------------------------


def scored(store: Store) -> Iterator[NDArray[np.int64]]:
    """Yield raw marks (verdicts × dimensions) of every model but the control."""
    for model in names(LARGE)[1:]:
        found = [judgment.scores for judgment in store.judgments(model, KEY).values() if judgment.scores]
        yield np.array([[scores[name] for name in KEYS] for scores in found])


def test_marks_use_the_whole_scale_and_the_cap_binds_on_about_a_fifth(large: Store) -> None:
    marks = np.concatenate(list(scored(large)))
    shares = np.bincount(marks.ravel(), minlength=6)[1:] / marks.size
    assert (shares > 0.02).all()
    assert 0.15 < (marks > marks[:, :1]).any(axis=1).mean() < 0.25


def test_repeats_differ_somewhat(large: Store) -> None:
    edits = large.judgments(names(LARGE)[1], KEY)
    by_edit: dict[str, set[int]] = {}
    for judgment in edits.values():
        if judgment.scores:
            by_edit.setdefault(judgment.sample_id, set()).add(judgment.scores["visual"])
    assert 0.2 < np.mean([len(found) > 1 for found in by_edit.values()]) < 0.8


def test_the_control_stands_near_the_lowest_mark(large: Store) -> None:
    assert 1 <= observed(large, "identity") < 1.15


def test_gaps_are_where_they_are_said_to_be(tmp_path: Path) -> None:
    made = Made(models=10, samples=80, no_edit=0.05, gappy=4, partial=3, no_verdict=0.1)
    store = written(tmp_path, made)
    for number, model in enumerate(names(made)):
        edits = store.edits(model)
        verdicts = [judgment for judgment in store.judgments(model, KEY).values() if judgment.ok]
        asked = made.repeats * sum(edit.ok for edit in edits.values())
        assert (len(edits) < made.samples) == (number in (2, 5, 8)), model
        assert (len(verdicts) < asked) == (number in (1, 5, 9)), model
    failed = [edit for model in names(made)[1:] for edit in store.edits(model).values() if not edit.ok]
    assert 10 < len(failed) < 60
    assert all(edit.ok for edit in store.edits("identity").values())


def test_without_gaps_every_verdict_is_there(tmp_path: Path) -> None:
    made = Made(models=6, samples=20, no_edit=0, gappy=0, partial=0)
    store = written(tmp_path, made)
    for model in names(made):
        assert sum(judgment.ok for judgment in store.judgments(model, KEY).values()) == 60


@pytest.mark.parametrize("which", ["large", "wild"])
def test_replies_say_the_marks_as_the_prompt_asks(which: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(which)
    for model in store.models()[:3]:
        for judgment in store.judgments(model, KEY).values():
            if judgment.scores is not None:
                assert parse(judgment.reply or "", PROMPT.rubric) == judgment.scores


# -- the truth -------------------------------------------------------------------------------------------------------


def test_what_is_observed_strays_about_the_truth(tmp_path: Path) -> None:
    off = []
    for seed in range(10):
        made = Made(models=5, repeats=1, seed=seed, no_edit=0.05, gappy=0, partial=0)
        store, known = written(tmp_path / str(seed), made), truth(made)
        off += [observed(store, model) - known[model] for model in names(made)]
    assert abs(np.mean(off)) < 0.04
    assert 0.02 < np.std(off) < 0.12


def test_the_second_and_the_third_model_are_equally_good_and_all_others_differ() -> None:
    known = truth(Made())
    first, second = names(Made())[1:3]
    assert known[first] == known[second]
    assert len(set(known.values())) == 49
    assert min(known, key=known.__getitem__) == "identity"


def test_two_judges_agree_in_the_main_and_not_in_all(large: Store) -> None:
    assert large.judge_keys("identity") == [KEY, OTHER]
    first, second = ([observed(large, model, key) for model in names(LARGE)] for key in (KEY, OTHER))
    assert 0.9 < float(np.corrcoef(first, second)[0][1]) < 0.9999


# -- what makers declare, signals, videos, hostile texts -------------------------------------------------------------


@pytest.mark.parametrize("hostile", [False, True])
def test_the_control_comes_first_and_no_name_comes_twice(hostile: bool) -> None:
    found = names(Made(models=200, hostile=hostile))
    assert found[0] == "identity"
    assert len(set(found)) == 200


def test_two_of_fifty_models_had_masks_and_some_declare_nothing(tmp_path: Path) -> None:
    made = Made(samples=8, repeats=1)
    store = written(tmp_path, made)
    runs = [store.read_run(model) or {} for model in names(made)]
    cards = [card.from_data(run["declared"]) for run in runs if "declared" in run]
    assert 30 < len(cards) < 50
    assert sum(said.track == "masks" for said in cards) == 2
    assert {said.overlap for said in cards} == {"yes", "no", "unknown"}
    known = [said.model.parameters for said in cards if said.model.parameters]
    assert (min(known), max(known)) == (1_300_000_000, 30_000_000_000)
    efforts = [edit.effort for model in names(made) for edit in store.edits(model).values()]
    assert {None, True, False} == {effort.aligned if effort else None for effort in efforts}
    assert any(effort and effort.cost for effort in efforts)
    assert None in efforts


def test_a_hostile_board_is_made_and_signals_contradict_the_judge_here_and_there(wild: Store) -> None:
    done = cli.run("leaderboard", "--root", wild.root, cwd=wild.root)
    assert done.returncode == 0, done.stderr
    flags = sorted(wild.root.glob(f"results/*/judged/{KEY}/flags.csv"))
    named = Counter(line.split(",")[2] for path in flags for line in path.read_text().splitlines()[1:])
    assert {"frozen_background", "retimed_subject", "subject_gone", "new_text", "source_again"} <= set(named)


@pytest.mark.parametrize("hostile", [False, True])
def test_videos_are_real_and_count_their_frames(tmp_path: Path, hostile: bool) -> None:
    made = Made(models=5, samples=40, repeats=1, videos=True, no_edit=0, hostile=hostile)
    store = written(tmp_path, made)
    kinds = set()
    for model in names(made):
        for sample in store.samples(model)[::9]:
            edit, path = store.edits(model)[sample.id], store.video_path(model, sample)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == edit.sha256
            assert edit.probe == probe(path)
        kinds.add((edit.probe.frames, edit.probe.fps) if edit.probe else None)
    assert kinds == {(81, 16.0), (81, 15.0), (77, 16.0), (65, 16.0)}
    loaded = benchmark.load(tmp_path / BENCH)
    assert loaded.digest == (store.read_run("identity") or {})["benchmark"]["digest"]
    assert [_counted(picture) for picture in frames(loaded.samples[0].source_path)] == list(range(81))


def _counted(picture: NDArray[np.uint8]) -> int:
    row = picture[SIZE[1] // 16, SIZE[0] // BITS // 2 :: SIZE[0] // BITS, 0] > 128
    return int("".join(map(str, row.astype(int))), 2)


def test_hostile_texts_stand_in_every_place(wild: Store) -> None:
    records = {name: "".join(path.read_text() for path in wild.root.rglob(name)) for name in READERS}
    for text in HOSTILE:
        for name in ("samples.jsonl", "edits.jsonl", "judgments.jsonl"):
            assert json.dumps(text, ensure_ascii=False)[1:-1] in records[name], (name, text[:40])
    assert json.dumps(HALF_PAIR)[1:-1] in records["judgments.jsonl"]
    assert {"constructor", "toString"} <= set(wild.models())


@pytest.mark.parametrize("link", REFUSED_LINKS)
def test_links_that_are_none_cannot_be_declared(link: str) -> None:
    with pytest.raises(SubmissionError):
        card.from_data({"model": {"name": "m", "link": link}})
