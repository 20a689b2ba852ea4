"""One call of a program: the files that it is given, its words, and the videos that are new after it."""

from __future__ import annotations

import contextlib
import csv
import glob
import hashlib
import io
import json
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench.disk import held
from sparkle_bench.editors.process import Start
from sparkle_bench.editors.program import template
from sparkle_bench.editors.program.spec import Jobs, Spec
from sparkle_bench.editors.program.template import Values
from sparkle_bench.errors import EditorError, listed

SETTLED_SECONDS = 0.5
"""A file that still grows after the program has ended belongs to somebody else, who uses the same folder."""

Seen = Mapping[str, tuple[int, int, int]]
"""Files by path, and what tells one state of a file from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call.

    Attributes:
        spec: How the program is called.
        folder: This call's own folder, with a folder `sources` and one `out` in it.
        values: The placeholders that all of its clips share.
        clips: The placeholders of each clip; what is the only clip's own may stand in the command too.
    """

    spec: Spec
    folder: Path
    values: Values
    clips: Sequence[Values]

    @property
    def _all(self) -> Values:
        return {**self.values, **(self.clips[0] if len(self.clips) == 1 else {})}

    def write_files(self) -> None:
        """Write the files that the program is given, the list of jobs among them."""
        if self.spec.jobs is not None:
            lines = _jobs(self.spec.jobs, [{**self.values, **clip} for clip in self.clips])
            (self.folder / self.spec.jobs.name).write_text(lines, encoding="utf-8")
        for file, content in self.spec.files.items():
            made = template.data(content, self._all)
            text = made if isinstance(content, str) else json.dumps(made, indent=1) + "\n"
            (self.folder / file).write_text(str(text), encoding="utf-8")

    def start(self, timeout: float) -> Start:
        """Return what to run."""
        values = self._all
        return Start(
            words=[template.text(word, values) for word in self.spec.command if not self._is_left_out(word)],
            timeout=timeout,
            cwd=self.cwd,
            environment={name: template.text(text, values) for name, text in self.spec.environment.items()},
        )

    def _is_left_out(self, word: str) -> bool:
        name = word[1:-1] if word.startswith("{") and word.endswith("}") else ""
        return name in self.spec.options and self.values[name] == ""

    @property
    def cwd(self) -> Path:
        """The program's working directory."""
        return self.folder / template.text(self.spec.cwd, self._all)

    def seen(self) -> Seen:
        """Return what is there, of all that may be a clip's video."""
        return {} if not self.spec.is_shared else {path: state for c in self.clips for path, state in self._there(c)}

    def made(self, clip: Values, before: Seen) -> Path:
        """Return the video that is new for a clip.

        Raises:
            EditorError: There is none, or more than one.
        """
        new = {path: state for path, state in self._there(clip) if before.get(path) != state}
        if new and self.spec.is_shared:
            time.sleep(SETTLED_SECONDS)
            now = dict(self._there(clip))
            new = {path: state for path, state in new.items() if now.get(path) == state}
        if len(new) == 1:
            return Path(next(iter(new)))
        where = Path(self.place(clip)).name
        if not new:
            raise EditorError(f"the program made no video for {clip['id']}: nothing new is called {where}")
        names = listed([Path(path).name for path in sorted(new)])
        raise EditorError(f"the program made {len(new)} videos for {clip['id']}, and any may be the edit: {names}")

    def place(self, clip: Values) -> str:
        """Return where a clip's video appears: a path or a pattern, absolute."""
        values = {**self.values, **clip}
        if template.is_pattern(self.spec.output):
            return str(Path(glob.escape(str(self.cwd))) / template.pattern(self.spec.output, values))
        return str(self.cwd / template.text(self.spec.output, values))

    def _there(self, clip: Values) -> Iterator[tuple[str, tuple[int, int, int]]]:
        place = self.place(clip)
        # Not `Path.glob`: it takes no absolute pattern, and hidden files for videos.
        found = glob.glob(place, recursive=True) if template.is_pattern(self.spec.output) else [place]  # noqa: PTH207
        for path in map(Path, found):
            with contextlib.suppress(FileNotFoundError):  # somebody else's may go at any time
                state = path.stat()
                if stat.S_ISREG(state.st_mode):
                    yield str(path), (state.st_ino, state.st_mtime_ns, state.st_size)


@contextlib.contextmanager
def turn(call: Call) -> Iterator[None]:
    """Hold the folder in which videos appear, if others may use it: what is new there is then this call's.

    Harness processes of one user on one machine wait for each other.
    """
    if not call.spec.is_shared:
        yield
        return
    place = call.place({**call.clips[0], "id": "", "file": "", "out": ""})
    name = hashlib.sha256(str(Path(place).parent).encode()).hexdigest()[:16]
    with held(Path(tempfile.gettempdir()) / f"sparkle-bench-locks-{os.getuid()}" / f"{name}.lock"):
        yield


def free_port() -> int:
    """Return a port of this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _jobs(jobs: Jobs, clips: Sequence[Values]) -> str:
    """Return the list of jobs; where a line is a line of text, a line break in a value becomes a blank."""
    rows: list[Any] = [template.data(jobs.line, clip) for clip in clips]
    if jobs.format == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if jobs.format == "lines":
        return "".join(" ".join(str(row).splitlines()) + "\n" for row in rows)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(rows[0])
    table.writerows([template.shown(value) for value in row.values()] for row in rows)
    return written.getvalue()
