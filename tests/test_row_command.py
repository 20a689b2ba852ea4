"""The command that makes a row again: the same judge and options as on record, and nothing that a shell would run."""

from __future__ import annotations

import importlib
import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkle_bench import editors
from sparkle_bench.cli import cli as program
from sparkle_bench.cli.bench import opened
from sparkle_bench.editors import preset as presets
from sparkle_bench.judges.sight import Options
from sparkle_bench.leaderboard.command import command
from sparkle_bench.leaderboard.judge_options import THINKING_TOKENS, USUAL_FRAMES, USUAL_PIXELS, USUAL_TOKENS
from sparkle_bench.run import Bench
from sparkle_bench.store import Store
from tests import cli
from tests.fake_judge import FakeJudge, serving
from tests.makers import write_benchmark, write_edits

judges: Any = importlib.import_module("sparkle_bench.cli.judge")  # the package calls its command the same
SIGNALS = {"identity": {"judge": "signals", "model": "signals-no-vlm"}, "wishes": {"judge": "signals"}, "repeats": 1}


def ran(editor: str = "identity", called: str | None = None, **options: Any) -> dict[str, Any]:
    """A `run.json`."""
    return {
        "model": called or editor,
        "benchmark": {"name": "sparkle", "digest": "0" * 64, "samples": 458, "partial": False},
        "editor": {"name": editor, "options": options, "options_hash": "0" * 16},
    }


def judged(**wishes: Any) -> dict[str, Any]:
    return {"identity": {"judge": "openai", "model": "tiny"}, "wishes": {"judge": "openai", **wishes}, "repeats": 1}


@contextmanager
def parsed(text: str, *, url: str = "http://127.0.0.1:1/v1") -> Iterator[click.Context]:
    """Read a command as the command line does; nothing is run. The address takes its place."""
    assert "\n" not in text
    words = [url if word == "URL" else word for word in shlex.split(text)]
    assert words[0] == "sparkle-bench"
    with program.commands[words[1]].make_context(words[1], words[2:]) as context:
        yield context


@pytest.fixture(autouse=True)
def a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with something called PATH, where a file must be there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPARKLE_JUDGE_URL", raising=False)
    (tmp_path / "PATH").write_text("Is this well edited: {edit_prompt}?", encoding="utf-8")


# -- the judge ---------------------------------------------------------------------------------------------------------

JUDGES: dict[str, str] = {
    "as usual": "",
    "fewer frames": "--frames 4",
    "fewer pixels": "--max-pixels 50000",
    "whole files": "--media mp4",
    "whole files in another part": "--media mp4 --part image_url",
    "no form": "--no-constrain",
    "a form": "--constrain",
    "the server's clock": "--server-clock",
    "long replies": "--max-tokens 2000",
    "thinking": "--thinking",
    "thinking, and short": "--thinking --max-tokens 512",
    "not thinking": "--no-thinking",
    "expected marks": "--soft",
    "strict reading": "--strict-parse",
    "as the authors": "--protocol authors",
    "as the authors, without a form": "--protocol authors --no-constrain",
    "three times": "--repeats 3",
    "a commit": "--judge-revision 0123abc",
    "a price": "--price 1.25,10",
    "another question": "--prompt PATH",
    "one of two": "--judge-model tiny-judge",
    "one known by name": "--judge qwen3-vl-32b --judge-model tiny-judge",
    "a name of its own": "--judge qwen3-vl-8b --frames 8",
    "hosted": "--judge gemini-2.5-pro --judge-url URL --media frames",
}


def described(bench: Bench) -> dict[str, Any]:
    """The `judge.json` of a judge, after it was written and read."""
    judge = {
        "identity": bench.identity,
        "wishes": bench.wishes,
        "repeats": bench.repeats,
        "price": None if bench.price is None else asdict(bench.price),
    }
    found: dict[str, Any] = json.loads(json.dumps(judge))
    return found


def seated(text: str, url: str) -> dict[str, Any]:
    with parsed(text, url=url) as context, opened(judges.choose(context.params), "sparkle") as bench:
        return {**described(bench), "key": bench.key}


@pytest.mark.parametrize("words", JUDGES.values(), ids=JUDGES)
def test_the_command_asks_the_same_judge(words: str) -> None:
    named = "--judge " in words or "--judge-model" in words
    models = ("tiny-judge", "Qwen/Qwen3-VL-8B-Instruct", "gemini-2.5-pro") if named else ("tiny-judge",)
    with serving(FakeJudge(models=models, tokenize="pixels" not in words)) as fake:
        at = "" if "--judge-url" in words else "--judge-url URL"
        first = seated(f"sparkle-bench eval --model identity {words} {at}", fake.url)
        told = command(ran(), first)
        if "gemini" in told:  # its address is the provider's, which stands in no command
            told += " --judge-url URL"
        again = seated(told, fake.url)
    first["wishes"]["model"] = again["wishes"]["model"]  # the only one served is named
    assert again == first


UNNAMED = {about: words for about, words in JUDGES.items() if "--judge " not in words and "--judge-rev" not in words}
"""An identity tells neither a judge's name nor whether the user or the server told the commit."""


@pytest.mark.parametrize("words", UNNAMED.values(), ids=UNNAMED)
def test_the_identity_alone_tells_the_same_judge_too(words: str) -> None:
    """Of results without `wishes`: what was asked for is then told by what came of it."""
    with serving(FakeJudge(tokenize="pixels" not in words)) as fake:
        first = seated(f"sparkle-bench eval --model identity {words} --judge-url URL", fake.url)
        del first["wishes"]
        again = seated(command(ran(), first), fake.url)
    assert again["identity"] == first["identity"]


def test_what_is_usual_is_left_out() -> None:
    with serving(FakeJudge()) as fake:
        first = seated("sparkle-bench eval --model identity --judge-url URL", fake.url)
    assert command(ran(), first) == ("sparkle-bench eval --model identity --judge-url URL --judge-model tiny-judge")


STARTED: dict[str, tuple[dict[str, Any], str]] = {
    "a server of ours": (
        {"judge": "qwen3-vl-32b", "serve": True, "model": "Qwen/Qwen3-VL-32B-Instruct"},
        "--judge qwen3-vl-32b --serve",
    ),
    "another model": ({"judge": "qwen3-vl-32b", "serve": True, "model": "a/b"}, "--serve --judge-model a/b"),
    "a model in a folder": ({"judge": "qwen3-vl-32b", "serve": True, "model": "b"}, "--serve --judge-model PATH"),
    "in this process": ({"judge": "qwen3-vl-8b", "judge_engine": "offline"}, "--judge-engine offline"),
    "options of vLLM": (
        {"judge": "qwen3-vl-8b", "serve": True, "serve_options": {"max_model_len": 8192, "dtype": "float32", "a": "8"}},
        "--serve-option max-model-len=8192 --serve-option dtype=float32 --serve-option 'a=\"8\"'",
    ),
    "a file for vLLM": (
        {"judge": "qwen3-vl-8b", "serve": True, "serve_options": {"chat_template": "chat.jinja 0123456789abcdef"}},
        "--serve-option chat-template=PATH",
    ),
    "the embedded judge": ({"judge": "signals"}, "--judge signals"),
    "stored replies": ({"judge": "replay"}, "--judge replay:PATH"),
}


@pytest.mark.parametrize(("wishes", "part"), STARTED.values(), ids=STARTED)
def test_a_judge_that_was_started_is_started_again(wishes: dict[str, Any], part: str) -> None:
    told = command(ran(), judged(**wishes))
    assert part in told
    assert "URL" not in told
    with parsed(told) as context:
        choice = judges.choose(context.params)
    kinds = {"signals": "signals", "replay": "replay"}
    usual = "offline" if "judge_engine" in wishes else "launched"
    assert choice.kind == kinds.get(wishes["judge"], usual)
    assert choice.given["serve_options"] == wishes.get("serve_options", {}) or "PATH" in told


def test_what_is_left_out_is_what_the_command_line_has_by_itself() -> None:
    usual = Options()
    assert (usual.frames, usual.max_pixels, usual.max_tokens) == (USUAL_FRAMES, USUAL_PIXELS, USUAL_TOKENS)
    assert (judges.MAX_TOKENS, judges.THINKING_TOKENS) == (USUAL_TOKENS, THINKING_TOKENS)


def test_weights_of_a_judge_that_we_started_are_pinned() -> None:
    judge = judged(judge="qwen3-vl-8b", serve=True)
    judge["identity"]["revision"] = "0" * 40
    assert f"--judge-revision {'0' * 40}" in command(ran(), judge)


# -- the edits ---------------------------------------------------------------------------------------------------------

EDITS: dict[str, tuple[dict[str, Any], str]] = {
    "the control": (ran(), "eval --model identity --judge signals"),
    "under another name": (ran(called="control"), "eval --model identity --name control --judge signals"),
    "a class": (
        ran("my.models:Best", "Best", steps="30", label="a b"),
        "eval --model my.models:Best --option steps=30 --option 'label=a b' --judge signals",
    ),
    "a command": (
        ran("command", "m", cmd="python infer.py --src {source} --dst {out}", timeout="3600"),
        "eval --model command --name m --option 'cmd=python infer.py --src {source} --dst {out}' --judge signals",
    ),
    "another time limit": (
        ran("command", "m", cmd="a {source} {out}", timeout="60"),
        "--option 'cmd=a {source} {out}' --option timeout=60",
    ),
    "a known answer": (
        ran("known-answer", "right", answer="right"), "--model known-answer --name right --option answer=right"
    ),
    "a preset as it is": (
        ran("kiwi-edit", steps=50, seed=0, guidance="5.0 (ignored)", frames=81, size="the source's", fps="source",
            crf=18, multiple=32, dtype="bfloat16", device="cuda:0",
            weights={"name": "linyq/kiwi-edit-5b-instruct-only-diffusers", "commit": "0" * 40}),
        f"eval --model kiwi-edit --option revision={'0' * 40} --judge signals",
    ),
    "a preset with options": (
        ran("lucy-edit", steps=30, guidance=5.0, frames=49, size="832x480", fps=24.0, crf=18, seed=1),
        "--option steps=30 --option frames=49 --option size=832x480 --option fps=24 --option seed=1",
    ),
    "other weights of the Hub": (
        ran("lucy-edit", crf=18, weights={"name": "me/tuned", "sha256": "0" * 64}), "--option model_path=me/tuned"
    ),
    "weights in a folder": (ran("lucy-edit", crf=18, weights={"name": "tuned"}), "--option model_path=PATH"),
    "masks": (ran("wan-vace", crf=18, mask_folder={"name": "masks"}), "--option masks=PATH"),
    "a program": (
        ran("icve", crf=18, weights="model.safetensors", base="ckpts", shift=5.0, steps=50),
        "--option weights=PATH --option base=PATH --option shift=5 --option checkout=PATH",
    ),
    "a preset of one's own": (
        ran("mine", steps=3, frames=81, crf=20, multiple=32, aligned=True, device="cuda"),
        "eval --model mine.toml --option steps=3 --option frames=81 --option crf=20 --judge signals",
    ),
    "a hosted model": (
        ran("runway-aleph", provider="Runway", host="api.dev.runwayml.com", model="aleph2", seed=7, crf=18,
            usd_per_credit=0.01, version="2024-11-06"),
        "eval --model runway-aleph --option seed=7 --judge signals",
    ),
    "videos handed in": (ran("folder", "m", path="my videos"), "judge 'my videos' --name m --judge signals"),
    "an archive": (ran("folder", "m", path="my.tar.gz"), "judge my.tar.gz --name m"),
    "a data set of the Hub": (ran("folder", "m", path="me/edits"), "judge hf://me/edits --name m"),
}  # fmt: skip


@pytest.mark.parametrize(("run", "part"), EDITS.values(), ids=EDITS)
def test_edits_are_made_as_they_were(run: dict[str, Any], part: str) -> None:
    told = command(run, SIGNALS)
    assert part in told
    with parsed(told) as context:
        assert context.params["name"] in (None, run["model"])


@pytest.mark.parametrize("name", [*editors.EDITORS, *presets.names()])
def test_every_model_we_know_has_a_command_that_reads(name: str) -> None:
    with parsed(command(ran(name), SIGNALS)) as context:
        assert context.info_name == ("judge" if name == "folder" else "eval")


def test_missing_videos_must_be_allowed_again() -> None:
    run = ran("folder", "m", path="videos")
    assert "--allow-incomplete" not in command(run, SIGNALS)
    with parsed(command(run, SIGNALS, missing=True)) as context:
        assert context.params["allow_incomplete"] is True


def test_part_of_a_benchmark_is_named() -> None:
    run = ran()
    run["benchmark"]["partial"] = True
    with parsed(command(run, SIGNALS)) as context:
        assert context.params["bench"] == Path("FOLDER")


def test_imported_scores_are_imported_again() -> None:
    told = command(ran("imported", "theirs"), judged())
    assert told == "sparkle-bench import PATH --name theirs"
    with parsed(told) as context:
        assert context.params["paths"] == (Path("PATH"),)


# -- strangers -----------------------------------------------------------------------------------------------------------

HOSTILE: dict[str, Any] = {
    "a command": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "quotes": "'; touch pwned; '",
    "double quotes": '"; touch pwned; "',
    "a line break": "a\ntouch pwned",
    "a comment": "a #",
    "a pipe": "a | touch pwned",
    "an escape": "\x1b[2J",
    "a switch of direction": "a\u202eb",
    "an option": "--name=other",
    "a null": "a\x00b",
    "much": "a" * 100_000,
    "half a pair": "\ud800",
    "a list": ["a"],
    "a table": {"a": {"b": "c"}},
    "nothing": None,
    "a huge number": 10**400,
    "not a number": float("nan"),
}


def everywhere(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run and a judge that say the same hostile thing wherever they can."""
    run = {
        "model": value,
        "benchmark": {"name": value, "partial": value},
        "editor": {"name": value, "options": {"steps": value, "weights": {"name": value, "commit": value}}},
    }
    wishes = ("judge", "model", "media", "frames", "max_pixels", "part", "max_tokens", "protocol", "constrain", "soft",
              "thinking", "server_clock", "strict_parse", "judge_revision")  # fmt: skip
    judge = {
        "identity": dict.fromkeys(("judge", "model", "revision", "prompt", "sampling", "decoding"), value),
        "wishes": {**dict.fromkeys(wishes, value), "serve": True, "serve_options": {"dtype": value}},
        "repeats": value,
        "price": {"prompt": value, "completion": value},
    }
    return run, judge


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_whatever_stands_there_nothing_runs(value: Any, tmp_path: Path) -> None:
    run, judge = everywhere(value)
    variants = [command(run, judge)]
    for name in ("folder", "command", "imported", "kiwi-edit", "mine", "a.b:C"):
        options = {"path": value, "cmd": value, "steps": value, "crf": 18, "weights": value}
        variants.append(command({**run, "editor": {"name": name, "options": options}}, judge))
    for told in variants:
        assert told.isprintable()
        assert len(told) < 20_000
        words = subprocess.run(
            ["sh", "-c", f'printf "%s\\n" {told}'], check=True, capture_output=True, text=True, timeout=60
        )
        assert words.stdout.splitlines() == shlex.split(told)
        assert not (tmp_path / "pwned").exists()
        with parsed(told):
            pass


WORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=WORDS, other=st.dictionaries(st.sampled_from(["model", "benchmark", "editor", "identity", "wishes"]), WORDS)
)
def test_any_json_gives_one_printable_line_that_reads(value: Any, other: Mapping[str, Any]) -> None:
    run, judge = everywhere(value)
    for told in (command(run, judge), command({**run, **other}, {**judge, **other})):
        assert told.isprintable()
        with parsed(told):
            pass


SECRETS: dict[str, Any] = {
    "a folder": "/home/somebody/weights/model.pt",
    "a home": "~/weights/model.pt",
    "a key": "sk-aaaaaaaaaaaaaaaaaaaa",
    "an address with a password": "https://me:secret@example.org/v1",
    "what was hidden before": "token [hidden]",
}


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS)
def test_neither_folders_nor_keys_are_told(value: str) -> None:
    for name in ("folder", "a.b:C", "lucy-edit"):
        run = ran(name, "m", path=value, weights=value, steps=value, api_key="hunter2")
        judge = judged(model=value, judge_revision=value, serve=True, serve_options={"dtype": value})
        told = command(run, judge)
        for part in ("somebody", "weights/", "sk-", "me:secret", "hunter2", "[hidden]"):
            assert part not in told


def test_a_command_template_is_shown_without_folders_and_keys() -> None:
    told = command(ran("command", "m", cmd="python /home/me/infer.py --api-key hunter2 {source} {out}"), SIGNALS)
    assert "python infer.py" in told
    for part in ("hunter2", "/home", "[hidden]"):
        assert part not in told


# -- the whole road ------------------------------------------------------------------------------------------------------


def test_the_command_of_a_real_row_makes_it_again(tmp_path: Path) -> None:
    bench = write_benchmark(tmp_path / "bench", samples_per_theme=1)
    at = tmp_path / "first"
    at.mkdir()
    copy = "cp {source} {out}"
    words = ["--option", f"cmd={copy}", "--name", "copied", "--frames", "4", "--repeats", "2", "--no-signals"]
    with serving(FakeJudge()) as fake:
        done = cli.run(
            "eval", "--model", "command", *words, "--bench", bench, "--judge-url", fake.url, cwd=at, timeout=120
        )
        assert done.returncode == 0, done.stderr
        first = Store(root=at)
        (key,) = first.judge_keys("copied")
        told = command(first.read_run("copied") or {}, first.read_judge("copied", key) or {})
        there = tmp_path / "again"
        there.mkdir()
        again = [fake.url if word == "URL" else word for word in shlex.split(told)[1:]]
        again = [str(bench) if word == "FOLDER" else word for word in again]
        if "--bench" not in again:
            again += ["--bench", str(bench)]
        done = cli.run(*again, "--no-signals", cwd=there, timeout=120)
    assert done.returncode == 0, done.stderr
    second = Store(root=there)
    assert second.judge_keys("copied") == [key]
    runs = [store.read_run("copied") or {} for store in (first, second)]
    assert runs[0]["editor"] == runs[1]["editor"]
    assert {e.sha256 for e in first.edits("copied").values()} == {e.sha256 for e in second.edits("copied").values()}


def test_the_command_of_videos_that_were_handed_in_makes_the_row_again(tmp_path: Path) -> None:
    from sparkle_bench import benchmark

    bench = write_benchmark(tmp_path / "bench", samples_per_theme=1)
    write_edits(tmp_path / "my-videos", benchmark.load(bench).samples[:3])
    words: list[str | Path] = ["judge", "my-videos", "--name", "mine", "--bench", bench, "--judge", "signals"]
    done = cli.run(*words, "--allow-incomplete", cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    first = Store(root=tmp_path)
    (key,) = first.judge_keys("mine")
    told = command(first.read_run("mine") or {}, first.read_judge("mine", key) or {}, missing=True)
    (tmp_path / "results").rename(tmp_path / "results-before")
    again = [str(bench) if word == "FOLDER" else word for word in shlex.split(told)[1:]]
    done = cli.run(*again, *([] if "--bench" in again else ["--bench", str(bench)]), cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert Store(root=tmp_path).judge_keys("mine") == [key]
