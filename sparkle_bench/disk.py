"""Files written whole or not at all, lines appended one by one and synced, locks, and the hashes of files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sparkle_bench.errors import SparkleError, StoreError, one_line

R = TypeVar("R")


class Busy(StoreError):
    """Somebody else holds a lock."""


@contextmanager
def held(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file; the system releases it when the process dies, however it dies.

    Args:
        path: The lock file; its folder is made if need be.
        wait: Whether to wait for whoever holds it.

    Raises:
        Busy: Somebody else holds it, and we do not wait.
    """
    from filelock import FileLock, Timeout

    make_folder(path.parent)
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout as error:
        raise Busy(f"{path} is held by another process") from error
    try:
        yield
    finally:
        lock.release()


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        StoreError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path}: {error.strerror}") from error


def write(path: Path, content: bytes) -> bool:
    """Write a file whole or not at all, and only if its content changes.

    Returns:
        Whether the file was written.

    Raises:
        StoreError: It cannot be written.
    """
    if path.is_file() and path.read_bytes() == content:
        return False
    make_folder(path.parent)
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


def second_name(file: Path, place: Path) -> None:
    """Let a file lie at a second place too, at no cost where the file system can; what lies there is replaced.

    Raises:
        OSError: It cannot be put there.
    """
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        try:
            os.link(file.resolve(), temporary)
        except OSError:
            shutil.copyfile(file, temporary)
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)


def pretty(data: Mapping[str, Any]) -> bytes:
    """Return data as JSON that people can read."""
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or None if there is no such file.

    Raises:
        StoreError: The file is damaged.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read ({one_line(error)}); restore it or remove the folder") from error
    if not isinstance(data, dict):
        raise StoreError(f"{path} holds no JSON object; restore it or remove the folder")
    return data


def read_lines(path: Path, read: Callable[[Mapping[str, Any]], R]) -> Iterator[R]:
    """Yield what `read` makes of each line's JSON; a last line cut off by a crash is left out.

    Raises:
        StoreError: A line is damaged; the message names it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.split(b"\n")[:-1], 1):
        try:
            yield read(json.loads(line.decode()))  # bytes would be searched for their encoding first
        except (ValueError, TypeError, AttributeError, RecursionError, SparkleError) as error:
            raise StoreError(
                f"{path} line {number} is damaged ({one_line(error)}); restore or remove that line"
            ) from error


class Memory:
    """A small JSON file that may be lost: what is read back is what was written, or nothing; nothing fails for its sake."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any] | None:
        """Return what was written, or None."""
        try:
            return read_json(self._path)
        except StoreError:
            return None

    def write(self, data: Mapping[str, Any]) -> None:
        """Remember; where that cannot be, do without."""
        with contextlib.suppress(StoreError):
            write(self._path, pretty(data))


def json_line(data: Mapping[str, Any]) -> bytes:
    """Return data as the line that is appended for it, its line break included."""
    return json.dumps(data, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def append_line(path: Path, data: Mapping[str, Any]) -> None:
    """Append one line of JSON; on return it is on disk. A cut-off line before it is overwritten.

    Raises:
        StoreError: It cannot be written.
    """
    line = json_line(data)
    # Shards on one disk share the file, so each line is written under a lock of its own.
    with held(path.parent / ".locks" / f"{path.name}.lock"):
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


def file_sha256(path: Path) -> str:
    """Return the file's hash (sha256, hexadecimal)."""
    with path.open("rb") as file:
        value = hashlib.sha256()
        while block := file.read(1 << 20):
            value.update(block)
    return value.hexdigest()


SETTLED_NS = 2_000_000_000
"""A file that was touched less than so long before it was hashed may change again without its times telling."""
MOST_HASHES = 200_000


class Hashes:
    """Hashes of files, remembered from run to run for as long as the file system says that a file is untouched.

    A file is the same if its size, both its times, its device and its inode are. Nobody can set back the time of the last
    change (`ctime`), so a file of the same size with its `mtime` set back is noticed. As in git's index, what was touched
    within the last two seconds is not remembered. A memory that is missing, damaged or cannot be written costs time alone.
    Paths stand in it hashed, since results are for publishing.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Take up what is remembered.

        Args:
            path: The memory's file; None remembers for this process alone.
        """
        self._path = path
        self._known = {} if path is None else _remembered(path)
        self._new: dict[str, list[int | str]] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """Return a file's hash (sha256, hexadecimal). Safe to call from many threads.

        Raises:
            OSError: It cannot be read.
        """
        name, stamp = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32], _stamp(path)
        with self._lock:
            known = self._new.get(name) or self._known.get(name)
        if known is not None and known[:-1] == stamp:
            return str(known[-1])
        begun = time.time_ns()
        value = file_sha256(path)
        if _stamp(path) == stamp and max(stamp[1], stamp[2]) + SETTLED_NS <= begun:
            with self._lock:
                self._new[name] = [*stamp, value]
        return value

    def save(self) -> None:
        """Write down what was learnt, beside what others wrote meanwhile, where there are results already."""
        with self._lock:
            learnt = dict(self._new)
        if self._path is None or not learnt or not self._path.parent.parent.is_dir():
            return
        known = _remembered(self._path) | learnt
        content = json.dumps(known if len(known) <= MOST_HASHES else learnt, separators=(",", ":"))
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(exist_ok=True)
            temporary.write_text(content, encoding="ascii")
            temporary.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()


def stamp(path: Path) -> list[int] | None:
    """Return what changes with a file, or None if there is none."""
    try:
        return _stamp(path)
    except OSError:
        return None


def _stamp(path: Path) -> list[int]:
    """Return what changes with a file: size, both times in nanoseconds, device and inode."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino]


def _remembered(path: Path) -> dict[str, list[int | str]]:
    """Return what a memory holds; nothing if any of it is odd."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) and all(map(_is_entry, data.values())) else {}


def _is_entry(value: object) -> bool:
    if not (isinstance(value, list) and len(value) == 6 and isinstance(value[-1], str) and len(value[-1]) == 64):
        return False
    return all(type(number) is int for number in value[:-1])
