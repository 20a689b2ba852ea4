"""HTTP with a host: what each kind of trouble means, bounded sizes and times, and a key that is never shown.

- A refused key (401, 403), no credit (402, or the host's words), an unknown path, a move, no connection at all, or being
  told to wait for long: `HostUnavailable`, which stops the run.
- 408, 425, 429, 5xx, a time-out, a connection that breaks: tried again, as long as nothing is paid by it.
- A submission is tried again only where it cannot have been taken: nothing was sent, or the host said 429 or 503. All other
  trouble with it is `Unsure`.
- Any other 4xx: `Declined`, with the host's words.

The key goes to the host's own address alone, never along with a redirect, an upload or a download elsewhere.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

import httpx

from sparkle_bench import discretion
from sparkle_bench.editors.hosted.addresses import Expired, checked, is_loopback, origin
from sparkle_bench.editors.hosted.answers import json_object, number, retry_after, said, without
from sparkle_bench.editors.hosted.pace import Pace
from sparkle_bench.errors import EditorError, HostUnavailable, printable
from sparkle_bench.video import MAX_BYTES

TRIES, BUSY_TRIES = 6, 12
BUSY = frozenset({429, 503})
RETRIED = frozenset({408, 425, 429, *range(500, 600)})
LONGEST_RETRY_AFTER = 300.0
REQUEST_SECONDS, CONNECT_SECONDS, DOWNLOAD_SECONDS = 60.0, 15.0, 1800.0
LONGEST_ANSWER = 1 << 20
LONGEST_WORDS = 10_000
MOST_REDIRECTS = 5
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteTimeout, httpx.ProxyError)
_BROKE = re.compile(
    r"(?:not|n't)\s(?:have\s)?enough\s(?:\w+\s)?(?:credit|balance|fund)|insufficient\s(?:\w+\s)?(?:credit|balance|fund|quota)"
    r"|arrearage|overdue|out\sof\scredit|payment\srequired|free\s?tier\s?only",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")


class Again(Exception):
    """This try failed, another may succeed.

    Attributes:
        wait: Seconds that the host asks to wait, or None.
        busy: Whether it has too much to do, so that all should slow down.
        unreachable: Whether there was no connection.
    """

    def __init__(self, words: str, *, wait: float | None = None, busy: bool = False, unreachable: bool = False) -> None:
        super().__init__(words)
        self.wait, self.busy, self.unreachable = wait, busy, unreachable


class Unsure(Exception):
    """A submission may have been taken; nobody here knows."""


class Declined(EditorError):
    """The host turned this very request down."""


class Missing(EditorError):
    """The host knows no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request to the host.

    Attributes:
        method: GET or POST.
        path: Under the host's address.
        body: JSON; None for a form or nothing.
        fields: Of a form.
        files: Of a form: their names and where they lie.
        headers: Beside the usual ones.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host's address, and how to speak to it. Threads may share it.

    Attributes:
        called: What messages call it, such as `Runway`.
        url: The API's address, without a path's last slash.
        key: Never shown.
        key_name: The environment variable that holds it.
        headers: Those of every request, the key's included.
        pace: How fast.
        tls: Who is trusted; read once, which takes a while.
    """

    called: str
    url: str
    key: str = field(repr=False)
    key_name: str
    headers: Mapping[str, str] = field(repr=False)
    pace: Pace = field(repr=False)
    tls: ssl.SSLContext = field(repr=False)

    def ask(self, ask: Ask) -> dict[str, Any]:
        """Send a request that may be repeated, with patience, and return the JSON object that is answered.

        Raises:
            HostUnavailable: As the module says.
            Declined: Likewise.
            Missing: It knows no such thing.
            EditorError: It keeps failing.
        """
        return self._patiently(lambda: self._once(ask))

    def order(self, ask: Ask) -> dict[str, Any]:
        """Send a request that is paid for if it is taken; it is sent again only if it was not.

        Raises:
            Unsure: It may have been taken.
            HostUnavailable: It was not taken, for a reason that holds for all.
            Declined: It was not taken.
        """
        return self._patiently(lambda: self._once_and_for_all(ask))

    def give(self, url: str, fields: Mapping[str, str], file: Path, *, name: str) -> None:
        """Upload a file by a form to where the host says, without the key.

        Raises:
            EditorError: It cannot be uploaded.
        """
        if urlsplit(url).scheme != "https" and not is_loopback(self.url):
            raise EditorError(f"{self.called} says to upload to an address that is not https; nothing was sent")

        def send() -> dict[str, Any]:
            with self._client() as client, file.open("rb") as opened:
                form: dict[str, Any] = {"data": dict(fields), "files": {"file": (name, opened, "video/mp4")}}
                try:
                    with client.stream("POST", checked(url), **form) as answer:
                        status = answer.status_code
                except httpx.HTTPError as error:
                    raise self._again(error) from error
            if status in RETRIED:
                raise Again(f"the upload: {status}")
            if not 200 <= status < 300:
                raise EditorError(f"{self.called}'s storage refuses the upload ({status}); nothing was submitted")
            return {}

        self._patiently(send)

    def fetch(self, url: str, path: Path) -> None:
        """Download a file once; the key goes along to the host's own address alone.

        Raises:
            Expired: The link leads nowhere.
            Again: The download broke.
            EditorError: The file is too large.
        """
        try:
            with self._client() as client, self._opened(client, url) as answer:
                self._pour(answer, path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._again(error) from error

    @contextlib.contextmanager
    def _opened(self, client: httpx.Client, url: str) -> Iterator[httpx.Response]:
        for _ in range(MOST_REDIRECTS + 1):
            headers = dict(self.headers) if origin(url) == origin(self.url) else {}
            with client.stream("GET", checked(url), headers={**headers, "Accept-Encoding": "identity"}) as answer:
                if not answer.has_redirect_location:
                    yield answer
                    return
                url = urljoin(url, answer.headers["Location"])
        raise Expired("it leads from one address to the next without end")

    def _pour(self, answer: httpx.Response, path: Path) -> None:
        """Write an answer's body to a file, whole."""
        status, kind = answer.status_code, answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if status in RETRIED:
            raise Again(f"{status}", wait=retry_after(answer.headers), busy=status in BUSY)
        if status != 200:
            raise Expired(f"{status}")
        if kind.startswith("text/") or kind.endswith(("/json", "/xml")):
            raise Again(f"no video comes but {self.clean(kind)}")
        deadline, size = time.monotonic() + DOWNLOAD_SECONDS, 0
        promised = number(answer.headers.get("Content-Length", ""))
        with path.open("wb") as file:
            for chunk in itertools.chain([b""], answer.iter_bytes()):
                size += len(chunk)
                if max(size, promised) > MAX_BYTES:
                    raise EditorError(f"{self.called} sends more than {MAX_BYTES} bytes; no such video is taken")
                if time.monotonic() > deadline:
                    raise Again(f"the download took longer than {DOWNLOAD_SECONDS:g} s")
                self.pace.wait(0)
                file.write(chunk)
        if size == 0:
            raise Again("nothing comes")

    def clean(self, words: object) -> str:
        """Return a host's words on one line, without the key, a link's signature or anything that looks like a secret."""
        text = without(self.key, _QUERY.sub(r"\1", str(words)[:LONGEST_WORDS]))
        return printable(discretion.cleaned(text), limit=400)

    # -- one request -----------------------------------------------------------------------------------------------

    def _patiently(self, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        attempt = 0
        while True:
            self.pace.turn()
            try:
                return send()
            except Again as again:
                attempt += 1
                self._bear(again, attempt)

    def _bear(self, again: Again, attempt: int) -> None:
        """Wait before the next try, or give up."""
        wait = self.pace.again(attempt - 1) if again.wait is None else again.wait
        if wait > LONGEST_RETRY_AFTER:
            raise HostUnavailable(
                f"{self.called} asks to wait {wait:.0f} s ({again}); run the same command again after that"
            ) from again
        if attempt >= (BUSY_TRIES if again.busy else TRIES):
            says = f"{self.called} did not answer well {attempt} times, at last: {again}"
            if again.busy or again.unreachable:
                raise HostUnavailable(f"{says}; run the same command again later") from again
            raise EditorError(says) from again
        if again.busy:
            self.pace.slow_down(wait)
        else:
            self.pace.wait(wait)

    def _once(self, ask: Ask) -> dict[str, Any]:
        try:
            answer = self._exchange(ask)
        except httpx.HTTPError as error:
            raise self._again(error) from error
        if answer.status_code in RETRIED:
            raise self._later(answer)
        if not answer.is_success:
            self._turn_down(answer)
        try:
            return json_object(answer)
        except ValueError as error:
            raise Again(f"the answer is no JSON object: {self.clean(error)}") from error

    def _once_and_for_all(self, ask: Ask) -> dict[str, Any]:
        try:
            answer = self._exchange(ask)
        except NOT_SENT as error:
            raise self._again(error) from error
        except httpx.HTTPError as error:
            raise Unsure(str(self._again(error))) from error
        if answer.status_code in BUSY:
            raise self._later(answer)
        if answer.status_code in RETRIED:
            raise Unsure(f"{answer.status_code}: {self.clean(said(answer))}")
        if not answer.is_success:
            self._turn_down(answer)
        try:
            return json_object(answer)
        except ValueError as error:
            raise Unsure(f"the answer is no JSON object: {self.clean(error)}") from error

    def _exchange(self, ask: Ask) -> httpx.Response:
        """Send, and receive a bounded answer in bounded time.

        Every request has a connection of its own: one that was kept open may have been closed at the other end, and what
        is sent along it is lost without anybody knowing how far it came.
        """
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(self._client())
            files = {
                name: (path.name, stack.enter_context(path.open("rb")), "video/mp4") for name, path in ask.files.items()
            }
            sent: dict[str, Any] = {"json": ask.body} if ask.body is not None else {}
            if ask.fields or files:
                sent = {"data": dict(ask.fields), "files": files}
            headers = {**self.headers, **ask.headers}
            answer = stack.enter_context(client.stream(ask.method, f"{self.url}{ask.path}", headers=headers, **sent))
            deadline, content = time.monotonic() + REQUEST_SECONDS, bytearray()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > LONGEST_ANSWER:
                    raise httpx.ReadError(f"the answer is longer than {LONGEST_ANSWER} bytes")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer came too slowly")
            plain = {name: text for name, text in answer.headers.items() if name in ("retry-after", "location")}
            return httpx.Response(answer.status_code, headers=plain, content=bytes(content))

    def _client(self) -> httpx.Client:
        return httpx.Client(
            timeout=httpx.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS),
            verify=self.tls,
            trust_env=not is_loopback(self.url),
            headers={"User-Agent": "sparkle-bench"},
        )

    def _again(self, error: Exception) -> Again:
        unreachable = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
        late = isinstance(error, httpx.TimeoutException)
        what = "no connection" if unreachable else "no answer in time" if late else "the connection broke"
        return Again(f"{what} ({self.clean(error) or type(error).__name__})", unreachable=unreachable)

    def _later(self, answer: httpx.Response) -> Again:
        status = answer.status_code
        return Again(f"{status}: {self.clean(said(answer))}", wait=retry_after(answer.headers), busy=status in BUSY)

    def _turn_down(self, answer: httpx.Response) -> NoReturn:
        """Raise what an answer says that is no success and need not be asked for again."""
        status, words = answer.status_code, self.clean(said(answer))
        if status == 402 or _BROKE.search(words):
            raise HostUnavailable(f"{self.called} wants credit first ({status}: {words}); add some, and run again")
        if status in (401, 403):
            raise HostUnavailable(
                f"{self.called} refuses the key ({status}: {words}); set {self.key_name} to one it knows"
            )
        if status < 400:
            raise HostUnavailable(f"{self.called} has moved ({status}); set --option base_url=… to where it is")
        if status in (404, 410):
            raise Missing(f"{status}: {words}")
        raise Declined(f"{status}: {words}")
