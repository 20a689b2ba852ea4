"""A judge's server that answers every question after the same time and costs next to nothing itself.

    python -m tests.benchmarks.steady_server [SECONDS]

It speaks as vLLM does (`owned_by`, `/version`; no `/tokenize`), drops the body it is sent, and gives one well-formed verdict.
It prints its port, then serves until its standard input ends. `GET /seen` tells what it saw, `POST /forget` starts anew.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from tests.fake_judge import verdict

BUFFER = 1 << 20
"""Bytes taken from a connection at once: a body is read in a few steps."""


@dataclass(kw_only=True)
class Seen:
    """What the server saw since it was told to forget.

    Attributes:
        questions: Chat requests, the start-up question included.
        bytes: Bytes of their bodies.
        at_once: Most questions that waited for their answer at one time.
        first: When the first byte of the first question came, in seconds of `time.time`.
        second: The same of the second: the first is the start-up question.
        last: When the last answer left.
    """

    questions: int = 0
    bytes: int = 0
    at_once: int = 0
    first: float = 0.0
    second: float = 0.0
    last: float = 0.0


class Connection(asyncio.BufferedProtocol):
    """One connection: heads are read, bodies are counted and dropped."""

    transport: asyncio.Transport

    def __init__(self, seen: Seen, waiting: list[int], delay: float) -> None:
        self.seen, self.waiting, self.delay = seen, waiting, delay
        self.buffer = bytearray(BUFFER)
        self.head, self.left, self.path, self.begun = b"", 0, "", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        """Lend the one buffer; what it held is dropped."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read a head, or count a body's bytes."""
        if self.left:
            self.left -= nbytes
        else:
            self.head += bytes(memoryview(self.buffer)[:nbytes])
            head, ends, body = self.head.partition(b"\r\n\r\n")
            if not ends:
                return
            self.head, self.begun = b"", time.time()
            lines = head.decode("latin-1").split("\r\n")
            self.path = " ".join(lines[0].split()[:2])
            sizes = [line.partition(":")[2] for line in lines[1:] if line.lower().startswith("content-length:")]
            size = int(sizes[0]) if sizes else 0
            self.left = size - len(body)
            if self.path == "POST /v1/chat/completions":
                self.seen.bytes += size
        if self.left <= 0:
            self.left = 0
            self._answer()

    def _answer(self) -> None:
        if self.path != "POST /v1/chat/completions":
            self._send(*_plain(self.path, self.seen))
            return
        self.seen.questions += 1
        if self.seen.questions == 1:
            self.seen.first = self.begun
        elif self.seen.questions == 2:
            self.seen.second = self.begun
        self.waiting[0] += 1
        self.seen.at_once = max(self.seen.at_once, self.waiting[0])
        asyncio.get_running_loop().call_later(self.delay, self._say)

    def _say(self) -> None:
        self.waiting[0] -= 1
        self.seen.last = time.time()
        usage = {"prompt_tokens": 1000, "completion_tokens": 60}
        message = {"role": "assistant", "content": verdict(4, 3, 5, 2, 4, 4)}
        self._send(200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    def _send(self, status: int, data: object) -> None:
        content = json.dumps(data).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.transport.write(head.encode() + content)


def _plain(path: str, seen: Seen) -> tuple[int, object]:
    """Return status and answer of what is no question."""
    if path == "GET /v1/models":
        card = {"id": "steady", "object": "model", "owned_by": "vllm", "root": "steady", "max_model_len": 131072}
        return 200, {"object": "list", "data": [card]}
    if path == "GET /version":
        return 200, {"version": "0.0.steady"}
    if path == "GET /seen":
        return 200, asdict(seen)
    if path == "POST /forget":
        vars(seen).update(asdict(Seen()))
        return 200, {}
    return 404, {"error": {"message": "Not Found"}}


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    seen, waiting = Seen(), [0]
    server = await loop.create_server(lambda: Connection(seen, waiting, delay), "127.0.0.1", 0, backlog=128)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server's address."""

    url: str

    def seen(self) -> Seen:
        """Return what it saw since `forget`."""
        with urllib.request.urlopen(f"{self.url.removesuffix('/v1')}/seen", timeout=30) as answer:
            return Seen(**json.load(answer))

    def forget(self) -> None:
        """Let it count anew."""
        urllib.request.urlopen(f"{self.url.removesuffix('/v1')}/forget", data=b"", timeout=30).close()


@contextmanager
def serving(delay: float) -> Iterator[Server]:
    """Run the server in a process of its own.

    Args:
        delay: Seconds from a question's last byte to its answer.
    """
    command = [sys.executable, "-m", "tests.benchmarks.steady_server", str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield Server(url=f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        finally:
            process.stdin.close()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.3))
