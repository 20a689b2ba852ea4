"""What a run says at its end: the result's numbers, and its place on the board before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkle_bench.cli.road import Task
    from sparkle_bench.leaderboard import Board, Row

AROUND = 2
"""So many rows above and below the result's own are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went.

    Attributes:
        data: For machines.
        lines: For people.
        lacking: Chosen samples with a video that lack a verdict, sorted.
    """

    data: Mapping[str, Any]
    lines: Sequence[str]
    lacking: Sequence[str]


def outcome(task: Task, board: Board, before: Mapping[str, Any] | None) -> Outcome:
    """Return how a run went.

    Args:
        task: What was run.
        board: As it stands now.
        before: The board's data as it stood before, or None if there was none.
    """
    from sparkle_bench import leaderboard, report

    row = next(row for row in board.rows if row.entry.model == task.work.model)
    summary = row.entry.summary
    lacking = sorted({sample.id for sample in task.work.samples} & set(summary.lacking))
    folder = task.work.store.board_dir(board.benchmark, board.judge_key)
    earlier = _earlier(before)
    data = {
        **leaderboard.row_values(board, row),
        "judge_key": board.judge_key,
        "board": str(folder / "index.html"),
        "lacking_verdicts": lacking,
        "before": earlier.get(task.work.model),
    }
    lines = [
        f"{task.work.model}: overall {report.headline(row)} ({place(board, row)})",
        f"  scored {summary.scored} of {summary.of}, no edit {summary.no_edit}, no verdict {summary.no_verdict}, "
        f"not attempted {summary.unattempted}; mean over scored alone {report.number(summary.scored_overall)}",
        *_flag_line(row),
        *_noise_lines(board, row),
        *_board_lines(board, row, earlier),
        f"  board: {folder / 'index.html'}",
    ]
    return Outcome(data=data, lines=lines, lacking=lacking)


def place(board: Board, row: Row) -> str:
    """Return a row's rank among those of its track and how far it is known, or why it has none."""
    if row.standing is None:
        return row.why_unranked
    track = [other for other in board.rows if other.rank is not None and other.track == row.track]
    shared = sum(other.rank == row.rank for other in track) - 1
    low, high = row.standing.low, row.standing.high
    words = [
        f"rank {row.rank} of {len(track)}" + (f" in the track {row.track}" if board.has_extra_inputs else ""),
        f"shared with {shared} other{'s' * (shared > 1)}" if shared else "",
        f"its rank may be {low} to {high} (95%)" if low < high else "",
    ]
    return ", ".join(word for word in words if word)


def best_possible(task: Task, missing: Sequence[str]) -> str:
    """Say how high the result can still come if some samples count the lowest marks."""
    from sparkle_bench import report
    from sparkle_bench.prompts import load_prompt
    from sparkle_bench.records import Edit
    from sparkle_bench.scoring import Evidence, collect, summarise

    rubric = load_prompt(task.benchmark.name, root=task.work.store.root).rubric
    none = {sample_id: Edit(sample_id=sample_id, error="no video") for sample_id in missing}
    there = {s.id: Edit(sample_id=s.id, sha256="", unseen=True) for s in task.benchmark.samples if s.id not in none}
    evidence = Evidence(samples=task.benchmark.samples, edits={**there, **none}, judgments={})
    overall = summarise(collect(evidence, rubric)).overall
    return f"with them the result can reach {report.number(overall.high)} of {rubric.highest} at most"


def first_error(task: Task) -> list[str]:
    """Return a line on the edits that failed."""
    edits = task.work.store.edits(task.work.model)
    failed = [edits[s.id] for s in task.work.samples if s.id in edits and not edits[s.id].ok]
    return [f"  {len(failed)} edits failed; the first, {failed[0].sample_id}: {failed[0].error}"] if failed else []


def _earlier(before: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return rank, overall and track of every row that stood on the board, by model; a damaged board had none."""
    rows = before.get("rows") if before is not None else None
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return {str(row.get("model")): {name: row.get(name) for name in ("rank", "overall", "track")} for row in found}


def _board_lines(board: Board, own: Row, earlier: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the rows around the result's own, each with where it stood before."""
    from sparkle_bench import report

    at = board.rows.index(own)
    first = max(0, at - AROUND)
    shown = board.rows[first : at + AROUND + 1]
    width = max(len(row.entry.model) for row in shown)
    lines = [f"{'  on the board':<{width + 9}}  {'overall':>9}   before"]
    for row in shown:
        mark, rank = ">" if row is own else " ", str(row.rank or "–")
        lines.append(
            f"  {mark} {rank:>3}  {row.entry.model:<{width}}  {report.cell(row.entry.summary.overall):>9}   "
            f"{_before(earlier.get(row.entry.model))}" + (f"  [{row.track}]" if board.has_extra_inputs else "")
        )
    return lines


def _before(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "not there"
    overall, rank = row.get("overall"), row.get("rank")
    number = f"{overall:.2f}" if isinstance(overall, int | float) else "incomplete"
    return f"{number} (rank {rank})" if rank else number


def _flag_line(row: Row) -> list[str]:
    """Return a line on where the judge and the signals contradict each other."""
    from sparkle_bench import report

    return [f"  flags: {report.flags(row.entry.audit)}"] if row.entry.audit else []


def _noise_lines(board: Board, row: Row) -> list[str]:
    """Return lines on how far the judge agrees with itself, where it was asked more than once."""
    lines = [
        f"    {board.rubric.label(key):<30} same mark {100 * found.exact:.0f}%, mean difference {found.difference:.2f}, "
        + ("alpha undefined (all marks alike)" if found.alpha is None else f"alpha {found.alpha:.2f}")
        for key, found in row.entry.noise.items()
    ]
    return [f"  the judge's own noise, {row.entry.judge['repeats']} verdicts per edit:", *lines] if lines else []
