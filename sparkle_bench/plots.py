"""Figures of a board: overall bars, a radar per model, a heat map of themes. The only module that knows matplotlib.

Colours are the eight of Okabe and Ito (2008), which colour-blind readers can tell apart; what a colour says, a label says
too. A figure's bytes depend on the board alone.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Literal

from sparkle_bench.submission.card import INSTRUCTION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sparkle_bench.leaderboard import Board, Entry

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
MOST_RADARS = 24
NAMES = ("overall", "radar", "themes")
KIND = Literal["png", "svg"]
KINDS: tuple[KIND, ...] = ("png", "svg")
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.hashsalt": "sparkle-bench",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a `$` in a name is a dollar
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def load() -> None:
    """Load the library."""
    from matplotlib.backends import backend_agg, backend_svg  # noqa: F401
    from matplotlib.figure import Figure  # noqa: F401


def figures(board: Board) -> dict[str, Figure]:
    """Return the board's figures by file name."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        return {"overall": overall(board), "radar": radar(board), "themes": themes(board)}


def render(figure: Figure, kind: KIND) -> bytes:
    """Return a figure as a file's content, free of dates and versions."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    with rc_context(_STYLE):
        figure.savefig(buffer, format=kind, dpi=160, bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()


def overall(board: Board) -> Figure:
    """Bars of the overall mean, best on top; an incomplete result is a line between its bounds."""
    from matplotlib.figure import Figure

    entries = [row.entry for row in board.rows][::-1]
    figure = Figure(figsize=(6.4, 0.9 + 0.38 * len(entries)), layout="constrained")
    axes = figure.add_subplot()
    for place, entry in enumerate(entries):
        bounds = entry.summary.overall
        if bounds.value is not None:
            axes.barh(place, bounds.value, color=BLUE, height=0.6)
            axes.text(bounds.value + 0.05, place, f"{bounds.value:.2f}", va="center")
        else:
            axes.plot([bounds.low, bounds.high], [place, place], color=ORANGE, linewidth=3, marker="|", markersize=9)
            axes.text(bounds.high + 0.05, place, f"{bounds.low:.2f} to {bounds.high:.2f}", va="center")
    axes.set_yticks(range(len(entries)), [_label(entry) for entry in entries])
    axes.set_xlim(0, board.rubric.highest + 0.9)
    axes.set_xticks(range(board.rubric.highest + 1))
    axes.set_xlabel(f"overall ({board.rubric.lowest} worst, {board.rubric.highest} best)")
    axes.set_title(_title(board, "Overall"), fontsize=9, loc="left")
    return figure


def radar(board: Board) -> Figure:
    """One radar of the dimensions per model; an incomplete result shows its lower bounds, dashed."""
    from matplotlib.figure import Figure

    left_out = max(0, len(board.rows) - MOST_RADARS)
    entries = [row.entry for row in board.rows][:MOST_RADARS]
    columns = min(3, max(1, len(entries)))
    lines = math.ceil(len(entries) / columns)
    figure = Figure(figsize=(3.8 * columns, 3.3 * lines + 0.4), layout="constrained")
    keys = board.rubric.keys
    angles = [2 * math.pi * n / len(keys) for n in range(len(keys))]
    cut = f"; the first {len(entries)} rows, {left_out} more are in its table" * bool(left_out)
    figure.suptitle(_title(board, "Dimensions") + cut, fontsize=9)
    for number, entry in enumerate(entries, 1):
        axes: Any = figure.add_subplot(lines, columns, number, projection="polar")
        values = [entry.summary.dimensions[key].low for key in keys]
        style = "-" if entry.summary.complete else "--"
        axes.plot([*angles, angles[0]], [*values, values[0]], color=BLUE, linestyle=style)
        axes.fill(angles, values, color=BLUE, alpha=0.15)
        axes.set_theta_zero_location("N")
        axes.set_theta_direction(-1)
        axes.set_xticks(angles, [_wrapped(board.rubric.label(key)) for key in keys], fontsize=7)
        for angle, text in zip(angles, axes.get_xticklabels(), strict=True):
            side = round(math.sin(angle), 6)
            text.set_horizontalalignment("center" if side == 0 else "left" if side > 0 else "right")
        axes.set_ylim(0, board.rubric.highest)
        marks = range(board.rubric.lowest, board.rubric.highest + 1)
        axes.set_yticks(marks, list(marks), fontsize=6, color=GREY)
        axes.set_rlabel_position(0)
        axes.set_title(_label(entry) + ("" if entry.summary.complete else " (lower bounds)"), fontsize=9, pad=16)
    return figure


def themes(board: Board) -> Figure:
    """A heat map: models by themes, each cell with its mean, or its bounds while verdicts are missing."""
    from matplotlib.figure import Figure

    entries = [row.entry for row in board.rows]
    figure = Figure(figsize=(2.6 + 1.25 * len(board.themes), 0.9 + 0.42 * len(entries)), layout="constrained")
    axes = figure.add_subplot()
    middle = [[_middle(entry, theme) for theme in board.themes] for entry in entries]
    image = axes.imshow(middle, cmap="cividis", vmin=board.rubric.lowest, vmax=board.rubric.highest, aspect="auto")
    half = (board.rubric.lowest + board.rubric.highest) / 2
    for y, entry in enumerate(entries):
        for x, theme in enumerate(board.themes):
            colour = "white" if middle[y][x] < half else "black"
            axes.text(x, y, _cell(entry, theme), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(board.themes)), list(board.themes))
    axes.set_yticks(range(len(entries)), [_label(entry) for entry in entries])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, ticks=range(board.rubric.lowest, board.rubric.highest + 1))
    axes.set_title(_title(board, "Mean by theme"), fontsize=9, loc="left")
    return figure


def _middle(entry: Entry, theme: str) -> float:
    bounds = entry.summary.themes.get(theme)
    return float("nan") if bounds is None else (bounds.low + bounds.high) / 2


def _cell(entry: Entry, theme: str) -> str:
    bounds = entry.summary.themes.get(theme)
    if bounds is None:
        return "–"
    return f"{bounds.low:.2f}" if bounds.value is not None else f"{bounds.low:.1f} to {bounds.high:.1f}"


def _title(board: Board, what: str) -> str:
    return f"{what}: {board.benchmark}, judged by {_short(board.judge_key, 48)}"


def _label(entry: Entry) -> str:
    """Return a result's name, with its track if that is another than the benchmark's own."""
    return _short(entry.model) + ("" if entry.track == INSTRUCTION else f" ({entry.track})")


def _short(text: str, most: int = 28) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(label: str) -> str:
    head, _, tail = label.rpartition(" ")
    return f"{head}\n{tail}" if head else label
