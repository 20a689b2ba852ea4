"""One judge on many machines: on each group of GPUs of a Ray cluster a vLLM server of our own, all asked as one.

A server listens at its machine's address in the cluster, on any free port, and wants a key that is made up for the run.
One that ends by itself is started again where it was; a lost machine's questions are asked elsewhere (see `pool.py`).
"""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sparkle_bench.cluster import Cluster, join
from sparkle_bench.errors import JudgeUnavailable, MachineError, listed, one_line
from sparkle_bench.judges.before_start import weights
from sparkle_bench.judges.serving import Launch, Served, serving

KEY_VARIABLE = "VLLM_API_KEY"
"""Where vLLM finds the key; on its command line every user of the machine could read it."""
STARTS = 3
"""So many times a server is started before it is given up."""
POLL_SECONDS = 1.0
SAY_SECONDS = 10.0
PLACE_SECONDS = 60.0
"""A server whose GPUs are not free after so long is done without."""
ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The servers that are wanted.

    Attributes:
        launch: How each is started; host, port, log and environment are its machine's.
        python: The interpreter that has vLLM on every machine; None for Ray's own.
        surroundings: Returns the environment of the process that calls it, there.
        address: The cluster's address, or None.
    """

    launch: Launch
    python: str | None
    surroundings: Callable[[], Mapping[str, str]]
    address: str | None

    @property
    def gpus(self) -> int:
        """GPUs that one server takes."""
        return max(1, int(self.launch.engine.get("tensor_parallel_size") or 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Servers that answer.

    Attributes:
        urls: Their addresses.
        key: What they ask for.
        revision: What tells their weights from others: the same on all machines.
        failed: Why others do not answer.
    """

    urls: tuple[str, ...]
    key: str = field(repr=False)
    revision: str | None
    failed: tuple[str, ...] = ()
    _posts: tuple[Any, ...] = field(default=(), repr=False)
    _cluster: Cluster = field(repr=False)

    def why(self) -> str | None:
        """Return why the first of them that ended by itself did so, or None."""
        for post in self._posts:
            with suppress(Exception):  # its machine may be gone
                found: str | None = self._cluster.ray.get(post.why.remote(), timeout=ANSWER_SECONDS)
                if found is not None:
                    return found
        return None


class Station:
    """A server on a machine of the cluster. It is an actor."""

    def __init__(self, wanted: Wanted, key: str) -> None:
        self._wanted, self._key = wanted, key
        self._settled, self._stop = threading.Event(), threading.Event()
        self._answer: dict[str, Any] = {}
        self._why: str | None = None
        self._line = ""
        self._thread = threading.Thread(target=self._serve, daemon=True, name="sparkle-server")

    def here(self) -> str:
        """Return which machine of the cluster this is; the answer shows that the actor has got its GPUs."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def start(self) -> dict[str, Any]:
        """Start the server, and return where it answers, or why it does not."""
        self._thread.start()
        self._settled.wait()
        return self._answer

    def line(self) -> str:
        """Return the last line of its log while it loads."""
        return self._line

    def why(self) -> str | None:
        """Return why it ended by itself, if it did."""
        return self._why

    def close(self) -> None:
        """End it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _launch(self, folder: Path) -> Launch:
        import ray

        wanted = self._wanted
        return replace(
            wanted.launch,
            python=wanted.python or sys.executable,
            host=ray.util.get_node_ip_address(),
            port=0,
            log=folder / "server.log",
            environment={**wanted.surroundings(), KEY_VARIABLE: self._key},
        )

    def _serve(self) -> None:
        """Keep the server up. This thread lives as long as it: Linux ends a server whose thread ends."""
        folder = Path(tempfile.mkdtemp(prefix="sparkle-serve-"))
        try:
            launch = self._launch(folder)
            for _ in range(STARTS):
                with serving(launch, self._loads, every=POLL_SECONDS) as served:
                    launch = served.launch  # with the port, by which it is known from now on
                    self._tell(served)
                    if self._watched(served):
                        return
        except JudgeUnavailable as error:
            self._why = str(error)
        except BaseException as error:  # whoever waits is told
            self._why = f"{type(error).__name__}: {one_line(error)}"
        finally:
            if not self._settled.is_set():
                self._answer = {"error": self._why or "the server was stopped"}
                self._settled.set()
            shutil.rmtree(folder, ignore_errors=True)

    def _loads(self, seconds: float, line: str) -> None:
        self._line = line
        if self._stop.is_set():
            raise JudgeUnavailable("the server was stopped")

    def _tell(self, served: Served) -> None:
        if self._settled.is_set():
            return
        self._answer = {"url": served.url, "revision": served.commit or weights(served.launch.model)}
        self._settled.set()

    def _watched(self, served: Served) -> bool:
        """Wait for the server's end; return whether it is meant."""
        while not self._stop.wait(POLL_SECONDS):
            why = served.wait(0)
            if why is not None:
                self._why = why
                return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Post:
    """An actor that was asked for.

    Attributes:
        actor: Its handle.
        here: Its answer to which machine it is on; there is none before it has got its GPUs.
    """

    actor: Any
    here: Any


@contextmanager
def servers(wanted: Wanted, on_wait: Callable[[float, str], None]) -> Iterator[Servers]:
    """Start a server on every group of GPUs of the cluster, wait until they answer, and end them afterwards.

    Args:
        wanted: What to start.
        on_wait: Told the seconds waited and the last line of a log while they load.

    Raises:
        JudgeUnavailable: The cluster cannot be joined, not one server answers, or machines have different weights.
    """
    try:
        cluster = join(wanted.address)
    except MachineError as error:
        raise JudgeUnavailable(str(error)) from error
    key = secrets.token_urlsafe(24)
    posts: list[_Post] = []
    try:
        posts = _hired(cluster, wanted, key)
        yield _answering(cluster, wanted, key, _started(cluster, posts, on_wait))
    finally:
        _end(cluster, posts)


def _hired(cluster: Cluster, wanted: Wanted, key: str) -> list[_Post]:
    """Return actors for as many servers as the cluster can hold; one a machine where it has no GPU at all."""
    groups = sum(int(node["Resources"].get("GPU", 0)) // wanted.gpus for node in cluster.nodes)
    options: list[dict[str, Any]] = [{"num_gpus": wanted.gpus, "scheduling_strategy": "SPREAD"}] * groups
    if not cluster.total("GPU"):
        able = [node["NodeID"] for node in cluster.nodes if node["Resources"].get("CPU", 0) >= 1]
        options = [{"num_cpus": 1, "scheduling_strategy": cluster.at(node)} for node in able]
    if not options:
        raise JudgeUnavailable(
            f"no machine of the Ray cluster has {wanted.gpus} GPUs for {wanted.launch.name}; "
            "pass --serve-option tensor-parallel-size=…"
        )
    station = cluster.ray.remote(Station)
    hired = [station.options(max_restarts=0, max_concurrency=4, **terms).remote(wanted, key) for terms in options]
    return [_Post(actor=actor, here=actor.here.remote()) for actor in hired]


def _started(
    cluster: Cluster, posts: list[_Post], on_wait: Callable[[float, str], None]
) -> list[tuple[Any, dict[str, Any]]]:
    """Return every actor with its server's answer. One that gets no GPUs is ended: it would start when nobody asks."""
    ray, begun = cluster.ray, time.monotonic()
    asked = {post.actor.start.remote(): post for post in posts}
    waiting, answers = list(asked), list[tuple[Any, dict[str, Any]]]()
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=SAY_SECONDS)
        answers += [(asked[each].actor, _got(ray, each)) for each in done]
        seconds = time.monotonic() - begun
        placed = _placed(cluster, [asked[each] for each in waiting])
        if seconds > PLACE_SECONDS:
            for each in [each for each in waiting if asked[each] not in placed]:
                waiting.remove(each)
                answers.append((asked[each].actor, {"error": "its GPUs are not free"}))
                ray.kill(asked[each].actor)
        if waiting:
            line = _got(ray, placed[0].actor.line.remote(), timeout=ANSWER_SECONDS, default="") if placed else ""
            on_wait(seconds, line)
    return answers


def _placed(cluster: Cluster, posts: list[_Post]) -> list[_Post]:
    """Return those that have their GPUs."""
    if not posts:
        return []
    here, _ = cluster.ray.wait([post.here for post in posts], num_returns=len(posts), timeout=0)
    return [post for post in posts if post.here in here]


def _got(ray: Any, answer: Any, *, timeout: float | None = None, default: Any = None) -> Any:
    try:
        return ray.get(answer, timeout=timeout)
    except Exception as error:  # Ray's: the actor or its machine is lost
        text = one_line(str(error).split("\n\n")[0])
        return {"error": f"{type(error).__name__}: {text}"} if default is None else default


def _answering(cluster: Cluster, wanted: Wanted, key: str, answers: list[tuple[Any, dict[str, Any]]]) -> Servers:
    """Return the servers that answer.

    Raises:
        JudgeUnavailable: None does, or their weights differ.
    """
    up = [(post, answer) for post, answer in answers if "url" in answer]
    failed = list(dict.fromkeys(str(answer["error"]) for _, answer in answers if "error" in answer))
    if not up:
        raise JudgeUnavailable(f"no machine of the Ray cluster serves {wanted.launch.name}: {failed[0]}")
    revisions = {answer["revision"] for _, answer in up}
    if len(revisions) > 1:
        raise JudgeUnavailable(
            f"the machines of the Ray cluster have different weights of {wanted.launch.name} "
            f"({listed(sorted(map(str, revisions)))}); name a commit with --judge-revision, or copy one folder to all"
        )
    return Servers(
        urls=tuple(answer["url"] for _, answer in up),
        key=key,
        revision=revisions.pop(),
        failed=tuple(failed),
        _posts=tuple(post for post, _ in up),
        _cluster=cluster,
    )


def _end(cluster: Cluster, posts: list[_Post]) -> None:
    """End the servers in order, and leave the cluster. One without its GPUs has no server, and cannot answer."""
    ray = cluster.ray
    with suppress(Exception):  # whatever Ray has to say, the judging is over
        asked = [post.actor.close.remote() for post in _placed(cluster, posts)]
        ray.wait(asked, num_returns=len(asked), timeout=CLOSE_SECONDS)
    for post in posts:
        with suppress(Exception):
            ray.kill(post.actor)
    cluster.leave()
