"""Ways of judging on a real vLLM with a tiny random model: two servers, expected marks, the authors' protocol, `--serve`.

Needs `SPARKLE_VLLM_PYTHON` and the real videos of shared/data. Three servers are started, about 35 s each.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cli
from tests.test_vllm import SAMPLES, built, lines
from tests.vllm_server import VllmServer, free_port, group_members, server_environment

pytestmark = pytest.mark.vllm
MODEL = "tiny-qwen2.5-vl"
LIMITED = ("--override-generation-config", '{"max_new_tokens": 512}')


@pytest.fixture(scope="module")
def vllm_python() -> Path:
    address = os.environ.get("SPARKLE_VLLM_PYTHON")
    if not address:
        pytest.skip("left out: needs SPARKLE_VLLM_PYTHON, the interpreter of an environment with vLLM")
    return Path(address)


@pytest.fixture(scope="module")
def tiny(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("qwen2.5-vl", vllm_python, tmp_path_factory.mktemp("models") / MODEL)


@pytest.fixture(scope="module")
def two(vllm_python: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[VllmServer]]:
    """Two servers of the same model; the last test kills one.

    The second ends every reply after 512 tokens, as the judge asks anyhow, but for the authors' protocol, which sets no
    limit: a random model would talk until its context is full.
    """
    folder = tmp_path_factory.mktemp("log")
    with (
        VllmServer.start(vllm_python, tiny, free_port(), folder / "first.log", MODEL) as first,
        VllmServer.start(vllm_python, tiny, free_port(), folder / "second.log", MODEL, LIMITED) as second,
    ):
        yield [first, second]


def judged(root: Path, model: str = "identity") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the newest `judge.json` of a result and its judgments."""
    folder = max((root / "results" / model / "judged").iterdir(), key=lambda path: path.stat().st_mtime)
    return json.loads((folder / "judge.json").read_text()), lines(folder / "judgments.jsonl")


class TestServers:
    """The order matters: the last test leaves one server of two."""

    def test_expected_marks_stand_beside_the_hard_ones(self, two: list[VllmServer], mini: Path, tmp_path: Path) -> None:
        words: list[str | Path] = ["--bench", mini, "--no-signals", "--limit", "2", "--judge-url", two[0].url, "--json"]
        done = cli.run("eval", "--model", "identity", *words, "--soft", cwd=tmp_path, timeout=400)
        assert done.returncode == 0, done.stderr
        judge, found = judged(tmp_path)
        assert judge["identity"]["decoding"]["soft"] is True
        for line in found:
            assert set(line["soft"]) == set(line["scores"])
            assert all(1.0 <= mark <= 5.0 for mark in line["soft"].values())
        assert any(line["soft"][key] != line["scores"][key] for line in found for key in line["scores"])
        assert all(line["prompt_tokens"] > 1000 and line["latency"] > 0 for line in found)

    def test_the_authors_protocol_is_carried_out(self, two: list[VllmServer], mini: Path, tmp_path: Path) -> None:
        """A random model never writes a verdict by itself, so all twenty tries are used, and all of them are on record."""
        words: list[str | Path] = ["--bench", mini, "--no-signals", "--limit", "1", "--judge-url", two[1].url]
        words += ["--protocol", "authors", "--judge-model", MODEL]
        done = cli.run("eval", "--model", "identity", *words, cwd=tmp_path, timeout=590)
        judge, found = judged(tmp_path)
        assert (judge["identity"]["protocol"], judge["identity"]["media"]) == ("authors", "mp4")
        assert judge["identity"]["decoding"]["constrained"] is False
        (line,) = found
        assert done.returncode == 3, done.stderr
        assert line["attempts"] == len(line["failures"]) == 20
        assert line["error_type"] == "VerdictError"

    def test_one_of_two_killed_in_mid_run_loses_nothing(
        self, two: list[VllmServer], mini: Path, tmp_path: Path
    ) -> None:
        words: list[str | Path] = ["--bench", mini, "--no-signals", "--repeats", "3", "--workers", "4", "--json"]
        words += ["--judge-url", two[0].url, "--judge-url", two[1].url]
        process = cli.start("eval", "--model", "identity", *words, cwd=tmp_path)
        deadline = time.monotonic() + 300
        while not any((tmp_path / "results").glob("*/judged/*/judgments.jsonl")):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.1)
        two[1].kill()
        out, err = process.communicate(timeout=400)
        assert process.returncode == 0, err
        assert json.loads(out)["n"] == SAMPLES
        judge, found = judged(tmp_path)
        scored = sorted((line["sample_id"], line["repeat"]) for line in found if "scores" in line)
        assert len(scored) == len(set(scored)) == 3 * SAMPLES
        assert any("failures" in line for line in found), "the killed server was noticed"
        assert judge["usage"]["failed_attempts"] > 0
        assert len(json.loads(out)["noise"]) == 6


def test_a_run_starts_and_stops_its_own_server(
    vllm_python: Path, tiny: Path, mini: Path, data: Path, tmp_path: Path
) -> None:
    environment = server_environment({"SPARKLE_VLLM_PYTHON": str(vllm_python)})
    words: list[str | Path] = ["judge", data / "submissions/sparkle-data", "--name", "data", "--bench", mini]
    words += [
        "--serve",
        "--judge-model",
        tiny,
        "--port",
        str(free_port()),
        "--log",
        "vllm.log",
        "--no-signals",
        "--json",
    ]
    words += ["--serve-option", "dtype=float32", "--serve-option", "enforce-eager=true"]
    process = cli.start(*words, cwd=tmp_path, **environment)
    leader = None
    while process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        leader = leader or next(iter([int(pid) for pid in _text(children).split() if group_members(int(pid))]), None)
        time.sleep(0.2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["n"] == SAMPLES
    assert leader is not None
    assert group_members(leader) == []
    judge, _ = judged(tmp_path, "data")
    assert judge["identity"]["engine"] == {"dtype": "float32"}
    assert str(tiny.parent) not in json.dumps(judge)
    begun = time.monotonic()
    again = cli.run(*words, cwd=tmp_path, timeout=60, **environment)
    assert again.returncode == 0, again.stderr
    assert "nothing was started" in again.stderr
    assert json.loads(again.stdout)["overall"] == json.loads(out)["overall"]
    assert time.monotonic() - begun < 20


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_the_command_line_judges_inside_the_process(
    vllm_python: Path, tiny: Path, mini: Path, data: Path, tmp_path: Path
) -> None:
    """What vLLM says goes to standard error; standard output is the summary alone."""
    environment = server_environment(dict(os.environ))
    command: list[str | Path] = [vllm_python, "-m", "sparkle_bench", "judge", data / "submissions/sparkle-data"]
    command += ["--name", "data", "--bench", mini, "--no-signals", "--json", "--judge-engine", "offline"]
    command += ["--judge", "qwen2.5-vl-3b", "--judge-model", tiny]
    command += ["--serve-option", "dtype=float32", "--serve-option", "enforce-eager=true"]
    done = subprocess.run(
        [str(word) for word in command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["n"] == SAMPLES
    judge, found = judged(tmp_path, "data")
    assert judge["identity"]["judge"] == "offline"
    assert judge["identity"]["revision"].startswith("files-")
    assert judge["identity"]["checked"] is True
    assert all("scores" in line for line in found)
    assert str(tiny.parent) not in json.dumps(judge)
