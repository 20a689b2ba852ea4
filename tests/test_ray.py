"""Editing and judging on the machines of a real Ray cluster on 127.0.0.1, some of which are killed in mid-run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import editors
from sparkle_bench.editors import Recipe, on_ray
from sparkle_bench.editors.placing import Where
from tests import cli, ray_judge
from tests.makers import write_benchmark
from tests.ray_cluster import SETTINGS, RayCluster
from tests.ray_editors import notes

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs ray: pip install 'sparkle-bench[ray]'"),
]
ROOT = Path(__file__).parent.parent
SECONDS = 90.0
FULL_AT = "RAY_local_fs_capacity_threshold"
FULL = {FULL_AT: "0.0"}
"""A machine whose disk Ray takes for full."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    made = RayCluster()
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight samples."""
    return write_benchmark(tmp_path_factory.mktemp("ray") / "bench")


@pytest.fixture(scope="module")
def long_bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty samples."""
    return write_benchmark(tmp_path_factory.mktemp("ray-long") / "bench", samples_per_theme=5)


class Run:
    """One `edit` with `--executor ray`, in a root of its own."""

    def __init__(self, root: Path, bench: Path, address: str) -> None:
        self.root, self.bench, self.address = root, bench, address

    def words(self, editor: str, *more: str | Path, command: str = "edit") -> list[str | Path]:
        return [
            command, "--bench", self.bench, "--model", f"tests.ray_editors:{editor}", "--name", "m",
            "--option", f"notes={self.root / 'notes'}", "--executor", "ray", "--ray-address", self.address, "--json",
            *more,
        ]  # fmt: skip

    def start(self, editor: str, *more: str | Path) -> subprocess.Popen[str]:
        return cli.start(*self.words(editor, *more), cwd=self.root, PYTHONPATH=str(ROOT), **SETTINGS)

    def run(self, editor: str, *more: str | Path) -> subprocess.CompletedProcess[str]:
        words = self.words(editor, *more)
        return cli.run(*words, cwd=self.root, timeout=SECONDS, PYTHONPATH=str(ROOT), **SETTINGS)

    @property
    def notes(self) -> list[dict[str, Any]]:
        return notes(self.root / "notes")

    @property
    def made(self) -> list[str]:
        """The samples that were edited, as often as they were."""
        return [line["sample"] for line in self.notes if "sample" in line]

    @property
    def edits(self) -> list[dict[str, Any]]:
        """The records, as often as they were written."""
        path = self.root / "results" / "m" / "edits.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    @property
    def described(self) -> dict[str, Any]:
        run: dict[str, Any] = json.loads((self.root / "results" / "m" / "run.json").read_text(encoding="utf-8"))
        return run

    def check_whole(self, *failed: str) -> None:
        """Hold the result to one record per sample, whose video is the source that the editor copied."""
        sources = {path.stem: path for path in self.bench.glob("source_videos/*/*.mp4")}
        assert sorted(edit["sample_id"] for edit in self.edits) == sorted(sources)
        for edit in self.edits:
            if edit["sample_id"] in failed:
                assert "error" in edit
                continue
            video = (self.root / "results" / "m" / edit["video"]).read_bytes()
            assert video == sources[edit["sample_id"]].read_bytes()
            assert hashlib.sha256(video).hexdigest() == edit["sha256"]


@pytest.fixture
def run(tmp_path: Path, bench: Path, cluster: RayCluster) -> Run:
    return Run(tmp_path, bench, cluster.address)


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)
    return found


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def direct(*words: str | Path) -> subprocess.Popen[str]:
    """Start a program of `tests/ray_direct.py`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ray_direct", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **SETTINGS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- editing -----------------------------------------------------------------------------------------------------------


def test_a_lost_machines_samples_are_edited_elsewhere_exactly_once(
    tmp_path: Path, long_bench: Path, cluster: RayCluster
) -> None:
    cluster.have(1, 1)
    run = Run(tmp_path, long_bench, cluster.address)
    process = run.start("Slow", "--option", "seconds=0.5")
    wait_for(lambda: len({line["machine"] for line in run.notes if "sample" in line}) == 2)
    cluster.kill(1 if cluster.machines[1] is not None else len(cluster.machines) - 1)
    done = ended(process)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"model": "m", "samples": 20, "edited": 20, "failed": 0}
    (told,) = [line for line in done.stderr.splitlines() if "lost" in line]
    assert told.startswith("note: a machine of the cluster is lost, 1 goes on: ")
    assert "127.0.0.1" not in told
    assert "ray" not in done.stderr.replace(told, "").lower()
    run.check_whole()
    begun = Counter(line["begins"] for line in run.notes if "begins" in line)
    assert max(begun.values()) == 2  # what the lost machine had begun was begun again


def test_a_machine_that_joins_is_used(tmp_path: Path, long_bench: Path, cluster: RayCluster) -> None:
    cluster.have(1)
    run = Run(tmp_path, long_bench, cluster.address)
    process = run.start("Slow", "--option", "seconds=1.0")
    wait_for(lambda: run.made)
    cluster.add(1)
    done = ended(process)
    assert done.returncode == 0, done.stderr
    assert len({line["machine"] for line in run.notes if "sample" in line}) == 2
    run.check_whole()
    assert run.described["editor"]["options"] == {"seconds": 1.0, "ray": {"actors": 1, "machines": 1}}


def test_a_sample_that_kills_its_actors_is_a_failure_and_spares_the_others(run: Run, cluster: RayCluster) -> None:
    cluster.have(1, 1)
    poison = "Sparkle_season_000001"
    done = run.run("Wide", "--option", f"kill={poison}", "--option", "seconds=0.3")
    assert done.returncode == 3, done.stderr
    run.check_whole(poison)
    error = next(edit["error"] for edit in run.edits if edit["sample_id"] == poison)
    assert error.startswith("2 actors were lost over it; the last: ")
    assert Counter(line["begins"] for line in run.notes if "begins" in line)[poison] == 2


def test_a_killed_run_goes_on_where_it_was(run: Run, cluster: RayCluster) -> None:
    cluster.have(1, 1)
    process = run.start("Slow", "--option", "seconds=0.5")
    wait_for(lambda: len(run.edits) >= 3)
    process.kill()
    process.communicate()
    before = {edit["sample_id"] for edit in run.edits}
    done = run.run("Slow", "--option", "seconds=0.5")
    assert done.returncode == 0, done.stderr
    run.check_whole()
    assert all(run.made.count(sample_id) == 1 for sample_id in before)
    pids = {line["load"] for line in run.notes if "load" in line}
    assert len(pids) == 4
    wait_for(lambda: not any(map(is_there, pids)))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_stopped_run_ends_its_actors(run: Run, cluster: RayCluster, sign: signal.Signals) -> None:
    cluster.have(1, 1)
    process = run.start("Slow", "--option", "seconds=1.0")
    wait_for(lambda: run.edits)
    process.send_signal(sign)
    done = ended(process)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("stopped after")
    pids = {line["load"] for line in run.notes if "load" in line}
    wait_for(lambda: not any(map(is_there, pids)))
    assert all("error" not in edit for edit in run.edits)


def test_what_a_model_says_of_a_failure_is_on_record(run: Run, cluster: RayCluster) -> None:
    cluster.have(1, 1)
    done = run.run("Failing")
    assert done.returncode == 3, done.stderr
    said = {(edit["sample_id"].split("_")[1], edit["error_type"], edit["error"]) for edit in run.edits}
    assert said == {
        ("location", "EditorError", "no such place"),
        ("season", "Refused", "not this one"),
        ("time", "OutOfMemory", "the GPU has 24 GB and this edit needs more"),
        ("style", "EditorError", "ValueError: no style"),
    }


def test_a_sample_that_finds_two_full_disks_is_edited_on_a_third_machine(run: Run, cluster: RayCluster) -> None:
    cluster.have(1, 1, 1)
    words = ["--option", "sample=Sparkle_season_000001", "--option", "times=2", "--option", "seconds=0.3"]
    done = run.run("Full", *words)
    assert done.returncode == 0, done.stderr
    run.check_whole()
    assert len({line["full"] for line in run.notes if "full" in line}) == 2


def test_full_disks_everywhere_stop_the_run_and_are_no_samples_failure(run: Run, cluster: RayCluster) -> None:
    cluster.have(1, 1)
    done = run.run("Full", "--option", "sample=Sparkle_season_000001", "--option", "times=9")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: no machine of the Ray cluster edits with tests.ray_editors:Full: ")
    assert "No space left on device" in line
    assert len({line["full"] for line in run.notes if "full" in line}) == 2
    assert all("error" not in edit for edit in run.edits)


@pytest.mark.parametrize(
    ("head", "machine", "says"),
    [
        pytest.param({}, FULL, "error: no machine of the Ray cluster edits with ", id="there"),
        pytest.param(FULL, {}, "error: this machine cannot go on at Sparkle_season_000001: ", id="here"),
    ],
)
def test_an_edit_for_which_ray_has_no_room_is_no_samples_failure(
    tmp_path: Path, bench: Path, head: dict[str, str], machine: dict[str, str], says: str
) -> None:
    cluster = RayCluster(**head)
    try:
        cluster.add(1, **{FULL_AT: "0.95", **machine})
        run = Run(tmp_path, bench, cluster.address)
        done = run.run("Heavy", "--option", "sample=Sparkle_season_000001")
    finally:
        cluster.end()
    assert done.returncode == 1, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith(says)
    assert "Ray has no room for clips" in line
    assert all("error" not in edit for edit in run.edits)


def test_options_that_change_nothing_may_differ_from_run_to_run(run: Run, cluster: RayCluster) -> None:
    recipe = Recipe(name="tests.ray_editors:Full", options={"notes": "n", "sample": "none", "times": 0})
    (editor,) = on_ray.actors(recipe, Where(executor="ray"))
    assert editors.lasting(editor, {"seconds": "1", "times": "0"}) == {"times": "0"}


def test_hardware_is_that_of_the_machines_in_kinds(run: Run, cluster: RayCluster) -> None:
    cluster.have(2, 1)
    shown = run.root / "nvidia-smi"
    shown.write_text("#!/bin/sh\necho NVIDIA H100 80GB HBM3\n")
    shown.chmod(0o755)
    cluster.add(1, PATH=f"{run.root}:{os.environ['PATH']}")
    done = ended(direct("edit", cluster.address, run.bench, "Slow", json.dumps({"notes": str(run.root / "notes")})))
    assert done.returncode == 0, done.stderr
    machines = json.loads(done.stdout)["hardware"]["machines"]
    assert [(machine["count"], machine["gpus"]) for machine in machines] == [(2, []), (1, ["NVIDIA H100 80GB HBM3"])]
    assert all(machine.keys() == {"count", "system", "python", "cpus", "gpus"} for machine in machines)


def test_a_lost_machine_is_told_of_in_one_line(tmp_path: Path, long_bench: Path, cluster: RayCluster) -> None:
    cluster.have(2, 1)
    noted = tmp_path / "notes"
    options = json.dumps({"notes": str(noted), "seconds": 0.5})
    process = direct("edit", cluster.address, long_bench, "Slow", options)
    wait_for(lambda: len({line["pid"] for line in notes(noted) if "sample" in line}) == 3)
    cluster.kill(cluster.machines.index(2))
    done = ended(process)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["edited"] == 20
    assert [line.partition(": ")[0] for line in said["said"]] == ["a machine of the cluster is lost, 1 goes on"]


def test_an_actor_that_cannot_edit_is_told_of(run: Run, cluster: RayCluster) -> None:
    cluster.have(1, 1)
    options = {"notes": str(run.root / "notes"), "sample": "Sparkle_season_000001", "times": 1}
    done = ended(direct("edit", cluster.address, run.bench, "Full", json.dumps(options)))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["said"] == [
        "an actor of the cluster cannot edit where it is, 1 goes on: OSError: [Errno 28] No space left on device"
    ]


def test_actors_are_closed_also_where_another_has_no_place(run: Run, cluster: RayCluster) -> None:
    cluster.have(3)  # GPUs, but two processors
    done = run.run("Closing")
    assert done.returncode == 0, done.stderr
    closed = {line["closed"] for line in run.notes if "closed" in line}
    assert closed == {line["load"] for line in run.notes if "load" in line}
    assert len(closed) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["Unloadable", "--option", "how=raise"], "the weights are not there", id="cannot be loaded"),
        pytest.param(["Unloadable", "--option", "how=kill"], "actors in a row were lost", id="dies as it loads"),
        pytest.param(["Masked", "--option", "masks=only-not-on-actors"], "there is no folder", id="lacks a folder"),
    ],
)
def test_a_model_that_works_on_no_machine_stops_the_run_with_one_line(
    run: Run, cluster: RayCluster, words: list[str], says: str
) -> None:
    cluster.have(1)
    done = run.run(*words)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert says in line
    assert run.edits == []


def test_without_a_gpu_every_machine_has_one_actor(run: Run, cluster: RayCluster) -> None:
    cluster.have(0, 0)
    done = run.run("Slow", "--option", "seconds=0.2")
    assert done.returncode == 0, done.stderr
    run.check_whole()
    loads = [line["machine"] for line in run.notes if "load" in line]
    assert len(loads) == len(set(loads)) == 2


def test_a_model_that_needs_a_gpu_waits_for_one_for_a_while(run: Run, cluster: RayCluster) -> None:
    cluster.have(0, 0)
    done = cli.run(
        "edit", "--bench", run.bench, "--model", "kiwi-edit", "--load-timeout", "3",
        "--executor", "ray", "--ray-address", run.address, cwd=run.root, timeout=SECONDS, **SETTINGS,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "no machine of the Ray cluster edits with kiwi-edit: no GPU is free"
    ), done.stderr


def test_a_clip_larger_than_the_object_store_is_edited(tmp_path: Path, cluster: RayCluster) -> None:
    cluster.have(1, 1)
    bench = write_benchmark(tmp_path / "bench", samples_per_theme=1)
    for path in bench.glob("source_videos/location/*.mp4"):
        size = 90 << 20
        with path.open("ab") as file:  # a box that players skip
            file.write(size.to_bytes(4, "big") + b"free" + b"\x00" * (size - 8))
    run = Run(tmp_path, bench, cluster.address)
    done = run.run("Slow")
    assert done.returncode == 0, done.stderr
    run.check_whole()


def test_a_cluster_is_started_here_where_none_is_wanted(tmp_path: Path, bench: Path) -> None:
    run = Run(tmp_path, bench, "local")
    done = run.run("Own", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["edited"] == 2
    assert len({(line["pid"], line["parent"]) for line in run.notes}) == 1
    wait_for(lambda: not is_there(run.notes[0]["pid"]))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        pytest.param(
            "127.0.0.1:6", "no Ray cluster answers at 127.0.0.1:6; start it with ray start --head", id="nobody"
        ),
        pytest.param("nowhere", "the Ray address 'nowhere' is none; it looks like 10.0.0.1:6379", id="no address"),
        pytest.param("ray://127.0.0.1:6", "is a client's; run this on a machine of the cluster", id="a client's"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(tmp_path: Path, bench: Path, address: str, says: str) -> None:
    done = Run(tmp_path, bench, address).run("Slow")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


def test_a_hosted_model_has_no_use_for_a_cluster(tmp_path: Path, bench: Path) -> None:
    done = cli.run("edit", "--bench", bench, "--model", "lucy-2", "--executor", "ray", cwd=tmp_path, DECART_API_KEY="x")
    assert done.returncode == 1
    assert done.stderr.startswith("error: lucy-2 ")
    assert "--executor ray" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# -- judging -----------------------------------------------------------------------------------------------------------


def served(root: Path, bench: Path, notes: Path, *more: str | Path) -> list[str | Path]:
    """Return the command that edits with nothing and has the edits judged by a server of ours."""
    model = root / "tiny-judge"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text("{}")
    python = ray_judge.interpreter(root, notes)
    return [
        "eval", "--bench", bench, "--model", "identity", "--serve", "--judge-model", model, "--vllm-python", python,
        "--frames", "2", "--no-signals", "--json", "--port", "0", *more,
    ]  # fmt: skip


def test_judging_goes_on_with_the_other_server_when_a_machine_is_lost(
    tmp_path: Path, long_bench: Path, cluster: RayCluster
) -> None:
    cluster.have(1, 1)
    noted = tmp_path / "notes"
    words = served(tmp_path, long_bench, noted, "--executor", "ray", "--ray-address", cluster.address, "--workers", "2")
    process = cli.start(*words, cwd=tmp_path, PYTHONPATH=str(ROOT), **SETTINGS)
    wait_for(lambda: len({line["asked"] for line in notes(noted) if "asked" in line}) == 2)
    cluster.kill(next(number for number, gpus in enumerate(cluster.machines) if gpus == 1))
    done = ended(process)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    key = next((tmp_path / "results/identity/judged").iterdir())
    judged = [json.loads(line) for line in (key / "judgments.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({line["sample_id"] for line in judged}) == len(judged) == 20
    assert all("scores" in line for line in judged)
    keys = {line["key"] for line in notes(noted) if "asked" in line}
    assert len(keys) == 1
    secret = keys.pop()
    assert len(secret) >= 24
    for text in (done.stderr, done.stdout, *(path.read_text() for path in tmp_path.glob("results/**/*.json*"))):
        assert secret not in text
    assert not any(secret in word for line in notes(noted) for word in line.get("words", []))
    pids = {line["serves"] for line in notes(noted) if "serves" in line}
    wait_for(lambda: not any(map(is_there, pids)))
    assert said["judge_key"] == key.name


def test_the_judge_is_the_same_as_one_that_is_served_here(tmp_path: Path, bench: Path, cluster: RayCluster) -> None:
    cluster.have(1, 1)
    keys = []
    for folder, more in (("here", []), ("there", ["--executor", "ray", "--ray-address", cluster.address])):
        root = tmp_path / folder
        root.mkdir()
        words = served(root, bench, tmp_path / "notes", "--limit", "2", *more)
        done = cli.run(*words, cwd=root, timeout=SECONDS, PYTHONPATH=str(ROOT), **SETTINGS)
        assert done.returncode in (0, 3), done.stderr
        keys.append(next((root / "results/identity/judged").iterdir()).name)
    assert keys[0] == keys[1]


def test_a_judge_that_starts_nowhere_stops_the_run_with_one_line(
    tmp_path: Path, bench: Path, cluster: RayCluster
) -> None:
    cluster.have(1, 1)
    words = served(tmp_path, bench, tmp_path / "none" / "notes", "--executor", "ray", "--ray-address", cluster.address)
    done = cli.run(*words, cwd=tmp_path, timeout=SECONDS, PYTHONPATH=str(ROOT), **SETTINGS)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: no machine of the Ray cluster serves tiny-judge: ")


def tiny_judge(folder: Path) -> list[Path]:
    """Return the words for a server of ours: its weights, what plays vLLM, and where that notes."""
    model = folder / "tiny-judge"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return [model, ray_judge.interpreter(folder, folder / "notes"), folder / "notes"]


def test_a_server_that_gets_no_gpus_is_ended(tmp_path: Path, cluster: RayCluster) -> None:
    cluster.have(3)  # GPUs, but two processors
    done = ended(direct("serve", cluster.address, *tiny_judge(tmp_path)))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["up"], said["failed"]) == (2, ["its GPUs are not free"])
    assert Counter(said["actors"])["PENDING_CREATION"] == 0
    pids = {line["serves"] for line in notes(tmp_path / "notes") if "serves" in line}
    assert len(pids) == 2
    wait_for(lambda: not any(map(is_there, pids)))


def test_who_stops_does_not_wait_for_a_server_without_gpus(tmp_path: Path, cluster: RayCluster) -> None:
    cluster.have(3)
    done = ended(direct("stop", cluster.address, *tiny_judge(tmp_path)))
    assert "KeyboardInterrupt" in done.stderr
    pids = {line["serves"] for line in notes(tmp_path / "notes") if "serves" in line}
    assert len(pids) == 2
    wait_for(lambda: not any(map(is_there, pids)))
