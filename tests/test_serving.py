"""The launcher of vLLM: what is refused before a start, what a failed start is said to be, and that nothing outlives us.

A program that plays an interpreter with vLLM stands in for it; `test_vllm_serving.py` does the like with the real one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.errors import JudgeUnavailable
from sparkle_bench.judges import before_start, failed_start, gpus, process_group, serving, table
from sparkle_bench.judges.serving import Launch
from tests import cli
from tests.stand_in_vllm import interpreter

HUB_ID = "Qwen/Qwen3-VL-8B-Instruct"
Playing = Callable[..., Launch]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny-judge"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def playing(tmp_path: Path, model: Path) -> Playing:
    """Return what starts a stand-in that plays a part."""
    python = str(interpreter(tmp_path))

    def launch(**part: Any) -> Launch:
        return Launch(
            model=str(model),
            python=python,
            port=0,
            log=tmp_path / "logs" / "server.log",
            patience=20.0,
            environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "STAND_IN": json.dumps(part)},
        )

    return launch


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port on which somebody listens who says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def refused(call: Callable[[], object]) -> str:
    """Return the one line with which a call is refused."""
    with pytest.raises(JudgeUnavailable) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)
    return found


def start(launch: Launch) -> None:
    with serving.serving(launch):
        raise AssertionError("it started")


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_holds_what_a_judge_needs(playing: Playing, model: Path) -> None:
    launch = replace(playing(), port=8123, engine={"max_model_len": 8192, "dtype": "float32"})
    assert serving.command(launch) == [
        launch.python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model),
        "--served-model-name", "tiny-judge", "--host", "127.0.0.1", "--port", "8123",
        "--trust-request-mm-kwargs", "--limit-mm-per-prompt", '{"video": 2}', "--max-model-len", "8192",
        "--dtype", "float32",
    ]  # fmt: skip


def test_options_become_flags(playing: Playing) -> None:
    engine = {"enforce_eager": True, "quantization": None, "enable_x": False, "limit_mm_per_prompt": {"video": 3}}
    words = serving.command(replace(playing(), engine=engine))
    assert words[words.index("--limit-mm-per-prompt") + 1] == '{"video": 3}'
    assert "--enforce-eager" in words
    assert not {"--quantization", "--enable-x"} & set(words)


def test_a_revision_goes_with_a_hub_id_alone(playing: Playing) -> None:
    assert "--revision" not in serving.command(replace(playing(), revision="main"))
    words = serving.command(replace(playing(), model=HUB_ID, revision="v1"))
    assert words[words.index("--revision") + 1] == "v1"


def test_options_of_gpus_are_left_out_where_there_is_none(playing: Playing, tmp_path: Path) -> None:
    launch = replace(playing(), engine={"tensor_parallel_size": 2, "gpu_memory_utilization": 0.8})
    if not gpus.AMD_DRIVER.exists():
        without = replace(launch, environment={"PATH": str(tmp_path)})
        assert "--tensor-parallel-size" not in serving.command(without)
        assert "--gpu-memory-utilization" not in serving.command(without)
    words = serving.command(with_gpus(launch, tmp_path, "81559, 80000", "81559, 80000"))
    assert words[words.index("--tensor-parallel-size") + 1] == "2"


# -- before the start --------------------------------------------------------------------------------------------------


def with_gpus(launch: Launch, folder: Path, *cards: str, **environment: str) -> Launch:
    """Return the launch on a machine whose `nvidia-smi` lists such cards: total and free MiB."""
    bin_dir = folder / "bin"
    bin_dir.mkdir(exist_ok=True)
    rows = "".join(f"{index}, GPU-{index}abc, {card}\n" for index, card in enumerate(cards))
    program = bin_dir / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{rows}'\n")
    program.chmod(0o755)
    path = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
    return replace(launch, environment={**launch.environment, "PATH": path, **environment})


def test_no_interpreter_and_none_with_vllm(playing: Playing, tmp_path: Path) -> None:
    missing = replace(playing(), python=str(tmp_path / "nowhere"))
    assert "there is no interpreter" in refused(lambda: serving.check(missing))
    assert "--vllm-python" in refused(lambda: serving.check(playing(vllm=False)))
    (tmp_path / "not-python").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "not-python").chmod(0o755)
    broken = replace(playing(), python=str(tmp_path / "not-python"))
    assert "does not run as an interpreter" in refused(lambda: serving.check(broken))


def test_the_interpreter_is_the_given_one_or_this_one(playing: Playing, tmp_path: Path) -> None:
    launch = playing()
    assert serving.find_python(launch.python) == launch.python
    assert "/nowhere" in refused(lambda: serving.find_python(str(tmp_path / "nowhere")))
    has_vllm = subprocess.run([sys.executable, "-c", "import vllm"], capture_output=True, check=False).returncode == 0
    if has_vllm:
        assert serving.find_python(None) == sys.executable
    else:
        assert "pip install 'sparkle-bench[vllm]'" in refused(lambda: serving.find_python(None))


def test_a_model_that_is_not_there(playing: Playing, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = replace(playing(), model=str(tmp_path / "empty"))
    assert "no config.json" in refused(lambda: serving.check(empty))
    gone = replace(playing(), model=str(tmp_path / "gone"))
    assert "--judge-model" in refused(lambda: serving.check(gone))


def test_a_hub_id_with_the_hub_switched_off(playing: Playing, tmp_path: Path) -> None:
    launch = replace(playing(), model=HUB_ID)
    offline = replace(launch, environment={**launch.environment, "HF_HUB_OFFLINE": "1"})
    assert "HF_HUB_OFFLINE keeps it from the Hub" in refused(lambda: serving.check(offline))
    (tmp_path / ".cache/huggingface/hub/models--Qwen--Qwen3-VL-8B-Instruct").mkdir(parents=True)
    serving.check(offline)
    serving.check(launch)


def test_a_taken_port_is_named_with_who_has_it(playing: Playing, busy_port: int) -> None:
    launch = replace(playing(), port=busy_port)
    line = refused(lambda: serving.check(launch))
    assert f"port {busy_port} is taken by another program; pass another --port" in line
    with serving.serving(playing()) as served:
        port = int(served.url.split(":")[2].split("/")[0])
        line = refused(lambda: serving.check(replace(launch, port=port)))
        assert f"a server of tiny-judge; use it with --judge-url {served.url}" in line


MEMORY = [
    (("24564, 24000",), 1, "GiB of GPU memory, and vLLM may take 22 of the 24 GiB of GPU 0"),
    (("81559, 20000",), 1, "and GPU 0 has 20 of 80 GiB free"),
    (("81559, 60000",), 1, "--serve-option gpu-memory-utilization=0.73"),
    (("81559, 81000",), 2, "20 on each of 2 GPUs, and 1 can be seen; pass --serve-option tensor-parallel-size=1,"),
]


@pytest.mark.parametrize(("cards", "over", "said"), MEMORY)
def test_too_little_gpu_memory(playing: Playing, tmp_path: Path, cards: tuple[str, ...], over: int, said: str) -> None:
    launch = replace(playing(), memory_gib=40.0, engine={"tensor_parallel_size": over})
    line = refused(lambda: serving.check(with_gpus(launch, tmp_path, *cards)))
    assert said in line


def test_smaller_judges_that_fit_are_named(playing: Playing, tmp_path: Path) -> None:
    preset = table.load("qwen3-vl-32b")
    launch = replace(playing(), memory_gib=preset.memory_gib, engine=preset.engine)
    line = refused(lambda: serving.check(with_gpus(launch, tmp_path, "24564, 24200", "24564, 24200")))
    assert "(--judge qwen2.5-vl-7b, --judge qwen2.5-vl-3b)" in line
    assert "qwen3-vl-8b" not in line
    serving.check(with_gpus(launch, tmp_path, "81559, 81000", "81559, 81000"))


def test_only_the_visible_gpus_count(playing: Playing, tmp_path: Path) -> None:
    launch = replace(playing(), memory_gib=12.0)
    cards = ("81559, 81000", "8192, 8000")
    serving.check(with_gpus(launch, tmp_path, *cards, CUDA_VISIBLE_DEVICES="0"))
    for name in ("1", "GPU-1"):
        second = with_gpus(launch, tmp_path, *cards, CUDA_VISIBLE_DEVICES=name)
        with pytest.raises(JudgeUnavailable, match="of the 8 GiB of GPU 1"):
            serving.check(second)
    assert not gpus.seen(with_gpus(launch, tmp_path, *cards, CUDA_VISIBLE_DEVICES="").environment).cards


# -- starting, waiting, serving ----------------------------------------------------------------------------------------


def test_a_server_that_comes_up_late_is_waited_for(playing: Playing) -> None:
    said: list[tuple[float, str]] = []
    with serving.serving(playing(after=1.5), lambda *told: said.append(told), every=0.4) as served:
        assert before_start.answers("127.0.0.1", int(served.url.split(":")[2].split("/")[0]))
        assert served.name == "tiny-judge"
        assert served.commit is None
        assert served.seconds > 1.4
        assert served.wait(0.1) is None
        pid = served.pid
    assert process_group.members(pid) == []
    assert len(said) >= 2
    assert said[0][1] == "Loading weights", "the log's last line, without the logger's words"
    assert said[0][0] == pytest.approx(0.4, abs=0.35)


def test_patience_ends(playing: Playing) -> None:
    launch = replace(playing(after=60), patience=1.0)
    line = refused(lambda: start(launch))
    assert re.search(r"did not answer within 1 s \(its log .*server\.log ends: Loading weights\); pass a longer", line)


def test_a_server_that_ends_while_serving_is_noticed(playing: Playing) -> None:
    with serving.serving(playing(**{"for": 0.5})) as served:
        why = served.wait(10)
    assert why is not None
    assert "vLLM ended with status 3" in why


def test_the_block_s_own_error_ends_the_server_too(playing: Playing) -> None:
    leaders: list[int] = []

    def fails() -> None:
        with serving.serving(playing(child=True)) as served:
            leaders.append(served.pid)
            assert len(process_group.members(served.pid)) == 2
            raise ValueError("from the block")

    with pytest.raises(ValueError, match="from the block"):
        fails()
    assert process_group.members(leaders[0]) == []


def test_a_group_that_does_not_hear_is_killed(playing: Playing, tmp_path: Path) -> None:
    launch = replace(playing(deaf=True, child=True), port=serving.free_port())
    environment = dict(launch.environment)
    with (tmp_path / "deaf.log").open("wb") as log:
        process = subprocess.Popen(serving.command(launch), env=environment, stdout=log, start_new_session=True)
    wait_for(lambda: before_start.answers("127.0.0.1", launch.port))
    assert len(process_group.members(process.pid)) == 2
    begun = time.monotonic()
    process_group.end(process, patience=0.5)
    assert time.monotonic() - begun < 5
    assert process.returncode == -signal.SIGKILL
    assert process_group.members(process.pid) == []


def test_the_commit_is_that_of_the_local_cache(tmp_path: Path) -> None:
    environment = {"HF_HOME": str(tmp_path / "hf")}
    assert before_start.commit(HUB_ID, "main", environment) is None
    refs = tmp_path / "hf/hub/models--Qwen--Qwen3-VL-8B-Instruct/refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("0123456789abcdef0123456789abcdef01234567")
    assert before_start.commit(HUB_ID, "main", environment) == "0123456789abcdef0123456789abcdef01234567"
    assert before_start.commit(HUB_ID, None, environment) == "0123456789abcdef0123456789abcdef01234567"
    assert before_start.commit(HUB_ID, "f" * 40, {}) == "f" * 40
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        assert before_start.commit(HUB_ID, "main", {variable: str(tmp_path / "hf/hub")})
    assert before_start.commit(str(tmp_path), "main", environment) is None


# -- what a failed start is said to be ---------------------------------------------------------------------------------

GPU = "(EngineCore pid=41) ERROR 11-24 19:00:00 [core.py:1100] ValueError: "
ECHO = "\nRuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
PYDANTIC = "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, "
TEXTS = [
    (
        GPU
        + "Free memory on device cuda:0 (10.2/79.1 GiB) on startup is less than desired GPU memory utilization (0.9, "
        "71.2 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes." + ECHO,
        "too little GPU memory is free: 10.2 of 79.1 GiB",
    ),
    (GPU + "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`" + ECHO, "for its cache"),
    (
        GPU
        + "To serve at least one request with the model's max seq len (32768), (4.5 GiB KV cache is needed, which is "
        "larger than the available KV cache memory (2.1 GiB). Based on the available memory, the estimated maximum model "
        "length is 15200. Try increasing" + ECHO,
        "pass --serve-option max-model-len=15200",
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.2 GiB." + ECHO,
        "serve a smaller judge",
    ),
    (
        PYDANTIC + "User-specified max_model_len (99999) is greater than the derived max_model_len "
        "(max_position_embeddings=32768.0 or model_max_length=None in model's config.json). To allow",
        "pass --serve-option max-model-len=32768",
    ),
    ("RuntimeError: Failed to infer device type\n", "vLLM finds no GPU here"),
    ("OSError: You are trying to access a gated repo.\nMake sure to have access to it", "accept its terms"),
    ("OSError: v9 is not a valid git identifier (branch name, tag", "no revision 'v1' on the Hub"),
    ("OSError: x/y is not a local folder and is not a valid model identifier listed on", "neither as a folder nor"),
    ("RepositoryNotFoundError: 404 Client Error.\nRepository Not Found for url: https://", "neither as a folder nor"),
    ("OSError: We couldn't connect to 'https://huggingface.co' to load the files", "the Hub cannot be reached"),
    ("LocalEntryNotFoundError: … and outgoing traffic has been disabled.", "the Hub cannot be reached"),
    (
        "usage: api_server.py [-h]\napi_server.py: error: unrecognized arguments: --max-len 3\n",
        "correct --serve-option",
    ),
    ("OSError: [Errno 98] Address already in use\n", "pass another --port"),
    ("OSError: [Errno 28] No space left on device\n", "the disk is full"),
    (
        PYDANTIC
        + "Cannot find the config file for awq [type=value_error, input_value=ArgsKwargs((), {'mod'), input_type="
        "ArgsKwargs]\n    For further information visit https://errors.pydantic.dev\n",
        "vLLM ended with status 1: Value error, Cannot find the config file for awq; its log is",
    ),
    (GPU + "something new\n" + ECHO + "RuntimeError\n", "vLLM ended with status 1: ValueError: something new; its log"),
    ("loading\nSegmentation fault\n", "vLLM ended with status 1: Segmentation fault; its log"),
    ("", "vLLM ended with status 1: "),
]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_a_failed_start_is_explained_from_its_log(playing: Playing, text: str, said: str) -> None:
    launch = replace(playing(say=text), revision="v1")
    line = refused(lambda: start(launch))
    assert said.replace("Value error, ", "") in line
    assert str(launch.log) in line


@pytest.mark.parametrize(
    ("status", "said"),
    [(-9, "was killed, most likely by the system for want of memory"), (-11, "was ended by signal 11")],
)
def test_a_server_that_a_signal_ended(status: int, said: str) -> None:
    failure = failed_start.Failure(model="m", revision=None, status=status, text="", log="server.log")
    assert failed_start.explained(failure) == f"vLLM {said}: it said nothing; its log is server.log"


# -- the command line --------------------------------------------------------------------------------------------------


class Serve:
    """`sparkle-bench serve` with a stand-in, run as a user does."""

    def __init__(self, folder: Path, model: Path, **part: Any) -> None:
        self.log = folder / "server.log"
        words: list[str | Path] = [
            "--judge-model",
            model,
            "--port",
            "0",
            "--log",
            self.log,
            "--vllm-python",
            interpreter(folder),
        ]
        environment = {"HOME": str(folder), "STAND_IN": json.dumps(part)}
        self.process = cli.start("serve", *words, cwd=folder, **environment)

    def leader(self) -> int:
        """Return the server's first process, as it wrote it into the log."""
        text = wait_for(lambda: self.log.exists() and re.search(r"^pid (\d+)$", self.log.read_text(), re.MULTILINE))
        return int(text[1])


def test_serve_prints_the_address_and_ctrl_c_ends_all(tmp_path: Path, model: Path) -> None:
    serve = Serve(tmp_path, model, child=True)
    assert serve.process.stdout is not None
    url = serve.process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
    assert serve.process.stdout.readline().strip() == f"--judge-url {url} --judge-model tiny-judge"
    assert len(process_group.members(serve.leader())) == 2
    serve.process.send_signal(signal.SIGINT)
    _, errors = serve.process.communicate(timeout=30)
    assert serve.process.returncode == 0, errors
    assert errors.splitlines()[-1] == "stopped"
    assert process_group.members(serve.leader()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_it_loads_ends_it(tmp_path: Path, model: Path, number: signal.Signals) -> None:
    serve = Serve(tmp_path, model, after=60)
    leader = serve.leader()
    serve.process.send_signal(number)
    _, errors = serve.process.communicate(timeout=30)
    assert serve.process.returncode == 1
    assert errors.splitlines()[-1] == "stopped before it answered"
    assert process_group.members(leader) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
@pytest.mark.parametrize("part", [{}, {"after": 60}], ids=["serving", "loading"])
def test_a_killed_parent_takes_the_server_along(tmp_path: Path, model: Path, part: dict[str, Any]) -> None:
    serve = Serve(tmp_path, model, **part)
    leader = serve.leader()
    serve.process.kill()
    serve.process.communicate()
    wait_for(lambda: not process_group.members(leader))


def test_a_server_that_dies_is_one_line_and_code_1(tmp_path: Path, model: Path) -> None:
    serve = Serve(tmp_path, model, **{"for": 0.5})
    _, errors = serve.process.communicate(timeout=30)
    assert serve.process.returncode == 1
    assert errors.splitlines()[-1].startswith("error: the server ended by itself: vLLM ended with status 3")


def test_a_dry_run_prints_the_command_without_vllm(tmp_path: Path) -> None:
    done = cli.run("serve", "--dry-run", "--serve-option", "max-model-len=8192", "--vllm-python", "py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("py -m vllm.entrypoints.openai.api_server --model Qwen/Qwen3-VL-32B-Instruct ")
    assert "--served-model-name Qwen/Qwen3-VL-32B-Instruct --revision main" in done.stdout
    assert "--limit-mm-per-prompt '{\"video\": 2}' --max-model-len 8192" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--judge", "gemini-2.5-pro"), "judge with --judge-url https://generativelanguage.googleapis.com"),
        (("--judge", "qwen3"), "no judge 'qwen3'"),
        (("--vllm-python", "/nowhere/python"), "there is no interpreter '/nowhere/python'; correct --vllm-python"),
        (("--serve-option", "model=x"), "model is set here: --judge-model"),
        (("--serve-option", "Model"), "'Model' is not KEY=VALUE"),
    ],
)
def test_a_wrong_wish_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = cli.run("serve", *words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert said in done.stderr.splitlines()[-1]


def test_a_server_started_in_a_thread_lives_while_the_thread_does(playing: Playing) -> None:
    """Linux sends the death signal when the starting thread ends, not the process: here it waits for the server."""
    seen: list[str] = []

    def work() -> None:
        with serving.serving(playing()) as served:
            seen.append(served.url)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert len(seen) == 1
