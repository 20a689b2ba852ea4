"""A board in words: Markdown, LaTeX and a static page, and all boards side by side. Read-only on everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkle_bench.report.assets import assets, scripts, styles
from sparkle_bench.report.crossing import printed_elsewhere
from sparkle_bench.report.data import data
from sparkle_bench.report.latex import tex
from sparkle_bench.report.overview import index, index_json, index_markdown
from sparkle_bench.report.words import (
    about,
    amount,
    cell,
    environment,
    escaped,
    flags,
    headline,
    number,
    parameters,
    share,
)

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board

__all__ = [
    "about",
    "amount",
    "assets",
    "cell",
    "data",
    "escaped",
    "flags",
    "headline",
    "index",
    "index_json",
    "index_markdown",
    "markdown",
    "number",
    "page",
    "parameters",
    "printed_elsewhere",
    "share",
    "tex",
]


def markdown(board: Board) -> str:
    """Return the board as Markdown."""
    return environment().get_template("board.md.j2").render(board=board)


def page(board: Board) -> str:
    """Return the board as a page that needs nothing but the files and figures beside it."""
    return environment().get_template("board.html.j2").render(board=board, scripts=scripts(), styles=styles())
