"""The first lines of a result: what must be the same in all its runs, what may differ and is kept of each."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, editors, run
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.errors import EditorError, StoreError
from sparkle_bench.leaderboard.entry import Entry
from sparkle_bench.records import Effort, Sample
from sparkle_bench.run import Made, Work
from sparkle_bench.store import Store
from tests import cli, makers
from tests.test_editors import NOW

MODULE = """
    import os, pathlib, sys, time

    class Copies:
        def edit(self, sample, out):
            out.write_bytes(sample.source_path.read_bytes())

    class Slow(Copies):
        '''Notes every loading, and takes long with the first sample.'''
        def load(self):
            with open("loads", "a") as file:
                file.write("load\\n")
        def edit(self, sample, out):
            while not pathlib.Path("go").exists():
                time.sleep(0.05)
            super().edit(sample, out)

    class Leaves:
        '''Its one edit ends the program, as a script that was never meant to be imported.'''
        def edit(self, sample, out):
            sys.exit(0)

    class Secretive(Copies):
        def __init__(self, *, api_key: str, url: str):
            pass
"""


class Copying:
    """Copies the source and describes itself as it is told."""

    incidental = ("speed",)

    def __init__(self, said: Mapping[str, Any] | None = None, hardware: Mapping[str, Any] | None = None) -> None:
        self._said, self._hardware = said or {}, hardware or {}

    def describe(self) -> Mapping[str, Any]:
        return self._said

    def hardware(self) -> Mapping[str, Any]:
        return self._hardware

    def edit(self, sample: Sample, out: Path) -> Effort | None:
        out.write_bytes(sample.source_path.read_bytes())
        return None


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Two samples."""
    return benchmark.load(
        makers.write_benchmark(tmp_path_factory.mktemp("bench"), samples_per_theme=1, themes=["time"])
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(root=tmp_path)


def start(store: Store, bench: Benchmark, editor: Copying, **given: Any) -> dict[str, Any]:
    options = given.pop("options", {})
    run.start(store, "m", bench, Made(editor=editor, name="x:Copying", options=options), now=NOW, **given)
    found = store.read_run("m")
    assert found is not None
    return found


# -- what must be the same ---------------------------------------------------------------------------------------------


DECISIVE = {
    "other weights": ({"weights": {"name": "w", "sha256": "a"}}, {"weights": {"name": "w", "sha256": "b"}}, "weights"),
    "another commit": ({"weights": {"commit": "1"}}, {"weights": {"commit": "2"}}, "weights"),
    "another precision": ({"dtype": "bfloat16"}, {"dtype": "float32"}, "dtype"),
    "what was not there": ({}, {"checkout": "abc"}, "checkout"),
}


@pytest.mark.parametrize(("first", "second", "name"), DECISIVE.values(), ids=DECISIVE)
def test_a_result_is_not_gone_on_with_otherwise(
    store: Store, bench: Benchmark, first: dict[str, Any], second: dict[str, Any], name: str
) -> None:
    before = start(store, bench, Copying(first))
    with pytest.raises(StoreError, match=f"results/m was made with {name} "):
        start(store, bench, Copying(second))
    assert store.read_run("m") == before


INNOCENT = {
    "another GPU": ({"gpu": "A100"}, {"gpu": "H100"}),
    "other versions": ({"versions": {"torch": "2.6"}}, {"versions": {"torch": "2.7"}}),
}


@pytest.mark.parametrize(("first", "second"), INNOCENT.values(), ids=INNOCENT)
def test_what_may_differ_is_kept_of_every_run_once(
    store: Store, bench: Benchmark, first: dict[str, Any], second: dict[str, Any]
) -> None:
    start(store, bench, Copying(first))
    start(store, bench, Copying(second))
    found = start(store, bench, Copying(second))
    assert found["editor"]["options"] == first
    assert [other["options"] for other in found["also"]] == [second]
    assert start(store, bench, Copying(first)) == found


def test_weights_are_known_by_their_hash_wherever_they_lie(store: Store, bench: Benchmark) -> None:
    before = start(store, bench, Copying({"weights": {"name": "lucy", "sha256": "a"}, "speed": 1}))
    assert start(store, bench, Copying({"weights": {"name": "copy-of-lucy", "sha256": "a"}, "speed": 2})) == before


def test_other_options_are_refused_unless_nothing_was_made_yet(store: Store, bench: Benchmark) -> None:
    start(store, bench, Copying({"frames": 81}), options={"frames": "81"})
    with pytest.raises(StoreError, match="was made by x:Copying with options"):
        start(store, bench, Copying({"frames": 49}), options={"frames": "49"})
    changed = start(store, bench, Copying({"frames": 49}), options={"frames": "49"}, empty=True)
    assert changed["editor"]["options"] == {"frames": 49}
    assert "also" not in changed


def test_advice_to_change_an_option_can_be_followed_after_nothing_but_failures(tmp_path: Path) -> None:
    makers.write_benchmark(tmp_path / "bench", samples_per_theme=1, themes=["time"])
    common = ("edit", "--model", "command", "--bench", "bench")
    first = cli.run(*common, "--option", "cmd=false {out}", cwd=tmp_path)
    assert first.returncode == 3, first.stderr
    second = cli.run(*common, "--option", "cmd=cp {source} {out}", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    third = cli.run(*common, "--option", "cmd=cp -f {source} {out}", cwd=tmp_path)
    assert third.returncode == 1
    assert "was made by command with options" in third.stderr


# -- where it ran ------------------------------------------------------------------------------------------------------

H100, TWO = "NVIDIA H100", ["NVIDIA H100", "NVIDIA A100"]
MACHINES: dict[str, tuple[dict[str, Any], str]] = {
    "no GPU": ({"hardware": {"cpus": 8, "gpus": []}}, "8 CPUs"),
    "all": ({"hardware": {"cpus": 8, "gpus": TWO}}, "NVIDIA H100, NVIDIA A100"),
    "one of two": ({"hardware": {"gpus": TWO, "used": ["1"]}}, "NVIDIA A100"),
    "by UUID": ({"hardware": {"gpus": [H100, H100], "used": ["GPU-1", "GPU-2"]}}, "2 x NVIDIA H100"),
    "shards": (
        {
            "hardware": {"gpus": TWO, "used": ["0"]},
            "also": [{"hardware": {"gpus": TWO, "used": ["1"]}}, {"hardware": {"gpus": TWO, "used": ["0"]}}],
        },
        "NVIDIA H100, NVIDIA A100",
    ),
    "one GPU in two runs": (
        {"hardware": {"gpus": [H100], "used": ["0"]}, "also": [{"hardware": {"gpus": [H100]}}]},
        H100,
    ),
    "a cluster": (
        {"hardware": {"machines": [{"count": 3, "gpus": [H100]}, {"count": 1, "gpus": ["L4"]}]}},
        "3 x NVIDIA H100, L4",
    ),
    "rubbish": ({"hardware": {"gpus": TWO, "used": ["7"]}, "also": [3, {"hardware": 4}]}, ""),
    "a count beyond reason": ({"hardware": {"machines": [{"count": 10**9, "gpus": [H100]}]}}, "NVIDIA H100"),
}


@pytest.mark.parametrize(("lines", "said"), MACHINES.values(), ids=MACHINES)
def test_a_board_names_what_was_used(lines: dict[str, Any], said: str) -> None:
    fget: Callable[[Any], str] = Entry.machine.fget  # type: ignore[attr-defined]
    assert fget(_Only(lines)) == said


class _Only:
    """As much of an entry as its machine is told by."""

    def __init__(self, lines: dict[str, Any]) -> None:
        self.run = lines


def test_what_an_editor_works_on_elsewhere_is_recorded_and_not_this_machine(store: Store, bench: Benchmark) -> None:
    there = {"machines": [{"count": 2, "gpus": [H100]}]}
    assert start(store, bench, Copying(hardware=there))["hardware"] == there


# -- through the command line ------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A user's folder: two samples, and a module of editors."""
    makers.write_benchmark(tmp_path / "bench", samples_per_theme=1, themes=["time", "style"])
    (tmp_path / "odd.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    return tmp_path


def edit(place: Path, model: str, *words: str) -> Any:
    return cli.run("edit", "--model", model, "--bench", "bench", *words, cwd=place, PYTHONPATH=str(place))


def test_a_second_run_of_one_command_loads_no_model_beside_the_first(place: Path) -> None:
    words = ("edit", "--model", "odd:Slow", "--bench", "bench")
    first = cli.start(*words, cwd=place, PYTHONPATH=str(place))
    try:
        end = time.monotonic() + 60
        while not (place / "loads").exists() and time.monotonic() < end:
            time.sleep(0.05)
        second = edit(place, "odd:Slow")
        assert second.returncode == 1
        assert "another run is at work on Slow" in second.stderr
        assert (place / "loads").read_text() == "load\n"
    finally:
        (place / "go").touch()
        _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert all(made.ok for made in Store(root=place).edits("Slow").values())


def test_an_editor_that_would_end_the_program_fails_its_sample_alone(place: Path) -> None:
    done = edit(place, "odd:Leaves")
    assert done.returncode == 3, done.stderr
    assert {made.error_type for made in Store(root=place).edits("Leaves").values()} == {"SystemExit"}


def test_no_path_of_a_preset_and_no_secret_of_an_option_is_recorded(place: Path) -> None:
    (place / "some folder").mkdir()
    preset = place / "some folder" / "mine.toml"
    preset.write_text(
        f"kind = 'program'\nabout = 'Copies.'\n[program]\ncommand = ['{sys.executable}', '-c', "
        "'import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])', '{source}', '{out}']\n",
        encoding="utf-8",
    )
    done = edit(place, str(preset))
    assert done.returncode == 0, done.stderr
    run_json = (place / "results" / "mine" / "run.json").read_text(encoding="utf-8")
    assert json.loads(run_json)["editor"]["name"] == "mine"
    assert "some folder" not in run_json
    secret = edit(place, "odd:Secretive", "--option", "api_key=abcdef123", "--option", "url=https://me:pw@host/x")
    assert secret.returncode == 0, secret.stderr
    text = (place / "results" / "Secretive" / "run.json").read_text(encoding="utf-8")
    assert "abcdef123" not in text
    assert "pw@" not in text
    assert "[hidden]" in text


# -- what others' editors do -------------------------------------------------------------------------------------------


def raising(*_: object) -> None:
    raise RuntimeError("two\nlines")


ODD: dict[str, tuple[dict[str, Any], Callable[[Any], object], str]] = {
    "load": ({"load": raising}, editors.load, "the model's load() failed: RuntimeError: two lines"),
    "close": ({"close": raising}, editors.close, "the model's close() failed: RuntimeError"),
    "describe": ({"describe": raising}, lambda e: editors.describe(e, {}), "the model's describe() failed"),
    "what is no JSON": ({"describe": lambda: [1]}, lambda e: editors.describe(e, {}), "gives what cannot be recorded"),
    "shape": ({"shape": lambda _: None}, lambda e: editors.shape(e, None), "shape() is no (frames, height, width)"),  # type: ignore[arg-type]
    "at_once": ({"at_once": "many"}, editors.at_once, "at_once is no whole number: 'many'"),
}


@pytest.mark.parametrize(("has", "ask", "said"), ODD.values(), ids=ODD)
def test_what_others_editors_get_wrong_is_one_line(
    has: dict[str, Any], ask: Callable[[Any], object], said: str
) -> None:
    odd = type("Odd", (), {name: staticmethod(value) if callable(value) else value for name, value in has.items()})()
    with pytest.raises(EditorError) as caught:
        ask(odd)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_in_a_description_is_text(store: Store) -> None:
    odd = type("Odd", (), {"describe": staticmethod(lambda: {"folder": Path("weights")})})()
    assert editors.describe(odd, {}) == {"folder": "weights"}


def test_a_run_is_closed_also_when_another_is_at_work(store: Store, bench: Benchmark) -> None:
    closed = []
    odd = type("Odd", (Copying,), {"close": lambda self: closed.append(1)})()
    work = Work(store=store, model="m", samples=bench.samples)
    start(store, bench, Copying())
    with store.working("m", (0, 1)), pytest.raises(StoreError, match="another run is at work"):
        run.edit(work, odd)
    assert closed == [1]
