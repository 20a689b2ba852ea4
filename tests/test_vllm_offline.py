"""The judge inside the process says what the judge behind a server says: real vLLM, tiny random models, real videos.

Needs `SPARKLE_VLLM_PYTHON`, the interpreter of an environment with vLLM and this package's core dependencies, and the
real videos of shared/data. For each model the server runs first, then the same questions are asked in one process.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sparkle_bench import benchmark, video
from sparkle_bench.judges import Question, openai, probe, sight
from sparkle_bench.judges.offline import Setup
from sparkle_bench.judges.openai import Decoding
from sparkle_bench.judges.transport import Transport
from sparkle_bench.prompts import Prompt, load_prompt
from tests.vllm_server import MAX_MODEL_LEN, VllmServer, free_port, server_environment

pytestmark = pytest.mark.vllm

HERE = Path(__file__).parent
SAMPLES = 8
PLAIN = Decoding(max_tokens=48, soft=True)
MARKS = Decoding(constrained=True, soft=True)
ENGINE = {"dtype": "float32", "enforce_eager": True, "max_model_len": MAX_MODEL_LEN}
FACTORS = {"qwen2.5-vl": 28, "qwen3-vl": 32}
WORK = ("plain", "constrained", "asked again", "files")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What both said, by the name of the setup."""

    served: dict[str, Any]
    offline: dict[str, Any]


@pytest.fixture(scope="module")
def vllm_python() -> Path:
    address = os.environ.get("SPARKLE_VLLM_PYTHON")
    if not address:
        pytest.skip("left out: needs SPARKLE_VLLM_PYTHON, the interpreter of an environment with vLLM")
    return Path(address)


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    return load_prompt("sparkle", root=Path())


def questions(mini: Path, data: Path, prompt: Prompt, sampling: video.Sampling | None) -> list[Question]:
    """Return one question for each of the eight real samples and its edit."""
    asked = []
    for sample in benchmark.load(mini).samples:
        edited = next((data / "submissions/sparkle-data").rglob(f"{sample.id}_edited.mp4"))
        pair = video.load_pair(sample.source_path, edited, sampling)
        asked.append(Question(sample=sample, prompt=prompt.render(sample.instruction), seed=42, pair=pair))
    return asked


def work(mini: Path, data: Path, prompt: Prompt, factor: int) -> dict[str, tuple[Setup, list[Question]]]:
    """Return what is asked of both."""
    framed = questions(mini, data, prompt, video.Sampling(factor=factor))
    whole = questions(mini, data, prompt, None)
    assert len(framed) == len(whole) == SAMPLES
    again = [dataclasses.replace(question, attempt=1) for question in framed[:2]]
    setup = Setup(model="", engine=ENGINE, decoding=PLAIN)
    return {
        "plain": (setup, framed),
        "constrained": (dataclasses.replace(setup, decoding=MARKS), framed),
        "asked again": (setup, again),
        "files": (dataclasses.replace(setup, media="mp4"), whole[:2]),
    }


def broken(whole: list[Question]) -> list[Question]:
    """Return four questions; the second holds a picture that is none, the third is longer than the context."""
    pair = whole[1].pair
    assert pair is not None
    torn = dataclasses.replace(pair.after, parts=(b"no picture", *pair.after.parts[1:]))
    bad = dataclasses.replace(whole[1], pair=dataclasses.replace(pair, after=torn))
    long = dataclasses.replace(whole[2], prompt="word " * MAX_MODEL_LEN)
    return [whole[0], bad, long, whole[3]]


def served(url: str, prompt: Prompt, asked: dict[str, tuple[Setup, list[Question]]]) -> dict[str, Any]:
    """Ask a running server all questions, those of a setup at once."""
    told: dict[str, Any] = {}
    for name, (setup, of_setup) in asked.items():
        with closing(Transport(url=url)) as transport:
            connected = probe.connect(transport, prompt, probe.Options(media=setup.media))
        judge = dataclasses.replace(connected, decoding=setup.decoding)
        with ThreadPoolExecutor(len(of_setup)) as pool:
            replies = list(pool.map(lambda question, judge=judge: reply(url, judge, question), of_setup))
        told[name] = {"replies": replies, "tokens": tokens(url, judge, of_setup[-1])}
    return told


def reply(url: str, judge: openai.OpenAIJudge, question: Question) -> dict[str, Any]:
    """Send the judge's own request and return the reply, also an empty one, which the judge takes for none."""
    answer = httpx.post(f"{url}/chat/completions", json=judge.body(question), timeout=300)
    assert answer.status_code == 200, answer.text
    choice, usage = answer.json()["choices"][0], answer.json()["usage"]
    return {
        "text": f"[{choice['message']['content']}]",
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "cut_off": choice["finish_reason"] == "length",
        "tokens": [asdict(token) for token in openai._choices(choice)],
    }


def tokens(url: str, judge: openai.OpenAIJudge, question: Question) -> list[int]:
    """Return the ids that the server's model sees of a question."""
    body = {key: part for key, part in judge.body(question).items() if key in ("model", "messages", "media_io_kwargs")}
    answer = httpx.post(f"{url.removesuffix('/v1')}/tokenize", json=body, timeout=300)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["tokens"])


def run_offline(python: Path, model: Path, prompt: Prompt, asked: Any, folder: Path) -> dict[str, Any]:
    """Ask the same questions in one process of the vLLM interpreter."""
    stored, out = folder / "questions.pickle", folder / "answers.json"
    stored.write_bytes(pickle.dumps((prompt, asked)))
    env = server_environment(dict(os.environ))
    script = HERE / "vllm_env" / "offline_replies.py"
    done = subprocess.run(
        [str(python), str(script), str(model), str(stored), str(out)],
        env=env,
        text=True,
        capture_output=True,
        timeout=580,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    told: dict[str, Any] = json.loads(out.read_text())
    return told


@pytest.fixture(scope="module", params=FACTORS)
def answers(
    request: pytest.FixtureRequest,
    vllm_python: Path,
    mini: Path,
    data: Path,
    prompt: Prompt,
    tmp_path_factory: pytest.TempPathFactory,
) -> Answers:
    folder = tmp_path_factory.mktemp(f"offline-{request.param}")
    model = folder / f"tiny-{request.param}"
    env = server_environment(dict(os.environ))
    script = HERE / "vllm_env" / "tiny_judges.py"
    subprocess.run([str(vllm_python), str(script), request.param, str(model)], env=env, check=True, timeout=300)
    asked = work(mini, data, prompt, FACTORS[request.param])
    with VllmServer.start(vllm_python, model, free_port(), folder / "vllm.log", model.name) as server:
        by_server = served(server.url, prompt, asked)
    setup, framed = asked["plain"]
    here = run_offline(vllm_python, model, prompt, {**asked, "broken": (setup, broken(framed))}, folder)
    (folder / "both.json").write_text(json.dumps({"served": by_server, "offline": here}))
    return Answers(served=by_server, offline=here)


@pytest.mark.parametrize("name", WORK)
def test_the_same_replies_as_the_server(answers: Answers, name: str) -> None:
    theirs, ours = ([reply["text"] for reply in side[name]["replies"]] for side in (answers.served, answers.offline))
    assert ours == theirs
    assert len(set(ours)) > len(ours) // 2, "they differ from sample to sample"


@pytest.mark.parametrize("name", WORK)
def test_the_same_counts_of_tokens(answers: Answers, name: str) -> None:
    for ours, theirs in zip(answers.offline[name]["replies"], answers.served[name]["replies"], strict=True):
        for key in ("prompt_tokens", "completion_tokens", "cut_off"):
            assert ours[key] == theirs[key]


@pytest.mark.parametrize("name", WORK)
def test_the_model_sees_the_same_tokens(answers: Answers, name: str) -> None:
    assert answers.offline[name]["seen"]["tokens"] == answers.served[name]["tokens"]


def test_the_engine_gets_the_pictures_that_the_server_decodes(answers: Answers) -> None:
    pixels = answers.offline["pixels"]
    assert pixels["same"] == [True, True]
    for ours, theirs in pixels["facts"]:
        assert ours == theirs


def test_qwen_vl_utils_told_the_true_patch_size_changes_the_pictures(answers: Answers) -> None:
    """The reason for halving it; should a later version leave them alone, this test says so."""
    assert not answers.offline["pixels"]["fits"]


@pytest.mark.parametrize("name", WORK)
def test_the_same_probabilities(answers: Answers, name: str) -> None:
    """Same tokens and pixels, so the same numbers but for the order of float32 sums in batches of other sizes.

    Measured with both models: 1.4e-6 at most.
    """
    most = 0.0
    for ours, theirs in zip(answers.offline[name]["replies"], answers.served[name]["replies"], strict=True):
        assert [token["text"] for token in ours["tokens"]] == [token["text"] for token in theirs["tokens"]]
        for our, their in zip(ours["tokens"], theirs["tokens"], strict=True):
            both = our["alternatives"].keys() & their["alternatives"].keys()
            assert our["text"] in both
            most = max([most, *(abs(our["alternatives"][text] - their["alternatives"][text]) for text in both)])
    sys.stderr.write(f"{name}: log-probabilities differ by at most {most:.2g}\n")
    assert most < 1e-4


def test_a_bad_question_leaves_the_others_their_answers(answers: Answers) -> None:
    good, torn, long, other = answers.offline["broken"]["replies"]
    plain = answers.offline["plain"]["replies"]
    assert (good["text"], other["text"]) == (plain[0]["text"], plain[3]["text"])
    assert torn["type"] == long["type"] == "RequestFailed"
    assert "a picture cannot be decoded" in torn["error"]
    assert str(MAX_MODEL_LEN) in long["error"]


def test_a_killed_engine_is_a_judge_out_of_reach(answers: Answers) -> None:
    for said in answers.offline["killed"]:
        assert said["type"] == "JudgeUnavailable"
        assert f"the engine of {answers.offline['plain']['identity']['model']} died" in said["error"]


@pytest.mark.parametrize("name", WORK)
def test_the_identity_says_what_judged(answers: Answers, name: str) -> None:
    identity = answers.offline[name]["identity"]
    files = name == "files"
    assert identity["judge"] == "offline"
    assert identity["model"].startswith("tiny-qwen")
    assert identity["server"].startswith("vllm ")
    assert (identity["media"], identity["clock"]) == (("mp4", "server") if files else ("frames", "stated"))
    assert identity["checked"] is not files
    assert answers.offline[name]["notes"] == ([sight.WHOLE_FILES] if files else [])
