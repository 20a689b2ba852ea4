"""Several editors as one: each GPU gets work, every sample is edited once, what one loses another does."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, editors
from sparkle_bench.editors.fleet import Fleet, MemberLost
from sparkle_bench.editors.placing import Where, placed
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Sample
from sparkle_bench.store import Store
from tests import cli, makers, odd_editors

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve samples with small videos."""
    return makers.write_benchmark(tmp_path_factory.mktemp("bench"), samples_per_theme=3)


@pytest.fixture(scope="module")
def samples(bench: Path) -> Sequence[Sample]:
    return benchmark.load(bench).samples


@pytest.fixture(autouse=True)
def silent(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `nvidia-smi` that knows of no GPU, whatever this machine has; the GPUs of these tests are made up."""
    folder = tmp_path_factory.mktemp("bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return counting(folder, 0)


def counting(folder: Path, gpus: int) -> Path:
    """Write an `nvidia-smi` that counts so many GPUs."""
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + "echo 81559\n" * gpus, encoding="utf-8")
    program.chmod(0o755)
    return folder


class Member:
    """An editor in this process that counts what it does, and may be lost after so many edits."""

    thread_safe = True

    def __init__(
        self,
        *,
        at_once: int = 1,
        lost_after: int = 1000,
        says: Any = None,
        seconds: float = 0.0,
        meet: threading.Barrier | None = None,
    ) -> None:
        self.at_once, self.lost_after, self.says, self.seconds = at_once, lost_after, says or {}, seconds
        self.meet = meet
        self.edited: list[str] = []
        self.now = self.most = self.closed = 0
        self.during: Callable[[], object] = lambda: None
        self.lock = threading.Lock()

    def describe(self) -> dict[str, Any]:
        if self.lost_after == 0:
            raise MemberLost("it never came up")
        return dict(self.says)

    def declared(self) -> dict[str, Any]:
        return {"model": {"name": str(self.says.get("gpu"))}}

    def edit(self, sample: Sample, out: Path) -> None:
        with self.lock:
            if len(self.edited) >= self.lost_after:
                out.write_bytes(b"half")
                raise MemberLost("its machine is gone")
            self.now += 1
            self.most = max(self.most, self.now)
            self.edited.append(sample.id)
        assert not out.exists()
        if self.meet is not None:
            self.meet.wait()
        time.sleep(self.seconds)
        self.during()
        out.write_bytes(sample.id.encode())
        with self.lock:
            self.now -= 1

    def close(self) -> None:
        self.closed += 1


def edit_all(fleet: Fleet, samples: Sequence[Sample], folder: Path, *, threads: int) -> list[Exception]:
    """Edit all samples from so many threads at once and return what was raised."""
    left, errors, lock = list(samples), list[Exception](), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not left:
                    return
                sample = left.pop(0)
            try:
                fleet.edit(sample, folder / sample.id)
            except Exception as error:
                errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    return errors


@pytest.mark.parametrize("threads", [1, 3, 6, 12])
def test_places_are_filled_and_never_overfilled(samples: Sequence[Sample], tmp_path: Path, threads: int) -> None:
    members = [Member(at_once=1, seconds=0.01), Member(at_once=2, seconds=0.01)]
    fleet = Fleet(members)
    assert fleet.at_once == 3
    assert edit_all(fleet, samples, tmp_path, threads=threads) == []
    assert sorted(members[0].edited + members[1].edited) == sorted(s.id for s in samples)
    assert members[0].most <= 1
    assert members[1].most <= 2


def test_an_edit_goes_where_most_places_are_free(samples: Sequence[Sample], tmp_path: Path) -> None:
    small, large = Member(at_once=1), Member(at_once=4)
    fleet = Fleet([small, large])
    fleet.edit(samples[0], tmp_path / "out")
    assert (small.edited, large.edited) == ([], [samples[0].id])


SPREAD = {
    "unlike": ([1, 4], 2, [1, 1]),
    "alike": ([3, 3, 3], 3, [1, 1, 1]),
    "one more": ([1, 4, 4], 4, [1, 2, 1]),
    "full": ([1, 4], 5, [1, 4]),
}


@pytest.mark.parametrize(("places", "threads", "expected"), SPREAD.values(), ids=SPREAD)
def test_with_less_work_than_places_no_member_idles(
    samples: Sequence[Sample], tmp_path: Path, places: list[int], threads: int, expected: list[int]
) -> None:
    together = threading.Barrier(threads, timeout=30)
    members = [Member(at_once=number, meet=together) for number in places]
    assert edit_all(Fleet(members), samples[:threads], tmp_path, threads=threads) == []
    assert [member.most for member in members] == expected


def test_an_editor_that_is_not_thread_safe_has_one_place(samples: Sequence[Sample], tmp_path: Path) -> None:
    member = Member(at_once=3, seconds=0.01)
    member.thread_safe = False
    assert Fleet([member]).at_once == 1
    assert edit_all(Fleet([member]), samples, tmp_path, threads=4) == []
    assert member.most == 1


@pytest.mark.parametrize("threads", [1, 6])
def test_what_a_lost_member_leaves_others_do(samples: Sequence[Sample], tmp_path: Path, threads: int) -> None:
    members = [Member(at_once=2, lost_after=2, seconds=0.01), Member(at_once=2), Member(at_once=2, lost_after=0)]
    fleet = Fleet(members)
    assert edit_all(fleet, samples, tmp_path, threads=threads) == []
    done = Counter(name for member in members for name in member.edited)
    assert done == Counter(s.id for s in samples)
    assert all((tmp_path / s.id).read_text() == s.id for s in samples)
    editors.close(fleet)
    assert [member.closed for member in members] == [1, 1, 1]


def test_with_no_member_left_everyone_is_told_why(samples: Sequence[Sample], tmp_path: Path) -> None:
    fleet = Fleet([Member(lost_after=0), Member(lost_after=2)])
    errors = edit_all(fleet, samples, tmp_path, threads=4)
    assert len(errors) == len(samples) - 2
    assert {type(error) for error in errors} == {MemberLost}
    assert {str(error) for error in errors} == {"its machine is gone"}


def test_a_fleet_of_none_is_refused() -> None:
    with pytest.raises(EditorError, match="no GPU"):
        Fleet([])


def test_closing_wakes_who_waits_for_a_place(samples: Sequence[Sample], tmp_path: Path) -> None:
    member = Member()
    fleet = Fleet([member])
    member.during = fleet.close
    errors = edit_all(fleet, samples[:3], tmp_path, threads=3)
    assert [str(error) for error in errors] == ["the run was stopped"] * 2


DEVICES = {
    "alike": ([{"gpu": "H100", "steps": 50}] * 2, {"gpu": "H100", "steps": 50}),
    "two kinds": (
        [{"gpu": "H100", "steps": 50}, {"gpu": "A100", "steps": 50}, {"gpu": "H100", "steps": 50}],
        {
            "gpu": "H100",
            "steps": 50,
            "devices": [{"count": 2, "gpu": "H100"}, {"count": 1, "gpu": "A100"}],
        },
    ),
    "one says more": (
        [{"steps": 50}, {"steps": 50, "torch": "2.13"}],
        {"steps": 50, "devices": [{"count": 1}, {"count": 1, "torch": "2.13"}]},
    ),
}


@pytest.mark.parametrize(("says", "expected"), DEVICES.values(), ids=DEVICES)
def test_members_that_differ_are_all_on_record(says: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    fleet = Fleet([Member(says=each) for each in says])
    assert fleet.describe() == expected
    assert fleet.declared()["model"]["name"] == str(says[0].get("gpu"))


def test_a_member_that_cannot_start_is_not_described(samples: Sequence[Sample], tmp_path: Path) -> None:
    lost, good = Member(lost_after=0), Member(says={"gpu": "H100"})
    fleet = Fleet([lost, good])
    assert fleet.describe() == {"gpu": "H100"}
    fleet.edit(samples[0], tmp_path / "out")
    assert lost.edited == []


def test_a_fleet_tells_what_is_current_only_if_its_members_do(tmp_path: Path) -> None:
    folder = placed(editors.recipe("folder", {"path": str(tmp_path)}), Where(gpus=("0", "1")))
    assert editors.is_bound_by_content(folder)
    assert not editors.is_bound_by_content(Fleet([Member()]))


# -- GPUs on the command line -------------------------------------------------------------------------------------------


def edit(root: Path, bench: Path, model: str, *words: str, **options: Any) -> Any:
    """Edit with an odd editor, through the command line."""
    given = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    model = model if model in editors.EDITORS else f"tests.odd_editors:{model}"
    done = cli.run(
        "edit", "--bench", bench, "--model", model, *given, *words, cwd=root, PYTHONPATH=str(ROOT), TMPDIR=str(root)
    )
    assert "Traceback" not in done.stderr
    return done


def test_each_gpu_gets_work_and_each_sample_is_edited_once(bench: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    done = edit(tmp_path, bench, "Noting", "--gpus", "0,1,3", notes=notes, seconds=0.1, at_once=2)
    assert done.returncode == 0, done.stderr
    made = [line for line in odd_editors.notes(notes) if "sample" in line]
    assert len({line["sample"] for line in made}) == len(made) == 12
    assert {line["gpu"] for line in made} == {"0", "1", "3"}
    assert len({(line["gpu"], line["pid"]) for line in made}) == 3
    assert (Store(root=tmp_path).read_run("Noting") or {})["hardware"]["used"] == ["0", "1", "3"]
    assert list(tmp_path.glob("sparkle-worker-*")) == []


def test_which_gpus_are_used_is_no_part_of_how_edits_are_made(bench: Path, tmp_path: Path) -> None:
    for words in (["--gpus", "0", "--limit", "2"], ["--gpus", "1,2", "--limit", "4"], []):
        done = edit(tmp_path, bench, "Noting", *words, notes=tmp_path / "notes")
        assert done.returncode == 0, done.stderr
    assert [line.get("gpu") for line in odd_editors.notes(tmp_path / "notes")].count("0") == 2


def test_a_gpu_that_does_not_work_leaves_all_to_the_others(bench: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    done = edit(tmp_path, bench, "Unloadable", "--gpus", "0,1,2", how="exit", gpus="0,2", notes=notes)
    assert done.returncode == 0, done.stderr
    told = [line.split(":")[1] for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len([line for line in told if line.startswith(" loading ")]) == 3
    assert told[-2:] == [" one worker is lost, 2 of 3 go on", " one worker is lost, 1 of 3 go on"]
    assert all(edit.ok for edit in Store(root=tmp_path).edits("Unloadable").values())
    assert len(odd_editors.notes(notes)) == 3


def test_with_no_gpu_that_works_the_run_stops_with_one_line(bench: Path, tmp_path: Path) -> None:
    done = edit(tmp_path, bench, "Unloadable", "--gpus", "0,1", how="exit")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert done.stderr.count("error: ") == 1
    assert line.startswith("error: tests.odd_editors:Unloadable cannot be loaded: the worker process ended with code 5")


def test_a_sample_that_ends_workers_fails_beside_others_that_do_not(bench: Path, tmp_path: Path) -> None:
    done = edit(tmp_path, bench, "Odd", "--gpus", "0,1", how="kill", on="000002", at_once=2)
    assert done.returncode == 3
    edits = Store(root=tmp_path).edits("Odd")
    assert {name for name, edit in edits.items() if not edit.ok} == {n for n in edits if n.endswith("000002")}


@pytest.mark.parametrize("model", ["command", "identity"])
def test_any_editor_has_a_process_a_gpu_where_gpus_are_named(bench: Path, tmp_path: Path, model: str) -> None:
    options = {"cmd": f"sh -c 'echo $CUDA_VISIBLE_DEVICES >> {tmp_path}/gpus; cp {{source}} {{out}}'"}
    done = edit(tmp_path, bench, model, "--gpus", "2,3", **(options if model == "command" else {}))
    assert done.returncode == 0, done.stderr
    if model == "command":
        assert set((tmp_path / "gpus").read_text().split()) == {"2", "3"}


REFUSED = {
    "empty": (["--gpus", ""], "is no list of GPUs"),
    "a gap": (["--gpus", "0,,1"], "is no list of GPUs"),
    "a word": (["--gpus", "all"], "is no list of GPUs"),
    "negative": (["--gpus", "-1"], "is no list of GPUs"),
    "a range": (["--gpus", "0-3"], "is no list of GPUs"),
    "leading zero": (["--gpus", "00"], "is no list of GPUs"),
    "twice": (["--gpus", "0,1,0"], "GPU 0 stands twice"),
    "twice with blanks": (["--gpus", "1, 1"], "GPU 1 stands twice"),
    "with a cluster": (["--gpus", "0", "--executor", "ray"], "--gpus chooses GPUs of this machine"),
    "an address alone": (["--ray-address", "127.0.0.1:6379"], "goes with --executor ray"),
    "two paths": (["--model-path", "a", "--option", "model_path=b"], "one and the same"),
    "no time": (["--edit-timeout", "0"], "--edit-timeout"),
    "no number": (["--load-timeout", "nan"], "nan is no number of seconds"),
    "a limit for nobody": (
        ["--edit-timeout", "60"],
        "identity runs in the harness itself; --edit-timeout is for models",
    ),
    "another for nobody": (
        ["--load-timeout", "60"],
        "identity runs in the harness itself; --load-timeout is for models",
    ),
    "a limit on a cluster": (["--edit-timeout", "60", "--executor", "ray"], "runs in the harness itself"),
    "another's interpreter": (["--python", "/bin/sh"], "runs in the harness itself"),
}


@pytest.mark.parametrize(("words", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(bench: Path, tmp_path: Path, words: list[str], told: str) -> None:
    done = edit(tmp_path, bench, "identity", *words)
    assert done.returncode in (1, 2)
    assert told in re.sub(r"\s+", " ", done.stderr)
    assert Store(root=tmp_path).read_run("identity") is None


@pytest.mark.parametrize("seconds", ["inf", "1e10", "1e300"])
def test_a_limit_may_be_as_long_as_one_likes(bench: Path, tmp_path: Path, seconds: str) -> None:
    words = ["--edit-timeout", seconds, "--load-timeout", seconds, "--limit", "1"]
    done = edit(tmp_path, bench, "Noting", *words, notes=tmp_path / "notes", at_once=3)
    assert done.returncode == 0, done.stderr


ABSENT = {
    "beyond": (8, "0,8", "error: there is no GPU 8 here; nvidia-smi counts 0 to 7\n"),
    "beside an id": (2, "GPU-8f7a,2", "error: there is no GPU 2 here; nvidia-smi counts 0 to 1\n"),
    "of one": (1, "1", "error: there is no GPU 1 here; nvidia-smi counts GPU 0 alone\n"),
}


@pytest.mark.parametrize(("count", "gpus", "told"), ABSENT.values(), ids=ABSENT)
def test_a_gpu_that_is_not_there_is_told_at_once(
    bench: Path, tmp_path: Path, silent: Path, count: int, gpus: str, told: str
) -> None:
    counting(silent, count)
    done = edit(tmp_path, bench, "Noting", "--gpus", gpus, notes=tmp_path / "notes")
    assert (done.returncode, done.stderr) == (1, told)
    assert not (tmp_path / "notes").exists()


def test_a_gpu_that_is_there_is_used(bench: Path, tmp_path: Path, silent: Path) -> None:
    counting(silent, 8)
    done = edit(tmp_path, bench, "Noting", "--gpus", "7", "--limit", "1", notes=tmp_path / "notes")
    assert done.returncode == 0, done.stderr


PRESET = """
kind = "diffusers"
[declared.model]
name = "Mine"
[fit]
[options]
pipeline = "LucyEditPipeline"
model_path = "a/b"
"""
DEVICES_ASKED: dict[str, tuple[str, list[str], str | None]] = {
    "a GPU is named": ("lucy-edit", ["--gpus", "0"], "cuda"),
    "of a preset of one's own": ("mine.toml", ["--gpus", "0"], "cuda"),
    "none is named": ("lucy-edit", [], None),
    "the user chose": ("lucy-edit", ["--gpus", "0", "--option", "device=cpu"], "cpu"),
    "the preset chose": ("chosen.toml", ["--gpus", "0"], None),
    "it has no such option": ("tests.odd_editors:Unloadable", ["--gpus", "0", "--option", "how=raise"], None),
}


@pytest.mark.parametrize(("model", "words", "expected"), DEVICES_ASKED.values(), ids=DEVICES_ASKED)
def test_a_model_that_is_given_a_gpu_does_not_make_do_without(
    bench: Path, tmp_path: Path, model: str, words: list[str], expected: str | None
) -> None:
    (tmp_path / "mine.toml").write_text(PRESET, encoding="utf-8")
    (tmp_path / "chosen.toml").write_text(PRESET + 'device = "cpu"\n', encoding="utf-8")
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nhead -n 1 > '{tmp_path}/told'\nexit 3\n", encoding="utf-8")
    python.chmod(0o755)
    done = cli.run(
        "edit", "--bench", bench, "--model", model, "--python", python, *words, cwd=tmp_path, PYTHONPATH=str(ROOT)
    )
    assert done.returncode == 1
    assert json.loads((tmp_path / "told").read_text())["recipe"]["options"].get("device") == expected


def test_options_that_change_nothing_may_differ_from_run_to_run(bench: Path, tmp_path: Path) -> None:
    given = {"cmd": "cp {source} {out}"}
    for words, timeout in ((["--gpus", "0,1"], 50), (["--gpus", "0,1"], 60), (["--gpus", "2"], 70), ([], 80)):
        done = edit(tmp_path, bench, "command", *words, "--limit", "1", **given, timeout=timeout)
        assert done.returncode == 0, done.stderr
    other = edit(tmp_path, bench, "command", "--gpus", "0,1", cmd="cp -f {source} {out}", timeout=50)
    assert "was made by command with options" in other.stderr


def test_a_models_path_is_an_option_of_it(bench: Path, tmp_path: Path) -> None:
    done = edit(tmp_path, bench, "identity", "--model-path", "weights")
    assert "Identity has no option 'model_path'" in done.stderr
