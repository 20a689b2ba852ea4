r"""A board as LaTeX: what it says, and that a real LaTeX takes it, whatever a stranger calls a model."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sparkle_bench import report
from sparkle_bench.leaderboard import Board, ranked_board, read_entry
from sparkle_bench.report.latex import escape
from sparkle_bench.store import Store
from tests.made_results import Made, write

KEY = "made-judge-0000"
DOCUMENT = r"""
\documentclass{article}
%s
\usepackage{booktabs}
\usepackage{graphicx}
\begin{document}
\listoftables
\input{leaderboard}
\input{leaderboard-intervals}
\end{document}
"""


def a_board(root: Path, made: Made) -> Board:
    """A made-up board."""
    write(root, made)
    store = Store(root=root)
    return ranked_board("sparkle", KEY, [read_entry(store, model, KEY) for model in store.models()])


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Six models on forty samples, one of which is incomplete; tests only look at it."""
    made = Made(models=6, samples=40, repeats=2, gappy=6, partial=0)
    return a_board(tmp_path_factory.mktemp("board"), made)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Fifty models of more than one track."""
    return a_board(tmp_path_factory.mktemp("tracks"), Made(models=50, samples=40, repeats=1))


def rows_of(text: str) -> list[list[str]]:
    """The cells of the table's rows, without headings and rows in small type."""
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    lines = [re.sub(r" \\\\(\[-2pt\])?$", "", line.strip()) for line in body.splitlines() if " & " in line]
    return [line.split(" & ") for line in lines if r"\tiny" not in line]


def plain(cell: str) -> str:
    return re.sub(r"\\(?:textbf|underline)\{(.*?)\}", r"\1", cell)


# -- what it says ------------------------------------------------------------------------------------------------------


def test_a_table_has_the_boards_rows_and_numbers(board: Board) -> None:
    rows = rows_of(report.tex(board))
    assert [row[1] for row in rows] == [row.entry.model for row in board.rows]
    for shown, row in zip(rows, board.rows, strict=True):
        assert shown[0] == (str(row.rank) if row.rank else "--")
        assert len(shown) == 3 + len(board.rubric.keys) + len(board.themes)
        if row.rank:
            summary = row.entry.summary
            means = (summary.overall, *summary.dimensions.values(), *summary.themes.values())
            assert [plain(cell) for cell in shown[2:]] == [f"{mean.value:.2f}" for mean in means]


def test_the_best_of_every_column_is_bold_and_the_second_underlined(board: Board) -> None:
    ranked = [row for row in rows_of(report.tex(board)) if row[0] != "--"]
    for column in list(zip(*ranked, strict=True))[2:]:
        numbers = sorted({float(plain(cell)) for cell in column}, reverse=True)
        for cell in column:
            best, second = float(plain(cell)) == numbers[0], float(plain(cell)) == numbers[1]
            assert cell.startswith(r"\textbf") == best
            assert cell.startswith(r"\underline") == second


def test_equal_numbers_share_bold_and_the_next_one_is_the_second(board: Board) -> None:
    first, second, third = (row for row in board.rows[:3])
    twin = replace(second, entry=replace(second.entry, summary=first.entry.summary))
    rows = rows_of(report.tex(replace(board, rows=(first, twin, third))))
    assert [row[2].partition("{")[0] for row in rows] == [r"\textbf", r"\textbf", r"\underline"]


def test_each_track_has_a_best_of_its_own_and_a_heading(tracks: Board) -> None:
    text = report.tex(tracks)
    assert len(tracks.tracks) > 1
    for part in text.split(r"\itshape Track: ")[1:]:
        rows = rows_of(r"\midrule" + part.partition(r"\midrule")[0])
        assert sum(row[2].startswith(r"\textbf") for row in rows) >= (len(rows) > 1)
    assert text.count(r"\itshape Track: ") == len(tracks.tracks)


def test_rows_below_the_line_show_bounds_and_why(board: Board) -> None:
    row = next(row for row in board.rows if row.rank is None)
    below = report.tex(board).partition("Not ranked")[2]
    overall = row.entry.summary.overall
    assert f"{overall.low:.2f}--" in below
    assert rf"{{\tiny {overall.high:.2f}}}" in below
    assert "without verdict" in below
    assert r"\textbf" not in below


def test_intervals_stand_under_the_numbers_in_small_type(board: Board) -> None:
    first = board.rows[0]
    assert first.intervals is not None and first.intervals.overall is not None
    half = (first.intervals.overall.high - first.intervals.overall.low) / 2
    lines = report.tex(board, intervals=True).splitlines()
    place = next(number for number, line in enumerate(lines) if f"& {first.entry.model} &" in line)
    assert lines[place].endswith(r"\\[-2pt]")
    assert rf"{{\tiny $\pm${half:.2f}}}" in lines[place + 1]
    assert r"$\pm$" not in report.tex(board)
    assert "95" in report.tex(board, intervals=True)


def test_an_interval_cut_at_the_scale_is_given_by_its_ends(board: Board) -> None:
    first = board.rows[0]
    assert first.intervals is not None and first.intervals.overall is not None
    cut = replace(first.intervals, overall=replace(first.intervals.overall, high=first.entry.summary.overall.low))
    text = report.tex(replace(board, rows=(replace(first, intervals=cut),)), intervals=True)
    assert f"[{cut.overall.low:.2f}, {first.entry.summary.overall.low:.2f}]" in text if cut.overall else False


def test_the_caption_says_what_the_numbers_stand_on(board: Board) -> None:
    text = report.tex(board)
    for words in (rf"sparkle, judged by {KEY}", "40 samples", "Marks run from 1 to 5", "share a rank"):
        assert words in text
    assert r"\usepackage{booktabs}" in text.partition(r"\begin")[0]


def test_the_caption_tells_of_no_best_where_none_is_marked(board: Board) -> None:
    ranked, below = ([row for row in board.rows if (row.rank is None) is out] for out in (False, True))
    for rows, small in ((below, False), (ranked[:1] + below, True)):
        text = report.tex(replace(board, rows=tuple(rows)), intervals=True)
        assert r"\textbf" not in text
        assert not [words for words in ("Best in bold", "share a rank") if words in text]
        assert ("Small numbers are" in text) == small
    assert "Best in bold" in report.tex(replace(board, rows=tuple(ranked[:2])))


def test_both_tables_can_stand_in_one_document(board: Board) -> None:
    labels = [re.findall(r"\\label\{(.*?)\}", report.tex(board, intervals=given)) for given in (False, True)]
    assert labels[0] != labels[1]
    assert all(len(found) == 1 for found in labels)


# -- strangers' texts --------------------------------------------------------------------------------------------------

ESCAPES: dict[str, tuple[str, str]] = {
    "command": (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
    "comment": ("100% & more", r"100\% \& more"),
    "mathematics": ("$a_b^c$", r"\$a\_b\textasciicircum{}c\$"),
    "parameter": ("#1~x", r"\#1\textasciitilde{}x"),
    "line break": ("a\n\\\\ b\x0bc", r"a \textbackslash{}\textbackslash{} b c"),
    "double quotation marks": ('"a"', r"\symbol{34}a\symbol{34}"),
    "single quotation marks": ("'a `b", r"\textquotesingle{}a \textasciigrave{}b"),
    "ligatures": ("a--b ---,, ", r"a-{\kern0pt}-b -{\kern0pt}-{\kern0pt}-,{\kern0pt},"),
    "angles": ("<b>|</b>", r"\textless{}b\textgreater{}\textbar{}\textless{}/b\textgreater{}"),
    "accents": ("é Ñ ü ç í Š", r"\'{e} \~{N} \"{u} \c{c} \'{\i} \v{S}"),
    "apart accents": ("e\u0301", r"\'{e}"),
    "signs": ("π–Øre × 2…", r"$\pi$--\O{}re $\times$ 2\ldots{}"),
    "chinese": ("万", r"\sparkleglyph{万}"),
    "picture": ("🔥", r"\sparkleglyph{🔥}"),
    "direction": ("a\u202eb\u200bc", "a?b?c"),
    "half a pair": ("a\ud800b", "a?b"),
    "control": ("a\x00b\x7f\x1b", "a?b??"),
    "private": ("\ue000\uffff", "??"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ESCAPES.values(), ids=ESCAPES)
def test_text_is_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


HOSTILE = (
    r"\input{/etc/passwd}",
    r"\end{tabular}\write18{touch pwned}",
    r"} \csname par\endcsname {",
    r"\\ [1cm] \hline",
    "a-line-long-enough [1x]*",
    f"{'a' * 36}[1x] *y*",
    "100% #1 $x_1^2$ & ~ ^^41 ^^5cpar",
    '"a" `b\' --- ,, ?` !` <<>>',
    "a\n\n\\par b\r\nc\x00\x1b",
    "Ünïcödé Łódź ﬁ αβγ Ωmega € №",
    "模型 🔥 עברית العربية ไทย\u202e\ud800\uffff",
    "e\u0301\u0302\u0303\u0327",
    r"\begin{document}\end{document}" * 6,
    "<# << board >> #> <% for %>",
    "",
)


def hostile(board: Board) -> Board:
    """A board on which all texts mean harm."""
    rows = [board.rows[number % len(board.rows)] for number in range(len(HOSTILE))]
    named = [
        replace(row, entry=replace(row.entry, model=text), why_unranked=text if row.rank is None else "")
        for row, text in zip(rows, HOSTILE, strict=True)
    ]
    dimensions = [replace(one, label=text) for one, text in zip(board.rubric.dimensions, HOSTILE, strict=False)]
    rubric = replace(board.rubric, dimensions=tuple(dimensions))
    ordered = sorted(named, key=lambda row: row.rank is None)
    text = " ".join(HOSTILE)
    return replace(board, benchmark=text, judge_key=text, rubric=rubric, rows=tuple(ordered))


def test_hostile_text_adds_no_row_no_cell_and_no_command(board: Board) -> None:
    text = report.tex(hostile(board), intervals=True)
    assert all(len(row) == 3 + len(board.rubric.keys) + len(board.themes) for row in rows_of(text))
    for command in (r"\input", r"\write", r"\csname", r"\hline", r"\begin{document}"):
        assert command not in text.partition("\n")[2]
    assert all(line.count("{") - line.count(r"\{") >= 0 for line in text.splitlines())
    (label,) = re.findall(r"\\label\{(.*)\}", text)
    assert re.fullmatch(r"tab:[A-Za-z0-9.-]+", label)


# -- a real LaTeX ------------------------------------------------------------------------------------------------------


def compiled(folder: Path, board: Board, engine: str, preamble: str = "") -> str:
    """Compile both tables of a board in one document, twice for the list of tables, and return the log."""
    if shutil.which(engine) is None:
        pytest.skip(f"left out: needs {engine} (Debian: texlive-latex-recommended, texlive-luatex, texlive-xetex)")
    for name, intervals in (("leaderboard", False), ("leaderboard-intervals", True)):
        (folder / f"{name}.tex").write_bytes(report.tex(board, intervals=intervals).encode())
    (folder / "paper.tex").write_text(DOCUMENT % preamble, encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=240, check=False)
        log = (folder / "paper.log").read_text(encoding="utf-8", errors="replace")
        assert done.returncode == 0, log[-3000:]
    assert (folder / "paper.pdf").stat().st_size > 10_000
    return log


def test_pdflatex_takes_a_board(tmp_path: Path, board: Board) -> None:
    log = compiled(tmp_path, board, "pdflatex")
    assert "Overfull" not in log
    assert "multiply" not in log


def test_pdflatex_takes_fifty_models_on_one_page_each(tmp_path: Path, tracks: Board) -> None:
    log = compiled(tmp_path, tracks, "pdflatex")
    assert "Overfull" not in log
    assert "Float too large" not in log


PREAMBLES: dict[str, tuple[str, str]] = {
    "pdflatex": ("pdflatex", ""),
    "pdflatex with T1": ("pdflatex", r"\usepackage[T1]{fontenc}"),
    "lualatex": ("lualatex", ""),
    "xelatex": ("xelatex", ""),
    "across two columns": ("pdflatex", r"\newcommand{\sparkletable}{table*}"),
}


@pytest.mark.parametrize(("engine", "preamble"), PREAMBLES.values(), ids=PREAMBLES)
def test_a_latex_takes_hostile_text(tmp_path: Path, board: Board, engine: str, preamble: str) -> None:
    log = compiled(tmp_path, hostile(board), engine, preamble)
    assert "Undefined control sequence" not in log
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix not in (".tex", ".aux", ".log", ".lot")) == [
        "paper.pdf"
    ]
