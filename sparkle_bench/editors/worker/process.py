"""The harness's side of an editor in a process of its own: started when needed, and again when it dies or hangs.

What was being edited when a worker died is edited once more, one sample at a time in a fresh one, so that the innocent
are done and the guilty one is known.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparkle_bench import discretion, editors, registry
from sparkle_bench.editors import Editor, Recipe
from sparkle_bench.editors.fleet import MemberLost
from sparkle_bench.editors.worker import lines
from sparkle_bench.editors.worker.running import STOPPED, Gone, Running, Start
from sparkle_bench.errors import EditorError, MachineError
from sparkle_bench.records import Effort, Sample

SECONDS = 3600.0
LOAD_SECONDS = 1800.0
MOST_LOSSES = 3
"""So many samples in a row that end their worker are no coincidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a worker process is started.

    Attributes:
        python: The interpreter of the environment in which the model runs.
        gpu: What it is to see as its GPU, as `CUDA_VISIBLE_DEVICES` names it; None for what we see.
        timeout: Seconds that one edit may take before the process counts as hung.
        load_timeout: Seconds that loading the model may take.
        say: Told in one line that a model begins to load, and that a process was started again, and why.
    """

    python: Path
    gpu: str | None = None
    timeout: float = SECONDS
    load_timeout: float = LOAD_SECONDS
    say: Callable[[str], object] = lambda line: None

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables; GPUs are counted as `nvidia-smi` counts them."""
        return {} if self.gpu is None else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": self.gpu}


class Process:
    """An editor in a process of its own. Threads may share it.

    Beside the methods below it has `is_current` if the light editor has it. It raises `fleet.MemberLost` when the model
    cannot be loaded there, or when sample after sample ends the process.
    """

    thread_safe = True

    def __init__(self, recipe: Recipe, light: Editor, launch: Launch) -> None:
        """Make one; nothing is started yet.

        Args:
            recipe: What the process builds and loads.
            light: The same editor built here and not loaded: it is asked what needs no model.
            launch: How the process is started.
        """
        self._recipe, self._light, self._launch = recipe, light, launch
        self._name = recipe.preset[0] if recipe.preset else recipe.name
        self._places = threading.Semaphore(self.at_once)
        self._room = _Room()
        self._lock = threading.Lock()
        self._worker: Running | None = None
        self._work: Mapping[str, Any] | None = None
        self._losses: set[str] = set()
        self._lost: str | None = None
        self._closed = False
        self.keys: tuple[str, ...] = tuple(getattr(light, "keys", ()))
        self.key: str | None = None
        if hasattr(light, "is_current"):
            self.is_current = light.is_current

    @property
    def at_once(self) -> int:
        """How many samples the worker edits at once."""
        return editors.at_once(self._light)

    @property
    def incidental(self) -> Sequence[str]:
        """Names of options that change nothing of what comes out."""
        return tuple(getattr(self._light, "incidental", ()))

    @property
    def hashes(self) -> Any:
        """What is remembered of files' hashes, for `is_current`."""
        return getattr(self._light, "hashes", None)

    @hashes.setter
    def hashes(self, hashes: Any) -> None:
        if hasattr(self._light, "hashes"):
            self._light.hashes = hashes

    def load(self) -> None:
        """Start the worker and wait until the model is loaded.

        Raises:
            MemberLost: It cannot be loaded there.
            EditorError: The run was stopped.
        """
        self._running()

    def describe(self) -> dict[str, Any]:
        """Return what the worker says of the loaded model; it is started if need be."""
        return dict(self._hello(self._running())["describe"])

    def declared(self) -> dict[str, Any]:
        """Return what the makers declare, as the worker knows it; before that runs, as the light editor does."""
        worker = self._worker
        return editors.declared(self._light) if worker is None else dict(self._hello(worker)["declared"])

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        """Return (frames, height, width) as the model sees the sample.

        Raises:
            VideoError: The source cannot be read, or the model cannot take it.
        """
        return editors.shape(self._light, sample)

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Let the editor look at its work, here and, once it runs, in every worker.

        Raises:
            EditorError: It refuses the work.
        """
        if not hasattr(self._light, "prepare"):
            return
        editors.prepare(self._light, samples)
        work = lines.preparation(samples)
        with self._lock:
            self._work, worker = work, self._worker
        if worker is not None and not worker.over:
            try:
                answer = worker.ask(work, self._launch.load_timeout)
            except Gone:
                return  # the next one looks at it as it starts
            if "error" in answer:
                raise lines.raised(answer)

    def edit(self, sample: Sample, out: Path) -> Effort | None:
        """Edit a sample in the worker; if it dies, once more with nothing beside it.

        Raises:
            MemberLost: The model cannot be loaded, or sample after sample ended its worker.
            EditorError: The edit failed, hung, or ended its worker twice.
            SparkleError: What the editor raised.
        """
        with self._places:
            try:
                with self._room.shared():
                    return self._try(sample, out)
            except Gone as gone:
                self._check(sample, gone)
            with self._room.alone():
                try:
                    return self._try(sample, out)
                except Gone as gone:
                    self._check(sample, gone)
                    raise self._given_up(sample, gone) from gone

    def close(self) -> None:
        """End the worker; edits that it has begun fail."""
        with self._lock:
            self._closed = True
            worker = self._worker
        if worker is not None:
            worker.close()

    def _check(self, sample: Sample, gone: Gone) -> None:
        """Raise if trying again is of no use."""
        if self._closed:
            raise EditorError(STOPPED) from gone
        if gone.at_fault:
            raise self._given_up(sample, gone) from gone

    def _try(self, sample: Sample, out: Path) -> Effort | None:
        worker = self._running()
        out.unlink(missing_ok=True)  # half a file of a worker that died
        answer = worker.ask(lines.job(sample, out), self._launch.timeout)
        if "dead" in answer:
            worker.fail(f"the worker process lost its GPU: {answer.get('error')}")
            raise Gone(f"the worker process lost its GPU: {answer.get('error')}")
        if "lost" in answer:
            raise self._lose(f"{self._name} cannot edit in its environment: {answer.get('error')}")
        with self._lock:
            self._losses.clear()
        if "error" in answer:
            raise lines.raised(answer)
        return lines.effort(answer)

    def _running(self) -> Running:
        """Return the worker with its model loaded, a new one if there is none.

        Raises:
            MemberLost: The model cannot be loaded.
            Gone: It ended after it was loaded.
            EditorError: The run was stopped.
        """
        with self._lock:
            if self._lost is not None:
                raise MemberLost(self._lost)
            if self._closed:
                raise EditorError(STOPPED)
            earlier = self._worker
            if earlier is None or earlier.over:
                self._worker = self._started()
            worker = self._worker
            assert worker is not None
        where = "" if self._launch.gpu is None else f" on GPU {self._launch.gpu}"
        if earlier is None:
            self._launch.say(f"loading {self._name}{where}")
        elif earlier is not worker:
            self._launch.say(f"{self._name} is started again{where}: {discretion.cleaned(earlier.why)}")
        self._hello(worker)
        return worker

    def _started(self) -> Running:
        if shutil.which(str(self._launch.python)) is None:
            raise MemberLost(f"there is no interpreter {self._launch.python.name} to run {self._name}")
        try:
            return Running(
                Start(
                    recipe=self._addressed(),
                    editor=type(self._light),
                    python=self._launch.python,
                    settings=self._launch.settings,
                    places=self.at_once,
                    work=self._work,
                    key=self.key,
                )
            )
        except OSError as error:
            raise MachineError(f"a worker process cannot be started: {error.strerror}") from error

    def _addressed(self) -> Recipe:
        """Return the recipe for another interpreter, in which nobody knows the names of our entry points."""
        if self._recipe.preset is not None:
            return self._recipe
        name = registry.address(self._recipe.name, editors.EDITORS, group=editors.GROUP, what="model")
        return replace(self._recipe, name=name)

    def _hello(self, worker: Running) -> Mapping[str, Any]:
        """Wait for the worker's model, and return what it says of it."""
        try:
            hello = worker.hello(self._launch.load_timeout)
        except Gone as gone:
            if self._closed:
                raise EditorError(STOPPED) from gone
            raise self._lose(f"{self._name} cannot be loaded: {gone}") from gone
        if "failed" not in hello:
            return dict(hello["ready"])
        failed = hello["failed"]
        error = lines.raised(failed)
        if isinstance(error, MachineError):
            raise error
        cure = "; install it in that environment, or name another one with --python" if "lost" in failed else ""
        raise self._lose(f"{self._name} cannot be loaded: {error}{cure}")

    def _lose(self, why: str) -> MemberLost:
        """Note that no edit will be made here any more, and free what the worker holds."""
        with self._lock:
            self._lost = self._lost or discretion.cleaned(why)
            why, worker = self._lost, self._worker
        if worker is not None:
            worker.fail(why)
        return MemberLost(why)

    def _given_up(self, sample: Sample, gone: Gone) -> EditorError:
        with self._lock:
            self._losses.add(sample.id)
            count = len(self._losses)
        if count < MOST_LOSSES:
            return EditorError(str(gone))
        return self._lose(f"{count} samples in a row ended the worker process; the last, {sample.id}: {gone}")


class _Room:
    """Lets many in together, or one alone; those who want to be alone go first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = self._waiting = 0
        self._taken = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not (self._taken or self._waiting))
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not (self._taken or self._together))
                self._taken = True
            finally:
                self._waiting -= 1
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()
