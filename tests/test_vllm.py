"""The main road on a real vLLM, serving tiny random models on the CPU. Their marks mean nothing; the road is tested.

Needs `SPARKLE_VLLM_PYTHON`, the interpreter of an environment with vLLM, and the real videos of shared/data. Two servers
are started one after the other; all of it takes a few minutes.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from sparkle_bench import video
from sparkle_bench.errors import JudgeUnavailable
from sparkle_bench.judges import openai, probe, sight
from sparkle_bench.judges.transport import Transport
from sparkle_bench.prompts import Prompt, load_prompt
from sparkle_bench.store import Store
from tests import cli
from tests.conftest import DemoRun
from tests.resize_table import TABLE
from tests.vllm_server import VllmServer, free_port

pytestmark = pytest.mark.vllm

HERE = Path(__file__).parent
Connect = Callable[[str, probe.Options], openai.OpenAIJudge]
SAMPLES = 8
PIXELS = 640 * 360


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    address = os.environ.get("SPARKLE_VLLM_PYTHON")
    if not address:
        pytest.skip("left out: needs SPARKLE_VLLM_PYTHON, the interpreter of an environment with vLLM")
    return Path(address)


@pytest.fixture(scope="session")
def prompt() -> Prompt:
    return load_prompt("sparkle", root=Path())


def built(kind: str, vllm_python: Path, folder: Path) -> Path:
    """Build a tiny model with the vLLM environment's own libraries."""
    env = {**os.environ, "PYTHONPATH": str(HERE / "vllm_env"), "HF_HUB_OFFLINE": "1"}
    script = HERE / "vllm_env" / "tiny_judges.py"
    subprocess.run([str(vllm_python), str(script), kind, str(folder)], env=env, check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def qwen25(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("qwen2.5-vl", vllm_python, tmp_path_factory.mktemp("models") / "tiny-qwen2.5-vl")


@pytest.fixture(scope="module")
def qwen3(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("qwen3-vl", vllm_python, tmp_path_factory.mktemp("models") / "tiny-qwen3-vl")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def real_pair(mini: Path, data: Path, frames: int, factor: int) -> video.Pair:
    source = mini / "source_videos/location/Sparkle_location_000223.mp4"
    edited = next((data / "submissions/sparkle-data").rglob("Sparkle_location_000223_edited.mp4"))
    return video.load_pair(source, edited, video.Sampling(frames=frames, max_pixels=PIXELS, factor=factor))


def tokens(server: VllmServer, model: str, pair: video.Pair, *, state: bool) -> str:
    """Return the text that the model sees for a pair, as the server tells it."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": openai.content("Look.", pair)}],
        "return_token_strs": True,
    }
    if state and pair.timing is not None:
        body["media_io_kwargs"] = {"video": openai.stated(pair.timing)}
    answer = httpx.post(f"{server.url.removesuffix('/v1')}/tokenize", json=body, timeout=300)
    assert answer.status_code == 200, answer.text
    return "".join(answer.json()["token_strs"])


def pads(pair: video.Pair, factor: int) -> int:
    """Count the video tokens that a pair should become, from the pictures that are really sent."""
    import cv2
    import numpy as np

    total = 0
    for clip in (pair.before, pair.after):
        picture = cv2.imdecode(np.frombuffer(clip.parts[0], np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        height, width = picture.shape[:2]
        total += len(clip.parts) // 2 * (height // factor) * (width // factor)
    return total


@pytest.fixture
def connect(prompt: Prompt) -> Iterator[Connect]:
    """Connect to a judge, and hang up when the test is over."""
    with ExitStack() as stack:

        def to(url: str, options: probe.Options) -> openai.OpenAIJudge:
            transport = Transport(url=url)
            stack.callback(transport.close)
            return probe.connect(transport, prompt, options)

        yield to


@pytest.fixture(scope="class")
def port() -> int:
    return free_port()


@pytest.fixture(scope="class")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="class")
def serve(
    vllm_python: Path, qwen25: Path, port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[VllmServer]]:
    """The running Qwen2.5-VL, first of a list, so that a test may replace it."""
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    running = [VllmServer.start(vllm_python, qwen25, port, log, "tiny-qwen2.5-vl")]
    yield running
    running[0].stop()


@pytest.fixture(scope="class")
def server(vllm_python: Path, qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """A running Qwen3-VL."""
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    with VllmServer.start(vllm_python, qwen3, free_port(), log, "tiny-qwen3-vl", readme_options()) as running:
        yield running


def readme_options() -> list[str]:
    """Return what the README's `vllm serve MODEL …` passes, so that its line is a line that works."""
    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    line = next(line for line in readme.splitlines() if line.startswith("vllm serve "))
    return shlex.split(line)[3:]


@pytest.fixture(scope="class")
def untrusting(vllm_python: Path, qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """A server of somebody else's, started without --trust-request-mm-kwargs."""
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    with VllmServer.start(vllm_python, qwen3, free_port(), log, "tiny", trust_request_mm_kwargs=False) as running:
        yield running


class TestQwen25:
    """One server for the whole main road, killed once on the way."""

    def test_the_main_road_with_the_server_killed_in_mid_run(
        self, serve: list[VllmServer], vllm_python: Path, qwen25: Path, port: int, mini: Path, data: Path, root: Path
    ) -> None:
        shared: list[str | Path] = ["--bench", mini, "--judge-url", serve[0].url, "--workers", "1"]
        process = cli.start("eval", "--model", "identity", *shared, cwd=root)
        self.wait_for_judgments(root, 2)
        serve[0].kill()
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1, errors
        assert errors.strip().splitlines()[-1].startswith("error: the judge at http://127.0.0.1"), errors
        before = self.judgments(root, "identity")
        assert 2 <= len(before) < SAMPLES

        serve[0] = VllmServer.start(vllm_python, qwen25, port, root / "vllm2.log", "tiny-qwen2.5-vl")
        again = cli.run("eval", "--model", "identity", *shared, cwd=root, timeout=300)
        assert again.returncode == 0, again.stderr
        after = self.judgments(root, "identity")
        assert after[: len(before)] == before, "what was on disk stays"
        assert sorted(line["sample_id"] for line in after if "scores" in line) == sorted(self.ids(root, "identity"))

        handed_in = data / "submissions" / "sparkle-data"
        judged = cli.run("judge", handed_in, "--name", "sparkle-data", *shared, "--json", cwd=root, timeout=300)
        assert judged.returncode == 0, judged.stderr
        summary = json.loads(judged.stdout)
        assert (summary["n"], summary["of"], summary["no_verdict"]) == (SAMPLES, SAMPLES, 0)

        rebuilt = cli.run("leaderboard", cwd=root)
        assert rebuilt.returncode == 0, rebuilt.stderr
        board = Path(root / summary["board"]).with_name("leaderboard.md").read_text()
        sys.stderr.write(f"\n{board}\n")
        assert "identity" in board
        assert "sparkle-data" in board

    def judgments(self, root: Path, model: str) -> list[dict[str, Any]]:
        return [line for path in root.glob(f"results/{model}/judged/*/judgments.jsonl") for line in lines(path)]

    def ids(self, root: Path, model: str) -> list[str]:
        return [sample.id for sample in Store(root=root).samples(model)]

    def wait_for_judgments(self, root: Path, count: int) -> None:
        deadline = time.monotonic() + 240
        while len(self.judgments(root, "identity")) < count:
            assert time.monotonic() < deadline, "no judgment came"
            time.sleep(0.05)

    def test_whole_files_are_judged_too(self, serve: list[VllmServer], mini: Path, root: Path) -> None:
        words: list[str | Path] = [
            "--bench",
            mini,
            "--judge-url",
            serve[0].url,
            "--media",
            "mp4",
            "--limit",
            "1",
            "--json",
        ]
        judged = cli.run("eval", "--model", "identity", *words, cwd=root, timeout=300)
        assert judged.returncode == 0, judged.stderr
        assert json.loads(judged.stdout)["n"] == 1
        assert "sampled the frames by its own rule" in judged.stderr

    @pytest.mark.parametrize("frames", [16, 40])
    def test_every_frame_reaches_the_model(
        self, serve: list[VllmServer], mini: Path, data: Path, frames: int, connect: Connect
    ) -> None:
        judge = connect(serve[0].url, probe.Options(frames=frames))
        assert judge.sampling is not None
        assert (judge.sampling.factor, judge.clock) == (28, "stated")
        pair = real_pair(mini, data, frames, 28)
        assert tokens(serve[0], "tiny-qwen2.5-vl", pair, state=True).count("<|video_pad|>") == pads(pair, 28)

    def test_the_stated_rate_reaches_the_model(self, serve: list[VllmServer], mini: Path, data: Path) -> None:
        """Qwen2.5-VL has no time labels: time turns its position embeddings, which shows in the log-probabilities."""
        pair = real_pair(mini, data, 16, 28)
        assert pair.timing is not None
        true = self.first_token(serve[0], pair, openai.stated(pair.timing))
        twice = self.first_token(serve[0], pair, {**openai.stated(pair.timing), "fps": 32.0, "total_num_frames": 162})
        slow = self.first_token(serve[0], pair, {**openai.stated(pair.timing), "fps": 1.0})
        assert true == pytest.approx(twice, abs=1e-5), "the same seconds between frames"
        assert true != pytest.approx(slow, abs=1e-5)

    def first_token(self, server: VllmServer, pair: video.Pair, media: dict[str, Any]) -> list[float]:
        body = {
            "model": "tiny-qwen2.5-vl",
            "messages": [{"role": "user", "content": openai.content("Look.", pair)}],
            "media_io_kwargs": {"video": media},
            "temperature": 0,
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": 5,
        }
        answer = httpx.post(f"{server.url}/chat/completions", json=body, timeout=300).json()
        return [top["logprob"] for top in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]]


class TestQwen3:
    """Time labels stand in the prompt of a Qwen3-VL."""

    @pytest.mark.parametrize("frames", [16, 40])
    def test_labels_and_frames_are_right(
        self, server: VllmServer, mini: Path, data: Path, frames: int, connect: Connect
    ) -> None:
        judge = connect(server.url, probe.Options(frames=frames))
        assert judge.sampling is not None
        assert (judge.sampling.factor, judge.clock, judge.notes) == (32, "stated", ())
        pair = real_pair(mini, data, frames, 32)
        seen = tokens(server, "tiny-qwen3-vl", pair, state=True)
        labels = sight.time_labels(seen)
        expected = [round(seconds, 6) for seconds in sight.expected_times(pair)] * 2
        assert len(labels) == frames
        assert all(abs(label - true) <= 0.0501 for label, true in zip(labels, expected, strict=True))
        assert seen.count("<|video_pad|>") == pads(pair, 32)

    def test_without_stated_times_the_labels_are_wrong(self, server: VllmServer, mini: Path, data: Path) -> None:
        """The reason for all this; should vLLM change its rule, this test says so."""
        pair = real_pair(mini, data, 40, 32)
        labels = sight.time_labels(tokens(server, "tiny-qwen3-vl", pair, state=False))
        assert labels[:3] == (0.5, 2.5, 4.5)
        assert len(labels) == 32, "32 of 40 frames, in twos, twice"

    def test_a_verdict_of_the_eight_samples(self, server: VllmServer, mini: Path, tmp_path: Path) -> None:
        words: list[str | Path] = [
            "--bench",
            mini,
            "--judge-url",
            server.url,
            "--repeats",
            "2",
            "--workers",
            "4",
            "--json",
        ]
        judged = cli.run("eval", "--model", "identity", *words, cwd=tmp_path, timeout=300)
        assert judged.returncode == 0, judged.stderr
        assert json.loads(judged.stdout)["n"] == SAMPLES

    def test_the_demo_checks_a_real_judge(self, server: VllmServer, demo_run: DemoRun, tmp_path: Path) -> None:
        """A tiny random model cannot see; the demo says so of it, and every clip has its verdict."""
        root = tmp_path / "copy"
        shutil.copytree(demo_run.root, root)
        words: list[str | Path] = ["--root", root, "--judge-url", server.url, "--frames", "4", "--json"]
        done = cli.run("demo", *words, cwd=tmp_path, timeout=580)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert len(said["answers"]) == 8
        assert not all(answer["as_known"] for answer in said["answers"])
        judged = [
            line for path in root.glob("results/*/judged/tiny-qwen3-vl-*/judgments.jsonl") for line in lines(path)
        ]
        assert len([line for line in judged if "scores" in line]) == 96


class TestUntrusting:
    """A server of somebody else's, started without --trust-request-mm-kwargs."""

    def test_it_is_refused_with_the_cure(self, untrusting: VllmServer, connect: Connect) -> None:
        with pytest.raises(JudgeUnavailable, match="--trust-request-mm-kwargs"):
            connect(untrusting.url, probe.Options())

    def test_its_own_clock_can_be_accepted_and_is_recorded(self, untrusting: VllmServer, connect: Connect) -> None:
        judge = connect(untrusting.url, probe.Options(server_clock=True))
        assert judge.clock == "server"
        assert judge.identity["clock"] == "server"
        assert judge.notes == (sight.SERVER_CLOCK,)

    def test_frames_it_would_drop_are_named(self, untrusting: VllmServer, connect: Connect) -> None:
        with pytest.raises(JudgeUnavailable, match="shows its model 32 of 40 frames"):
            connect(untrusting.url, probe.Options(frames=40, server_clock=True))


def test_the_table_of_sizes_is_that_of_qwen_vl_utils(vllm_python: Path) -> None:
    """`test_video.py` compares ours with the table; here the table is compared with the original."""
    script = (
        "import json, sys\n"
        "from qwen_vl_utils.vision_process import smart_resize\n"
        "print(json.dumps([smart_resize(*size) for size in json.load(sys.stdin)]))"
    )
    env = {**os.environ, "PYTHONPATH": str(HERE / "vllm_env")}
    asked = json.dumps([row[:5] for row in TABLE])
    done = subprocess.run(
        [str(vllm_python), "-c", script], input=asked, env=env, text=True, capture_output=True, check=True
    )
    theirs = [tuple(pair) for pair in json.loads(done.stdout.splitlines()[-1])]
    assert theirs == [(row.fitted_height, row.fitted_width) for row in TABLE]
