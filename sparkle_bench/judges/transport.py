"""One HTTP request to a judge's server, and what each kind of trouble means; `pool.py` decides what to do about it.

- A refused key (401, 403): `JudgeUnavailable`; so is an unknown model or path (404).
- No connection, 408, 425, 429, 5xx, a time-out, a cut-off or empty answer: `Again`, with the seconds of `Retry-After`.
- Any other 4xx: `RequestFailed` at once; the same request would be refused again.

An address at Azure takes the key in a header of its own and keeps its `api-version`.
"""

from __future__ import annotations

import email.utils
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from sparkle_bench.errors import JudgeUnavailable, RequestFailed, one_line

TRIES = 6
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
LONGEST_RETRY_AFTER = 120.0
LONGEST_ANSWER = 64 << 20
PROBE_TRIES = 4
RETRIED = frozenset({408, 425, 429, *range(500, 600)})
BUSY = frozenset({408, 429, 503, 504, 529})
"""Statuses that speak of too much work, not of something broken."""
LOOK_SECONDS = 10.0
USER_AGENT = "sparkle-bench"


class Again(Exception):
    """This try failed, another may succeed.

    Attributes:
        wait: Seconds that the server asks to wait, or None.
        unreachable: Whether there was no connection at all.
        busy: Whether the server has too much to do.
        timed_out: Whether it did not answer in time.
        over_quota: Whether it says that too much was asked of it (429).
        tokens: Prompt and completion tokens of an answer that holds no reply.
    """

    def __init__(
        self,
        message: str,
        *,
        wait: float | None = None,
        unreachable: bool = False,
        timed_out: bool = False,
        status: int | None = None,
        tokens: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.unreachable = unreachable
        self.timed_out = timed_out
        self.busy = timed_out or status in BUSY
        self.over_quota = status == 429
        self.tokens = tokens


class Refused(JudgeUnavailable):
    """The server refuses the key (401, 403), or knows no such model or path (404).

    Attributes:
        status: Which of these.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transport:
    """A server's address and how to speak to it. Safe to use from many threads.

    Attributes:
        url: The API's base, usually ending in `/v1`.
        api_key: Sent as a bearer token; never shown.
        timeout: Seconds to wait for an answer.
        tries: Requests sent before giving up.
        sleep: Waits so many seconds; a test passes its own.
    """

    url: str
    api_key: str | None = None
    timeout: float = 300.0
    tries: int = TRIES
    sleep: Callable[[float], None] = time.sleep
    _own: threading.local = field(init=False, repr=False, default_factory=threading.local)
    _tls: ssl.SSLContext | bool = field(init=False, repr=False, default=False)
    _opened: list[httpx.Client] = field(init=False, repr=False, default_factory=list)
    _closed: threading.Event = field(init=False, repr=False, default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.url.lower().startswith("https:"):  # once for all threads: reading the certificates takes a while
            object.__setattr__(self, "_tls", httpx.create_ssl_context())

    @property
    def _client(self) -> httpx.Client:
        """The thread's own client: threads that share one wait for its lock a good part of the time."""
        client: httpx.Client | None = getattr(self._own, "client", None)
        if self._closed.is_set():
            raise httpx.TransportError("the connection was closed here")
        if client is None:
            client = self._own.client = self._connected()
            self._opened.append(client)
        return client

    def _connected(self) -> httpx.Client:
        headers = {"User-Agent": USER_AGENT} | _key_header(self.url, self.api_key)
        timeout = httpx.Timeout(self.timeout, connect=min(10.0, self.timeout))
        direct = _is_loopback(self.url)
        return httpx.Client(headers=headers, timeout=timeout, verify=self._tls, trust_env=not direct)

    def close(self) -> None:
        """Hang up, for good."""
        self._closed.set()
        while self._opened:
            self._opened.pop().close()

    @property
    def shown(self) -> str:
        """The address without user name and password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))

    def address(self, path: str, *, root: bool = False) -> str:
        """Return the URL of an endpoint under the API's base, or beside its `/v1` when `root` is set."""
        parts = urlsplit(self.url)
        base = parts.path.rstrip("/")
        return urlunsplit(parts._replace(path=f"{base.removesuffix('/v1') if root else base}{path}"))

    def redact(self, text: object) -> str:
        """Return text on one line, with the key and the address's password blotted out."""
        line = one_line(text)
        secrets = [self.api_key, urlsplit(self.url).password]
        for secret in filter(None, secrets):
            line = line.replace(secret, "[key]")
        return re.sub(r"(?<=://)[^/@\s]+@", "", line)

    def get(self, path: str, *, root: bool = False) -> httpx.Response:
        """GET, and again while the server says that it is busy or loading.

        Raises:
            JudgeUnavailable: No server answers.
        """
        return self._patiently("GET", self.address(path, root=root))

    def post_plain(self, path: str, body: dict[str, Any], *, root: bool = False) -> httpx.Response:
        """POST, and again while the server says that it is busy or loading; return whatever else it answers.

        Raises:
            JudgeUnavailable: No server answers, or it stays busy.
        """
        return self._patiently("POST", self.address(path, root=root), body)

    def _patiently(self, method: str, url: str, body: dict[str, Any] | None = None) -> httpx.Response:
        for attempt in range(PROBE_TRIES):
            response = self._once(method, url, body)
            if response.status_code not in RETRIED:
                return response
            if attempt + 1 < PROBE_TRIES:
                self.sleep(wait_before(attempt, retry_after(response)))
        raise JudgeUnavailable(
            f"the judge at {self.shown} is busy or not ready ({response.status_code}: {self.redact(message(response))}); "
            "wait and run again"
        )

    def _once(self, method: str, url: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            return self._exchange(method, url, body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            reason = self.redact(error) or type(error).__name__
            raise JudgeUnavailable(
                f"no judge answers at {self.shown} ({reason}); start the server, or correct --judge-url"
            ) from error

    def _exchange(self, method: str, url: str, body: dict[str, Any] | bytes | None) -> httpx.Response:
        """Send, and receive the answer's body within the time limit as a whole; httpx's own limits each single read."""
        deadline = time.monotonic() + self.timeout
        sent: dict[str, Any] = {"json": body}
        if isinstance(body, bytes):
            sent = {"content": body, "headers": {"Content-Type": "application/json"}}
        with self._client.stream(method, url, **sent) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer came too slowly")
                if len(content) > LONGEST_ANSWER:
                    raise httpx.ReadError(f"the answer is longer than {LONGEST_ANSWER} bytes")
            return httpx.Response(response.status_code, headers=_plain(response.headers), content=bytes(content))

    def trouble(self) -> str | None:
        """Look whether the server answers, without patience; return what is wrong, or None."""
        try:
            response = self._client.get(self.address("/models"), timeout=min(LOOK_SECONDS, self.timeout))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RuntimeError) as error:  # the last: closed meanwhile
            return f"no connection ({self.redact(error) or type(error).__name__})"
        return f"{response.status_code}: {self.redact(message(response))}" if response.status_code in RETRIED else None

    def attempt(self, path: str, body: bytes, check: Callable[[dict[str, Any]], str | None]) -> dict[str, Any]:
        """POST once.

        Args:
            path: Endpoint under the base.
            body: JSON, encoded.
            check: Says what is wrong with an answer, or None.

        Raises:
            Again: As the module says.
            RequestFailed: As the module says.
            JudgeUnavailable: As the module says.
        """
        try:
            response = self._exchange("POST", self.address(path), body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Again(f"no connection ({self.redact(error)})", unreachable=True) from error
        except httpx.TimeoutException as error:
            raise Again(f"no answer within {self.timeout:g} s", timed_out=True) from error
        except httpx.HTTPError as error:
            raise Again(f"the connection broke ({self.redact(error) or type(error).__name__})") from error
        if response.status_code != 200:
            self._refuse(response)
        try:
            data = json_of(response)
            wrong = check(data) if isinstance(data, dict) else "the answer is not a JSON object"
        except ValueError:
            data, wrong = {}, "the answer is not JSON"
        if wrong:
            raise Again(self.redact(wrong), tokens=tokens_of(data) if isinstance(data, dict) else (0, 0))
        return dict(data)

    def _refuse(self, response: httpx.Response) -> None:
        """Raise what a status other than 200 means."""
        status, words = response.status_code, self.redact(message(response))
        if status in (401, 403):
            raise Refused(
                f"the judge at {self.shown} refuses the key ({status}: {words}); set SPARKLE_JUDGE_API_KEY", status
            )
        if status == 404:
            raise Refused(f"the judge at {self.shown} does not know the model or path (404: {words})", status)
        if 300 <= status < 400:
            where = self.redact(response.headers.get("Location", "nowhere"))
            raise JudgeUnavailable(f"the judge at {self.shown} has moved ({status}: {where}); correct --judge-url")
        if status in RETRIED:
            raise Again(f"{status}: {words}", wait=retry_after(response), status=status)
        raise RequestFailed(
            f"the judge refused the request ({status}: {words})", failures=(f"{status}: {words}",), systemic=False
        )


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """Return the headers without those on how the body was packed, for it is unpacked."""
    return {
        name: value
        for name, value in headers.items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    }


def _key_header(url: str, key: str | None) -> dict[str, str]:
    """Return the header that carries the key."""
    if not key:
        return {}
    host = urlsplit(url).hostname or ""
    return {"api-key": key} if host.endswith(".azure.com") else {"Authorization": f"Bearer {key}"}


def _is_loopback(url: str) -> bool:
    """Whether a server runs on this machine, so that no proxy lies between."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def tokens_of(answer: Mapping[str, Any]) -> tuple[int, int]:
    """Return the prompt and completion tokens of an answer, 0 where the server does not count.

    What the total holds beyond both was thought; it is charged like what is said, and some servers leave it out.
    """
    usage = answer.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion, total = (
        count if isinstance(count := counts.get(name), int) else 0
        for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    return prompt, max(completion, total - prompt) if prompt else completion


def json_of(response: httpx.Response) -> Any:
    """Return an answer's JSON.

    Raises:
        ValueError: It is none, or nested without end.
    """
    try:
        return response.json()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def message(response: httpx.Response) -> str:
    """Return the server's own words on an error."""
    try:
        data = json_of(response)
        error = data.get("error", data) if isinstance(data, dict) else data
        return one_line(error.get("message", error) if isinstance(error, dict) else error)
    except ValueError:
        return one_line(response.text) or response.reason_phrase


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that `Retry-After` asks for, given as a number or a date; None if it is absent or odd."""
    text = response.headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER) if seconds == seconds else None


def wait_before(attempt: int, asked: float | None) -> float:
    """Return seconds to wait before the next try: what the server asked for, else exponential backoff, both with jitter.

    Args:
        attempt: Tries that failed before the last one.
        asked: Seconds that the server asked for, or None.
    """
    backoff = min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT)
    return (backoff * random.uniform(0.5, 1.0)) if asked is None else asked + random.uniform(0.0, 0.5)
