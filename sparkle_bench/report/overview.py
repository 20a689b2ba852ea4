"""All boards of a root on one page: ours, those quoted from elsewhere, the models on several, and how far judges agree.

The page needs no script and asks no host for anything; its policy takes the one style that stands in it and nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkle_bench.report.crossing import Crossing, Pairing, crossed
from sparkle_bench.report.words import environment, headline, style_hash

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board, Row
    from sparkle_bench.leaderboard.published import Quoted

FEW = 6
"""Up to so many shared models the smallest p that there can be is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Who leads a track of a board.

    Attributes:
        track: The track.
        model: The highest mean.
        overall: Its number with its interval.
        level: Who else cannot be told apart from it.
    """

    track: str
    model: str
    overall: str
    level: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One of our boards in a line.

    Attributes:
        board: The board.
        ranked: Results that are ranked.
        below: Results below the line.
        best: Who leads each track.
    """

    board: Board
    ranked: int
    below: int
    best: tuple[Best, ...]

    @property
    def address(self) -> tuple[str, str]:
        """Its folder."""
        return self.board.benchmark, self.board.judge_key


def index(boards: Sequence[Board], quoted: Sequence[Quoted] = ()) -> str:
    """Return a page that links to all boards.

    Args:
        boards: Ours.
        quoted: Those printed elsewhere.
    """
    style = environment().get_template("index.css.j2").render()
    template = environment().get_template("index.html.j2")
    return template.render(**_view(boards, quoted), style=style, style_hash=style_hash(style))


def index_markdown(boards: Sequence[Board], quoted: Sequence[Quoted] = ()) -> str:
    """Return the same as Markdown."""
    return environment().get_template("index.md.j2").render(**_view(boards, quoted))


def index_json(boards: Sequence[Board], quoted: Sequence[Quoted] = ()) -> str:
    """Return the same as JSON."""
    crossing = crossed(boards, quoted)
    data = {
        "boards": [_board_data(board) for board in boards],
        "quoted": [dataclasses.asdict(each) for each in quoted],
        "models": [_line_data(crossing, place) for place in range(len(crossing.lines))],
        "pairs": [_pairing_data(pairing) for pairing in crossing.pairings],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _view(boards: Sequence[Board], quoted: Sequence[Quoted]) -> dict[str, Any]:
    return {
        "boards": [_summary(board) for board in boards],
        "quoted": quoted,
        "labels_of": {each.name: _labels(boards, each) for each in quoted},
        "crossing": crossed(boards, quoted),
        "few": few,
    }


def _summary(board: Board) -> Summary:
    ranked = [row for row in board.rows if row.rank is not None]
    return Summary(
        board=board,
        ranked=len(ranked),
        below=len(board.rows) - len(ranked),
        best=tuple(_best([row for row in ranked if row.track == track], track) for track in board.tracks),
    )


def _best(rows: Sequence[Row], track: str) -> Best:
    first = rows[0]
    return Best(
        track=track,
        model=first.entry.model,
        overall=headline(first),
        level=tuple(row.entry.model for row in rows[1:] if _share_a_letter(first, row)),
    )


def _share_a_letter(one: Row, other: Row) -> bool:
    """Whether two rows of a track cannot be told apart; letters have spaces between them where one is not enough."""
    groups = [row.standing.group if row.standing else "" for row in (one, other)]
    first, second = (set(group.split() if " " in group else group) for group in groups)
    return bool(first & second)


def _labels(boards: Sequence[Board], quoted: Quoted) -> dict[str, str]:
    """Return the dimensions' labels, as far as one of our boards of the same benchmark knows them."""
    rubrics = [board.rubric for board in boards if board.benchmark == quoted.benchmark]
    return {dimension.key: dimension.label for rubric in rubrics for dimension in rubric.dimensions}


def few(pairing: Pairing) -> str:
    """Say how little can be seen from few models; empty where there are enough."""
    shared = len(pairing.shared)
    if shared < 3:
        return "too few models to compare orders"
    if pairing.agreement is None or pairing.agreement.kendall is None:
        return "one board gives all of them the same number"
    if shared > FEW:
        return ""
    return f"with {shared} models p cannot be below {2 / math.factorial(shared):.2g}, however far they agree"


# -- data --------------------------------------------------------------------------------------------------------------


def _board_data(board: Board) -> dict[str, Any]:
    summary = _summary(board)
    return {
        "benchmark": board.benchmark,
        "judge": board.judge_key,
        "notes": board.judge["notes"],
        "version": board.version,
        "ranked": summary.ranked,
        "below": summary.below,
        "best": [dataclasses.asdict(best) for best in summary.best],
    }


def _line_data(crossing: Crossing, place: int) -> dict[str, Any]:
    line = crossing.lines[place]
    cells = zip(crossing.columns, line.cells, strict=True)
    return {
        "model": line.model,
        "on": [{"board": column.title, **dataclasses.asdict(shown)} for column, found in cells for shown in found],
    }


def _pairing_data(pairing: Pairing) -> dict[str, Any]:
    return {
        "one": pairing.one.title,
        "other": pairing.other.title,
        "same_benchmark": pairing.same_benchmark,
        "comparable": pairing.comparable,
        "shared": list(pairing.shared),
        "differing": [dataclasses.asdict(each) for each in pairing.differing],
        "unknown": list(pairing.unknown),
        "agreement": dataclasses.asdict(pairing.agreement) if pairing.agreement and pairing.comparable else None,
        "moves": [dataclasses.asdict(move) for move in pairing.moves] if pairing.comparable else [],
    }
