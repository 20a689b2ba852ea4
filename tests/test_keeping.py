"""A repository of boards: an honest one passes; every tampering and every mistake is named; nothing in it is changed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.judges import probe
from sparkle_bench.leaderboard import rebuild
from sparkle_bench.records import Edit, Measurement, to_json
from sparkle_bench.signals import VERSION, to_data
from sparkle_bench.store import Store
from sparkle_bench.verification.keeping import CheckedBoards, check
from tests import cli, makers
from tests.conftest import DemoRun
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.made_signals import made
from tests.road import Road

REPLIES = [
    verdict(5, 4, 4, 5, 4, 4).replace("a made-up verdict", "the vineyard is there and its rows rustle in the light"),
    verdict(4, 3, 3, 4, 5, 4).replace("a made-up verdict", "waves break on the shore, the subject has a halo"),
    verdict(2, 4, 5, 5, 2, 3).replace("a made-up verdict", "only half of the falling leaves fall"),
    verdict(3, 3, 4, 4, 3, 3).replace("a made-up verdict", "mist rolls over the terrain at dawn, softly"),
]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models judged by one judge, one of them by a second judge too, with signals and boards; without videos."""
    root = tmp_path_factory.mktemp("kept")
    makers.write_benchmark(root / "bench", samples_per_theme=1)
    road = Road(root)
    with ExitStack() as stack:
        fake = stack.enter_context(serving(FakeJudge()))
        fake.answer = lambda body: Answer(text=REPLIES[len(fake.requests) % len(REPLIES)])
        judge = road.connected(stack, fake)
        for name in ("first", "second"):
            road.judge(judge, name=name)
        road.judge(road.connected(stack, fake, options=probe.Options(frames=4)), name="first")
    for edit in road.store.edits("first").values():
        measured = made(change={"source_again": True, "how": "the same pictures"})
        road.store.append_measurement("first", _measurement(edit, to_data(measured)))
    rebuild(road.store)
    for model in ("first", "second"):
        shutil.rmtree(road.store.model_dir(model) / "videos")
        shutil.rmtree(road.store.model_dir(model) / ".locks")
    return root


def _measurement(edit: Edit, signals: dict[str, Any]) -> Measurement:
    return Measurement(sample_id=edit.sample_id, edit_sha256=edit.sha256 or "", version=VERSION, signals=signals)


@pytest.fixture
def kept(made_once: Path, tmp_path: Path) -> Store:
    """An honest repository of one's own."""
    for name in ("results", "leaderboards"):
        shutil.copytree(
            made_once / name, tmp_path / name, ignore=shutil.ignore_patterns(".cache", ".boards.lock", ".locks", "page")
        )
    return Store(root=tmp_path)


@pytest.fixture
def repository(kept: Store) -> Store:
    """The same in git, with all of it committed."""
    git(kept, "init", "-q")
    git(kept, "add", "-A")
    return kept


def git(kept: Store, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words]
    return subprocess.run(command, cwd=kept.root, check=True, capture_output=True, text=True, timeout=60).stdout


def names(found: CheckedBoards) -> list[str]:
    """All differences, in one list."""
    kept = [wrong for each in (*found.entries, *found.boards) for wrong in each.differences]
    return [f"{wrong.where}: {wrong.what}" for wrong in (*kept, *found.others)]


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time of the last change and content of every file and folder."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def boards(kept: Store) -> list[Path]:
    """The folders of both boards; the first has two models."""
    found = [page.parent for page in kept.root.glob("leaderboards/*/*/leaderboard.json")]
    return sorted(found, key=lambda folder: -len(json.loads((folder / "leaderboard.json").read_bytes())["rows"]))


def key_of_both(kept: Store) -> str:
    return boards(kept)[0].name


def judged(kept: Store, model: str) -> Path:
    return kept.judged_dir(model, key_of_both(kept))


def edited(path: Path, old: str, new: str, *, count: int = 1) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, count), encoding="utf-8")


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), encoding="utf-8")


# -- an honest repository ----------------------------------------------------------------------------------------------


def test_an_honest_repository_passes_and_nothing_in_it_is_touched(repository: Store) -> None:
    before = everything(repository.root)
    found = check(repository)
    assert names(found) == []
    assert found.ok
    assert [entry.name for entry in found.entries] == ["results/first", "results/second"]
    assert [board.name for board in found.boards] == sorted(
        f"leaderboards/sparkle/{b.name}" for b in boards(repository)
    )
    assert everything(repository.root) == before
    assert [line for line in found.lines() if line.endswith(": ok")] == [
        f"{each.name}: ok" for each in (*found.entries, *found.boards)
    ]


def test_the_made_up_repository_has_what_the_other_tests_tamper_with(kept: Store) -> None:
    assert (judged(kept, "first") / "flags.csv").read_text().count("source_again") > 0
    assert len(boards(kept)) == 2
    assert not list(kept.root.glob("results/*/videos"))


def test_a_read_only_checkout_is_checked_too(kept: Store) -> None:
    paths = [kept.root, *kept.root.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert check(kept).ok
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_what_lies_there_but_not_in_git_does_not_count(made_once: Path, repository: Store) -> None:
    (repository.root / ".gitignore").write_text(
        "results/*/videos/\n.locks/\n.cache/\n.boards.lock\nleaderboards/*/*/page/\n"
    )
    for model in ("first", "second"):
        for edit in repository.edits(model).values():
            source = made_once / "bench" / next(s.source for s in repository.samples(model) if s.id == edit.sample_id)
            target = repository.model_dir(model) / str(edit.video)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    rebuild(repository)
    assert (repository.root / "results" / ".boards.lock").exists()
    found = check(repository)
    assert names(found) == []
    assert any("results/first/videos" in note and "not kept in git" in note for note in found.notes)


def test_readmes_and_git_s_own_files_belong_into_both_folders(kept: Store) -> None:
    for top in kept.kept():
        for name in ("README.md", ".gitignore", ".gitattributes"):
            (top / name).write_text("about\n")
    assert names(check(kept)) == []


def test_with_the_benchmark_at_hand_its_samples_are_compared(made_once: Path, kept: Store) -> None:
    from sparkle_bench import benchmark

    bench = benchmark.load(made_once / "bench")
    assert names(check(kept, benchmark=bench)) == []
    makers.write_benchmark(kept.root / "other", samples_per_theme=1, frames=11)
    assert any("first" in name for name in names(check(kept, benchmark=benchmark.load(kept.root / "other"))))


@pytest.mark.parametrize("there", ["README.md", None], ids=["with a README", "empty"])
def test_a_repository_without_entries_passes(tmp_path: Path, there: str | None) -> None:
    (tmp_path / "leaderboards").mkdir()
    if there:
        (tmp_path / "leaderboards" / there).write_text("how to enter\n")
    found = check(Store(root=tmp_path))
    assert found.ok
    assert found.entries == found.boards == ()
    assert found.lines()[-1].startswith("0 entries, 0 boards")


# -- tampering and mistakes, each named --------------------------------------------------------------------------------


def edit_a_cell(kept: Store) -> None:
    edited(boards(kept)[0] / "leaderboard.csv", ",second,", ",second,5.0000", count=1)


def raise_a_mark_in_the_json(kept: Store) -> None:
    page = boards(kept)[0] / "leaderboard.json"
    data = json.loads(page.read_text())
    row = next(row for row in data["rows"] if row["model"] == "second")
    row["instruction"] = 4.9
    page.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def leave_a_board_over(kept: Store) -> None:
    shutil.rmtree(kept.judged_dir("first", boards(kept)[1].name))


def remove_a_board(kept: Store) -> None:
    shutil.rmtree(boards(kept)[1])


def remove_a_figure(kept: Store) -> None:
    (boards(kept)[0] / "figures" / "radar.png").unlink()


def replace_a_figure(kept: Store) -> None:
    (boards(kept)[0] / "figures" / "radar.png").write_text("not a picture")


def script_in_a_figure(kept: Store) -> None:
    edited(boards(kept)[0] / "figures" / "radar.svg", "</svg>", "<script>alert(1)</script></svg>")


def remove_a_result(kept: Store) -> None:
    shutil.rmtree(kept.model_dir("second"))


def edit_the_page(kept: Store) -> None:
    edited(boards(kept)[0] / "index.html", "<h1>", "<h1>The best: ")


def edit_the_markdown(kept: Store) -> None:
    edited(boards(kept)[0] / "leaderboard.md", "| 1 | ", "| 1 | the great ")


def edit_the_index(kept: Store) -> None:
    edited(kept.boards_index(), "</body>", "<p>more</p></body>")


def remove_the_index(kept: Store) -> None:
    kept.boards_index().unlink()


def a_file_in_a_board(kept: Store) -> None:
    (boards(kept)[0] / "notes.txt").write_text("look")


def a_file_beside_the_boards(kept: Store) -> None:
    (kept.root / "leaderboards" / "script.js").write_text("look")


def a_file_in_a_result(kept: Store) -> None:
    (kept.model_dir("second") / "setup.py").write_text("print()")


def a_folder_in_a_result(kept: Store) -> None:
    (kept.model_dir("second") / "weights").mkdir()
    (kept.model_dir("second") / "weights" / "w.bin").write_bytes(b"0")


def a_link_for_a_file(kept: Store) -> None:
    path = judged(kept, "second") / "judgments.jsonl"
    path.unlink()
    path.symlink_to("/dev/zero")


def a_link_for_a_result(kept: Store) -> None:
    (kept.root / "results" / "third").symlink_to(kept.model_dir("first"))


def a_link_inside(kept: Store) -> None:
    (kept.model_dir("second") / "signals.jsonl").symlink_to("../first/signals.jsonl")


def a_pipe(kept: Store) -> None:
    os.mkfifo(kept.model_dir("second") / "signals.jsonl")


def an_executable(kept: Store) -> None:
    (kept.model_dir("second") / "edits.jsonl").chmod(0o755)


def names_that_differ_in_case(kept: Store) -> None:
    shutil.copytree(kept.model_dir("second"), kept.model_dir("Second"))
    rebuild(kept)


def a_huge_file(kept: Store) -> None:
    with (kept.model_dir("second") / "signals.jsonl").open("wb") as file:
        file.truncate(60_000_000)


def _a_reply(kept: Store, text: str) -> None:
    path = judged(kept, "second") / "judgments.jsonl"
    lines = lines_of(path)
    lines[0]["reply"] = text + "\n" + lines[0]["reply"]
    write_lines(path, lines)


def a_key_in_a_reply(kept: Store) -> None:
    _a_reply(kept, "my key is " + "sk-" + "a1B2" * 8)


def a_home_in_a_reply(kept: Store) -> None:
    _a_reply(kept, "read from /home/alice/videos/x.mp4")


def a_windows_home_in_run_json(kept: Store) -> None:
    path = kept.model_dir("second") / "run.json"
    run = json.loads(path.read_text())
    run["editor"]["options"] = {"path": r"C:\Users\alice\videos"}
    path.write_text(json.dumps(run, indent=2) + "\n")
    rebuild(kept)


def swapped_replies(kept: Store) -> None:
    path = judged(kept, "second") / "judgments.jsonl"
    lines = lines_of(path)
    lines[0]["reply"], lines[1]["reply"] = lines[1]["reply"], lines[0]["reply"]
    write_lines(path, lines)


def raised_marks(kept: Store) -> None:
    path = judged(kept, "second") / "judgments.jsonl"
    lines = lines_of(path)
    for line in lines:
        line["scores"] = dict.fromkeys(line["scores"], 5)
    write_lines(path, lines)
    rebuild(kept)


def a_deleted_verdict(kept: Store) -> None:
    path = judged(kept, "second") / "judgments.jsonl"
    write_lines(path, lines_of(path)[1:])


def removed_scores(kept: Store) -> None:
    (judged(kept, "second") / "scores.csv").unlink()


def edited_scores(kept: Store) -> None:
    path = judged(kept, "second") / "scores.csv"
    head, first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(head + first.replace("scored", "no_edit") + "".join(rest))


def commas_for_scores(kept: Store) -> None:
    (judged(kept, "second") / "scores.csv").write_bytes(b"," * 3_000_000)


def edited_flags(kept: Store) -> None:
    path = judged(kept, "first") / "flags.csv"
    path.write_text(path.read_text().splitlines(keepends=True)[0])


def flags_without_signals(kept: Store) -> None:
    (judged(kept, "second") / "flags.csv").write_text("sample_id,repeat,name,why\n")


def windows_line_ends(kept: Store) -> None:
    path = boards(kept)[0] / "leaderboard.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def a_newer_version_s_field(kept: Store) -> None:
    path = judged(kept, "second") / "judgments.jsonl"
    write_lines(path, [{**line, "confidence": 0.5} for line in lines_of(path)])


def no_judge(kept: Store) -> None:
    shutil.rmtree(kept.model_dir("second") / "judged")
    rebuild(kept)


def no_run(kept: Store) -> None:
    (kept.model_dir("second") / "run.json").unlink()
    rebuild(kept)


def a_torn_line(kept: Store) -> None:
    path = judged(kept, "second") / "judgments.jsonl"
    path.write_bytes(path.read_bytes()[:-1])


def rubbish_in_a_document(kept: Store) -> None:
    (judged(kept, "second") / "judge.json").write_bytes(b"\xff\x00{{")


def rubbish_in_records(kept: Store) -> None:
    (kept.model_dir("second") / "edits.jsonl").write_bytes(os.urandom(3000) + b"\n")


def rubbish_on_a_board(kept: Store) -> None:
    (boards(kept)[0] / "leaderboard.json").write_bytes(b"[" * 100_000)


def endless_repeats(kept: Store) -> None:
    path = judged(kept, "second") / "judge.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "repeats": 10**12}))


TAMPERED: dict[Callable[[Store], None], list[str]] = {
    edit_a_cell: ["leaderboard.csv: second: overall is 5.0000", "rebuilt "],
    raise_a_mark_in_the_json: ["leaderboard.json: second: instruction is 4.9, rebuilt "],
    leave_a_board_over: ["has no result any more"],
    remove_a_board: ["is missing; run `sparkle-bench leaderboard`"],
    remove_a_figure: ["figures/radar.png: is missing"],
    replace_a_figure: ["figures/radar.png: is no figure"],
    script_in_a_figure: ["figures/radar.svg: holds a script"],
    remove_a_result: [
        "leaderboard.csv: has a row of second, which the evidence does not give",
        "leaderboard.json: has a row of",
    ],
    edit_the_page: ["index.html: line ", "The best: "],
    edit_the_markdown: ["leaderboard.md: line ", "the great"],
    edit_the_index: ["leaderboards/index.html: line ", "more"],
    remove_the_index: ["leaderboards/index.html: is missing"],
    a_file_in_a_board: ["notes.txt: nobody writes it"],
    a_file_beside_the_boards: ["leaderboards/script.js: nobody writes it"],
    a_file_in_a_result: ["results/second/setup.py: does not belong here"],
    a_folder_in_a_result: ["results/second/weights: does not belong here"],
    a_link_for_a_file: ["judgments.jsonl: is a link", "is not compared, for results/second"],
    a_link_for_a_result: ["results/third: is a link"],
    a_link_inside: ["results/second/signals.jsonl: is a link"],
    a_pipe: ["results/second/signals.jsonl: is no plain file"],
    an_executable: ["results/second/edits.jsonl: is executable"],
    names_that_differ_in_case: ["results/second: differs from Second only in letter case"],
    a_huge_file: ["results/second/signals.jsonl: has 60 MB"],
    a_key_in_a_reply: ["judgments.jsonl:1: holds what looks like a key"],
    a_home_in_a_reply: ["judgments.jsonl:1: names a folder of some machine, /home/alice"],
    a_windows_home_in_run_json: ["results/second/run.json: names a folder of some machine"],
    swapped_replies: ["judgments.jsonl"],
    raised_marks: ["judgments.jsonl"],
    a_deleted_verdict: ["leaderboard.csv: second: "],
    removed_scores: ["scores.csv: is missing"],
    edited_scores: ["scores.csv: Sparkle_", " 0: status is no_edit, rebuilt scored"],
    commas_for_scores: ["scores.csv: has 3000000 bytes, rebuilt "],
    edited_flags: ["flags.csv: lacks the row of Sparkle_", " 0 source_again; lacks the row of "],
    flags_without_signals: ["flags.csv: speaks of signals, but there are none"],
    windows_line_ends: ["leaderboard.csv: has line ends of Windows"],
    a_newer_version_s_field: [
        "judgments.jsonl:1: has the unknown field 'confidence'; another version of sparkle-bench wrote it",
        "is not compared, for results/second cannot be scored",
    ],
    no_judge: ["results/second: has no verdicts of any judge"],
    no_run: ["results/second: has no run.json"],
    a_torn_line: ["judgments.jsonl", "cut off"],
    rubbish_in_a_document: ["judge.json"],
    rubbish_in_records: ["results/second/edits.jsonl"],
    rubbish_on_a_board: ["leaderboard.json: cannot be read as what it should be"],
    endless_repeats: ["results/second", "1000000000000 repeats"],
}  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
def test_what_is_wrong_is_named_and_nothing_is_changed(kept: Store, tamper: Callable[[Store], None]) -> None:
    tamper(kept)
    before = everything(kept.root) if tamper is not a_link_for_a_file else None
    found = check(kept)
    said = "\n".join(names(found))
    assert not found.ok
    assert [part for part in TAMPERED[tamper] if part not in said] == [], said
    assert before is None or everything(kept.root) == before


@pytest.mark.parametrize(
    "tamper", [edit_a_cell, a_file_in_a_result, a_key_in_a_reply, removed_scores, no_judge], ids=lambda t: t.__name__
)
def test_an_entry_that_is_not_concerned_stays_ok(kept: Store, tamper: Callable[[Store], None]) -> None:
    tamper(kept)
    assert next(entry for entry in check(kept).entries if entry.name == "results/first").ok


def test_a_board_that_was_not_rebuilt_after_a_result_changed_is_stale(kept: Store) -> None:
    edit = Edit(sample_id=kept.samples("second")[0].id, error="out of memory", error_type="RuntimeError")
    path = kept.model_dir("second") / "edits.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(to_json(edit)) + "\n")
    found = names(check(kept))
    assert any("leaderboard.csv: second: overall is 3.2" in name for name in found), found
    rebuild(kept)
    shutil.rmtree(kept.model_dir("second") / ".locks", ignore_errors=True)
    assert names(check(kept)) == []


def test_a_missing_board_is_one_difference_not_one_a_file(kept: Store) -> None:
    gone = boards(kept)[1]
    shutil.rmtree(gone)
    (name,) = names(check(kept))
    assert name.startswith(f"leaderboards/sparkle/{gone.name}: is missing")


def test_an_index_of_boards_that_are_gone_is_left_over(kept: Store) -> None:
    shutil.rmtree(kept.root / "results")
    shutil.rmtree(kept.root / "leaderboards" / "sparkle")
    why = "is not written from what is here; remove it"
    assert sorted(names(check(kept))) == [f"leaderboards/index.{kind}: {why}" for kind in ("html", "json", "md")]


def test_what_the_demo_leaves_passes_with_its_videos_in_place(demo_run: DemoRun) -> None:
    found = check(Store(root=demo_run.root))
    assert names(found) == []
    assert len(found.entries) == 8


def test_rules_that_a_link_leads_to_are_not_opened(kept: Store) -> None:
    rules = kept.root / "prompts" / "sparkle" / "signals.toml"
    rules.parent.mkdir(parents=True)
    rules.symlink_to("/etc/hostname")
    found = check(kept)
    assert [entry.differences[0].what for entry in found.entries] == [
        "cannot be scored: prompts/sparkle/signals.toml is not read"
    ] * 2


def test_a_difference_is_named_once(kept: Store) -> None:
    edited_scores(kept)
    found = names(check(kept))
    assert len([name for name in found if "scores.csv" in name]) == 1


# -- git ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["videos/time/a_edited.mp4", ".locks/start.lock"])
def test_what_must_not_be_in_git_is_named_when_it_is(repository: Store, name: str) -> None:
    path = repository.model_dir("first") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"0")
    assert not any("is in git" in found for found in names(check(repository)))
    git(repository, "add", "-f", ".")
    assert any(f"results/first/{name.split('/')[0]}: is in git" in found for found in names(check(repository)))


def test_git_s_modes_count_where_the_file_system_has_none(repository: Store) -> None:
    path = repository.model_dir("first") / "edits.jsonl"
    path.chmod(0o777)
    assert names(check(repository)) == [], "a file system that marks everything executable"
    git(repository, "update-index", "--chmod=+x", "results/first/edits.jsonl")
    assert any("edits.jsonl: is executable" in name for name in names(check(repository)))


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_prints_a_line_an_entry_and_ends_with_0(kept: Store) -> None:
    done = cli.run("check", cwd=kept.root)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  sign: ")]
    assert lines[:2] == ["results/first: ok", "results/second: ok"]
    assert done.stderr == ""


def test_the_command_ends_with_1_and_names_the_difference(kept: Store) -> None:
    removed_scores(kept)
    edit_the_page(kept)
    done = cli.run("check", "--root", kept.root, cwd=kept.root.parent)
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if not line.startswith("  sign: ")]
    assert lines[0] == "results/first: ok"
    assert lines[1].startswith("results/second: judged/")
    assert "index.html" in done.stdout
    assert lines[-1].endswith("2 differences")


def test_the_command_speaks_to_machines(kept: Store) -> None:
    removed_scores(kept)
    done = cli.run("check", "--json", cwd=kept.root)
    data = json.loads(done.stdout)
    assert done.returncode == 1
    assert data["ok"] is False
    assert {entry["name"]: entry["ok"] for entry in data["entries"]} == {"results/first": True, "results/second": False}
    assert all(board["ok"] for board in data["boards"])


def test_the_wrong_folder_is_an_error_of_one_line(tmp_path: Path) -> None:
    done = cli.run("check", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "--root" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_hostile_text_stays_on_its_line(kept: Store) -> None:
    path = boards(kept)[0] / "leaderboard.csv"
    path.write_text(path.read_text().replace("second", '"x\n::error::\x1b[2J"'))
    found = check(kept)
    assert all(line.isprintable() for line in found.lines())
    assert not any(line.strip().startswith("::") for line in found.lines())


# -- the README --------------------------------------------------------------------------------------------------------


def readme_blocks(language: str) -> Iterator[str]:
    text = (Path(__file__).parent.parent / "leaderboards" / "README.md").read_text(encoding="utf-8")
    for part in text.split("```")[1::2]:
        head, _line, body = part.partition("\n")
        if head == language:
            yield body


def test_a_clone_of_a_repository_with_the_readme_s_git_files_passes(kept: Store) -> None:
    (kept.root / ".gitignore").write_text(next(readme_blocks("gitignore")), encoding="utf-8")
    rebuild(kept)
    (kept.root / ".gitattributes").write_text(next(readme_blocks("gitattributes")), encoding="utf-8")
    for name in ("videos/time/a.mp4", ".locks/start.lock"):
        path = kept.model_dir("first") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0")
    git(kept, "init", "-q")
    git(kept, "config", "core.autocrlf", "true")
    git(kept, "add", "-A")
    git(kept, "commit", "-q", "-m", "entries")
    clone = Store(root=kept.root / "clone")
    git(kept, "-c", "core.autocrlf=true", "clone", "-q", ".", "clone")
    assert names(check(clone)) == []
    assert not [path for path in git(kept, "ls-files").splitlines() if "videos" in path or "lock" in path]


def test_every_command_of_the_readme_exists() -> None:
    from click.testing import CliRunner

    from sparkle_bench.cli import cli as group

    lines = [line.split() for block in readme_blocks("sh") for line in block.splitlines()]
    words = [line for line in lines if line and line[0] == "sparkle-bench"]
    assert {line[1] for line in words} >= {"judge", "leaderboard", "check", "validate", "verify"}
    for line in words:
        asked = CliRunner().invoke(group, [line[1], "--help"])
        assert asked.exit_code == 0, line
        options = [word for word in line if word.startswith("--")]
        assert [option for option in options if option not in asked.output] == [], line
