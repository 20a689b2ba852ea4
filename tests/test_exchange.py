"""Verdicts out of a result and into one: the same board after the way there and back, the authors' own files, bad files."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sparkle_bench import benchmark, signals
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.cli.exchange import export as export_command
from sparkle_bench.cli.exchange import import_ as import_command
from sparkle_bench.errors import SparkleError, StoreError
from sparkle_bench.exchange import adopted, export, read_authors, read_beside, restored, take
from sparkle_bench.leaderboard import read_entry, rebuild
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Edit, Judgment, Measurement, Probe, Sample
from sparkle_bench.rubric import Scores, cap, parse
from sparkle_bench.scoring import Summary
from sparkle_bench.store import Store
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.made_signals import made
from tests.makers import write_benchmark

PROMPT = load_prompt("sparkle", root=Path(__file__).parent.parent)
RUBRIC = PROMPT.rubric
KEY, OTHER_KEY = "gemini-2.5-pro-0a1b2c3d", "qwen3-vl-32b-99887766"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
FILE = "location_gemini-2.5-pro_sparkle_score.jsonl"
THEMES = ("location", "season", "time", "style")

# -- a result with all that can happen -------------------------------------------------------------------------------

Given = tuple[int, ...] | str
"""Raw marks, `failed` (no edit), `untried`, `unanswered`, `silent` (no judgment yet) or `unreadable` (the edit)."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One judge's verdicts on a result.

    Attributes:
        given: By number of the sample, in the benchmark's order.
        key: The judge key.
        model: The judge's model.
        repeats: Verdicts per edit; further ones are a mark lower.
        measured: Whether signals were measured.
    """

    given: tuple[Given, ...]
    key: str = KEY
    model: str = "google/gemini-2.5-pro"
    repeats: int = 1
    measured: bool = False


MIXED = Judged(
    given=((4, 5, 3, 2, 4, 5), (2, 5, 5, 5, 5, 5), "failed", (5, 4, 3, 2, 1, 5), (3, 3, 3, 1, 5, 2), "unanswered",
           "unreadable", (1, 2, 3, 4, 5, 5))
)  # fmt: skip
WHOLE = Judged(
    given=((4, 5, 3, 2, 4, 5), "failed", (5,) * 6, (5, 4, 3, 2, 1, 5), (3,) * 6, (2,) * 6, (1,) * 6, (4,) * 6)
)
PARTLY = Judged(given=((4, 5, 3, 2, 4, 5), "untried", "silent", "untried", (3,) * 6, (2,) * 6, "untried", "untried"))
RESULTS = {
    "whole": WHOLE,
    "failed, unanswered, unreadable": MIXED,
    "partly done": PARTLY,
    "measured": replace(WHOLE, measured=True),
    "repeats": replace(MIXED, repeats=3),
    "a theme without marks": replace(WHOLE, given=("failed", "unanswered", *WHOLE.given[2:])),
}


def put(store: Store, model: str, judged: Judged, bench: Benchmark) -> None:
    """Write a result as the stages do, without its videos."""
    if store.read_run(model) is None:
        version = {"name": "sparkle", "digest": bench.digest, "samples": len(bench.samples), "partial": bench.partial}
        editor = {"name": "command", "options": {"cmd": "python infer.py"}, "options_hash": "00ff"}
        run = {"model": model, "benchmark": version, "editor": editor, "code_version": "0.1.0", "hardware": {"cpus": 2}}
        store.write_run(model, {**run, "date": "2026-01-01T00:00:00+00:00"}, bench.samples)
        for sample, given in zip(bench.samples, judged.given, strict=True):
            if given != "untried":
                store.append_edit(model, an_edit(sample, failed=given == "failed"))
    judge = {
        "key": judged.key,
        "identity": {"model": judged.model, "prompt": PROMPT.digest},
        "notes": ["Time labels are those of the clips."],
        "rubric": RUBRIC.to_data(),
        "prompt": PROMPT.text,
        "repeats": judged.repeats,
        "code_version": "0.1.0",
        "date": "2026-01-02T03:04:05+00:00",
    }
    store.write_judge(model, judged.key, judge)
    for sample, given in zip(bench.samples, judged.given, strict=True):
        if given not in ("failed", "untried", "silent"):
            for repeat in range(judged.repeats):
                store.append_judgment(model, judged.key, a_judgment(sample, given, repeat))
            if judged.measured:
                store.append_measurement(model, a_measurement(sample))


def sha256(sample: Sample) -> str:
    return sample.sha256[::-1]


def an_edit(sample: Sample, *, failed: bool) -> Edit:
    if failed:
        return Edit(sample_id=sample.id, error="out of memory", error_type="RuntimeError", seconds=3.5)
    probe = Probe(frames=33, fps=15.0, width=1280, height=704)
    return Edit(
        sample_id=sample.id, video=f"videos/{sample.edit_path}", sha256=sha256(sample), probe=probe, seconds=2.5
    )


def a_judgment(sample: Sample, given: Given, repeat: int) -> Judgment:
    head = Judgment(sample_id=sample.id, edit_sha256=sha256(sample), repeat=repeat, error="?")
    if given == "unanswered":
        return replace(
            head, error="no mark for Foreground Integrity", error_type="VerdictError", reply="No \ud83d idea"
        )
    if given == "unreadable":
        return replace(head, error="cannot be decoded", error_type="VideoError", attempts=0)
    marks = tuple(max(1, int(mark) - repeat) for mark in given)
    # A form that the authors' script cannot read, letters beyond ASCII, half a surrogate pair and a line separator.
    reply = (
        verdict(*marks).replace("Brief", "**简短** \ud83d\u2028Brief").replace(f": {marks[0]}", f": {marks[0]}/5", 1)
    )
    return replace(
        head, error=None, reply=reply, scores=scores(*marks), failures=("503 busy",), attempts=2, prompt_tokens=1000
    )


def a_measurement(sample: Sample) -> Measurement:
    found = signals.to_data(made(change={"source_again": True, "how": "copied"}))
    return Measurement(
        sample_id=sample.id, edit_sha256=sha256(sample), version=signals.VERSION, signals=found, seconds=0.9
    )


def scores(*marks: int) -> Scores:
    return Scores(marks=dict(zip(RUBRIC.keys, marks, strict=True)))


@pytest.fixture(scope="module")
def bench(mini: Path) -> Benchmark:
    """The eight real samples."""
    return benchmark.load(mini)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A root to put results in."""
    return Store(root=tmp_path / "here")


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    """An empty root to import into."""
    return Store(root=tmp_path / "there")


def board(store: Store, key: str = KEY) -> bytes:
    """Rebuild a root's boards and return one of their tables."""
    rebuild(store)
    return (store.board_dir("sparkle", key) / "leaderboard.csv").read_bytes()


def entry(store: Store, key: str, model: str) -> Summary:
    """Return what a board would say of one result, without the board: figures take their time."""
    return read_entry(store, model, key).summary


def bring(store: Store, name: str, folder: Path) -> int:
    """Import exported files and return how many records were written."""
    files = read_authors([folder])
    sidecar = read_beside(files)
    assert sidecar is not None
    return take(store, name, restored(files, sidecar)).written


def adopt(store: Store, name: str, paths: list[Path], bench: Benchmark) -> str:
    """Import the authors' own files and return the judge key."""
    files = read_authors(paths)
    assert read_beside(files) is None
    return take(store, name, adopted(files, bench, RUBRIC, now=NOW)).judge_key


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, but for locks."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}
    return {name: path.read_bytes() for name, path in files.items()}


# -- out -------------------------------------------------------------------------------------------------------------


def test_a_line_is_as_the_authors_script_writes_it(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", MIXED, bench)
    done = export(store, "mine", tmp_path / "out")
    assert done.files == tuple(f"{theme}_gemini-2.5-pro_sparkle_score.jsonl" for theme in THEMES)
    assert (done.scored, done.of, done.judge_key) == (5, 8, KEY)
    assert sorted(path.name for path in done.folder.iterdir()) == sorted([*done.files, "sparkle_bench.json"])
    first, second = map(json.loads, (done.folder / FILE).read_text(encoding="utf-8").strip("\n").split("\n"))
    sample = bench.samples[0]
    assert list(first) == ["id", "prompt", "edit_type", "subtheme", "scene", "scores", "result"]
    assert (first["id"], first["prompt"], first["edit_type"]) == (sample.id, sample.instruction, "location")
    assert (first["subtheme"], first["scene"]) == (sample.subtheme, sample.scene)
    assert first["scores"] == [4, 4, 3, 2, 4, 4]
    assert parse(first["result"], RUBRIC) == scores(4, 5, 3, 2, 4, 5)
    assert second["scores"] == [2] * 6
    assert "简短" in (done.folder / FILE).read_text(encoding="utf-8")


def test_the_authors_mean_of_the_files_is_the_mean_over_scored_alone(
    store: Store, bench: Benchmark, tmp_path: Path
) -> None:
    put(store, "mine", MIXED, bench)
    folder = export(store, "mine", tmp_path / "out").folder
    by_theme: list[list[Fraction]] = []
    for path in sorted(folder.glob("*.jsonl")):
        marks = [json.loads(line)["scores"] for line in path.read_bytes().split(b"\n") if line]
        if marks:
            by_theme.append([Fraction(sum(column), len(marks)) for column in zip(*marks, strict=True)])
    over_themes = [sum(column, Fraction(0)) / len(by_theme) for column in zip(*by_theme, strict=True)]
    expected = sum(over_themes, Fraction(0)) / len(over_themes)
    assert entry(store, KEY, "mine").scored_overall == pytest.approx(float(expected))
    for path in [*folder.glob("*.json")]:
        path.unlink()
    other = Store(root=tmp_path / "there")
    key = adopt(other, "mine", [folder], bench)
    assert entry(other, key, "mine").scored_overall == pytest.approx(float(expected))


def test_with_two_judges_one_is_chosen_and_each_has_its_folder(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", MIXED, bench)
    put(store, "mine", replace(MIXED, key=OTHER_KEY, model="Qwen/Qwen3-VL-32B"), bench)
    with pytest.raises(StoreError, match=f"2 judges judged mine; choose one with --judge: {KEY}, {OTHER_KEY}"):
        export(store, "mine", tmp_path / "out")
    with pytest.raises(StoreError, match=f"no verdicts of 'qwen3-vl-32b' on mine; did you mean {OTHER_KEY}"):
        export(store, "mine", tmp_path / "out", judge_key="qwen3-vl-32b")
    assert not (tmp_path / "out").exists()
    export(store, "mine", tmp_path / "out", judge_key=KEY)
    before = tree(tmp_path / "out")
    with pytest.raises(StoreError, match=f"holds score files of mine under {KEY}; export to another folder"):
        export(store, "mine", tmp_path / "out", judge_key=OTHER_KEY)
    export(store, "mine", tmp_path / "out", judge_key=KEY)
    assert tree(tmp_path / "out") == before


def test_nothing_is_exported_over_files_from_elsewhere(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", MIXED, bench)
    (tmp_path / FILE).write_text("theirs", encoding="utf-8")
    with pytest.raises(StoreError, match="holds score files from elsewhere"):
        export(store, "mine", tmp_path)
    assert (tmp_path / FILE).read_text(encoding="utf-8") == "theirs"


def test_what_cannot_be_exported_says_so(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no result 'mine' .*there are no results yet"):
        export(store, "mine", tmp_path / "out")
    put(store, "mine", MIXED, bench)
    with pytest.raises(StoreError, match=r"no result 'mime' .*did you mean mine"):
        export(store, "mime", tmp_path / "out")
    shutil.rmtree(store.judged_dir("mine", KEY))
    with pytest.raises(StoreError, match="results/mine has no verdicts yet"):
        export(store, "mine", tmp_path / "out")


# -- there and back --------------------------------------------------------------------------------------------------


def test_export_then_import_gives_the_same_board(store: Store, empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    for number, judged in enumerate(RESULTS.values()):
        put(store, f"model-{number}", judged, bench)
        bring(empty, f"model-{number}", export(store, f"model-{number}", tmp_path / str(number)).folder)
    assert board(empty) == board(store)
    assert board(store).count(b"\n") == 1 + len(RESULTS)


@pytest.mark.parametrize("judged", RESULTS.values(), ids=RESULTS)
def test_every_record_comes_back(judged: Judged, store: Store, empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", judged, bench)
    folder = export(store, "mine", tmp_path / "out").folder
    bring(empty, "mine", folder)
    assert entry(empty, KEY, "mine") == entry(store, KEY, "mine")
    for name in ("run.json", "samples.jsonl", f"judged/{KEY}/judge.json"):
        assert (empty.model_dir("mine") / name).read_bytes() == (store.model_dir("mine") / name).read_bytes()
    assert read_entry(empty, "mine", KEY).texts == read_entry(store, "mine", KEY).texts
    assert empty.judgments("mine", KEY) == store.judgments("mine", KEY)
    assert empty.measurements("mine") == store.measurements("mine")
    assert empty.edits("mine").keys() == store.edits("mine").keys()
    for sample_id, edit in store.edits("mine").items():
        back = empty.edits("mine")[sample_id]
        assert (back.sha256, back.error, back.seconds, back.unseen) == (edit.sha256, edit.error, edit.seconds, edit.ok)
    again = export(empty, "mine", tmp_path / "again")
    for name in again.files:
        assert (again.folder / name).read_bytes() == (folder / name).read_bytes()


def test_importing_twice_changes_nothing(store: Store, empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", replace(MIXED, measured=True), bench)
    folder = export(store, "mine", tmp_path / "out").folder
    assert bring(empty, "yours", folder) > 0
    before = tree(empty.root)
    assert bring(empty, "yours", folder) == 0
    assert tree(empty.root) == before


def test_a_stopped_import_goes_on(store: Store, empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", MIXED, bench)
    folder = export(store, "mine", tmp_path / "out").folder
    bring(empty, "mine", folder)
    path = empty.judged_dir("mine", KEY) / "judgments.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    (empty.judged_dir("mine", KEY) / "judge.json").unlink()
    assert bring(empty, "mine", folder) == 1
    assert entry(empty, KEY, "mine") == entry(store, KEY, "mine")


def test_verdicts_made_elsewhere_come_home_to_the_videos(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", MIXED, bench)
    before = entry(store, KEY, "mine")
    edits = store.edits("mine")
    folder = export(store, "mine", tmp_path / "out").folder
    shutil.rmtree(store.judged_dir("mine", KEY))
    bring(store, "mine", folder)
    assert store.edits("mine") == edits
    assert entry(store, KEY, "mine") == before


def test_verdicts_on_other_videos_do_not_displace_those_that_are_here(
    store: Store, bench: Benchmark, tmp_path: Path
) -> None:
    put(store, "mine", WHOLE, bench)
    folder = export(store, "mine", tmp_path / "out").folder
    store.append_edit("mine", replace(an_edit(bench.samples[0], failed=False), sha256="f0" * 32))
    before = tree(store.root)
    with pytest.raises(StoreError, match=f"results/mine has another video of {bench.samples[0].id}"):
        bring(store, "mine", folder)
    assert tree(store.root) == before


def test_a_second_judges_export_joins_the_first(store: Store, empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", MIXED, bench)
    put(store, "mine", replace(MIXED, key=OTHER_KEY, model="Qwen/Qwen3-VL-32B"), bench)
    for key in (KEY, OTHER_KEY):
        bring(empty, "mine", export(store, "mine", tmp_path / key, judge_key=key).folder)
    for key in (KEY, OTHER_KEY):
        assert entry(empty, key, "mine") == entry(store, key, "mine")


def test_changed_line_ends_and_order_do_no_harm(store: Store, empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", WHOLE, bench)
    folder = export(store, "mine", tmp_path / "out").folder
    for path in folder.glob("*.jsonl"):
        lines = path.read_bytes().split(b"\n")
        path.write_bytes(b"\xef\xbb\xbf" + b"\r\n\r\n".join(reversed(lines)))
    bring(empty, "mine", folder)
    assert entry(empty, KEY, "mine") == entry(store, KEY, "mine")


def change(text: str, into: str) -> Callable[[Path], object]:
    """Return what changes a text in every file of a folder where it stands."""

    def act(folder: Path) -> None:
        for path in folder.iterdir():
            content = path.read_bytes()
            if text.encode() in content:
                path.write_bytes(content.replace(text.encode(), into.encode(), 1))

    return act


DAMAGE: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "a mark": (change("[4, 4, 3", "[4, 4, 4"), f"{FILE} is not as it was exported; restore it"),
    "a reply": (change("made-up", "better"), "is not as it was exported"),
    "a file less": (lambda folder: (folder / FILE).unlink(), f"was written with {FILE} too; name the folder"),
    "another format": (change('"format": 1', '"format": 2'), "has the format 2 and this version reads 1"),
    "cut off": (
        lambda folder: os.truncate(folder / "sparkle_bench.json", 900),
        r"sparkle_bench.json cannot be read \(Unterminated|sparkle_bench.json cannot be read \(Expecting",
    ),
    "a field less": (change('"identity"', '"idenity"'), "is damaged .*judge.json has no usable field 'identity'"),
    "an edit of no sample": (
        change('"sample_id": "Spa', '"sample_id": "Spo'), "sparkle_bench.json is damaged at .*, Sporkle.*; export again",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_export_is_refused(
    act: Callable[[Path], object], message: str, store: Store, empty: Store, bench: Benchmark, tmp_path: Path
) -> None:
    put(store, "mine", WHOLE, bench)
    folder = export(store, "mine", tmp_path / "out").folder
    act(folder)
    with pytest.raises(StoreError, match=message) as refused:
        bring(empty, "mine", folder)
    assert "\n" not in str(refused.value)
    assert not empty.root.exists()


# -- the authors' own files ------------------------------------------------------------------------------------------


def line(sample: Sample, marks: tuple[int, ...], **fields: Any) -> str:
    """Return a line that the authors' script would have written for a reply with these raw marks."""
    capped = [cap(scores(*marks), RUBRIC)[key] for key in RUBRIC.keys]
    record = {
        "id": sample.id, "prompt": sample.instruction, "edit_type": sample.theme, "subtheme": sample.subtheme,
        "scene": sample.scene, "scores": capped, "result": verdict(*marks).replace("made-up", "自然な"),
    }  # fmt: skip
    return json.dumps({**record, **fields}, ensure_ascii=False)


def write_own(
    folder: Path, bench: Benchmark, marks: Mapping[str, tuple[int, ...]], judge: str = "gemini-2.5-pro"
) -> Path:
    """Write score files for the samples that have marks, as the authors' script leaves them, in no order."""
    folder.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        lines = [line(s, marks[s.id]) for s in bench.samples if s.theme == theme and s.id in marks]
        random.Random(theme).shuffle(lines)
        path = folder / f"{theme}_{judge}_sparkle_score.jsonl"
        path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return folder


def all_marks(bench: Benchmark, seed: int = 1) -> dict[str, tuple[int, ...]]:
    chance = random.Random(seed)
    return {s.id: tuple(chance.randint(1, 5) for _ in range(6)) for s in bench.samples}


def test_the_authors_own_files_stand_on_a_board(empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    marks = all_marks(bench)
    folder = write_own(tmp_path / "own", bench, marks)
    (folder / "location").mkdir()
    (folder / "notes.txt").write_text("videos lie beside", encoding="utf-8")
    key = adopt(empty, "kiwi", [folder], bench)
    assert key.startswith("gemini-2.5-pro-")
    found = entry(empty, key, "kiwi")
    assert (found.complete, found.scored) == (True, 8)
    assert found.overall.value == pytest.approx(found.scored_overall)
    assert b"unknown" in board(empty, key)
    for judgment in empty.judgments("kiwi", key).values():
        assert judgment.scores == scores(*marks[judgment.sample_id])  # raw, from the reply
    judge, run = empty.read_judge("kiwi", key), empty.read_run("kiwi")
    assert judge is not None
    assert run is not None
    assert judge["identity"] == {
        "judge": "imported", "model": "gemini-2.5-pro", "protocol": "authors", "prompt": "unknown",
    }  # fmt: skip
    assert (run["editor"]["name"], run["model"]) == ("imported", "kiwi")
    assert all(edit.unseen for edit in empty.edits("kiwi").values())


def test_a_sample_without_a_line_has_no_verdict(empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    marks = all_marks(bench)
    del marks[bench.samples[1].id]
    key = adopt(empty, "kiwi", [write_own(tmp_path / "own", bench, marks)], bench)
    found = entry(empty, key, "kiwi")
    assert (found.complete, found.scored, found.lacking, found.unattempted) == (False, 7, (bench.samples[1].id,), 0)
    assert found.overall.low < (found.scored_overall or 0) < found.overall.high
    table = (read_entry(empty, "kiwi", key).texts or {})["scores.csv"].decode()
    assert "no_verdict,True,the score file has no line for it" in table


def test_one_theme_leaves_the_others_unattempted_until_their_files_come(
    empty: Store, bench: Benchmark, tmp_path: Path
) -> None:
    folder = write_own(tmp_path / "own", bench, all_marks(bench))
    key = adopt(empty, "kiwi", [folder / FILE], bench)
    found = entry(empty, key, "kiwi")
    assert (found.scored, found.lacking, found.unattempted) == (2, (), 6)
    assert adopt(empty, "kiwi", [folder], bench) == key
    assert entry(empty, key, "kiwi").complete


def test_own_files_twice_change_nothing_and_a_changed_line_displaces_the_old(
    empty: Store, bench: Benchmark, tmp_path: Path
) -> None:
    marks = all_marks(bench)
    key = adopt(empty, "kiwi", [write_own(tmp_path / "own", bench, marks)], bench)
    before = tree(empty.root)
    adopt(empty, "kiwi", [tmp_path / "own"], bench)
    assert tree(empty.root) == before
    changed = {**marks, bench.samples[0].id: (5, 5, 5, 5, 5, 5)}
    adopt(empty, "kiwi", [write_own(tmp_path / "own", bench, changed)], bench)
    fresh = Store(root=tmp_path / "fresh")
    adopt(fresh, "kiwi", [tmp_path / "own"], bench)
    assert entry(empty, key, "kiwi") == entry(fresh, key, "kiwi")


def test_a_line_that_vanished_is_refused(empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    marks = all_marks(bench)
    adopt(empty, "kiwi", [write_own(tmp_path / "own", bench, marks)], bench)
    before = tree(empty.root)
    del marks[bench.samples[0].id]
    with pytest.raises(StoreError, match=f"no line for {bench.samples[0].id}, on which results/kiwi holds a verdict"):
        adopt(empty, "kiwi", [write_own(tmp_path / "own", bench, marks)], bench)
    assert tree(empty.root) == before


def test_a_second_judges_own_files_join_the_first(empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    one = adopt(empty, "kiwi", [write_own(tmp_path / "one", bench, all_marks(bench, 1))], bench)
    first = entry(empty, one, "kiwi")
    two = adopt(empty, "kiwi", [write_own(tmp_path / "two", bench, all_marks(bench, 2), judge="gpt-4o")], bench)
    assert empty.judge_keys("kiwi") == sorted([one, two])
    assert entry(empty, one, "kiwi") == first
    assert entry(empty, two, "kiwi").complete


def test_an_adopted_result_comes_back_too(empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    marks = all_marks(bench)
    del marks[bench.samples[3].id]
    key = adopt(empty, "kiwi", [write_own(tmp_path / "own", bench, marks)], bench)
    other = Store(root=tmp_path / "other")
    bring(other, "kiwi", export(empty, "kiwi", tmp_path / "out").folder)
    assert entry(other, key, "kiwi") == entry(empty, key, "kiwi")


def test_replies_that_cannot_be_read_and_other_instructions_are_said(
    empty: Store, bench: Benchmark, tmp_path: Path
) -> None:
    folder = write_own(tmp_path / "own", bench, all_marks(bench))
    first, second = (s for s in bench.samples if s.theme == "location")
    lines = [
        line(first, (4, 3, 5, 1, 2, 4), result="gone"),
        line(second, (3, 5, 3, 3, 3, 3), result=None, prompt="Else"),
    ]
    (folder / FILE).write_text("\n".join(lines), encoding="utf-8")
    key = adopt(empty, "kiwi", [folder], bench)
    found = {judgment.sample_id: judgment for judgment in empty.judgments("kiwi", key).values()}
    assert found[first.id].scores == scores(4, 3, 4, 1, 2, 4)
    assert found[first.id].failures == (
        "the reply cannot be read again: no mark for Instruction Compliance; the capped marks stand for the raw ones",
    )
    assert found[second.id].failures == ("the line has no reply; the capped marks stand for the raw ones",)
    judge = empty.read_judge("kiwi", key)
    assert judge is not None
    assert [note for note in judge["notes"] if note.startswith("location: ")] == [
        "location: 1 of 2 lines name another instruction than the benchmark's.",
        "location: 2 of 2 lines have no readable reply; their capped marks stand for the raw ones.",
    ]


def test_byte_order_marks_carriage_returns_blank_lines_and_whole_floats_are_read(
    empty: Store, bench: Benchmark, tmp_path: Path
) -> None:
    marks = all_marks(bench)
    plain = adopt(empty, "kiwi", [write_own(tmp_path / "own", bench, marks)], bench)
    for path in (tmp_path / "own").glob("*.jsonl"):
        text = path.read_text(encoding="utf-8").replace("\n", "\r\n \r\n").replace(", 1]", ", 1.0]")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\xef\xbb\xbf\r\n")
    before = empty.judgments("kiwi", plain)
    adopt(empty, "kiwi", [tmp_path / "own"], bench)
    assert empty.judgments("kiwi", plain) == before


def test_458_lines_are_read_in_no_time(empty: Store, tmp_path: Path) -> None:
    samples = tuple(
        Sample(
            id=f"Sparkle_{theme}_{number:06d}", benchmark="sparkle", theme=theme, subtheme="beach", scene="calm sea",
            instruction="海辺へ。", source=f"source_videos/{theme}/{number}.mp4", sha256=f"{number:064d}",
        )
        for number, theme in ((n, THEMES[n % 4]) for n in range(458))
    )  # fmt: skip
    whole = Benchmark(name="sparkle", samples=samples)
    folder = write_own(tmp_path / "own", whole, all_marks(whole))
    assert sum(len(file.lines) for file in read_authors([folder])) == 458
    key = adopt(empty, "kiwi", [folder], whole)
    assert entry(empty, key, "kiwi").scored == 458


Lines = Callable[[Sample, Sample], str]
GOOD = (4, 3, 5, 1, 2, 4)
BAD: Mapping[str, tuple[Lines, str]] = {
    "no JSON": (lambda a, b: f"{line(a, GOOD)}\n{{oops\n", "line 2 is no JSON: Expecting property name"),
    "cut off": (lambda a, b: line(a, GOOD)[:-9], "line 1 is no JSON: Unterminated string"),
    "no object": (lambda a, b: "[4, 3]\n", "line 1 is no JSON object with id, scores and result"),
    "no id": (lambda a, b: line(a, GOOD, id=7), "line 1 has no id"),
    "no scores": (lambda a, b: line(a, GOOD, scores=None), "line 1: 'Sparkle_location_.*' has no list of scores"),
    "unknown id": (
        lambda a, b: line(a, GOOD, id=f"{a.id}9"), "line 1: no sample 'Sparkle_.*9' in this benchmark; did you mean Sparkle_",
    ),
    "an id twice": (lambda a, b: f"{line(a, GOOD)}\n\n{line(a, GOOD)}", "line 3: 'Spa.*' stands already in .* line 1"),
    "another edit_type": (
        lambda a, b: line(a, GOOD, edit_type="time"), "is of the theme 'location', but the line's edit_type says 'time'",
    ),
    "no edit_type": (lambda a, b: line(a, GOOD, edit_type=None), "but the line's edit_type says nothing"),
    "another theme's file": (lambda a, b: line(b, GOOD), "is of the theme 'season', but the file's name says 'location'"),
    "half a mark": (lambda a, b: line(a, GOOD, scores=[4, 3.5, 4, 1, 2, 4]), "has the mark 3.5, which is no whole number"),
    "a mark in words": (lambda a, b: line(a, GOOD, scores=["4", 3, 4, 1, 2, 4]), 'has the mark "4", which is no whole'),
    "true": (lambda a, b: line(a, GOOD, scores=[True] * 6), "has the mark true, which is no whole number"),
    "not a number": (lambda a, b: line(a, GOOD, scores=[float("nan")] * 6), "has the mark NaN, which is no whole"),
    "five marks": (lambda a, b: line(a, GOOD, scores=[4, 3, 4, 1, 2]), "has 5 scores, not 6"),
    "a mark of 0": (
        lambda a, b: line(a, GOOD, scores=[4, 3, 4, 0, 2, 4]), "Foreground Motion Consistency: 0 is outside 1 to 5",
    ),
    "above the cap": (
        lambda a, b: line(a, GOOD, scores=[4, 3, 5, 1, 2, 4]),
        r"scores above that for Instruction Compliance, which caps .*\[4, 3, 5",
    ),
    "not those of the reply": (
        lambda a, b: line(a, GOOD, scores=[4, 3, 4, 1, 2, 3]),
        r"are \[4, 3, 4, 1, 2, 3\], but its reply says \[4, 3, 4, 1, 2, 4\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "message"), BAD.values(), ids=BAD)
def test_a_bad_line_is_refused_in_one_line_before_anything_is_written(
    lines: Lines, message: str, empty: Store, bench: Benchmark, tmp_path: Path
) -> None:
    folder = write_own(tmp_path / "own", bench, all_marks(bench))
    first = next(s for s in bench.samples if s.theme == "location")
    other = next(s for s in bench.samples if s.theme == "season")
    (folder / FILE).write_text(lines(first, other), encoding="utf-8")
    if "the file's name" in message:  # else the id would stand twice
        (folder / FILE.replace("location", "season")).unlink()
    with pytest.raises(SparkleError, match=f"{FILE} line \\d.*{message}|{FILE} {message}") as refused:
        adopt(empty, "kiwi", [folder], bench)
    assert "\n" not in str(refused.value)
    assert not empty.root.exists()


def test_latin_1_is_refused(empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(line(bench.samples[0], GOOD, result="café").encode("latin-1"))
    with pytest.raises(StoreError, match="line 1 is no JSON: 'utf-8' codec can't decode"):
        read_authors([tmp_path / FILE])


def test_a_folder_without_score_files_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"no score files in .*; expected \{theme\}_\{judge\}_sparkle_score.jsonl, found nothing"
    ):
        read_authors([tmp_path])
    (tmp_path / "location_bench.csv").touch()
    with pytest.raises(StoreError, match=r"expected .*, found location_bench.csv"):
        read_authors([tmp_path])
    with pytest.raises(StoreError, match=r"location_bench.csv is no score file by its name; expected"):
        read_authors([tmp_path / "location_bench.csv"])


def test_files_of_two_judges_are_refused_until_one_is_named(bench: Benchmark, tmp_path: Path) -> None:
    write_own(tmp_path, bench, all_marks(bench))
    write_own(tmp_path, bench, all_marks(bench), judge="gpt-4o")
    with pytest.raises(StoreError, match=r"of 2 judges, gemini-2.5-pro, gpt-4o; name the files of one"):
        read_authors([tmp_path])
    assert len(read_authors([*tmp_path.glob("*_gpt-4o_*")])) == 4
    assert len(read_authors([tmp_path / FILE, tmp_path / FILE])) == 1


def test_a_link_is_read_under_its_own_name(bench: Benchmark, tmp_path: Path) -> None:
    write_own(tmp_path / "own", bench, all_marks(bench))
    (tmp_path / "own" / FILE).rename(tmp_path / "blob")
    (tmp_path / "own" / FILE).symlink_to(tmp_path / "blob")
    assert sorted(file.theme for file in read_authors([tmp_path / "own"])) == sorted(THEMES)


def test_a_theme_twice_and_an_unknown_theme_are_refused(empty: Store, bench: Benchmark, tmp_path: Path) -> None:
    folders = [write_own(tmp_path / name, bench, all_marks(bench)) for name in ("one", "two")]
    with pytest.raises(StoreError, match="are both of the theme location; name one"):
        read_authors([folder / FILE for folder in folders])
    (folders[0] / FILE).rename(folders[0] / FILE.replace("location", "locatoin"))
    with pytest.raises(StoreError, match="no theme 'locatoin' in this benchmark; did you mean location"):
        adopt(empty, "kiwi", [folders[0]], bench)


def test_a_name_that_another_result_has_is_refused(store: Store, bench: Benchmark, tmp_path: Path) -> None:
    put(store, "mine", MIXED, bench)
    put(store, "other", replace(MIXED, key=OTHER_KEY), bench)
    run = dict(store.read_run("other") or {})
    store.write_run("other", {**run, "date": "2026-05-05T00:00:00+00:00"}, bench.samples)
    folder = export(store, "mine", tmp_path / "out").folder
    own = write_own(tmp_path / "own", bench, all_marks(bench))
    before = tree(store.root)
    with pytest.raises(StoreError, match="results/mine is another result, made by command; use another --name"):
        adopt(store, "mine", [own], bench)
    with pytest.raises(StoreError, match="results/other is another result"):
        bring(store, "other", folder)
    with pytest.raises(StoreError, match="'a/b' cannot name a result"):
        bring(store, "a/b", folder)
    smaller = Benchmark(name="sparkle", samples=bench.samples[:4])
    adopt(store, "kiwi", [own], bench)
    kept = [path for path in own.iterdir() if path.name.startswith(("location", "season"))]
    with pytest.raises(StoreError, match="results/kiwi belongs to another version of the benchmark"):
        adopt(store, "kiwi", kept, smaller)
    assert {name: content for name, content in tree(store.root).items() if "kiwi" not in name} == before


# -- the commands ----------------------------------------------------------------------------------------------------


def invoke(command: Any, *words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_the_commands_carry_a_judged_result_from_one_root_to_another(tmp_path: Path) -> None:
    here, there, out = tmp_path / "here", tmp_path / "there", tmp_path / "out"
    write_benchmark(here / "data" / "Sparkle-Bench", samples_per_theme=1)
    answers = [Answer(text=verdict(3, 5, 4, 1, 2, 3)), Answer(text=verdict(5, 4, 4, 4, 4, 4))]
    with serving(FakeJudge(answer=lambda body: answers[len(json.dumps(body)) % 2])) as fake:
        words = ("eval", "--model", "identity", "--judge-url", fake.url)
        assert cli.run(*words, cwd=here).returncode == 0
    exported = invoke(export_command, "identity", "--root", here, "--out", out, "--json")
    assert exported.exit_code == 0, exported.output
    said = json.loads(exported.stdout)
    assert (said["scored"], said["of"], len(said["files"])) == (4, 4, 4)
    imported = invoke(import_command, out, "--name", "identity", "--root", there, "--json")
    assert imported.exit_code == 0, imported.output
    assert json.loads(imported.stdout)["rank"] == 1
    where = f"leaderboards/sparkle/{said['judge_key']}/leaderboard.csv"
    row = (here / where).read_bytes()
    assert (there / where).read_bytes() == row.replace(b"judged here", b"self-reported")
    shown = cli.run("show", "identity", "Sparkle_time_000001", "--root", there, cwd=there)
    assert "edit: not here; only verdicts on it were handed in" in shown.stdout
    assert "Instruction Compliance" in shown.stdout


def test_the_commands_take_the_authors_own_files(mini: Path, bench: Benchmark, tmp_path: Path) -> None:
    marks = all_marks(bench)
    del marks[bench.samples[0].id]
    own = write_own(tmp_path / "own", bench, marks)
    done = invoke(import_command, own, "--name", "kiwi", "--bench", mini, "--root", tmp_path)
    assert done.exit_code == 0, done.output
    assert "scored 7 of 8" in done.stdout
    assert "incomplete: 1 without verdict" in done.stdout
    assert "note: Imported from score files" in done.stderr
    nowhere = invoke(import_command, own, "--name", "kiwi", "--bench", tmp_path / "no", "--root", tmp_path)
    assert (nowhere.exit_code, nowhere.stderr.count("\n")) == (1, 1)
    assert "no benchmark folder" in nowhere.stderr
