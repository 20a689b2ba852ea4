"""Addresses: where a key may go, and where a host may send us."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from sparkle_bench.errors import EditorError, printable


class Expired(Exception):
    """A link leads nowhere, or nowhere any more; the host may give another."""


def base(url: str, homes: tuple[str, ...], called: str) -> str:
    """Return the address of an API if the key may go there: the host's own over https, or this machine.

    Args:
        url: As given.
        homes: The host's names; one that begins with a dot stands for all below it.
        called: What messages call the host.

    Raises:
        EditorError: It is another.
    """
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        raise EditorError("base_url is no address") from None
    own = any(name == home or (home.startswith(".") and name.endswith(home)) for home in homes)
    if parts.username or parts.password or parts.query or parts.fragment or not name:
        raise EditorError(
            "base_url is an address such as https://HOST/PATH, without a user, a password or a question mark"
        )
    if not ((parts.scheme == "https" and own) or (parts.scheme in ("http", "https") and is_loopback(url))):
        raise EditorError(
            f"the key of {called} goes over https to {' or '.join(home.lstrip('.') for home in homes)}, or to this machine; "
            f"not to {printable(name, limit=80)}"
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    name = urlsplit(url).hostname or ""
    return name in ("localhost", "::1") or re.fullmatch(r"127(\.[0-9]{1,3}){3}", name) is not None


def origin(url: str) -> tuple[str, str, int | None]:
    """Return the scheme, host and port of an address; the key stays with one."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def checked(url: str) -> str:
    """Return an address that a host has given, if it is one to be asked."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and parts.hostname and not parts.username and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise Expired("the host gives an address that is no http or https one")
    return url
