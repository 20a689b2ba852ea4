"""Any program that makes one video per call, such as `python infer.py --src {source} --prompt {instruction} --out {out}`.

The command is split as a shell would split it, but no shell runs it: instructions contain quotes, and are data.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO

from sparkle_bench import discretion
from sparkle_bench.errors import EditorError, one_line
from sparkle_bench.records import Sample

PLACEHOLDERS = ("source", "instruction", "out", "id", "theme", "subtheme", "scene")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
TAIL_BYTES = 2000


class Command:
    """Any program: `--option cmd='… {source} {instruction} {out}'`, run once per sample without a shell."""

    thread_safe = True

    def __init__(self, *, cmd: str, timeout: float = 3600.0) -> None:
        """Check a command line.

        Args:
            cmd: The command with `{source}`, `{instruction}` and `{out}`; `{id}`, `{theme}`, `{subtheme}` and
                `{scene}` may stand in it too.
            timeout: Seconds after which a call is ended.
        """
        try:
            self._words = shlex.split(cmd)
        except ValueError as error:
            raise EditorError(f"the command cannot be split into words: {error}") from error
        if not 0 < timeout < math.inf:
            raise EditorError(f"a time limit of {timeout} s is none")
        used = {name for word in self._words for name in _PLACEHOLDER.findall(word)}
        for name in used - set(PLACEHOLDERS):
            raise EditorError(f"the command has an unknown placeholder {{{name}}}; known: {', '.join(PLACEHOLDERS)}")
        if "out" not in used:
            raise EditorError("the command does not say where to write: it needs {out}")
        if shutil.which(self._words[0]) is None:
            raise EditorError(f"there is no program {self._words[0]!r} to run")
        self._timeout = timeout
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def describe(self) -> dict[str, str]:
        """Return the command as others may read it: no folders of this machine, nothing that looks like a secret."""
        return {"cmd": shlex.join(discretion.cleaned_words(self._words)), "timeout": f"{self._timeout:g}"}

    def edit(self, sample: Sample, out: Path) -> None:
        """Run the command.

        Raises:
            EditorError: It cannot start, fails, runs out of time, or writes nothing. The end of what it printed is kept.
        """
        values = {
            "source": str(sample.source_path.resolve()),
            "instruction": sample.instruction,
            "out": str(out.resolve()),
            "id": sample.id,
            "theme": sample.theme,
            "subtheme": sample.subtheme,
            "scene": sample.scene,
        }
        words = [_PLACEHOLDER.sub(lambda match: values[match[1]], word) for word in self._words]
        with tempfile.TemporaryFile() as log:
            code = self._run(words, log)
            tail = _tail(log)
        if code is None:
            raise EditorError(f"the command ran longer than {self._timeout:g} s and was ended: {tail}")
        if code != 0:
            raise EditorError(f"the command ended with code {code}: {tail}")
        if not out.is_file():
            raise EditorError(f"the command ended well but wrote no file to {{out}}: {tail}")

    def _run(self, words: list[str], log: IO[bytes]) -> int | None:
        """Return the exit code, or None when time ran out."""
        with self._lock:
            if self._closed:
                raise EditorError("the run was stopped")
            try:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            except OSError as error:
                raise EditorError(f"the command {words[0]!r} cannot start: {error.strerror}") from error
            self._running.add(process)
        try:
            return process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)
            with self._lock:
                self._running.discard(process)

    def close(self) -> None:
        """End every call that is still running."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process's group; the command may have started others."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    process.wait()


def _tail(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - TAIL_BYTES))
    text = one_line(log.read().decode(errors="replace"), limit=TAIL_BYTES)
    return text[-600:] or "it printed nothing"
