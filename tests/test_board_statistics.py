"""What a board says of how sure it is: ranks that may be shared, intervals, pairs, what it can tell apart."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparkle_bench.leaderboard import Board, ranked_board, read_entry, rebuild
from sparkle_bench.stats import Interval
from sparkle_bench.store import Store
from tests.made_results import Made, names, write

MADE = Made(models=14, samples=120, repeats=2, gappy=7, partial=9)
KEY = MADE.judges[0]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Fourteen results with their board; tests only look at it."""
    root = tmp_path_factory.mktemp("statistics")
    write(root, MADE)
    store = Store(root=root)
    rebuild(store)
    return store


@pytest.fixture(scope="module")
def board(store: Store) -> Board:
    return ranked_board("sparkle", KEY, [read_entry(store, model, KEY) for model in names(MADE)])


@pytest.fixture(scope="module")
def table(store: Store) -> pd.DataFrame:
    return frame(store, "leaderboard")


@pytest.fixture(scope="module")
def data(store: Store) -> dict[str, Any]:
    path = store.board_dir("sparkle", KEY) / "leaderboard.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def frame(store: Store, name: str) -> pd.DataFrame:
    found: pd.DataFrame = pd.read_csv(store.board_dir("sparkle", KEY) / f"{name}.csv", keep_default_na=False)
    return found


def lines(table: pd.DataFrame) -> list[Any]:
    """The rows, each with its columns as attributes."""
    return [*table.itertuples()]


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    rows: pd.DataFrame = table[table["rank"] != ""]
    return rows


def test_incomplete_results_have_neither_rank_nor_interval(table: pd.DataFrame) -> None:
    below = table[table["rank"] == ""]
    assert len(below) > 1
    for name in ("rank_low", "rank_high", "group", "place", "overall_ci_low", "rank_uncapped"):
        assert set(below[name]) == {""}, name


def test_a_rank_is_one_more_than_how_many_were_found_better_or_that_of_the_row_above(
    store: Store, table: pd.DataFrame
) -> None:
    pairs = frame(store, "pairs")
    for track, rows in ranked(table).groupby("track", sort=False):
        highest = 1
        for row in lines(rows):
            better = pairs[(pairs.track == track) & (pairs.other == row.model) & (pairs["apart"])]
            highest = max(highest, 1 + len(better))
            assert int(row.rank) == highest
            assert int(row.rank_low) <= int(row.rank) <= int(row.rank_high) <= len(rows)
        assert [float(value) for value in rows.overall] == sorted(map(float, rows.overall), reverse=True)


def test_two_models_share_a_letter_exactly_if_they_are_not_told_apart(store: Store, table: pd.DataFrame) -> None:
    groups = dict(zip(table.model, table.group, strict=True))
    pairs = frame(store, "pairs")
    assert {True, False} == set(pairs["apart"])
    for pair in lines(pairs):
        assert bool(set(groups[pair.model]) & set(groups[pair.other])) == (not pair.apart), pair


def test_pairs_are_all_of_a_track_once_the_better_first(store: Store, table: pd.DataFrame) -> None:
    pairs = frame(store, "pairs")
    overall = {row.model: float(row.overall) for row in lines(ranked(table))}
    wanted = set()
    for _, rows in ranked(table).groupby("track"):
        wanted |= {frozenset(pair) for pair in itertools.combinations(rows.model, 2)}
    assert [frozenset(pair) for pair in zip(pairs.model, pairs.other, strict=True)].__len__() == len(wanted)
    assert {frozenset(pair) for pair in zip(pairs.model, pairs.other, strict=True)} == wanted
    for pair in lines(pairs):
        assert float(pair.difference) == pytest.approx(overall[pair.model] - overall[pair.other], abs=2e-4)
        assert float(pair.difference) >= 0
        assert float(pair.ci_low) <= float(pair.difference) <= float(pair.ci_high)
        assert pair.apart == (float(pair.p_adjusted) < 0.05)
        assert float(pair.p) <= float(pair.p_adjusted)


def test_the_control_is_last_and_alone(table: pd.DataFrame) -> None:
    rows = ranked(table)
    control = rows[(rows.model == "identity")].iloc[0]
    others = rows[(rows.model != "identity") & (rows.track == control.track)]
    assert int(control["rank"]) == len(others) + 1
    assert not set(control.group) & set("".join(others.group))


def test_intervals_stand_in_csv_and_json_alike_and_hold_their_number(table: pd.DataFrame, data: dict[str, Any]) -> None:
    for row, line in zip(data["rows"], table.to_dict("records"), strict=True):
        if row["rank"] is None:
            assert row["intervals"] == {} == row["raw_intervals"]
            continue
        assert row["intervals"]["overall"] == [float(line["overall_ci_low"]), float(line["overall_ci_high"])]
        for name, (low, high) in row["intervals"].items():
            assert 1 <= low <= row[name] <= high <= 5
        for name, (low, high) in row["raw_intervals"].items():
            number = row["overall_uncapped"] if name == "overall" else row[f"raw_{name}"]
            assert 1 <= low <= number <= high <= 5
            assert name == "overall" or number >= row[name]


def test_subthemes_make_up_the_table_of_their_own(store: Store, board: Board, data: dict[str, Any]) -> None:
    table = frame(store, "subthemes")
    assert len(table) == len(board.rows) * len(board.design.subthemes)
    sizes = table.groupby("model")["samples"].sum()
    assert set(sizes) == {MADE.samples}
    marks = board.rows[0].entry.marks
    first = table[table.model == board.rows[0].entry.model]
    for row in lines(first):
        mine = [
            s for s, sample in enumerate(marks.samples) if (sample.theme, sample.subtheme) == (row.theme, row.subtheme)
        ]
        assert float(row.mean) == pytest.approx(marks.counts[mine].mean(), abs=5e-5)
    assert [cell["mean"] for cell in data["rows"][0]["subthemes"]] == [float(mean) for mean in first["mean"]]


def test_without_the_cap_the_numbers_are_those_of_the_raw_marks(board: Board, table: pd.DataFrame) -> None:
    rows = {row.entry.model: row for row in board.rows}
    for line in lines(ranked(table)):
        marks = rows[line.model].entry.marks
        by_theme = {theme: [] for theme in board.themes}  # type: dict[str, list[float]]
        for s, sample in enumerate(marks.samples):
            by_theme[sample.theme].append(float(marks.uncapped[s].mean()))
        assert float(line.overall_uncapped) == pytest.approx(np.mean([np.mean(m) for m in by_theme.values()]), abs=5e-5)
        assert 0 <= float(line.cap_bound) <= 1
    assert max(float(line.cap_bound) for line in lines(ranked(table))) > 0.05
    places = ranked(table)[ranked(table).track == "instruction"]
    order = sorted(lines(places), key=lambda line: -float(line.overall_uncapped))
    assert [int(line.place_uncapped) for line in order] == [*range(1, len(order) + 1)]


def test_the_board_says_what_it_can_tell_apart(board: Board, data: dict[str, Any]) -> None:
    told = data["statistics"]["tracks"]["instruction"]
    assert 0 < told["detectable"] < told["detectable_of_all"] < 2
    assert data["statistics"]["scenes"] == board.design.scenes
    assert data["rows"][0]["judge_error"] > 0


def test_the_interval_of_a_theme_is_found_by_its_name(board: Board) -> None:
    row = board.rows[0]
    assert row.intervals is not None
    for number, theme in enumerate(board.design.themes):
        assert board.interval(row, theme) == row.intervals.themes[number]
    assert isinstance(board.interval(row, "overall"), Interval)
    assert board.interval(row, "no such number") is None
    assert board.interval(board.rows[-1], "overall") is None


def test_the_order_of_the_results_changes_nothing(store: Store, board: Board) -> None:
    other = ranked_board("sparkle", KEY, [read_entry(store, model, KEY) for model in reversed(names(MADE))])
    assert [(row.entry.model, row.standing, row.intervals) for row in other.rows] == [
        (row.entry.model, row.standing, row.intervals) for row in board.rows
    ]


def test_results_whose_samples_lie_otherwise_are_not_compared(tmp_path: Path) -> None:
    """One that says it is the same version, but moved a sample to another scene, would be paired wrongly."""
    made = Made(models=3, samples=24, repeats=1, gappy=0, partial=0)
    write(tmp_path, made)
    path = Store(root=tmp_path).model_dir(names(made)[1]) / "samples.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    path.write_text("\n".join([json.dumps({**first, "scene": "elsewhere"}), *lines[1:]]) + "\n", encoding="utf-8")
    (board,) = rebuild(Store(root=tmp_path))
    (odd,) = [row for row in board.rows if row.entry.model == names(made)[1]]
    assert odd.rank is None
    assert odd.why_unranked.startswith("another version of the benchmark")
