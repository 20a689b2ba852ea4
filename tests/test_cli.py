"""The command line: what it prints, how it ends, and one clear line for every mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sparkle_bench import benchmark
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_benchmark, write_edits


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("made-up") / "bench", samples_per_theme=2)


@pytest.fixture
def fake() -> Iterator[FakeJudge]:
    with serving(FakeJudge()) as judge:
        yield judge


@pytest.fixture
def videos(bench: Path, tmp_path: Path) -> Path:
    return write_edits(tmp_path / "handed-in", benchmark.load(bench).samples)


def board(root: Path) -> list[dict[str, str]]:
    """Return the rows of the only board."""
    import csv

    path = next(root.glob("leaderboards/sparkle/*/leaderboard.csv"))
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_missing_video_counts_one_and_the_run_is_done(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    fake.answer = lambda body: Answer(text=verdict(5, 5, 5, 5, 5, 5))
    next(videos.rglob("Sparkle_time_000001_edited.mp4")).unlink()
    words: list[str | Path] = ["judge", videos, "--name", "mine", "--bench", bench, "--judge-url", fake.url]
    refused = cli.run(*words, cwd=tmp_path)
    assert (refused.returncode, fake.requests) == (1, [])
    assert "1 of 8 samples have no video (Sparkle_time_000001)" in refused.stderr
    assert "--allow-incomplete" in refused.stderr
    done = cli.run(*words, "--allow-incomplete", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "7 of 8 samples have a video" in done.stderr
    assert "can reach 4.50 of 5 at most" in done.stderr
    row = board(tmp_path)[0]
    assert (row["rank"], row["n"], row["of"], row["no_edit"]) == ("1", "7", "8", "1")
    assert float(row["time"]) == 3.0
    assert float(row["overall"]) == 4.5
    assert float(row["scored_overall"]) == 5.0
    assert "1 edits failed" in done.stdout


def test_handing_in_only_easy_clips_does_not_help(bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path) -> None:
    fake.answer = lambda body: Answer(
        text=verdict(5, 5, 5, 5, 5, 5) if body["seed"] == 42 and "number 2" in str(body) else verdict(2, 2, 2, 2, 2, 2)
    )
    shared: list[str | Path] = ["--bench", bench, "--judge-url", fake.url]
    assert cli.run("judge", videos, "--name", "all", *shared, cwd=tmp_path).returncode == 0
    for hard in videos.rglob("*_000001_edited.mp4"):
        hard.unlink()
    assert cli.run("judge", videos, "--name", "easy-only", "--allow-incomplete", *shared, cwd=tmp_path).returncode == 0
    rows = {row["model"]: row for row in board(tmp_path)}
    assert float(rows["easy-only"]["scored_overall"]) > float(rows["all"]["scored_overall"])
    assert float(rows["easy-only"]["overall"]) < float(rows["all"]["overall"])


def test_a_missing_verdict_ends_with_3_and_stands_below_the_line(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    fake.answer = lambda body: Answer(text="I refuse." if "number 2" in str(body) else verdict(4, 4, 4, 4, 4, 4))
    words: list[str | Path] = ["judge", videos, "--bench", bench, "--judge-url", fake.url]
    done = cli.run(*words, "--json", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert len(summary["lacking_verdicts"]) == 4
    row = board(tmp_path)[0]
    assert (row["rank"], row["overall"], row["no_verdict"]) == ("", "", "4")
    assert (float(row["overall_low"]), float(row["overall_high"])) == (2.5, 4.5)
    assert row["unranked"] == "incomplete: 4 without verdict"
    fake.answer = lambda body: Answer()
    assert cli.run(*words, cwd=tmp_path).returncode == 0
    assert board(tmp_path)[0]["rank"] == "1"


def test_a_part_of_the_work_is_done_but_not_ranked(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    done = cli.run(
        "eval", "--model", "identity", "--theme", "time", "--bench", bench, "--judge-url", fake.url, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "incomplete: 6 not attempted" in done.stdout


def test_a_changed_video_is_judged_again_and_nothing_else(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    words: list[str | Path] = ["judge", videos, "--bench", bench, "--judge-url", fake.url]
    assert cli.run(*words, cwd=tmp_path).returncode == 0
    assert len(fake.requests) == 8
    write_edits(videos, benchmark.load(bench).samples[:1], frames=9)
    done = cli.run(*words, "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert len(fake.requests) == 9
    assert json.loads(done.stdout)["n"] == 8


def test_eval_edits_judges_and_shows(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    done = cli.run("eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "judging 8 of 8, 0 failed" in done.stderr
    assert "identity: overall 3.50 (rank 1 of 1)" in done.stdout
    shown = cli.run("show", "identity", "Sparkle_time_000001", cwd=tmp_path)
    assert "raw 5, capped" in shown.stdout
    assert "Brief reasoning: a made-up verdict." in shown.stdout
    as_json = json.loads(cli.run("show", "identity", "Sparkle_time_000001", "--json", cwd=tmp_path).stdout)
    assert as_json["sample"]["theme"] == "time"
    assert str(tmp_path) not in json.dumps(as_json)


def test_another_root_holds_everything(bench: Path, fake: FakeJudge, tmp_path: Path) -> None:
    words: list[str | Path] = ["eval", "--model", "identity", "--bench", bench, "--judge-url", fake.url]
    assert cli.run(*words, "--root", tmp_path / "there", cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["leaderboards", "results"]


def test_no_path_of_this_machine_is_on_the_board(bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path) -> None:
    (next(videos.rglob("*_edited.mp4"))).write_bytes(b"no video at all")
    words: list[str | Path] = ["judge", videos, "--bench", bench, "--judge-url", fake.url]
    refused = cli.run(*words, cwd=tmp_path)
    assert refused.returncode == 1
    assert "1 of 8 videos cannot be taken; the first, Sparkle_" in refused.stderr
    assert "nothing was judged" in refused.stderr
    assert fake.requests == []
    assert cli.run(*words, "--allow-incomplete", cwd=tmp_path).returncode == 0
    for path in [*tmp_path.glob("leaderboards/**/*"), *tmp_path.glob("results/**/*.json*")]:
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes(), path


MISTAKES: dict[str, tuple[Callable[[Path], list[str | Path]], int, str]] = {
    "no benchmark": (
        lambda b: ["eval", "--model", "identity", "--judge-url", "http://127.0.0.1:9/v1"],
        1,
        "no benchmark folder at data/Sparkle-Bench; run `sparkle-bench download`",
    ),
    "no judge named": (lambda b: ["eval", "--model", "identity", "--bench", b], 2, "no judge: pass --judge-url"),
    "no judge there": (
        lambda b: ["eval", "--model", "identity", "--bench", b, "--judge-url", "http://127.0.0.1:9/v1"],
        1,
        "no judge answers at http://127.0.0.1:9/v1",
    ),
    "a misspelt model": (
        lambda b: ["edit", "--model", "identiy", "--bench", b],
        1,
        "no model called 'identiy'; did you mean identity?",
    ),
    "an unknown option": (
        lambda b: ["edit", "--model", "command", "--option", "cdm=x", "--bench", b],
        1,
        "Command has no option 'cdm'; known: cmd, timeout",
    ),
    "a missing option": (lambda b: ["edit", "--model", "folder", "--bench", b], 1, "Folder needs --option path="),
    "an option without a value": (
        lambda b: ["edit", "--model", "command", "--option", "cmd", "--bench", b],
        2,
        "'cmd' is not KEY=VALUE",
    ),
    "an unknown sample": (
        lambda b: ["edit", "--model", "identity", "--only", "Sparkle_time_00001", "--bench", b],
        1,
        "did you mean Sparkle_time_000001",
    ),
    "an unknown theme": (
        lambda b: ["edit", "--model", "identity", "--theme", "tine", "--bench", b],
        1,
        "no theme 'tine' in this benchmark; did you mean time?",
    ),
    "a shard that is none": (
        lambda b: ["edit", "--model", "identity", "--shard", "4/4", "--bench", b],
        2,
        "is not i/n with i counted from 0",
    ),
    "an odd number of frames": (
        lambda b: ["eval", "--model", "identity", "--bench", b, "--judge-url", "URL", "--frames", "7"],
        2,
        "7 is odd",
    ),
    "a name that cannot be a folder": (
        lambda b: ["edit", "--model", "identity", "--name", "../up", "--bench", b],
        1,
        "'../up' cannot name a result",
    ),
    "nothing to show": (lambda b: ["show", "nobody", "x"], 1, "no result 'nobody' under results"),
    "nothing to rank": (lambda b: ["leaderboard"], 1, "no judged results under results"),
    "no such folder of videos": (
        lambda b: ["judge", "nowhere", "--bench", b, "--judge-url", "URL"],
        2,
        "no folder, archive or manifest at 'nowhere'",
    ),
    "a folder in which nothing matches": (
        lambda b: ["judge", b, "--bench", b, "--judge-url", "URL"],
        1,
        "none of the 8 samples has a video in",
    ),
}


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_one_clear_line(
    words: Callable[[Path], list[str | Path]], code: int, message: str, bench: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    given = [fake.url if word == "URL" else word for word in words(bench)]
    if message.startswith("none of the 8"):
        for clip in bench.rglob("*.mp4"):  # the sources' own names match the flat layout, so hand in an empty folder
            assert clip.name.startswith("Sparkle_")
        given[1] = tmp_path
    done = cli.run(*given, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_result_is_not_mixed_with_another_maker(bench: Path, tmp_path: Path) -> None:
    assert cli.run("edit", "--model", "identity", "--name", "mine", "--bench", bench, cwd=tmp_path).returncode == 0
    other = ["edit", "--model", "command", "--option", "cmd=cp {source} {out}", "--name", "mine"]
    done = cli.run(*other, "--bench", bench, cwd=tmp_path)
    assert done.returncode == 1
    assert "results/mine was made by identity" in done.stderr


def test_edit_ends_with_3_when_an_edit_failed_and_names_the_first(bench: Path, tmp_path: Path) -> None:
    words = ["edit", "--model", "command", "--option", "cmd=sh -c 'echo out of memory >&2; exit 7' {out}"]
    done = cli.run(*words, "--bench", bench, cwd=tmp_path)
    assert done.returncode == 3
    assert "0 of 8 samples edited" in done.stdout
    assert "ended with code 7: out of memory" in done.stdout
