"""The demo: its known answers hold, it is done once, it goes on after a kill, and it checks a real judge."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import cli
from tests.conftest import DemoRun
from tests.fake_judge import Answer, FakeJudge, serving, verdict

DIMENSIONS = ("instruction", "visual", "fg_integrity", "fg_motion", "bg_dynamics", "bg_visual")
SPOILED = {
    "static-background": "bg_dynamics",
    "damaged-subject": "fg_integrity",
    "retimed": "fg_motion",
    "blurred-background": "bg_visual",
    "day-lit-subject-at-night": "visual",
}


@pytest.fixture(scope="module")
def rows(demo_run: DemoRun) -> dict[str, dict[str, float]]:
    """The board's rows by model, read from its CSV."""
    path = next(demo_run.root.glob("leaderboards/sparkle/*/leaderboard.csv"))
    names = ("rank", "overall", "n", "of", *DIMENSIONS)
    return {r["model"]: {n: float(r[n]) for n in names} for r in csv.DictReader(path.read_text().splitlines())}


def test_the_right_edit_is_first_and_the_source_last(rows: dict[str, dict[str, float]]) -> None:
    assert set(rows) == {"composite", "identity", "wrong-background", *SPOILED}
    assert all((row["n"], row["of"]) == (12, 12) for row in rows.values())
    assert rows["composite"]["rank"] == 1
    assert rows["composite"]["overall"] > 4.5
    assert rows["identity"]["rank"] == 8
    assert rows["identity"]["instruction"] == 1.0


@pytest.mark.parametrize(("model", "dimension"), SPOILED.items())
def test_a_spoiled_edit_loses_most_where_it_is_spoiled(
    model: str, dimension: str, rows: dict[str, dict[str, float]]
) -> None:
    losses = {key: rows["composite"][key] - rows[model][key] for key in DIMENSIONS}
    others = max(loss for key, loss in losses.items() if key != dimension)
    assert losses[dimension] > 1.0
    assert losses[dimension] > 1.5 * others


def test_a_wrong_background_is_beyond_the_embedded_judge_and_the_demo_says_so(
    rows: dict[str, dict[str, float]], demo_run: DemoRun
) -> None:
    assert rows["wrong-background"]["instruction"] == rows["composite"]["instruction"]
    answers = {answer["model"]: answer for answer in demo_run.said["answers"]}
    assert answers["wrong-background"]["blind"]
    assert not answers["wrong-background"]["as_known"]
    assert all(answer["as_known"] for name, answer in answers.items() if name != "wrong-background")
    assert {name: answers[name]["loses"] for name in SPOILED} == SPOILED
    again = cli.run("demo", cwd=demo_run.root.parent, timeout=300)
    assert "no: cannot see content" in again.stdout
    assert "This judge is no vision-language model" in again.stdout


def test_the_board_and_the_page_are_where_it_says(demo_run: DemoRun) -> None:
    page = demo_run.root.parent / str(demo_run.said["board"])
    assert page.is_file()
    assert "composite" in page.read_text()


def everything(root: Path) -> dict[str, bytes]:
    """Every file but locks and memories; a slow machine may remember a copied file's hash that a quick one does not."""
    files = [p for p in root.rglob("*") if p.is_file() and not {".locks", ".cache"} & set(p.parts)]
    return {str(p.relative_to(root)): p.read_bytes() for p in files}


def test_a_finished_demo_does_nothing_again(demo_run: DemoRun, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(demo_run.root, root)
    before = everything(root)
    begun = time.monotonic()
    done = cli.run("demo", "--root", root, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert everything(root) == before
    assert time.monotonic() - begun < demo_run.seconds / 2


def test_a_demo_that_was_stopped_goes_on(tmp_path: Path) -> None:
    process = cli.start("demo", cwd=tmp_path)
    results = tmp_path / "sparkle-demo" / "results"
    until(lambda: len(list(results.glob("*/signals.jsonl"))) >= 1)
    process.kill()
    process.communicate()
    before = edited(results)
    assert before
    process = cli.start("demo", cwd=tmp_path)
    until(lambda: edited(results) > before)
    process.terminate()
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "run the same command to go on" in err
    for path in results.glob("*/edits.jsonl"):
        ids = [json.loads(line)["sample_id"] for line in path.read_text().splitlines()]
        assert len(ids) == len(set(ids))


def edited(results: Path) -> int:
    return sum(path.read_text().count("\n") for path in results.glob("*/edits.jsonl"))


def until(true: Callable[[], bool]) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that within a minute")


def test_with_a_real_judge_it_is_a_check_of_that_judge(demo_run: DemoRun, tmp_path: Path) -> None:
    """A judge that gives everything the same marks fails on every known answer but the right edit and the control."""
    root = tmp_path / "copy"
    shutil.copytree(demo_run.root, root)

    def dull(body: dict[str, Any]) -> Answer:
        return Answer(text=verdict(3, 3, 3, 3, 3, 3))

    with serving(FakeJudge(answer=dull)) as fake:
        done = cli.run(
            "demo", "--root", root, "--judge-url", fake.url, "--frames", "2", "--json", cwd=tmp_path, timeout=300
        )
    assert done.returncode == 0, done.stderr
    files = root.glob("results/*/judged/tiny-judge-*/judgments.jsonl")
    judged = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    reused = [line for line in judged if "reused" in line]
    assert len(judged) == 96
    assert len(fake.requests) == 96 - len(reused), "what two editors make alike is judged once"
    answers = {answer["model"]: answer for answer in json.loads(done.stdout)["answers"]}
    assert not any(answer["blind"] for answer in answers.values())
    assert [name for name, answer in answers.items() if answer["as_known"]] == ["composite", "identity"]
    assert len(list(root.glob("leaderboards/sparkle/*/leaderboard.csv"))) == 2
    flagged = next(p for p in root.glob("leaderboards/sparkle/tiny-judge-*/leaderboard.csv"))
    row = next(r for r in csv.DictReader(flagged.read_text().splitlines()) if r["model"] == "identity")
    assert (row["flag_source_again"], row["overall"]) == ("12", "3.0000")
