"""What is remembered from run to run to save time: sampled sources and hashes of files. It may cost time, never truth."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkle_bench import benchmark, disk, run, video
from sparkle_bench.disk import Hashes, file_sha256
from sparkle_bench.editors.folder import Folder
from sparkle_bench.errors import SourceError, StaleEdit, VideoError
from sparkle_bench.records import Edit, Sample
from sparkle_bench.run.fresh import Look, load_pair
from sparkle_bench.store import Store
from sparkle_bench.video import Kept, Recorded, Sampling
from sparkle_bench.video.pair import Shown
from tests.makers import write_benchmark, write_clip, write_edits
from tests.test_honesty import NOW

SMALL = Sampling(frames=4, max_pixels=96 * 64)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A source and an edit; read-only."""
    folder = tmp_path_factory.mktemp("clips")
    return write_clip(folder / "source.mp4"), write_clip(folder / "edit.mp4", frames=10, seed=7)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pictures"))


def shown(clips: tuple[Path, Path], kept: Kept | None, sampling: Sampling = SMALL) -> video.Pair:
    source, edit = clips
    return video.load_pair(source, edit, sampling, Recorded(sha256=file_sha256(source), kept=kept))


# -- sampled sources ---------------------------------------------------------------------------------------------------


def test_a_kept_source_is_shown_byte_by_byte_as_a_new_one(clips: tuple[Path, Path], tmp_path: Path) -> None:
    plain = video.load_pair(*clips, SMALL)
    assert shown(clips, None) == plain
    for turn in range(3):
        assert shown(clips, Kept(tmp_path)) == plain, f"turn {turn}"
    assert len(entries(tmp_path)) == 1


def test_a_kept_source_is_not_decoded_again(clips: tuple[Path, Path], tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4")
    recorded = Recorded(sha256=file_sha256(source), kept=Kept(tmp_path / "kept"))
    first = video.load_pair(source, clips[1], SMALL, recorded)
    source.unlink()
    assert video.load_pair(source, clips[1], SMALL, recorded) == first


@pytest.mark.parametrize(
    "other",
    [
        Sampling(frames=6, max_pixels=96 * 64),
        Sampling(frames=4, max_pixels=64 * 64),
        Sampling(frames=4, max_pixels=96 * 64, factor=28),
        Sampling(frames=4, max_pixels=96 * 64, quality=50),
    ],
    ids=["frames", "pixels", "factor", "quality"],
)
def test_another_sampling_is_another_entry(clips: tuple[Path, Path], tmp_path: Path, other: Sampling) -> None:
    shown(clips, Kept(tmp_path))
    assert shown(clips, Kept(tmp_path), other) == video.load_pair(*clips, other)
    assert len(entries(tmp_path)) == 2


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[:-10],
    "longer": lambda content: content + b"x",
    "a byte of a picture": lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    "a byte of the header": lambda content: content[:80] + bytes([content[80] ^ 1]) + content[81:],
    "no hash": lambda content: content[65:],
    "something else": lambda content: b"\x00" * 1000,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_made_anew(
    clips: tuple[Path, Path], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    plain = shown(clips, Kept(tmp_path))
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert shown(clips, Kept(tmp_path)) == plain
    assert entry.read_bytes() == whole


def test_an_entry_that_is_a_folder_harms_nothing(clips: tuple[Path, Path], tmp_path: Path) -> None:
    plain = shown(clips, Kept(tmp_path))
    (entry,) = entries(tmp_path)
    entry.unlink()
    entry.mkdir()
    assert shown(clips, Kept(tmp_path)) == plain


@pytest.mark.parametrize("place", ["a file", "below a file", "/proc/self/kept", "/dev/full/kept"])
def test_where_nothing_can_be_written_pairs_are_loaded_all_the_same(
    clips: tuple[Path, Path], tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    where = {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "kept"}.get(place, Path(place))
    kept = Kept(where)
    assert shown(clips, kept) == shown(clips, kept) == video.load_pair(*clips, SMALL)


def test_all_entries_stay_below_the_limit_and_the_least_used_go_first(clips: tuple[Path, Path], tmp_path: Path) -> None:
    shown(clips, Kept(tmp_path / "one"))
    size = entries(tmp_path / "one")[0].stat().st_size
    kept = Kept(tmp_path / "kept", most_bytes=5 * size)
    source = video.load_pair(*clips, SMALL)
    assert source.timing is not None
    what = Shown(clip=source.before, timing=source.timing)
    for number in range(12):
        kept.put(f"{number:064d}", SMALL, what)
        for entry in entries(tmp_path / "kept"):  # as if a minute had passed
            times = entry.stat()
            os.utime(entry, (times.st_atime - 60, times.st_mtime - 60))
        kept.get(f"{0:064d}", SMALL)  # used all the time
        assert sum(entry.stat().st_size for entry in entries(tmp_path / "kept")) <= 5 * size
    assert kept.get(f"{0:064d}", SMALL) == what
    assert kept.get(f"{11:064d}", SMALL) == what
    assert kept.get(f"{1:064d}", SMALL) is None


@pytest.mark.parametrize("most", [0, 100])
def test_a_limit_below_one_entry_keeps_nothing(clips: tuple[Path, Path], tmp_path: Path, most: int) -> None:
    assert shown(clips, Kept(tmp_path, most_bytes=most)) == video.load_pair(*clips, SMALL)
    assert entries(tmp_path) == []


def test_many_threads_may_keep_and_make_room_at_once(clips: tuple[Path, Path], tmp_path: Path) -> None:
    plain = video.load_pair(*clips, SMALL)
    assert plain.timing is not None
    what = Shown(clip=plain.before, timing=plain.timing)
    size = sum(map(len, plain.before.parts))
    wrong: list[object] = []

    def work(first: int) -> None:
        kept = Kept(tmp_path, most_bytes=8 * size)  # each as another process would
        for number in range(40):
            kept.put(f"{(first + number) % 15:064d}", SMALL, what)
            found = kept.get(f"{number % 15:064d}", SMALL)
            wrong.extend([found] if found not in (None, what) else [])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".*.part"))


def test_what_a_killed_process_left_is_removed(clips: tuple[Path, Path], tmp_path: Path) -> None:
    old, young = tmp_path / ".a.1.2.part", tmp_path / ".b.1.2.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    shown(clips, Kept(tmp_path))
    assert not old.exists()
    assert young.exists(), "another process may be writing it"


def test_a_source_that_was_changed_is_neither_shown_nor_kept(clips: tuple[Path, Path], tmp_path: Path) -> None:
    recorded = Recorded(sha256="0" * 64, kept=Kept(tmp_path))
    for sampling in (SMALL, None):
        with pytest.raises(SourceError, match="changed after the benchmark was read"):
            video.load_pair(*clips, sampling, recorded)
    assert entries(tmp_path) == []


# -- the very bytes of the record --------------------------------------------------------------------------------------


def recorded_edit(path: Path) -> Edit:
    return Edit(sample_id="a", video="v.mp4", sha256=file_sha256(path), probe=video.probe(path))


def sample_of(source: Path) -> Sample:
    words = {"id": "a", "benchmark": "sparkle", "theme": "time", "subtheme": "s", "scene": "c", "instruction": "i"}
    return Sample(**words, source=source.name, sha256=file_sha256(source), root=source.parent)


@pytest.mark.parametrize("sampling", [SMALL, None], ids=["frames", "whole files"])
def test_the_recorded_edit_is_loaded_and_no_other(
    clips: tuple[Path, Path], tmp_path: Path, sampling: Sampling | None
) -> None:
    source, _ = clips
    edited = write_clip(tmp_path / "edit.mp4", frames=10, seed=7)
    edit, look = recorded_edit(edited), Look(sampling=sampling, kept=Kept(tmp_path / "kept"))
    assert load_pair(sample_of(source), edited, edit, look) == video.load_pair(source, edited, sampling)
    content = bytearray(edited.read_bytes())
    content[-1] ^= 1
    edited.write_bytes(content)
    with pytest.raises(StaleEdit, match="was changed"):
        load_pair(sample_of(source), edited, edit, look)
    edited.write_bytes(b"")
    with pytest.raises(StaleEdit):
        load_pair(sample_of(source), edited, edit, look)
    edited.unlink()
    with pytest.raises(StaleEdit, match="cannot be read any more"):
        load_pair(sample_of(source), edited, edit, look)


def test_a_file_too_large_to_be_held_is_read_from_disk(
    clips: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {sampling: video.load_pair(*clips, sampling) for sampling in (SMALL, None)}
    monkeypatch.setattr(importlib.import_module("sparkle_bench.video.probe"), "HELD_BYTES", 10)
    for sampling, pair in expected.items():
        look = Look(sampling=sampling, kept=Kept(tmp_path))
        assert load_pair(sample_of(clips[0]), clips[1], recorded_edit(clips[1]), look) == pair
    with pytest.raises(StaleEdit):
        load_pair(sample_of(clips[0]), clips[0], recorded_edit(clips[1]), Look(sampling=None))
    assert entries(tmp_path) == [], "what was not hashed as it was decoded is not kept"


def test_whole_files_are_still_looked_into(clips: tuple[Path, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(clips[0].read_bytes()[:500])
    with pytest.raises(SourceError):
        video.load_pair(bad, clips[1], None)
    with pytest.raises(VideoError):
        video.load_pair(clips[0], bad, None)


# -- hashes of files ---------------------------------------------------------------------------------------------------


def settled(path: Path, content: bytes) -> Path:
    """Write a file and wait until its times lie far enough back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    time.sleep(disk.SETTLED_NS / 1e9 + 0.05)
    return path


def memory(tmp_path: Path) -> Path:
    """Return the memory's path below a folder that is there."""
    (tmp_path / "results").mkdir(exist_ok=True)
    return tmp_path / "results" / ".cache" / "hashes.json"


def learnt(tmp_path: Path, file: Path) -> Path:
    hashes = Hashes(memory(tmp_path))
    assert hashes.of(file) == file_sha256(file)
    hashes.save()
    return memory(tmp_path)


def test_what_is_untouched_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = settled(tmp_path / "a.mp4", b"one")
    expected = file_sha256(file)
    learnt(tmp_path, file)
    monkeypatch.setattr(disk, "file_sha256", lambda path: "hashed again")
    assert Hashes(memory(tmp_path)).of(file) == expected
    assert Hashes().of(file) == "hashed again"


def set_back(path: Path) -> None:
    """Write other bytes of the same number, and set the time of the last change of content back."""
    times = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns


def replaced(path: Path) -> None:
    """Put another file of the same size and times in its place."""
    times = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"two")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "another size": lambda path: path.write_bytes(b"other"),
    "the same size": lambda path: path.write_bytes(b"two"),
    "the same size, its time set back": set_back,
    "another file of the same size and time": replaced,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_bytes_are_always_noticed(tmp_path: Path, change: Callable[[Path], object]) -> None:
    file = settled(tmp_path / "a.mp4", b"one")
    learnt(tmp_path, file)
    change(file)
    hashes = Hashes(memory(tmp_path))
    assert hashes.of(file) == file_sha256(file)
    hashes.save()
    assert Hashes(memory(tmp_path)).of(file) == file_sha256(file)


def test_a_file_that_was_just_touched_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"one")
    assert not learnt(tmp_path, file).exists()
    file.write_bytes(b"two")  # perhaps within the same tick of the file system's clock
    assert Hashes(memory(tmp_path)).of(file) == file_sha256(file)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b'{"a": 1}', b'{"a": [1, 2, 3, 4, 5, "short"]}', b"\xff", b"[" * 100_000]
)
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: bytes) -> None:
    file = settled(tmp_path / "a.mp4", b"one")
    path = memory(tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    assert learnt(tmp_path, file).read_bytes() != content
    assert Hashes(path).of(file) == file_sha256(file)


def test_the_memory_names_no_folder_and_keeps_what_others_wrote(tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", settled(tmp_path / "two.mp4", b"two")
    one.write_bytes(b"one")
    time.sleep(disk.SETTLED_NS / 1e9 + 0.05)
    first, second = Hashes(memory(tmp_path)), Hashes(memory(tmp_path))
    first.of(one)
    second.of(two)
    first.save()
    second.save()
    text = memory(tmp_path).read_text()
    assert file_sha256(one) in text and file_sha256(two) in text
    assert str(tmp_path) not in text and "one.mp4" not in text


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    file = settled(tmp_path / "a.mp4", b"one")
    for path in (tmp_path / "nowhere" / ".cache" / "h.json", file / "x" / "h.json", Path("/proc/self/x/h.json")):
        hashes = Hashes(path)
        assert hashes.of(file) == file_sha256(file)
        hashes.save()
        assert not path.exists()
    with pytest.raises(FileNotFoundError):
        Hashes(memory(tmp_path)).of(tmp_path / "gone.mp4")


def test_an_edit_changed_behind_a_finished_runs_back_is_made_anew(tmp_path: Path) -> None:
    """The benchmark, the edits and what was handed in go through the memory; none hides a change."""
    bench = write_benchmark(tmp_path / "bench", themes=("time",), samples_per_theme=2)
    store = Store(root=tmp_path)
    loaded = benchmark.load(bench, hashes=store.hashes())
    handed_in = write_edits(tmp_path / "handed-in", loaded.samples)
    editor = Folder(path=handed_in)
    run.start(store, "x", loaded, run.Made(editor=editor, name="folder", options={}), now=NOW)
    work = run.Work(store=store, model="x", samples=loaded.samples)
    run.edit(work, editor)
    time.sleep(disk.SETTLED_NS / 1e9 + 0.05)
    run.edit(work, Folder(path=handed_in))
    assert memory(tmp_path).is_file(), "untouched by now, so remembered"
    lines = (store.model_dir("x") / "edits.jsonl").read_bytes()
    ours = store.video_path("x", loaded.samples[0])
    good, times = ours.read_bytes(), ours.stat()
    ours.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    os.utime(ours, ns=(times.st_atime_ns, times.st_mtime_ns))
    run.edit(work, Folder(path=handed_in))
    assert ours.read_bytes() == good
    theirs = handed_in / loaded.samples[1].edit_path
    write_clip(theirs, frames=9, seed=55)
    run.edit(work, Folder(path=handed_in))
    assert store.video_path("x", loaded.samples[1]).read_bytes() == theirs.read_bytes()
    after = (store.model_dir("x") / "edits.jsonl").read_bytes()
    assert after.startswith(lines) and after.count(b"\n") == lines.count(b"\n") + 2
    run.edit(work, Folder(path=handed_in))
    assert (store.model_dir("x") / "edits.jsonl").read_bytes() == after
    source = loaded.samples[0].source_path
    write_clip(source, frames=11, seed=99)
    assert benchmark.load(bench, hashes=store.hashes()).digest == benchmark.load(bench).digest != loaded.digest
