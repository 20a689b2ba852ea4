"""A small fixed board in every written format, byte for byte as in `tests/golden/`.

A difference is wanted or it is a fault. If it is wanted, write the files again and read what changed:

    python -m tests.test_golden && git diff tests/golden
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkle_bench import report
from sparkle_bench.leaderboard import DIGITS, Board, ranked_board, read_entry, to_frame
from sparkle_bench.leaderboard.published import read_published
from sparkle_bench.store import Store
from tests.made_results import Made, write

GOLDEN = Path(__file__).parent / "golden"
MADE = Made(models=7, samples=24, repeats=2, judges=("made-judge-0000",), gappy=6, no_verdict=0.1, partial=0)
QUOTED = read_published(Path("/nonexistent"))


def _csv(board: Board) -> str:
    table: str = to_frame(board).to_csv(index=False, float_format=f"%.{DIGITS}f")
    return table


FORMATS: dict[str, Callable[[Board], str]] = {
    "leaderboard.csv": _csv,
    "leaderboard.md": report.markdown,
    "leaderboard.tex": report.tex,
    "leaderboard-intervals.tex": lambda board: report.tex(board, intervals=True),
    "index.md": lambda board: report.index_markdown([board], QUOTED),
}


def fixed(root: Path) -> Board:
    """The board."""
    write(root, MADE)
    store, (key,) = Store(root=root), MADE.judges
    return ranked_board("sparkle", key, [read_entry(store, model, key) for model in store.models()])


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return fixed(tmp_path_factory.mktemp("golden"))


def test_the_board_shows_what_a_board_can_show(board: Board) -> None:
    assert any(row.rank is None for row in board.rows)
    assert board.noise
    assert board.timed
    assert any(row.entry.declared for row in board.rows)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_as_it_was(board: Board, name: str) -> None:
    assert FORMATS[name](board).splitlines() == (GOLDEN / name).read_text(encoding="utf-8").splitlines()


def test_every_table_of_the_markdown_is_whole(board: Board) -> None:
    lines = report.markdown(board).splitlines()
    heads = [number for number, line in enumerate(lines) if re.fullmatch(r"\|[-:|]+\|", line)]
    assert len(heads) == 6 + len(board.themes)
    for number in heads:
        assert lines[number - 2] == "", "a table begins after an empty line"
        table = itertools.takewhile(bool, lines[number - 1 :])
        assert len({re.sub(r"\\.", "", line).count("|") for line in table}) == 1


def test_the_markdown_says_what_the_statistics_are_worth(board: Board) -> None:
    text = report.markdown(board)
    first = board.rows[0]
    assert first.standing is not None and first.intervals is not None and first.intervals.overall is not None
    assert f"| {first.standing.low}–{first.standing.high} |" in text
    assert f"| {first.standing.group} | {first.entry.model}" in text
    (contest,) = board.contests.values()
    assert f"a difference of {contest.detectable:.2f}" in text
    assert f"compared at once, {contest.detectable_of_all:.2f}" in text
    assert "identity (control)" in text


def test_every_golden_file_is_compared() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == FORMATS.keys()


def main() -> None:
    """Write the files again."""
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        board = fixed(Path(folder))
        for name, made in FORMATS.items():
            (GOLDEN / name).write_bytes(made(board).encode())


if __name__ == "__main__":
    main()
