"""Boards made from results on disk: ranks, bounds, formats that cannot be broken by what is in them, the same bytes twice."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib.image
import pandas as pd
import pytest

from sparkle_bench import leaderboard, plots, report
from sparkle_bench.errors import StoreError
from sparkle_bench.leaderboard import FILES, Board, Entry, evidence, ranked_board, read_entry, rebuild
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Edit, Judgment, Probe, Sample
from sparkle_bench.rubric import Scores
from sparkle_bench.scoring import collect, score_table
from sparkle_bench.store import Store

PROMPT = load_prompt("sparkle", root=Path(__file__).parent.parent)
KEYS = PROMPT.rubric.keys
THEMES = ("location", "season", "time", "style")
KEY, OTHER_KEY = "qwen3-vl-32b-1a2b3c4d", "qwen2.5-vl-7b-99887766"
VERSION, OTHER_VERSION = "a1" * 32, "b2" * 32


def a_sample(number: int, theme: str) -> Sample:
    name = f"Sparkle_{theme}_{number:06d}"
    return Sample(
        id=name,
        benchmark="sparkle",
        theme=theme,
        subtheme="beach",
        scene="calm sea",
        instruction="Put it on a beach.",
        source=f"source_videos/{theme}/{name}.mp4",
        sha256="0" * 64,
    )


SAMPLES = (a_sample(1, "location"), a_sample(2, "location"), *(a_sample(3, theme) for theme in THEMES[1:]))


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a test wants on disk of one model under one judge.

    Attributes:
        marks: By sample: six marks, one mark for all six, `"failed"` edit, `"untried"`, or `"unanswered"` by the judge.
        samples: The benchmark.
        benchmark: Its name.
        version: Its digest.
        key: The judge key.
        notes: The judge's notes.
        code_version: As `run.json` has it.
        date: As `judge.json` has it.
        repeats: Verdicts per edit, all alike.
        declared: What the makers say of the model, as `run.json` has it; nothing if None.
    """

    marks: Sequence[Sequence[int] | int | str]
    samples: Sequence[Sample] = SAMPLES
    benchmark: str = "sparkle"
    version: str = VERSION
    key: str = KEY
    notes: Sequence[str] = ()
    code_version: str = "0.1.0"
    date: str = "2026-01-02T03:04:05+00:00"
    repeats: int = 1
    declared: Any = None


def put(store: Store, model: str, result: Result) -> None:
    """Write a result as the two stages do, without a video."""
    version = {"name": result.benchmark, "digest": result.version, "samples": len(result.samples), "partial": True}
    run = {
        "model": model,
        "benchmark": version,
        "editor": {"name": "folder", "options": {}},
        "code_version": result.code_version,
        "hardware": {},
        "date": result.date,
        **({} if result.declared is None else {"declared": result.declared}),
    }
    fresh = store.read_run(model) is None
    if fresh:
        store.write_run(model, run, tuple(result.samples))
    judge = {
        "key": result.key,
        "identity": {"model": "Qwen/Qwen3-VL-32B-Instruct", "prompt": PROMPT.digest},
        "notes": list(result.notes),
        "rubric": PROMPT.rubric.to_data(),
        "prompt": PROMPT.text,
        "code_version": result.code_version,
        "date": result.date,
        "repeats": result.repeats,
    }
    store.write_judge(model, result.key, judge)
    for sample, marks in zip(result.samples, result.marks, strict=True):
        if fresh and marks != "untried":
            store.append_edit(model, an_edit(sample, failed=marks == "failed"))
        if marks not in ("failed", "untried"):
            for repeat in range(result.repeats):
                store.append_judgment(model, result.key, a_judgment(sample, marks, repeat))


def an_edit(sample: Sample, *, failed: bool) -> Edit:
    if failed:
        return Edit(sample_id=sample.id, error="out of memory", error_type="RuntimeError")
    probe = Probe(frames=33, fps=15.0, width=1280, height=704)
    return Edit(sample_id=sample.id, video=f"videos/{sample.edit_path}", sha256="c3" * 32, probe=probe)


def a_judgment(sample: Sample, marks: Sequence[int] | int | str, repeat: int) -> Judgment:
    head = functools.partial(Judgment, sample_id=sample.id, edit_sha256="c3" * 32, repeat=repeat)
    if isinstance(marks, str):
        return head(error="the server answered 500", error_type="ServerFailed")
    six = [marks] * 6 if isinstance(marks, int) else marks
    return head(scores=Scores(marks=dict(zip(KEYS, six, strict=True))))


MIXED = (5, 4, 3, 2, 1, 5)
WORLD: dict[str, Result] = {
    "gold": Result(marks=[5] * 5, notes=["Time labels are those of the clips."]),
    "silver-b": Result(marks=[4] * 5),
    "silver-a": Result(marks=[4] * 5),
    "bronze": Result(marks=[MIXED, (2, 5, 5, 5, 5, 5), 3, 3, 3]),
    "broken": Result(marks=[5, "failed", 1, 1, 1]),
    "gappy": Result(marks=[5, 5, 5, 5, "unanswered"]),
    "lazy": Result(marks=[5, "untried", "untried", 5, 5], repeats=2),
    "elsewhere": Result(marks=[5] * 5, version=OTHER_VERSION),
}


def fill(root: Path) -> Store:
    """Write the world: eight results under one judge, one of them under another judge too."""
    store = Store(root=root)
    for model, result in WORLD.items():
        put(store, model, result)
    put(store, "gold", Result(marks=[2] * 5, key=OTHER_KEY))
    return store


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The world with its boards built; tests only look at it."""
    store = fill(tmp_path_factory.mktemp("world"))
    rebuild(store)
    return store


@pytest.fixture(scope="module")
def board(world: Store) -> Path:
    """The folder of the larger board."""
    return world.root / "leaderboards" / "sparkle" / KEY


@pytest.fixture(scope="module")
def rows(board: Path) -> dict[str, dict[str, str]]:
    """The rows of its CSV by model, in order."""
    with (board / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def expected(result: Result, *, gap: int) -> dict[str, float]:
    """Overall, dimensions and themes of a result by plain arithmetic; what is missing counts `gap`."""
    by_theme: dict[str, list[list[float]]] = {}
    for sample, marks in zip(result.samples, result.marks, strict=True):
        raw: list[float]
        if isinstance(marks, str):
            raw = [1 if marks == "failed" else gap] * 6
        else:
            raw = [marks] * 6 if isinstance(marks, int) else list(marks)
        by_theme.setdefault(sample.theme, []).append([min(mark, raw[0]) for mark in raw])
    means = {theme: [mean(column) for column in zip(*marks, strict=True)] for theme, marks in by_theme.items()}
    dimensions = [mean(column) for column in zip(*means.values(), strict=True)]
    return {
        "overall": mean(dimensions),
        **dict(zip(KEYS, dimensions, strict=True)),
        **{theme: mean(marks) for theme, marks in means.items()},
    }


def everything(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of the last change of every file that is no memory."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock" and ".cache" not in path.parts
    }


def contents(folder: Path) -> dict[str, str]:
    return {name: digest for name, (digest, _) in everything(folder).items()}


# -- ranks and bounds ------------------------------------------------------------------------------------------------


def test_complete_results_stand_best_first_and_equal_ones_share_a_place(rows: dict[str, dict[str, str]]) -> None:
    ranked = [(row["place"], model) for model, row in rows.items() if row["rank"]]
    assert ranked == [("1", "gold"), ("2", "silver-a"), ("2", "silver-b"), ("4", "bronze"), ("5", "broken")]
    assert list(rows)[:5] == [model for _, model in ranked]


def test_results_below_the_line_have_no_rank_no_overall_and_a_reason(rows: dict[str, dict[str, str]]) -> None:
    assert list(rows)[5:] == ["gappy", "lazy", "elsewhere"]
    for model in ("gappy", "lazy"):
        assert rows[model]["rank"] == rows[model]["place"] == rows[model]["overall"] == ""
        assert float(rows[model]["overall_low"]) < float(rows[model]["overall_high"]) == 5
    assert "1 without verdict" in rows["gappy"]["unranked"]
    assert "2 not attempted" in rows["lazy"]["unranked"]
    assert rows["elsewhere"]["rank"] == ""
    assert "another version" in rows["elsewhere"]["unranked"]
    assert all(rows[model]["unranked"] == "" for model in list(rows)[:5])


@pytest.mark.parametrize("model", WORLD)
def test_the_numbers_are_those_of_plain_arithmetic(rows: dict[str, dict[str, str]], model: str) -> None:
    low, high = (expected(WORLD[model], gap=gap) for gap in (1, 5))
    for name in low:
        cell = rows[model][name]
        assert (cell == "") == (low[name] != high[name])
        assert cell == "" or math.isclose(float(cell), low[name], abs_tol=5e-5)
    assert math.isclose(float(rows[model]["overall_low"]), low["overall"], abs_tol=5e-5)
    assert math.isclose(float(rows[model]["overall_high"]), high["overall"], abs_tol=5e-5)


def test_counts_and_provenance_stand_beside_the_marks(rows: dict[str, dict[str, str]]) -> None:
    counts = {model: tuple(int(row[name]) for name in ("n", "of", "no_edit", "no_verdict", "not_attempted"))
              for model, row in rows.items()}  # fmt: skip
    assert counts["gold"] == (5, 5, 0, 0, 0)
    assert counts["broken"] == (4, 5, 1, 0, 0)
    assert counts["gappy"] == (4, 5, 0, 1, 0)
    assert counts["lazy"] == (3, 5, 0, 0, 2)
    assert float(rows["gold"]["cap_bound"]) == 0
    assert float(rows["bronze"]["cap_bound"]) == 0.2
    assert float(rows["broken"]["scored_overall"]) == 2
    assert {row["date"] for row in rows.values()} == {"2026-01-02"}
    assert {row["code_version"] for row in rows.values()} == {"0.1.0"}


def test_the_csv_has_the_agreed_columns_in_order(board: Path) -> None:
    header = (board / "leaderboard.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header[:15] == ["rank", "model", "overall", *KEYS, *THEMES, "n", "of"]
    assert {"scored_overall", "cap_bound", "date", "code_version"} <= set(header)
    assert {"track", "parameters", "license", "made_by", "overlap"} <= set(header)
    assert len(set(header)) == len(header)


def test_json_and_csv_say_the_same(board: Path, rows: dict[str, dict[str, str]]) -> None:
    data = json.loads((board / "leaderboard.json").read_text(encoding="utf-8"))
    assert [row["model"] for row in data["rows"]] == list(rows)
    for row in data["rows"]:
        assert (row["rank"] or "") == (int(rows[row["model"]]["rank"]) if rows[row["model"]]["rank"] else "")
        in_csv = {name: rows[row["model"]][name] for name in KEYS}
        assert {name: row[name] for name in KEYS} == {n: float(text) if text else None for n, text in in_csv.items()}
        low, high = row["bounds"]["overall"]
        assert float(rows[row["model"]]["overall_low"]) == low <= high == float(rows[row["model"]]["overall_high"])
    assert list(data["dimensions"]) == list(KEYS)
    assert data["themes"] == list(THEMES)
    assert data["benchmark"]["digest"] == VERSION
    assert data["judge"]["key"] == KEY


def test_the_largest_version_is_the_boards_however_many_toys_there_are(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    for model in ("a", "b"):
        put(store, model, Result(marks=[5] * 3, samples=SAMPLES[:3]))
    put(store, "c", Result(marks=[1] * 5, version=OTHER_VERSION))
    (only,) = rebuild(store)
    assert [(row.rank, row.entry.model) for row in only.rows] == [(1, "c"), (None, "a"), (None, "b")]
    assert only.version["digest"] == OTHER_VERSION


def test_boards_of_results_that_are_gone_are_removed_and_other_files_stay(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "a", Result(marks=[1] * 5))
    put(store, "b", Result(marks=[1] * 5, key=OTHER_KEY))
    rebuild(store)
    gone, kept = (store.board_dir("sparkle", key) for key in (KEY, OTHER_KEY))
    (gone / "notes.txt").write_text("mine")
    archive = tmp_path / "leaderboards" / "archive" / "2025"
    shutil.copytree(gone, archive)
    shutil.rmtree(store.model_dir("a"))
    (left,) = rebuild(store)
    assert left.judge_key == OTHER_KEY
    assert [path.name for path in gone.rglob("*") if path.is_file()] == ["notes.txt"]
    assert (kept / "leaderboard.json").exists()
    assert (archive / "leaderboard.csv").exists(), "a copy under another name is somebody's own"


def test_boards_without_any_result_are_left_alone(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "a", Result(marks=[1] * 5))
    (board,) = rebuild(store)
    shutil.rmtree(tmp_path / "results")
    assert rebuild(store) == []
    assert (store.board_dir(board.benchmark, board.judge_key) / "leaderboard.csv").exists()


def test_verdicts_of_two_judges_never_meet_on_one_board(world: Store, rows: dict[str, dict[str, str]]) -> None:
    boards = sorted(path.parent.name for path in world.root.glob("leaderboards/*/*/leaderboard.csv"))
    assert boards == sorted([KEY, OTHER_KEY])
    other = pd.read_csv(world.root / "leaderboards" / "sparkle" / OTHER_KEY / "leaderboard.csv")
    assert other[["rank", "model", "overall"]].to_numpy().tolist() == [[1, "gold", 2.0]]
    assert float(rows["gold"]["overall"]) == 5


def test_two_benchmarks_never_meet_on_one_board(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "a", Result(marks=[5] * 5))
    put(store, "b", Result(marks=[4] * 5, benchmark="openve"))
    rebuild(store)
    found = sorted(path.relative_to(tmp_path).parts[1] for path in tmp_path.glob("leaderboards/*/*/leaderboard.csv"))
    assert found == ["openve", "sparkle"]
    page = (tmp_path / "leaderboards" / "index.html").read_text(encoding="utf-8")
    for benchmark in found:
        assert f'href="{benchmark}/{KEY}/index.html"' in page
        assert (tmp_path / "leaderboards" / benchmark / KEY / "index.html").is_file()


# -- what is on disk -------------------------------------------------------------------------------------------------


def test_a_board_has_every_format_and_every_figure(world: Store, board: Path) -> None:
    names = {f"leaderboard.{kind}" for kind in ("csv", "json", "md", "tex")} | {"leaderboard-intervals.tex"}
    names |= {"subthemes.csv", "pairs.csv", "index.html"}
    names |= {f"figures/{figure}.{kind}" for figure in plots.NAMES for kind in ("png", "svg")}
    page = {name for name in contents(board) if name.startswith("page/")}
    assert set(contents(board)) - page == names == set(FILES)
    assert page == {*report.assets(), "page/data.js", "page/media.js", *(f"page/details/{m}.js" for m in WORLD)}
    assert {path.name for path in (world.root / "leaderboards").glob("*.*")} == {"index.html", "index.md", "index.json"}


def test_figures_are_pictures_and_name_every_model(board: Path) -> None:
    for name in ("overall", "radar", "themes"):
        height, width, channels = matplotlib.image.imread(board / "figures" / f"{name}.png").shape
        assert min(height, width) > 200
        assert channels in (3, 4)
        words = " ".join(texts(board / "figures" / f"{name}.svg"))
        for model in WORLD:
            assert model in words


def texts(svg: Path) -> list[str]:
    root = ElementTree.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_an_incomplete_result_shows_its_bounds_in_words_and_figures(board: Path) -> None:
    for name in ("leaderboard.md", "index.html"):
        text = (board / name).read_text(encoding="utf-8").replace("\n<t", "<t")
        line = next(line for line in text.splitlines() if "gappy" in line and "without verdict" in line)
        assert "4.00–5.00" in line
        assert "1 without verdict" in line
    for name, words in {
        "overall": "verdicts missing: lowest",
        "radar": "bounds, for",
        "themes": "of the bounds",
    }.items():
        assert any(words in text for text in texts(board / "figures" / f"{name}.svg")), name


@pytest.mark.parametrize("model", ["gold", "bronze", "broken", "gappy", "lazy"])
def test_scores_csv_read_again_equals_the_score_table(world: Store, model: str) -> None:
    judge = world.read_judge(model, KEY)
    assert judge is not None
    table = score_table(collect(evidence(world, model, KEY, judge), PROMPT.rubric))
    read = pd.read_csv(world.judged_dir(model, KEY) / "scores.csv")
    assert list(read.columns) == list(table.columns)
    assert len(read) == len(SAMPLES) * WORLD[model].repeats
    for column in table.columns:
        ours = [None if value != value else value for value in table[column].tolist()]
        assert [None if value != value else value for value in read[column].tolist()] == ours


def test_a_board_needs_nothing_but_results(tmp_path: Path, world: Store, board: Path) -> None:
    assert sorted(path.name for path in world.root.iterdir()) == ["leaderboards", "results"]
    shutil.copytree(world.root / "results", tmp_path / "results")
    assert len(rebuild(Store(root=tmp_path))) == 2
    assert contents(tmp_path / "leaderboards") == contents(world.root / "leaderboards")


def test_without_results_there_are_no_boards_and_nothing_is_written(tmp_path: Path) -> None:
    assert rebuild(Store(root=tmp_path)) == []
    (tmp_path / "results" / "half-made").mkdir(parents=True)
    assert rebuild(Store(root=tmp_path)) == []
    assert not (tmp_path / "leaderboards").exists()


def test_a_result_that_nobody_judged_is_on_no_board(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "a", Result(marks=[5] * 5))
    shutil.rmtree(store.model_dir("a") / "judged")
    assert rebuild(store) == []
    with pytest.raises(StoreError, match="results/a"):
        read_entry(store, "a", KEY)


def test_scoring_a_result_writes_nothing_and_gives_the_files_that_a_rebuild_writes(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "a", Result(marks=[5] * 5))
    before = everything(tmp_path)
    texts = read_entry(store, "a", KEY).texts or {}
    assert everything(tmp_path) == before
    rebuild(store)
    assert [(store.judged_dir("a", KEY) / name).read_bytes() for name in texts] == [*texts.values()]
    assert [*texts] == ["scores.csv"]


def test_the_texts_of_a_board_are_the_files_that_a_rebuild_writes(world: Store) -> None:
    for board in rebuild(world):
        folder = world.board_dir(board.benchmark, board.judge_key)
        made = leaderboard.texts(board)
        assert {name: (folder / name).read_bytes() for name in made} == made
        assert made.keys() == {name for name in FILES if not name.startswith("figures/")}


# -- the same bytes --------------------------------------------------------------------------------------------------


def test_an_unchanged_board_is_not_written_again(world: Store) -> None:
    before = everything(world.root)
    rebuild(world)
    assert everything(world.root) == before


def test_another_process_with_other_hashes_builds_the_same_bytes(tmp_path: Path, world: Store) -> None:
    shutil.copytree(world.root / "results", tmp_path / "results")
    for derived in tmp_path.glob("results/*/judged/*/scores.csv"):
        derived.unlink()
    code = "import sys, pathlib; from sparkle_bench import leaderboard as l, store as s;"
    code += "print(len(l.rebuild(s.Store(root=pathlib.Path(sys.argv[1])))))"
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "2"
    assert contents(tmp_path) == contents(world.root)


def test_the_order_in_which_results_were_written_does_not_matter(tmp_path: Path, world: Store) -> None:
    store = Store(root=tmp_path)
    put(store, "gold", Result(marks=[2] * 5, key=OTHER_KEY))
    for model in reversed(WORLD):
        result = WORLD[model]
        put(store, model, replace(result, marks=result.marks))
    rebuild(store)
    assert contents(tmp_path / "leaderboards") == contents(world.root / "leaderboards")


def test_a_changed_verdict_changes_its_board_and_leaves_the_other_alone(tmp_path: Path, world: Store) -> None:
    shutil.copytree(world.root, tmp_path / "root", copy_function=shutil.copy2)
    store = Store(root=tmp_path / "root")
    before = everything(store.root / "leaderboards")
    store.append_judgment("gappy", KEY, a_judgment(SAMPLES[4], 5, 0))
    rebuild(store)
    after = everything(store.root / "leaderboards")
    changed = {name for name in after if after[name] != before[name]}
    assert {f"sparkle/{KEY}/{name}" for name in ("leaderboard.csv", "leaderboard.md", "index.html")} <= changed
    assert all(name.startswith((f"sparkle/{KEY}/", "index.")) for name in changed)
    with (store.root / "leaderboards" / "sparkle" / KEY / "leaderboard.csv").open(encoding="utf-8") as file:
        places = {row["model"]: row["place"] for row in csv.DictReader(file)}
    assert places["gold"] == places["gappy"] == "1"
    assert places["silver-a"] == "3"


# -- what is declared, and tracks ------------------------------------------------------------------------------------


def said(name: str = "a", **sections: dict[str, Any]) -> dict[str, Any]:
    """What makers may declare, as `run.json` has it."""
    return {"model": {"name": name, **sections.pop("model", {})}, **sections}


MASKS, FRAME = {"masks": True}, {"first_frame": True}
LINK = "https://example.org/a_b?c=1&d=$e"
FULL = said(
    "Wan2.1 *VACE*",
    model={"version": "1.0", "parameters": 14_000_000_000, "license": "Apache-2.0", "link": LINK},
    made_by={"who": "others", "name": "Example Lab"},
    training={"sparkle": "no", "openve_3m": "yes"},
    inputs=MASKS,
)
TRACKS: dict[str, Result] = {
    "plain-worse": Result(marks=[2] * 5, declared=said(inputs={"masks": False}, training={"sparkle": "no"})),
    "plain-better": Result(marks=[3] * 5),
    "masked-best": Result(marks=[5] * 5, declared=FULL),
    "masked-tied": Result(marks=[5] * 5, declared=said(inputs=MASKS)),
    "masked-last": Result(marks=[1] * 5, declared=said(inputs=MASKS)),
    "framed": Result(marks=[4] * 5, declared=said(inputs=FRAME, training={"sparkle": "no", "openve_3m": "no"})),
    "framed-gappy": Result(marks=[5, 5, 5, 5, "unanswered"], declared=said(inputs=FRAME)),
    "plain-gappy": Result(marks=[1, 1, 1, 1, "unanswered"]),
    "masked-elsewhere": Result(marks=[5] * 5, version=OTHER_VERSION, declared=said(inputs=MASKS)),
}


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Results of three tracks with their board built; tests only look at it."""
    store = Store(root=tmp_path_factory.mktemp("tracks"))
    for model, result in TRACKS.items():
        put(store, model, result)
    rebuild(store)
    return store


def file_of(store: Store, name: str) -> str:
    return (store.board_dir("sparkle", KEY) / name).read_text(encoding="utf-8")


def csv_of(store: Store) -> dict[str, dict[str, str]]:
    return {row["model"]: row for row in csv.DictReader(file_of(store, "leaderboard.csv").splitlines())}


def test_each_track_has_ranks_of_its_own_and_that_of_the_instruction_alone_comes_first(tracks: Store) -> None:
    placed = [(row["track"], row["place"], row["model"]) for row in csv_of(tracks).values()]
    assert placed == [
        ("instruction", "1", "plain-better"),
        ("instruction", "2", "plain-worse"),
        ("first frame", "1", "framed"),
        ("masks", "1", "masked-best"),
        ("masks", "1", "masked-tied"),
        ("masks", "3", "masked-last"),
        ("first frame", "", "framed-gappy"),
        ("instruction", "", "plain-gappy"),
        ("masks", "", "masked-elsewhere"),
    ]


def test_tracks_do_not_change_a_mark(tracks: Store) -> None:
    for model, row in csv_of(tracks).items():
        low = expected(TRACKS[model], gap=1)
        assert math.isclose(float(row["overall_low"]), low["overall"], abs_tol=5e-5)


def test_what_is_declared_stands_in_the_csv_and_the_rest_is_empty_or_unknown(tracks: Store) -> None:
    names = ("track", "parameters", "license", "made_by", "overlap")
    found = {model: tuple(row[name] for name in names) for model, row in csv_of(tracks).items()}
    assert found["masked-best"] == ("masks", "14000000000", "Apache-2.0", "others", "yes")
    assert found["framed"] == ("first frame", "", "", "", "no")
    assert found["plain-better"] == ("instruction", "", "", "", "unknown")
    assert found["plain-worse"] == ("instruction", "", "", "", "unknown"), "one denial of two leaves it open"


def test_json_has_all_that_is_declared(tracks: Store) -> None:
    rows = {row["model"]: row for row in json.loads(file_of(tracks, "leaderboard.json"))["rows"]}
    assert rows["masked-best"]["declared"] == FULL
    assert rows["plain-better"]["declared"] == {}
    assert (rows["masked-best"]["parameters"], rows["plain-better"]["parameters"]) == (14_000_000_000, None)
    for model, row in csv_of(tracks).items():
        for name in ("track", "license", "made_by", "overlap"):
            assert (rows[model][name] or "") == row[name]


def test_the_page_names_each_track_above_its_rows(tracks: Store) -> None:
    page = file_of(tracks, "index.html")
    places = re.findall(
        r'<tr class="part"><th colspan="(\d+)" scope="rowgroup"><span><bdi>(.*?)</bdi>|class="model"><bdi>([a-z-]+)<',
        page,
    )
    shown = [heading or model for _, heading, model in places if heading or model in TRACKS]
    assert shown == [
        "Track: instruction", "plain-better", "plain-worse", "Track: first frame", "framed",
        "Track: masks", "masked-best", "masked-tied", "masked-last",
        "Not ranked", "framed-gappy", "plain-gappy", "masked-elsewhere",
    ]  # fmt: skip
    widths = {int(width) for width, _, _ in places if width}
    assert widths == {len(re.findall("<th[ >]", page.partition("<thead>")[2].partition("</tr")[0]))}


def test_a_board_of_one_track_has_no_headings(board: Path) -> None:
    assert "Track: " not in (board / "index.html").read_text(encoding="utf-8")


def test_page_and_markdown_show_what_is_declared_in_the_models_cell(tracks: Store) -> None:
    page = skeleton(file_of(tracks, "index.html"))
    assert "Wan2.1 *VACE*, 1.0, 14B, Apache-2.0, videos by others (Example Lab)" in "".join(page.text)
    assert LINK in page.links
    assert {f"leaderboard.{kind}" for kind in ("csv", "json", "md", "tex")} <= set(page.links)
    assert ("a", ("href", "rel")) in page.tags
    line = next(line for line in file_of(tracks, "leaderboard.md").splitlines() if "masked-best" in line)
    plain = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", line)
    assert f"| masked-best: [Wan2.1 *VACE*](<{LINK}>), 1.0, 14B, Apache-2.0, videos by others (Example Lab) |" in plain
    assert "| masks |" in line
    assert "| yes |" in line


def test_a_board_with_declarations_is_the_same_bytes_in_any_order(tmp_path: Path, tracks: Store) -> None:
    store = Store(root=tmp_path)
    for model in reversed(TRACKS):
        put(store, model, TRACKS[model])
    rebuild(store)
    assert contents(tmp_path / "leaderboards") == contents(tracks.root / "leaderboards")
    before = everything(tmp_path)
    rebuild(store)
    assert everything(tmp_path) == before


def test_a_new_declaration_moves_a_row_to_its_track(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "a", Result(marks=[5] * 5))
    put(store, "b", Result(marks=[4] * 5))
    (before,) = rebuild(store)
    told = {**(store.read_run("a") or {}), "declared": said(inputs=MASKS)}
    store.write_run("a", told, tuple(SAMPLES))
    (after,) = rebuild(store)
    assert [(row.track, row.place, row.entry.model) for row in before.rows] == [
        ("instruction", 1, "a"), ("instruction", 2, "b")
    ]  # fmt: skip
    assert [(row.track, row.place, row.entry.model) for row in after.rows] == [
        ("instruction", 1, "b"), ("masks", 1, "a")
    ]  # fmt: skip
    assert after.tracks == ("instruction", "masks")


COUNTS = {
    1000: "1K", 1500: "1.5K", 999_499: "999K", 999_500: "1M", 850_000_000: "850M", 1_300_000_000: "1.3B",
    13_960_000_000: "14B", 999_700_000_000: "1T", 10**14: "100T",
}  # fmt: skip


@pytest.mark.parametrize(("count", "shown"), COUNTS.items())
def test_a_number_of_parameters_is_shown_in_three_digits(count: int, shown: str) -> None:
    assert report.parameters(count) == shown


# -- text that tries to be more than text ----------------------------------------------------------------------------

HOSTILE: dict[str, str] = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onload="alert(1)" x=\'',
    "entity": "&lt;b&gt; & &amp;",
    "table": "a|b||c",
    "line break": "a\n| 1 | b |",
    "code": "`a``b`",
    "picture": "![a](http://127.0.0.1/b.png)",
    "emphasis": "*a* _b_ **c**",
    "mathematics": "$a_{b}$ $\\frac$",
    "one dollar": "cheap $",
    "template": "{{ 7 * 7 }} {% raw %}",
    "backslash": "a\\",
    "percent": "100% %s",
}


class Skeleton(HTMLParser):
    """The tags of a page with their attributes, links and addresses aside, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [address for name, address in attrs if tag == "a" and name == "href"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def skeleton(page: str) -> Skeleton:
    parser = Skeleton()
    parser.feed(page)
    parser.close()
    return parser


def a_board(tmp_path: Path, text: str) -> Board:
    """A board of two models on which everything that is free text is `text`.

    The store lets no such model or key in; a board whose results were made elsewhere must be safe all the same.
    """
    store = Store(root=tmp_path)
    samples = [replace(sample, theme=text if sample.theme == "style" else sample.theme) for sample in SAMPLES]
    words = f"a {folded(text)}"  # what a card may hold: one line that begins with a letter
    declared = said(
        words,
        model={"version": words, "license": words, "link": LINK},
        made_by={"who": "others", "name": words},
        inputs={"other": words},
    )
    result = Result(marks=[4] * 5, samples=samples, notes=[text, "plain"], code_version=text, declared=declared)
    put(store, "a", result)
    put(store, "b", replace(result, marks=[3, 3, 3, 3, "unanswered"]))
    first, second = (replace(read_entry(store, model, KEY), model=f"{text}{model}") for model in ("a", "b"))
    return replace(ranked_board("sparkle", KEY, [first, second]), benchmark=text, judge_key=text)


def board_of(entry: Entry) -> Board:
    """A board of one result."""
    return ranked_board("sparkle", KEY, [entry])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_only_text_on_the_page(tmp_path: Path, text: str) -> None:
    tame = skeleton(report.page(a_board(tmp_path / "tame", "tame")))
    page = skeleton(report.page(a_board(tmp_path / "hostile", text)))
    assert page.tags == tame.tags
    assert page.links == tame.links
    assert folded("".join(page.text)).count(folded(text)) == "".join(tame.text).count("tame") > 15


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1"])
def test_no_cell_of_the_csv_is_a_formula(tmp_path: Path, text: str) -> None:
    table = leaderboard.to_frame(a_board(tmp_path, text)).to_csv(index=False)
    cells = [cell for row in csv.reader(io.StringIO(table, newline="")) for cell in row]
    assert sum(text.strip() in cell for cell in cells) > 5, table
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []


def test_no_cell_of_the_derived_tables_is_a_formula(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    samples = [replace(sample, subtheme=f"={sample.subtheme}", scene="@now\r=1+1") for sample in SAMPLES]
    put(store, "a", Result(marks=[4] * 5, samples=samples))
    rebuild(store)
    content = next(tmp_path.glob("results/a/judged/*/scores.csv")).read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert {row["scene"] for row in rows} == {"'@now =1+1"}
    assert all(row["subtheme"].startswith("'=") for row in rows)


def folded(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_only_text_on_the_index(tmp_path: Path, text: str) -> None:
    tame = skeleton(report.index([a_board(tmp_path / "tame", "tame")]))
    page = skeleton(report.index([a_board(tmp_path / "hostile", text)]))
    assert page.tags == tame.tags
    assert "".join(page.text).count(text) == "".join(tame.text).count("tame") == 4


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_in_its_cell_in_markdown(tmp_path: Path, text: str) -> None:
    tame = report.markdown(a_board(tmp_path / "tame", "tame")).splitlines()
    lines = report.markdown(a_board(tmp_path / "hostile", text)).splitlines()
    assert len(lines) == len(tame)
    for line, tame_line in zip(lines, tame, strict=True):
        # Markdown's own rule: a backslash makes punctuation plain
        bare, tame_bare = (re.sub(r"\\[!-/:-@\[-`{-~]", "", one) for one in (line, tame_line))
        for special in "|`<*_[]~&":
            assert bare.count(special) == tame_bare.count(special), (special, line)


def test_dollars_in_markdown_are_not_mathematics(tmp_path: Path) -> None:
    text = report.markdown(a_board(tmp_path, HOSTILE["mathematics"]))
    assert not re.search(r"(?<!\\)\$", text)


@pytest.mark.parametrize("text", [text for text in HOSTILE.values() if "\n" not in text], ids=repr)
def test_hostile_text_is_only_text_in_the_figures(tmp_path: Path, text: str) -> None:
    made = a_board(tmp_path, text)
    for name, figure in plots.figures(made).items():
        file = tmp_path / f"{name}.svg"
        file.write_bytes(plots.render(figure, "svg"))
        words = texts(file)
        unnamed = name in ("radar", "speed")  # panels may be cut to a few letters; nothing is known of its speed
        assert unnamed or any(word.startswith((text + "a")[:20].strip()) for word in words), (name, words)
        tags = {node.tag.rpartition("}")[2] for node in ElementTree.parse(file).getroot().iter()}
        assert not tags & {"script", "foreignObject", "a", "b"}


HOSTILE_DOCUMENTS: dict[str, dict[str, str]] = {
    "date": {"date": "a|b<i>`*d"},
    "version": {"version": "`<b>|`" * 10},
}


@pytest.mark.parametrize("fields", HOSTILE_DOCUMENTS.values(), ids=HOSTILE_DOCUMENTS)
def test_a_date_or_version_made_up_by_a_stranger_does_not_break_the_table(
    tmp_path: Path, fields: Mapping[str, Any]
) -> None:
    store = Store(root=tmp_path)
    put(store, "a", replace(Result(marks=[4] * 5), **fields))
    made = board_of(read_entry(store, "a", KEY))
    lines = report.markdown(made).splitlines()
    header, row = (line for line in lines if line.startswith(("| rank", "| 1 ")))
    assert [re.sub(r"\\.", "", line).count("|") for line in (header, row)] == [19, 19]
    assert "<" not in re.sub(r"\\.", "", "\n".join(lines))
    assert "<i>" not in report.page(made)


# -- results that are damaged or mean harm ---------------------------------------------------------------------------


def declaring(said: bytes) -> bytes:
    """A `run.json` in which something is declared."""
    head = b'{"benchmark": {"name": "sparkle", "digest": "a1", "samples": 5, "partial": true}, "editor": {}, '
    return head + b'"declared": ' + said + b"}"


DAMAGED: dict[str, tuple[str, bytes]] = {
    "judge.json is empty": (f"judged/{KEY}/judge.json", b""),
    "judge.json is no object": (f"judged/{KEY}/judge.json", b"[]"),
    "judge.json has no fields": (f"judged/{KEY}/judge.json", b"{}"),
    "judge.json has a bad rubric": (f"judged/{KEY}/judge.json", b'{"rubric": 4, "repeats": 1}'),
    "run.json is cut off": ("run.json", b'{"model": "a"'),
    "run.json has no fields": ("run.json", b"{}"),
    "samples.jsonl is empty": ("samples.jsonl", b""),
    "samples.jsonl has a foreign line": ("samples.jsonl", b'{"id": 1}\n'),
    "edits.jsonl has a foreign line": ("edits.jsonl", b"[]\n"),
    "run.json declares nothing": ("run.json", declaring(b"null")),
    "run.json declares a text": ("run.json", declaring(b'"Wan"')),
    "run.json declares a list": ("run.json", declaring(b'[{"model": {"name": "a"}}]')),
    "run.json declares no name": ("run.json", declaring(b'{"inputs": {"masks": true}}')),
    "run.json declares an unknown thing": ("run.json", declaring(b'{"model": {"name": "a"}, "best": {"by": "far"}}')),
    "run.json declares a script": ("run.json", declaring(b'{"model": {"name": "a", "link": "javascript:alert(1)"}}')),
    "run.json declares half a pair": ("run.json", declaring(b'{"model": {"name": "a\\ud800"}}')),
    "run.json declares a formula": ("run.json", declaring(b'{"model": {"name": "a", "license": "=1+1"}}')),
    "run.json declares no number": ("run.json", declaring(b'{"model": {"name": "a"}, "settings": {"guidance": NaN}}')),
    "run.json declares a bomb": (
        "run.json",
        declaring(b'{"model": {"name": "a", "parameters": 1' + b"0" * 4000 + b"}}"),
    ),
    "judgments.jsonl has a bad mark": (
        f"judged/{KEY}/judgments.jsonl",
        b'{"sample_id": "a", "edit_sha256": "b", "scores": {"visual": 4.5}}\n',
    ),
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_reported_by_its_name_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    store = Store(root=tmp_path)
    put(store, "model-a", Result(marks=[4] * 5))
    (store.model_dir("model-a") / name).write_bytes(content)
    with pytest.raises(StoreError) as caught:
        rebuild(store)
    assert "model-a" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_declaration_by_hand_is_refused_for_what_it_declares(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "model-a", Result(marks=[4] * 5))
    run = store.model_dir("model-a") / "run.json"
    run.write_bytes(declaring(b'{"model": {"name": "a", "rank": 1}}'))
    with pytest.raises(
        StoreError, match=r"results/model-a/run\.json declares what cannot be: unknown key 'rank' in \[model"
    ):
        rebuild(store)
    run.write_bytes(declaring(b'{"model": {"name": "a"}}'))
    (only,) = rebuild(store)
    assert only.rows[0].entry.declared is not None


def test_a_line_cut_off_by_a_crash_is_ignored(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    put(store, "a", Result(marks=[4] * 5))
    (before,) = rebuild(store)
    with (store.judged_dir("a", KEY) / "judgments.jsonl").open("ab") as file:
        file.write(b'{"sample_id": "Sparkle_location_000001", "edit_sh')
    (after,) = rebuild(store)
    assert leaderboard.to_json(after) == leaderboard.to_json(before)


def test_a_benchmark_name_cannot_lead_a_board_out_of_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "root"
    store = Store(root=root)
    put(store, "a", Result(marks=[4] * 5, benchmark="../../../outside"))
    with pytest.raises(StoreError, match="outside"):
        rebuild(store)
    assert not (tmp_path / "outside").exists()
