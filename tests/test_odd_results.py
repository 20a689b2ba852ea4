"""Results that are damaged, made up or strange: one line that names them, or a board that is right; never a traceback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sparkle_bench import disk
from sparkle_bench.errors import StoreError
from sparkle_bench.leaderboard import INDEX, rebuild
from sparkle_bench.records import Edit
from sparkle_bench.store import Store
from tests.made_results import Made, names, write

MADE = Made(models=3, samples=24, repeats=1, gappy=0, partial=0)
KEY = MADE.judges[0]
ODD = names(MADE)[1]
HALF = "exit 1: \ud83d no"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    write(tmp_path, MADE)
    return Store(root=tmp_path)


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")


def relabel(store: Store, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Change every sample of every result."""
    for model in names(MADE):
        path = store.model_dir(model) / "samples.jsonl"
        lines = [json.dumps(change(json.loads(line))) for line in path.read_text(encoding="utf-8").splitlines()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_half_a_character_in_an_error_stops_no_board(store: Store) -> None:
    """What a program prints may be cut anywhere."""
    first = next(iter(store.samples(ODD)))
    store.append_edit(ODD, Edit(sample_id=first.id, error=HALF, error_type="EditorError"))
    rebuild(store)
    time.sleep(2.1)  # only what has lain for two seconds is remembered
    rebuild(store)
    assert (store.root / "results" / ".cache" / "entries" / ODD / f"{KEY}.json").is_file()
    scores = pd.read_csv(store.judged_dir(ODD, KEY) / "scores.csv")
    assert "exit 1: \\ud83d no" in set(scores["error"].dropna())
    rebuild(store)


@pytest.mark.parametrize("name", ["run.json", f"judged/{KEY}/judge.json"])
def test_half_a_character_in_what_a_result_says_of_itself_is_left_out(store: Store, name: str) -> None:
    change(store.model_dir(ODD) / name, code_version=f"1.0 {HALF}")
    (board,) = rebuild(store)
    said = json.loads((store.board_dir("sparkle", KEY) / "leaderboard.json").read_text(encoding="utf-8"))
    assert len(board.rows) == 3
    assert "1.0 exit 1: ? no" in json.dumps(said)


@pytest.mark.parametrize("label", ["subtheme", "scene", "instruction"])
def test_half_a_character_in_a_sample_is_refused(store: Store, label: str) -> None:
    relabel(store, lambda sample: {**sample, label: f"{sample[label]} \ud83d"})
    with pytest.raises(StoreError, match=r"samples\.jsonl holds half a character"):
        rebuild(store)


@pytest.mark.parametrize("repeats", [0, -1, 101, 100_000])
def test_repeats_that_cannot_be_are_refused(store: Store, repeats: int) -> None:
    change(store.judged_dir(ODD, KEY) / "judge.json", repeats=repeats)
    with pytest.raises(StoreError, match=f"{ODD}.*asks for {repeats} repeats; 1 to 100"):
        rebuild(store)


def test_two_rubrics_under_one_judge_key_are_refused(store: Store) -> None:
    path = store.judged_dir(ODD, KEY) / "judge.json"
    rubric = json.loads(path.read_text(encoding="utf-8"))["rubric"]
    rubric["dimensions"][0]["label"] = "Something else"
    change(path, rubric=rubric)
    with pytest.raises(StoreError, match=f"results/{ODD}.*different rubrics|different rubrics.*{ODD}"):
        rebuild(store)


@pytest.mark.parametrize("theme", ["rank", "model", "overall", "instruction", "n", "bounds", "raw_visual", "command"])
def test_a_theme_that_is_called_like_a_column_is_refused(store: Store, theme: str) -> None:
    relabel(store, lambda sample: {**sample, "theme": theme} if sample["theme"] == "time" else sample)
    with pytest.raises(StoreError, match=f"called '{theme}', which is a column's name"):
        rebuild(store)


def test_a_p_in_the_table_of_pairs_is_never_nothing(store: Store) -> None:
    (board,) = rebuild(store)
    pairs = pd.read_csv(store.board_dir("sparkle", KEY) / "pairs.csv", dtype=str)
    assert all(float(p) > 0 for p in (*pairs.p, *pairs.p_adjusted))
    (contest,) = board.contests.values()
    places = [(contest.models.index(a), contest.models.index(b)) for a, b in zip(pairs.model, pairs.other, strict=True)]
    assert [float(p) for p in pairs.p] == pytest.approx([float(contest.pairs.p[place]) for place in places], rel=1e-5)


def test_flags_do_not_outlive_their_signals(tmp_path: Path) -> None:
    write(tmp_path, Made(models=2, samples=8, repeats=1, signals=True))
    store = Store(root=tmp_path)
    rebuild(store)
    (found, *_) = tmp_path.glob("results/*/judged/*/flags.csv")
    (found.parent.parent.parent / "signals.jsonl").unlink()
    rebuild(store)
    assert not found.exists()


def test_once_all_verdicts_are_gone_nothing_links_to_their_boards(store: Store) -> None:
    rebuild(store)
    assert all(store.boards_index().with_name(name).is_file() for name in INDEX)
    for path in store.root.glob("results/*/judged/*/judge.json"):
        path.unlink()
    assert rebuild(store) == []
    assert not [name for name in INDEX if store.boards_index().with_name(name).exists()]


def test_a_document_with_half_a_character_can_be_written_and_read_again(tmp_path: Path) -> None:
    disk.write(tmp_path / "a.json", disk.pretty({"error": HALF}))
    assert disk.read_json(tmp_path / "a.json") == {"error": HALF}


def test_the_control_is_whoever_left_the_source_unchanged_whatever_it_is_called(store: Store) -> None:
    (before,) = rebuild(store)
    assert [row.entry.model for row in before.rows if row.entry.is_control] == ["identity"]
    store.model_dir("identity").rename(store.model_dir("unchanged"))
    (after,) = rebuild(store)
    assert [row.entry.model for row in after.rows if row.entry.is_control] == ["unchanged"]
    text = (store.board_dir("sparkle", KEY) / "leaderboard.md").read_text(encoding="utf-8")
    assert "unchanged (control)" in text
    assert "No control stands here" not in text


def test_a_board_without_the_control_says_so(store: Store) -> None:
    for path in store.model_dir("identity").rglob("run.json"):
        path.unlink()
    (board,) = rebuild(store)
    assert not board.has_control
    for name in ("leaderboard.md", "index.html"):
        assert "No control stands here" in (store.board_dir("sparkle", KEY) / name).read_text(encoding="utf-8")
