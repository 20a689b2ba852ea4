"""A vLLM server of our own: its command, what is checked before it starts, its life from first byte to last process.

The server runs in a session of its own, so Ctrl-C at a terminal reaches us alone, and we end it: SIGTERM to its first
process, which ends its engine in order; after 20 s, SIGKILL to what is left of its group. On Linux the system
sends it SIGTERM when the thread that started it dies, so start it from a thread that lives as long as the server should.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from sparkle_bench.errors import JudgeUnavailable
from sparkle_bench.judges import before_start, failed_start, gpus, process_group
from sparkle_bench.judges.openai import published

MODULE = "vllm.entrypoints.openai.api_server"
"""Works for builds for GPUs and for CPUs; the `vllm` command of the latter does not start."""
VIDEOS = {"video": 2}
GPU_ONLY = ("tensor_parallel_size", "gpu_memory_utilization")
HARMLESS = frozenset(
    {
        "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "distributed_executor_backend",
        "gpu_memory_utilization", "kv_cache_memory_bytes", "max_model_len", "max_num_seqs", "max_num_batched_tokens",
        "limit_mm_per_prompt", "mm_processor_cache_gb", "enforce_eager", "cpu_offload_gb", "swap_space",
        "download_dir", "disable_log_stats", "hf_token", "trust_remote_code",
    }
)  # fmt: skip
"""Options of vLLM that do not change what a model says, beyond the order of its sums."""
POLL_SECONDS = 0.25
TAIL_BYTES = 1 << 20
_OURS: Mapping[str, str] = MappingProxyType({})
"""An environment that is passed on as it is."""

# Becomes the server. It asks Linux for SIGTERM at our death first; that outlasts exec, and no code of ours runs between
# fork and exec, which is not safe in a process with threads.
_BECOME = """\
import os, signal, sys
parent, words = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the program that wanted this server is gone")
os.execvp(words[0], words)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A server to be started.

    Attributes:
        model: An id on the Hub, or a folder.
        served_name: Its name in requests; by default the last part of `model`.
        revision: Branch, tag or commit on the Hub.
        engine: vLLM's options, with underscores: True becomes a bare flag, a table JSON; None and False are left out.
        python: The interpreter that has vLLM.
        host: Where it listens.
        port: And on which port; 0 for any free one.
        log: Where its output goes; an old file there is replaced.
        patience: Seconds within which it must answer; a first start downloads the model.
        memory_gib: GPU memory that it needs in all, if known.
        environment: Its whole environment; ours if empty.
    """

    model: str
    served_name: str | None = None
    revision: str | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    host: str = "127.0.0.1"
    port: int = 8000
    log: Path
    patience: float = 3600.0
    memory_gib: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The model's name in requests."""
        return self.served_name or self.model.rstrip("/").rpartition("/")[2]

    @property
    def root(self) -> str:
        """The server's address without `/v1`, where `/health` is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that answers.

    Attributes:
        url: The base of its API.
        name: The model's name in requests.
        pid: Its first process, the leader of its group.
        commit: The model's commit on the Hub, as the local cache has it; None for a folder.
        seconds: From launch to the first answer.
        launch: How it was started.
    """

    url: str
    name: str
    pid: int
    commit: str | None
    seconds: float
    launch: Launch
    _process: subprocess.Popen[bytes] = field(repr=False)

    def wait(self, seconds: float | None = None) -> str | None:
        """Wait until the server ends by itself; return why, or None if it still runs after so many seconds."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return failed_start.explained(_failure(self.launch, status))


def telling(engine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of vLLM that can change a verdict, such as `dtype` and `quantization`, without folders."""
    return {name: _told(value) for name, value in engine.items() if name not in HARMLESS}


def _told(value: Any) -> Any:
    """Return an option without folders; a file is told by its name and a hash of its content."""
    if isinstance(value, Mapping):
        return {str(name): _told(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_told(inner) for inner in value]
    if not isinstance(value, str):
        return value
    path = Path(value).expanduser()
    if os.sep in value and path.is_file():
        return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    if os.sep in value and path.is_dir():
        return f"{path.name} {before_start.fingerprint(path)}"
    return published(value)


def command(launch: Launch) -> list[str]:
    """Return the words that start the server. What only GPUs have is left out where none is seen."""
    words = [launch.python, "-m", MODULE, "--model", launch.model, "--served-model-name", launch.name]
    if launch.revision and before_start.is_hub_id(launch.model):
        words += ["--revision", launch.revision]
    words += ["--host", launch.host, "--port", str(launch.port), "--trust-request-mm-kwargs"]
    engine = {"limit_mm_per_prompt": VIDEOS, **launch.engine}
    if any(option in engine for option in GPU_ONLY) and not gpus.seen(launch.environment):
        engine = {option: value for option, value in engine.items() if option not in GPU_ONLY}
    for option, value in engine.items():
        words += _option(option, value)
    return words


def _option(name: str, value: object) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    return [flag, json.dumps(value) if isinstance(value, dict | list) else str(value)]


def check(launch: Launch) -> None:
    """See before anything is started whether it can be.

    Raises:
        JudgeUnavailable: No such interpreter, no vLLM in it, no such model, too little GPU memory, or the port is taken.
    """
    before_start.interpreter(launch.python, launch.environment)
    before_start.model(launch.model, launch.environment)
    before_start.memory(launch.model, launch.memory_gib, launch.engine, gpus.seen(launch.environment))
    if launch.port:
        before_start.port(launch.host, launch.port)


def find_python(given: str | None, environment: Mapping[str, str] = _OURS) -> str:
    """Return the interpreter that is to run vLLM: the given one, else this one.

    Raises:
        JudgeUnavailable: There is no such interpreter, or none was given and this one has no vLLM.
    """
    return before_start.interpreter(given or sys.executable, environment)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port on which nobody listens now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    launch: Launch, on_wait: Callable[[float, str], None] = lambda seconds, line: None, *, every: float = 10.0
) -> Iterator[Served]:
    """Start a server, wait until it answers, and end it with all its processes when the block is left.

    Args:
        launch: What to start.
        on_wait: Told the seconds waited and the log's last line while it loads.
        every: Seconds between two calls of `on_wait`.

    Raises:
        JudgeUnavailable: It cannot start, ends before it answers, or is too slow. Nothing is left running.
    """
    check(launch)
    if not launch.port:
        launch = replace(launch, port=free_port(launch.host))
    begun = time.monotonic()
    process = _start(launch)
    try:
        _await_answer(launch, process, on_wait, every)
        yield Served(
            url=f"{launch.root}/v1",
            name=launch.name,
            pid=process.pid,
            commit=before_start.commit(launch.model, launch.revision, launch.environment),
            seconds=time.monotonic() - begun,
            launch=launch,
            _process=process,
        )
    finally:
        process_group.end(process)


def _start(launch: Launch) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-I", "-c", _BECOME, str(os.getpid()), *command(launch)]
    launch.log.parent.mkdir(parents=True, exist_ok=True)
    with launch.log.open("wb") as output:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(launch.environment) or None,
            start_new_session=True,
        )


def _await_answer(
    launch: Launch, process: subprocess.Popen[bytes], on_wait: Callable[[float, str], None], every: float
) -> None:
    begun = said = time.monotonic()
    while not before_start.answers(launch.host, launch.port):
        now = time.monotonic()
        if (status := process.poll()) is not None:
            raise JudgeUnavailable(failed_start.explained(_failure(launch, status)))
        if now - begun > launch.patience:
            last = failed_start.last_line(_tail(launch.log))
            raise JudgeUnavailable(
                f"vLLM did not answer within {launch.patience:g} s (its log {launch.log} ends: {last}); "
                "pass a longer --patience, or download the model first"
            )
        if now - said >= every:
            said = now
            on_wait(now - begun, failed_start.last_line(_tail(launch.log)))
        time.sleep(POLL_SECONDS)
    if process.poll() is not None:  # whoever answers there, it is not ours
        raise JudgeUnavailable(failed_start.explained(_failure(launch, process.poll())))


def _failure(launch: Launch, status: int | None) -> failed_start.Failure:
    return failed_start.Failure(
        model=launch.model, revision=launch.revision, status=status, text=_tail(launch.log), log=str(launch.log)
    )


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            return _last_bytes(file).decode(errors="replace")
    except OSError:
        return ""


def _last_bytes(file: IO[bytes]) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
    return file.read()
