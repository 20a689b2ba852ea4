"""From options to a judge: what contradicts itself is refused with one line, what may change a mark is in the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparkle_bench.judges.before_start import fingerprint
from sparkle_bench.judges.serving import telling
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_benchmark

EVAL: tuple[str | Path, ...] = ("eval", "--model", "identity", "--bench", "bench", "--no-signals")
URL = "http://127.0.0.1:9/v1"

WRONG: dict[str, tuple[list[str], str]] = {
    "no judge": ([], "no judge: pass --judge-url"),
    "a judge that is not known": (["--judge", "qwen3-vl-9b"], "qwen3-vl-8b"),
    "an odd number of frames": (["--judge-url", URL, "--frames", "15"], "15 is odd"),
    "files and frames": (["--judge-url", URL, "--media", "mp4", "--frames", "8"], "leave out --frames"),
    "no address": (["--judge-url", "somewhere"], "--judge-url is no address"),
    "rules and a server": (["--judge", "signals", "--judge-url", URL], "--judge-url has no use with --judge signals"),
    "rules and repeats": (["--judge", "signals", "--repeats", "2"], "--repeats has no use with --judge signals"),
    "rules and money": (["--judge", "signals", "--budget", "1"], "--budget has no use with --judge signals"),
    "replies and a server": (["--judge", "replay:x", "--judge-url", URL], "--judge-url has no use with --judge replay"),
    "a server that runs and one to start": (["--serve", "--judge-url", URL], "--judge-url has no use with --serve"),
    "a server that runs and a port": (["--judge-url", URL, "--port", "9000"], "--port has no use with a server that"),
    "in the process and a pace": (["--judge-engine", "offline", "--max-rpm", "9"], "--max-rpm has no use with"),
    "both ways to start": (["--serve", "--judge-engine", "offline"], "exclude each other"),
    "a provider's model to start": (["--judge", "gemini-2.5-pro", "--serve"], "runs at its provider"),
    "the authors' way and frames": (
        ["--judge-url", URL, "--protocol", "authors", "--frames", "8"],
        "leave out --frames",
    ),
    "a price that is none": (["--judge-url", URL, "--price", "cheap"], "is not IN,OUT"),
    "money without a price": (["--judge-url", URL, "--budget", "1"], "--budget needs a price"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_benchmark(tmp_path / "bench", samples_per_theme=1)
    return tmp_path


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG)
def test_what_contradicts_itself_is_refused_with_one_line(words: list[str], message: str, root: Path) -> None:
    done = cli.run(*EVAL, *words, cwd=root)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / "results").exists()


def test_two_models_whose_names_end_alike_are_two_judges(root: Path) -> None:
    """Else the second would be given the marks of the first."""
    found = []
    for run, mark in (("run1", 1), ("run2", 5)):
        fake = FakeJudge(models=(f"/weights/{run}/final",))
        fake.queue.extend([Answer(text=verdict(*[mark] * 6))] * 4)
        with serving(fake):
            done = cli.run(*EVAL, "--name", run, "--judge-url", fake.url, "--json", cwd=root)
        assert done.returncode == 0, done.stderr
        assert len(fake.requests) == 4
        found.append(json.loads(done.stdout))
    assert [row["overall"] for row in found] == [1.0, 5.0]
    assert found[0]["judge_key"] != found[1]["judge_key"]
    assert "/weights" not in "".join(p.read_text() for p in root.glob("results/*/judged/*/judge.json"))


def test_a_model_is_found_under_another_name_for_the_same_weights(root: Path) -> None:
    with serving(FakeJudge(models=("other", "judge"))) as fake:  # its weights are /m/judge
        done = cli.run(*EVAL, "--judge-url", fake.url, "--judge-model", "/m/judge", "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    assert {body["model"] for body in fake.requests} == {"judge"}


def test_where_and_how_fast_a_judge_is_asked_is_not_in_its_key(root: Path) -> None:
    keys = set()
    for words in ([], ["--workers", "2"], ["--timeout", "99"], ["--max-rpm", "1000"], ["--price", "1,2"]):
        with serving(FakeJudge()) as fake:
            done = cli.run(*EVAL, "--judge-url", fake.url, *words, "--json", cwd=root)
        assert done.returncode == 0, done.stderr
        keys.add(json.loads(done.stdout)["judge_key"])
    assert len(keys) == 1


def test_engine_options_are_told_without_folders_and_files_by_their_content(tmp_path: Path) -> None:
    template = tmp_path / "secret-folder" / "chat.jinja"
    template.parent.mkdir()
    template.write_text("one")
    options = {
        "dtype": "float32",
        "tensor_parallel_size": 4,
        "load_format": "dummy",
        "chat_template": str(template),
        "lora_modules": [{"name": "fine", "path": str(template.parent)}],
    }
    told = telling(options)
    assert set(told) == {"dtype", "load_format", "chat_template", "lora_modules"}
    assert "secret-folder" not in json.dumps(told).replace(template.parent.name + " files-", "")
    template.write_text("two")
    assert telling(options)["chat_template"] != told["chat_template"]


def test_weights_in_a_folder_are_known_by_their_files_wherever_it_lies(tmp_path: Path) -> None:
    for name, bias in (("one", 1), ("two", 1), ("three", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"bias": bias}))
        (folder / "model.safetensors").write_bytes(b"12345678")
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "three")
    (tmp_path / "two" / "model.safetensors").write_bytes(b"123456789")
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "two")


def test_a_replay_has_the_repeats_of_the_replies(root: Path) -> None:
    with serving(FakeJudge()) as fake:
        first = cli.run(*EVAL, "--judge-url", fake.url, "--repeats", "3", "--json", cwd=root)
    assert first.returncode == 0, first.stderr
    folder = next((root / "results/identity/judged").iterdir())
    before = (folder / "judge.json").read_bytes()
    other = cli.run(*EVAL, "--judge", f"replay:{folder}", "--strict-parse", "--json", cwd=root)
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout)["repeats"] == 3
    same = cli.run(*EVAL, "--judge", f"replay:{folder}", "--json", cwd=root)
    assert same.returncode == 0, same.stderr
    assert (folder / "judge.json").read_bytes() == before, "who reads replies again does not write who judged"


def test_neither_key_nor_address_reaches_a_program_that_is_started(root: Path) -> None:
    command = "sh -c 'env > env.txt; cp {source} {out}'"
    words: list[str | Path] = ["--model", "command", "--name", "mine", "--option", f"cmd={command}", "--bench", "bench"]
    with serving(FakeJudge(key="sekret")) as fake:
        edited = cli.run(
            "edit", *words, "--limit", "1", cwd=root, SPARKLE_JUDGE_API_KEY="sekret", SPARKLE_JUDGE_URL=fake.url
        )
        assert edited.returncode == 0, edited.stderr
        seen = (root / "env.txt").read_text()
        judged = cli.run(
            "eval", *words, "--no-signals", cwd=root, SPARKLE_JUDGE_API_KEY="sekret", SPARKLE_JUDGE_URL=fake.url
        )
        assert judged.returncode == 0, judged.stderr
    seen += (root / "env.txt").read_text()
    assert "PATH=" in seen
    assert "sekret" not in seen
    assert fake.url not in seen


def test_a_server_that_refuses_every_question_stops_the_run(root: Path) -> None:
    write_benchmark(root / "many", samples_per_theme=8)
    fake = FakeJudge(answer=lambda body: Answer(status=400, text="logprobs are not for you"))
    with serving(fake):
        words = ["eval", "--model", "identity", "--bench", "many", "--no-signals", "--workers", "1"]
        done = cli.run(*words, "--judge-url", fake.url, "--soft", cwd=root)
    assert done.returncode == 1
    assert "refused every one of 10 questions" in done.stderr
    assert 10 <= len(fake.requests) <= 15, "a few more were ready"
