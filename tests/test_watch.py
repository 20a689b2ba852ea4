"""Boards that follow their results: rebuilt when something has changed and is still, whatever half-written file is met."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

import pytest

from sparkle_bench.leaderboard import watching
from sparkle_bench.leaderboard.watching import PATIENCE, Pace, Stamps
from sparkle_bench.store import Store
from tests import cli, made_results

MADE = made_results.Made(models=3, samples=6, repeats=1, no_edit=0, gappy=0, partial=0, videos=True)
JUDGE = MADE.judges[0]
MODELS = made_results.names(MADE)


# -- when it rebuilds ------------------------------------------------------------------------------------------------


class End(Exception):
    """The looks are used up."""


def rebuilt_at(looks: Sequence[int], answers: Sequence[bool] = ()) -> list[tuple[int, list[str]]]:
    """Watch one file whose size is seen as told; return at which looks boards were rebuilt, and for what."""
    seen = -1
    done: list[tuple[int, list[str]]] = []

    def look() -> Stamps:
        nonlocal seen
        seen += 1
        if seen == len(looks):
            raise End
        return {("kiwi", "edits"): (looks[seen], 0)}

    def rebuild(changed: Sequence[str]) -> bool:
        done.append((seen, list(changed)))
        return answers[len(done) - 1] if len(done) <= len(answers) else True

    with pytest.raises(End):
        watching.watch(look, rebuild, Pace(seconds=0, wait=lambda _: None))
    return done


EDITS = ["kiwi: edits"]
CASES: dict[str, tuple[list[int], list[bool], list[tuple[int, list[str]]]]] = {
    "once at the start": ([1, 1, 1, 1], [], [(0, [])]),
    "when a change is still": ([1, 2, 2, 2, 2], [], [(0, []), (2, EDITS)]),
    "not while it goes on": ([1, 2, 3, 4, 4, 4], [], [(0, []), (4, EDITS)]),
    "not for what was undone": ([1, 2, 1, 1, 1], [], [(0, [])]),
    "for every change": ([1, 2, 2, 3, 3], [], [(0, []), (2, EDITS), (4, EDITS)]),
    "at last though changes never end": (list(range(1, PATIENCE + 4)), [], [(0, []), (PATIENCE, EDITS)]),
    "again after a failure that was mended": ([1, 2, 2, 3, 3], [True, False], [(0, []), (2, EDITS), (4, EDITS)]),
    "again after a while though nothing changed": ([1] * (PATIENCE + 3), [False], [(0, []), (PATIENCE, [])]),
}


@pytest.mark.parametrize(("looks", "answers", "wanted"), CASES.values(), ids=CASES)
def test_boards_are_rebuilt(looks: list[int], answers: list[bool], wanted: list[tuple[int, list[str]]]) -> None:
    assert rebuilt_at(looks, answers) == wanted


def test_what_changed_is_told_by_model() -> None:
    before = {("a", "edits"): (1, 1), ("b", "edits"): (1, 1), ("c", "edits"): (1, 1), ("c", "verdicts of j"): (5, 5)}
    now = {("a", "edits"): (1, 1), ("c", "edits"): (1, 2), ("c", "verdicts of j"): (6, 6), ("d", "settings"): (1, 1)}
    assert watching.differences(before, now) == ["b is gone", "c: edits, verdicts of j", "d is new"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    made_results.write(root, MADE)
    return root


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "world")
    return tmp_path / "world"


def touched(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


INPUTS = {
    "settings": f"results/{MODELS[1]}/run.json",
    "edits": f"results/{MODELS[1]}/edits.jsonl",
    "verdicts": f"results/{MODELS[1]}/judged/{JUDGE}/judgments.jsonl",
    "a judge": f"results/{MODELS[1]}/judged/{JUDGE}/judge.json",
    "what was judged here": "results/judged_here.jsonl",
    "prompts": "prompts/sparkle/rubric.toml",
    "quoted scores": "leaderboards/published/table.csv",
}


@pytest.mark.parametrize("name", INPUTS.values(), ids=INPUTS)
def test_every_input_is_watched(name: str, root: Path) -> None:
    store = Store(root=root)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).touch()
    before = watching.stamps(store)
    assert watching.stamps(store) == before
    touched(root / name)
    assert len(watching.differences(before, watching.stamps(store))) == 1


def test_what_is_derived_is_not_watched(root: Path) -> None:
    store = Store(root=root)
    before = watching.stamps(store)
    for name in (f"results/{MODELS[1]}/judged/{JUDGE}/scores.csv", "leaderboards/index.html", "results/.cache/x.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        touched(root / name)
    assert watching.stamps(store) == before


def test_a_folder_that_no_result_can_be_does_not_end_it(root: Path) -> None:
    strange = root / "results" / "a name\nof two lines"
    strange.mkdir()
    (strange / "run.json").write_text("{}")
    assert ("a name\nof two lines", "its name") in watching.stamps(Store(root=root))


# -- the command -----------------------------------------------------------------------------------------------------


class Watched:
    """A command that watches, and its lines as they come."""

    def __init__(self, root: Path, *words: str) -> None:
        self.process = cli.start("leaderboard", "--watch", "--every", "0.1", *words, cwd=root, PYTHONUNBUFFERED="1")
        self._lines: SimpleQueue[str] = SimpleQueue()
        streams = [stream for stream in (self.process.stdout, self.process.stderr) if stream is not None]
        self._threads = [threading.Thread(target=self._read, args=[stream]) for stream in streams]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))

    def line(self, words: str, timeout: float = 90) -> str:
        """Wait for a line with these words."""
        end, seen = time.monotonic() + timeout, []
        while time.monotonic() < end:
            with contextlib.suppress(Empty):
                seen.append(self._lines.get(timeout=1))
                if words in seen[-1]:
                    return seen[-1]
            if self.process.poll() is not None and self._lines.empty():
                break
        raise AssertionError(f"no line with {words!r} in {seen}")

    def end(self, sign: int = signal.SIGKILL) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(sign)
        code = self.process.wait(timeout=60)
        for thread in self._threads:
            thread.join()
        return code


@contextlib.contextmanager
def watch(root: Path, *words: str) -> Iterator[Watched]:
    watched = Watched(root, *words)
    try:
        yield watched
    finally:
        watched.end()


def lost(path: Path) -> str:
    """Take the last line from a file and return it."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    return lines[-1]


def test_it_follows_a_result_and_survives_damage(root: Path) -> None:
    verdicts = root / "results" / MODELS[1] / "judged" / JUDGE / "judgments.jsonl"

    def without_a_verdict() -> int:
        board = json.loads((root / "leaderboards" / "sparkle" / JUDGE / "leaderboard.json").read_bytes())
        return int(next(row for row in board["rows"] if row["model"] == MODELS[1])["no_verdict"])

    with watch(root) as watched:
        assert re.match(r"\d\d:\d\d:\d\d  1 board", watched.line("1 board, 3 rows"))
        last = lost(verdicts)
        assert f"changed: {MODELS[1]}: verdicts of {JUDGE}" in watched.line("changed")
        assert without_a_verdict() == 1
        half = verdicts.read_bytes()
        verdicts.write_bytes(half + last.encode()[:40] + b"\n")
        assert "judgments.jsonl line 6 is damaged" in watched.line("not rebuilt, trying again")
        verdicts.write_bytes(half + last.encode())
        watched.line("changed")
        assert without_a_verdict() == 0
        judge = verdicts.with_name("judge.json")
        whole = judge.read_bytes()
        for damage in (whole[:100], b"{}"):
            judge.write_bytes(damage)
            assert "not rebuilt, trying again" in watched.line("judge.json")
        judge.write_bytes(whole)
        watched.line("1 board")
        assert watched.end(signal.SIGINT) == 0
        watched.line("stopped watching after 4 rebuilds")


def test_it_ends_on_a_batch_systems_signal_and_holds_no_lock(root: Path) -> None:
    with watch(root) as watched:
        watched.line("1 board")
        done = cli.run("leaderboard", cwd=root, timeout=60)
        assert done.returncode == 0, "another command can rebuild meanwhile"
        assert watched.end(signal.SIGTERM) == 0


def test_it_waits_for_first_results(tmp_path: Path, original: Path) -> None:
    with watch(tmp_path) as watched:
        watched.line("no judged results yet")
        shutil.copytree(original / "results", tmp_path / "results")
        assert f"{MODELS[1]} is new" in watched.line("1 board")


def test_a_bundle_is_kept_up_to_date(root: Path, tmp_path: Path) -> None:
    with watch(root, "--bundle", str(tmp_path / "site"), "--json") as watched:
        said = json.loads(watched.line('"boards"'))
        assert (said["bundle"]["clips"], said["changed"]) == (6 * 4, [])
        shutil.rmtree(root / "results" / MODELS[2])
        said = json.loads(watched.line('"boards"'))
        assert (said["bundle"]["clips"], said["bundle"]["made"]) == (6 * 3, 0)
        assert said["changed"] == [f"{MODELS[2]} is gone"]
        assert watched.end(signal.SIGINT) == 0


def test_a_place_that_is_none_for_a_bundle_ends_it_at_once(root: Path) -> None:
    done = cli.run("leaderboard", "--watch", "--bundle", "results/site", cwd=root, timeout=60)
    assert done.returncode == 1
    assert "a bundle cannot lie in results" in done.stderr


def test_looking_is_cheap(original: Path) -> None:
    """A look opens no file: it must cost next to nothing beside a run."""
    code = (
        "import sys; from pathlib import Path; from sparkle_bench.store import Store;"
        "from sparkle_bench.leaderboard import watching; store = Store(root=Path(sys.argv[1]));"
        "sys.addaudithook(lambda event, args: print(event, args[0]) if event == 'open' else None);"
        "watching.stamps(store); print('looked')"
    )
    command = [cli.COMMAND[0], "-c", code, str(original)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["looked"]
