"""Numbers, names and remarks of a board as words, and the environment that templates are rendered in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

    from sparkle_bench.audit import Audit
    from sparkle_bench.leaderboard import Board, Row
    from sparkle_bench.scoring import Bounds
    from sparkle_bench.stats import Interval
    from sparkle_bench.submission.card import Card


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


def code(text: str) -> str:
    """Return text as code in Markdown, outside of tables: nothing in it is marked up, whatever backticks it holds."""
    flat = " ".join(text.split())
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in flat).split()), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {flat} {fence}" if longest else f"{fence}{flat}{fence}"


def quantity(value: float, interval: Interval | None, digits: int = 2) -> str:
    """Return a number with its interval: `3.52 ± 0.11`, or `3.52 [3.20, 3.75]` where that is cut at the scale's end."""
    if interval is None:
        return f"{value:.{digits}f}"
    half = half_width(value, interval, digits)
    return f"{value:.{digits}f} ± {half}" if half else f"{value:.{digits}f} {ends(interval, digits)}"


def headline(row: Row) -> str:
    """Return a row's overall number with its interval, or its bounds while verdicts are missing."""
    overall = row.entry.summary.overall
    found = row.intervals.overall if row.intervals else None
    return cell(overall) if overall.value is None else quantity(overall.value, found)


def half_width(value: float, interval: Interval, digits: int = 2) -> str | None:
    """Return half the width of an interval around a number; None if the number is not in its middle."""
    below, above = value - interval.low, interval.high - value
    return f"{above:.{digits}f}" if abs(above - below) < 0.5 * 10**-digits else None


def ends(interval: Interval | None, digits: int = 2) -> str:
    """Return an interval as `[3.20, 3.75]`."""
    return "–" if interval is None else f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def span(low: int, high: int) -> str:
    """Return whole numbers from one to another."""
    return str(low) if low == high else f"{low}–{high}"


def chance(p: float | None) -> str:
    """Return a p: two digits, three below a tenth."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def counted_in(board: Board, subtheme: tuple[str, str]) -> int:
    """Return how many of the board's samples a subtheme has."""
    return int((board.design.subtheme == board.design.subthemes.index(subtheme)).sum())


def style_hash(style: str) -> str:
    """Return what a content-security policy calls a style that stands in the page, so that it takes no other."""
    digest = hashlib.sha256(style.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def labels(names: Mapping[str, str], key: str) -> str:
    """Return a dimension's label, or its key in words."""
    return names.get(key, key.replace("_", " "))


@cache
def environment() -> Environment:
    """Return the environment of the pages and of Markdown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("sparkle_bench.report"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (cell, share, number, escaped, flags, about, amount, parameters, code, ends, half_width, chance, headline)
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals.update(counted_in=counted_in, labels=labels, quantity=quantity, span=span)
    return environment
