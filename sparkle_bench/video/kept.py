"""Sources as a judge is shown them, kept on disk: a source is decoded once, however many models are judged beside it.

An entry is one file, named by a hash over the source's bytes, the sampling and the versions of all that makes pictures of
it. It holds its own hash, so a damaged one is not believed and made anew. All entries together stay below a number of
bytes; those that nobody used for longest go first. A full or unwritable disk costs time alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from sparkle_bench.video.pair import FORM, Clip, Sampling, Shown, Timing, decoder

MOST_BYTES = 2 << 30
ROOM = 0.9
"""When the limit is reached, entries are removed until this share of it is left."""
COUNTED_ANEW = 16
"""Others may write too: after this part of the limit is written, all entries are counted anew."""
ABANDONED_SECONDS = 3600.0
"""An unfinished file of this age belongs to a process that died."""
SUFFIX = ".pictures"


class Kept:
    """Sampled sources in a folder. Safe to use from many threads and processes at once."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        """Use a folder.

        Args:
            folder: Where entries lie; made when the first is written.
            most_bytes: How many bytes they may take together; 0 keeps nothing.
        """
        self._folder, self._most = folder, most_bytes
        self._made_by = {"form": FORM, "decoder": decoder(), "machine": platform.machine()}
        self._left = 0  # bytes to write before all are counted again
        self._writable = most_bytes > 0
        self._lock = threading.Lock()

    def get(self, sha256: str, sampling: Sampling) -> Shown | None:
        """Return what is kept of a source, or None.

        Args:
            sha256: The source's hash.
            sampling: How it is to be sampled.
        """
        path = self._path(sha256, sampling)
        try:
            shown = _unpacked(path.read_bytes())
        except (OSError, ValueError, TypeError, KeyError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it was used
        return shown

    def put(self, sha256: str, sampling: Sampling, shown: Shown) -> None:
        """Keep a source; where that cannot be, go on without.

        Args:
            sha256: The source's hash.
            sampling: How it was sampled.
            shown: What came out.
        """
        content = _packed(shown)
        if not self._writable or len(content) > self._most * ROOM:
            return
        path = self._path(sha256, sampling)
        part = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(content))
            part.write_bytes(content)
            part.replace(path)
        except OSError:
            self._writable = False
            with contextlib.suppress(OSError):
                part.unlink()

    def _path(self, sha256: str, sampling: Sampling) -> Path:
        named = json.dumps({**self._made_by, "source": sha256, "sampling": asdict(sampling)}, sort_keys=True)
        return self._folder / f"{hashlib.sha256(named.encode()).hexdigest()[:40]}{SUFFIX}"

    def _make_room(self, size: int) -> None:
        """Remove what was used least recently if the limit would be passed."""
        with self._lock:
            self._left -= size
            if self._left >= 0:
                return
            entries = sorted(_entries(self._folder))
            total = size + sum(number for _, number, _ in entries)
            if total > self._most:
                for _, number, path in entries:
                    if total <= self._most * ROOM:
                        break
                    path.unlink(missing_ok=True)
                    total -= number
            self._left = min(self._most - total, self._most // COUNTED_ANEW)


def _entries(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield (time of last use, bytes, path) of every entry, and remove what a killed process left behind."""
    now = time.time()
    for path in folder.iterdir():
        try:
            found = path.stat()
            if path.suffix == SUFFIX:
                yield found.st_mtime, found.st_size, path
            elif path.suffix == ".part" and now - found.st_mtime > ABANDONED_SECONDS:
                path.unlink()
        except FileNotFoundError:  # another process made room
            continue


def _packed(shown: Shown) -> bytes:
    """Return an entry: its hash, a line of JSON, the pictures."""
    timing = shown.timing
    about = {
        "mime": shown.clip.mime,
        "sizes": [len(part) for part in shown.clip.parts],
        "indices": list(timing.indices),
        "fps": timing.fps,
        "total": timing.total,
    }
    content = json.dumps(about).encode() + b"\n" + b"".join(shown.clip.parts)
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def _unpacked(content: bytes) -> Shown:
    """Return what an entry holds.

    Raises:
        ValueError: It is damaged.
    """
    seal, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != seal:
        raise ValueError("damaged")
    line, _, pictures = rest.partition(b"\n")
    about = json.loads(line)
    parts, start = [], 0
    for size in about["sizes"]:
        parts.append(pictures[start : start + size])
        start += size
    timing = Timing(indices=tuple(about["indices"]), fps=about["fps"], total=about["total"])
    return Shown(clip=Clip(mime=about["mime"], parts=tuple(parts)), timing=timing)
