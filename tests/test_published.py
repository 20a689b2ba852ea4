"""Boards printed elsewhere: every figure is the one in the table that it was taken from, and files are read strictly."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from sparkle_bench.editors import preset
from sparkle_bench.errors import StoreError
from sparkle_bench.leaderboard.published import MOST_BYTES, Quoted, packaged, read_board, read_published
from sparkle_bench.report import parameters

NOWHERE = Path("/nonexistent")
PRESETS = {path.stem: path for path in Path(preset.__file__).parent.joinpath("presets").glob("*.toml")}
DIMENSIONS = (
    "instruction",
    "visual",
    "fg_integrity",
    "fg_motion",
    "bg_dynamics",
    "bg_visual",
    "consistency",
    "quality",
)


@pytest.fixture(scope="module")
def boards() -> dict[str, Quoted]:
    """The boards that ship with the package, by name."""
    return {board.name: board for board in read_published(NOWHERE)}


# -- what ships --------------------------------------------------------------------------------------------------------


def test_five_boards_ship(boards: dict[str, Quoted]) -> None:
    assert list(boards) == ["authors-openve", "authors-sparkle", "openve-gemini", "openve-seed", "vidu-s2"]
    assert [path.suffix for path in packaged().iterdir() if path.name != "README.md"] == [".csv"] * 5


def test_every_figure_is_the_one_of_the_table_that_it_was_taken_from(data: Path, boards: dict[str, Quoted]) -> None:
    with (data / "published.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = {
        (f"authors-{row['benchmark']}" if row["board"] == "authors" else row["board"], row["model"]): row
        for row in rows
    }
    assert len(wanted) == len(rows)
    assert {(name, row.name) for name, board in boards.items() for row in board.rows} == wanted.keys()
    for name, board in boards.items():
        for row in board.rows:
            line = wanted[name, row.name]
            for column in ("overall", *DIMENSIONS):
                assert row.figures.get(column, "") == line[column], (name, row.name, column)
            assert (board.benchmark, board.scope, board.judge) == (line["benchmark"], line["scope"], line["judge"])
            assert (row.parameters, row.source, row.date, row.note) == (
                line["params"], line["source"], line["date"], line["note"],
            )  # fmt: skip


def test_where_all_dimensions_are_printed_overall_is_their_mean(boards: dict[str, Quoted]) -> None:
    for board in boards.values():
        for row in board.rows:
            printed = [float(text) for name, text in row.figures.items() if name != "overall"]
            assert not printed or abs(sum(printed) / len(printed) - row.overall) < 0.0101, (board.name, row.name)


def test_a_row_that_is_said_to_be_a_preset_has_its_name_and_size(boards: dict[str, Quoted]) -> None:
    same = {row.name: row for board in boards.values() for row in board.rows if row.model}
    assert {row.model for row in same.values()} == {
        "kiwi-edit", "kiwi-sparkle", "lucy-edit", "lucy-2", "icve", "insvie",
    }  # fmt: skip
    for row in same.values():
        assert row.model in PRESETS
        declared = preset.read(PRESETS[row.model]).declared
        assert declared is not None
        if row.parameters and declared.model.parameters:
            assert parameters(declared.model.parameters) == row.parameters


def test_a_row_that_is_akin_to_a_preset_says_how_it_differs(boards: dict[str, Quoted]) -> None:
    akin = {(board.name, row.name): row for board in boards.values() for row in board.rows if row.akin}
    assert {row.akin for row in akin.values()} <= PRESETS.keys()
    assert akin["vidu-s2", "VACE 1.3B"].model is None
    assert akin["vidu-s2", "Kiwi-Edit 5B"].model is None
    assert akin["openve-gemini", "Lucy-Edit"].akin == "lucy-edit"
    assert all(row.differs for row in akin.values())


# -- reading -----------------------------------------------------------------------------------------------------------

HEADER = "name,parameters,model,akin,differs,overall,quality,benchmark,scope,scale,judge,source,link,date,note"
ROW = "A,5B,a,,,2.50,3.10,sparkle,all,1-5,some-judge,a paper,https://example.org/a,2026-01,"
OTHER = "B,,,a,smaller,2.40,,sparkle,all,1-5,some-judge,a paper,,2026,seen"


def written(folder: Path, *lines: str, name: str = "mine.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_board_is_read_as_it_stands(tmp_path: Path) -> None:
    board = read_board(written(tmp_path, HEADER, OTHER, ROW))
    assert (board.name, board.benchmark, board.scope, board.judge) == ("mine", "sparkle", "all", "some-judge")
    assert (board.lowest, board.highest, board.dimensions) == (1, 5, ("quality",))
    assert [row.name for row in board.rows] == ["B", "A"]
    assert [row.name for row in board.best_first] == ["A", "B"]
    first = board.best_first[0]
    assert first.figures == {"overall": "2.50", "quality": "3.10"}, "with the digits that were printed"
    assert (first.overall, first.model, first.akin, first.link) == (2.5, "a", None, "https://example.org/a")
    assert board.rows[0].figures == {"overall": "2.40"}
    assert (board.rows[0].akin, board.rows[0].differs, board.rows[0].link) == ("a", "smaller", None)
    assert board.notes == ("seen",)


def test_ones_own_boards_are_read_beside_the_packaged_ones(tmp_path: Path) -> None:
    written(tmp_path / "leaderboards" / "published", HEADER, ROW)
    assert [board.name for board in read_published(tmp_path)] == [
        "authors-openve", "authors-sparkle", "mine", "openve-gemini", "openve-seed", "vidu-s2",
    ]  # fmt: skip


def test_ones_own_board_stands_in_place_of_a_packaged_one_of_the_same_name(tmp_path: Path) -> None:
    written(tmp_path / "leaderboards" / "published", HEADER, ROW, name="vidu-s2.csv")
    boards = {board.name: board for board in read_published(tmp_path)}
    assert len(boards) == 5
    assert [row.name for row in boards["vidu-s2"].rows] == ["A"]


def changed(**cells: str) -> str:
    """The row with other cells."""
    line = io.StringIO()
    row = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | cells
    csv.writer(line, lineterminator="\n").writerow(row.values())
    return line.getvalue().removesuffix("\n")


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no row": ((HEADER,), "0 rows"),
    "nothing": (("",), "lacks the column name"),
    "a column is missing": ((HEADER.replace(",source", ""), ROW), "lacks the column source"),
    "a column twice": ((HEADER + ",quality", ROW + ",1"), "the column 'quality' twice"),
    "a strange column": ((HEADER + ",Über", ROW + ",1"), "a dimension's key"),
    "too few cells": ((HEADER, "A,5B"), "line 2 has 2 cells, the header 15"),
    "an open quotation mark": ((HEADER, 'A,"5B'), "cannot be read as CSV"),
    "no overall": ((HEADER, changed(overall="")), "line 2: overall is empty"),
    "no source": ((HEADER, changed(source=" ")), "line 2: source is empty"),
    "no judge": ((HEADER, changed(judge="")), "line 2: judge is empty"),
    "a mark beyond the scale": ((HEADER, changed(overall="6.2")), "overall is '6.2'; a number from 1 to 5"),
    "a mark below it": ((HEADER, changed(quality="0.9")), "quality is '0.9'"),
    "no number": ((HEADER, changed(overall="nan")), "overall is 'nan'"),
    "a number in words": ((HEADER, changed(overall="1e0")), "overall is '1e0'"),
    "a comma for a point": ((HEADER, changed(overall="2,5")), "overall is '2,5'"),
    "a strange scale": ((HEADER, changed(scale="5-1")), "scale is '5-1'"),
    "a date in words": ((HEADER, changed(date="May 2026")), "date is 'May 2026'"),
    "a month that is none": ((HEADER, changed(date="2026-13")), "date is '2026-13'"),
    "a script for a link": ((HEADER, changed(link="javascript:alert(1)")), "link is"),
    "a user in a link": ((HEADER, changed(link="https://a:b@example.org/")), "link is"),
    "a path for a model": ((HEADER, changed(model="../a")), "model is '../a'"),
    "the same and akin": ((HEADER, changed(akin="b", differs="older")), "akin is 'b'"),
    "akin without how": ((HEADER, changed(model="", akin="b")), "differs is empty"),
    "how without akin": ((HEADER, changed(differs="older")), "differs is 'older'"),
    "two judges": ((HEADER, ROW, changed(name="B", model="", judge="other")), "line 3: judge is 'other'"),
    "two benchmarks": ((HEADER, ROW, changed(name="B", model="", benchmark="openve")), "line 3: benchmark is"),
    "a row twice": ((HEADER, ROW, changed(model="")), "'A' twice"),
    "a preset twice": ((HEADER, ROW, changed(name="B")), "two rows"),
    "a switch of direction": ((HEADER, changed(note="a\u202eb")), "note is"),
    "two lines in a cell": ((HEADER, changed(note="a\nb")), "note is"),
    "a long text": ((HEADER, changed(note="a" * 301)), "note is"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(StoreError) as caught:
        read_board(written(tmp_path, *lines))
    message = str(caught.value)
    assert said in message
    assert message.startswith("leaderboards/published/mine.csv")
    assert "\n" not in message
    assert str(tmp_path) not in message
    assert message.isprintable()


def test_bytes_that_are_no_text_and_huge_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="cannot be read as CSV"):
        read_board(path)
    path.write_bytes(b"a" * (MOST_BYTES + 1))
    with pytest.raises(StoreError, match="larger than 256 KiB"):
        read_board(path)


def test_a_file_name_that_cannot_name_a_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot name a board"):
        read_board(written(tmp_path, HEADER, ROW, name="a b.csv"))
