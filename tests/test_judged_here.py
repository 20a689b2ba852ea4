"""Who asked for a result's verdicts: the keeper of this root, or whoever handed it in."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sparkle_bench import asked, benchmark, disk, run
from sparkle_bench.asked import judged_here
from sparkle_bench.editors.identity import Identity
from sparkle_bench.errors import JudgeUnavailable, StoreError
from sparkle_bench.exchange import export, incoming, read_authors, read_beside
from sparkle_bench.judges import Judge
from sparkle_bench.judges.replay import replay
from sparkle_bench.judges.signals import SignalsJudge
from sparkle_bench.leaderboard import rebuild
from sparkle_bench.records import Judgment
from sparkle_bench.rubric import Scores
from sparkle_bench.signals.request import load_rules
from sparkle_bench.store import Store
from sparkle_bench.verification.keeping import check
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_benchmark
from tests.road import NOW, PROMPT, Road


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("made-up") / "bench", samples_per_theme=1)


@pytest.fixture
def road(bench: Path, tmp_path: Path) -> Road:
    (tmp_path / "bench").symlink_to(bench)
    return Road(tmp_path)


@pytest.fixture
def fake() -> Iterator[FakeJudge]:
    with serving(FakeJudge()) as judge:
        yield judge


@pytest.fixture
def judge(road: Road, fake: FakeJudge) -> Iterator[Judge]:
    with ExitStack() as stack:
        yield road.connected(stack, fake)


def the_key(store: Store, model: str = "identity") -> str:
    (key,) = store.judge_keys(model)
    return key


def here(store: Store, model: str = "identity") -> bool:
    return judged_here(store, model, the_key(store, model))


def forget(store: Store) -> None:
    """Leave what a fresh clone of the repository has: no memory of what was asked for."""
    shutil.rmtree(store.root / "results" / ".cache")


def brought(store: Store, root: Path, *names: str, called: str | None = None) -> Store:
    """Return another root into which results alone were copied."""
    for name in names:
        shutil.copytree(store.model_dir(name), root / "results" / (called or name))
    return Store(root=root)


# -- what was asked for ----------------------------------------------------------------------------------------------


def test_what_this_root_asked_for_was_judged_here(road: Road, judge: Judge) -> None:
    road.judge(judge)
    assert here(road.store)
    path = road.store.judgments_path("identity", the_key(road.store))
    (line,) = road.store.judged_here_path().read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "model": "identity",
        "judge_key": the_key(road.store),
        "bytes": path.stat().st_size,
        "judgments_sha256": disk.file_sha256(path),
    }


def test_the_embedded_judge_judges_here_too(road: Road) -> None:
    rules = load_rules("sparkle", root=Path())
    assert rules is not None
    road.judge(SignalsJudge(rubric=PROMPT.rubric, rules=rules))
    assert here(road.store)


def test_a_run_that_changes_nothing_writes_nothing(road: Road, judge: Judge) -> None:
    road.judge(judge)
    before = road.store.judged_here_path().stat().st_mtime_ns
    road.judge(judge)
    assert road.store.judged_here_path().stat().st_mtime_ns == before


def test_results_and_judges_have_a_line_each_in_order(road: Road, judge: Judge, fake: FakeJudge) -> None:
    for name in ("b", "a", "b"):
        road.judge(judge, name=name)
    road.judge(judge, name="b", repeats=2)
    road.judge(judge, name="b", strict=True)
    lines = [json.loads(line) for line in road.store.judged_here_path().read_text(encoding="utf-8").splitlines()]
    names = [(line["model"], line["judge_key"]) for line in lines]
    assert names == sorted(set(names))
    assert [name for name, _ in names] == ["a", "b", "b"]
    assert all(judged_here(road.store, *name) for name in names)


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_run_that_ends_early_was_judged_here_as_far_as_it_came(
    road: Road, judge: Judge, fake: FakeJudge, repeats: int
) -> None:
    fake.queue.extend([Answer(), Answer()])
    fake.answer = lambda body: Answer(status=401, text="no key")
    with pytest.raises(JudgeUnavailable):
        road.judge(judge, workers=1, repeats=repeats)
    assert list(road.store.judgments("identity", the_key(road.store)))
    assert here(road.store)
    fake.answer = lambda body: Answer()
    with ExitStack() as stack:
        road.judge(road.connected(stack, fake), repeats=repeats)
    assert len(road.store.judgments("identity", the_key(road.store))) == 4 * repeats
    assert here(road.store)


def test_failed_questions_are_asked_for_too(road: Road, judge: Judge, fake: FakeJudge) -> None:
    fake.answer = lambda body: Answer(text="I cannot tell.")
    road.judge(judge)
    assert not any(j.ok for j in road.store.judgments("identity", the_key(road.store)).values())
    assert here(road.store)


def eval_of(fake: FakeJudge) -> list[str]:
    """The command that has the control judged."""
    of_judge = ["--judge-url", fake.url, "--frames", "2", "--no-signals"]
    return ["eval", "--model", "identity", "--bench", "bench", *of_judge]


def test_shards_that_run_beside_each_other_make_one_result(road: Road, fake: FakeJudge) -> None:
    fake.answer = lambda body: Answer(delay=0.2)
    words = eval_of(fake)
    both = [cli.start(*words, "--shard", f"{part}/2", cwd=road.root) for part in (0, 1)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert "error" not in err
    assert len(road.store.judgments("identity", the_key(road.store))) == 4
    assert here(road.store)


# -- what was not ----------------------------------------------------------------------------------------------------


def test_a_result_that_is_copied_in_is_self_reported(road: Road, judge: Judge, tmp_path: Path) -> None:
    road.judge(judge)
    other = brought(road.store, tmp_path / "other", "identity")
    assert not here(other)
    assert here(road.store)


def test_the_note_of_a_result_is_not_anothers(road: Road, judge: Judge) -> None:
    road.judge(judge)
    brought(road.store, road.root, "identity", called="mine")
    assert not here(road.store, "mine")
    key = the_key(road.store)
    shutil.copytree(road.store.judged_dir("identity", key), road.store.judged_dir("identity", "better-judge"))
    assert not judged_here(road.store, "identity", "better-judge")
    assert not judged_here(road.store, "nobody", key)


def _better(content: bytes) -> bytes:
    assert b'"instruction": 4' in content
    return content.replace(b'"instruction": 4', b'"instruction": 5', 1)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a mark of the same length": _better,
    "a line taken away": lambda content: content[content.index(b"\n") + 1 :],
    "a line added": lambda content: content + _better(content[: content.index(b"\n") + 1]),
    "lines in another order": lambda content: b"".join(sorted(content.splitlines(keepends=True), reverse=True)),
    "the last line cut": lambda content: content[:-1],
    "all gone": lambda content: b"",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_was_changed_is_self_reported(road: Road, judge: Judge, change: Callable[[bytes], bytes]) -> None:
    road.judge(judge)
    path = road.store.judgments_path("identity", the_key(road.store))
    changed = change(path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    assert not here(road.store)


def test_a_file_that_is_gone_is_self_reported(road: Road, judge: Judge) -> None:
    road.judge(judge)
    road.store.judgments_path("identity", the_key(road.store)).unlink()
    assert not here(road.store)


def test_another_run_does_not_make_a_strangers_line_ours(road: Road, judge: Judge) -> None:
    road.judge(judge)
    path = road.store.judgments_path("identity", the_key(road.store))
    path.write_bytes(CHANGES["a line added"](path.read_bytes()))
    road.judge(judge)
    road.judge(judge, repeats=2)
    assert not here(road.store)


def test_stored_replies_read_again_are_self_reported(road: Road, judge: Judge, tmp_path: Path) -> None:
    road.judge(judge)
    key = the_key(road.store)
    read_again, prompt = replay(
        road.store.read_judge("identity", key) or {}, list(road.store.all_judgments("identity", key))
    )
    (tmp_path / "other").mkdir()
    other = Road(tmp_path / "other")
    (other.root / "bench").symlink_to(road.root / "bench")
    other.judge(read_again, prompt=prompt)
    assert the_key(other.store) == key
    assert all(j.ok for j in other.store.judgments("identity", key).values())
    assert not here(other.store)
    other.judge(judge, repeats=2)
    assert not here(other.store), "half of it was not asked for here"


def test_imported_scores_are_self_reported(road: Road, judge: Judge, tmp_path: Path) -> None:
    road.judge(judge)
    files = read_authors([export(road.store, "identity", tmp_path / "exported").folder])
    sidecar = read_beside(files)
    assert sidecar is not None
    other = Store(root=tmp_path / "other")
    incoming.take(other, "identity", incoming.restored(files, sidecar))
    assert len(other.judgments("identity", the_key(other))) == 4
    assert not here(other)


def test_what_is_imported_into_a_result_that_was_judged_here_is_told(road: Road, judge: Judge) -> None:
    road.judge(judge)
    key = the_key(road.store)
    one = next(road.store.all_judgments("identity", key))
    road.store.append_judgment("identity", key, dataclasses.replace(one, repeat=1))
    assert not here(road.store)


# -- runs that were killed -------------------------------------------------------------------------------------------


def test_lines_of_a_killed_run_are_known_to_the_next(road: Road, fake: FakeJudge) -> None:
    fake.answer = lambda body: Answer(delay=0.3)
    words = [*eval_of(fake), "--workers", "1"]
    process = cli.start(*words, cwd=road.root)
    deadline = time.monotonic() + 60
    while len(fake.requests) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = len(road.store.judgments("identity", the_key(road.store)))
    assert 0 < left < 4
    assert not here(road.store), "nobody has noted it"
    done = cli.run(*words, cwd=road.root)
    assert done.returncode == 0, done.stderr
    assert here(road.store)


def test_a_run_that_was_killed_at_its_end_is_noted_by_the_next(road: Road, judge: Judge, fake: FakeJudge) -> None:
    road.judge(judge)
    road.store.judged_here_path().unlink()
    asked_for = len(fake.requests)
    road.judge(judge)
    assert len(fake.requests) == asked_for
    assert here(road.store)


def test_without_the_memory_a_killed_runs_lines_are_self_reported(road: Road, judge: Judge) -> None:
    road.judge(judge)
    road.store.judged_here_path().unlink()
    forget(road.store)
    road.judge(judge)
    road.judge(judge, repeats=2)
    assert not here(road.store)


def test_a_clone_goes_on_with_what_was_noted(road: Road, judge: Judge) -> None:
    road.judge(judge)
    forget(road.store)
    road.judge(judge, repeats=2)
    assert len(road.store.judgments("identity", the_key(road.store))) == 8
    assert here(road.store)


def test_a_memory_that_is_damaged_costs_the_note_alone(road: Road, judge: Judge) -> None:
    road.judge(judge)
    road.store.judged_here_path().unlink()
    road.store.asked_path("identity", the_key(road.store)).write_text("rubbish\n[]\n", encoding="utf-8")
    road.judge(judge)
    assert not here(road.store)


def test_a_line_that_a_crash_cut_off_is_asked_for_again(road: Road, judge: Judge) -> None:
    road.judge(judge)
    path = road.store.judgments_path("identity", the_key(road.store))
    path.write_bytes(path.read_bytes()[:-20])
    road.judge(judge)
    assert here(road.store)


# -- verdicts of other results ---------------------------------------------------------------------------------------


def test_verdicts_from_a_result_that_was_judged_here_are_judged_here(road: Road, judge: Judge, fake: FakeJudge) -> None:
    road.judge(judge)
    asked_for = len(fake.requests)
    verdicts = road.judge(judge, name="second")
    assert {j.reused for j in verdicts} == {"identity"}
    assert len(fake.requests) == asked_for
    assert here(road.store, "second")


def test_verdicts_from_a_self_reported_result_stay_that(road: Road, judge: Judge, tmp_path: Path) -> None:
    road.judge(judge)
    brought(road.store, tmp_path / "other", "identity")
    other = Road(tmp_path / "other")
    (other.root / "bench").symlink_to(road.root / "bench")
    verdicts = other.judge(judge, name="second")
    assert {j.reused for j in verdicts} == {"identity"}
    assert not here(other.store, "second")


def test_a_forged_line_that_names_an_honest_result_makes_nothing_judged_here(
    road: Road, judge: Judge, fake: FakeJudge
) -> None:
    road.judge(judge)
    key = the_key(road.store)
    brought(road.store, road.root, "identity", called="a-thief")
    path = road.store.judgments_path("a-thief", key)
    lines = [json.loads(line) | {"reused": "identity"} for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["scores"] = dict.fromkeys(line["scores"], 5)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    shutil.rmtree(road.store.judged_dir("identity", key))
    verdicts = road.judge(judge, name="second")
    assert {j.reused for j in verdicts} == {"identity"}
    assert not here(road.store, "second")


def test_what_was_judged_here_goes_before_what_others_report(road: Road, judge: Judge) -> None:
    """Whatever their names are: `a-copy` comes first, and its marks are made up."""
    road.judge(judge)
    key = the_key(road.store)
    brought(road.store, road.root, "identity", called="a-copy")
    path = road.store.judgments_path("a-copy", key)
    path.write_bytes(_better(path.read_bytes()))
    verdicts = road.judge(judge, name="second")
    assert {j.scores["instruction"] for j in verdicts if j.scores} == {4}
    assert here(road.store, "second")


# -- reading it ------------------------------------------------------------------------------------------------------


def test_a_file_of_another_size_is_not_hashed(road: Road, judge: Judge) -> None:
    road.judge(judge)
    key = the_key(road.store)
    seen: list[Path] = []

    def hashed(path: Path) -> str:
        seen.append(path)
        return disk.file_sha256(path)

    assert judged_here(road.store, "identity", key, hash_of=hashed)
    with road.store.judgments_path("identity", key).open("ab") as file:
        file.write(b"{}\n")
    assert not judged_here(road.store, "identity", key, hash_of=hashed)
    assert not judged_here(road.store, "identity", "another", hash_of=hashed)
    assert len(seen) == 1


GOOD = {"model": "identity", "judge_key": "k", "bytes": 1, "judgments_sha256": "0" * 64}
DAMAGED = {
    "no JSON": "<<<<<<< ours",
    "a list": "[]",
    "no hash": json.dumps({**GOOD, "judgments_sha256": "0" * 63}),
    "a size in words": json.dumps({**GOOD, "bytes": "1"}),
    "a true size": json.dumps({**GOOD, "bytes": True}),
    "no model": json.dumps({**GOOD, "model": None}),
    "no judge": json.dumps({"model": "identity"}),
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    store = Store(root=tmp_path)
    store.judged_here_path().parent.mkdir()
    store.judged_here_path().write_text(f"{json.dumps(GOOD)}\n{line}\n", encoding="utf-8")
    with pytest.raises(StoreError, match=r"judged_here\.jsonl line 2 is damaged"):
        judged_here(store, "identity", "k")


# -- a repository of boards ------------------------------------------------------------------------------------------


@pytest.fixture
def kept(road: Road, judge: Judge, fake: FakeJudge) -> Store:
    fake.answer = lambda body: Answer(text=verdict(3, 4, 4, 4, len(fake.requests) % 5 + 1, 4))
    road.judge(judge)
    rebuild(road.store)
    shutil.rmtree(road.store.model_dir("identity") / "videos")
    return road.store


def told(store: Store) -> list[str]:
    found = check(store)
    kept = [wrong for each in (*found.entries, *found.boards) for wrong in each.differences]
    return [f"{wrong.where}: {wrong.what}" for wrong in (*kept, *found.others)]


def test_the_file_belongs_into_a_repository_of_boards(kept: Store) -> None:
    assert kept.judged_here_path().is_file()
    assert told(kept) == []


def test_a_key_in_it_is_named(kept: Store) -> None:
    hostile = json.dumps({**GOOD, "model": "sk-aaaaaaaaaaaaaaaaaaaaaaaa1"})
    with kept.judged_here_path().open("a", encoding="utf-8") as file:
        file.write(f"{hostile}\n")
    assert any("judged_here.jsonl:2: holds what looks like a key" in wrong for wrong in told(kept))


def test_a_damaged_one_is_named_by_the_check(kept: Store) -> None:
    kept.judged_here_path().write_text("rubbish\n", encoding="utf-8")
    assert any("results/judged_here.jsonl: is damaged: line 1 is damaged" in wrong for wrong in told(kept))


def test_a_link_in_its_place_is_never_followed(kept: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.jsonl"
    kept.judged_here_path().rename(elsewhere)
    kept.judged_here_path().symlink_to(elsewhere)
    wrong = told(kept)
    assert any("results/judged_here.jsonl: is a link" in line for line in wrong)
    assert any("results/judged_here.jsonl is not read" in line for line in wrong)


def test_marks_are_of_no_matter_to_the_note(road: Road) -> None:
    """The store writes what was asked for, whatever it is; a text that is no UTF-8 is no trouble."""
    bench = benchmark.load(road.root / "bench")
    run.start(road.store, "odd", bench, run.Made(editor=Identity(), name="identity", options={}), now=NOW)
    judged = Judgment(
        sample_id=bench.samples[0].id,
        edit_sha256="0" * 64,
        repeat=0,
        reply="half a pair \\ud800 \r and é",
        scores=Scores(marks=dict.fromkeys(PROMPT.rubric.keys, 3)),
    )
    road.store.append_judgment("odd", "key", judged, asked=True)
    assert asked.note(road.store, "odd", "key")
    assert judged_here(road.store, "odd", "key")
    assert not asked.note(road.store, "odd", "another-key")
