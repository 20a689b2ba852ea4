r"""A board as a LaTeX table, to be taken into a paper with `\input`.

Names on a board are strangers' texts. Everything that the template prints is escaped unless it is marked as TeX, so that
nothing is left out by oversight. No command, active character or ligature of TeX survives, whatever babel makes of quotation
marks. Letters with accents and a few signs become commands that every engine has. What pdfTeX has no glyph for goes through a
macro: XeLaTeX and LuaLaTeX print it, pdfLaTeX prints a question mark in its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sparkle_bench.report.words import cell, half_width

if TYPE_CHECKING:
    from jinja2 import Environment

    from sparkle_bench.leaderboard import Board, Row
    from sparkle_bench.scoring import Bounds
    from sparkle_bench.stats import Interval

MOST_OF_A_LINE = 18
"""Characters in a line of a column's heading, which stands upright."""
MOST_OF_A_NAME = 36
"""Characters in a line of a model's name."""
LACKING = "?"
_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "–": "--",
    "—": "---",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\ldots{}",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "→": r"$\rightarrow$",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "\u00a0": " ",
}
_ACCENTS = {
    "\u0300": r"\`", "\u0301": r"\'", "\u0302": r"\^", "\u0303": r"\~", "\u0304": r"\=", "\u0306": r"\u",
    "\u0307": r"\.", "\u0308": r'\"', "\u030a": r"\r", "\u030b": r"\H", "\u030c": r"\v", "\u0327": r"\c",
}  # fmt: skip
_GREEK = {
    name: rf"$\{name.lower()}$"
    for name in ("ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA", "ETA", "THETA", "IOTA", "KAPPA", "LAMDA", "MU",
                 "NU", "XI", "PI", "RHO", "SIGMA", "TAU", "UPSILON", "PHI", "CHI", "PSI", "OMEGA")
} | {"LAMDA": r"$\lambda$"}  # fmt: skip
BREAK = r" \\{} "
_GLYPH = re.compile(r"\\sparkleglyph\{.\}")
LIGATED = "-,"
"""Signs that TeX makes one of where there are two."""


class Tex(str):
    """Text that is TeX already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of the table.

    Attributes:
        cells: As TeX.
        small: What stands under them, in small type; empty if nothing does.
    """

    cells: tuple[Tex, ...]
    small: tuple[Tex, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows that belong together: a track, or those below the line.

    Attributes:
        title: What stands above them; empty for a board of one track.
        lines: Its rows.
    """

    title: str
    lines: tuple[Line, ...]


def tex(board: Board, *, intervals: bool = False) -> str:
    r"""Return the board as a table environment, for `\input`.

    Args:
        board: The board.
        intervals: Whether every number has its 95% interval beside it.
    """
    named = f"{board.benchmark}-{board.judge_key}" + "-intervals" * intervals
    return (
        _environment()
        .get_template("board.tex.j2")
        .render(
            board=board,
            intervals=intervals,
            headings=_headings(board),
            parts=list(_parts(board, intervals=intervals)),
            contested=any(len(rows) > 1 for rows in _by_track(board).values()),
            label=Tex(re.sub(r"[^A-Za-z0-9.-]+", "-", named)),
            comment=_comment,
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sparkle_bench.report"),
        autoescape=False,  # that of jinja2 knows HTML alone; `finalize` stands in its place
        finalize=_finalize,
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(moved=_moved, row=_row)
    return environment


def _row(cells: Sequence[Tex], *, small: bool = False) -> Tex:
    """Return the cells of a row, of which there is nothing to escape any more."""
    return Tex(" & ".join(rf"{{\tiny {each}}}" if small and each else each for each in cells))


def _finalize(value: object) -> str:
    return value if isinstance(value, Tex) else escape(str(value))


# -- text ----------------------------------------------------------------------------------------------------------------


def escape(text: str) -> Tex:
    """Return a stranger's text as TeX that prints it, on one line."""
    flat = unicodedata.normalize("NFC", " ".join(text.split()))
    parts = []
    for last, sign in zip(["", *flat], flat, strict=False):
        parts.append(r"{\kern0pt}" + _escaped(sign) if sign == last and sign in LIGATED else _escaped(sign))
    return Tex("".join(parts))


def _escaped(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    if " " <= sign <= "\x7e":
        return sign
    return _accented(sign) or _greek(sign) or _other(sign)


def _accented(sign: str) -> str | None:
    parts = unicodedata.normalize("NFD", sign)
    if len(parts) != 2 or not parts[0].isascii() or parts[1] not in _ACCENTS:
        return None
    base = rf"\{parts[0]}" if parts[0] in "ij" and parts[1] != "\u0327" else parts[0]  # without its dot
    return f"{_ACCENTS[parts[1]]}{{{base}}}"


def _greek(sign: str) -> str | None:
    return _GREEK.get(unicodedata.name(sign, "").removeprefix("GREEK SMALL LETTER "))


def _other(sign: str) -> str:
    if unicodedata.category(sign) in ("Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"):
        return LACKING
    return rf"\sparkleglyph{{{sign}}}"


def _moved(text: str) -> Tex:
    """Return text for a list of tables, which may come before the macro is defined."""
    return Tex(_GLYPH.sub(LACKING, escape(text)))


def _comment(text: str) -> Tex:
    """Return text for a line that begins with a percent sign: nothing in it ends the line."""
    flat = " ".join(text.split())
    return Tex("".join(sign if sign.isprintable() else LACKING for sign in flat))


# -- the table -----------------------------------------------------------------------------------------------------------


def _headings(board: Board) -> list[Tex]:
    labels = [dimension.label for dimension in board.rubric.dimensions]
    upright = [_upright(label) for label in ("Overall", *labels, *board.themes)]
    return [escape("Rank"), escape("Model"), *upright]


def _upright(label: str) -> Tex:
    """Return a column's heading turned upright, in several lines where one would be too long."""
    lines: list[str] = []
    for word in label.split() or [""]:
        if lines and len(lines[-1]) + 1 + len(word) <= MOST_OF_A_LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return Tex(rf"\rotatebox{{90}}{{{_stacked(lines)}}}")


def _name(text: str) -> Tex:
    """Return a model's name, in several lines where one would make the whole table small."""
    flat = " ".join(text.split())
    lines = [flat[start : start + MOST_OF_A_NAME] for start in range(0, len(flat), MOST_OF_A_NAME)]
    return _stacked(lines) if len(lines) > 1 else escape(flat)


def _stacked(lines: Sequence[str]) -> Tex:
    """Return lines one under another; the braces keep a `[` from being taken for a length."""
    return Tex(rf"\shortstack[l]{{{BREAK.join(map(escape, lines))}}}")


def _parts(board: Board, *, intervals: bool) -> Iterator[Part]:
    for track, rows in _by_track(board).items():
        title = f"Track: {track}" if board.has_extra_inputs else ""
        yield Part(title=title, lines=_ranked(board, rows, intervals=intervals))
    below = [row for row in board.rows if row.rank is None]
    if below:
        yield Part(title="Not ranked", lines=tuple(_unranked(board, row) for row in below))


def _by_track(board: Board) -> dict[str, list[Row]]:
    """Return the ranked rows of each track."""
    return {track: [row for row in board.rows if row.rank is not None and row.track == track] for track in board.tracks}


def _ranked(board: Board, rows: Sequence[Row], *, intervals: bool) -> tuple[Line, ...]:
    printed = [[cell(bounds) for bounds in _bounds(board, row)] for row in rows]
    styles = [_styles(column) for column in zip(*printed, strict=True)]
    return tuple(
        Line(
            cells=(Tex(row.rank), _name(row.entry.model), *map(_styled, texts, styles)),
            small=(Tex(), Tex(), *map(_interval, _bounds(board, row), _found(row))) if intervals else (),
        )
        for row, texts in zip(rows, printed, strict=True)
    )


def _bounds(board: Board, row: Row) -> tuple[Bounds | None, ...]:
    """Return what stands in a row's columns; by place, for a theme may be called like a dimension."""
    summary = row.entry.summary
    dimensions = (summary.dimensions[key] for key in board.rubric.keys)
    return (summary.overall, *dimensions, *(summary.themes.get(theme) for theme in board.themes))


def _found(row: Row) -> tuple[Interval | None, ...]:
    """Return the intervals of the same columns of a ranked row."""
    assert row.intervals is not None
    return (row.intervals.overall, *row.intervals.dimensions, *row.intervals.themes)


def _styles(printed: Sequence[str]) -> dict[str, str]:
    """Return the commands of the best and the second number of a column, as they are printed: equal ones share."""
    numbers = {text for text in printed if text != cell(None)}
    ordered = sorted(numbers, key=float, reverse=True) if len(printed) > 1 else []
    return dict(zip(ordered, (r"\textbf", r"\underline"), strict=False))


def _styled(text: str, styles: dict[str, str]) -> Tex:
    return Tex(f"{styles[text]}{{{text}}}") if text in styles else escape(text)


def _interval(bounds: Bounds | None, found: Interval | None) -> Tex:
    if found is None or bounds is None:
        return Tex()
    half = half_width(bounds.low, found)
    return Tex(rf"$\pm${half}" if half else f"[{found.low:.2f}, {found.high:.2f}]")


def _unranked(board: Board, row: Row) -> Line:
    """Return a row with bounds: how low a mean may turn out, and under it how high."""
    every = _bounds(board, row)
    open_ended = [bounds is not None and bounds.value is None for bounds in every]
    low = (
        f"{bounds.low:.2f}--" if bounds and wide else cell(bounds)
        for bounds, wide in zip(every, open_ended, strict=True)
    )
    high = (f"{bounds.high:.2f}" if bounds and wide else "" for bounds, wide in zip(every, open_ended, strict=True))
    return Line(
        cells=(Tex("--"), _name(row.entry.model), *(Tex(text.replace("–", "--")) for text in low)),
        small=(Tex(), escape(row.why_unranked), *map(Tex, high)),
    )
