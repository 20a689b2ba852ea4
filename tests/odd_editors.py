"""Editors that misbehave in every way an editing process can, for the tests of workers; each marks what it made."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.editors.preset import Output
from sparkle_bench.editors.studio import Clip, Studio
from sparkle_bench.editors.worker import turns
from sparkle_bench.errors import EditorError, OutOfMemory, Refused, VideoError
from sparkle_bench.records import Effort, Sample
from sparkle_bench.video.conform import Fit

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path as Folder


def copy(sample: Sample, out: Path) -> None:
    """Write an edit that is the source."""
    out.write_bytes(sample.source_path.read_bytes())


class Noting:
    """Copies the source, and appends to a file who edited what on which GPU."""

    thread_safe = True
    own_process = True

    def __init__(self, *, notes: Path, seconds: float = 0.0, at_once: int = 1) -> None:
        self.notes, self.seconds, self.at_once = notes, seconds, at_once

    def load(self) -> None:
        kept = [name for name in os.environ if name.startswith(("SPARKLE_", "PYTHON", "HF_", "CUDA_"))]
        note(self.notes, load=os.getpid(), path=sys.path, environment={name: os.environ[name] for name in kept})

    def describe(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "python": sys.version.split()[0]}

    def declared(self) -> dict[str, Any]:
        return {"model": {"name": "Noting"}}

    def edit(self, sample: Sample, out: Path) -> Effort:
        time.sleep(self.seconds)
        copy(sample, out)
        note(self.notes, sample=sample.id, pid=os.getpid(), gpu=os.environ.get("CUDA_VISIBLE_DEVICES"))
        return Effort(seconds=self.seconds, frames=12, aligned=True)


def note(place: Path, **facts: Any) -> None:
    """Append a line, whole."""
    with place.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(facts).encode() + b"\n")


def notes(path: Path) -> list[dict[str, Any]]:
    """Return what was noted."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


class Odd:
    """Does what `how` says when it edits a sample whose id ends with one of `on` (comma-separated), else copies it."""

    thread_safe = True
    own_process = True

    def __init__(
        self, *, how: str, on: str = "", notes: Path | None = None, at_once: int = 1, once: bool = False
    ) -> None:
        self.how, self.on, self.notes, self.at_once, self.once = how, tuple(on.split(",")), notes, at_once, once

    def load(self) -> None:
        if self.notes is not None:
            note(self.notes, load=os.getpid())

    def edit(self, sample: Sample, out: Path) -> Effort | None:
        assert not out.exists()
        if self.notes is not None:
            note(self.notes, begins=sample.id, pid=os.getpid())
        if sample.id.endswith(self.on) and not (self.once and self._was_here(sample)):
            getattr(self, f"_{self.how}")(out)
        copy(sample, out)
        return None

    def _was_here(self, sample: Sample) -> bool:
        """Whether this sample was begun before, in whichever process."""
        assert self.notes is not None
        return [line.get("begins") for line in notes(self.notes)].count(sample.id) > 1

    def _exit(self, out: Path) -> None:
        sys.stderr.write("about to exit\n")
        os._exit(7)

    def _sys_exit(self, out: Path) -> None:
        sys.exit("enough")

    def _kill(self, out: Path) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # another thread may take the signal

    def _crash(self, out: Path) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)  # another thread may take the signal

    def _hang(self, out: Path) -> None:
        time.sleep(600)

    def _hang_at_its_turn(self, out: Path) -> None:
        turns.taken()
        time.sleep(600)

    def _hang_deep(self, out: Path) -> None:
        hang_deep()

    def _print(self, out: Path) -> None:
        sys.stdout.write("a library says hello\n")
        os.write(1, b'{"id": 1, "effort": null}\n\x00\xff rubbish \n' * 50)
        os.system("echo and so does a program")
        assert sys.stdin.read() == ""

    def _long_line(self, out: Path) -> None:
        write_to_pipes(b"x" * (1 << 21))
        time.sleep(60)

    def _no_json(self, out: Path) -> None:
        write_to_pipes(b"loading 50%\n")
        time.sleep(60)

    def _unknown_id(self, out: Path) -> None:
        write_to_pipes(b'{"id": 4711, "effort": null}\n')
        time.sleep(60)

    def _no_object(self, out: Path) -> None:
        write_to_pipes(b"[]\n")
        time.sleep(60)

    def _wrong_effort(self, out: Path) -> None:
        write_to_pipes(b'{"id": 1, "effort": {"speed": 3}}\n{"id": 2, "effort": {"speed": 3}}\n')
        time.sleep(60)

    def _half_a_file(self, out: Path) -> None:
        out.write_bytes(b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 1000)
        os._exit(9)

    def _disk_full(self, out: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))

    def _disk_full_inside(self, out: Path) -> None:
        try:
            self._disk_full(out)
        except OSError as error:
            raise VideoError("cannot be written") from error

    def _host_memory(self, out: Path) -> None:
        raise MemoryError

    def _memory(self, out: Path) -> None:
        raise OutOfMemory("the GPU has 24 GB and this edit needs more")

    def _torch_memory(self, out: Path) -> None:
        raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 20.00 GiB")

    def _torch_memory_inside(self, out: Path) -> None:
        try:
            self._torch_memory(out)
        except RuntimeError as error:
            raise EditorError("the pipeline failed") from error

    def _refused(self, out: Path) -> None:
        raise Refused("not this one")

    def _video(self, out: Path) -> None:
        raise VideoError("cut off", kind="truncated")

    def _value(self, out: Path) -> None:
        raise ValueError("no\nsuch\nthing")

    def _lacking(self, out: Path) -> None:
        import no_such_library  # type: ignore[import-not-found]  # noqa: F401

    def _dead(self, out: Path) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be …")

    def _dead_inside(self, out: Path) -> None:
        try:
            raise type("AcceleratorError", (RuntimeError,), {})("CUDA error: device-side assert triggered")
        except RuntimeError as error:
            raise EditorError("the pipeline failed") from error

    def _nothing(self, out: Path) -> None:
        out.unlink(missing_ok=True)
        raise EditorError("nothing was made")

    def _secret(self, out: Path) -> None:
        sys.stderr.write("token=hf_abcdefghijklmnop in /home/somebody/weights/model.safetensors\n")
        os._exit(3)

    def _fork_and_exit(self, out: Path) -> None:
        if os.fork():
            os._exit(7)
        time.sleep(600)  # a child that keeps all pipes open

    def _stop(self, out: Path) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)

    def _leave_a_child(self, out: Path) -> None:
        assert self.notes is not None
        pid = os.spawnlp(os.P_NOWAIT, "setsid", "setsid", "sleep", "600")
        note(self.notes, child=pid)
        time.sleep(600)


def hang_deep() -> None:
    """Hang without letting any other thread of this process run, as a stuck native library does."""
    import ctypes

    ctypes.PyDLL(None).sleep(600)


def write_to_pipes(data: bytes) -> None:
    """Write to every pipe that this process has open for writing, also the one that is not for editors."""
    for number in range(3, 64):
        with suppress(OSError):
            if (
                stat.S_ISFIFO(os.fstat(number).st_mode)
                and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
            ):
                os.write(number, data)


class Unloadable:
    """Cannot be loaded: raises, ends, hangs, lacks a library, or fills the disk."""

    own_process = True

    def __init__(self, *, how: str, notes: Path | None = None, gpus: str = "") -> None:
        self.how, self.notes, self.gpus = how, notes, tuple(gpus.split(",")) if gpus else ()

    def load(self) -> None:
        if self.notes is not None:
            note(self.notes, load=os.getpid())
        if self.gpus and os.environ.get("CUDA_VISIBLE_DEVICES") not in self.gpus:
            return
        if self.how == "raise":
            raise RuntimeError("the weights are not there: /home/somebody/weights/model.safetensors")
        if self.how == "exit":
            sys.stderr.write("Fatal: no driver\n")
            os._exit(5)
        if self.how == "hang":
            time.sleep(600)
        if self.how == "lack":
            import no_such_library  # noqa: F401
        if self.how == "disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def edit(self, sample: Sample, out: Path) -> None:
        copy(sample, out)


class Looking:
    """Built on the studio; tells which libraries it ended up with."""

    thread_safe = True
    own_process = True
    at_once = 2

    def __init__(self, *, modules: Path) -> None:
        self.modules = modules
        self.studio = Studio(Fit(), Output(), self._generate)

    def edit(self, sample: Sample, out: Path) -> Effort:
        made = self.studio.edit(sample, out)
        self.modules.write_text(json.dumps(sorted(sys.modules)), encoding="utf-8")
        return made

    def _generate(self, sample: Sample, clip: Clip) -> Sequence[Any]:
        return clip.pictures


class Preparing(Noting):
    """Notes what it is prepared with, and where; takes as much work as it is told."""

    def __init__(self, *, notes: Path, most: int = 100) -> None:
        super().__init__(notes=notes)
        self.most = most

    def prepare(self, samples: Sequence[Sample]) -> None:
        note(self.notes, prepared=len(samples), pid=os.getpid())
        if len(samples) > self.most:
            raise EditorError("too much work")


class Timing:
    """A model that takes as long as decoding does, at a GPU that is a sleep."""

    thread_safe = True
    own_process = True

    def __init__(self, *, seconds: float = 0.1, at_once: int = 3) -> None:
        self.at_once, self.seconds = at_once, seconds
        self.studio = Studio(Fit(), Output(), self._generate)

    def edit(self, sample: Sample, out: Path) -> Effort:
        return self.studio.edit(sample, out)

    def _generate(self, sample: Sample, clip: Clip) -> Sequence[Any]:
        time.sleep(self.seconds)
        return clip.pictures


class Here:
    """A model that is loaded into the harness's own process."""

    def __init__(self, *, notes: Path) -> None:
        self.notes = notes

    def load(self) -> None:
        note(self.notes, load=True)

    def describe(self) -> dict[str, Any]:
        note(self.notes, describe=True)
        return {}

    def edit(self, sample: Sample, out: Path) -> None:
        note(self.notes, sample=sample.id)
        copy(sample, out)


class Keyed(Noting):
    """Notes the key that it was given, beside what `Noting` does."""

    keys = ("OLD_ODD_KEY", "ODD_KEY")
    key: str | None = None

    def load(self) -> None:
        note(self.notes, key=self.key, there=sorted(set(self.keys) & set(os.environ)))


class Plain:
    """Tells what its options became; all their types can be looked up."""

    def __init__(
        self,
        *,
        debug: bool | None = None,
        steps: int | None = None,
        mode: bool | str = "auto",
        at: Path | None = None,
        sides: list[int] | None = None,
    ) -> None:
        self.options = {"debug": debug, "steps": steps, "mode": mode, "at": at, "sides": sides}

    def edit(self, sample: Sample, out: Path) -> None:
        copy(sample, out)


class Typed:
    """The same with types that only a type checker imports."""

    def __init__(
        self,
        *,
        debug: "bool | None" = None,  # noqa: UP037
        steps: int | None = None,
        scale: Optional[float] = None,  # type: ignore[name-defined]  # noqa: F821
        at: Folder | None = None,
        near: pathlib.Path = Path(),  # type: ignore[name-defined]  # noqa: F821
        ratio: Fraction | None = None,
    ) -> None:
        self.options = {"debug": debug, "steps": steps, "scale": scale, "at": at, "near": near, "ratio": ratio}

    def edit(self, sample: Sample, out: Path) -> None:
        copy(sample, out)
