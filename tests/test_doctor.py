"""`sparkle-bench doctor`: every lack is made for real, named with its cure, and hides no other check."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sparkle_bench import benchmark as sparkle
from sparkle_bench import disk
from sparkle_bench.cli.doctor import doctor
from sparkle_bench.doctor import ORDER, Asked, files, machine, process, servers
from sparkle_bench.doctor.check import Check, Found, Job, begin, note, ok
from sparkle_bench.download import REPO
from sparkle_bench.errors import MachineError, StoreError
from tests import cli
from tests.fake_judge import FakeJudge, serving
from tests.makers import write_benchmark
from tests.test_architecture import HEAVY
from tests.test_download import FakeHub
from tests.test_download import serving as serving_hub

KEY = "sk-doctor-0123456789abcdef"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("made-up") / "bench", samples_per_theme=1)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, bench: Path) -> Path:
    """A root with the results `one` and `two`, eight edits in all; tests copy it."""
    root = tmp_path_factory.mktemp("results")
    for name in ("one", "two"):
        assert cli.run("edit", "--model", "identity", "--name", name, "--bench", bench, cwd=root).returncode == 0
    return root


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, in which a test may put programs; nothing of this machine's settings is left."""
    for name in [n for n in os.environ if n.startswith(("SPARKLE_JUDGE_", "HF_")) or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def package(folder: Path, name: str, number: str, code: str = "") -> None:
    """Put a package where Python finds it: its version, and a module of this code."""
    info = folder / f"{name.replace('-', '_')}-{number}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n", encoding="utf-8")
    (folder / f"{name}.py").write_text(code, encoding="utf-8")


GPU = 'echo "NVIDIA H100 80GB HBM3, 81559 MiB, 81000 MiB, 550.54.15"'


def run(*words: str | Path, **environment: str) -> Result:
    """Run the command in this process."""
    done = CliRunner().invoke(doctor, list(map(str, words)), env=environment)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done


def checks(*words: str | Path, **environment: str) -> dict[str, dict[str, Any]]:
    """Return the checks by name; all are there, in their order, and the exit code follows from them."""
    done = run(*words, "--json", **environment)
    data = json.loads(done.stdout)
    assert tuple(check["name"] for check in data["checks"]) == ORDER
    lacking = [check["name"] for check in data["checks"] if check["required"] and check["state"] == "lack"]
    assert (done.exit_code, data["works"]) == ((1, False) if lacking else (0, True))
    assert data["uses"][0]["lacks"] == lacking
    return {check["name"]: check for check in data["checks"]}


def dead_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# -- the report --------------------------------------------------------------------------------------------------------


def test_all_is_well_on_a_machine_with_everything(
    bench: Path, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "nvidia-smi", GPU)
    program(programs, "ffmpeg", 'echo "ffmpeg version 7.1 Copyright (c) 2000-2024"')
    package(tmp_path / "site", "vllm", "0.11.0", "raise ImportError('nobody may import this')")
    for name in ("transformers", "diffusers", "accelerate", "qwen-vl-utils"):
        package(tmp_path / "site", name, "1.2", "raise ImportError('nobody may import this')")
    torch = "class version: cuda = '12.8'\nclass cuda:\n  device_count = staticmethod(lambda: 2)\n"
    package(tmp_path / "site", "torch", "2.8.0", torch)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with serving(FakeJudge()) as fake, serving_hub(FakeHub(commits={"1" * 40: bench})) as hub:
        given: list[str | Path] = ["--bench", bench, "--root", tmp_path, "--judge-url", fake.url, "--deep"]
        done = run(*given, HF_HUB_OFFLINE="0", HF_ENDPOINT=hub.address)
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert [line.split()[:2] for line in lines if line[0] != " "][:-1] == [
        ["note" if name in ("benchmark", "results") else "ok", name] for name in ORDER
    ]
    text = "\n".join(lines)
    assert "NVIDIA H100 80GB HBM3, 81559 MiB, 81000 MiB free, driver 550.54.15" in text
    assert "torch 2.8.0, built for CUDA 12.8, sees 2 GPUs" in text
    assert "transformers 1.2, diffusers 1.2, accelerate 1.2, qwen-vl-utils 1.2" in text
    assert "serves tiny-judge; asking tiny-judge, vllm 0.0.fake: passes the start-up probe" in text
    assert "every source video readable" in text
    assert lines[-1] == f"can: run the demo, judge finished videos with a VLM (server at {fake.url}), edit with a GPU"


def test_a_bare_machine_can_run_the_demo_and_is_told_the_rest(tmp_path: Path) -> None:
    done = run("--root", tmp_path / "new" / "folder")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("lack  benchmark"))
    assert lines[at + 1].strip() == "`sparkle-bench download`, or name the folder with --bench"
    assert lines[at + 1].startswith(" " * 17)
    assert [line.split()[1] for line in lines if line.startswith("lack")] == ["benchmark"]
    assert "name one with --judge-url" in done.stdout
    assert lines[-1] == (
        "can: run the demo; cannot: judge finished videos with a VLM (lacks benchmark, judge), "
        "edit with a GPU (lacks benchmark, gpu)"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["programs"]  # looking leaves no trace


def test_json_has_the_records_whole() -> None:
    data = json.loads(run("--offline", "--json").stdout)
    assert set(data) == {"works", "checks", "uses"}
    for check in data["checks"]:
        assert set(check) == {"name", "state", "found", "cure", "required"}
        assert check["state"] in ("ok", "note", "lack")
        assert check["cure"] or check["state"] != "lack"
        assert "\n" not in check["found"] + (check["cure"] or "")
    required = [check["name"] for check in data["checks"] if check["required"]]
    assert required == ["decoders", "encoders", "pictures", "disk", "prompt"]
    assert [use["name"] for use in data["uses"]] == [
        "run the demo",
        "judge finished videos with a VLM",
        "edit with a GPU",
    ]


def test_help_says_what_the_exit_code_means_and_loads_nothing_heavy() -> None:
    assert "exit code is 0" in " ".join(run("--help").stdout.split())
    code = "from sparkle_bench.cli.doctor import doctor; doctor(['--help'], standalone_mode=False)"
    report = f"import sys; print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_whoever_breaks_or_hangs_hides_nobody() -> None:
    def hang() -> Found:
        time.sleep(30)
        return ok("never")

    def breaks() -> Found:
        raise KeyError("odd\nthing")

    def damaged() -> Found:
        raise StoreError("line 3 is damaged")

    looks = {"hangs": hang, "breaks": breaks, "damaged": damaged, "well": lambda: note("seen")}
    waits = [begin(Job(name=name, look=look, seconds=0.5, cure="do", required=True)) for name, look in looks.items()]
    started = time.monotonic()
    assert [wait() for wait in waits] == [
        Check(name="hangs", state="lack", found="no answer within 0.5 s", cure="do", required=True),
        Check(name="breaks", state="lack", found="KeyError: 'odd\\nthing'", cure="do", required=True),
        Check(name="damaged", state="lack", found="line 3 is damaged", cure="do", required=True),
        Check(name="well", state="note", found="seen", required=True),
    ]
    assert time.monotonic() - started < 5


# -- video libraries ---------------------------------------------------------------------------------------------------

BROKEN = {
    "decord kills the process": ("decord", "import os; os.abort()", "decord"),
    "PyAV cannot be imported": ("av", "raise ImportError('libavformat.so.60: no such file')", "av"),
    "OpenCV cannot be imported": ("cv2", "raise ImportError('libGL.so.1: no such file')", "opencv-python-headless"),
}


@pytest.mark.parametrize(("module", "code", "cure"), BROKEN.values(), ids=BROKEN)
def test_a_broken_library_is_a_lack_and_ends_with_1(
    module: str, code: str, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = checks("--judge-url", "http://127.0.0.1:9/v1")
    assert ("not asked" in found["judge"]["found"]) == (module == "cv2")  # it would be shown pictures
    lacking = {name for name, check in found.items() if check["state"] == "lack" and check["required"]}
    assert lacking == {"decord": {"decoders"}, "av": {"decoders", "encoders"}, "cv2": {"pictures"}}[module]
    for name in lacking:
        assert "no such file" in found[name]["found"] or "signal 6" in found[name]["found"]
        assert found[name]["cure"].startswith("pip install --force-reinstall")
        assert cure in found[name]["cure"]


def test_pyav_takes_over_from_a_decord_that_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "decord.py").write_text(
        "class logging:\n  QUIET = 0\n  set_level = staticmethod(lambda level: None)\n"
        "cpu = lambda number: number\n"
        "def VideoReader(*_, **__): raise RuntimeError('unknown codec')\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    seen = machine.ability("decoders", 30)
    assert seen.state == "note"
    assert "decord decodes nothing (unknown codec); PyAV does instead" in seen.text


def test_a_decord_that_cannot_be_imported_is_a_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "decord.py").write_text("raise OSError('libavcodec.so.58: no such file')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "site")
    seen = machine.ability("decoders", 30)
    assert (seen.state, seen.cure) == ("lack", "pip install --force-reinstall decord")
    assert "decord cannot be imported (libavcodec.so.58: no such file)" in seen.text


def test_decoders_that_disagree_are_a_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "decord.py").write_text(
        "import numpy as np\n"
        "class logging:\n  QUIET = 0\n  set_level = staticmethod(lambda level: None)\n"
        "cpu = lambda number: number\n"
        "class Frame:\n  asnumpy = lambda self: np.zeros((64, 96, 3), np.uint8)\n"
        "def VideoReader(*_, **__): return [Frame()] * 8\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    seen = machine.ability("decoders", 30)
    assert (seen.state, seen.cure) == ("lack", "pip install --force-reinstall decord av")
    assert "decode different pictures" in seen.text


def test_a_library_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "cv2.py").write_text("import time; time.sleep(60)", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(MachineError, match=r"gave no answer within 0\.5 s"):
        machine.ability("pictures", 0.5)


# -- programs, GPUs, packages ------------------------------------------------------------------------------------------


def test_a_gpu_without_vllm_is_told_how_to_serve_a_judge(programs: Path) -> None:
    program(programs, "nvidia-smi", f"{GPU}\n{GPU}")
    found = checks("--offline")
    assert found["gpu"]["found"].count("NVIDIA H100 80GB HBM3") == 2
    assert found["vllm"]["state"] == "lack"
    assert found["vllm"]["cure"].startswith("pip install 'sparkle-bench[vllm]'")
    assert found["torch"]["cure"] == "pip install 'sparkle-bench[editors]'"
    assert machine.vllm(gpu=True, judge_named=True).state == "note"


SMI = {
    "fails": ("echo 'NVIDIA-SMI has failed because it could not talk to the driver.'; exit 9", "lack", "code 9"),
    "hangs": ("/bin/sleep 60; echo never", "lack", "gave no answer within 0.3 s"),
    "says nothing": ("exit 0", "note", "lists no GPU"),
    "says something else": ("echo hello", "note", "lists no GPU"),
}


@pytest.mark.parametrize(("script", "state", "words"), SMI.values(), ids=SMI)
def test_nvidia_smi_in_trouble(script: str, state: str, words: str, programs: Path) -> None:
    program(programs, "nvidia-smi", script)
    started = time.monotonic()
    seen = machine.gpu(0.3 if "sleep" in script else 30.0)
    assert (seen.state, words in seen.text) == (state, True)
    assert time.monotonic() - started < 10


def test_nvidia_smi_that_hangs_hides_no_other_check(programs: Path) -> None:
    program(programs, "nvidia-smi", "/bin/sleep 60; echo never")
    found = checks("--offline", "--timeout", "1.5")
    assert "no answer within 1.5 s" in found["gpu"]["found"]
    assert "`nvidia-smi` runs" in found["gpu"]["cure"]
    assert found["decoders"]["state"] == "ok"


def test_what_a_program_started_ends_with_it(programs: Path, tmp_path: Path) -> None:
    program(programs, "starter", f"/bin/sleep 60 &\necho $! > {tmp_path}/started\nwait")
    with pytest.raises(MachineError):
        process.run(["starter"], 0.5)
    status = Path(f"/proc/{(tmp_path / 'started').read_text().strip()}/stat")
    deadline = time.monotonic() + 10
    while status.exists() and status.read_text().rpartition(") ")[2][0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)


TORCH = {
    "sees none": ("class version: cuda = None\nclass cuda: device_count = staticmethod(lambda: 0)", "sees no GPU"),
    "breaks": ("raise OSError('libcudart.so.12: cannot open shared object file')", "libcudart.so.12"),
    "crashes": ("import os; os.abort()", "signal 6"),
    "hangs": ("import time; time.sleep(60)", "no answer within 0.3 s"),
}


@pytest.mark.parametrize(("code", "words"), TORCH.values(), ids=TORCH)
def test_a_torch_that_cannot_use_the_gpu(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.3 if "sleep" in code else 30.0
    package(tmp_path / "site", "torch", "2.8.0", code)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert machine.torch(seconds, gpu=False).state == "note"  # nobody asks it
    seen = machine.torch(seconds, gpu=True)
    assert seen.state == "lack"
    assert words in seen.text
    assert "torch 2.8.0" in seen.text
    assert seen.cure


@pytest.mark.parametrize("script", ["exit 1", "echo surprise", "/bin/sleep 60"])
def test_an_odd_ffmpeg_program_is_no_lack(script: str, programs: Path) -> None:
    program(programs, "ffmpeg", script)
    seen = begin(Job(name="ffmpeg", look=lambda: machine.ffmpeg(0.5), seconds=10, cure="wait", worst="note"))()
    assert seen.state == "note"


def test_processors_and_memory_are_counted() -> None:
    seen = machine.memory()
    counts = re.match(r"(\d+) of (\d+) processors", seen.text)
    assert counts
    assert 1 <= int(counts[1]) <= int(counts[2])


# -- disk, prompt, results ---------------------------------------------------------------------------------------------


def test_a_root_that_cannot_be_written_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = run("--offline", "--root", tmp_path / "file" / "below")
    assert done.exit_code == 1
    assert re.search(rf"^lack  disk .*file is a file, .*\n +{files.ELSEWHERE}$", done.stdout, re.MULTILINE)
    assert re.search(r"^ok    prompt ", done.stdout, re.MULTILINE)
    assert re.search(r"^note  results ", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1].startswith("can: nothing; cannot: run the demo (lacks disk), judge finished")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc, a folder that takes no files")
def test_a_folder_that_takes_no_files_is_a_lack() -> None:
    seen = files.space(Path("/proc/nowhere"))
    assert (seen.state, seen.cure) == ("lack", files.ELSEWHERE)
    assert "nothing can be written in /proc" in seen.text


def test_a_full_disk_is_a_lack(tmp_path: Path) -> None:
    assert files.room(tmp_path, files.RESULT_BYTES).state == "ok"
    assert files.room(tmp_path, files.RESULT_BYTES - 1).state == "lack"
    assert "0.3 GB" in files.room(tmp_path, 10**9).text


def test_the_lock_of_another_process_is_no_trouble(tmp_path: Path) -> None:
    with disk.held(tmp_path / "results" / ".boards.lock"):
        assert files.space(tmp_path).state == "ok"


def test_a_damaged_prompt_of_ones_own_ends_with_1(tmp_path: Path) -> None:
    own = tmp_path / "prompts" / "sparkle"
    own.mkdir(parents=True)
    for file in (Path(__file__).parent.parent / "prompts" / "sparkle").iterdir():
        shutil.copy(file, own)
    assert files.prompt(tmp_path).text.endswith(f"in {own}")
    (own / "rubric.toml").write_text("dimensions = [", encoding="utf-8")
    done = run("--offline", "--root", tmp_path)
    assert done.exit_code == 1
    assert re.search(r"^lack  prompt .*not valid TOML", done.stdout, re.MULTILINE)


def test_results_are_counted_and_damage_is_named(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    assert files.results(copy).text == f"2 under {copy}: 8 edits, 0 judgments"
    lines = (copy / "results" / "one" / "edits.jsonl").read_bytes().split(b"\n")
    (copy / "results" / "one" / "edits.jsonl").write_bytes(b"\n".join([lines[0], b'{"sample_id": 3', *lines[2:]]))
    (copy / "results" / "two" / "run.json").write_text("[]", encoding="utf-8")
    found = checks("--offline", "--root", copy)["results"]
    assert found["state"] == "lack"
    assert "one/edits.jsonl line 2 is damaged" in found["found"]
    assert "two/run.json holds no JSON object" in found["found"]


# -- the benchmark -----------------------------------------------------------------------------------------------------


def test_a_part_of_the_benchmark_is_counted(bench: Path) -> None:
    seen = files.benchmark(bench)
    assert seen.state == "note"
    assert "4 samples, 4 themes" in seen.text
    assert "458 samples" in seen.text
    assert seen.cure == f"`sparkle-bench download --to {bench}` fetches the rest"


def test_the_whole_benchmark_is_shown_with_its_digest(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = sparkle.load(bench).counts
    monkeypatch.setattr(sparkle.Benchmark.__init__, "__kwdefaults__", {"complete": counts})
    seen = files.benchmark(bench)
    assert (seen.state, seen.cure) == ("ok", None)
    assert sparkle.load(bench).digest[:12] in seen.text


def test_a_malformed_benchmark_is_named_in_one_line(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "bench", samples_per_theme=1, themes=["time"])
    (folder / "time_metadata.jsonl").write_text("{}\n", encoding="utf-8")
    seen = files.benchmark(folder)
    assert (seen.state, "time_metadata.jsonl: 1 lines without an id" in seen.text) == ("lack", True)
    (folder / "time_metadata.jsonl").unlink()
    (folder / "time_bench.csv").unlink()
    assert "holds no {theme}_bench.csv" in files.benchmark(folder).text


def test_a_benchmark_on_a_disk_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "bench", samples_per_theme=1, themes=["time"])
    (folder / "time_metadata.jsonl").unlink()
    os.mkfifo(folder / "time_metadata.jsonl")  # whoever opens it waits for a writer
    look = partial(files.benchmark, folder)
    seen = begin(Job(name="benchmark", look=look, seconds=0.5, cure="see to the disk"))()
    assert (seen.state, seen.found, seen.cure) == ("lack", "no answer within 0.5 s", "see to the disk")
    (folder / "time_metadata.jsonl").write_text("", encoding="utf-8")  # lets the reader go


def test_only_a_deep_look_finds_an_unreadable_source(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "bench", samples_per_theme=2, themes=["time"])
    source = folder / "source_videos" / "time" / "Sparkle_time_000002.mp4"
    source.write_bytes(source.read_bytes()[:-200])
    assert files.benchmark(folder).state == "note"
    seen = files.benchmark(folder, deep_seconds=60)
    assert seen.state == "lack"
    assert "1 source videos cannot be read: Sparkle_time_000002.mp4" in seen.text


# -- the judge ---------------------------------------------------------------------------------------------------------


def asked(fake: FakeJudge, **more: Any) -> Asked:
    return Asked(root=Path(), judge_url=fake.url, **more)


JUDGES: dict[str, tuple[FakeJudge, str, str, str]] = {
    "well": (FakeJudge(), "ok", "asking tiny-judge, vllm 0.0.fake: passes the start-up probe", ""),
    "another kind": (FakeJudge(owned_by="them", tokenize=False), "ok", "Nobody could check which frames", ""),
    "two models": (FakeJudge(models=("a", "b")), "lack", "serves 2 models", "name one with --judge-model: a, b"),
    "states no times": (FakeJudge(trusts=False), "lack", "does not let a request state", "--trust-request-mm-kwargs"),
    "drops frames": (FakeJudge(kept=8), "lack", "8 of 16 frames", "use fewer --frames"),
    "short context": (FakeJudge(context=100), "lack", "has a context of 100", "--max-model-len"),
    "wants a key": (FakeJudge(key=KEY), "lack", "refuses the key (401)", "SPARKLE_JUDGE_API_KEY"),
    "busy for ever": (FakeJudge(busy=99), "lack", "busy or not ready (503: loading)", "wait and run again"),
    "serves nothing": (FakeJudge(models=()), "lack", "lists no models", "/v1"),
}


@pytest.mark.parametrize(("fake", "state", "words", "cure"), JUDGES.values(), ids=JUDGES)
def test_a_judge_passes_the_start_up_probe_or_is_told_why_not(
    fake: FakeJudge, state: str, words: str, cure: str
) -> None:
    started = time.monotonic()
    with serving(fake):
        seen = servers.judge(asked(fake))
    assert (seen.state, words in seen.text, cure in (seen.cure or "")) == (state, True, True), seen
    assert time.monotonic() - started < 10


def test_the_judge_is_named_by_its_model() -> None:
    with serving(FakeJudge(models=("a", "b"))) as fake:
        seen = servers.judge(asked(fake, judge_model="c"))
        assert (seen.state, "does not serve 'c'" in seen.text) == ("lack", True)
        seen = servers.judge(asked(fake, judge_model="b"))
        assert (seen.state, "serves a, b; asking b" in seen.text) == ("ok", True)


def test_nobody_listens_there() -> None:
    seen = servers.judge(asked(FakeJudge(url=f"http://127.0.0.1:{dead_port()}/v1")))
    assert (seen.state, seen.cure) == ("lack", "start the server, or correct --judge-url")
    assert "no judge answers at http://127.0.0.1:" in seen.text


@contextmanager
def silence() -> Iterator[str]:
    """Yield the address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_judge_or_hub_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    started = time.monotonic()
    with silence() as address:
        found = checks("--judge-url", f"{address}/v1", "--timeout", "2", HF_ENDPOINT=address)
    assert found["judge"]["state"] == "lack"
    assert found["hub"]["state"] == "note"
    assert "does not answer" in found["hub"]["found"] or "no answer" in found["hub"]["found"]
    assert time.monotonic() - started < 15


def test_no_address_is_a_lack_among_others() -> None:
    found = checks("--offline", "--judge-url", "http://[half")
    assert (found["judge"]["state"], "is no address" in found["judge"]["found"]) == ("lack", True)
    assert found["disk"]["state"] == "ok"


def test_an_impossible_key_is_a_lack_among_others() -> None:
    found = checks("--judge-url", "http://127.0.0.1:9/v1", SPARKLE_JUDGE_API_KEY="schlüssel")
    assert (found["judge"]["state"], "holds characters" in found["judge"]["found"]) == ("lack", True)


def test_no_secret_is_shown(programs: Path) -> None:
    program(programs, "nvidia-smi", 'echo "card $SPARKLE_JUDGE_API_KEY, 1 MiB, 1 MiB, 1"')
    with serving(FakeJudge(key="another")) as fake:
        url = fake.url.replace("http://", "http://me:hunter2-pass@") + "?token=hunter3-query"
        done = run(SPARKLE_JUDGE_URL=url, SPARKLE_JUDGE_API_KEY=KEY)
    assert "refuses the key" in done.stdout
    for secret in (KEY, "hunter2", "hunter3"):
        assert secret not in done.output
    assert "hunter2" not in repr(Asked(root=Path(), api_key="hunter2"))


# -- the Hub -----------------------------------------------------------------------------------------------------------


def test_the_hub_is_asked_for_the_data_set(bench: Path) -> None:
    with serving_hub(FakeHub(commits={"1" * 40: bench})) as hub:
        seen = servers.hub(Asked(root=Path(), hub=hub.address))
        assert (seen.state, seen.text) == ("ok", f"{hub.address} answers and has {REPO}")
        hub.down = 401
        seen = servers.hub(Asked(root=Path(), hub=hub.address))
        assert (seen.state, "answers 401" in seen.text) == ("note", True)
        hub.down = 503
        seen = servers.hub(Asked(root=Path(), hub=hub.address))
        assert (seen.state, "does not answer (busy)" in seen.text) == ("note", True)
        count = len(hub.asked)
        assert "HF_HUB_OFFLINE" in servers.hub(Asked(root=Path(), hub=hub.address, hub_off=True)).text
        assert len(hub.asked) == count


def test_offline_asks_nobody(bench: Path) -> None:
    with serving(FakeJudge(busy=5)) as fake, serving_hub(FakeHub(commits={"1" * 40: bench})) as hub:
        offline = asked(fake, hub=hub.address, offline=True)
        assert servers.judge(offline) == servers.hub(offline) == note(servers.UNASKED)
        assert (fake.busy, hub.asked) == (5, [])


def test_a_hub_out_of_reach_is_a_note() -> None:
    found = checks(HF_HUB_OFFLINE="", HF_ENDPOINT=f"http://127.0.0.1:{dead_port()}")["hub"]
    assert found["state"] == "note"
    assert "everything else does" in found["found"]
    assert "copy the benchmark's folder" in found["cure"]
    look = partial(servers.hub, Asked(root=Path(), hub="http://[half"))
    assert begin(Job(name="hub", look=look, seconds=10, cure="mend it", worst="note"))().state == "note"
