"""The measuring stage: one record for every edit, resumed to the sample, tied to the very file."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sparkle_bench import benchmark, run, signals
from sparkle_bench.editors.identity import Identity
from sparkle_bench.records import Measurement
from sparkle_bench.store import Store
from tests import cli
from tests.makers import write_benchmark, write_clip

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture
def work(tmp_path: Path) -> run.Work:
    """Four edited samples, nothing measured."""
    loaded = benchmark.load(write_benchmark(tmp_path / "bench", samples_per_theme=1))
    work = run.Work(store=Store(root=tmp_path), model="mine", samples=loaded.samples)
    made = run.Made(editor=Identity(), name="identity", options={})
    run.start(work.store, "mine", loaded, made, now=NOW)
    run.edit(work, made.editor)
    return work


def lines(work: run.Work) -> list[dict[str, object]]:
    file = work.store.model_dir("mine") / "signals.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_every_edit_gets_one_record_and_only_what_is_missing_is_done_again(work: run.Work) -> None:
    run.measure(work)
    assert sorted(str(line["sample_id"]) for line in lines(work)) == sorted(s.id for s in work.samples)
    run.measure(work)
    assert len(lines(work)) == 4
    edit = work.store.edits("mine")[work.samples[0].id]
    old = Measurement(sample_id=work.samples[0].id, edit_sha256=edit.sha256 or "", version=0, signals={})
    work.store.append_measurement("mine", old)
    run.measure(work)
    assert len(lines(work)) == 6
    newest = work.store.measurements("mine")[(work.samples[0].id, edit.sha256 or "")]
    assert newest.version == signals.VERSION


def test_an_edit_that_cannot_be_measured_is_a_record_and_tried_again(work: run.Work) -> None:
    """A file changed behind the harness's back is nobody's signals."""
    path = work.store.video_path("mine", work.samples[0])
    whole = path.read_bytes()
    write_clip(path, frames=5, seed=9)
    run.measure(work)
    failed = [line for line in lines(work) if "error" in line]
    assert [line["error_type"] for line in failed] == ["StaleEdit"]
    assert len(lines(work)) == 4
    path.write_bytes(whole)
    run.measure(work)
    assert len(lines(work)) == 5
    assert all(m.ok for m in work.store.measurements("mine").values())


def test_the_command_measures_and_says_what_deserves_a_look(work: run.Work, tmp_path: Path) -> None:
    done = cli.run("signals", "mine", "--bench", "bench", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mine: 4 of 4 edits measured" in done.stdout
    assert "the source again" in done.stdout
    as_json = json.loads(cli.run("signals", "mine", "--bench", "bench", "--json", cwd=tmp_path).stdout)
    assert (as_json["measured"], as_json["facts"]["the source again"]) == (4, 4)
    assert len(as_json["measurements"]) == 4
    work.store.video_path("mine", work.samples[0]).unlink()
    (tmp_path / "results" / "mine" / "signals.jsonl").unlink()
    lacking = cli.run("signals", "mine", "--bench", "bench", cwd=tmp_path)
    assert lacking.returncode == 3
    assert "1 could not be; the first, Sparkle_location_000001" in lacking.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("signals", "mien", "--bench", "bench"), "no result 'mien'"),
        (("signals", "mine", "--bench", "nowhere"), "no benchmark folder"),
        (("signals", "mine", "--bench", "other"), "belongs to another version of the benchmark"),
        (("signals", "mine", "--bench", "bench", "--only", "x"), "no sample 'x'"),
        (("signals", "../x", "--bench", "bench"), "cannot name a result"),
    ],
)
def test_a_mistake_is_one_line(words: tuple[str, ...], told: str, work: run.Work, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "other", samples_per_theme=1, themes=("time",))
    done = cli.run(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_killed_at_any_instant_it_goes_on_where_it_was(work: run.Work, tmp_path: Path) -> None:
    command = ("signals", "mine", "--bench", "bench", "--workers", "2")
    for instant in (0.6, 0.9, 1.2):
        process = cli.start(*command, cwd=tmp_path)
        time.sleep(instant)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = cli.run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(str(line["sample_id"]) for line in lines(work)) == sorted(s.id for s in work.samples)


def test_signals_come_before_the_judge_that_sees_them(work: run.Work, tmp_path: Path) -> None:
    done = cli.run("eval", "--model", "identity", "--judge", "signals", "--bench", "bench", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "note: This judge is no vision-language model" in done.stderr
    assert "identity: overall 1.00" in done.stdout
    folder = next(tmp_path.glob("leaderboards/sparkle/signals-no-vlm-*"))
    for name in ("index.html", "leaderboard.md", "leaderboard.json", "leaderboard.csv", "figures/overall.svg"):
        assert "signals-no-vlm" in (folder / name).read_text(), name
    for name in ("index.html", "leaderboard.md", "leaderboard.json"):
        assert "no vision-language model" in (folder / name).read_text().replace("\\", ""), name
    assert "no vision-language model" in (tmp_path / "leaderboards" / "index.html").read_text()


def test_the_embedded_judge_takes_no_repeats(tmp_path: Path) -> None:
    write_benchmark(tmp_path / "bench", samples_per_theme=1, themes=("time",))
    words = ("eval", "--model", "identity", "--judge", "signals", "--repeats", "3", "--bench", "bench")
    done = cli.run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "--repeats has no use with --judge signals" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bench"]
