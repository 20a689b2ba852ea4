"""Editing in a process of its own, through the command line: every way in which such a process can fail, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, editors
from sparkle_bench.editors.folder import Folder
from sparkle_bench.editors.placing import Where, placed
from sparkle_bench.editors.worker import lines
from sparkle_bench.editors.worker.process import Process
from sparkle_bench.errors import EditorError, MachineError, OutOfMemory, Refused, SparkleError, VideoError
from sparkle_bench.records import Edit
from sparkle_bench.store import Store
from tests import cli, makers, odd_editors

ROOT = Path(__file__).parent.parent
GUILTY = "time_000001"
SAMPLES = 8


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a test runs the command line."""

    root: Path
    bench: Path

    @property
    def notes(self) -> Path:
        """What the editors note."""
        return self.root / "notes"

    @property
    def temporary(self) -> Path:
        """Where workers keep their folders."""
        return self.root / "tmp"

    def words(self, model: str, *words: str, **options: Any) -> list[str]:
        """Return the command line that edits."""
        given = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
        return ["edit", "--bench", str(self.bench), "--model", f"tests.odd_editors:{model}", *given, *words]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that it needs."""
        self.temporary.mkdir(exist_ok=True)
        return {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), **more}

    def edit(self, model: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Edit with an odd editor."""
        process = self.start(model, *words, **options)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        assert "Traceback" not in done.stderr
        return done

    def start(self, model: str, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Begin to edit with an odd editor."""
        return cli.start(*self.words(model, *words, **options), cwd=self.root, **self.environment())

    def edits(self, name: str = "Odd") -> dict[str, Edit]:
        """Return the records."""
        return dict(Store(root=self.root).edits(name))

    def leftovers(self) -> list[str]:
        """Return what should not have been left behind: half files, and folders of workers."""
        parts = [path.name for path in self.root.rglob(".*.part.mp4")]
        return parts + [path.name for path in self.temporary.glob("sparkle-worker-*")]

    def noted(self, what: str) -> list[Any]:
        """Return everything noted under a name."""
        return [line[what] for line in odd_editors.notes(self.notes) if what in line]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight samples with small videos."""
    return makers.write_benchmark(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def place(bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder of its own, on a machine whose GPUs nobody counts: those of these tests are made up."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return Place(root=tmp_path, bench=bench)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_until(true: Any, within: float = 30.0) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def of_workers(folder: Path) -> list[int]:
    """Return the processes whose worker's folder lies in this one."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{folder}/sparkle-worker-".encode() in line.read_bytes() and alive(int(line.parent.name)):
                found.append(int(line.parent.name))
        except OSError:
            continue
    return found


def only_line(text: str) -> str:
    """Return the one line that tells of an error."""
    told = [line for line in text.replace("\r", "\n").splitlines() if line.startswith("error: ")]
    assert len(told) == 1, text
    return told[0]


# -- one sample that goes wrong ----------------------------------------------------------------------------------------

FAILURES: dict[str, tuple[str, str]] = {
    "exit": ("EditorError", "ended with code 7; it printed at last: about to exit"),
    "fork_and_exit": ("EditorError", "ended with code 7"),
    "kill": ("EditorError", "died (signal 9, SIGKILL, likely out of the machine's memory)"),
    "crash": ("EditorError", "died (signal 11, SIGSEGV, a fault in native code)"),
    "half_a_file": ("EditorError", "ended with code 9"),
    "long_line": ("EditorError", "sent what it should not: a line of 1048576 bytes or more"),
    "no_json": ("EditorError", "sent what it should not: a line that is no JSON: loading 50%"),
    "no_object": ("EditorError", "sent what it should not: a line that is no object: []"),
    "unknown_id": ("EditorError", "sent what it should not: an answer to what nobody asked"),
    "dead": ("EditorError", "lost its GPU: RuntimeError: CUDA error: an illegal memory access"),
    "dead_inside": ("EditorError", "lost its GPU: the pipeline failed"),
    "sys_exit": ("EditorError", "SystemExit: enough"),
    "memory": ("OutOfMemory", "the GPU has 24 GB and this edit needs more"),
    "torch_memory": ("OutOfMemory", "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB"),
    "torch_memory_inside": ("OutOfMemory", "the pipeline failed"),
    "host_memory": ("EditorError", "MemoryError"),
    "refused": ("Refused", "not this one"),
    "video": ("VideoError", "cut off"),
    "value": ("EditorError", "ValueError: no such thing"),
    "nothing": ("EditorError", "nothing was made"),
    "secret": ("EditorError", "it printed at last: token=[hidden] in model.safetensors"),
}


@pytest.mark.parametrize(("how", "at_once"), [*((how, 3) for how in FAILURES), ("exit", 1), ("dead", 1), ("value", 1)])
def test_the_guilty_sample_fails_with_one_line_and_the_others_are_done(place: Place, how: str, at_once: int) -> None:
    done = place.edit("Odd", how=how, on=GUILTY, at_once=at_once)
    assert done.returncode == 3, done.stderr
    edits = place.edits()
    assert len(edits) == SAMPLES
    failed = [edit for edit in edits.values() if not edit.ok]
    kind, text = FAILURES[how]
    assert [(edit.sample_id, edit.error_type) for edit in failed] == [(f"Sparkle_{GUILTY}", kind)]
    assert text in str(failed[0].error)
    assert place.leftovers() == []
    assert of_workers(place.temporary) == []


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("how", ["hang", "hang_at_its_turn", "hang_deep", "stop"])
def test_a_hung_worker_is_ended_and_the_others_are_done(place: Place, how: str, at_once: int) -> None:
    done = place.edit("Odd", "--edit-timeout", "1.5", how=how, on=GUILTY, at_once=at_once, notes=place.notes)
    assert done.returncode == 3, done.stderr
    failed = [edit for edit in place.edits().values() if not edit.ok]
    assert [edit.sample_id for edit in failed] == [f"Sparkle_{GUILTY}"]
    assert str(failed[0].error).startswith("the edit took longer than 1.5 s and was ended")
    tries = place.noted("begins").count(f"Sparkle_{GUILTY}")
    assert tries == 1 or (
        tries == 2 and how in ("hang_deep", "stop") and at_once > 1
    )  # which one hangs is not known there
    assert place.leftovers() == []
    assert of_workers(place.temporary) == []


def test_what_a_hung_editor_has_started_is_ended_with_it(place: Place) -> None:
    done = place.edit("Odd", "--edit-timeout", "1.5", how="leave_a_child", on=GUILTY, notes=place.notes)
    assert done.returncode == 3
    (child,) = place.noted("child")
    assert wait_until(lambda: not alive(child), within=10)


@pytest.mark.parametrize("how", ["exit", "kill", "half_a_file", "unknown_id", "dead"])
def test_trouble_that_passes_costs_no_sample(place: Place, how: str) -> None:
    done = place.edit("Odd", how=how, on=GUILTY, at_once=2, notes=place.notes, once=True)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len(told) == 2
    assert told[0] == "note: loading tests.odd_editors:Odd"
    assert told[1].startswith("note: tests.odd_editors:Odd is started again: the worker process ")
    assert len(place.noted("load")) == 2
    assert all(edit.ok for edit in place.edits().values())


def test_eval_counts_what_a_worker_could_not_edit(place: Place) -> None:
    words = place.words("Odd", "--gpus", "0,1", "--judge", "signals", how="kill", on=GUILTY)
    process = cli.start("eval", *words[1:], "--json", cwd=place.root, **place.environment())
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    row = json.loads(out)
    assert (row["n"], row["of"], row["no_edit"]) == (SAMPLES - 1, SAMPLES, 1)


def test_what_libraries_print_and_read_does_not_reach_the_harness(place: Place) -> None:
    done = place.edit("Odd", how="print", on=GUILTY, notes=place.notes)
    assert done.returncode == 0, done.stderr
    assert len(place.noted("load")) == 1


@pytest.mark.parametrize("how", ["disk_full", "disk_full_inside"])
def test_a_full_disk_stops_the_run_and_is_no_failure(place: Place, how: str) -> None:
    done = place.edit("Odd", how=how, on=GUILTY)
    assert done.returncode == 1
    assert only_line(done.stderr).startswith(f"error: this machine cannot go on at Sparkle_{GUILTY}: ")
    assert f"Sparkle_{GUILTY}" not in place.edits()
    assert place.leftovers() == []


# -- a worker that is of no use ------------------------------------------------------------------------------------------

LOADS = {
    "raise": "cannot be loaded: RuntimeError: the weights are not there: model.safetensors",
    "exit": "cannot be loaded: the worker process ended with code 5; it printed at last: Fatal: no driver",
    "hang": "cannot be loaded: loading the model took longer than 1.5 s",
    "lack": "cannot be loaded: ModuleNotFoundError: No module named 'no_such_library'; install it in that environment",
    "disk": "No space left on device",
}


@pytest.mark.parametrize("how", LOADS)
def test_a_model_that_cannot_be_loaded_stops_the_run_at_once(place: Place, how: str) -> None:
    limit = ("--load-timeout", "1.5") if how == "hang" else ()
    done = place.edit("Unloadable", *limit, how=how, notes=place.notes)
    assert done.returncode == 1
    assert LOADS[how] in only_line(done.stderr)
    assert place.edits("Unloadable") == {}
    assert len(place.noted("load")) == 1
    assert place.leftovers() == []


@pytest.mark.parametrize(("how", "at_once"), [("exit", 1), ("exit", 3), ("dead", 1), ("hang", 1)])
def test_workers_that_die_on_sample_after_sample_stop_the_run(place: Place, how: str, at_once: int) -> None:
    done = place.edit("Odd", "--edit-timeout", "1.5", how=how, at_once=at_once)
    assert done.returncode == 1
    assert "3 samples in a row ended the worker process" in only_line(done.stderr)
    assert len(place.edits()) == 2
    assert place.leftovers() == []


def test_deaths_with_edits_between_them_do_not_stop_the_run(place: Place) -> None:
    done = place.edit("Odd", how="exit", on="000001")
    assert done.returncode == 3
    assert [edit.ok for _, edit in sorted(place.edits().items())] == [False, True] * 4


def test_a_library_that_only_an_edit_misses_stops_the_run(place: Place) -> None:
    done = place.edit("Odd", how="lacking", on=GUILTY)
    assert done.returncode == 1
    assert "cannot edit in its environment: ModuleNotFoundError" in only_line(done.stderr)
    assert f"Sparkle_{GUILTY}" not in place.edits()


def test_an_interpreter_that_is_not_there_is_told_at_once(place: Place) -> None:
    done = place.edit("Noting", "--python", "/nowhere/bin/python", notes=place.notes)
    assert done.returncode == 1
    assert "/nowhere/bin/python" in only_line(done.stderr)


def test_an_interpreter_that_is_none_is_told(place: Place) -> None:
    program = place.root / "python"
    program.write_text("#!/bin/sh\necho this is no Python >&2\nexit 2\n", encoding="utf-8")
    program.chmod(0o755)
    done = place.edit("Noting", "--python", str(program), notes=place.notes)
    assert "ended with code 2; it printed at last: this is no Python" in only_line(done.stderr)


# -- its environment -----------------------------------------------------------------------------------------------------


def test_another_interpreter_sees_this_package_and_nothing_else_of_ours(place: Place) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place.root / "venv"], check=True)
    (place.root / "sitecustomize.py").write_text("raise SystemExit('the working directory is looked at')")
    python = place.root / "venv" / "bin" / "python"
    done = place.edit("Noting", "--python", str(python), notes=place.notes)
    assert done.returncode == 0, done.stderr
    (path,), (environment,) = place.noted("path"), place.noted("environment")
    own = subprocess.run([python, "-I", "-c", "import sys, json; print(json.dumps(sys.path))"], stdout=-1, check=True)
    assert path[1:] == json.loads(own.stdout)
    assert path[0].startswith(str(place.temporary))
    assert "PYTHONPATH" not in environment


def test_an_interpreter_may_lie_anywhere(bench: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "seed=1 lr=$x 'a'"
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    place = Place(root=folder, bench=bench)
    done = place.edit("Noting", "--python", str(folder / "venv/bin/python"), "--limit", "2", notes=place.notes)
    assert done.returncode == 0, done.stderr
    assert len(place.noted("sample")) == 2
    (environment,) = place.noted("environment")
    assert "PYTHONPATH" not in environment
    assert environment["HF_MODULES_CACHE"].startswith(str(place.temporary))
    assert place.leftovers() == []


def test_another_interpreter_need_not_know_the_name_of_a_model(place: Place) -> None:
    site = place.root / "site"
    (site / "epnight-1.0.dist-info").mkdir(parents=True)
    (site / "epnight-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: epnight\nVersion: 1.0\n")
    (site / "epnight-1.0.dist-info" / "entry_points.txt").write_text(
        "[sparkle_bench.editors]\nepnight = epnight_plugin:Night\n", encoding="utf-8"
    )
    (site / "epnight_plugin.py").write_text("from epnight_code.models import Night\n", encoding="utf-8")
    (site / "epnight_code").mkdir()
    (site / "epnight_code" / "__init__.py").touch()
    (site / "epnight_code" / "models.py").write_text(
        "class Night:\n"
        "    own_process = True\n"
        "    def edit(self, sample, out):\n"
        "        out.write_bytes(sample.source_path.read_bytes())\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place.root / "venv"], check=True)
    python = place.root / "venv" / "bin" / "python"
    words = ["edit", "--bench", str(place.bench), "--model", "epnight", "--python", str(python)]
    process = cli.start(*words, cwd=place.root, **place.environment(PYTHONPATH=f"{site}{os.pathsep}{ROOT}"))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "note: loading epnight\n" in err
    assert (Store(root=place.root).read_run("epnight") or {})["editor"]["name"] == "epnight"


def test_no_secret_of_the_judge_is_in_a_workers_environment_and_each_has_its_own_modules(place: Place) -> None:
    words = place.words("Noting", "--gpus", "0,GPU-8f7a", notes=place.notes)
    secrets = {"SPARKLE_JUDGE_API_KEY": "key", "SPARKLE_JUDGE_URL": "http://u:p@127.0.0.1:9/v1", "HF_TOKEN": "mine"}
    process = cli.start(*words, cwd=place.root, **place.environment(**secrets))
    process.communicate(timeout=120)
    assert process.returncode == 0
    first, second = place.noted("environment")
    assert {name for name in first if name.startswith("SPARKLE_")} == set()
    assert first["HF_TOKEN"] == "mine"
    assert first["HF_MODULES_CACHE"] != second["HF_MODULES_CACHE"]
    assert {first["CUDA_VISIBLE_DEVICES"], second["CUDA_VISIBLE_DEVICES"]} == {"0", "GPU-8f7a"}
    assert place.leftovers() == []


@pytest.mark.parametrize("key", ["0dd-s3cret", None])
def test_a_models_key_reaches_it_and_nobody_else(place: Place, key: str | None) -> None:
    given = {"ODD_KEY": key} if key is not None else {}
    process = cli.start(*place.words("Keyed", notes=place.notes), cwd=place.root, **place.environment(**given))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert [line for line in odd_editors.notes(place.notes) if "key" in line] == [{"key": key, "there": []}]
    records = b"".join(path.read_bytes() for path in (place.root / "results").rglob("*.json*"))
    assert b"0dd-s3cret" not in records + out.encode() + err.encode()


def test_no_secret_of_the_judge_reaches_a_worker_that_python_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKLE_JUDGE_API_KEY", "key")
    editor = placed(editors.recipe("tests.odd_editors:Noting", {"notes": str(tmp_path / "notes")}), Where())
    editors.load(editor)
    editors.close(editor)
    (line,) = odd_editors.notes(tmp_path / "notes")
    assert "SPARKLE_JUDGE_API_KEY" not in line["environment"]


def test_a_worker_imports_little_beside_the_standard_library(place: Place) -> None:
    done = place.edit("Looking", modules=place.root / "modules.json")
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in json.loads((place.root / "modules.json").read_text())}
    mine = {name for name in loaded if not name.startswith(("_", "a_"))} - set(sys.stdlib_module_names)
    assert mine - {"sparkle_bench", "tests", "numpy", "av", "PIL", "cython_runtime"} == set()


# -- its end -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("model", ["Odd", "Unloadable"])
def test_no_worker_outlives_the_harness(place: Place, model: str, number: signal.Signals) -> None:
    begun = "begins" if model == "Odd" else "load"
    process = place.start(model, "--gpus", "0,1", how="hang", notes=place.notes)
    try:
        assert wait_until(lambda: len(place.noted(begun)) == 2)
        process.send_signal(number)
        _, err = process.communicate(timeout=15)
    finally:
        process.kill()
    assert "Traceback" not in err
    if number is signal.SIGINT:
        assert process.returncode == 1
        assert "that is on disk, run the same command to go on" in err
        assert of_workers(place.temporary) == []
        assert [name for name in place.leftovers() if name.startswith("sparkle-worker-")] == []
    assert wait_until(lambda: of_workers(place.temporary) == [], within=15)
    assert [path for path in place.root.rglob("*_edited.mp4")] == []


def test_a_worker_that_hangs_deep_does_not_outlive_a_killed_harness(place: Place) -> None:
    process = place.start("Odd", how="hang_deep", notes=place.notes)
    assert wait_until(lambda: place.noted("begins") != [])
    process.kill()
    process.communicate()
    assert of_workers(place.temporary) != []
    assert wait_until(lambda: of_workers(place.temporary) == [], within=30)


def test_a_run_that_was_killed_is_taken_up_again(place: Place) -> None:
    process = place.start("Noting", notes=place.notes, seconds=0.2)
    assert wait_until(lambda: len(place.noted("sample")) >= 2)
    process.kill()
    process.communicate()
    done = place.edit("Noting", notes=place.notes, seconds=0.2)
    assert done.returncode == 0, done.stderr
    assert len(place.edits("Noting")) == SAMPLES
    assert len(place.noted("sample")) <= SAMPLES + 1
    assert place.noted("load") != []
    assert [path.name for path in place.root.rglob(".*.part.mp4")] == []


def test_nothing_is_loaded_for_a_run_that_is_refused(place: Place) -> None:
    assert place.edit("Noting", "--limit", "2", notes=place.notes).returncode == 0
    done = place.edit("Noting", notes=place.notes, seconds=0.01)
    assert "was made by tests.odd_editors:Noting with options" in only_line(done.stderr)
    assert len(place.noted("load")) == 1


def test_nothing_is_started_where_nothing_is_left_to_edit(place: Place) -> None:
    assert place.edit("Noting", notes=place.notes).returncode == 0
    place.notes.unlink()
    assert place.edit("Noting", notes=place.notes).returncode == 0
    assert place.noted("load") == []


def test_two_runs_at_once_do_not_meet(place: Place) -> None:
    first, second = (
        place.start("Noting", "--name", name, "--gpus", "0,1", notes=place.notes, seconds=0.1) for name in ("a", "b")
    )
    for process in (first, second):
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(place.noted("sample")) == 2 * SAMPLES
    assert place.leftovers() == []


# -- what the harness asks ----------------------------------------------------------------------------------------------


def test_a_worker_describes_and_declares_the_model(place: Place) -> None:
    place.edit("Noting", notes=place.notes)
    said = Store(root=place.root).read_run("Noting") or {}
    assert said["editor"]["options"] == {"seconds": 0.0, "python": sys.version.split()[0]}
    assert said["declared"]["model"]["name"] == "Noting"
    assert "used" not in said["hardware"]


def test_the_work_is_seen_here_and_in_the_worker(place: Place) -> None:
    done = place.edit("Preparing", "--limit", "2", "--gpus", "0,1", notes=place.notes)
    assert done.returncode == 0, done.stderr
    assert place.noted("prepared") == [SAMPLES] * 4  # of each worker: once by the harness, once there


def test_work_that_is_refused_stops_the_run(place: Place) -> None:
    done = place.edit("Preparing", notes=place.notes, most=7)
    assert done.returncode == 1
    assert only_line(done.stderr) == "error: too much work"


def test_a_worker_that_is_started_anew_sees_the_work_again(bench: Path, tmp_path: Path) -> None:
    recipe = editors.recipe("tests.odd_editors:Preparing", {"notes": str(tmp_path / "notes")})
    samples = benchmark.load(bench).samples[:3]
    editor = placed(recipe, Where())
    try:
        editors.prepare(editor, samples)
        editor.edit(samples[0], tmp_path / "out.mp4")
        (worker,) = {line["load"] for line in odd_editors.notes(tmp_path / "notes") if "load" in line}
        os.kill(worker, signal.SIGKILL)
        editor.edit(samples[0], tmp_path / "out.mp4")
    finally:
        editors.close(editor)
    pids = [line["pid"] for line in odd_editors.notes(tmp_path / "notes") if "prepared" in line]
    assert pids[0] == os.getpid()
    assert len(set(pids)) == 3


def test_a_worker_tells_what_is_current_only_if_its_editor_does(tmp_path: Path) -> None:
    folder = placed(editors.recipe("folder", {"path": str(tmp_path)}), Where(gpus=("0",)))
    noting = placed(editors.recipe("tests.odd_editors:Noting", {"notes": str(tmp_path / "notes")}), Where())
    assert isinstance(folder, Process)
    assert editors.is_bound_by_content(folder)
    assert not editors.is_bound_by_content(noting)


def test_a_closed_worker_is_not_started_again(bench: Path, tmp_path: Path) -> None:
    editor = placed(editors.recipe("tests.odd_editors:Noting", {"notes": str(tmp_path / "notes")}), Where())
    editors.close(editor)
    editors.close(editor)
    with pytest.raises(EditorError, match="the run was stopped"):
        editor.edit(benchmark.load(bench).samples[0], tmp_path / "out.mp4")
    assert odd_editors.notes(tmp_path / "notes") == []


def test_an_editor_without_need_of_its_own_process_stays_here(tmp_path: Path) -> None:
    assert isinstance(placed(editors.recipe("folder", {"path": str(tmp_path)}), Where()), Folder)
    with pytest.raises(EditorError, match="--python"):
        placed(editors.recipe("folder", {"path": str(tmp_path)}), Where(python=Path(sys.executable)))


@pytest.mark.parametrize("gpus", [(), ("0", "3")])
def test_that_a_model_is_loading_is_told_once(place: Place, gpus: tuple[str, ...]) -> None:
    words = ("--gpus", ",".join(gpus)) if gpus else ()
    done = place.edit("Noting", *words, notes=place.notes)
    told = sorted(line for line in done.stderr.splitlines() if line.startswith("note: "))
    where = [f" on GPU {gpu}" for gpu in gpus] or [""]
    assert told == [f"note: loading tests.odd_editors:Noting{each}" for each in where]
    again = place.edit("Noting", *words, notes=place.notes)
    assert "loading" not in again.stderr


def test_a_model_in_this_process_is_loaded_once_and_before_it_is_described(place: Place) -> None:
    place.edit("Here", notes=place.notes)
    assert [next(iter(line)) for line in odd_editors.notes(place.notes)][:3] == ["load", "describe", "sample"]
    assert len(place.noted("load")) == 1


# -- the border ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutOfMemory("too small"), OutOfMemory),
        (Refused("no"), Refused),
        (MachineError("full"), MachineError),
        (VideoError("cut", kind="truncated"), VideoError),
        (OSError(28, "No space left on device"), MachineError),
        (FileNotFoundError(2, "No such file"), EditorError),
        (KeyError("x"), EditorError),
        (RuntimeError("CUDA error: out of memory"), OutOfMemory),
        (RuntimeError("HIP out of memory. Tried to allocate"), OutOfMemory),
        (EditorError("the command ended with code 1: torch.OutOfMemoryError: CUDA out of memory"), EditorError),
    ],
    ids=repr,
)
def test_an_error_keeps_its_kind_across_the_border(error: Exception, kind: type[SparkleError]) -> None:
    answer = lines.decoded(lines.encoded(lines.failure(error)))
    assert type(lines.raised(answer)) is kind
    assert "dead" not in answer
    assert "lost" not in answer
    if isinstance(error, VideoError):
        assert getattr(lines.raised(answer), "kind", None) == "truncated"


@pytest.mark.parametrize("name", ["SparkleError", "is_machine_trouble", "errno", "MACHINE_ERRNOS", "nothing", ""])
def test_an_error_of_no_known_kind_is_an_editors(name: str) -> None:
    made = lines.raised({"error": "x", "error_type": name})
    assert isinstance(made, SparkleError)
