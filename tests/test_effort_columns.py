"""What edits took, on the board: medians and sums by plain arithmetic, empty where nothing is known, never zero for it."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.errors import StoreError
from sparkle_bench.leaderboard import FILES, rebuild
from sparkle_bench.records import Edit, Effort, Probe, to_json
from sparkle_bench.scoring import Efforts, Evidence, efforts
from sparkle_bench.store import Store
from tests import cli
from tests.test_leaderboard import KEY, SAMPLES, Result, put

COLUMNS = (
    "seconds_per_clip", "frames_per_second", "gpu_memory_gb", "host_memory_gb", "cost_usd", "cost_per_clip_usd", "aligned",
)  # fmt: skip
NOTHING = dict.fromkeys(COLUMNS, "")


def an_edit(number: int, effort: Effort | None, **changes: Any) -> Edit:
    """Return a good edit of the sample with this number, of 80 frames."""
    sample = SAMPLES[number]
    probe = Probe(frames=80, fps=16.0, width=1280, height=704)
    edit = Edit(sample_id=sample.id, video=f"videos/{sample.edit_path}", sha256="c3" * 32, probe=probe, effort=effort)
    return replace(edit, seconds=99.0, **changes)


def failed(number: int) -> Edit:
    """Return a failed edit, which took long."""
    return Edit(sample_id=SAMPLES[number].id, error="out of memory", error_type="OutOfMemory", seconds=5000.0)


def of(*edits: Edit) -> Efforts:
    return efforts(Evidence(samples=SAMPLES, edits={edit.sample_id: edit for edit in edits}, judgments={}))


def values(took: Efforts) -> dict[str, float | None]:
    return {name: getattr(took, name) for name in COLUMNS}


# -- the arithmetic ----------------------------------------------------------------------------------------------------

FULL = (
    Effort(seconds=10.0, frames=80, aligned=True, host_memory=3 * 10**9, gpu_memory=20 * 10**9, cost=0.5),
    Effort(seconds=40.0, frames=80, aligned=True, host_memory=9 * 10**9, gpu_memory=24 * 10**9, cost=0.25),
    Effort(seconds=20.0, frames=80, aligned=False, host_memory=5 * 10**9, gpu_memory=22 * 10**9, cost=0.75),
)


def test_the_numbers_are_those_of_plain_arithmetic() -> None:
    took = of(*(an_edit(number, effort) for number, effort in enumerate(FULL)))
    assert (took.edits, took.timed, took.priced, took.timekeeping) == (3, 3, 3, 3)
    assert values(took) == {
        "seconds_per_clip": statistics.median([10, 40, 20]),
        "frames_per_second": pytest.approx(240 / 70),
        "gpu_memory_gb": 24.0,
        "host_memory_gb": 9.0,
        "cost_usd": 1.5,
        "cost_per_clip_usd": 0.5,
        "aligned": pytest.approx(2 / 3),
    }


@dataclass(frozen=True, kw_only=True)
class Case:
    """Edits, and what is known of what they took; what is left out is not."""

    edits: Sequence[Edit]
    known: dict[str, Any]


UNKNOWN: dict[str, Case] = {
    "no edit at all": Case(edits=(), known={}),
    "an editor that tells nothing, though the clock ran": Case(edits=[an_edit(0, None)], known={}),
    "an effort of which nothing is known": Case(edits=[an_edit(0, Effort(frames=80))], known={}),
    "a failed edit takes no time": Case(
        edits=[failed(0), an_edit(1, Effort(seconds=8.0))], known={"seconds_per_clip": 8.0, "frames_per_second": 10.0}
    ),
    "no time is no speed": Case(edits=[an_edit(0, Effort(seconds=0.0))], known={}),
    "no memory is none that is known": Case(edits=[an_edit(0, Effort(host_memory=0, gpu_memory=0))], known={}),
    "one that costs nothing": Case(
        edits=[an_edit(0, Effort(cost=0.0))], known={"cost_usd": 0.0, "cost_per_clip_usd": 0.0}
    ),
    "a sum of which a part is not known": Case(
        edits=[an_edit(0, Effort(cost=0.5)), an_edit(1, None)], known={"cost_per_clip_usd": 0.5}
    ),
    "aligned, as far as it is known": Case(
        edits=[an_edit(0, Effort(aligned=True)), an_edit(1, Effort(frames=80))], known={"aligned": 1.0}
    ),
    "not aligned": Case(edits=[an_edit(0, Effort(aligned=False))], known={"aligned": 0.0}),
    "an edit that nobody here has seen": Case(
        edits=[Edit(sample_id=SAMPLES[0].id, sha256="c3" * 32, unseen=True, effort=Effort(seconds=1.0))], known={}
    ),
}


@pytest.mark.parametrize("case", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_is_none(case: Case) -> None:
    took = of(*case.edits)
    assert {name: value for name, value in values(took).items() if value is not None} == case.known
    assert took.known == bool(case.known)


def test_edits_of_another_benchmark_do_not_count() -> None:
    stray = replace(an_edit(0, Effort(seconds=1000.0)), sample_id="Sparkle_time_999999")
    assert of(stray, an_edit(1, Effort(seconds=2.0))).seconds_per_clip == 2.0


RUBBISH: dict[str, dict[str, Any]] = {
    "a text": {"seconds": "fast"},
    "a truth": {"cost": True},
    "not a number": {"seconds": float("nan")},
    "for ever": {"seconds": float("inf")},
    "less than nothing": {"cost": -5.0},
    "more than there is": {"gpu_memory": 10**30},
    "a list": {"host_memory": [1]},
}


@pytest.mark.parametrize("values", RUBBISH.values(), ids=RUBBISH)
def test_what_cannot_be_is_no_effort(values: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=f"an effort's {next(iter(values))} cannot be"):
        Effort(**values)


# -- the board ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two results: one whose editor told what its edits took, and one that was handed in."""
    results = Store(root=tmp_path_factory.mktemp("results"))
    for model in ("measured", "handed-in"):
        put(results, model, Result(marks=[5, 4, 3, "failed", 2]))
    for number, effort in enumerate(FULL):
        results.append_edit("measured", an_edit(number, effort))
    run = results.read_run("measured")
    assert run is not None
    machine = {"hardware": {"cpus": 8, "gpus": ["NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3"]}}
    results.write_run("measured", {**run, **machine}, SAMPLES)
    rebuild(results)
    return results


@pytest.fixture(scope="module")
def board(store: Store) -> Path:
    """The folder of its board."""
    return store.board_dir("sparkle", KEY)


def test_the_csv_has_the_columns_and_they_are_empty_where_nothing_is_known(board: Path) -> None:
    with (board / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert {name: rows["handed-in"][name] for name in COLUMNS} == NOTHING
    assert {name: rows["measured"][name] for name in COLUMNS} == {
        "seconds_per_clip": "20.0000",
        "frames_per_second": "3.4286",
        "gpu_memory_gb": "24.0000",
        "host_memory_gb": "9.0000",
        "cost_usd": "",
        "cost_per_clip_usd": "0.5000",
        "aligned": "0.6667",
    }


def test_json_says_on_how_many_edits_the_numbers_stand(board: Path) -> None:
    rows = {row["model"]: row for row in json.loads((board / "leaderboard.json").read_text(encoding="utf-8"))["rows"]}
    assert rows["measured"]["efforts"] == {"edits": 4, "timed": 3, "priced": 3, "timekeeping": 3}
    assert rows["measured"]["machine"] == "2 x NVIDIA H100 80GB HBM3"
    assert rows["measured"]["seconds_per_clip"] == 20.0
    assert rows["handed-in"]["efforts"] == {"edits": 4, "timed": 0, "priced": 0, "timekeeping": 0}
    assert [rows["handed-in"][name] for name in COLUMNS] == [None] * len(COLUMNS)


@pytest.mark.parametrize("name", ["leaderboard.md", "index.html"])
def test_the_page_has_a_table_of_those_that_are_known(board: Path, name: str) -> None:
    text = (board / name).read_text(encoding="utf-8")
    _, title, part = text.partition("Speed, memory and cost")
    assert title
    part = part.partition("## Made again")[0].partition("</table>")[0]
    assert "measured" in part
    assert "handed-in" not in part
    for value in ("20", "3.43", "24", "9", "0.5", "67%", "2 x NVIDIA H100 80GB HBM3"):
        assert value in part, value
    assert "the median over its edits" in text.partition("Speed, memory and cost")[2]


def test_a_board_of_which_nothing_is_known_has_no_such_table(tmp_path: Path) -> None:
    results = Store(root=tmp_path)
    put(results, "handed-in", Result(marks=[5, 4, 3, 2, 1]))
    rebuild(results)
    folder = results.board_dir("sparkle", KEY)
    for name in ("leaderboard.md", "index.html"):
        assert "Speed" not in (folder / name).read_text(encoding="utf-8")


def test_the_same_results_give_the_same_bytes(store: Store, board: Path) -> None:
    before = {name: (board / name).read_bytes() for name in FILES}
    rebuild(store)
    assert {name: (board / name).read_bytes() for name in FILES} == before


def test_rubbish_on_disk_is_named_and_not_averaged(tmp_path: Path) -> None:
    results = Store(root=tmp_path)
    put(results, "odd", Result(marks=[5, 4, 3, 2, 1]))
    line = {**to_json(an_edit(0, Effort(seconds=1.0))), "effort": {"seconds": -1.0}}
    with (results.model_dir("odd") / "edits.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(StoreError, match=r"edits.jsonl line \d+ is damaged \(an effort's seconds cannot be -1.0\)"):
        rebuild(results)


HOSTILE = {"hardware": {"gpus": ["<script>alert(1)</script>", "a|b\nc", 7, *(f"card {n}" for n in range(500))]}}


def test_a_machine_that_a_stranger_named_breaks_no_table(tmp_path: Path) -> None:
    results = Store(root=tmp_path)
    put(results, "odd", Result(marks=[5, 4, 3, 2, 1]))
    results.append_edit("odd", an_edit(0, FULL[0]))
    results.write_run("odd", {**(results.read_run("odd") or {}), **HOSTILE}, SAMPLES)
    rebuild(results)
    folder = results.board_dir("sparkle", KEY)
    assert "<script>" not in (folder / "index.html").read_text(encoding="utf-8")
    line = next(
        line
        for line in (folder / "leaderboard.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| odd") and "\\<script\\>" in line
    )
    assert line.count("|") - line.count("\\|") == 10
    assert len(line) < 500


# -- one sample --------------------------------------------------------------------------------------------------------


def test_show_says_what_the_edit_took(store: Store) -> None:
    done = cli.run("show", "measured", SAMPLES[2].id, cwd=store.root)
    assert done.returncode == 0, done.stderr
    assert (
        "took: 20.0 s of the model's own (4 frames per second), given 80 frames, frames not aligned with the source's, "
        "22.0 GB of GPU memory, 5.0 GB of memory, $0.75"
    ) in done.stdout
    assert "took:" not in cli.run("show", "handed-in", SAMPLES[2].id, cwd=store.root).stdout
