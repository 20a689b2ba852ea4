"""`verify` and `check` from the command line: what they print, and their exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, store
from sparkle_bench.run import usage
from tests import cli
from tests.fake_judge import FakeJudge, serving
from tests.makers import write_benchmark, write_edits


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeJudge]:
    with serving(FakeJudge()) as judge:
        yield judge


@pytest.fixture(scope="module")
def honest(fake: FakeJudge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the benchmark in its usual place and an honest result; read-only."""
    root = tmp_path_factory.mktemp("honest")
    bench = write_benchmark(root / "data/Sparkle-Bench", samples_per_theme=3)
    write_edits(root / "mine", benchmark.load(bench).samples)
    done = cli.run("judge", "mine", "--judge-url", fake.url, "--no-signals", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def root(honest: Path, tmp_path: Path) -> Path:
    return shutil.copytree(honest, tmp_path / "root")


def verdicts(root: Path) -> Path:
    return next(root.glob("results/mine/judged/*/judgments.jsonl"))


def raise_marks(root: Path, *, replies: bool) -> None:
    """Give every edit the highest marks; with the replies, no trace is left on disk but in derived files."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in verdicts(root).read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["scores"] = dict.fromkeys(line["scores"], 5)
        if replies:
            line["reply"] = "".join(
                f"{letter}: 5\n" if ":" not in letter else letter for letter in _labelled(line["reply"])
            )
    verdicts(root).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    shutil.rmtree(root / "leaderboards")
    assert cli.run("leaderboard", cwd=root).returncode == 0


def _labelled(reply: str) -> list[str]:
    """Return a reply's labels, without their marks, and its other lines as they are."""
    found = []
    for line in reply.splitlines():
        label, _, mark = line.partition(":")
        found.append(label if mark.strip().isdigit() else f"{line}:\n" if ":" not in line else f"{line}\n")
    return found


@pytest.mark.parametrize("result", ["mine", "results/mine"])
def test_an_honest_result_is_named_by_name_or_folder(honest: Path, result: str) -> None:
    done = cli.run("verify", result, cwd=honest)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mine: no difference; 12 samples, 12 edits, 12 videos here" in done.stdout


def test_a_folder_is_verified_from_anywhere(honest: Path, tmp_path: Path) -> None:
    done = cli.run("verify", honest / "results/mine", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: " in done.stdout


def test_edited_marks_end_with_1_and_are_named(root: Path) -> None:
    raise_marks(root, replies=False)
    done = cli.run("verify", "mine", "--json", cwd=root)
    data = json.loads(done.stdout)
    assert (done.returncode, data["ok"], data["rejudged"]) == (1, False, None)
    assert sum("stored marks are not those of the reply" in found["what"] for found in data["differences"]) == 12
    assert "stored marks are not those of the reply" in cli.run("check", cwd=root).stdout


def test_a_deleted_verdict_ends_with_3(root: Path) -> None:
    lines = verdicts(root).read_text(encoding="utf-8").splitlines(keepends=True)
    verdicts(root).write_text("".join(lines[1:]), encoding="utf-8")
    judge = json.loads(verdicts(root).with_name("judge.json").read_text(encoding="utf-8"))
    judge["usage"] = usage(store.Store(root=root).all_judgments("mine", judge["key"]))
    verdicts(root).with_name("judge.json").write_text(json.dumps(judge), encoding="utf-8")
    assert cli.run("leaderboard", cwd=root).returncode == 0
    done = cli.run("verify", "mine", cwd=root)
    assert (done.returncode, "incomplete: " in done.stdout) == (3, True), done.stdout
    checked = cli.run("check", cwd=root)
    assert checked.returncode == 0
    assert "incomplete: " in checked.stdout


def test_what_is_consistent_on_disk_is_told_by_judging_again(root: Path, fake: FakeJudge) -> None:
    honest = cli.run("verify", "mine", "--rejudge", "100%", "--judge-url", fake.url, cwd=root)
    assert (honest.returncode, honest.stdout.splitlines()[-1]) == (0, "verdict: consistent"), honest.stdout
    raise_marks(root, replies=True)
    assert "stored marks are not those" not in cli.run("verify", "mine", cwd=root).stdout
    done = cli.run("verify", "mine", "--rejudge", "12", "--judge-url", fake.url, "--json", cwd=root)
    data = json.loads(done.stdout)
    assert (done.returncode, data["rejudged"]["verdict"]) == (1, "inconsistent")
    assert sorted(path.name for path in (root / "results/mine").iterdir() if not path.name.startswith(".")) == [
        "edits.jsonl", "judged", "run.json", "samples.jsonl", "videos",
    ]  # fmt: skip


def test_a_few_are_too_few_and_the_seed_goes_on(root: Path, fake: FakeJudge) -> None:
    words = ["verify", "mine", "--rejudge", "2", "--judge-url", fake.url, "--seed", "7"]
    asked = len(fake.requests)
    done = cli.run(*words, cwd=root)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (3, "verdict: too few to tell")
    assert "drawn with seed 7" in done.stdout
    assert len(fake.requests) - asked == 4
    assert cli.run(*words, cwd=root).returncode == 3
    assert len(fake.requests) - asked == 4


MISTAKES: dict[str, tuple[list[str], int, str]] = {
    "options that do nothing": (["verify", "mine", "--seed", "4", "--serve"], 2, "--seed, --serve is of use with --rejudge"),
    "a benchmark that is not there": (["verify", "mine", "--bench", "nowhere"], 1, "no benchmark folder at nowhere"),
    "no such result": (["verify", "other"], 1, "no result named other"),
    "no judge to ask": (["verify", "mine", "--rejudge", "10%"], 2, "no judge: pass --judge-url"),
    "no share": (["verify", "mine", "--rejudge", "some", "--judge-url", "URL"], 2, "neither a share such as 10% nor"),
    "replies read again": (
        ["verify", "mine", "--rejudge", "10%", "--judge", "replay:KEY"], 1, "replay reads stored replies again",
    ),
    "another question": (
        ["verify", "mine", "--rejudge", "10%", "--judge-url", "URL", "--frames", "4"], 1, "nothing was asked",
    ),
    "no benchmark": (
        ["verify", "mine", "--rejudge", "10%", "--judge-url", "URL", "--bench", "nowhere"], 1, "no benchmark folder at",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_line_and_what_was_found_is_not_lost(
    words: list[str], code: int, says: str, honest: Path, fake: FakeJudge
) -> None:
    key = str(verdicts(honest).parent)
    real = [word.replace("URL", fake.url).replace("KEY", key) for word in words]
    done = cli.run(*real, cwd=honest)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert ("no difference" in done.stdout) == ("--rejudge" in words and "--bench" not in words)
