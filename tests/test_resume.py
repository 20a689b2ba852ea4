"""Killing runs at random instants, and running them twice at once: nothing is lost, doubled or judged twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving
from tests.makers import write_benchmark

KILLS = 20
PER_THEME = 8
REPEATS = 3
WORKERS = 2


def lines(root: Path, name: str) -> list[dict[str, Any]]:
    """Return a result's lines, each of which must be whole."""
    return [json.loads(line) for path in root.glob(f"results/*/{name}") for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made-up") / "bench"
    write_benchmark(folder, samples_per_theme=PER_THEME)
    return folder


def test_twenty_kills_at_random_instants_then_exactly_one_verdict_each(bench: Path, tmp_path: Path) -> None:
    chance = random.Random(20)
    wanted = 4 * PER_THEME * REPEATS
    fake = FakeJudge(answer=lambda body: Answer(delay=0.15))
    left_over = []
    with serving(fake):
        words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url, "--json"]
        words += ["--repeats", str(REPEATS), "--workers", str(WORKERS), "--frames", "2"]
        for _ in range(KILLS):
            process = cli.start(*words, cwd=tmp_path)
            time.sleep(chance.uniform(0.2, 2.6))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            left_over.append(len(fake.requests))
        at_kill = len(lines(tmp_path, "judged/*/judgments.jsonl"))
        ended = cli.run(*words, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        asked = len(fake.requests)
        again = cli.run(*words, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(fake.requests) == asked, "a finished run asks nothing"

    assert len(set(left_over)) > KILLS // 3, "many of the kills hit a run at work"
    assert at_kill > 0
    judgments = lines(tmp_path, "judged/*/judgments.jsonl")
    verdicts = Counter((j["sample_id"], j["repeat"]) for j in judgments if "scores" in j)
    assert len(verdicts) == wanted
    assert set(verdicts.values()) == {1}
    assert asked <= wanted + KILLS * WORKERS, "only what was on its way at a kill is asked again"
    edits = Counter(edit["sample_id"] for edit in lines(tmp_path, "edits.jsonl") if "video" in edit)
    assert len(edits) == 4 * PER_THEME
    assert not list(tmp_path.rglob("*.part.mp4"))
    summary = json.loads(again.stdout)
    assert (summary["n"], summary["of"], summary["repeats"]) == (4 * PER_THEME, 4 * PER_THEME, REPEATS)


def test_a_line_cut_off_by_a_crash_is_overwritten(bench: Path, tmp_path: Path) -> None:
    fake = FakeJudge()
    with serving(fake):
        words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url]
        assert cli.run(*words, "--limit", "3", "--frames", "2", cwd=tmp_path).returncode == 0
        for name in ("edits.jsonl", "judged/*/judgments.jsonl"):
            path = next(tmp_path.glob(f"results/identity/{name}"))
            path.write_bytes(path.read_bytes()[:-20])
        done = cli.run(*words, "--limit", "4", "--frames", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(lines(tmp_path, "edits.jsonl")) == 4
    assert len(lines(tmp_path, "judged/*/judgments.jsonl")) == 4
    assert len(fake.requests) == 5, "three, the torn one again, and the fourth"


def test_a_damaged_line_in_the_middle_is_named_not_skipped(bench: Path, tmp_path: Path) -> None:
    with serving(FakeJudge()) as fake:
        words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url]
        assert cli.run(*words, "--limit", "3", "--frames", "2", cwd=tmp_path).returncode == 0
        path = next(tmp_path.glob("results/identity/judged/*/judgments.jsonl"))
        content = path.read_text().splitlines(keepends=True)
        path.write_text(content[0] + "{rubbish}\n" + content[2])
        done = cli.run(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "judgments.jsonl line 2 is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_same_run_twice_at_once_is_refused_and_harms_nothing(bench: Path, tmp_path: Path) -> None:
    with serving(FakeJudge(answer=lambda body: Answer(delay=0.3))) as fake:
        words: list[str | Path] = [
            "eval",
            "--model",
            "identity",
            "--bench",
            bench,
            "--judge-url",
            fake.url,
            "--frames",
            "2",
        ]
        first = cli.start(*words, "--limit", "12", "--workers", "1", cwd=tmp_path)
        deadline = time.monotonic() + 60
        while not fake.requests:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        second = cli.run(*words, cwd=tmp_path)
        _, errors = first.communicate(timeout=60)
    assert second.returncode == 1
    assert "another run is at work on identity" in second.stderr
    assert first.returncode == 0, errors
    assert len(lines(tmp_path, "judged/*/judgments.jsonl")) == 12


def test_four_shards_at_once_share_a_result(bench: Path, tmp_path: Path) -> None:
    with serving(FakeJudge(answer=lambda body: Answer(delay=0.05))) as fake:
        words: list[str | Path] = [
            "eval",
            "--model",
            "identity",
            "--bench",
            bench,
            "--judge-url",
            fake.url,
            "--frames",
            "2",
        ]
        shards = [cli.start(*words, "--shard", f"{index}/4", cwd=tmp_path) for index in range(4)]
        outcomes = [(*shard.communicate(timeout=120), shard.returncode) for shard in shards]
        assert [code for _, _, code in outcomes] == [0] * 4, outcomes
        whole = cli.run(*words, "--json", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    summary = json.loads(whole.stdout)
    assert (summary["n"], summary["rank"]) == (4 * PER_THEME, 1)
    verdicts = Counter(j["sample_id"] for j in lines(tmp_path, "judged/*/judgments.jsonl"))
    assert set(verdicts.values()) == {1}
    assert len(verdicts) == 4 * PER_THEME


def test_ctrl_c_stops_with_one_line_and_keeps_what_is_done(bench: Path, tmp_path: Path) -> None:
    with serving(FakeJudge(answer=lambda body: Answer(delay=0.3))) as fake:
        process = cli.start(
            "eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url, "--frames", "2", cwd=tmp_path
        )
        deadline = time.monotonic() + 60
        while len(lines(tmp_path, "judged/*/judgments.jsonl")) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.strip().splitlines()[-1].startswith("stopped after")
    assert "Traceback" not in errors
    assert time.monotonic() - begun < 10
    assert len(lines(tmp_path, "judged/*/judgments.jsonl")) >= 4


def test_ctrl_c_ends_the_programs_of_a_command(bench: Path, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = f"sh -c 'echo $$ > {pid_file}; sleep 60; : {{source}} {{out}}'"
    process = cli.start("edit", "--model", "command", "--option", f"cmd={command}", "--bench", bench, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline, "the program outlived the run"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")
