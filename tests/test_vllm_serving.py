"""`sparkle-bench serve` with a real vLLM that serves a tiny random model on the CPU: it answers, and nothing outlives it.

Needs `SPARKLE_VLLM_PYTHON`, the interpreter of an environment with vLLM. Two servers are started, about 35 s each.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import cli
from tests.vllm_server import free_port, group_members, server_environment

pytestmark = pytest.mark.vllm

HERE = Path(__file__).parent
CPU = ("--serve-option", "dtype=float32", "--serve-option", "enforce-eager=true")
READY_SECONDS = 240.0


@pytest.fixture(scope="module")
def vllm_python() -> str:
    address = os.environ.get("SPARKLE_VLLM_PYTHON")
    if not address:
        pytest.skip("left out: needs SPARKLE_VLLM_PYTHON, the interpreter of an environment with vLLM")
    return address


@pytest.fixture(scope="module")
def environment(vllm_python: str) -> dict[str, str]:
    path = {name: value for name, value in os.environ.items() if name == "PYTHONPATH"}
    return server_environment({"SPARKLE_VLLM_PYTHON": vllm_python, **path})


@pytest.fixture(scope="module")
def tiny(vllm_python: str, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-qwen2.5-vl"
    script = HERE / "vllm_env" / "tiny_judges.py"
    command = [vllm_python, str(script), "qwen2.5-vl", str(folder)]
    subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, timeout=300)
    return folder


class Running:
    """A `sparkle-bench serve` that was started, and the first process of its server."""

    def __init__(self, words: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
        self.words = words
        self.process = cli.start("serve", *words, cwd=folder, **environment)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.hint = self.process.stdout.readline().strip()
        assert self.url, self.process.communicate()[1]
        self.leader = next(pid for pid in children(self.process.pid) if group_members(pid))

    def ended_within(self, seconds: float) -> bool:
        """Return whether no process of the server's group is left so many seconds from now."""
        deadline = time.monotonic() + seconds
        while group_members(self.leader):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


def children(parent: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


Starting = Callable[..., Running]


@pytest.fixture(scope="module")
def starting(tiny: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starting]:
    """Return what starts a server on the tiny model; one that a failed test leaves behind is ended."""
    started: list[Running] = []

    def start() -> Running:
        words: list[str | Path] = ["--judge-model", tiny, "--port", str(free_port()), *CPU]
        words += ["--patience", str(READY_SECONDS)]
        started.append(Running(words, tmp_path_factory.mktemp("serve"), environment))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.terminate()
        running.process.communicate(timeout=60)


@pytest.fixture(scope="class")
def running(starting: Starting) -> Running:
    return starting()


class TestServing:
    """One server, from its address to Ctrl-C; the tests build on each other's order."""

    def test_it_serves_under_the_printed_address(self, running: Running) -> None:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", running.url)
        assert running.hint == f"--judge-url {running.url} --judge-model tiny-qwen2.5-vl"
        card = httpx.get(f"{running.url}/models", trust_env=False).json()["data"][0]
        assert (card["id"], card["owned_by"], card["max_model_len"]) == ("tiny-qwen2.5-vl", "vllm", 32768)

    def test_what_runs_is_what_a_dry_run_prints(
        self, running: Running, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        done = cli.run("serve", *running.words, "--dry-run", cwd=tmp_path, timeout=60, **environment)
        assert done.returncode == 0, done.stderr
        runs = Path(f"/proc/{running.leader}/cmdline").read_text().rstrip("\0").split("\0")
        assert shlex.split(done.stdout) == runs

    def test_a_second_one_is_told_who_has_the_port(
        self, running: Running, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        line = failure(running.words, tmp_path, environment)
        assert f"is taken by a server of tiny-qwen2.5-vl; use it with --judge-url {running.url}" in line

    def test_ctrl_c_ends_every_process(self, running: Running) -> None:
        assert len(group_members(running.leader)) >= 2, "the API server and its engine"
        running.process.send_signal(signal.SIGINT)
        _, errors = running.process.communicate(timeout=60)
        assert running.process.returncode == 0, errors
        assert errors.splitlines()[-1] == "stopped"
        assert running.ended_within(0.0)


def test_a_killed_parent_takes_every_process_along(starting: Starting) -> None:
    running = starting()
    running.process.kill()
    running.process.communicate()
    assert running.ended_within(30.0)


# -- wrong starts ------------------------------------------------------------------------------------------------------


def failure(words: list[str | Path], folder: Path, environment: dict[str, str]) -> str:
    """Return the one line with which a start fails."""
    done = cli.run("serve", *words, cwd=folder, timeout=120, **environment)
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith(("starting ", "still loading "))]
    assert len(said) == 1, done.stderr
    return said[0]


def wrong(tiny: Path, *words: Any) -> list[str | Path]:
    return ["--judge-model", tiny, "--port", "0", *CPU, *words]


def test_a_context_longer_than_the_model_s(tiny: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    line = failure(wrong(tiny, "--serve-option", "max-model-len=99999"), tmp_path, environment)
    assert "takes at most 32768 tokens, not 99999; pass --serve-option max-model-len=32768" in line
    assert list(tmp_path.glob("sparkle-serve-tiny-qwen2.5-vl-*.log"))


def test_an_option_that_vllm_does_not_know(tiny: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    line = failure(wrong(tiny, "--serve-option", "no-such-thing=true"), tmp_path, environment)
    assert "this vLLM refuses an option (unrecognized arguments: --no-such-thing); correct --serve-option" in line


def test_a_model_that_is_nowhere(tmp_path: Path, environment: dict[str, str]) -> None:
    """The Hub is off: the launcher says so at once, and vLLM's own words are understood too."""
    line = failure(["--judge", "qwen3-vl-8b", "--port", "0"], tmp_path, environment)
    assert "Qwen/Qwen3-VL-8B-Instruct is not on this machine, and HF_HUB_OFFLINE keeps it from the Hub" in line
    cache = tmp_path / "models--Qwen--Qwen3-VL-8B-Instruct"
    cache.mkdir()
    line = failure(["--judge", "qwen3-vl-8b", "--port", "0"], tmp_path, {**environment, "HF_HUB_CACHE": str(tmp_path)})
    assert "Qwen/Qwen3-VL-8B-Instruct is not on this machine and the Hub cannot be reached; `hf download" in line
