"""Checks of the disk, the benchmark, the judge's prompt and earlier results."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkle_bench import benchmark as sparkle
from sparkle_bench import disk, prompts, video
from sparkle_bench.doctor import process
from sparkle_bench.doctor.check import BENCH, Found, lack, note, ok
from sparkle_bench.errors import BenchmarkError, SparkleError, StoreError, listed
from sparkle_bench.store import Store

EDIT_BYTES = 600_000
"""About the size of an edit: 5 seconds of 1280x720; the benchmark authors' own have 0.5 MB."""
RESULT_BYTES = sparkle.COMPLETE.samples * EDIT_BYTES
ELSEWHERE = "name another folder with --root, on a disk with room that can be written"


def space(root: Path) -> Found:
    """Write and lock a file where results go, and look at the room there. Nothing of it stays, nothing else is made."""
    folder = _standing(root)
    if not folder.is_dir():
        return lack(f"{folder} is a file, so {root} cannot be a folder", ELSEWHERE)
    try:
        with _attempt(folder) as place:
            disk.write(place / "file", bytes(1 << 16))
            kept_out = _is_kept_out(place / "lock")
        free = shutil.disk_usage(folder).free
    except StoreError as error:
        return lack(f"nothing can be written in {folder}: {error}", ELSEWHERE)
    except OSError as error:
        return lack(f"nothing can be written in {folder}: {error.strerror or error}", ELSEWHERE)
    if not kept_out:
        return lack(f"locks do not hold in {folder}, so two runs could spoil a result", ELSEWHERE)
    return room(folder, free)


def room(folder: Path, free: int) -> Found:
    """Say whether the free bytes of a folder's disk suffice for one model's results."""
    edits = f"{sparkle.COMPLETE.samples} edits of about {EDIT_BYTES / 1e6:.1f} MB"
    text = (
        f"{free / 1e9:.1f} GB free in {folder.resolve()}; a model's results take {RESULT_BYTES / 1e9:.1f} GB ({edits})"
    )
    return ok(f"{text}; files can be written and locked") if free >= RESULT_BYTES else lack(text, ELSEWHERE)


def _standing(path: Path) -> Path:
    """Return a path, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


@contextmanager
def _attempt(folder: Path) -> Iterator[Path]:
    """Yield a folder inside another one, and remove it."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".sparkle-bench-doctor-") as name:
        yield Path(name)


def _is_kept_out(lock: Path) -> bool:
    """Whether a lock that is held cannot be taken a second time."""
    with disk.held(lock, wait=False):
        try:
            with disk.held(lock, wait=False):
                return False
        except disk.Busy:
            return True


def prompt(root: Path) -> Found:
    """Load the rubric and the judge's prompt, and render it."""
    loaded = prompts.load_prompt(sparkle.NAME, root=root)
    where = prompts.folder(sparkle.NAME, root).resolve()
    return ok(f"{len(loaded.rubric.keys)} dimensions, prompt {loaded.digest[:12]}, in {where}")


def benchmark(folder: Path, *, deep_seconds: float | None = None) -> Found:
    """Read the benchmark and count it; if given time for that, probe every source video too."""
    to = "" if folder == BENCH else f" --to {shlex.quote(str(folder))}"
    download = f"`sparkle-bench download{to}`"
    if not folder.exists():
        return lack(f"no benchmark folder at {folder}", f"{download}, or name the folder with --bench")
    try:
        loaded = sparkle.load(folder)
    except BenchmarkError as error:
        return lack(str(error), f"correct that, name another folder with --bench, or {download}")
    except OSError as error:
        return lack(f"cannot read {error.filename or folder}: {error.strerror}", "make the files readable")
    text = f"{loaded.counts}, digest {loaded.digest[:12]}"
    if deep_seconds is not None:
        code = "import json; from pathlib import Path; from sparkle_bench.doctor import files; "
        code += f"print(json.dumps(files.unreadable(Path({str(folder)!r}))))"
        broken = process.python(code, deep_seconds)  # a process of its own: a broken file may crash its decoder
        if broken:
            found = f"{text}: {len(broken)} source videos cannot be read: {listed(broken)}"
            return lack(found, f"remove these files, then {download}")
        text += ", every source video readable"
    if loaded.partial:
        return note(f"a part: {text} (published are {loaded.complete})", f"{download} fetches the rest")
    return ok(f"complete: {text}")


def unreadable(folder: Path) -> list[str]:
    """Probe every source video of a benchmark and return a line on each that cannot be read."""
    broken = []
    for sample in sparkle.load(folder).samples:
        try:
            video.probe(sample.source_path)
        except SparkleError as error:
            broken.append(str(error))
    return broken


def results(root: Path) -> Found:
    """Read every record of every result."""
    store = Store(root=root)
    names, damaged = store.models(), []
    counts = {"edits": 0, "judgments": 0}
    for name in names:
        try:
            store.read_run(name)
            store.samples(name)
            counts["edits"] += len(store.edits(name))
            store.measurements(name)
            for key in store.judge_keys(name):
                store.read_judge(name, key)
                counts["judgments"] += len(store.judgments(name, key))
        except StoreError as error:
            damaged.append(str(error))
        except OSError as error:
            damaged.append(f"cannot read {error.filename or name}: {error.strerror}")
    if not names:
        return note(f"none yet under {root}")
    text = f"{len(names)} under {root}: {counts['edits']} edits, {counts['judgments']} judgments"
    if damaged:
        return lack(
            f"{text}; {len(damaged)} damaged: {listed(damaged)}",
            "restore or remove what is named; the rest is untouched",
        )
    return ok(text)
