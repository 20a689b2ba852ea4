"""The page's scripts and style sheets, as they are copied beside every board."""

from __future__ import annotations

from pathlib import Path

FOLDER = "page"
"""Where they lie in a board's folder."""
MEDIA = f"{FOLDER}/media.js"
DATA = f"{FOLDER}/data.js"
STATIC = Path(__file__).parent / "static"
FIRST = ("sparkle.js", "format.js", "app.css")
"""All others find these in place; among themselves they have no order."""
LAST = (MEDIA, DATA)
"""Made for each board; the last one starts the page."""


def assets() -> dict[str, bytes]:
    """Return the files that are the same for every board, by their path in a board's folder."""
    return {f"{FOLDER}/{path.name}": path.read_bytes() for path in sorted(STATIC.iterdir()) if path.is_file()}


def details_of(model: str) -> str:
    """Return where in a board's folder stands what the page says of a result's samples."""
    return f"{FOLDER}/details/{model}.js"


def scripts() -> list[str]:
    """Return the page's scripts in the order in which they run, those that are made for a board last."""
    return [*_named(".js"), *LAST]


def styles() -> list[str]:
    """Return the page's style sheets in their order."""
    return _named(".css")


def _named(suffix: str) -> list[str]:
    names = sorted((path.name for path in STATIC.iterdir() if path.suffix == suffix), key=_order)
    return [f"{FOLDER}/{name}" for name in names]


def _order(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)
