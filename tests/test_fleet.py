"""Several editors as one: each GPU gets work, every sample is edited once, what one loses another does."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
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


class Member:
    """An editor in this process that counts what it does, and may be lost after so many edits."""

    thread_safe = True

    def __init__(self, *, at_once: int = 1, lost_after: int = 1000, says: Any = None, seconds: float = 0.0) -> None:
        self.at_once, self.lost_after, self.says, self.seconds = at_once, lost_after, says or {}, seconds
        self.edited: list[str] = []
        self.now = self.most = self.closed = 0
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
        time.sleep(self.seconds)
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
    fleet = Fleet([Member(seconds=0.3)])
    closing = threading.Timer(0.1, fleet.close)
    closing.start()
    errors = edit_all(fleet, samples[:3], tmp_path, threads=3)
    closing.join()
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
    assert told == [" one worker is lost, 2 of 3 go on", " one worker is lost, 1 of 3 go on"]
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
    "another's interpreter": (["--python", "/bin/sh"], "runs in the harness itself"),
}


@pytest.mark.parametrize(("words", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(bench: Path, tmp_path: Path, words: list[str], told: str) -> None:
    done = edit(tmp_path, bench, "identity", *words)
    assert done.returncode in (1, 2)
    assert told in re.sub(r"\s+", " ", done.stderr)
    assert Store(root=tmp_path).read_run("identity") is None


def test_a_models_path_is_an_option_of_it(bench: Path, tmp_path: Path) -> None:
    done = edit(tmp_path, bench, "identity", "--model-path", "weights")
    assert "Identity has no option 'model_path'" in done.stderr
