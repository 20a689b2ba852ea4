"""Figures: every kind of board is drawn, nothing lies upon another thing, what is written is what was scored."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps, image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from sparkle_bench import plots
from sparkle_bench.leaderboard import Board, Row, ranked_board, read_entry
from sparkle_bench.plots import heat, lettering, marks, speed
from sparkle_bench.plots.sheet import COLUMN, CONTROL, PAGE, RANKED, SMALL, UNRANKED, Number, sheet
from sparkle_bench.scoring import Bounds
from sparkle_bench.stats import Interval
from sparkle_bench.store import Store
from tests import made_words
from tests.made_results import Made, names, write

KEY = Made().judges[0]
SMALLEST = 6.9
"""Points; what is smaller cannot be read in print."""


def a_board(root: Path, made: Made) -> Board:
    write(root, made)
    return read_board(root, made)


def read_board(root: Path, made: Made) -> Board:
    store = Store(root=root)
    return ranked_board("sparkle", KEY, [read_entry(store, model, KEY) for model in names(made)])


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return a_board(tmp_path_factory.mktemp("eight"), Made(models=8, samples=80, repeats=2))


def of_models(models: int, **more: Any) -> Callable[[Path], Board]:
    return lambda root: a_board(root, Made(**{"models": models, "samples": 60, "repeats": 1, **more}))


def nothing_complete(root: Path) -> Board:
    """Every model lacks a verdict."""
    made = Made(models=4, samples=30, repeats=1)
    write(root, made)
    for path in root.glob("results/*/judged/*/judgments.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        last = json.loads(lines[-1])["sample_id"]
        path.write_text("".join(line for line in lines if json.loads(line)["sample_id"] != last), encoding="utf-8")
    return read_board(root, made)


def three_dimensions(root: Path) -> Board:
    """A rubric of three dimensions, none of which caps the others."""
    made = Made(models=5, samples=30, repeats=1)
    write(root, made)
    for path in root.glob("results/*/judged/*/judge.json"):
        judge = json.loads(path.read_text(encoding="utf-8"))
        judge["rubric"]["dimensions"] = judge["rubric"]["dimensions"][:3]
        judge["rubric"]["cap"] = None
        keys = [dimension["key"] for dimension in judge["rubric"]["dimensions"]]
        path.write_text(json.dumps(judge), encoding="utf-8")
        lines = path.with_name("judgments.jsonl")
        judgments = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        for judgment in judgments:
            if "scores" in judgment:
                judgment["scores"] = {key: judgment["scores"][key] for key in keys}
        lines.write_text("".join(f"{json.dumps(judgment)}\n" for judgment in judgments), encoding="utf-8")
    return read_board(root, made)


def renamed(board: Board, name: Callable[[int], str]) -> Board:
    rows = tuple(replace(row, entry=replace(row.entry, model=name(number))) for number, row in enumerate(board.rows))
    return replace(board, rows=rows)


def hostile(root: Path) -> Board:
    """Texts that try to get out of their place, everywhere."""
    made = a_board(root, Made(models=12, samples=60, repeats=1, hostile=True))
    texts = made_words.HOSTILE
    subthemes = [
        (texts[number % 3], f"{number}{texts[number % len(texts)]}") for number in range(len(made.design.subthemes))
    ]
    labels = replace(made.design, themes=tuple(texts[2:6]), subthemes=tuple(sorted(subthemes)))
    worse = replace(made, benchmark=texts[0], judge_key=texts[7], themes=labels.themes, design=labels)
    return renamed(worse, lambda number: texts[number % len(texts)])


def long_names(root: Path) -> Board:
    return renamed(a_board(root, Made(models=6, samples=30, repeats=1)), lambda number: f"{number}{'W' * 90}")


BOARDS: Mapping[str, Callable[[Path], Board]] = {
    "one model": of_models(1),
    "two models": of_models(2),
    "eight models": of_models(8),
    "fifty models": of_models(50),
    "more than a page": of_models(70, samples=16),
    "two tracks": of_models(12),
    "nothing complete": nothing_complete,
    "three dimensions, no cap": three_dimensions,
    "hostile texts": hostile,
    "long names": long_names,
    "one sample": of_models(3, samples=4),
}


@pytest.fixture(scope="module", params=[*BOARDS])
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Each of the boards."""
    return BOARDS[request.param](tmp_path_factory.mktemp("board"))


def all_texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


def said(figure: Figure) -> list[str]:
    return [text.get_text() for text in all_texts(figure)]


def tags(svg: bytes) -> set[str]:
    return {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(svg).iter()}


def boxes(figure: Figure) -> list[tuple[Text, np.ndarray[Any, Any]]]:
    """Every text with its left, bottom, right and top in inches, a little less than its line's box."""
    figure.set_dpi(plots.DPI)  # as a PNG is drawn: letters are set upon its pixels
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    found = []
    for text in all_texts(figure):
        box = np.array(text.get_window_extent(renderer).extents) / figure.dpi
        upright = text.get_rotation() == 90
        trim = np.array([0.005, 0.0, -0.005, 0.0] if upright else [0.0, 0.005, 0.0, -0.005])
        found.append((text, box + trim))
    return found


def test_every_figure_of_every_board_can_be_read(board: Board) -> None:
    figures = plots.figures(board)
    assert tuple(figures) == plots.NAMES
    for name, figure in figures.items():
        width, height = figure.get_size_inches()
        assert width in (COLUMN, PAGE), name
        assert height < 11.0, name
        placed = boxes(figure)
        for text, (left, bottom, right, top) in placed:
            assert left > 0 and bottom > 0 and right < width and top < height, (name, text.get_text())
            assert float(text.get_fontsize()) >= SMALLEST, (name, text.get_text())
        edges = np.array([box for _, box in placed])
        apart = (edges[:, None, :2] >= edges[None, :, 2:]) | (edges[None, :, :2] >= edges[:, None, 2:])
        upon = np.argwhere(np.triu(~apart.any(axis=2), 1))
        assert [(name, placed[i][0].get_text(), placed[j][0].get_text()) for i, j in upon] == []


def test_every_figure_of_every_board_is_drawn_alike_each_time(board: Board) -> None:
    again = plots.figures(board)
    for name, figure in plots.figures(board).items():
        svg = plots.render(figure, "svg")
        assert tags(svg) <= {"svg", "metadata", "RDF", "Work", "type", "format", "defs", "style", "g", "path", "text", "use",
                             "pattern", "rect", "clipPath", "creator", "Agent", "title"}  # fmt: skip
        assert plots.render(again[name], "svg") == svg, name
        assert b"date" not in svg.lower()


DRAW = """
import hashlib, sys
from pathlib import Path
from sparkle_bench import plots
from tests import test_plots
from tests.made_results import Made
board = test_plots.read_board(Path(sys.argv[1]), Made(models=4, samples=30, repeats=1))
figures = plots.figures(board)
print(hashlib.sha256(b"".join(plots.render(f, k) for f in figures.values() for k in plots.KINDS)).hexdigest())
"""


def test_pictures_are_as_large_as_they_are_printed(eight: Board) -> None:
    for figure in plots.figures(eight).values():
        drawn = image.imread(io.BytesIO(plots.render(figure, "png")))
        width, height = figure.get_size_inches() * plots.DPI
        assert drawn.shape[:2] == pytest.approx((height, width), abs=1.0)
        assert len(np.unique(drawn[:, :, :3].reshape(-1, 3), axis=0)) > 5, "something is drawn"


def test_two_processes_draw_the_same_bytes(tmp_path: Path) -> None:
    made = Made(models=4, samples=30, repeats=1)
    figures = plots.figures(a_board(tmp_path, made))
    here = hashlib.sha256(b"".join(plots.render(f, k) for f in figures.values() for k in plots.KINDS)).hexdigest()
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", DRAW, str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=root,
        env={"PYTHONHASHSEED": "7", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == [here], done.stderr


HOSTILE_NAMES = [text for text in made_words.HOSTILE if text != made_words.LONG_WORD]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_name_is_only_text(eight: Board, name: str) -> None:
    board = renamed(eight, lambda number: name)
    for what, figure in plots.figures(board).items():
        svg = plots.render(figure, "svg")
        assert not tags(svg) & {"script", "a", "image", "foreignObject", "img", "b"}
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", svg.decode())
        shown = lettering.short(name)[:12].strip()
        assert any(text.startswith(shown) for text in said(figure)), what


# -- what is said ------------------------------------------------------------------------------------------------------


def row_of(board: Board, test: Callable[[Row], bool]) -> Row:
    return next(row for row in board.rows if test(row))


def test_the_overall_figure_has_every_mean_and_bounds_where_verdicts_are_missing(eight: Board) -> None:
    texts = said(plots.figures(eight)["overall"])
    for row in eight.rows:
        bounds = row.entry.summary.overall
        whole = f"{bounds.low:.2f}" if row.entry.summary.complete else f"{bounds.low:.2f}–{bounds.high:.2f}"
        assert whole in texts
    assert any("missing" in text for text in texts)
    assert any("not ranked" in text for text in texts)


def test_a_shared_rank_is_seen_as_one(eight: Board) -> None:
    shared = [row.rank for row in eight.rows if row.rank is not None]
    wanted = sorted(f"{rank}=" if shared.count(rank) > 1 else f"{rank}" for rank in shared)
    assert any(text.endswith("=") for text in wanted), "the board has no tie"
    texts = said(plots.figures(eight)["overall"])
    assert sorted(text for text in texts if re.fullmatch(r"\d+=", text)) == [t for t in wanted if t.endswith("=")]


def test_the_control_is_told_from_the_others_by_shape_and_word(eight: Board) -> None:
    figures = plots.figures(eight)
    for name in ("overall", "themes", "subthemes", "marks", "ranks", "cap", "radar"):
        texts = said(figures[name])
        assert sum(text.startswith("identity ◇") for text in texts) == 1, name
        assert any("control" in text for text in texts), name
    assert len({sign.marker for sign in (RANKED, UNRANKED, CONTROL)}) == 3


def test_ranks_have_their_letters_and_say_who_is_left_out(eight: Board) -> None:
    texts = said(plots.figures(eight)["ranks"])
    ranked = [row for row in eight.rows if row.standing is not None]
    for row in ranked:
        assert row.standing is not None and row.standing.group in texts
    assert f"{len(eight.rows) - len(ranked)} result is not ranked." in texts
    lacking = row_of(eight, lambda row: row.rank is None)
    assert lacking.entry.model not in texts


def test_a_board_on_which_nothing_is_complete_has_bounds_and_no_ranks(tmp_path: Path) -> None:
    figures = plots.figures(nothing_complete(tmp_path))
    assert "nothing to show" in said(figures["ranks"])
    assert "4 results are not ranked." in said(figures["ranks"])
    assert sum("–" in text and text[0].isdigit() for text in said(figures["overall"])) == 4


def test_each_track_has_its_heading(tmp_path: Path) -> None:
    made = of_models(12)(tmp_path)
    assert len(made.tracks) == 2, "the board has one track"
    for name in ("overall", "themes", "marks", "cap"):
        texts = said(plots.figures(made)[name])
        assert {f"track {track}" for track in made.tracks} <= set(texts)


def test_of_a_board_larger_than_a_page_the_first_rows_are_drawn_and_the_rest_counted(tmp_path: Path) -> None:
    made = of_models(70, samples=16)(tmp_path)
    figures = plots.figures(made)
    for name, drawn in (("overall", 60), ("marks", 60), ("radar", 23)):
        texts = said(figures[name])
        assert f"The first {drawn} rows; {70 - drawn} more are in the board's table." in texts
        shown = [row for row in made.rows if any(text.startswith(row.entry.model) for text in texts)]
        assert shown == list(made.rows[:drawn])


@pytest.mark.parametrize("number", range(8))
def test_shares_of_marks_are_counted_one_by_one(eight: Board, number: int) -> None:
    row = eight.rows[number]
    found = row.entry.marks
    counts = np.zeros((6, 7))
    for s in range(len(found.samples)):
        for r in range(2):
            for d in range(6):
                if found.status[s, r] == 0:
                    counts[d, found.counts[s, r, d] - 1] += 1
                else:
                    counts[d, 5 if found.status[s, r] == 1 and found.attempted[s] else 6] += 1
    assert np.allclose(marks.shares(row), counts / (len(found.samples) * 2))
    assert np.allclose(marks.shares(row).sum(axis=1), 1.0)


def test_gaps_are_seen_in_the_distribution_of_marks(eight: Board) -> None:
    lacking = row_of(eight, lambda row: row.entry.summary.no_verdict > 0)
    failed = row_of(eight, lambda row: row.entry.summary.no_edit > 0)
    assert marks.shares(lacking)[:, 6].min() > 0
    assert marks.shares(failed)[:, 5].min() > 0
    texts = said(plots.figures(eight)["marks"])
    assert {"no edit (counts the lowest)", "no verdict, or not attempted"} <= set(texts)


def test_marks_are_told_apart_without_colour() -> None:
    colours = np.array([colormaps["cividis"](level / 4)[:3] for level in range(5)])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
    assert np.diff(lightness).min() > 10


def test_the_cap_figure_has_the_places_and_how_often_it_bound(eight: Board) -> None:
    texts = said(plots.figures(eight)["cap"])
    for row in eight.rows:
        assert f"{row.entry.summary.cap_bound:.0%}" in texts
        if row.place != row.uncapped_place:
            assert f"{row.place} → {row.uncapped_place}" in texts
    control = row_of(eight, lambda row: row.entry.model == "identity")
    assert f"{control.place} → {control.uncapped_place}" in texts, "the cap moves the control"


def test_a_rubric_without_a_cap_has_a_figure_that_says_so(tmp_path: Path) -> None:
    figures = plots.figures(three_dimensions(tmp_path))
    assert "This rubric has no cap: no mark limits another." in said(figures["cap"])
    assert "Distribution of marks" in said(figures["marks"])


def test_themes_have_means_and_intervals(eight: Board) -> None:
    texts = said(plots.figures(eight)["themes"])
    for row in eight.rows:
        for number, theme in enumerate(eight.design.themes):
            bounds = row.entry.summary.themes[theme]
            if row.intervals and (interval := row.intervals.themes[number]):
                assert f"{bounds.low:.2f} [{interval.low:.2f}, {interval.high:.2f}]" in texts


def test_subthemes_stand_under_their_theme_with_their_number_of_samples(eight: Board) -> None:
    texts = said(plots.figures(eight)["subthemes"])
    assert set(eight.design.themes) <= set(texts)
    cells = row_of(eight, lambda row: True).entry.summary.subthemes
    assert {f"{subtheme} ({cell.samples})" for (_, subtheme), cell in cells.items()} <= set(texts)


WHOLE, GAP = Bounds(low=3.412, high=3.412), Bounds(low=2.94, high=3.48)
CELLS: Mapping[str, tuple[Bounds | None, Interval | None, float, str]] = {
    "no samples": (None, None, 1.0, "–"),
    "room for all": (WHOLE, Interval(low=3.3, high=3.5), 2.0, "3.41 [3.30, 3.50]"),
    "no interval": (WHOLE, None, 2.0, "3.41"),
    "little room": (WHOLE, Interval(low=3.3, high=3.5), 0.3, "3.41"),
    "less room": (WHOLE, None, 0.2, "3.4"),
    "no room": (WHOLE, None, 0.05, ""),
    "bounds": (GAP, None, 2.0, "2.94–3.48"),
    "bounds, little room": (GAP, None, 0.42, "2.9–3.5"),
    "bounds, less room": (GAP, None, 0.3, "≥2.9"),
}


@pytest.mark.parametrize(("bounds", "interval", "room", "words"), CELLS.values(), ids=CELLS)
def test_a_cell_says_what_there_is_room_for(
    bounds: Bounds | None, interval: Interval | None, room: float, words: str
) -> None:
    assert heat.words(heat.Cell(bounds=bounds, interval=interval), room) == words


def test_bounds_are_rounded_outwards() -> None:
    cell = heat.Cell(bounds=Bounds(low=2.96, high=3.42))
    assert heat.words(cell, 0.3) == "≥2.9"
    assert heat.words(cell, 0.42) == "2.9–3.5"


# -- quality against time ----------------------------------------------------------------------------------------------


def test_speed_names_model_time_and_machine_and_counts_who_does_not_say(eight: Board) -> None:
    texts = said(plots.figures(eight)["speed"])
    known = [row for row in eight.rows if row.entry.efforts.seconds_per_clip]
    assert 0 < len(known) < 8, "some say, some do not"
    for number, row in enumerate(known, 1):
        assert row.entry.model in texts
        assert row.entry.machine.replace("NVIDIA ", "") in texts
        assert texts.count(str(number)) >= 2, "in the panel and in the list"
    assert f"{8 - len(known)} results do not say how long an edit took." in texts


def test_speed_says_so_if_nobody_says(eight: Board) -> None:
    rows = [
        replace(row, entry=replace(row.entry, efforts=replace(row.entry.efforts, seconds_per_clip=None)))
        for row in eight.rows
    ]
    texts = said(plots.figures(replace(eight, rows=tuple(rows)))["speed"])
    assert "No result on this board says how long its model took for an edit." in texts


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.001, 5000.0), min_size=1, max_size=8, unique=True))
def test_every_time_from_a_millisecond_to_an_hour_has_its_axis(eight: Board, times: list[float]) -> None:
    rows = [
        replace(row, entry=replace(row.entry, efforts=replace(row.entry.efforts, seconds_per_clip=time)))
        for row, time in zip(eight.rows, times, strict=False)
    ]
    figure = speed.speed(replace(eight, rows=tuple(rows)))
    width, height = figure.get_size_inches()
    placed = boxes(figure)
    assert all(box[0] > 0 and box[2] < width and box[1] > 0 and box[3] < height for _, box in placed)


# -- letters -----------------------------------------------------------------------------------------------------------

LINES = ("Quarry-5B", "3.41 [3.30, 3.50]", "0.00 s", "夜明け café", "WWWWiiii", "Übergröße – “quoted”")


@pytest.mark.parametrize("line", [line for line in LINES if line == lettering.legible(line)])
@pytest.mark.parametrize("size", [7.0, 8.5, 20.0])
def test_widths_are_those_that_are_drawn(line: str, size: float) -> None:
    page = sheet(7.0, 2.0)
    page.text(0.1, 1.0, line, fontsize=size, fontfamily=lettering.families([line]))
    ((_, (left, _, right, _)),) = boxes(page.figure)
    assert lettering.width(line, size) == pytest.approx(right - left, rel=0.06, abs=0.02)


@given(st.text(max_size=300), st.floats(0.2, 3.0))
@settings(deadline=None)
def test_wrapped_lines_fit_and_lose_no_letter(text: str, most: float) -> None:
    lines = lettering.wrapped(text, most, SMALL)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(lettering.width(line, SMALL) <= most + 1e-9 or len(line) == 1 for line in lines)


@given(st.text(max_size=60), st.floats(0.2, 3.0))
@settings(deadline=None)
def test_a_fitted_line_fits(text: str, most: float) -> None:
    line = lettering.fitted(text, most, SMALL)
    assert lettering.width(line, SMALL) <= most
    assert line == text or line.endswith("…")


@given(st.text(max_size=60))
@settings(deadline=None)
def test_a_short_text_has_nothing_that_cannot_be_drawn(text: str) -> None:
    shown = lettering.short(text)
    assert len(shown) <= 28
    assert shown.isprintable()
    assert all(lettering.font_of(sign) for sign in shown)


def test_a_letter_that_no_font_has_is_shown_as_missing() -> None:
    assert lettering.legible("a\U000e0fffb") == "a\N{REPLACEMENT CHARACTER}b"


def test_many_numbers_stand_where_few_do() -> None:
    """Outlines and texts put ink into the same places."""
    few = [
        Number(x=0.5 + n % 10 * 0.6, y=0.2 + n // 10 * 0.2, words=f"{n * 97:04d}", ink="#000000") for n in range(100)
    ]
    pictures = []
    for numbers in (few, few * 2):  # twice: more than are written as texts
        page = sheet(7.0, 2.5)
        page.numbers(numbers)
        pictures.append(image.imread(io.BytesIO(plots.render(page.figure, "png")))[:, :, 0] < 0.5)
    texts, outlines = pictures
    for number in few:
        x, y = round(number.x * plots.DPI), round(number.y * plots.DPI)
        window = np.s_[y - 14 : y + 14, x - 40 : x + 40]
        few_ink, many_ink = (np.argwhere(picture[window]) for picture in (texts, outlines))
        for edge in (np.min, np.max):
            assert np.abs(edge(few_ink, axis=0) - edge(many_ink, axis=0)).max() <= 2, number
