"""One board as a column beside others: its numbers by what names a model elsewhere, and what they stand on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkle_bench.leaderboard import Board, Entry
    from sparkle_bench.leaderboard.published import Quotation, Quoted

NOT_NAMED = "not named"
NO_VLM = "signals"
"""The kind of judge, as its identity has it, that marks by rules: its boards compare with no other."""
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
        alone: Whether its judge's order is compared with no other.
        ours: Overall numbers of complete results by name; empty for a quoted board.
        presets: Overall numbers by preset.
        printed: Those of rows without a preset, by what is printed; empty for one of ours.
    """

    title: str
    benchmark: str
    quoted: bool
    place: tuple[str, ...]
    facts: Mapping[str, str]
    alone: bool = False
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
        alone=_identity(board).get("judge") == NO_VLM,
        ours={entry.model: entry.summary.overall.low for entry in ranked},
        presets={entry.model: entry.summary.overall.low for entry in ranked if entry.model in known},
    )


def preset_of(entry: Entry, known: frozenset[str]) -> tuple[str, str]:
    """Return which of the presets a result is, or was made with, and how it may differ from it; both empty if none.

    Only a result of the preset's name is the preset. One of another name may have been made with other weights or options.
    """
    if entry.model in known:
        return entry.model, ""
    editor = entry.run["editor"].get("name")
    if not isinstance(editor, str) or editor not in known:
        return "", ""
    return editor, f"ours was made with {editor} under another name; its options may differ"


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


def _identity(board: Board) -> Mapping[str, Any]:
    identity = board.judge["identity"]
    return identity if isinstance(identity, dict) else {}


def _facts(board: Board) -> dict[str, str]:
    identity = _identity(board)
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
        "note": "; ".join(str(note) for note in board.judge["notes"]),
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
