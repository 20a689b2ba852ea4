"""Boards side by side: which models stand on several, why their numbers differ, and whether judges agree on the order. Pure.

Numbers of two boards are never added up, subtracted or ranked together; orders are compared, each within its own board.
Who is the same model:

- On two of our boards, a result of the same name: the very same videos.
- On one of ours and a quoted one, a result whose name is the preset that the quoted row names as its model. One that was only
  made with that preset's editor stands beside it, marked, and counts in no comparison: it may be a fine-tune.
- On two quoted ones, rows that name the same preset, or else are printed with the same name and size.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkle_bench.report.columns import FACTS, Column, as_printed, known_presets, of_ours, of_quoted, preset_of
from sparkle_bench.report.words import headline
from sparkle_bench.stats import RankAgreement, rank_agreement

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board
    from sparkle_bench.leaderboard.published import Quotation, Quoted

MOST_MOVES = 3
SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one board says of one model.

    Attributes:
        text: The overall number with its interval, its bounds, or the figure as printed.
        differs: How the model on that board is another one; empty if it is the same.
        name: What it is called there.
    """

    text: str
    differs: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A model that stands on several boards.

    Attributes:
        model: Its name.
        cells: What each board says of it, in the columns' order; nothing where it is not on it.
    """

    model: str
    cells: tuple[tuple[Shown, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """Something that two boards do not have in common.

    Attributes:
        name: One of `FACTS`.
        one: What it is on the first.
        other: On the second.
    """

    name: str
    one: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A model's places among the models that two boards share.

    Attributes:
        model: Its name.
        one: Its place on the first, from 1; equal numbers share one.
        other: On the second.
    """

    model: str
    one: int
    other: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Two boards that share models.

    Attributes:
        one: The first.
        other: The second.
        shared: The models on both, by name.
        differing: What is known to differ.
        unknown: What is not known of one or of both.
        agreement: How far they agree on the order; None with fewer than three models.
        moves: The models whose places differ most, at most three.
    """

    one: Column
    other: Column
    shared: tuple[str, ...]
    differing: tuple[Differing, ...]
    unknown: tuple[str, ...]
    agreement: RankAgreement | None
    moves: tuple[Move, ...]

    @property
    def comparable(self) -> bool:
        """Whether their orders can be held against each other: one benchmark, and two judges of whom that can be asked."""
        return self.same_benchmark and not (self.one.alone or self.other.alone)

    @property
    def same_benchmark(self) -> bool:
        """Whether both judge the same benchmark."""
        return self.one.benchmark == self.other.benchmark


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """All boards side by side.

    Attributes:
        columns: The boards, ours first.
        lines: The models that stand on several.
        pairings: Every two boards that share a model.
    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    pairings: tuple[Pairing, ...]

    @property
    def judges(self) -> tuple[Pairing, ...]:
        """Every two comparable boards that share a model."""
        return tuple(pairing for pairing in self.pairings if pairing.comparable)


def crossed(boards: Sequence[Board], quoted: Sequence[Quoted]) -> Crossing:
    """Set all boards side by side."""
    known = known_presets(quoted)
    columns = (*(of_ours(board, known) for board in boards), *map(of_quoted, quoted))
    pairings = [_pairing(one, other) for one, other in itertools.combinations(columns, 2)]
    return Crossing(
        columns=columns,
        lines=tuple(_lines(boards, quoted)),
        pairings=tuple(pairing for pairing in pairings if pairing.shared),
    )


def printed_elsewhere(board: Board, quoted: Sequence[Quoted]) -> list[dict[str, Any]]:
    """Return, as JSON data, the results of a board whose models are quoted, with what is printed of them.

    Each has its `model` and `on`, a list of `board`, `overall` as printed, and how the model there `differs`, if it does.
    """
    known = known_presets(quoted)
    found = []
    for row in board.rows:
        preset, differs = preset_of(row.entry, known)
        printed = [(each.name, shown) for each in quoted for shown in _of_preset(each, preset, differs)]
        on = [{"board": name, "overall": shown.text, "differs": shown.differs} for name, shown in printed]
        if on:
            found.append({"model": row.entry.model, "on": on})
    return found


# -- two boards --------------------------------------------------------------------------------------------------------


def _pairing(one: Column, other: Column) -> Pairing:
    first, second = _numbers(one, other), _numbers(other, one)
    shared = sorted(first.keys() & second.keys())
    told = [(name, one.facts.get(name), other.facts.get(name)) for name in FACTS]
    return Pairing(
        one=one,
        other=other,
        shared=tuple(shared),
        differing=tuple(Differing(name=n, one=a, other=b) for n, a, b in _told_apart(told)),
        unknown=tuple(name for name, a, b in told if name != "note" and (a is None or b is None)),
        agreement=rank_agreement(first, second),
        moves=_moves({name: first[name] for name in shared}, {name: second[name] for name in shared}),
    )


def _told_apart(told: Iterable[tuple[str, str | None, str | None]]) -> list[tuple[str, str, str]]:
    """Return what differs; a note of one board alone is a difference, any other silence is not."""
    found = []
    for name, one, other in told:
        silent = "–" if name == "note" else None
        a, b = one or silent, other or silent
        if a is not None and b is not None and a != b:
            found.append((name, a, b))
    return found


def _numbers(board: Column, other: Column) -> Mapping[str, float]:
    """Return a board's numbers by what names the same model on both."""
    if board.quoted and other.quoted:
        return {**board.printed, **board.presets}
    return board.presets if board.quoted or other.quoted else board.ours


def _moves(one: Mapping[str, float], other: Mapping[str, float]) -> tuple[Move, ...]:
    first, second = _places(one), _places(other)
    moves = [Move(model=model, one=first[model], other=second[model]) for model in one]
    moved = [move for move in moves if move.one != move.other]
    return tuple(sorted(moved, key=lambda move: (-abs(move.one - move.other), move.model))[:MOST_MOVES])


def _places(numbers: Mapping[str, float]) -> dict[str, int]:
    return {name: 1 + sum(each > number + SAME for each in numbers.values()) for name, number in numbers.items()}


# -- models on several boards ------------------------------------------------------------------------------------------


def _lines(boards: Sequence[Board], quoted: Sequence[Quoted]) -> list[Line]:
    """Return a line for every result, for every preset that is quoted, and for every other name printed twice."""
    known = known_presets(quoted)
    results = {row.entry.model: preset_of(row.entry, known) for board in boards for row in board.rows}
    lines = [
        Line(
            model=model,
            cells=(*(_of_ours(board, model) for board in boards), *(_of_preset(each, *preset) for each in quoted)),
        )
        for model, preset in sorted(results.items())
    ]
    held = {preset for preset, differs in results.values() if not differs}
    empty: tuple[tuple[Shown, ...], ...] = ((),) * len(boards)
    presets = sorted({row.model for each in quoted for row in each.rows if row.model} - held)
    lines += [Line(model=name, cells=(*empty, *(_of_preset(each, name) for each in quoted))) for name in presets]
    held |= set(presets)
    free = [[row for row in each.rows if not row.model and row.akin not in held] for each in quoted]
    for name in dict.fromkeys(as_printed(row) for rows in free for row in rows):
        cells = [tuple(_quoted(row, "") for row in rows if as_printed(row) == name) for rows in free]
        lines.append(Line(model=name, cells=(*empty, *cells)))
    return [line for line in lines if sum(map(bool, line.cells)) > 1]


def _of_ours(board: Board, model: str) -> tuple[Shown, ...]:
    return tuple(
        Shown(text=headline(row), differs=row.why_unranked, name=model)
        for row in board.rows
        if row.entry.model == model
    )


def _of_preset(quoted: Quoted, preset: str, differs: str = "") -> tuple[Shown, ...]:
    """Return what is printed of a preset; `differs` is how the result that it stands beside may be another."""
    rows = [row for row in quoted.rows if preset and preset in (row.model, row.akin)]
    return tuple(_quoted(row, "; ".join(filter(None, (row.differs, differs)))) for row in rows)


def _quoted(row: Quotation, differs: str) -> Shown:
    return Shown(text=row.figures["overall"], differs=differs, name=as_printed(row))
