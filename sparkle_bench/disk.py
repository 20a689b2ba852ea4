"""Files written whole or not at all, lines appended one by one and synced, and locks."""

from __future__ import annotations

import json
import os
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


def pretty(data: Mapping[str, Any]) -> bytes:
    """Return data as JSON that people can read."""
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or None if there is no such file.

    Raises:
        StoreError: The file is damaged.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
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
            yield read(json.loads(line))
        except (ValueError, TypeError, AttributeError, SparkleError) as error:
            raise StoreError(
                f"{path} line {number} is damaged ({one_line(error)}); restore or remove that line"
            ) from error


def append_line(path: Path, data: Mapping[str, Any]) -> None:
    """Append one line of JSON; on return it is on disk. A cut-off line before it is overwritten.

    Raises:
        StoreError: It cannot be written.
    """
    line = json.dumps(data, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
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
