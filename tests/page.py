"""A page in a real Chromium: opened from disk or from a server on this machine, all that it says and asks for noted.

    with page.chromium() as browser, page.opened(browser, page.address(folder)) as seen:
        seen.page.click("text=Samples")
        seen.expect_clean()

`chromium()` leaves a test out, and says so, where there is no Playwright or no Chromium. `opened` waits until the page sets
`data-ready` on its root. `served` gives the same folder over HTTP. Nothing but the folder, or the server, is let through:
a request to anywhere else is noted and refused.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, Route

CHROMIUM = os.environ.get("SPARKLE_CHROMIUM")
"""The browser's path; unset, these tests are left out: they want a machine to themselves."""
OPTIONS = ("--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required")
"""The sandbox needs rights that a container lacks; the page is the only one that is ever opened."""
PATIENCE = 8_000
"""Milliseconds that anything may take before it counts as broken."""
SERIOUS = ("serious", "critical")
INSIDE = ("data:", "blob:", "about:")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window; leave the test out where that cannot be."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("left out: needs the package playwright")
    if not CHROMIUM:
        pytest.skip("left out: needs SPARKLE_CHROMIUM, the path of Debian's chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


def address(folder: Path, route: str = "") -> str:
    """Return where a board's page is on disk; a route begins with `#/`."""
    return (folder / "index.html").resolve().as_uri() + route


class _Quiet(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, failed: list[str], **options: Any) -> None:
        self.failed = failed
        super().__init__(*args, **options)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what is asked for is noted in the browser."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Note what a browser asks for of itself too, such as an icon: its page never hears of that."""
        self.failed.append(f"{code} {self.path}")
        super().send_error(code, message, explain)


@contextmanager
def served(folder: Path, failed: list[str] | None = None) -> Iterator[str]:
    """Serve a folder as `python -m http.server` does, and give its address, with a slash at the end.

    Args:
        folder: What is served.
        failed: Takes every request that could not be met.
    """
    handler = partial(_Quiet, directory=str(folder), failed=[] if failed is None else failed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a page is opened.

    Attributes:
        width: Of the window, in CSS pixels.
        height: Of the window, in CSS pixels.
        scheme: Whether the system is light or dark.
        scripts: Whether scripts run.
        bypass_policy: Whether the page's own policy is set aside, for a tool that a test puts into it.
    """

    width: int = 1280
    height: int = 800
    scheme: Literal["light", "dark"] = "light"
    scripts: bool = True
    bypass_policy: bool = False


DESKTOP, PHONE = Options(), Options(width=360, height=740)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page and all that it said and asked for.

    Attributes:
        page: Playwright's own handle.
        root: Where its address begins; requests may go there.
        errors: What its console called an error or a warning, and what its scripts threw.
        requests: Every address that it asked for, in order.
        outside: Those of them that were refused, being elsewhere.
        dialogs: What it asked or told in a dialog.
    """

    page: Page
    root: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def wait(self) -> None:
        """Wait until the page is ready."""
        self.page.wait_for_selector(":root[data-ready='1']", state="attached", timeout=PATIENCE)

    def go(self, route: str) -> None:
        """Follow a route, as by a link, and wait until the page has seen it."""
        self.page.evaluate(
            """route => new Promise(done => {
                 const before = location.hash;
                 location.hash = route;
                 if (location.hash === before) done();
                 else addEventListener('hashchange', () => setTimeout(done), {once: true});
               })""",
            route,
        )

    def until(self, expression: str, argument: object = None) -> None:
        """Wait until an expression, or a function of the argument, holds.

        For Playwright's own `wait_for_function` the page's policy would have to allow `eval`: an expression fails under it.
        """
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(expression, argument):
            assert time.monotonic() < deadline, f"never: {expression}"
            self.page.wait_for_timeout(20)

    @property
    def hash(self) -> str:
        """The route in the address now."""
        return str(self.page.evaluate("location.hash"))

    def expect_clean(self) -> None:
        """No error, no request to another place, no dialog, and nothing of the data has run."""
        assert self.errors == []
        assert self.outside == []
        assert self.dialogs == []
        assert self.page.evaluate("window.pwned ?? window.hacked ?? null") is None


@contextmanager
def opened(browser: Browser, url: str, options: Options = DESKTOP) -> Iterator[Seen]:
    """Open an address in a fresh profile and wait until the page is ready; without scripts, until it is loaded."""
    context = browser.new_context(
        viewport={"width": options.width, "height": options.height},
        color_scheme=options.scheme,
        java_script_enabled=options.scripts,
        bypass_csp=options.bypass_policy,
        accept_downloads=True,
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        seen = Seen(page=page, root=url.partition("#")[0].rpartition("/")[0].partition("/leaderboards/")[0])
        _note(seen)
        page.goto(url)
        if options.scripts:
            seen.wait()
        yield seen
    finally:
        context.close()


def _note(seen: Seen) -> None:
    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.errors.append(f"{message.type}: {message.text}")

    def dismissed(dialog: Dialog) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    def asked(request: Request) -> None:
        seen.requests.append(request.url)

    def passed(route: Route) -> None:
        url = route.request.url
        if url.startswith((seen.root, *INSIDE)):
            route.continue_()
        else:
            seen.outside.append(url)
            route.abort()

    seen.page.on("console", said)
    seen.page.on("pageerror", lambda error: seen.errors.append(f"thrown: {error}"))
    seen.page.on("dialog", dismissed)
    seen.page.on("request", asked)
    seen.page.context.route("**/*", passed)


def violations(seen: Seen) -> list[Mapping[str, Any]]:
    """Return what axe-core finds serious or critical; open the page with `bypass_policy`."""
    found_at = find_spec("axe_playwright_python")
    if found_at is None or found_at.origin is None:
        pytest.skip("left out: needs the package axe-playwright-python")
    seen.page.evaluate(Path(found_at.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
    found = seen.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        {"id": one["id"], "impact": one["impact"], "where": [node["html"][:200] for node in one["nodes"]][:5]}
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


def narrow(seen: Seen) -> bool:
    """Whether the page itself needs no sideways scrolling."""
    return bool(seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def too_wide(seen: Seen) -> list[str]:
    """What sticks out of the window at the right, for a message."""
    return list(
        seen.page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                 .filter(node => node.getBoundingClientRect().right > innerWidth + 1 && !node.parentNode.closest('.wide'))
                 .map(node => node.outerHTML.slice(0, 160)).slice(0, 5)"""
        )
    )
