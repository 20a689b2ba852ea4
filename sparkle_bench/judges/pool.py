"""One or several servers of one judge: the least loaded gets the next request, a dead one is set aside and taken back.

A server that cannot be reached, or that fails again and again while others answer, is set aside and looked at in growing
intervals; it is taken back once it serves the same model again. When none is left and all were looked at a few times,
`JudgeUnavailable` stops the run: a breaker, never an endless retry.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkle_bench.errors import JudgeUnavailable, RequestFailed
from sparkle_bench.judges.pace import Limit, Pace, Rates
from sparkle_bench.judges.transport import Again, Transport, wait_before

LOOKS = 4
"""So many looks at a server that does not answer, before a run without any server stops."""
FAILURES = 5
"""So many failures in a row set a server aside while others answer."""
Look = Callable[[Transport], "str | None"]
Check = Callable[[dict[str, Any]], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON answer.

    Attributes:
        data: The answer.
        failures: One line for every try that failed before it.
        seconds: How long the answered request took.
    """

    data: dict[str, Any]
    failures: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request.

    Attributes:
        path: Endpoint under the API's base.
        body: JSON, encoded.
        check: Says what is wrong with an answer, or None.
        tokens: How many it may cost, for `max_tpm`.
        tries: Requests sent before giving up; None for as many as usual.
        wait: Seconds between tries; None for growing ones.
    """

    path: str
    body: bytes
    check: Check
    tokens: int = 0
    tries: int | None = None
    wait: float | None = None


@dataclass(slots=True, kw_only=True)
class _Member:
    """A server and how it does."""

    transport: Transport
    limit: Limit
    on_their_way: int = 0
    failures: int = 0
    looks: int = 0
    aside: str | None = None
    for_good: bool = False


@dataclass(slots=True, kw_only=True)
class _Turn:
    """Leave to send one request."""

    member: _Member
    begun: float
    sent: list[float] = field(default_factory=list)


class Pool:
    """The servers of one judge. Safe to use from many threads."""

    def __init__(
        self, transports: Sequence[Transport], pace: Pace | None = None, look: Look = Transport.trouble
    ) -> None:
        """Hold servers that are up.

        Args:
            transports: The servers.
            pace: How fast to ask them.
            look: Says what is wrong with a server that was set aside, or None to take it back.
        """
        pace = pace or Pace()
        self._look = look
        self._members = [_Member(transport=transport, limit=Limit(pace)) for transport in transports]
        self._rates = Rates(pace)
        self._sleep, self._tries = transports[0].sleep, transports[0].tries
        self._condition = threading.Condition()
        self._gone: str | None = None
        self._closed = False

    @property
    def limits(self) -> list[int]:
        """How many requests may be on their way to each server now."""
        return [member.limit.value for member in self._members]

    @property
    def shown(self) -> str:
        """The servers' addresses."""
        return ", ".join(member.transport.shown for member in self._members)

    @property
    def aside(self) -> dict[str, str]:
        """Why each server that is set aside is so, by its address."""
        return {m.transport.shown: m.aside for m in self._members if m.aside is not None}

    @property
    def up(self) -> list[str]:
        """The addresses of the servers that are not set aside."""
        return [member.transport.shown for member in self._members if member.aside is None]

    def close(self) -> None:
        """Hang up and look at no server any more."""
        with self._condition:
            self._closed = True
        for member in self._members:
            member.transport.close()

    def post(self, post: Post) -> Answer:
        """Send a request to whichever server is free, with bounded retries.

        Raises:
            RequestFailed: It got no answer; `failures` holds a line for every try.
            JudgeUnavailable: No server is left.
        """
        failures: list[str] = []
        tries = self._tries if post.tries is None else post.tries
        while len(failures) < tries:
            turn = self._turn(post.tokens)
            try:
                data = turn.member.transport.attempt(post.path, post.body, post.check)
            except Again as trouble:
                failures.append(str(trouble))
                self._failed(turn, trouble)
                if not trouble.unreachable and len(failures) < tries:
                    self._sleep(wait_before(len(failures) - 1, trouble.wait) if post.wait is None else post.wait)
            except JudgeUnavailable as refusal:
                failures.append(str(refusal))
                self._drop(turn, refusal)
            except RequestFailed as refusal:
                self._release(turn)
                raise RequestFailed(
                    str(refusal), failures=(*failures, *refusal.failures), systemic=refusal.systemic
                ) from refusal
            except BaseException:
                self._release(turn)
                raise
            else:
                return Answer(data=data, failures=tuple(failures), seconds=self._answered(turn, data))
        raise RequestFailed(f"no answer in {tries} tries; the last: {failures[-1]}", failures=tuple(failures))

    # -- whose turn is it? ---------------------------------------------------------------------------------------------

    def _turn(self, tokens: int) -> _Turn:
        """Wait until a server is free and the rates allow a request."""
        with self._condition:
            while True:
                if self._gone is not None:
                    raise JudgeUnavailable(self._gone)
                free = [m for m in self._members if m.aside is None and m.on_their_way < m.limit.value]
                pause = self._rates.wait(tokens, now=time.monotonic()) if free else None
                if free and not pause:
                    member = min(free, key=lambda m: m.on_their_way / m.limit.value)
                    member.on_their_way += 1
                    begun = time.monotonic()
                    return _Turn(member=member, begun=begun, sent=self._rates.send(tokens, now=begun))
                self._condition.wait(pause)

    def _release(self, turn: _Turn) -> None:
        with self._condition:
            turn.member.on_their_way -= 1
            self._condition.notify_all()

    def _answered(self, turn: _Turn, data: dict[str, Any]) -> float:
        now = time.monotonic()
        with self._condition:
            member = turn.member
            full = member.on_their_way >= member.limit.value
            member.limit.answered(now - turn.begun, now=now, full=full)
            member.failures = 0
            usage = data.get("usage")
            total = usage.get("total_tokens") if isinstance(usage, dict) else None
            if isinstance(total, int):
                turn.sent[1] = float(total)
        self._release(turn)
        return now - turn.begun

    def _failed(self, turn: _Turn, trouble: Again) -> None:
        member = turn.member
        with self._condition:
            member.failures += 1
            if trouble.busy:
                member.limit.busy(begun=turn.begun, now=time.monotonic())
            others = any(m.aside is None for m in self._members if m is not member)
            if trouble.unreachable or (member.failures >= FAILURES and others):
                self._set_aside(member, str(trouble))
        self._release(turn)

    def _drop(self, turn: _Turn, refusal: JudgeUnavailable) -> None:
        """Give a server up that refuses the key or no longer knows the model."""
        with self._condition:
            turn.member.for_good = True
            turn.member.aside = str(refusal)
            self._count_the_lost()
        self._release(turn)

    # -- servers that are set aside ------------------------------------------------------------------------------------

    def set_aside(self, transport: Transport, why: str) -> None:
        """Do without a server until it answers."""
        with self._condition:
            self._set_aside(next(m for m in self._members if m.transport is transport), why)

    def _set_aside(self, member: _Member, why: str) -> None:
        if member.aside is None and not self._closed:
            member.aside, member.looks = why, 1
            threading.Thread(target=self._watch, args=(member,), daemon=True, name="sparkle-judge-watch").start()

    def _watch(self, member: _Member) -> None:
        """Look at a server in growing intervals until it is back."""
        while not self._closed and self._gone is None:
            self._sleep(wait_before(member.looks - 1, None))
            if self._closed:
                return
            trouble = self._look(member.transport)
            with self._condition:
                if trouble is None:
                    member.aside, member.failures = None, 0
                    self._condition.notify_all()
                    return
                member.looks += 1
                self._count_the_lost()

    def _count_the_lost(self) -> None:
        """Stop everybody once no server is left."""
        if any(m.aside is None or (not m.for_good and m.looks < LOOKS) for m in self._members):
            return
        if len(self._members) == 1:
            alone = self._members[0]
            self._gone = str(alone.aside)
            if not alone.for_good:
                self._gone = f"the judge at {alone.transport.shown} is gone: {alone.aside}; start it and run again"
        else:
            each = "; ".join(f"{m.transport.shown}: {m.aside}" for m in self._members)
            self._gone = f"none of the judge's {len(self._members)} servers is left ({each}); start them and run again"
        self._condition.notify_all()
