"""A board in words: Markdown and a static page, from templates. Read-only on everything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

    from sparkle_bench.audit import Audit
    from sparkle_bench.leaderboard import Board
    from sparkle_bench.scoring import Bounds
    from sparkle_bench.submission.card import Card


def markdown(board: Board) -> str:
    """Return the board as Markdown."""
    return _environment().get_template("board.md.j2").render(board=board)


def page(board: Board) -> str:
    """Return the board as a page that needs nothing but the figures beside it."""
    return _environment().get_template("board.html.j2").render(board=board)


def index(boards: Sequence[Board]) -> str:
    """Return a page that links to all boards."""
    return _environment().get_template("index.html.j2").render(boards=boards)


def cell(bounds: Bounds | None, digits: int = 2) -> str:
    """Return a mean, or the bounds between which it lies."""
    if bounds is None:
        return "–"
    if bounds.value is not None:
        return f"{bounds.value:.{digits}f}"
    return f"{bounds.low:.{digits}f}–{bounds.high:.{digits}f}"


def share(value: float | None) -> str:
    """Return a share as a percentage."""
    return "–" if value is None else f"{value:.0%}"


def number(value: float | None) -> str:
    """Return a number with two digits."""
    return "–" if value is None else f"{value:.2f}"


def amount(value: float | None) -> str:
    """Return a time, a size or a sum: three digits, and none behind the point from 100 up."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}" if value >= 0.0001 or value == 0 else "<0.0001"


def flags(audit: Audit | None) -> str:
    """Return how many measured samples are flagged, and for what."""
    if audit is None or not audit.measured:
        return "–"
    counts = [f"{audit.labels[name]} {count}" for name, count in audit.counts.items() if count]
    return f"{audit.samples} of {audit.measured}" + (f" ({', '.join(counts)})" if counts else "")


def parameters(count: int | None) -> str:
    """Return a number of parameters in three digits at most and a unit."""
    if count is None:
        return "–"
    thousands = 0 if count < 999.5 else 1 if count < 999.5e3 else 2 if count < 999.5e6 else 3 if count < 999.5e9 else 4
    return f"{count / 1000**thousands:.3g}{' KMBT'[thousands].strip()}"


def about(said: Card | None) -> str:
    """Return in a few words what is declared of a model beside its name, link and track; empty if nothing is."""
    if said is None:
        return ""
    model, makers = said.model, said.made_by
    whose = {"authors": "videos by its authors", "others": "videos by others"}.get(makers.who or "", "videos by")
    name = makers.name and (f" ({makers.name})" if makers.who else f" {makers.name}")
    words = [
        model.version,
        parameters(model.parameters) if model.parameters else None,
        model.license,
        f"{whose}{name or ''}" if makers.who or makers.name else None,
    ]
    return ", ".join(word for word in words if word)


def escaped(text: object) -> str:
    """Return text that cannot break out of a Markdown table's cell."""
    flat = " ".join(str(text).split())
    for character in "\\|`*_<>[]$~&":
        flat = flat.replace(character, f"\\{character}")
    return flat


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("sparkle_bench.report"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        cell=cell, share=share, number=number, escaped=escaped, flags=flags, about=about, amount=amount
    )
    return environment
