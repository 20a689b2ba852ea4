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

from sparkle_bench.errors import JudgeUnavailable, RequestFailed, one_line
from sparkle_bench.judges.pace import Limit, Pace, Rates
from sparkle_bench.judges.transport import Again, Refused, Transport, tokens_of, wait_before

LOOKS = 6
"""So many looks at a server that does not answer, before a run without any server stops."""
FAILURES = 5
"""So many failures in a row set a server aside while others answer."""
TIME_OUTS = 12
"""So many requests in a row that no server answered in time stop the run; another server's answer begins anew."""
LONGEST_REST, MOST_REST = 60.0, 300.0
"""Seconds for which a server rests whose quota is used up, at once and in all without an answer between."""
Look = Callable[[Transport], "str | None"]
Check = Callable[[dict[str, Any]], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON answer.

    Attributes:
        data: The answer.
        failures: One line for every try that failed before it.
        seconds: How long the answered request took.
        lost: Prompt and completion tokens of answers before it that held no reply.
    """

    data: dict[str, Any]
    failures: tuple[str, ...] = ()
    seconds: float = 0.0
    lost: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request.

    Attributes:
        path: Endpoint under the API's base.
        body: JSON, encoded.
        check: Says what is wrong with an answer, or None.
        tokens: How many it may cost, for `max_tpm`.
        tries: Requests sent before giving up, whatever became of them; None for as many as usual.
        wait: Seconds between tries; None for growing ones.
        insist: Send it again even if the server refuses it.
    """

    path: str
    body: bytes
    check: Check
    tokens: int = 0
    tries: int | None = None
    wait: float | None = None
    insist: bool = False


@dataclass(slots=True, kw_only=True)
class _Course:
    """How one request goes: what failed so far, and how many tries are left."""

    post: Post
    left: int
    failures: list[str] = field(default_factory=list)
    lost: tuple[int, int] = (0, 0)

    def failed(self, why: str, *, systemic: bool = True) -> RequestFailed:
        """Return the end of it."""
        return RequestFailed(why, failures=tuple(self.failures), systemic=systemic, tokens=self.lost)


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
    answers: int = 0
    resting: bool = False
    rests: int = 0
    rested: float = 0.0

    @property
    def free(self) -> bool:
        """Whether it may be asked now."""
        return self.aside is None and not self.resting and self.on_their_way < self.limit.value


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
        self._timed_out = 0

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
            self._stop("the judge was closed here")
        for member in self._members:
            member.transport.close()

    def post(self, post: Post) -> Answer:
        """Send a request to whichever server is free, with bounded retries.

        A server that cannot be reached uses up no try, for it is set aside; nor does a quota that is used up, for the
        server then gets no request until it may have one again.

        Raises:
            RequestFailed: It got no answer; `failures` holds a line for every request that failed.
            JudgeUnavailable: No server is left.
        """
        course = _Course(post=post, left=self._tries if post.tries is None else post.tries)
        while course.left > 0:
            turn = self._turn(post.tokens)
            try:
                data = turn.member.transport.attempt(post.path, post.body, post.check)
            except Again as trouble:
                self._again(turn, trouble, course)
            except Refused as refusal:
                self._refused(turn, refusal, course)
            except JudgeUnavailable as refusal:
                course.failures.append(str(refusal))
                self._drop(turn, refusal)
            except RequestFailed as refusal:
                self._release(turn)
                course.failures.extend(refusal.failures)
                if not post.insist:
                    raise course.failed(str(refusal), systemic=False) from refusal
                course.left -= 1
                self._sleep(post.wait or 0.0)
            except BaseException:
                self._release(turn)
                raise
            else:
                seconds = self._answered(turn, data)
                return Answer(data=data, failures=tuple(course.failures), seconds=seconds, lost=course.lost)
        raise course.failed(f"no answer in {len(course.failures)} tries; the last: {course.failures[-1]}")

    def _again(self, turn: _Turn, trouble: Again, course: _Course) -> None:
        """Note a failed try, and wait before the next."""
        course.failures.append(str(trouble))
        course.lost = (course.lost[0] + trouble.tokens[0], course.lost[1] + trouble.tokens[1])
        if trouble.over_quota and course.post.tries is None and self._rested(turn, trouble):
            return
        counts = not trouble.unreachable or course.post.tries is not None
        course.left -= counts
        self._failed(turn, trouble)
        if not trouble.unreachable and course.left > 0:
            wait = course.post.wait
            self._sleep(wait_before(len(course.failures) - 1, trouble.wait) if wait is None else wait)

    def _refused(self, turn: _Turn, refusal: Refused, course: _Course) -> None:
        """Give up a server that refuses us; but one that has answered before may refuse a single question."""
        course.failures.append(str(refusal))
        if refusal.status == 401 or not turn.member.answers:
            self._drop(turn, refusal)
            return
        self._release(turn)
        course.left -= 1
        if not course.post.insist:
            raise course.failed(str(refusal)) from refusal

    def _rested(self, turn: _Turn, trouble: Again) -> bool:
        """Let a server rest whose quota is used up; False once it has rested too long without an answer."""
        member = turn.member
        with self._condition:
            member.limit.busy(begun=turn.begun, now=time.monotonic())
            wait = min(wait_before(member.rests, trouble.wait), LONGEST_REST)
            first = not member.resting
            if first and member.rested + wait > MOST_REST:
                return False
            member.resting = True
        self._release(turn)
        if first:  # one thread sleeps, the others wait for it
            self._sleep(wait)
            with self._condition:
                member.resting, member.rests, member.rested = False, member.rests + 1, member.rested + wait
                self._condition.notify_all()
        return True

    # -- whose turn is it? ---------------------------------------------------------------------------------------------

    def _turn(self, tokens: int) -> _Turn:
        """Wait until a server is free and the rates allow a request."""
        with self._condition:
            while True:
                if self._gone is not None:
                    raise JudgeUnavailable(self._gone)
                free = [m for m in self._members if m.free]
                pause = self._rates.wait(tokens, now=time.monotonic()) if free else None
                if free and not pause:
                    member = min(free, key=lambda m: m.on_their_way / m.limit.value)
                    member.on_their_way += 1
                    begun = time.monotonic()
                    return _Turn(member=member, begun=begun, sent=self._rates.send(tokens, now=begun))
                self._condition.wait(pause)

    def _release(self, turn: _Turn, tokens: int | None = None) -> None:
        with self._condition:
            turn.member.on_their_way -= 1
            self._rates.settle(turn.sent, tokens)
            self._condition.notify_all()

    def _answered(self, turn: _Turn, data: dict[str, Any]) -> float:
        now = time.monotonic()
        with self._condition:
            member = turn.member
            full = member.on_their_way >= member.limit.value
            member.limit.answered(now - turn.begun, now=now, full=full)
            member.answers += 1
            member.failures, member.rests, member.rested, self._timed_out = 0, 0, 0.0, 0
        self._release(turn, sum(tokens_of(data)) or None)
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
            self._timed_out += trouble.timed_out
            if self._timed_out >= TIME_OUTS:
                self._stop(
                    f"the judge at {self.shown} answers nothing any more: {self._timed_out} requests in a row, the last: "
                    f"{trouble}; look at its log and run again"
                )
        self._release(turn)

    def _stop(self, why: str) -> None:
        """Send everybody home."""
        self._gone = self._gone or why
        self._condition.notify_all()

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
        while not self._closed and self._gone is None and not member.for_good:
            self._sleep(wait_before(member.looks - 1, None))
            if self._closed:
                return
            try:
                trouble = self._look(member.transport)
            except Exception as error:  # nobody must wait for a look that never ends
                trouble = one_line(error) or type(error).__name__
            with self._condition:
                if trouble is None and not member.for_good:
                    member.aside, member.failures = None, 0
                    self._condition.notify_all()
                    return
                member.looks += 1
                self._count_the_lost()

    def _count_the_lost(self) -> None:
        """Stop everybody once no server is left."""
        if any(m.aside is None or (not m.for_good and m.looks < LOOKS) for m in self._members):
            return
        if len(self._members) > 1:
            each = "; ".join(f"{m.transport.shown}: {m.aside}" for m in self._members)
            self._stop(f"none of the judge's {len(self._members)} servers is left ({each}); start them and run again")
            return
        alone = self._members[0]
        gone = f"the judge at {alone.transport.shown} is gone: {alone.aside}; start it and run again"
        self._stop(str(alone.aside) if alone.for_good else gone)
