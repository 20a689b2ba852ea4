"""The only module that reads or writes `results/` and `leaderboards/`; it builds every path in them.

    results/<model>/run.json                        editor, options, benchmark version, code version, hardware
    results/<model>/samples.jsonl                   every sample of the benchmark, so that nothing can go missing later
    results/<model>/edits.jsonl                     one Edit per line
    results/<model>/videos/<theme>/<subtheme>---<scene>/<id>_edited.mp4
    results/<model>/judged/<judge-key>/judge.json   all that may move a mark, the rubric and the prompt included
    results/<model>/judged/<judge-key>/judgments.jsonl
    results/<model>/judged/<judge-key>/scores.csv   derived
    leaderboards/<benchmark>/<judge-key>/…          derived

Lines are appended and synced one at a time; the last line of a key wins; a last line cut off by a crash is ignored when
read and overwritten by the next. Two runs may not work on the same samples of one model at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sparkle_bench.errors import SparkleError, StoreError, one_line
from sparkle_bench.records import (
    Edit,
    Judgment,
    Record,
    Sample,
    edit_from_json,
    judgment_from_json,
    sample_from_json,
    to_json,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
R = TypeVar("R")


def slug(text: str) -> str:
    """Return `text` as a name for a folder: `Qwen/Qwen3-VL-8B` becomes `qwen3-vl-8b`."""
    last = text.rstrip("/").rsplit("/", 1)[-1].lower()
    return re.sub(r"[^a-z0-9.+]+", "-", last).strip("-.")[:60] or "unnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The results under one root folder."""

    root: Path

    # -- paths ---------------------------------------------------------------------------------------------------

    def model_dir(self, model: str) -> Path:
        """Return the folder of a model's results.

        Raises:
            StoreError: The name cannot be a folder's.
        """
        return self.root / "results" / _named(model)

    def video_path(self, model: str, sample: Sample) -> Path:
        """Return where a sample's edit belongs, in the benchmark authors' layout."""
        return self.model_dir(model) / "videos" / sample.edit_path

    def judged_dir(self, model: str, judge_key: str) -> Path:
        """Return the folder of one judge's verdicts on a model.

        Raises:
            StoreError: A name cannot be a folder's.
        """
        return self.model_dir(model) / "judged" / _named(judge_key)

    def boards_index(self) -> Path:
        """Return the page that links to all boards."""
        return self.root / "leaderboards" / "index.html"

    def board_dir(self, benchmark: str, judge_key: str) -> Path:
        """Return the folder of one board.

        Raises:
            StoreError: A name cannot be a folder's.
        """
        return self.root / "leaderboards" / _named(benchmark) / _named(judge_key)

    # -- what is there -------------------------------------------------------------------------------------------

    def models(self) -> list[str]:
        """Return the names of all results, sorted."""
        return sorted(path.parent.name for path in self.root.glob("results/*/run.json"))

    def judge_keys(self, model: str) -> list[str]:
        """Return the keys of all judges that judged a model, sorted."""
        return sorted(path.parent.name for path in self.model_dir(model).glob("judged/*/judge.json"))

    # -- documents -----------------------------------------------------------------------------------------------

    def read_run(self, model: str) -> dict[str, Any] | None:
        """Return `run.json`, or None if the model has no results yet."""
        return _read_json(self.model_dir(model) / "run.json")

    def write_run(self, model: str, run: Mapping[str, Any], samples: tuple[Sample, ...]) -> None:
        """Write the benchmark's samples, then `run.json`: the latter means that both are whole."""
        lines = "".join(f"{json.dumps(to_json(sample), ensure_ascii=False)}\n" for sample in samples)
        write(self.model_dir(model) / "samples.jsonl", lines.encode())
        write(self.model_dir(model) / "run.json", _pretty(run))

    def read_judge(self, model: str, judge_key: str) -> dict[str, Any] | None:
        """Return `judge.json`, or None."""
        return _read_json(self.judged_dir(model, judge_key) / "judge.json")

    def write_judge(self, model: str, judge_key: str, judge: Mapping[str, Any]) -> None:
        """Write `judge.json`."""
        write(self.judged_dir(model, judge_key) / "judge.json", _pretty(judge))

    def remove_boards(self, *, keep: Set[tuple[str, str]], files: Sequence[str]) -> None:
        """Remove boards whose results are gone: `files` of every folder that says of itself that it is such a board.

        Without any result nothing is removed: more likely the root is the wrong one.
        """
        if not self.models():
            return
        for page in self.root.glob("leaderboards/*/*/leaderboard.json"):
            folder = page.parent
            name = (folder.parent.name, folder.name)
            if name in keep or _board_name(page) != name:
                continue
            for file in files:
                (folder / file).unlink(missing_ok=True)
            for emptied in (folder / "figures", folder, folder.parent):
                with contextlib.suppress(OSError):
                    emptied.rmdir()

    # -- records -------------------------------------------------------------------------------------------------

    def samples(self, model: str) -> list[Sample]:
        """Return every sample of the benchmark that the model's result belongs to."""
        return list(_read_lines(self.model_dir(model) / "samples.jsonl", sample_from_json))

    def samples_of(self, model: str, otherwise: Sequence[Sample]) -> Sequence[Sample]:
        """Return every sample of a model's benchmark, or `otherwise` before its first lines are written."""
        return self.samples(model) or otherwise

    def edits(self, model: str) -> dict[str, Edit]:
        """Return the newest Edit of each sample, by sample id."""
        return {edit.sample_id: edit for edit in _read_lines(self.model_dir(model) / "edits.jsonl", edit_from_json)}

    def judgments(self, model: str, judge_key: str) -> dict[tuple[str, str, int], Judgment]:
        """Return the newest Judgment of each sample, exact file and repeat.

        A verdict is never displaced by a later failure.
        """
        newest: dict[tuple[str, str, int], Judgment] = {}
        for judgment in _read_lines(self.judged_dir(model, judge_key) / "judgments.jsonl", judgment_from_json):
            if judgment.ok or not (judgment.key in newest and newest[judgment.key].ok):
                newest[judgment.key] = judgment
        return newest

    def append_edit(self, model: str, edit: Edit) -> None:
        """Append one line to `edits.jsonl`; on return it is on disk."""
        _append(self.model_dir(model) / "edits.jsonl", edit)

    def append_judgment(self, model: str, judge_key: str, judgment: Judgment) -> None:
        """Append one line to `judgments.jsonl`; on return it is on disk."""
        _append(self.judged_dir(model, judge_key) / "judgments.jsonl", judgment)

    # -- locks ---------------------------------------------------------------------------------------------------

    @contextmanager
    def starting(self, model: str) -> Iterator[None]:
        """Hold a result's first lines while they are read or written."""
        with _held(self._locks(model) / "start.lock"):
            yield

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Hold the boards, so that one is not written from what two runs saw at different times."""
        if not (self.root / "results").is_dir():  # nothing to rebuild from, and nobody to keep out
            yield
            return
        with _held(self.root / "results" / ".boards.lock"):
            yield

    def _locks(self, model: str) -> Path:
        return self.model_dir(model) / ".locks"

    @contextmanager
    def working(self, model: str, shard: tuple[int, int]) -> Iterator[None]:
        """Hold a model's result while a stage works on it; shards of the same division may run beside each other.

        The system releases the lock when the process dies, however it dies.

        Raises:
            StoreError: Another run is at work on samples that this one would do too.
        """
        from filelock import FileLock, Timeout

        folder = self._locks(model)
        _make_folder(folder)
        own = folder / f"run-{shard[0]}of{shard[1]}.lock"
        busy = StoreError(f"another run is at work on {model}; wait for it, or use another --name")
        try:
            with FileLock(own, timeout=0):
                for other in sorted(folder.glob("run-*.lock")):
                    if not other.name.endswith(f"of{shard[1]}.lock"):
                        with FileLock(other, timeout=0):
                            pass
                yield
        except Timeout as error:
            raise busy from error


@contextmanager
def _held(path: Path) -> Iterator[None]:
    from filelock import FileLock

    _make_folder(path.parent)
    with FileLock(path):
        yield


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path}: {error.strerror}") from error


def _named(name: str) -> str:
    """Return a name if it can be a folder's."""
    if not NAME.fullmatch(name):
        raise StoreError(
            f"{name!r} cannot name a result; use letters, digits, dots, dashes and underscores (--name, or rename the folder)"
        )
    return name


def write(path: Path, content: bytes) -> bool:
    """Write a file whole or not at all, and only if its content changes.

    Returns:
        Whether the file was written.
    """
    if path.is_file() and path.read_bytes() == content:
        return False
    _make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    return True


def _pretty(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _board_name(page: Path) -> tuple[str, str] | None:
    """Return the benchmark and judge key that a `leaderboard.json` speaks of."""
    try:
        data = json.loads(page.read_bytes())
        return str(data["benchmark"]["name"]), str(data["judge"]["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({one_line(error)}); restore it or remove the folder") from error
    if not isinstance(data, dict):
        raise StoreError(f"{path} holds no JSON object; restore it or remove the folder")
    return data


def _read_lines(path: Path, read: Callable[[Mapping[str, Any]], R]) -> Iterator[R]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    whole = content[: content.rfind(b"\n") + 1]  # what follows the last line break was cut off by a crash
    for number, line in enumerate(whole.split(b"\n")[:-1], 1):
        try:
            yield read(json.loads(line))
        except (ValueError, TypeError, AttributeError, SparkleError) as error:
            raise StoreError(
                f"{path} line {number} is damaged ({one_line(error)}); restore or remove that line"
            ) from error


def _append(path: Path, record: Record) -> None:
    line = json.dumps(to_json(record), ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
    # Shards on one disk share the file, so each line is written under a lock of its own.
    with _held(path.parent / ".locks" / f"{path.name}.lock"):
        try:
            with path.open("ab+") as file:
                file.truncate(_whole_bytes(path))
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error


def _whole_bytes(path: Path) -> int:
    """Return the length of the file up to and including its last line break."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = size
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
