"""The actors of a Ray cluster that edit with one model: where they are hired, whose turn it is, what became of them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sparkle_bench import discretion
from sparkle_bench.cluster import Cluster
from sparkle_bench.editors.fleet import MemberLost
from sparkle_bench.editors.worker import lines
from sparkle_bench.errors import EditorError, MachineError, one_line

LOOK_SECONDS = 5.0
"""Between two looks for GPUs that have no actor yet: one of a machine that came, or whose actor was lost."""
CLOSE_SECONDS = 10.0
MOST_LOST_IN_A_ROW = 3
"""So many times all actors lost on machines that are up, without one edit between, are no coincidence."""
AHEAD = 1
"""So many samples more than an actor edits at once are sent to it, so that no GPU waits for a clip."""
STOPPED = "the run was stopped"
_NUMBERS = re.compile(
    r"^\s*(?:class_name|actor_id|pid|name|namespace|repr|ip)\s*:.*$|\bnode id: \w+\.?|\b\d+(?:\.\d+){3}(?::\d+)?\b",
    re.IGNORECASE | re.MULTILINE,
)


class Lost(Exception):
    """An actor is lost, with whatever it was asked."""


class NoRoom(MachineError):
    """An actor's machine has no room for a clip or an edit."""


@dataclass(slots=True, kw_only=True, eq=False)
class Post:
    """An actor and how it does.

    Attributes:
        actor: Its handle.
        node: Its machine; empty until it has got a place.
        hello: What it says of the loaded model; None before that.
        busy: Samples that are with it now.
        aside: Why it is asked no more, although it lives; it keeps its GPU, so that no other actor tries the same there.
    """

    actor: Any
    node: str = ""
    hello: Mapping[str, Any] | None = None
    busy: int = 0
    aside: str | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be asked."""
        return self.hello is not None and self.aside is None

    @property
    def loads(self) -> bool:
        """Whether it has a place and loads the model."""
        return bool(self.node) and self.hello is None and self.aside is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How actors are hired.

    Attributes:
        make: Makes an actor, given Ray's options for it.
        gpus: Whether each takes a GPU; else each machine with a free processor has one.
        places: Samples that one edits at once.
        patience: Seconds that a run with no actor waits for one.
        model: What the model is called.
        say: Told in one line of actors and machines that the run does without.
    """

    make: Callable[[Mapping[str, Any]], Any]
    gpus: bool
    places: int
    patience: float
    model: str
    say: Callable[[str], object]

    @property
    def room(self) -> int:
        """Samples that are with an actor at most."""
        return self.places + AHEAD


class Crew:
    """All actors there are. Threads may share it."""

    def __init__(self, cluster: Cluster, terms: Terms) -> None:
        """Begin to hire.

        Args:
            cluster: Where.
            terms: How.
        """
        self._cluster, self._terms = cluster, terms
        self._posts: list[Post] = []
        self._changed = threading.Condition()
        self._want_one_alone = 0
        self._lost_in_a_row = self._most_at_once = 0
        self._why = ""
        self._told: set[tuple[str, ...]] = set()
        self._work: Sequence[Mapping[str, Any]] = ()
        self._closed = False
        threading.Thread(target=self._watch, daemon=True, name="sparkle-ray-watch").start()

    @property
    def ready(self) -> list[Post]:
        """Actors that may be asked."""
        with self._changed:
            return self._ready()

    @property
    def room(self) -> int:
        """Samples that all actors take at once, with those that still get ready."""
        with self._changed:
            return self._terms.room * sum(post.aside is None for post in self._posts)

    def assemble(self) -> None:
        """Wait until one actor at least is ready, and no other is still loading.

        Raises:
            MemberLost: None is, and none came.
            EditorError: The run was stopped.
        """
        with self._changed:
            self._await_one()
            self._changed.wait_for(lambda: self._closed or all(p.node or p.aside for p in self._posts), LOOK_SECONDS)
            self._changed.wait_for(lambda: self._closed or not any(p.loads for p in self._posts))
            self._await_one()

    def prepare(self, work: Sequence[Mapping[str, Any]]) -> None:
        """Let every actor look at the work, and those that come later too.

        Raises:
            EditorError: It is refused everywhere.
        """
        with self._changed:
            self._work, ready = work, self._ready()
        for post, asked in [(post, post.actor.prepare.remote(work)) for post in ready]:
            try:
                said = self.answer(asked)
            except Lost as lost:
                self.lose(post, str(lost))
                continue
            if "error" in said:
                self.set_aside(post, str(lines.raised(said)))
        with self._changed:
            if ready and all(post.aside is not None for post in ready):
                raise EditorError(self._why)

    def answer(self, asked: Any) -> Any:
        """Wait for an actor's answer.

        Raises:
            Lost: The actor, its machine, or the answer on its way is lost.
            NoRoom: The actor's machine has no room for it.
            MachineError: This machine has none, or Ray has ended here.
            EditorError: Ray cannot carry the answer.
        """
        ray = self._cluster.ray
        gone = ray.exceptions
        lost = (
            gone.RayActorError, gone.OutOfMemoryError, gone.NodeDiedError, gone.WorkerCrashedError, gone.ObjectLostError,
            gone.ActorUnschedulableError, gone.RuntimeEnvSetupError,
        )  # fmt: skip
        try:
            return ray.get(asked)
        except gone.LocalRayletDiedError as error:
            raise MachineError("Ray has ended on this machine; start it and run again") from error
        except (gone.ObjectStoreFullError, gone.OutOfDiskError) as error:
            there = isinstance(error, gone.RayTaskError)
            raise (NoRoom if there else MachineError)(
                f"Ray has no room for clips on {'it' if there else 'this machine'} ({type(error).__name__}); "
                "give its object store more memory or disk"
            ) from error
        except lost as error:
            raise Lost(why(error)) from error
        except Exception as error:  # Ray's own, and what it makes of others'
            if self._closed:
                raise EditorError(STOPPED) from error
            raise EditorError(f"Ray cannot carry the answer: {type(error).__name__}: {one_line(error)}") from error

    # -- whose turn is it? ---------------------------------------------------------------------------------------------

    def take(self, *, alone: bool) -> Post:
        """Wait for a place with an actor, or for an actor that has nothing else to do; give it back afterwards.

        Raises:
            MemberLost: No actor is left, and none came.
            EditorError: The run was stopped.
        """
        with self._changed:
            self._want_one_alone += alone
            try:
                while True:
                    self._await_one()
                    post = self._free(alone=alone)
                    if post is not None:
                        post.busy += self._terms.room if alone else 1
                        return post
                    self._changed.wait(LOOK_SECONDS)
            finally:
                self._want_one_alone -= alone
                self._changed.notify_all()

    def _free(self, *, alone: bool) -> Post | None:
        """Return who takes the next sample. The first is kept free for those who must be alone."""
        first, *others = self._ready()
        if alone:
            return first if first.busy == 0 else None
        found = [post for post in others if post.busy < self._terms.room]
        if not self._want_one_alone and first.busy < self._terms.room:
            found.append(first)
        return min(found, key=lambda post: post.busy, default=None)

    def give_back(self, post: Post, *, alone: bool, edited: bool) -> None:
        """Say that a sample is with this actor no more, and whether the actor has answered."""
        with self._changed:
            post.busy -= self._terms.room if alone else 1
            if edited:
                self._lost_in_a_row = 0
            self._changed.notify_all()

    def _ready(self) -> list[Post]:
        return [post for post in self._posts if post.ready]

    def _await_one(self) -> None:
        """Wait until an actor is ready; `_changed` is held."""
        deadline = time.monotonic() + self._terms.patience
        while True:
            if self._closed:
                raise EditorError(STOPPED)
            if self._all_die():
                raise MemberLost(f"{self._lost_in_a_row} actors in a row were lost; the last: {self._why}")
            if self._ready():
                return
            hopeless = bool(self._posts) and all(post.aside is not None for post in self._posts)
            if any(post.loads for post in self._posts):
                deadline = time.monotonic() + self._terms.patience
            elif hopeless or time.monotonic() > deadline:
                lacking = "GPU" if self._terms.gpus else "processor"
                raise MemberLost(
                    f"no machine of the Ray cluster edits with {self._terms.model}: {self._why or f'no {lacking} is free'}"
                )
            self._changed.wait(0.5)

    def _all_die(self) -> bool:
        return self._lost_in_a_row >= MOST_LOST_IN_A_ROW * max(1, self._most_at_once)

    # -- actors come and go --------------------------------------------------------------------------------------------

    def lose(self, post: Post, reason: str) -> None:
        """Do without an actor that is lost; its place is free for another."""
        alone = not post.node or self._cluster.has(post.node)
        with self._changed:
            if post not in self._posts:
                return
            self._posts.remove(post)
            self._lost_in_a_row += alone
            self._why = reason
            left = self._left(without="" if alone else post.node)
            again = not alone and not self._is_news(
                "lost", post.node
            )  # a machine is told of once, not with every actor
            self._changed.notify_all()
        with suppress(Exception):
            self._cluster.ray.kill(post.actor)
        if not again:
            self._say(f"{'an actor' if alone else 'a machine'} of the cluster is lost{left}: {reason}")

    def set_aside(self, post: Post, reason: str) -> None:
        """Ask an actor no more that cannot edit where it is; of several samples that find out, the first is heard."""
        with self._changed:
            if post.aside is not None:
                return
            post.aside = self._why = f"on a machine of the cluster: {reason}"
            left, news = self._left(), self._is_news("aside", post.node, reason)
            self._changed.notify_all()
        if news:
            self._say(f"an actor of the cluster cannot edit where it is{left}: {reason}")

    def _left(self, *, without: str = "") -> str:
        """Return how many actors there are beside those of a machine; `_changed` is held."""
        left = sum(bool(post.node) and post.node != without and post.aside is None for post in self._posts)
        return f", {left} {'goes' if left == 1 else 'go'} on"

    def _is_news(self, *what: str) -> bool:
        """Whether this was not told yet; `_changed` is held."""
        news = what not in self._told
        self._told.add(what)
        return news

    def _say(self, line: str) -> None:
        if not self._closed:
            self._terms.say(discretion.cleaned(line))

    def close(self) -> None:
        """End all actors, and leave the cluster."""
        with self._changed:
            self._closed = True
            posts = list(self._posts)
            self._changed.notify_all()
        ray = self._cluster.ray
        with suppress(Exception):  # whatever Ray has to say, the run is over
            # One without a place cannot answer.
            asked = [post.actor.close.remote() for post in posts if post.node]
            ray.wait(asked, num_returns=len(asked), timeout=CLOSE_SECONDS)
        for post in posts:
            with suppress(Exception):
                ray.kill(post.actor)
        self._cluster.leave()

    def _watch(self) -> None:
        """Have an actor wherever one can be."""
        while not self._closed:
            try:
                for options in self._vacancies():
                    self._hire(options)
            except Exception as error:  # Ray's; the next look may fare better, and who waits is told why
                self._why = self._why or f"{type(error).__name__}: {one_line(error)}"
            with self._changed:
                self._changed.wait_for(lambda: self._closed, LOOK_SECONDS)

    def _vacancies(self) -> list[dict[str, Any]]:
        """Return Ray's options for actors that could be hired now."""
        with self._changed:
            if self._closed or self._all_die():
                return []
            unplaced, taken = sum(not post.node for post in self._posts), {post.node for post in self._posts}
        if self._terms.gpus:
            # One at least waits in line: it tells a cluster that can grow to do so.
            wanted = max(self._cluster.free("GPU") - unplaced, 0 if taken else 1)
            return [{"num_gpus": 1, "scheduling_strategy": "SPREAD"}] * wanted
        return [
            {"num_cpus": 1, "scheduling_strategy": self._cluster.at(node["NodeID"])}
            for node in self._cluster.nodes
            if not unplaced and node["NodeID"] not in taken and node["Resources"].get("CPU", 0) >= 1
        ]

    def _hire(self, options: Mapping[str, Any]) -> None:
        with self._changed:
            if self._closed:  # Ray would start a cluster of its own for an actor that is made after the end
                return
            post = Post(actor=self._terms.make(options))
            self._posts.append(post)
            self._most_at_once = max(self._most_at_once, len(self._posts))
        threading.Thread(target=self._welcome, args=(post,), daemon=True, name="sparkle-ray-post").start()

    def _welcome(self, post: Post) -> None:
        """Wait until a new actor has its place and its model, then let it edit."""
        try:
            node = self.answer(post.actor.here.remote())
            with self._changed:
                post.node = node
                self._changed.notify_all()
            hello = self.answer(post.actor.load.remote(self._work))
        except Lost as lost:
            self.lose(post, str(lost))
        except Exception as error:  # a thread of its own: who waits for the actor is told
            self.set_aside(post, one_line(error))
        else:
            if "error" in hello:
                self.set_aside(post, str(lines.raised(hello)))
                return
            with self._changed:
                post.hello = hello
                self._changed.notify_all()


def why(error: BaseException) -> str:
    """Return one line on what Ray reports of a loss, without its numbers and addresses; its own reports fill pages."""
    if type(error).__name__ == "OutOfMemoryError":
        return "Ray ended the actor: its machine was short of memory"
    text = _NUMBERS.sub("", str(error).split("\n\n")[0])
    return f"{type(error).__name__}: {one_line(text, limit=400)}"
