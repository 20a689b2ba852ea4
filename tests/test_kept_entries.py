"""A result whose files are untouched is not read again; whatever changed, or may have, is."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkle_bench import disk, leaderboard
from sparkle_bench.leaderboard import ranked_board, read_entry, rebuild
from sparkle_bench.leaderboard.kept import Reading, read
from sparkle_bench.prompts import companion
from sparkle_bench.signals.request import FILE
from sparkle_bench.store import Store
from tests.made_results import Made, names, write

MADE = Made(models=5, samples=40, repeats=2, gappy=3, partial=4, signals=True)
KEY = MADE.judges[0]
MODELS = names(MADE)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results whose boards are built and whose files have lain untouched for a while; only to be copied."""
    root = tmp_path_factory.mktemp("built")
    write(root, MADE)
    time.sleep(2.1)  # what was touched less than two seconds ago is not remembered
    rebuild(Store(root=root))
    return root


@pytest.fixture
def store(built: Path) -> Store:
    """The same results, in place; a test that changes one puts it back."""
    return Store(root=built)


def reading(store: Store) -> Reading:
    return Reading(results=store, code=leaderboard.code(), hashes=store.hashes())


def from_memory(store: Store, model: str) -> bool:
    return read(reading(store), model, KEY).entry.texts is None


def test_results_that_are_untouched_are_not_read_again(store: Store) -> None:
    assert [model for model in MODELS if not from_memory(store, model)] == []


@pytest.mark.parametrize("model", MODELS)
def test_what_is_remembered_is_what_reading_gives(store: Store, model: str) -> None:
    kept, fresh = read(reading(store), model, KEY).entry, read_entry(store, model, KEY)
    assert kept.texts is None
    assert fresh.texts is not None
    assert (kept.summary, kept.audit, kept.noise, kept.efforts) == (
        fresh.summary,
        fresh.audit,
        fresh.noise,
        fresh.efforts,
    )
    assert (kept.declared, kept.run, kept.judge, kept.judged) == (
        fresh.declared,
        fresh.run,
        fresh.judge,
        fresh.judged,
    )
    for name in ("status", "attempted", "raw", "counts", "fresh", "scored", "known", "uncapped"):
        assert (getattr(kept.marks, name) == getattr(fresh.marks, name)).all(), name
    assert kept.marks.errors == fresh.marks.errors
    assert kept.marks.samples == fresh.marks.samples


def test_a_board_from_memory_is_the_board_from_the_files(store: Store) -> None:
    kept = ranked_board("sparkle", KEY, [read(reading(store), model, KEY).entry for model in MODELS])
    fresh = ranked_board("sparkle", KEY, [read_entry(store, model, KEY) for model in MODELS])
    assert leaderboard.texts(kept) == leaderboard.texts(fresh)


def settle(store: Store, model: str) -> None:
    """Make the memory of a result one of its files as they are now, as if they had lain so for a while."""
    memory = store.kept_entry(model, KEY)
    known = memory.read()
    assert known is not None
    rules = companion("sparkle", FILE, store.root)
    assert rules is not None
    stamps = [disk.stamp(path) for path in (*store.inputs(model, KEY), rules)]
    made = [[name, disk.stamp(store.root / name)] for name, _ in known["made"]]
    memory.write({**known, "made_from": {**known["made_from"], "stamps": stamps}, "made": made})
    assert from_memory(store, model)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[-1])


def _touch(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _remove(path: Path) -> None:
    path.unlink()


CHANGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a verdict more": ("results/{model}/judged/{key}/judgments.jsonl", _append),
    "an edit more": ("results/{model}/edits.jsonl", _append),
    "a measurement more": ("results/{model}/signals.jsonl", _append),
    "signals are gone": ("results/{model}/signals.jsonl", _remove),
    "samples written again": ("results/{model}/samples.jsonl", _touch),
    "judge.json written again": ("results/{model}/judged/{key}/judge.json", _touch),
    "run.json written again": ("results/{model}/run.json", _touch),
    "the score table is gone": ("results/{model}/judged/{key}/scores.csv", _remove),
    "the score table was edited": ("results/{model}/judged/{key}/scores.csv", _append),
    "the page's data are gone": ("leaderboards/sparkle/{key}/page/details/{model}.js", _remove),
    "the memory is damaged": ("results/.cache/entries/{model}/{key}.json", _cut),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.values(), ids=CHANGES)
def test_what_changed_is_read_again(store: Store, tmp_path: Path, name: str, change: Callable[[Path], None]) -> None:
    model = MODELS[2]
    settle(store, model)
    path = store.root / name.format(model=model, key=KEY)
    shutil.copy2(path, tmp_path / "before")
    change(path)
    try:
        assert not from_memory(store, model)
        assert from_memory(store, MODELS[1]), "another result is not read for its sake"
    finally:
        shutil.copy2(tmp_path / "before", path)
        settle(store, model)


def test_another_version_of_the_code_reads_everything(store: Store) -> None:
    other = Reading(results=store, code="another", hashes=store.hashes())
    assert read(other, MODELS[0], KEY).entry.texts is not None


@pytest.mark.parametrize("field", ["raw", "status", "errors", "audit", "efforts", "made", "samples"])
def test_a_memory_without_one_of_its_fields_is_none(store: Store, field: str) -> None:
    memory = store.kept_entry(MODELS[1], KEY)
    whole = memory.read()
    assert whole is not None
    path = store.root / "results" / ".cache" / "entries" / MODELS[1] / f"{KEY}.json"
    try:
        path.write_text(json.dumps({name: value for name, value in whole.items() if name != field}))
        assert not from_memory(store, MODELS[1])
    finally:
        memory.write(whole)


def test_what_was_touched_just_now_is_not_remembered(tmp_path: Path) -> None:
    fresh = Store(root=tmp_path)
    write(tmp_path, Made(models=2, samples=8, repeats=1))
    rebuild(fresh)
    assert not list(tmp_path.glob("results/.cache/entries/*/*.json"))
