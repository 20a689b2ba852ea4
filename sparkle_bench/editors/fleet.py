"""Several editors of one model as one: a worker process a GPU, or an actor a GPU of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sparkle_bench import editors
from sparkle_bench.editors import Editor
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Edit, Effort, Sample
from sparkle_bench.workers import stream

R = TypeVar("R")


class MemberLost(EditorError):
    """An editor can make no more edits: its model cannot be loaded, its machine is gone. No sample is to blame.

    In a fleet the others take over its samples; otherwise the run stops.
    """


def together(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the first of several descriptions of a model; where others differ, every kind of them under `devices`."""
    kinds = [kind for number, kind in enumerate(found) if kind not in found[:number]]
    names = dict.fromkeys(name for kind in kinds for name in kind)
    differ = [name for name in names if any(kind.get(name) != kinds[0].get(name) for kind in kinds)]
    devices = [{"count": found.count(kind)} | {name: kind[name] for name in differ if name in kind} for kind in kinds]
    return {**kinds[0], **({"devices": devices} if len(kinds) > 1 else {})}


class Fleet:
    """Edits with several editors; each sample goes to the one that is the least busy. Threads may share it."""

    thread_safe = True

    def __init__(self, members: Sequence[Editor], *, say: Callable[[str], object] = lambda line: None) -> None:
        """Make one.

        Args:
            members: Editors of the same model; at least one. One that raises `MemberLost` is not asked again.
            say: Told in one line of a member that is lost while others go on.

        Raises:
            EditorError: There are none.
        """
        if not members:
            raise EditorError("there is no GPU to edit on")
        self._all = tuple(members)
        self._say = say
        self._members = list(members)
        self._places = {id(member): editors.at_once(member) for member in members}
        self._free = dict(self._places)
        self._changed = threading.Condition()
        self._closed = False
        if all(hasattr(member, "is_current") for member in members):
            self.is_current = self._is_current

    @property
    def at_once(self) -> int:
        """Samples at once: all members' together."""
        with self._changed:
            return max(1, sum(editors.at_once(member) for member in self._members))

    @property
    def incidental(self) -> Sequence[str]:
        """Names of options that change nothing of what comes out."""
        return tuple(getattr(self._all[0], "incidental", ()))

    @property
    def hashes(self) -> Any:
        """What is remembered of files' hashes, for `is_current`."""
        return getattr(self._first(), "hashes", None)

    @hashes.setter
    def hashes(self, hashes: Any) -> None:
        for member in self._alive():
            if hasattr(member, "hashes"):
                member.hashes = hashes

    def load(self) -> None:
        """Let all members load at the same time.

        Raises:
            MemberLost: Not one of them can.
        """
        self._each(editors.load)

    def describe(self) -> dict[str, Any]:
        """Return what all members say of the model, as one.

        Raises:
            MemberLost: No member is left.
        """
        return together(self._each(lambda member: editors.describe(member, {})))

    def declared(self) -> dict[str, Any]:
        """Return what the makers declare of the model."""
        return self._ask(editors.declared)

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        """Return (frames, height, width) as the model sees the sample.

        Raises:
            VideoError: The source cannot be read, or the model cannot take it.
        """
        return editors.shape(self._first(), sample)

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Let every member look at the whole work.

        Raises:
            EditorError: One of them refuses it, or none is left.
        """
        self._each(lambda member: editors.prepare(member, samples))

    def _is_current(self, sample: Sample, edit: Edit) -> bool:
        return editors.is_current(self._first(), sample, edit)

    def edit(self, sample: Sample, out: Path) -> Effort | None:
        """Edit a sample with whoever is the least busy; if that one is lost, with another.

        Raises:
            MemberLost: None is left.
            EditorError: The edit failed, or the run was stopped.
        """
        while True:
            member = self._take()
            try:
                return member.edit(sample, out)
            except MemberLost as error:
                out.unlink(missing_ok=True)
                self._drop(member, error)
            finally:
                self._give_back(member)

    def close(self) -> None:
        """End all members, also those that were lost."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        list(stream(self._all, _close, workers=len(self._all)))

    def _alive(self) -> list[Editor]:
        with self._changed:
            return list(self._members)

    def _first(self) -> Editor:
        return self._alive()[0]

    def _take(self) -> Editor:
        """Wait for a free place, and take it: an idle member's, if there is one, so that no GPU waits for work."""
        with self._changed:
            while not self._closed:
                member = max(self._members, key=lambda m: (self._free[id(m)] / self._places[id(m)], self._free[id(m)]))
                if self._free[id(member)] > 0:
                    self._free[id(member)] -= 1
                    return member
                self._changed.wait()
        raise EditorError("the run was stopped")

    def _give_back(self, member: Editor) -> None:
        with self._changed:
            self._free[id(member)] += 1
            self._changed.notify_all()

    def _drop(self, member: Editor, error: MemberLost) -> None:
        """Ask this member no more; the last one stays, so that its error is everyone's.

        Raises:
            MemberLost: It was the last.
        """
        with self._changed:
            if member in self._members and len(self._members) == 1:
                raise error
            if member not in self._members:
                return
            self._members.remove(member)
            left = len(self._members)
            self._changed.notify_all()
        self._say(f"one worker is lost, {left} of {len(self._all)} go on: {error}")

    def _ask(self, question: Callable[[Editor], R]) -> R:
        """Ask the first member that can answer."""
        while True:
            member = self._first()
            try:
                return question(member)
            except MemberLost as error:
                self._drop(member, error)

    def _each(self, question: Callable[[Editor], R]) -> list[R]:
        """Ask all members at the same time, drop those that are lost, and return the others' answers in order."""
        members = self._alive()
        answers: dict[int, R] = {}

        def ask(member: Editor) -> list[tuple[Editor, R]]:
            try:
                return [(member, question(member))]
            except MemberLost as error:
                self._drop(member, error)
                return []

        for member, answer in stream(members, ask, workers=len(members)):
            answers[id(member)] = answer
        return [answers[id(member)] for member in members if id(member) in answers]


def _close(member: Editor) -> list[None]:
    editors.close(member)
    return []
