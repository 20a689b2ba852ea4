"""Starts a real vLLM on this machine's CPU for the end-to-end tests, and ends it with everything it started.

The server lives in an environment of its own; this module needs only the standard library and httpx. It runs detached,
in a session (so a process group) of its own, and answers on 127.0.0.1 alone:

    with VllmServer.start(python, model_dir, port=free_port(), log=tmp_path / "vllm.log", served_name="tiny") as server:
        ...  # server.url is http://127.0.0.1:PORT/v1
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx

HOST = "127.0.0.1"
ENV_DIR = Path(__file__).resolve().parent / "vllm_env"

# Measured with the tiny judges; see `server_options`.
MAX_MODEL_LEN = 32768
MEDIA_LIMITS = {"video": 2, "image": 16}

START_SECONDS = 300.0
STOP_SECONDS = 20.0
TRACKER_SECONDS = 5.0
POLL_SECONDS = 0.25
TAIL_LINES = 40


class VllmServerError(Exception):
    """The server did not come up, or something that it started would not end."""


def free_port() -> int:
    """Returns a TCP port of 127.0.0.1 on which nobody listens now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def server_options(*, trust_request_mm_kwargs: bool) -> list[str]:
    """Returns the options that suit a tiny judge on two cores.

    Prompts for two clips, in tokens, measured with the tiny Qwen2.5-VL and the tiny Qwen3-VL: 16 frames of 640x352 each
    4,829 and 3,693; 40 such frames 12,005 and 9,165; whole 1280x720 files of 81 frames, of which the server takes ten,
    7,245 and 8,925. `MAX_MODEL_LEN` holds them all with the reply. It costs no memory: the cache has 1 GiB anyway.
    """
    options = ["--dtype", "float32", "--enforce-eager", "--max-model-len", str(MAX_MODEL_LEN)]
    options += ["--limit-mm-per-prompt", json.dumps(MEDIA_LIMITS)]
    return [*options, "--trust-request-mm-kwargs"] if trust_request_mm_kwargs else options


def server_environment(inherited: dict[str, str]) -> dict[str, str]:
    """Returns `inherited` with what the CPU build needs; `vllm_env`, for torchvision, comes first on the path."""
    path = [str(ENV_DIR), *filter(None, [inherited.get("PYTHONPATH")])]
    return inherited | {
        "PYTHONPATH": os.pathsep.join(path),
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }


@dataclass(slots=True, kw_only=True)
class VllmServer:
    """One running server; `start` makes it, and leaving the `with` block stops it.

    Attributes:
        process: The API server's process, the leader of its session and process group.
        port: Where it listens on 127.0.0.1.
        log: The file with all that the server and its engine said.
        served_name: The model's name in requests.
        start_seconds: Time from launch to the first 200 of `/health`.
        ended: Whether the whole process group was seen to be gone.
    """

    process: subprocess.Popen[bytes] = field(repr=False)
    port: int
    log: Path
    served_name: str
    start_seconds: float = 0.0
    ended: bool = False

    @classmethod
    def start(
        cls,
        python: Path,
        model_dir: Path,
        port: int,
        log: Path,
        served_name: str,
        extra: Sequence[str] = (),
        *,
        trust_request_mm_kwargs: bool = True,
        timeout_seconds: float = START_SECONDS,
    ) -> "VllmServer":
        """Launches the server and returns once `/health` answers 200.

        Args:
            python: The interpreter that has vLLM.
            model_dir: The model's folder.
            port: A free port of 127.0.0.1.
            log: Where the output goes; an old log there is replaced.
            served_name: The name that requests give.
            extra: Further options; a repeated one overrides the default.
            trust_request_mm_kwargs: Whether requests may carry `media_io_kwargs` and `mm_processor_kwargs`.
            timeout_seconds: How long the server may take to come up.

        Raises:
            VllmServerError: The process ended or time was up; the text holds the log's tail. Nothing is left running.
        """
        command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model_dir)]
        command += ["--served-model-name", served_name, "--host", HOST, "--port", str(port)]
        command += [*server_options(trust_request_mm_kwargs=trust_request_mm_kwargs), *extra]
        server = cls(process=_launch(command, log), port=port, log=log, served_name=served_name)
        try:
            server._await_health(timeout_seconds)
            _confine(group_members(server.process.pid))
        except BaseException:
            server.kill()
            raise
        return server

    @property
    def root(self) -> str:
        """The server's address without `/v1`, where `/health`, `/version` and `/tokenize` are."""
        return f"http://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The base address of the OpenAI-style API."""
        return f"{self.root}/v1"

    def kill(self) -> None:
        """Ends the server and its engine at once with SIGKILL, as a machine that is out of memory would.

        Python's resource tracker, which outlives them by a moment to free their shared memory (hundreds of MiB in
        `/dev/shm`), is killed only if it lingers.

        Raises:
            VllmServerError: Something in the group is still there after `STOP_SECONDS`.
        """
        # The leader goes first, so that a request under way sees a broken connection, never an answer about the engine.
        if not self._gone():
            for pid in sorted(group_members(self.process.pid), key=lambda pid: pid != self.process.pid):
                if not _is_resource_tracker(pid):
                    _kill_quietly(os.kill, pid)
        if not self._gone_within(TRACKER_SECONDS):
            _kill_quietly(os.killpg, self.process.pid)
        if not self._gone_within(STOP_SECONDS):
            raise VllmServerError(f"processes of group {self.process.pid} outlived SIGKILL; end them by hand")

    def stop(self) -> None:
        """Asks the server to end, then kills what is left after `STOP_SECONDS`; a second call does nothing."""
        # Only the leader gets the signal, for it ends its engine in order.
        if self.process.poll() is None:
            self.process.terminate()
        if not self._gone_within(STOP_SECONDS):
            self.kill()

    def __enter__(self) -> "VllmServer":
        """Returns the running server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the server, also after a failed test."""
        self.stop()

    def log_tail(self) -> str:
        """Returns the last lines that the server wrote."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def _await_health(self, timeout_seconds: float) -> None:
        begun = time.monotonic()
        while not self._healthy():
            if (status := self.process.poll()) is not None:
                raise self._start_error(f"vLLM ended with status {status} before it was up")
            if time.monotonic() - begun > timeout_seconds:
                raise self._start_error(f"vLLM was not up after {timeout_seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        self.start_seconds = time.monotonic() - begun

    def _start_error(self, what: str) -> VllmServerError:
        return VllmServerError(f"{what}; {self.log} ends:\n{self.log_tail()}")

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.root}/health", timeout=5.0, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _gone_within(self, seconds: float) -> bool:
        return _wait_until(self._gone, seconds)

    def _gone(self) -> bool:
        # Once the group is gone its number may be given to others, so it is never looked up or signalled again.
        self.process.poll()
        self.ended = self.ended or not group_members(self.process.pid)
        return self.ended


def group_members(group: int) -> list[int]:
    """Returns the process ids of a process group that are still running; the dead that nobody reaped do not count."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # The name, in parentheses, may hold blanks; state, parent and group follow it.
        state, _, its_group = text.rpartition(")")[2].split()[:3]
        if int(its_group) == group and state not in "ZX":
            members.append(int(stat.parent.name))
    return members


def _confine(pids: Sequence[int]) -> None:
    """Keeps the processes to one core of those that we may use, once they are up.

    Measured on two cores: vLLM's busy threads kept a test that slept 0.2 s from waking for 3.9 s, so it could not act
    while a request ran. On one core a reply takes a third longer and the test wakes in time.
    """
    core = min(os.sched_getaffinity(0))
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), {core})


def _is_resource_tracker(pid: int) -> bool:
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _kill_quietly(kill: Callable[[int, int], None], number: int) -> None:
    with suppress(ProcessLookupError):
        kill(number, signal.SIGKILL)


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _launch(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=server_environment(dict(os.environ)),
            start_new_session=True,
        )
