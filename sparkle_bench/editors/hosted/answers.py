"""Reading a host's answers: JSON, its words on what went wrong, how long it asks to wait."""

from __future__ import annotations

import email.utils
import itertools
import json
import re
import time
from collections.abc import Mapping
from typing import Any

import httpx


def said(answer: httpx.Response) -> str:
    """Return a host's own words on what went wrong: of JSON the code and the message, else the text."""
    try:
        data = json_object(answer)
    except ValueError:
        return answer.text or answer.reason_phrase
    found = [data.get(name) for name in ("code", "error", "message", "detail", "failure", "failureCode")]
    words = [part.get("message", part) if isinstance(part, Mapping) else part for part in found if part]
    return (
        "; ".join(dict.fromkeys(word if isinstance(word, str) else json.dumps(word) for word in words)) or answer.text
    )


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """Return an answer's JSON object.

    Raises:
        ValueError: It is none.
    """
    try:
        data = json.loads(answer.content)
    except RecursionError as error:
        raise ValueError("nested without end") from error
    if not isinstance(data, dict):
        raise ValueError("something else")
    return data


def retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that `Retry-After` asks for, given as a number or a date; None if it is absent or odd."""
    text = headers.get("Retry-After", "")
    seconds = number(text, -1.0)
    if seconds < 0:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds)


def number(text: str, otherwise: float = 0.0) -> float:
    """Return the number that a header holds, which is not negative; otherwise something else."""
    return float(text) if re.fullmatch(r"[0-9]{1,18}(\.[0-9]+)?", text.strip()) else otherwise


PART_OF_A_KEY = 8
"""So many of its characters in a row give a key away; a host may cut it, or write signs in it in a way of its own."""


def without(key: str, text: str) -> str:
    """Return text with every part of a key blotted out that is long enough to be one."""
    least = min(PART_OF_A_KEY, len(key))
    hidden = bytearray(len(text))
    for part in {key[at : at + least] for at in range(len(key) - least + 1)}:
        at = text.find(part)
        while at >= 0:
            hidden[at : at + least] = b"\1" * least
            at = text.find(part, at + 1)
    runs = itertools.groupby(zip(text, hidden, strict=True), key=lambda pair: pair[1])
    return "".join("[key]" if secret else "".join(sign for sign, _ in run) for secret, run in runs)
