"""A worker process: it builds an editor, loads its model and edits what comes in on standard input.

It needs the standard library and what the editor needs. It ends when its input does, also when the harness was killed.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sparkle_bench import editors
from sparkle_bench.editors import Editor, Recipe
from sparkle_bench.editors.worker import guard, lines, turns
from sparkle_bench.errors import is_machine_trouble


class Worker:
    """Where jobs come in and answers go out; the worker's threads share it."""

    def __init__(self, jobs: IO[bytes], replies: int) -> None:
        self.inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.editor: Editor | None = None
        self._jobs, self._replies = jobs, replies
        self._writing = threading.Lock()

    def first(self) -> dict[str, Any] | None:
        """Return the first message; None if nobody wants anything."""
        line = self._jobs.readline()
        return lines.decoded(line) if line else None

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a message, whole. If the harness is gone there is nobody to tell."""
        rest = memoryview(lines.encoded(message))
        with self._writing, suppress(BrokenPipeError):
            while rest:
                rest = rest[os.write(self._replies, rest) :]

    def read(self, home: Path) -> None:
        """Take in messages; at their end, end the process and all that the editor has started."""
        with suppress(ValueError, OSError):
            while line := self._jobs.readline():
                self.inbox.put(lines.decoded(line))
        late = threading.Timer(guard.PATIENCE / 2, os._exit, args=(1,))
        late.daemon = True
        late.start()
        with suppress(BaseException):
            if self.editor is not None:
                editors.close(self.editor)
        shutil.rmtree(home, ignore_errors=True)
        os._exit(0)

    def work(self) -> None:
        """Answer one message after the other, without end."""
        while True:
            message = self.inbox.get()
            self.say({"id": message["id"], **self._answer(message)})

    def prepare(self, message: Mapping[str, Any]) -> None:
        """Let the editor look at its work, if the message holds any."""
        if self.editor is not None and "prepare" in message:
            editors.prepare(self.editor, [lines.sample(data, root) for data, root in message["prepare"]])

    def _answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        assert self.editor is not None
        try:
            if "prepare" in message:
                self.prepare(message)
                return {}
            sample = lines.sample(message["sample"], message["root"])
            with turns.told(lambda: self.say({"turn": message["id"]})):
                return lines.done(self.editor.edit(sample, Path(message["out"])))
        except BaseException as error:  # other people's code; also one that calls sys.exit
            return lines.failure(error)


def main() -> None:
    """Serve until the input ends."""
    worker = _open()
    start = worker.first()
    if start is None:
        return
    sys.path.extend(folder for folder in start["path"] if folder not in sys.path)
    threading.Thread(target=worker.read, args=(Path(start["home"]),), daemon=True).start()
    try:
        made = start["recipe"]
        recipe = Recipe(name=made["name"], options=made["options"], preset=made["preset"] and tuple(made["preset"]))
        worker.editor = editor = editors.build(recipe)
        if start["key"] is not None:
            setattr(editor, "key", start["key"])  # noqa: B010 - one of the optional parts of an editor
        if hasattr(editor, "load"):
            editor.load()  # as it is, so that its error keeps its kind on the way to the harness
        worker.prepare(start)
        options = editors.lasting(editor, recipe.options)
        hello = {"describe": editors.describe(editor, options), "declared": editors.declared(editor)}
    except BaseException as error:
        worker.say({"failed": lines.failure(error)})
        if not is_machine_trouble(error):
            raise  # the traceback is for the log
        return
    worker.say({"ready": hello})
    places = editors.at_once(editor)
    for _ in range(places - 1):
        threading.Thread(target=worker.work, daemon=True).start()
    worker.work()  # some libraries want the main thread


def _open() -> Worker:
    """Keep the pipes to the harness to ourselves: what libraries print goes to the log, and they read nothing."""
    jobs, replies = os.dup(0), os.dup(1)
    guard.watch(jobs)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return Worker(os.fdopen(jobs, "rb"), replies)


if __name__ == "__main__":
    main()
