"""Handing in videos from the command line: validate, pack, and judging what was packed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark
from tests import cli
from tests.fake_judge import Answer, FakeJudge, serving
from tests.makers import write_benchmark, write_clip, write_edits

CARD = '[model]\nname = "Kiwi"\nparameters = "14B"\n\n[inputs]\nmasks = true\n'


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("bench") / "bench", samples_per_theme=1)


@pytest.fixture
def videos(bench: Path, tmp_path: Path) -> Path:
    return write_edits(tmp_path / "my-videos", benchmark.load(bench).samples, frames=12, fps=16.0)


@pytest.fixture
def fake() -> Iterator[FakeJudge]:
    with serving(FakeJudge()) as judge:
        yield judge


def of_time(videos: Path) -> Path:
    return next(videos.rglob("Sparkle_time_000001_edited.mp4"))


# -- validate --------------------------------------------------------------------------------------------------------


def rename(videos: Path) -> None:
    of_time(videos).rename(videos / "Sparkle_time_1_edit.MP4")


def cut(videos: Path) -> None:
    whole = of_time(videos).read_bytes()
    of_time(videos).write_bytes(whole[: len(whole) // 2])


def remove_all(videos: Path) -> None:
    shutil.rmtree(videos)
    write_clip(videos / "clip.mp4")


def empty_all(videos: Path) -> None:
    for file in videos.rglob("*.mp4"):
        file.write_bytes(b"")


def bad_card(videos: Path) -> None:
    (videos / "submission.toml").write_text("[model]\nnmae = 'x'\n", encoding="utf-8")


OUTCOMES: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "all there": (lambda videos: None, 0, "4 samples: 4 fine"),
    "a near miss": (rename, 3, "Sparkle_time_1_edit.MP4"),
    "a missing one": (lambda videos: of_time(videos).unlink(), 3, "1 missing"),
    "one cut off": (cut, 3, "1 unusable"),
    "a bad card": (bad_card, 3, "nmae"),
    "nothing that matches": (remove_all, 1, "none of the 4 samples has a video"),
    "nothing that can be read": (empty_all, 1, "4 unusable"),
}


@pytest.mark.parametrize(("spoil", "code", "says"), OUTCOMES.values(), ids=OUTCOMES)
def test_the_exit_code_tells_whether_it_is_complete(
    spoil: Callable[[Path], object], code: int, says: str, bench: Path, videos: Path, tmp_path: Path
) -> None:
    spoil(videos)
    done = cli.run("validate", videos, "--bench", bench, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my-videos"]


def test_near_misses_are_linked_and_count_from_then_on(bench: Path, videos: Path, tmp_path: Path) -> None:
    rename(videos)
    done = cli.run("validate", videos, "--bench", bench, "--fix", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "_edited.mp4 -> Sparkle_time_1_edit.MP4" in done.stderr
    assert of_time(videos).is_symlink()
    assert (videos / "Sparkle_time_1_edit.MP4").is_file()
    assert "left alone" not in done.stdout
    again = cli.run("validate", videos, "--bench", bench, "--fix", cwd=tmp_path)
    assert again.returncode == 0
    assert "nothing to link" in again.stderr


def test_machines_get_every_sample_and_no_path_of_this_machine(bench: Path, videos: Path, tmp_path: Path) -> None:
    rename(videos)
    done = cli.run("validate", videos, "--bench", bench, "--json", cwd=tmp_path)
    data = json.loads(done.stdout)
    assert data["samples"][0]["sample_id"] == "Sparkle_time_000001"
    assert len(data["samples"]) == 4
    assert str(tmp_path) not in done.stdout
    assert str(bench) not in done.stdout


@pytest.mark.parametrize("form", ["zip", "tar", "gztar"])
def test_an_archive_is_looked_into_and_nothing_of_it_stays(
    form: str, bench: Path, videos: Path, tmp_path: Path
) -> None:
    rename(videos)
    archive = shutil.make_archive(str(tmp_path / "packed"), form, tmp_path, "my-videos")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = cli.run("validate", archive, "--bench", bench, "--scratch", scratch, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "4 samples: 1 missing, 3 fine" in done.stdout
    assert list(scratch.iterdir()) == []
    fixed = cli.run("validate", archive, "--bench", bench, "--fix", cwd=tmp_path)
    assert (fixed.returncode, "unpack it first" in fixed.stderr) == (1, True)


def test_machines_are_told_what_is_there_even_if_nothing_matches(bench: Path, videos: Path, tmp_path: Path) -> None:
    remove_all(videos)
    done = cli.run("validate", videos, "--bench", bench, "--json", cwd=tmp_path)
    data = json.loads(done.stdout)
    assert (done.returncode, data["usable"], data["counts"]["missing"], data["extra"]) == (1, False, 4, ["clip.mp4"])


def test_a_strangers_names_steer_no_terminal(bench: Path, videos: Path, tmp_path: Path) -> None:
    rename(videos)
    odd = videos / "\x1b]0;pwn\x07\n"
    odd.mkdir()
    (videos / "Sparkle_time_1_edit.MP4").rename(odd / "Sparkle_time_1_edit.MP4")
    done = cli.run("validate", videos, "--bench", bench, "--fix", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "linked " in done.stderr


def test_a_single_video_is_no_submission(bench: Path, videos: Path, tmp_path: Path) -> None:
    done = cli.run("validate", of_time(videos), "--bench", bench, cwd=tmp_path)
    assert (done.returncode, "is a single video; hand in its folder" in done.stderr) == (2, True)


def test_a_card_to_fill_in_is_written_once(bench: Path, videos: Path, tmp_path: Path) -> None:
    done = cli.run("validate", videos, "--init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    card = videos / "submission.toml"
    card.write_text(card.read_text(encoding="utf-8").replace('name = ""', 'name = "Kiwi"', 1), encoding="utf-8")
    assert (
        "submission.toml: Kiwi, track instruction" in cli.run("validate", videos, "--bench", bench, cwd=tmp_path).stderr
    )
    again = cli.run("validate", videos, "--init", cwd=tmp_path)
    assert (again.returncode, "Kiwi" in card.read_text(encoding="utf-8")) == (1, True)


# -- pack ------------------------------------------------------------------------------------------------------------


def test_a_card_is_found_beside_the_videos_or_above_them(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    wrapped = tmp_path / "wrapped"
    videos.rename(tmp_path / "inner")
    wrapped.mkdir()
    (tmp_path / "inner").rename(wrapped / "inner")
    (wrapped / "inner/submission.toml").write_text(CARD, encoding="utf-8")
    archive = shutil.make_archive(str(tmp_path / "inside"), "zip", tmp_path, "wrapped")
    assert "submission.toml: Kiwi, track masks" in cli.run("validate", archive, "--bench", bench, cwd=tmp_path).stderr
    assert judged(archive, bench, fake, tmp_path)["track"] == "masks"
    (wrapped / "inner/submission.toml").rename(wrapped / "submission.toml")
    assert "submission.toml: Kiwi, track masks" in cli.run("validate", wrapped, "--bench", bench, cwd=tmp_path).stderr
    assert judged(wrapped, bench, fake, tmp_path)["track"] == "masks"
    (wrapped / "inner/submission.toml").write_text('[model]\nname = "Another"\n', encoding="utf-8")
    done = cli.run("validate", wrapped, "--bench", bench, cwd=tmp_path)
    assert (done.returncode, "differ; keep the one that is right" in done.stderr) == (1, True)


def test_the_same_videos_give_the_same_archive(bench: Path, videos: Path, tmp_path: Path) -> None:
    (videos / "submission.toml").write_text(CARD, encoding="utf-8")
    other = shutil.copytree(videos, tmp_path / "other")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in [*videos.rglob("*.mp4"), videos / "submission.toml"]:
        shutil.copy(file, flat / file.name)
    for folder in (videos, other, flat):
        done = cli.run("pack", folder, "--bench", bench, "-o", f"{folder.name}.zip", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "4 of 4 videos" in done.stdout
    assert (tmp_path / "my-videos.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()
    assert (tmp_path / "my-videos.zip").read_bytes() == (tmp_path / "flat.zip").read_bytes()


def test_a_packed_manifest_tells_what_every_file_is(bench: Path, videos: Path, tmp_path: Path) -> None:
    assert cli.run("pack", videos, "--bench", bench, cwd=tmp_path).returncode == 0
    with zipfile.ZipFile(tmp_path / "my-videos.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert len(archive.namelist()) == 5
    loaded = benchmark.load(bench)
    assert manifest["benchmark"] == {"name": "sparkle", "digest": loaded.digest, "samples": 4}
    facts = {video["id"]: video for video in manifest["videos"]}
    for sample in loaded.samples:
        file = videos / sample.edit_path
        found = facts[sample.id]
        assert (found["path"], found["bytes"]) == (sample.edit_path, file.stat().st_size)
        assert found["sha256"] == benchmark.file_sha256(file)
        assert (found["frames"], found["fps"], found["width"], found["height"]) == (12, 16.0, 96, 64)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(lambda videos: of_time(videos).unlink(), "1 of 4 samples have no video"), (cut, "1 videos cannot be read")],
    ids=["missing", "unreadable"],
)
def test_an_incomplete_archive_must_be_meant(
    spoil: Callable[[Path], object], says: str, bench: Path, videos: Path, tmp_path: Path
) -> None:
    spoil(videos)
    words: list[str | Path] = ["pack", videos, "--bench", bench, "-o", tmp_path / "out.zip"]
    refused = cli.run(*words, cwd=tmp_path)
    assert (refused.returncode, says in refused.stderr) == (1, True), refused.stderr
    assert not (tmp_path / "out.zip").exists()
    assert cli.run(*words, "--allow-incomplete", cwd=tmp_path).returncode == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert json.loads(archive.read("manifest.json"))["missing"] == ["Sparkle_time_000001"]


def test_what_a_killed_run_has_left_is_written_over(bench: Path, videos: Path, tmp_path: Path) -> None:
    (tmp_path / ".out.zip.part").write_bytes(b"half of an archive")
    assert cli.run("pack", videos, "--bench", bench, "-o", "out.zip", cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my-videos", "out.zip"]


def unpacked(videos: Path, bench: Path, root: Path) -> Path:
    """Pack, and take apart again: a folder with a manifest."""
    assert cli.run("pack", videos, "--bench", bench, "-o", "out.zip", cwd=root).returncode == 0
    shutil.unpack_archive(root / "out.zip", root / "out")
    return root / "out"


@pytest.mark.parametrize("command", ["pack", "judge"])
def test_a_manifest_that_the_files_contradict_is_not_passed_on(
    command: str, bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    folder = unpacked(videos, bench, tmp_path)
    words = [command, str(folder), "--bench", str(bench), *(["--judge-url", fake.url] if command == "judge" else [])]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    other = {**manifest, "benchmark": {**manifest["benchmark"], "digest": "0" * 64}}
    (folder / "manifest.json").write_text(json.dumps(other), encoding="utf-8")
    refused = cli.run(*words, cwd=tmp_path)
    assert (refused.returncode, "another version of the benchmark" in refused.stderr) == (1, True), refused.stderr
    longer = [{**row, "bytes": row["bytes"] + 1, "sha256": None} for row in manifest["videos"]]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "videos": longer}), encoding="utf-8")
    refused = cli.run(*words, cwd=tmp_path)
    assert (refused.returncode, "4 videos are not the files" in refused.stderr) == (1, True), refused.stderr
    assert fake.requests == []


# -- judge -----------------------------------------------------------------------------------------------------------


def judged(name: str | Path, bench: Path, fake: FakeJudge, root: Path, *more: str) -> dict[str, Any]:
    done = cli.run("judge", name, "--bench", bench, "--judge-url", fake.url, "--no-signals", "--json", *more, cwd=root)
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def test_a_packed_archive_is_judged_as_the_folder_is(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    (videos / "submission.toml").write_text(CARD, encoding="utf-8")
    assert cli.run("pack", videos, "--bench", bench, "-o", "kiwi.zip", cwd=tmp_path).returncode == 0
    from_folder = judged(videos, bench, fake, tmp_path, "--name", "folder")
    asked = len(fake.requests)
    from_zip = judged("kiwi.zip", bench, fake, tmp_path)
    assert len(fake.requests) == asked  # the same files are not judged twice
    assert (from_zip["model"], from_zip["overall"]) == ("kiwi", from_folder["overall"])
    assert (from_zip["track"], from_zip["declared"]["model"]["parameters"]) == ("masks", 14_000_000_000)
    run = json.loads((tmp_path / "results/kiwi/run.json").read_text(encoding="utf-8"))
    assert run["editor"]["options"] == {"path": "kiwi.zip"}
    before = (tmp_path / "results/kiwi/run.json").read_bytes()
    again = judged("kiwi.zip", bench, fake, tmp_path)
    assert (again["before"]["overall"], again["n"]) == (from_zip["overall"], 4)
    assert (tmp_path / "results/kiwi/run.json").read_bytes() == before
    assert not (tmp_path / "results/.cache/unpacked").exists()


def test_a_file_swapped_inside_an_archive_is_noticed(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    assert cli.run("pack", videos, "--bench", bench, "-o", "kiwi.zip", cwd=tmp_path).returncode == 0
    with zipfile.ZipFile(tmp_path / "kiwi.zip") as packed, zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        names = packed.namelist()
        for name in names:
            other.writestr(name, packed.read(names[1] if name == names[2] else name))
    done = cli.run("judge", "other.zip", "--bench", bench, "--judge-url", fake.url, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 videos are not the files that the manifest names by size and hash" in done.stderr
    assert fake.requests == []
    seen = cli.run("validate", "other.zip", "--bench", bench, cwd=tmp_path)
    assert "manifest" in seen.stdout


def test_rubbish_that_ffmpeg_takes_for_a_failing_disk_is_the_videos_fault(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    import av

    with av.open(of_time(videos), "w", format="webm") as out:
        stream = out.add_stream("libvpx-vp9", rate=16)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        out.mux(stream.encode())
    of_time(videos).write_bytes(of_time(videos).read_bytes()[:78])
    done = cli.run("validate", videos, "--bench", bench, cwd=tmp_path)
    assert (done.returncode, "1 unusable" in done.stdout) == (3, True), done.stdout
    assert judged(videos, bench, fake, tmp_path, "--allow-incomplete")["no_edit"] == 1


def test_a_refused_run_leaves_the_result_as_it_was(bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path) -> None:
    before = judged(videos, bench, fake, tmp_path, "--name", "mine")
    records = (tmp_path / "results/mine/edits.jsonl").read_bytes()
    of_time(videos).write_bytes(b"junk")
    words: list[str | Path] = ["judge", videos, "--name", "mine", "--bench", bench, "--judge-url", fake.url]
    done = cli.run(*words, cwd=tmp_path)
    assert (done.returncode, "1 of 4 videos cannot be taken" in done.stderr) == (1, True), done.stderr
    assert (tmp_path / "results/mine/edits.jsonl").read_bytes() == records
    assert len(list((tmp_path / "results/mine/videos").rglob("*.mp4"))) == 4
    assert cli.run("leaderboard", cwd=tmp_path).returncode == 0
    board = json.loads(next(tmp_path.glob("leaderboards/*/*/leaderboard.json")).read_text(encoding="utf-8"))
    assert [(row["n"], row["overall"]) for row in board["rows"]] == [(4, before["overall"])]
    assert judged(videos, bench, fake, tmp_path, "--name", "mine", "--allow-incomplete")["no_edit"] == 1


def test_a_broken_card_stops_judging_before_anything_is_asked(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    bad_card(videos)
    done = cli.run("judge", videos, "--bench", bench, "--judge-url", fake.url, cwd=tmp_path)
    assert (done.returncode, fake.requests) == (1, [])
    assert "nmae" in done.stderr


def test_what_a_killed_run_unpacked_is_removed_by_the_next(
    bench: Path, videos: Path, fake: FakeJudge, tmp_path: Path
) -> None:
    assert cli.run("pack", videos, "--bench", bench, "-o", "kiwi.zip", cwd=tmp_path).returncode == 0
    fake.answer = lambda body: Answer(delay=20.0)
    words: list[str | Path] = ["judge", "kiwi.zip", "--bench", bench, "--judge-url", fake.url, "--no-signals"]
    process = cli.start(*words, cwd=tmp_path)
    unpacked = tmp_path / "results/.cache/unpacked"
    end = time.monotonic() + 60
    while not fake.requests and time.monotonic() < end:
        time.sleep(0.05)
    left = list(unpacked.iterdir())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert sorted(path.is_dir() for path in left) == [False, True]  # a folder and its lock
    fake.answer = lambda body: Answer()
    assert cli.run(*words, cwd=tmp_path).returncode == 0
    assert list(unpacked.iterdir()) == []
