"""Figures of a board, and the comparison grid of one sample. The only package that knows matplotlib.

They are made to be read in print: letters of 7 to 8.5 points at the width of a column or a page, colours that colour-blind
readers can tell apart, and nothing that a colour alone says. A figure's bytes depend on the board alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from sparkle_bench.plots import cap, heat, lettering, marks, overall, radar, speed, strips
from sparkle_bench.plots.sheet import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sparkle_bench.leaderboard import Board
    from sparkle_bench.plots.comparison import Comparison

KIND = Literal["png", "svg"]
"""Of a board's figure."""
KINDS: tuple[KIND, ...] = ("png", "svg")
DPI, PRINT = 200, 300
"""Pixels per inch of a PNG, and of one with pictures in it."""
_FREE: Mapping[str, Mapping[str, Any]] = {
    "png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}},  # a higher one takes thrice as long
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
"""What keeps dates and versions out of files."""


def _drawn_by() -> dict[str, Callable[[Board], Figure]]:
    return {
        "overall": overall.overall,
        "radar": radar.radar,
        "themes": heat.themes,
        "subthemes": heat.subthemes,
        "marks": marks.marks,
        "ranks": overall.ranks,
        "cap": cap.cap,
        "speed": speed.speed,
    }


NAMES = tuple(_drawn_by())


def load() -> None:
    """Load the library."""
    from matplotlib.backends import backend_agg, backend_svg  # noqa: F401
    from matplotlib.figure import Figure  # noqa: F401


def figures(board: Board) -> dict[str, Figure]:
    """Return the board's figures by file name."""
    from matplotlib import rc_context

    with rc_context({**STYLE, "font.family": lettering.families(_words(board))}):
        return {name: draw(board) for name, draw in _drawn_by().items()}


def _words(board: Board) -> Iterator[str]:
    """Yield all that a stranger may have written on a figure."""
    yield from (board.benchmark, board.judge_key, *map(board.rubric.label, board.rubric.keys), *board.themes)
    yield from (name for pair in board.design.subthemes for name in pair)
    for row in board.rows:
        yield from (row.entry.model, row.track, row.entry.machine)


def grid(comparison: Comparison) -> Figure:
    """Return the comparison grid of one sample."""
    from matplotlib import rc_context

    with rc_context({**STYLE, "font.family": lettering.families(strips.texts(comparison))}):
        return strips.grid(comparison)


def is_legible(comparison: Comparison) -> bool:
    """Whether this machine has fonts for all that stands on a comparison grid."""
    return all(lettering.legible(text) == text for text in strips.texts(comparison))


def render(figure: Figure, kind: Literal["png", "svg", "pdf"]) -> bytes:
    """Return a figure as a file's content, free of dates and versions."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({**STYLE, "pdf.fonttype": _font_type(figure)}):
        figure.savefig(buffer, format=kind, dpi=PRINT if figure.axes else DPI, **_FREE[kind])
    return buffer.getvalue()


def _font_type(figure: Figure) -> int:
    """Return how a PDF holds letters: whole fonts, as journals want, or outlines where another font than ours is needed.

    Not every font can be held whole.
    """
    from matplotlib.text import Text

    ours = all(text.get_fontfamily() == lettering.families(()) for text in figure.findobj(Text))
    return 42 if ours else 3
