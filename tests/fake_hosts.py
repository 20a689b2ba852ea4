"""Runway, Decart and DashScope for tests: one real HTTP server on 127.0.0.1 that plays each API, and misbehaves on request.

Every request is one step of the road: `place` (where to upload), `store` (the upload), `submit`, `look`, `list` and `video`.
"""

from __future__ import annotations

import email
import json
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

KEY = "key_0123456789abcdef+/='\"&<>"
"""Holds what JSON, HTML and URLs write differently."""
SUBMISSIONS = {
    "/v1/video_to_video": "runway",
    "/api/v1/services/aigc/video-generation/video-synthesis": "dashscope",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer that is not the usual one.

    Attributes:
        status: Of HTTP.
        body: JSON data, or bytes as they are.
        headers: Beside the length.
        taken: Whether a job was made of the request nevertheless.
        drop: Whether the connection ends without an answer.
        length: What `Content-Length` says; None for the truth, -1 for nothing.
        wait: Seconds before it comes.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: bool = False
    drop: bool = False
    length: int | None = None
    wait: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request that came."""

    step: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, bytes]:
        """The parts of a form, by name; those of files too."""
        kind = b"Content-Type: " + self.headers["content-type"].encode()
        parts = email.message_from_bytes(kind + b"\r\n\r\n" + self.body).walk()
        named = {
            part.get_param("name", header="content-disposition"): part for part in parts if not part.is_multipart()
        }
        return {str(name): part.get_payload(decode=True) for name, part in named.items()}  # type: ignore[misc]


@dataclass(kw_only=True)
class Made:
    """A job at the host; `at` is when it was submitted, in seconds since 1970."""

    host: str
    prompt: str
    source: bytes
    ends: str
    looks: int = 0
    at: float = field(default_factory=time.time)


Ending = Literal["done", "failed", "refused", "cancelled"]


@dataclass(kw_only=True)
class FakeHosts:
    """What the server does.

    Attributes:
        key: The key asked for.
        waits: So many looks at a job say that it is under way.
        waiting: What Runway says meanwhile.
        ends: How jobs end.
        render: Makes a job's video of its source.
        words: What is said of a job that was not made.
        credits: What Runway charges.
        before: Called with the step before each answer.
        faults: Answers to give first, by step.
        seen: All requests so far.
        jobs: All jobs so far, by name.
        stored: What was uploaded, by its address.
        elsewhere: Where links to videos lead, if not here.
        lists: Whether DashScope can list its tasks.
    """

    key: str = KEY
    waits: int = 1
    waiting: str = "RUNNING"
    ends: Ending = "done"
    render: Callable[[bytes], bytes] = lambda source: source
    words: str = "it was not to be"
    credits: int = 140
    before: Callable[[str], None] = lambda step: None
    faults: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    seen: list[Seen] = field(default_factory=list)
    jobs: dict[str, Made] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    elsewhere: str | None = None
    lists: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""
    links: int = 0

    def steps(self) -> list[str]:
        return [seen.step for seen in self.seen]

    def of(self, step: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.step == step]

    # -- jobs ------------------------------------------------------------------------------------------------------

    def submit(self, seen: Seen) -> Answer:
        host, prompt, source = self._ordered(seen)
        with self.lock:
            name = f"{host}-job-{len(self.jobs) + 1}"
            self.jobs[name] = Made(host=host, prompt=prompt, source=source, ends=self.ends)
        if host == "runway":
            return Answer(body={"id": name, "status": "PENDING", "estimatedCost": {"credits": self.credits}})
        if host == "decart":
            return Answer(body={"job_id": name, "status": "pending"})
        return Answer(body={"request_id": "r", "output": {"task_id": name, "task_status": "PENDING"}})

    def _ordered(self, seen: Seen) -> tuple[str, str, bytes]:
        host = SUBMISSIONS.get(seen.path, "decart")
        if host == "decart":
            return host, seen.form["prompt"].decode(), seen.form["data"]
        body = seen.json
        if host == "runway":
            return host, body["promptText"], self.stored.get(body["videoUri"], b"")
        address = body["input"]["media"][0]["url"]
        return host, body["input"]["prompt"], self.stored.get(address, b"")

    def look(self, name: str) -> Answer:
        made = self.jobs.get(name)
        if made is None:
            unknown = {"output": {"task_id": name, "task_status": "UNKNOWN"}}
            return (
                Answer(body=unknown)
                if name.startswith("dashscope")
                else Answer(status=404, body={"error": "no such job"})
            )
        made.looks += 1
        phase = made.ends if made.looks > self.waits else "waiting"
        if phase == "done":
            with self.lock:
                self.links += 1
        link = f"{self.elsewhere or self.url}/video/{name}?link={self.links}&signature=s3cr3t"
        return Answer(body=getattr(self, f"_{made.host}")(name, phase, made, link))

    def _runway(self, name: str, phase: str, made: Made, link: str) -> dict[str, Any]:
        status = {"waiting": self.waiting, "done": "SUCCEEDED", "cancelled": "CANCELLED"}.get(phase, "FAILED")
        task: dict[str, Any] = {"id": name, "status": status, "createdAt": "2026-11-01T00:00:00Z"}
        if phase == "waiting":
            return {**task, "estimatedCost": {"credits": self.credits}}
        task |= {"cost": {"credits": self.credits}}
        if phase == "done":
            return {**task, "output": [link]}
        code = {"failed": "INTERNAL.BAD_OUTPUT.CODE01", "refused": "SAFETY.INPUT.TEXT"}.get(phase)
        return {**task, "failure": self.words, "failureCode": code} if code else task

    def _decart(self, name: str, phase: str, made: Made, link: str) -> dict[str, Any]:
        status = {"waiting": "processing", "done": "completed"}.get(phase, "failed")
        error = {"failed": self.words, "refused": f"moderation: {self.words}", "cancelled": "cancelled"}.get(phase)
        return {"job_id": name, "status": status, **({"error": error} if error else {})}

    def _dashscope(self, name: str, phase: str, made: Made, link: str) -> dict[str, Any]:
        status = {"waiting": "RUNNING", "done": "SUCCEEDED", "cancelled": "CANCELED"}.get(phase, "FAILED")
        at = datetime.fromtimestamp(made.at, timezone(timedelta(hours=8)))
        task: dict[str, Any] = {"task_id": name, "task_status": status, "submit_time": f"{at:%Y-%m-%d %H:%M:%S}.123"}
        if phase == "done":
            usage = {"duration": 5.0, "video_count": 1, "SR": 720}
            return {"output": {**task, "video_url": link, "orig_prompt": made.prompt}, "usage": usage}
        if phase in ("failed", "refused"):
            task |= {"code": {"refused": "DataInspectionFailed"}.get(phase, "InternalError"), "message": self.words}
        return {"output": task}

    def video(self, name: str, path: str) -> Answer:
        made = self.jobs.get(name)
        if made is None:
            return Answer(status=404, body={"error": "no such job"})
        return Answer(body=self.render(made.source), headers={"Content-Type": "video/mp4"})

    # -- requests --------------------------------------------------------------------------------------------------

    def answer(self, seen: Seen) -> Answer:
        """Return the usual answer to a request."""
        if seen.step in ("place", "submit", "look", "list") or (seen.step == "video" and "/content" in seen.path):
            shown = seen.headers.get("authorization", "").removeprefix("Bearer ") or seen.headers.get("x-api-key", "")
            if shown != self.key:
                return Answer(status=401, body={"error": f"the key {shown} is wrong", "code": "InvalidApiKey"})
        if seen.step == "place":
            return self._place(seen)
        if seen.step == "store":
            form = seen.form
            address = (
                seen.path.removeprefix("/store/")
                if b"runway" in seen.path.encode()
                else f"oss://{form['key'].decode()}"
            )
            self.stored[address.replace("runway/", "runway://")] = form["file"]
            return Answer(status=204)
        if seen.step == "submit":
            return self.submit(seen)
        if seen.step == "list":
            data = [{"task_id": name} for name in self.jobs]
            return Answer(body={"data": data, "total": len(data)}) if self.lists else Answer(status=404)
        name = seen.path.partition("?")[0].removesuffix("/content").rpartition("/")[2]
        return self.look(name) if seen.step == "look" else self.video(name, seen.path)

    def _place(self, seen: Seen) -> Answer:
        if seen.method == "POST":
            name = seen.json["filename"]
            place = {
                "uploadUrl": f"{self.url}/store/runway/{name}",
                "fields": {"acl": "private"},
                "runwayUri": f"runway://{name}",
            }
            return Answer(body=place)
        data = {
            "policy": "p", "signature": "s", "upload_dir": "instant/1", "upload_host": f"{self.url}/store/oss",
            "oss_access_key_id": "a", "x_oss_object_acl": "private", "x_oss_forbid_overwrite": "true",
        }  # fmt: skip
        return Answer(body={"data": data, "request_id": "r"})


def step_of(method: str, path: str) -> str:
    """Return which step of the road a request is."""
    plain = path.partition("?")[0]
    if plain in ("/v1/uploads", "/api/v1/uploads"):
        return "place"
    if plain.startswith("/store/"):
        return "store"
    if plain.startswith("/video/") or plain.endswith("/content"):
        return "video"
    if method == "POST":
        return "submit"
    return "list" if plain == "/api/v1/tasks/" else "look"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeHosts

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(
            self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self._chunks()
        )

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _serve(self, body: bytes) -> None:
        fake, step = self.fake, step_of(self.command, self.path)
        headers = {name.lower(): text for name, text in self.headers.items()}
        seen = Seen(step=step, method=self.command, path=self.path, headers=headers, body=body, at=time.monotonic())
        with fake.lock:
            fake.seen.append(seen)
            fault = fake.faults[step].popleft() if fake.faults[step] else None
        if fault is None:
            answer = fake.answer(seen)
            fake.before(step)
        else:
            answer = fault
            if fault.taken:
                fake.answer(seen)
            time.sleep(fault.wait)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.close_connection = True
        if answer.drop:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        try:
            self.send_response(answer.status)
            if not isinstance(answer.body, bytes):
                self.send_header("Content-Type", "application/json")
            for name, text in answer.headers.items():
                self.send_header(name, text)
            if answer.length != -1 and answer.status != 204:
                self.send_header("Content-Length", str(len(body) if answer.length is None else answer.length))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # whoever asked was killed
            pass


@contextmanager
def serving(**settings: Any) -> Iterator[FakeHosts]:
    """Run the server for as long as the context lasts."""
    fake = FakeHosts(**settings)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
