"""One board as a column beside others: its numbers by what names a model elsewhere, and what they stand on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board, Entry
    from sparkle_bench.leaderboard.published import Quotation, Quoted

NOT_NAMED = "not named"
FACTS = (
    "benchmark",
    "benchmark version",
    "scope",
    "judge model",
    "judge's software",
    "prompt",
    "clips",
    "decoding",
    "protocol",
    "repeats",
    "videos",
    "note",
)
"""What two boards may differ in, in the order in which it is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One board, as far as it is set beside others.

    Attributes:
        title: In words.
        benchmark: The benchmark's name.
        quoted: Whether it is printed elsewhere.
        place: Its page, relative to the folder of all boards; of a quoted one the heading on the page itself.
        facts: What its numbers stand on, by the names of `FACTS`; what is not known is left out.
        ours: Overall numbers of complete results by name; empty for a quoted board.
        presets: Overall numbers by preset.
        printed: Those of rows without a preset, by what is printed; empty for one of ours.
    """

    title: str
    benchmark: str
    quoted: bool
    place: tuple[str, ...]
    facts: Mapping[str, str]
    ours: Mapping[str, float] = field(default_factory=dict)
    presets: Mapping[str, float] = field(default_factory=dict)
    printed: Mapping[str, float] = field(default_factory=dict)


def known_presets(quoted: Sequence[Quoted]) -> frozenset[str]:
    """Return all presets that quoted boards name."""
    return frozenset(name for each in quoted for row in each.rows for name in (row.model, row.akin) if name)


def of_ours(board: Board, known: frozenset[str]) -> Column:
    """Return one of our boards; `known` are the presets that quoted boards name."""
    ranked = [row.entry for row in board.rows if row.rank is not None]
    return Column(
        title=f"{board.benchmark}, {board.judge_key}",
        benchmark=board.benchmark,
        quoted=False,
        place=(board.benchmark, board.judge_key),
        facts=_facts(board),
        ours={entry.model: entry.summary.overall.low for entry in ranked},
        presets=_by_preset(ranked, known),
    )


def _by_preset(entries: Sequence[Entry], known: frozenset[str]) -> dict[str, float]:
    """Return numbers by preset: of the result of that name, or else of the only one; of several none is it."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(preset_of(entry, known), []).append(entry)
    numbers = {}
    for preset, several in found.items():
        named = [entry for entry in several if entry.model == preset] or several
        if preset and len(named) == 1:
            numbers[preset] = named[0].summary.overall.low
    return numbers


def preset_of(entry: Entry, known: frozenset[str]) -> str:
    """Return which of the presets a result is: by its name, or else by its editor's; empty if none."""
    editor = entry.run["editor"].get("name")
    return next((name for name in (entry.model, editor) if isinstance(name, str) and name in known), "")


def of_quoted(quoted: Quoted) -> Column:
    """Return a board printed elsewhere."""
    return Column(
        title=f"{quoted.name} (quoted)",
        benchmark=quoted.benchmark,
        quoted=True,
        place=(f"quoted-{quoted.name}",),
        facts={
            "benchmark": quoted.benchmark,
            "scope": quoted.scope,
            **({} if quoted.judge == NOT_NAMED else {"judge model": quoted.judge}),
            **({"note": "; ".join(quoted.notes)} if quoted.notes else {}),
        },
        presets={row.model: row.overall for row in quoted.rows if row.model},
        printed={as_printed(row): row.overall for row in quoted.rows if not row.model},
    )


def as_printed(row: Quotation) -> str:
    """Return a quoted model's name with its size, unless the name says it."""
    known = not row.parameters or row.parameters.casefold() in row.name.casefold()
    return row.name if known else f"{row.name} ({row.parameters})"


def _facts(board: Board) -> dict[str, str]:
    identity: Mapping[str, Any] = board.judge["identity"]
    if not isinstance(identity, dict):
        identity = {}
    repeats = sorted({str(row.entry.judge["repeats"]) for row in board.rows})
    clips = [identity.get(name) for name in ("media", "sampling", "clock")]
    known = {
        "benchmark": board.benchmark,
        "benchmark version": f"{str(board.version['digest'])[:16]}, {board.version['samples']} samples",
        "scope": f"macro over {len(board.themes)} themes",
        "judge model": _told(identity.get("model")),
        "judge's software": _told([identity.get(name) for name in ("revision", "server", "engine")]),
        "prompt": _told(identity.get("prompt"))[:16],
        "clips": _told(clips),
        "decoding": _told(identity.get("decoding")),
        "protocol": _told(identity.get("protocol")),
        "repeats": " and ".join(repeats),
        "videos": "results of this root",
    }
    return {name: text for name, text in known.items() if text}


def _told(value: object) -> str:
    """Return JSON data in a line; what is not said is left out."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        parts = ((str(name), _told(each)) for name, each in value.items())
        return ", ".join(f"{name} {text}" for name, text in parts if text)
    if isinstance(value, list):
        return ", ".join(filter(None, map(_told, value)))
    return str(value)
