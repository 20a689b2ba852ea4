"""One worker process while it runs: asking it, noticing that it hangs or has died, and ending all that belongs to it."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sparkle_bench import discretion
from sparkle_bench.editors import Recipe
from sparkle_bench.editors.worker import home as homes
from sparkle_bench.editors.worker import lines
from sparkle_bench.errors import one_line

TAIL_BYTES = 4000
TAIL_LETTERS = 400
CLOSE_SECONDS = 5.0
"""How long a worker that is told to end may take, before it is killed."""
KILL_SECONDS = 10.0
"""How long a killed process may take to be gone; a stuck driver holds one for ever."""
STOPPED = "the run was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a worker is started with.

    Attributes:
        recipe: What it builds and loads.
        editor: The editor's class.
        python: The interpreter.
        settings: Environment variables to set.
        places: How many jobs it does at once.
        work: What it is to look at before its first job.
        key: The secret that the editor is given before its work, if it asks for one.
    """

    recipe: Recipe
    editor: type[object]
    python: Path
    settings: Mapping[str, str]
    places: int
    work: Mapping[str, Any] | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def packages(self) -> set[str]:
        """Top-level modules and packages that the interpreter may not have: of the class, and of the name it is found by."""
        module, colon, _ = self.recipe.name.partition(":")
        names = [self.editor.__module__, *([module] if colon and self.recipe.preset is None else [])]
        return {name.split(".")[0] for name in names}

    def message(self, home: Path) -> dict[str, Any]:
        """Return what the worker is told first."""
        made = {"name": self.recipe.name, "options": dict(self.recipe.options), "preset": self.recipe.preset}
        path = sys.path if homes.is_ours(self.python) else []
        return {"recipe": made, "path": path, "home": str(home), "key": self.key, **(self.work or {})}


class Gone(Exception):
    """The worker has ended while it was asked.

    Attributes:
        at_fault: Whether the job that was asked for is known to be why.
    """

    def __init__(self, reason: str, *, at_fault: bool = False) -> None:
        super().__init__(reason)
        self.at_fault = at_fault


@dataclass(slots=True, kw_only=True)
class _Ticket:
    sent: float
    turn: float | None = None
    answered: threading.Event = field(default_factory=threading.Event)
    answer: Mapping[str, Any] | Gone | None = None


class Running:
    """A worker process from its start to its end; threads may share it."""

    def __init__(self, start: Start) -> None:
        """Start it; the model loads meanwhile.

        Raises:
            OSError: It cannot be started.
        """
        self._start = start
        self._tickets: dict[int, _Ticket] = {}
        self._hello = self._ticket(0)
        self._sign = time.monotonic()
        self._lock, self._writing, self._ending = threading.Lock(), threading.Lock(), threading.Lock()
        self._count = 0
        self._verdict: tuple[str, _Ticket | None] | None = None
        self._gone: str | None = None
        self._tail = b""
        self._started: list[int] = []
        self._home = homes.made(start.packages)
        try:
            self._process = subprocess.Popen(
                homes.words(self._home, start.python, start.settings),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        self._log = threading.Thread(target=self._keep_tail, daemon=True)
        self._log.start()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._await_end, daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._gone is not None or self._verdict is not None

    @property
    def why(self) -> str:
        """Why it has ended; empty as long as it runs."""
        return self._gone or (self._verdict[0] if self._verdict else "")

    def hello(self, limit: float) -> Mapping[str, Any]:
        """Wait until the model is loaded and return what the worker says of it: `ready` or `failed`.

        Raises:
            Gone: It ended, or took longer than `limit` seconds.
        """
        if not self._hello.answered.wait(max(0.0, self._hello.sent + limit - time.monotonic())):
            self._end_because(f"loading the model took longer than {limit:g} s", None)
        return self._answer(self._hello)

    def ask(self, question: Mapping[str, Any], limit: float) -> Mapping[str, Any]:
        """Ask, and wait for the answer.

        Args:
            question: A message without its id.
            limit: Seconds that a job may take from its turn; if that is not told, from the worker's last sign of life.

        Raises:
            Gone: The worker ended, or hung and was ended.
        """
        with self._lock:
            if self._gone is not None:
                raise Gone(self._gone)
            self._count += 1
            number = self._count
            ticket = self._ticket(number)
        try:
            self._write({"id": number, **question})
            while (left := self._deadline(ticket, limit) - time.monotonic()) > 0:
                if ticket.answered.wait(left):
                    return self._answer(ticket)
            self._end_because(f"the edit took longer than {limit:g} s and was ended", self._guilty(ticket))
            return self._answer(ticket)
        finally:
            with self._lock:
                self._tickets.pop(number, None)

    def fail(self, reason: str) -> None:
        """End it since it said itself that it is of no use any more."""
        self._end_because(reason, None)

    def close(self) -> None:
        """Let it end by itself, or end it; whoever waits for an answer is told."""
        with self._lock:
            self._verdict = self._verdict or (STOPPED, None)
        self._hang_up(CLOSE_SECONDS)

    def _ticket(self, number: int) -> _Ticket:
        ticket = _Ticket(sent=time.monotonic())
        self._tickets[number] = ticket
        return ticket

    def _deadline(self, ticket: _Ticket, limit: float) -> float:
        """Until when an answer is waited for; others' answers give more time, but not more than all places need."""
        if ticket.turn is not None:
            return ticket.turn + limit
        return min(max(ticket.sent, self._sign) + limit, ticket.sent + limit * self._start.places)

    def _guilty(self, ticket: _Ticket) -> _Ticket | None:
        """Return the job that hangs, if it is known, when this one waits in vain: it, or the last that took its turn."""
        with self._lock:
            turns = [other for other in self._tickets.values() if other.turn is not None]
            if ticket.turn is not None or len(self._tickets) == 1:
                return ticket
        return max(turns, key=lambda other: other.turn or 0.0) if turns else None

    def _answer(self, ticket: _Ticket) -> Mapping[str, Any]:
        ticket.answered.wait()
        if isinstance(ticket.answer, Gone):
            raise Gone(str(ticket.answer), at_fault=ticket.answer.at_fault)
        assert ticket.answer is not None
        return ticket.answer

    def _write(self, message: Mapping[str, Any]) -> None:
        """Send a message. If the worker is gone, whoever reads from it notices."""
        rest = memoryview(lines.encoded(message))
        assert self._process.stdin is not None
        with self._writing, suppress(OSError, ValueError):
            while rest:
                rest = rest[os.write(self._process.stdin.fileno(), rest) :]

    def _read(self) -> None:
        """Take in what the worker says until its end."""
        assert self._process.stdout is not None
        said = io.BufferedReader(self._process.stdout)  # type: ignore[type-var]
        self._write(self._start.message(self._home))
        try:
            while line := said.readline(lines.MOST_BYTES):
                self._take(lines.decoded(line))
        except (ValueError, TypeError, KeyError) as error:
            with self._lock:
                self._verdict = self._verdict or (f"the worker process sent what it should not: {error}", None)
        self._finish()
        said.close()

    def _await_end(self) -> None:
        """Notice the process's end also where a child that it has forked keeps its output open."""
        self._process.wait()
        self._reader.join(1.0)
        self._finish()

    def _take(self, message: Mapping[str, Any]) -> None:
        """Hand a message to who waits for it.

        Raises:
            ValueError: Nobody does.
        """
        self._sign = time.monotonic()
        with self._lock:
            number = message.get("turn", message.get("id", 0 if {"ready", "failed"} & set(message) else None))
            ticket = self._tickets.get(number) if type(number) is int else None
            if ticket is None:
                raise ValueError("an answer to what nobody asked")
            if "turn" in message:
                ticket.turn = self._sign
                return
            if number == 0:
                self._tickets.pop(0)
            ticket.answer = message
            ticket.answered.set()

    def _keep_tail(self) -> None:
        assert self._process.stderr is not None
        log: IO[bytes] = self._process.stderr
        with suppress(OSError, ValueError):
            while piece := os.read(log.fileno(), 65536):
                self._tail = (self._tail + piece)[-TAIL_BYTES:]
        log.close()

    def _end_because(self, reason: str, at_fault: _Ticket | None) -> None:
        """End a worker that runs; give it a moment to end what it has started."""
        with self._lock:
            self._verdict = self._verdict or (reason, at_fault)
        self._hang_up(CLOSE_SECONDS / 2)

    def _hang_up(self, patience: float) -> None:
        """Let it end by itself; what it has started and leaves behind is ended in `_finish`."""
        if self._process.poll() is None:
            self._started = _descendants(self._process.pid)
        if self._close_input(patience):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self._finish()

    def _close_input(self, patience: float) -> bool:
        """Close our end, unless somebody is stuck writing to it; nothing may be written once its number is another's."""
        assert self._process.stdin is not None
        if not self._writing.acquire(timeout=patience):
            return False
        try:
            with suppress(OSError):
                self._process.stdin.close()
        finally:
            self._writing.release()
        return True

    def _finish(self) -> None:
        """See to it that the process is gone with all that belongs to it, and tell everyone who waits why."""
        with self._ending:
            if self._gone is not None:
                return
            if self._verdict is None:  # it closed its end; that comes a moment before its end
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(CLOSE_SECONDS)
            by_itself = self._process.poll()
            _kill(self._process, self._started)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(KILL_SECONDS)
            self._log.join(1.0)
            reason, at_fault = self._verdict or (_died(by_itself), None)
            if reason != STOPPED:
                reason = f"{reason}{self._last_words()}"
            with self._lock:
                self._gone = reason
                waiting = list(self._tickets.values())
                self._tickets.clear()
            for ticket in waiting:
                ticket.answer = Gone(reason, at_fault=ticket is at_fault)
                ticket.answered.set()
            self._close_input(KILL_SECONDS)
            shutil.rmtree(self._home, ignore_errors=True)

    def _last_words(self) -> str:
        text = one_line(discretion.cleaned(self._tail.decode(errors="replace")), limit=TAIL_BYTES)
        return f"; it printed at last: {text[-TAIL_LETTERS:]}" if text else ""


def _died(status: int | None) -> str:
    if status is None:
        return "the worker process closed its output and went on"
    if status >= 0:
        return f"the worker process ended with code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "unknown"
    hint = {"SIGKILL": ", likely out of the machine's memory", "SIGSEGV": ", a fault in native code"}.get(name, "")
    return f"the worker process died (signal {-status}, {name}{hint})"


def _kill(process: subprocess.Popen[bytes], started: list[int]) -> None:
    """Kill a process's group and, where the system tells, what of its descendants has left the group.

    Args:
        process: The leader of the group.
        started: Descendants as they were when it was told to end; nobody finds them after its end.
    """
    descendants = {*started, *(_descendants(process.pid) if process.poll() is None else ())}
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in descendants:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # The name, in parentheses, may hold blanks; state and parent follow it.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        mine = children.get(left.pop(), [])
        found += mine
        left += mine
    return found
