"""A judge's server for tests: a real HTTP server on 127.0.0.1 that speaks as vLLM does, and misbehaves on request."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sparkle_bench.video import smart_resize

LABELS = (
    "Instruction Compliance",
    "Overall Visual Quality",
    "Foreground Integrity",
    "Foreground Motion Consistency",
    "Background Dynamics",
    "Background Visual Quality",
)


def verdict(*marks: int) -> str:
    """Return a well-formed reply with these marks."""
    lines = [f"{label}: {mark}" for label, mark in zip(LABELS, marks, strict=True)]
    return "\n".join(["Brief reasoning: a made-up verdict.", *lines])


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the server, good or bad."""

    status: int = 200
    text: str | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut_off: bool = False
    reset: bool = False
    drip: float = 0.0
    usage: tuple[int, int] | None = (1000, 60)
    logprobs: list[dict[str, Any]] | None = None

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": self.text or f"status {self.status}"}}).encode()
        reply = verdict(4, 3, 5, 2, 4, 4) if self.text is None else self.text
        choice: dict[str, Any] = {"message": {"content": reply}}
        if self.logprobs is not None:
            choice["logprobs"] = {"content": self.logprobs}
        answer: dict[str, Any] = {"choices": [choice]}
        if self.usage is not None:
            prompt, completion = self.usage
            total = prompt + completion
            answer["usage"] = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
        return json.dumps(answer).encode()


@dataclass(kw_only=True)
class FakeJudge:
    """What the server says. Answers queue up; when none is left `answer` is asked.

    Attributes:
        models: Served model names.
        queue: Answers to give first, one each.
        answer: Gives an answer to a request's body.
        requests: Bodies of the chat requests so far.
        tokenize: Whether `/tokenize` exists.
        trusts: Whether a request may state its frames' times.
        kept: Most frames per clip that the model is shown, or None.
        factor: Picture sides are multiples of this.
        labels: Whether time labels stand in the prompt, as for Qwen3-VL.
        label_shift: Added to every label, to make them wrong.
        key: The API key asked for, or None.
        context: Tokens the model takes.
        tokenized: What `/tokenize` answers, whatever it is asked.
        busy: So many requests are answered with `busy_status` first.
        paths: What was asked for, in order.
        version: The server's version.
        most_on_their_way: So many chat requests at once, at most, so far.
    """

    models: tuple[str, ...] = ("tiny-judge",)
    queue: deque[Answer] = field(default_factory=deque)
    answer: Callable[[dict[str, Any]], Answer] = lambda body: Answer()
    requests: list[dict[str, Any]] = field(default_factory=list)
    owned_by: str = "vllm"
    tokenize: bool = True
    trusts: bool = True
    kept: int | None = None
    factor: int = 32
    labels: bool = True
    label_shift: float = 0.0
    key: str | None = None
    context: int = 32768
    tokenized: Answer | None = None
    busy: int = 0
    busy_status: int = 503
    lock: threading.Lock = field(default_factory=threading.Lock)
    paths: list[str] = field(default_factory=list)
    version: str = "0.0.fake"
    on_their_way: int = 0
    most_on_their_way: int = 0
    url: str = ""

    def chat(self, body: dict[str, Any]) -> Answer:
        if body.get("max_tokens") == 8:  # the trial question
            return Answer(text="grey")
        with self.lock:
            self.requests.append(body)
            queued = self.queue.popleft() if self.queue else None
        return queued or self.answer(body)

    def tokens(self, body: dict[str, Any]) -> Answer:
        stated = body.get("media_io_kwargs", {}).get("video")
        if stated and not self.trusts:
            return Answer(status=400, text="media_io_kwargs was passed but --trust-request-mm-kwargs is not set")
        strings: list[str] = []
        for part in body["messages"][0]["content"]:
            if part["type"] == "video_url":
                strings += self._video(part["video_url"]["url"], stated)
        data = {
            "count": len(strings),
            "tokens": list(range(len(strings))),
            "token_strs": strings,
            "max_model_len": 8192,
        }
        return Answer(body=json.dumps(data).encode())

    def _video(self, url: str, stated: dict[str, Any] | None) -> list[str]:
        frames = url.count(",")
        frames = frames if stated else min(frames, 32)
        frames = min(frames, self.kept or frames)
        height, width = smart_resize(720, 1280, factor=self.factor, max_pixels=640 * 360)
        indices = stated["frames_indices"][:frames] if stated else list(range(frames))
        fps = stated["fps"] if stated else 1.0
        strings = []
        for first, second in zip(indices[::2], indices[1::2], strict=False):
            if self.labels:
                strings.append(f"<{(first + second) / 2 / fps + self.label_shift:.1f} seconds>")
            strings += ["<|video_pad|>"] * ((height // self.factor) * (width // self.factor))
        return strings

    def models_card(self) -> Answer:
        cards = [
            {
                "id": name,
                "object": "model",
                "owned_by": self.owned_by,
                "root": f"/m/{name}",
                "max_model_len": self.context,
            }
            for name in self.models
        ]
        return Answer(body=json.dumps({"object": "list", "data": cards}).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeJudge

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self._allowed():
            return
        if self.path == "/v1/models":
            self._send(self.fake.models_card())
        elif self.path == "/version" and self.fake.owned_by == "vllm":
            self._send(Answer(body=json.dumps({"version": self.fake.version}).encode()))
        else:
            self._send(Answer(status=404, text="Not Found"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._allowed():
            return
        if self.path == "/v1/chat/completions":
            if body["model"] not in self.fake.models:
                self._send(Answer(status=404, text=f"The model `{body['model']}` does not exist."))
                return
            self._chat(body)
        elif self.path == "/tokenize" and self.fake.tokenize:
            self._send(self.fake.tokenized or self.fake.tokens(body))
        else:
            self._send(Answer(status=404, text="Not Found"))

    def _chat(self, body: dict[str, Any]) -> None:
        fake = self.fake
        with fake.lock:
            fake.on_their_way += 1
            fake.most_on_their_way = max(fake.most_on_their_way, fake.on_their_way)
        try:
            self._send(fake.chat(body))
        finally:
            with fake.lock:
                fake.on_their_way -= 1

    def _allowed(self) -> bool:
        if self.fake.busy > 0:
            self.fake.busy -= 1
            self._send(Answer(status=self.fake.busy_status, text="loading"))
            return False
        sent = self.headers.get("Authorization", "")
        self.fake.paths.append(self.path)
        if self.fake.key is None or self.fake.key in (sent.removeprefix("Bearer "), self.headers.get("api-key")):
            return True
        self._send(Answer(status=401, text=f"Incorrect API key provided: {re.sub('^Bearer ', '', sent)}"))
        return False

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.delay)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        content = answer.content()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.drip:
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(answer.drip)
            return
        self.wfile.write(content[: len(content) // 2] if answer.cut_off else content)
        if answer.cut_off:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that hang up: some tests kill theirs."""


@contextmanager
def serving(fake: FakeJudge, port: int = 0) -> Iterator[FakeJudge]:
    """Serve a fake judge; its `url` is set while it does."""
    handler = type("Handler", (_Handler,), {"fake": fake})
    with _Server(("127.0.0.1", port), handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join(10)
