"""All boards of a root side by side: what the index says, in three formats, and that nobody's text breaks it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import report, stats
from sparkle_bench.leaderboard import Board, ranked_board, read_entry
from sparkle_bench.leaderboard.published import Quotation, Quoted, read_published
from sparkle_bench.report.crossing import Crossing, Pairing, crossed
from sparkle_bench.store import Store
from tests import page
from tests.made_results import Made, write

KEYS = ("judge-a-0000", "judge-b-1111")
MADE = Made(models=7, samples=40, repeats=1, judges=KEYS, gappy=7, partial=0)
PRESETS = ("kiwi-edit", "kiwi-sparkle", "lucy-edit", "wan-vace")
QUOTED = read_published(Path("/nonexistent"))
FORMATS = (report.index, report.index_markdown)


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> list[Board]:
    """Two boards of the same seven results, four of which are named after presets; tests only look at them."""
    root = tmp_path_factory.mktemp("root")
    write(root, MADE)
    store = Store(root=root)
    made = [model for model in store.models() if model != "identity"]
    named = dict(zip(made, PRESETS, strict=False))
    found = []
    for key in KEYS:
        entries = [read_entry(store, model, key) for model in store.models()]
        plain = [replace(e, run={**e.run, "editor": {"name": "folder", "options": {}}}) for e in entries]
        found.append(ranked_board("sparkle", key, [replace(e, model=named.get(e.model, e.model)) for e in plain]))
    return found


@pytest.fixture(scope="module")
def crossing(boards: list[Board]) -> Crossing:
    return crossed(boards, QUOTED)


def pair(crossing: Crossing, one: str, other: str) -> Pairing:
    return next(p for p in crossing.pairings if (p.one.title, p.other.title) == (one, other))


class Read(HTMLParser):
    """A page's tags with the names of their attributes, its links, its ids, its tables' rows, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.rows: list[list[str]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        self.rows = [[cell.strip() for cell in row] for row in self.rows]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


# -- boards ------------------------------------------------------------------------------------------------------------


def test_every_board_is_linked_with_its_judge_its_version_and_its_best(boards: list[Board]) -> None:
    read = Read(report.index(boards))
    for board in boards:
        assert f"sparkle/{board.judge_key}/index.html" in read.links
        row = next(row for row in read.rows if row[0].startswith(board.judge_key))
        assert board.version["digest"][:12] in row[1]
        ranked = [one for one in board.rows if one.rank]
        assert [int(cell) for cell in row[3:5]] == [len(ranked), len(board.rows) - len(ranked)]
        best = ranked[0]
        assert f"{best.entry.model} {best.entry.summary.overall.low:.2f} ±" in row[5]


def test_whoever_cannot_be_told_apart_from_the_best_is_named_beside_it(boards: list[Board]) -> None:
    board = boards[0]
    contest = next(iter(board.contests.values()))
    first, *others = (row.entry.model for row in board.rows if row.rank)
    level = [model for model in others if not contest.apart(first, model)]
    (data, _) = json.loads(report.index_json(boards))["boards"]
    assert [best["level"] for best in data["best"]] == [level]


def test_boards_alone_need_no_quoted_ones_and_quoted_ones_no_boards(boards: list[Board]) -> None:
    assert "Quoted boards" not in report.index(boards)
    assert "quoted-" not in "".join(Read(report.index(boards[:1])).ids)
    alone = Read(report.index([], QUOTED))
    assert {f"quoted-{board.name}" for board in QUOTED} <= set(alone.ids)
    assert "boards" not in alone.ids
    assert report.index([]).count("<table>") == 0


# -- quoted boards -----------------------------------------------------------------------------------------------------


def test_quoted_figures_stand_as_printed_with_their_source_and_no_rank(boards: list[Board]) -> None:
    text = report.index(boards, QUOTED)
    read = Read(text)
    assert text.count('<span class="quoted">quoted</span>') == len(QUOTED)
    for board in QUOTED:
        for row in board.rows:
            shown = next(
                cells
                for cells in read.rows
                if cells[0] == row.name + row.parameters and row.source in cells[-1] and row.date in cells[-1]
                and cells[1] == row.figures["overall"]
            )  # fmt: skip
            figures = [row.figures.get(key, "–") for key in board.dimensions]
            assert shown[1:-2] == [row.figures["overall"], *figures]
            assert row.link is None or row.link in read.links
    assert "not known" in text
    assert "never ranked with ours" in " ".join(read.text)


def test_quoted_models_change_no_board_of_ours(boards: list[Board]) -> None:
    with_them, without = (json.loads(report.index_json(boards, each)) for each in (QUOTED, ()))
    assert with_them["boards"] == without["boards"]


# -- models on several boards ------------------------------------------------------------------------------------------


def line(crossing: Crossing, model: str) -> dict[str, list[tuple[str, str]]]:
    found = next(each for each in crossing.lines if each.model == model)
    cells = zip(crossing.columns, found.cells, strict=True)
    return {column.title: [(shown.text, shown.differs) for shown in shown_all] for column, shown_all in cells}


def test_a_model_stands_beside_its_quoted_figures(boards: list[Board], crossing: Crossing) -> None:
    found = line(crossing, "kiwi-sparkle")
    assert found["authors-sparkle (quoted)"] == [("3.81", "")]
    assert found["authors-openve (quoted)"] == [("3.29", "")]
    assert found["openve-seed (quoted)"] == []
    for board in boards:
        row = next(row for row in board.rows if row.entry.model == "kiwi-sparkle")
        ((text, differs),) = found[f"sparkle, {board.judge_key}"]
        assert text.startswith(f"{row.entry.summary.overall.low:.2f} ")
        assert not differs


def test_another_version_or_size_is_shown_and_marked(crossing: Crossing) -> None:
    assert line(crossing, "lucy-edit")["openve-gemini (quoted)"][0][0] == "1.57"
    assert line(crossing, "lucy-edit")["openve-gemini (quoted)"][0][1]
    assert line(crossing, "kiwi-edit")["vidu-s2 (quoted)"][0][1].startswith("given a reference image")
    assert line(crossing, "wan-vace")["vidu-s2 (quoted)"] == [("2.18", "1.3B; ours is 14B")]


def test_another_version_counts_in_no_comparison(crossing: Crossing) -> None:
    for other in ("openve-gemini (quoted)", "vidu-s2 (quoted)"):
        shared = [
            p.shared for p in crossing.pairings if p.one.title == f"sparkle, {KEYS[0]}" and p.other.title == other
        ]
        assert shared == []


def test_an_incomplete_result_is_marked_and_shows_bounds(boards: list[Board], crossing: Crossing) -> None:
    row = next(row for row in boards[0].rows if row.rank is None)
    ((text, differs),) = line(crossing, row.entry.model)[f"sparkle, {KEYS[0]}"]
    assert "–" in text
    assert "without verdict" in differs
    assert row.entry.model not in pair(crossing, *(f"sparkle, {key}" for key in KEYS)).shared


def made_by(board: Board, **editors: str) -> Board:
    """The board with only these results, by name with what they were made with; names of rows that it ranks."""
    rows = [row for row in board.rows if row.rank][: len(editors)]
    made = []
    for row, (model, editor) in zip(rows, editors.items(), strict=True):
        run = {**row.entry.run, "editor": {"name": editor}}
        made.append(replace(row, entry=replace(row.entry, model=model.replace("_", "-"), run=run)))
    return replace(board, rows=tuple(made))


def test_a_fine_tune_made_with_a_preset_is_marked_beside_it_and_in_no_comparison(boards: list[Board]) -> None:
    ours = [made_by(board, tuned="kiwi-edit", kiwi_edit="folder", other="kiwi-edit") for board in boards]
    found = crossed(ours, QUOTED)
    how = "ours was made with kiwi-edit under another name; its options may differ"
    for model in ("tuned", "other"):
        assert line(found, model)["authors-sparkle (quoted)"] == [("2.54", how)]
        ((_, differs),) = line(found, model)["vidu-s2 (quoted)"]
        assert differs.startswith("given a reference image") and differs.endswith(how)
    assert line(found, "kiwi-edit")["authors-sparkle (quoted)"] == [("2.54", "")]
    assert pair(found, f"sparkle, {KEYS[0]}", "authors-sparkle (quoted)").shared == ("kiwi-edit",)
    assert pair(found, *(f"sparkle, {key}" for key in KEYS)).shared == ("kiwi-edit", "other", "tuned")
    on = {each["model"]: each["on"] for each in report.printed_elsewhere(ours[0], QUOTED)}
    assert {each["differs"] for each in on["kiwi-edit"] if each["board"] == "authors-sparkle"} == {""}
    assert {each["differs"] for each in on["tuned"] if each["board"] == "authors-sparkle"} == {how}
    for text in (report.index(ours, QUOTED), report.index_markdown(ours, QUOTED)):
        row = next(part for part in re.split(r"\n|<tr>", text) if "tuned" in part and how in part)
        assert re.search("2\\.54 ?†", row)


def test_a_fine_tune_alone_is_not_the_quoted_model(boards: list[Board]) -> None:
    found = crossed([made_by(boards[0], tuned="kiwi-edit")], QUOTED)
    assert not [each for each in found.pairings if not each.one.quoted]
    assert line(found, "kiwi-edit")["authors-openve (quoted)"] == [("2.58", "")]
    assert line(found, "kiwi-edit")[f"sparkle, {KEYS[0]}"] == []


def test_a_name_printed_alike_on_two_quoted_boards_is_one_line(crossing: Crossing) -> None:
    found = line(crossing, "OpenVE-Edit (5B)")
    assert found["openve-gemini (quoted)"] == [("2.36", "")]
    assert found["openve-seed (quoted)"] == [("2.72", "")]
    assert sum(map(len, found.values())) == 2


def test_no_model_of_one_board_alone_has_a_line(crossing: Crossing) -> None:
    assert all(sum(map(bool, each.cells)) > 1 for each in crossing.lines)
    assert "VINCIE-NExT (3B)" in {each.model for each in crossing.lines}
    assert "Vidu S2-Editing" not in {each.model for each in crossing.lines}


def test_a_board_knows_which_of_its_models_are_printed_elsewhere(boards: list[Board]) -> None:
    found = {each["model"]: each["on"] for each in report.printed_elsewhere(boards[0], QUOTED)}
    assert found.keys() == set(PRESETS)
    assert found["kiwi-sparkle"] == [
        {"board": "authors-openve", "overall": "3.29", "differs": ""},
        {"board": "authors-sparkle", "overall": "3.81", "differs": ""},
    ]
    assert found["wan-vace"][-1] == {"board": "vidu-s2", "overall": "2.18", "differs": "1.3B; ours is 14B"}
    assert report.printed_elsewhere(boards[0], ()) == []


# -- why they differ ---------------------------------------------------------------------------------------------------


def told(found: Pairing) -> dict[str, tuple[str, str]]:
    return {each.name: (each.one, each.other) for each in found.differing}


def test_two_boards_of_ours_differ_in_their_judges_and_in_nothing_else(boards: list[Board], crossing: Crossing) -> None:
    found = pair(crossing, *(f"sparkle, {key}" for key in KEYS))
    models = tuple(board.judge["identity"]["model"] for board in boards)
    assert told(found)["judge model"] == models
    assert told(found).keys() <= {"judge model", "judge's software"}
    assert len(found.shared) == 6


IDENTITIES: dict[str, tuple[str, Any, str]] = {
    "prompt": ("prompt", "ab" * 32, "prompt"),
    "frames": ("sampling", {"frames": 4}, "clips"),
    "media": ("media", "mp4", "clips"),
    "protocol": ("protocol", "authors", "protocol"),
    "decoding": ("decoding", {"temperature": 1.0}, "decoding"),
}


@pytest.mark.parametrize(("field", "value", "name"), IDENTITIES.values(), ids=IDENTITIES)
def test_what_differs_in_the_judges_settings_is_told(boards: list[Board], field: str, value: Any, name: str) -> None:
    one, other = boards
    identity = {**one.judge["identity"], field: "before" if isinstance(value, str) else {"x": 1}}
    first = replace(one, judge={**one.judge, "identity": identity})
    second = replace(other, judge={**other.judge, "identity": {**identity, field: value}})
    assert name in told(pair(crossed([first, second], []), *(f"sparkle, {key}" for key in KEYS)))


def test_what_is_not_known_of_a_quoted_board_is_said_to_be_unknown(crossing: Crossing) -> None:
    found = pair(crossing, f"sparkle, {KEYS[0]}", "authors-sparkle (quoted)")
    assert {"prompt", "repeats", "videos", "benchmark version"} <= set(found.unknown)
    assert told(found)["judge model"][1] == "gemini-2.5-pro"
    nameless = crossed([], [replace(QUOTED[4], judge="not named"), QUOTED[1]])
    assert all("judge model" not in told(each) for each in nameless.pairings)


def test_two_benchmarks_share_models_and_are_no_comparison_of_judges(crossing: Crossing) -> None:
    found = pair(crossing, "authors-openve (quoted)", "authors-sparkle (quoted)")
    assert told(found)["benchmark"] == ("openve", "sparkle")
    assert found not in crossing.judges


def test_a_note_of_one_board_is_a_difference(boards: list[Board]) -> None:
    quoted = replace(QUOTED[4], rows=(replace(QUOTED[4].rows[0], model="kiwi-edit", akin=None, differs=""),))
    found = pair(crossed(boards, [quoted]), f"sparkle, {KEYS[0]}", "vidu-s2 (quoted)")
    assert told(found)["note"] == ("–", "every system also got a reference image")


# -- judges ------------------------------------------------------------------------------------------------------------


def test_judges_are_compared_over_the_models_that_both_rank(boards: list[Board], crossing: Crossing) -> None:
    found = pair(crossing, *(f"sparkle, {key}" for key in KEYS))
    one, other = ({r.entry.model: r.entry.summary.overall.low for r in b.rows if r.rank} for b in boards)
    wanted = stats.rank_agreement(one, other)
    assert wanted is not None and found.agreement == wanted
    row = next(row for row in Read(report.index(boards)).rows if len(row) == 9 and row[2] == "6")
    assert row[3] == f"{wanted.kendall:.2f}"
    assert row[5] == f"{wanted.spearman:.2f}"


def a_quoted(name: str, *overall: float) -> Quoted:
    rows = [
        Quotation(
            name=f"m{number}", parameters="", model=None, akin=None, differs="", figures={"overall": f"{value:.2f}"},
            source="s", link=None, date="2026", note="",
        )
        for number, value in enumerate(overall)
    ]  # fmt: skip
    return Quoted(
        name=name, benchmark="b", scope="s", lowest=1, highest=5, judge=name, dimensions=(), rows=tuple(rows)
    )  # fmt: skip


FEW: dict[str, tuple[tuple[float, ...], tuple[float, ...], str]] = {
    "two models": ((1, 2), (2, 1), "too few models"),
    "three models": ((1, 2, 3), (1, 2, 3), "with 3 models p cannot be below 0.33"),
    "five models": ((1, 2, 3, 4, 5), (5, 1, 2, 3, 4), "with 5 models p cannot be below 0.017"),
    "all alike": ((2, 2, 2), (1, 2, 3), "the same number"),
    "seven models": ((1, 2, 3, 4, 5, 2.5, 3.5), (1, 2, 3, 4, 5, 2.5, 3.5), "–"),
}


@pytest.mark.parametrize(("one", "other", "said"), FEW.values(), ids=FEW)
def test_how_little_few_models_tell_is_said(one: tuple[float, ...], other: tuple[float, ...], said: str) -> None:
    row = next(row for row in Read(report.index([], [a_quoted("x", *one), a_quoted("y", *other)])).rows if len(row) == 9
               and row[0] == "x (quoted)")  # fmt: skip
    assert said in row[8]
    assert (row[3] == "–") == (said in ("too few models", "the same number"))


def test_the_largest_moves_are_named_first() -> None:
    found = crossed([], [a_quoted("x", 5, 4, 3, 2, 1), a_quoted("y", 1, 4, 3, 2, 5)]).pairings[0]
    assert [(move.model, move.one, move.other) for move in found.moves] == [("m0", 1, 5), ("m4", 5, 1)]


NO_VLM = "It marks by rules and compares with no other board."


def without_a_vlm(board: Board) -> Board:
    identity = {**board.judge["identity"], "judge": "signals", "model": "signals-no-vlm"}
    return replace(board, judge={**board.judge, "identity": identity, "notes": [NO_VLM]})


def test_a_judge_that_is_no_vlm_is_compared_with_no_other(boards: list[Board]) -> None:
    one, other = f"sparkle, {KEYS[0]}", f"sparkle, {KEYS[1]}"
    found = crossed([without_a_vlm(boards[0]), boards[1]], QUOTED)
    assert not [each for each in found.judges if one in (each.one.title, each.other.title)]
    assert [each for each in found.judges if other in (each.one.title, each.other.title)]
    data = json.loads(report.index_json([without_a_vlm(boards[0]), boards[1]], QUOTED))
    (said,) = (each for each in data["pairs"] if (each["one"], each["other"]) == (one, other))
    assert (said["same_benchmark"], said["comparable"], said["agreement"], said["moves"]) == (True, False, None, [])
    for made in FORMATS:
        assert "tau-b" not in made([without_a_vlm(boards[0]), boards[1]])
        assert "tau-b" in made(boards)


def test_what_a_judge_says_of_itself_stands_with_its_board_and_among_the_differences(boards: list[Board]) -> None:
    noted = [without_a_vlm(boards[0]), boards[1]]
    assert told(pair(crossed(noted, []), *(f"sparkle, {key}" for key in KEYS)))["note"] == (NO_VLM, "–")
    row = next(row for row in Read(report.index(noted)).rows if row[0].startswith(KEYS[0]))
    assert row[0].endswith(NO_VLM)
    row_said = next(text for text in report.index_markdown(noted).splitlines() if text.startswith(f"| [{KEYS[0]}"))
    assert NO_VLM in row_said.replace("\\", "").split(" | ")[0]
    assert json.loads(report.index_json(noted))["boards"][0]["notes"] == [NO_VLM]


# -- formats -----------------------------------------------------------------------------------------------------------


def test_json_has_what_the_page_shows(boards: list[Board], crossing: Crossing) -> None:
    data = json.loads(report.index_json(boards, QUOTED))
    assert [board["judge"] for board in data["boards"]] == list(KEYS)
    assert [board["name"] for board in data["quoted"]] == [board.name for board in QUOTED]
    assert [each["model"] for each in data["models"]] == [each.model for each in crossing.lines]
    assert len(data["pairs"]) == len(crossing.pairings)


def test_tables_of_the_markdown_are_whole(boards: list[Board]) -> None:
    lines = report.index_markdown(boards, QUOTED).splitlines()
    heads = [number for number, text in enumerate(lines) if re.fullmatch(r"\|[-:|]+\|", text)]
    assert len(heads) == 3 + len(QUOTED)
    for number in heads:
        cells = {re.sub(r"\\.", "", text).count("|") for text in lines[number - 1 : number + 3]}
        assert len(cells) == 1
        assert lines[number - 2] == ""


def test_the_same_boards_give_the_same_bytes(boards: list[Board]) -> None:
    for made in (*FORMATS, report.index_json):
        assert made(boards, QUOTED) == made(list(boards), tuple(QUOTED))


HOSTILE: dict[str, str] = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onload="alert(1)" x=\'',
    "end of a style": "</style></title><img src=x onerror=alert(1)>",
    "template": "{{ 7 * 7 }} {% raw %}",
    "table": "a|b||c",
    "picture": "![a](http://127.0.0.1/b.png)",
    "mathematics": "$a_{b}$ `x`",
    "link": "javascript:alert(1)",
}


def hostile(boards: list[Board], text: str) -> tuple[list[Board], list[Quoted]]:
    """Boards on which everything that is free text is `text`."""
    first = boards[0]
    rows = tuple(replace(row, entry=replace(row.entry, model=f"{text}{n}")) for n, row in enumerate(first.rows))
    judge = {"key": text, "identity": {"model": text, "server": {text: text}, "decoding": [text]}, "notes": [text]}
    ours = [
        replace(first, benchmark=text, judge_key=f"{text}{number}", rows=rows, judge=judge, version=first.version)
        for number in range(2)
    ]
    told = Quotation(
        name=text, parameters=text, model=None, akin="a", differs=text, figures={"overall": "2.00"}, source=text,
        link="https://example.org/", date="2026", note=text,
    )  # fmt: skip
    one = Quoted(
        name=text, benchmark=text, scope=text, lowest=1, highest=5, judge=text, dimensions=("a_b",), rows=(told,)
    )
    return ours, [one, replace(one, name=f"{text}x")]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_only_text_on_the_index(boards: list[Board], text: str) -> None:
    tame, wild = (Read(report.index(*hostile(boards, each))) for each in ("tame", text))
    assert wild.tags == tame.tags
    assert "".join(wild.text).count(text) == "".join(tame.text).count("tame") > 30
    assert not [link for link in wild.links if not link.startswith(("#", "https://example.org/"))
                and link != "data:,"  # no icon
                and not link.endswith("/index.html")]  # fmt: skip
    assert not [link for link in wild.links if link.startswith("javascript:")]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_in_its_cell_in_the_markdown(boards: list[Board], text: str) -> None:
    tame, wild = (report.index_markdown(*hostile(boards, each)).splitlines() for each in ("tame", text))
    assert len(wild) == len(tame)
    for one, other in zip(wild, tame, strict=True):
        bare, tame_bare = (re.sub(r"\\[!-/:-@\[-`{-~]|\(<[^<>]*>\)", "", each) for each in (one, other))
        for special in "|`<*_[]$":
            assert bare.count(special) == tame_bare.count(special), (special, one)


def test_the_page_takes_its_own_style_and_no_other(boards: list[Board]) -> None:
    text = report.index(boards, QUOTED)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    policy = re.findall(r'Content-Security-Policy" content="(.*?)"', text)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy.replace("&#39;", "'")
    assert "unsafe" not in policy
    assert policy.startswith("default-src")
    assert "<script" not in text
    assert " style=" not in text


# -- in a browser ------------------------------------------------------------------------------------------------------

LOOKS = {
    "desktop, light": page.Options(bypass_policy=True),
    "desktop, dark": page.Options(scheme="dark", bypass_policy=True),
    "phone, light": page.Options(width=360, height=740, bypass_policy=True),
    "phone, dark": page.Options(width=360, height=740, scheme="dark", bypass_policy=True),
}


@pytest.mark.browser
def test_the_index_in_chromium(tmp_path: Path, boards: list[Board]) -> None:
    (tmp_path / "index.html").write_bytes(report.index(boards, QUOTED).encode())
    with page.chromium() as browser:
        with page.opened(browser, page.address(tmp_path)) as seen:
            seen.expect_clean()
            assert seen.requests == [page.address(tmp_path)]
            assert seen.page.evaluate("getComputedStyle(document.querySelector('.wide')).overflowX") == "auto"
        for options in LOOKS.values():
            with page.opened(browser, page.address(tmp_path), options) as seen:
                seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
                assert page.narrow(seen)
                assert page.violations(seen) == []


@pytest.mark.browser
def test_hostile_text_runs_nothing_in_chromium(tmp_path: Path, boards: list[Board]) -> None:
    (tmp_path / "index.html").write_bytes(report.index(*hostile(boards, "".join(HOSTILE.values()))).encode())
    with page.chromium() as browser, page.opened(browser, page.address(tmp_path), page.PHONE) as seen:
        seen.expect_clean()
        assert page.narrow(seen)
