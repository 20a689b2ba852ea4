"""One HTTP request to a judge's server: bounded retries with backoff, and what each kind of trouble means.

- No connection after all tries, or a refused key (401, 403): `JudgeUnavailable`; so is an unknown model or path (404).
- 408, 425, 429, 5xx, a time-out, a cut-off or empty answer: tried again, `Retry-After` honoured; then `RequestFailed`.
- Any other 4xx: `RequestFailed` at once; the same request would be refused again.
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from sparkle_bench.errors import JudgeUnavailable, RequestFailed, one_line

TRIES = 6
UNREACHABLE_TRIES = 4
FIRST_WAIT = 1.0
LONGEST_WAIT = 30.0
LONGEST_RETRY_AFTER = 120.0
LONGEST_ANSWER = 64 << 20
PROBE_TRIES = 4
RETRIED = frozenset({408, 425, 429, *range(500, 600)})
USER_AGENT = "sparkle-bench"


class _Again(Exception):
    """This try failed, another may succeed."""

    def __init__(self, message: str, *, wait: float | None = None, unreachable: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON answer, and one line for every try that failed before it."""

    data: dict[str, Any]
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
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
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        headers = {"User-Agent": USER_AGENT} | ({"Authorization": f"Bearer {self.api_key}"} if self.api_key else {})
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        timeout = httpx.Timeout(self.timeout, connect=min(10.0, self.timeout))
        client = httpx.Client(headers=headers, timeout=timeout, limits=limits, trust_env=not _is_loopback(self.url))
        object.__setattr__(self, "_client", client)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    @property
    def shown(self) -> str:
        """The address without user name and password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))

    def address(self, path: str, *, root: bool = False) -> str:
        """Return the URL of an endpoint under the API's base, or beside its `/v1` when `root` is set."""
        base = self.url.rstrip("/")
        return f"{base.removesuffix('/v1') if root else base}{path}"

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
                self.sleep(_wait(attempt, retry_after(response)))
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

    def _exchange(self, method: str, url: str, body: dict[str, Any] | None) -> httpx.Response:
        """Send, and receive the answer's body within the time limit as a whole; httpx's own limits each single read."""
        deadline = time.monotonic() + self.timeout
        with self._client.stream(method, url, json=body) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer came too slowly")
                if len(content) > LONGEST_ANSWER:
                    raise httpx.ReadError(f"the answer is longer than {LONGEST_ANSWER} bytes")
            return httpx.Response(response.status_code, headers=_plain(response.headers), content=bytes(content))

    def post(self, path: str, body: dict[str, Any], check: Callable[[dict[str, Any]], str | None]) -> Answer:
        """POST with bounded retries.

        Args:
            path: Endpoint under the base.
            body: JSON data.
            check: Says what is wrong with an answer, or None.

        Raises:
            RequestFailed: As the module says; `failures` holds a line for every try.
            JudgeUnavailable: As the module says.
        """
        failures: list[str] = []
        for attempt in range(self.tries):
            try:
                return Answer(data=self._try(path, body, check), failures=tuple(failures))
            except _Again as trouble:
                failures.append(str(trouble))
                if trouble.unreachable and attempt + 1 >= min(UNREACHABLE_TRIES, self.tries):
                    raise JudgeUnavailable(
                        f"the judge at {self.shown} is gone: {trouble}; start it and run again"
                    ) from None
                if attempt + 1 < self.tries:
                    self.sleep(_wait(attempt, trouble.wait))
        raise RequestFailed(f"no answer in {self.tries} tries; the last: {failures[-1]}", failures=tuple(failures))

    def _try(self, path: str, body: dict[str, Any], check: Callable[[dict[str, Any]], str | None]) -> dict[str, Any]:
        try:
            response = self._exchange("POST", self.address(path), body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _Again(f"no connection ({self.redact(error)})", unreachable=True) from error
        except httpx.TimeoutException as error:
            raise _Again(f"no answer within {self.timeout:g} s") from error
        except httpx.HTTPError as error:
            raise _Again(f"the connection broke ({self.redact(error) or type(error).__name__})") from error
        if response.status_code != 200:
            self._refuse(response)
        try:
            data = json_of(response)
            wrong = check(data) if isinstance(data, dict) else "the answer is not a JSON object"
        except ValueError:
            data, wrong = {}, "the answer is not JSON"
        if wrong:
            raise _Again(self.redact(wrong))
        return dict(data)

    def _refuse(self, response: httpx.Response) -> None:
        """Raise what a status other than 200 means."""
        status, words = response.status_code, self.redact(message(response))
        if status in (401, 403):
            raise JudgeUnavailable(
                f"the judge at {self.shown} refuses the key ({status}: {words}); set SPARKLE_JUDGE_API_KEY"
            )
        if status == 404:
            raise JudgeUnavailable(f"the judge at {self.shown} does not know the model or path (404: {words})")
        if 300 <= status < 400:
            where = self.redact(response.headers.get("Location", "nowhere"))
            raise JudgeUnavailable(f"the judge at {self.shown} has moved ({status}: {where}); correct --judge-url")
        if status in RETRIED:
            raise _Again(f"{status}: {words}", wait=retry_after(response))
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


def _is_loopback(url: str) -> bool:
    """Whether a server runs on this machine, so that no proxy lies between."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


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


def _wait(attempt: int, asked: float | None) -> float:
    """Return seconds to wait: what the server asked for, else exponential backoff; both with jitter on top."""
    backoff = min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT)
    return (backoff * random.uniform(0.5, 1.0)) if asked is None else asked + random.uniform(0.0, 0.5)
