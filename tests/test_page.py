"""The board's page, driven in a real Chromium as a reader does: by mouse, by keyboard, by address, on a phone."""

from __future__ import annotations

import csv
import itertools
import json
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from sparkle_bench import plots
from sparkle_bench.leaderboard import rebuild
from sparkle_bench.report.assets import scripts, styles
from sparkle_bench.store import Store
from tests import page
from tests.made_results import Made, write
from tests.page import DESKTOP, PHONE, Options, Seen

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = pytest.mark.browser

Open = Callable[..., AbstractContextManager[Seen]]
MADE = Made(models=16, samples=60, repeats=2, gappy=6, partial=8)
HOSTILE = Made(models=14, samples=60, repeats=2, hostile=True, gappy=5, partial=6)
VIEWS = {"board": "#/", "compare": "#/compare?pick={0},{1}", "model": "#/model/{0}", "figures": "#/figures"}
each_view = pytest.mark.parametrize("view", VIEWS)
SCHEMES = {
    f"{name}-{width}": Options(width=width, height=height, scheme=name, bypass_policy=True)
    for name in ("light", "dark")
    for width, height in ((1280, 900), (360, 740))
}


def made(root: Path, of: Made) -> Path:
    """Write results and their board, and return the board's folder."""
    write(root, of)
    store = Store(root=root)
    [board] = rebuild(store)
    return store.board_dir(board.benchmark, board.judge_key)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Path:
    """A board's folder; made only where there is a browser to look at it."""
    return made(tmp_path_factory.mktemp("page"), MADE)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Path:
    return made(tmp_path_factory.mktemp("hostile"), HOSTILE)


@pytest.fixture
def show(browser: Browser, folder: Path) -> Open:
    """A way to open the page from disk at a route."""

    def at(route: str = "#/", options: Options = DESKTOP) -> AbstractContextManager[Seen]:
        return page.opened(browser, page.address(folder, route), options)

    return at


def board_data(folder: Path) -> dict[str, Any]:
    """Read what the page reads."""
    text = (folder / "page" / "data.js").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text.removeprefix("sparkle.board(").removesuffix(");\n"))
    return found


def rows_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    return found


def route(view: str, folder: Path) -> str:
    names = [quote(row["model"], safe="") for row in rows_of(folder)]
    return VIEWS[view].format(*names)


def models_of(seen: Seen) -> list[str]:
    """All models of the board, in its order."""
    return list(seen.page.evaluate("sparkle.data.models.map(row => row.model)"))


def models(seen: Seen) -> list[str]:
    """The models in the table, from top to bottom."""
    return [text.strip() for text in seen.page.locator("table.board .row-link").all_inner_texts()]


def column(seen: Seen, label: str) -> list[str]:
    """The texts under a head, from top to bottom."""
    return list(
        seen.page.evaluate(
            """label => {
              const heads = [...document.querySelectorAll('table.board thead th')].map(th => th.innerText.trim());
              const at = heads.indexOf(label);
              return [...document.querySelectorAll('table.board tbody tr:not(.part)')].map(
                tr => (tr.children[at].querySelector('.value') ?? tr.children[at]).textContent.trim());
            }""",
            label,
        )
    )


def heads(seen: Seen) -> list[str]:
    return [" ".join(text.split()) for text in seen.page.locator("table.board thead th").all_inner_texts()]


def head(seen: Seen, label: str) -> Locator:
    return seen.page.locator("table.board").get_by_role("columnheader", name=label, exact=True)


def arrive(seen: Seen, view: str) -> None:
    """Wait until a link that was followed has led to its view."""
    seen.page.wait_for_selector(f"#view[data-view='{view}']", state="attached")


def sort_by(seen: Seen, label: str) -> None:
    head(seen, label).get_by_role("button").click()


def low(text: str) -> float:
    """The number of a cell, or the middle of its bounds."""
    numbers = [float(number) for number in text.split("–")]
    return sum(numbers) / len(numbers)


# -- it opens --------------------------------------------------------------------------------------------------------


@each_view
@pytest.mark.parametrize("over", ["disk", "http"])
def test_a_view_opens_from_disk_and_from_a_server_without_a_fault(
    browser: Browser, folder: Path, view: str, over: str
) -> None:
    with page.served(folder) as server:
        url = page.address(folder) if over == "disk" else f"{server}index.html"
        with page.opened(browser, url + route(view, folder)) as seen:
            assert seen.page.locator("h1").count() == 1
            assert seen.page.locator("main h2:visible").count() >= 1
            if view == "figures":
                pictures = seen.page.locator("figure img")
                shown = [str(picture.get_attribute("src")) for picture in pictures.all()]
                assert sorted(shown) == sorted(f"figures/{name}.svg" for name in plots.NAMES)
                for number in range(pictures.count()):
                    pictures.nth(number).scroll_into_view_if_needed()
                seen.until("[...document.querySelectorAll('figure img')].every(i => i.naturalWidth > 0)")
            seen.expect_clean()


def test_no_file_but_the_page_s_own_is_asked_for(show: Open, folder: Path) -> None:
    with show() as seen:
        names = {request.rpartition("/sparkle/")[2].split("/", 1)[1] for request in seen.requests}
    assert names == {"index.html", *scripts(), *styles()}


def test_over_a_server_no_request_fails(browser: Browser, folder: Path) -> None:
    """Not by `page.opened`: a browser whose requests are looked through does not ask for an icon."""
    failed: list[str] = []
    root = folder.parent.parent
    context = browser.new_context()
    try:
        with page.served(root, failed) as server:
            tab = context.new_page()
            for there in ("", folder.relative_to(root).as_posix() + "/"):
                tab.goto(f"{server}{there}index.html")
                for view in VIEWS if there else ():
                    tab.evaluate("hash => { location.hash = hash; }", route(view, folder))
                    tab.wait_for_load_state("networkidle")
                tab.wait_for_timeout(500)
    finally:
        context.close()
    assert failed == []


def test_a_picture_comes_from_the_folder_alone(folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    [policy] = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
    assert "img-src 'self' file: data:;" in policy
    assert "unsafe" not in policy


def test_the_table_can_be_read_without_scripts(show: Open, folder: Path) -> None:
    with show("", Options(scripts=False)) as seen:
        text = seen.page.locator("table.board").inner_text()
        for row in rows_of(folder):
            assert row["model"] in text
            if row["rank"] is not None:
                assert f"{row['overall']:.2f}" in text
        assert not seen.page.locator("#colours").is_visible()
        assert seen.page.locator("a[href='leaderboard.csv']").is_visible()
        seen.expect_clean()


def test_an_address_that_leads_nowhere_says_so_and_leads_back(show: Open) -> None:
    for wrong in ("#/nowhere", "#/model/nobody", "#/model", "#/model/__proto__"):
        with show(wrong) as seen:
            assert "nothing at this address" in seen.page.locator("#view").inner_text()
            seen.page.get_by_role("link", name="To the board").click()
            arrive(seen, "board")
            assert len(models(seen)) == MADE.models
            seen.expect_clean()


def test_a_hash_that_is_no_route_is_the_board(show: Open) -> None:
    for odd in ("", "#", "#main", "#/?sort=%E0%A4%A", "#/board?cols=&pick=nobody,,%25&size=x&theme=nowhere"):
        with show(odd) as seen:
            assert seen.page.locator("#view").get_attribute("data-view") == "board"
            seen.expect_clean()


@pytest.mark.parametrize("of", [Made(models=1, samples=4, repeats=1), Made(models=2, samples=1, repeats=1)], ids=repr)
def test_a_tiny_board_is_shown_too(browser: Browser, tmp_path: Path, of: Made) -> None:
    folder = made(tmp_path, of)
    with page.opened(browser, page.address(folder)) as seen:
        for there in ("#/", "#/model/identity", "#/compare?pick=identity", "#/figures"):
            seen.go(there)
            assert "NaN" not in seen.page.locator("#view").inner_text()
            assert "undefined" not in seen.page.locator("#view").inner_text()
        seen.expect_clean()


# -- the numbers -----------------------------------------------------------------------------------------------------

MEANS = """
filter => Object.fromEntries(sparkle.data.models.map(row => {
  const found = sparkle.marks(row.model).mean(filter);
  const ends = one => [one.low, one.high];
  return [row.model, {overall: ends(found.overall), uncapped: ends(found.uncapped), n: found.n, of: found.of,
    no_edit: found.no_edit, no_verdict: found.no_verdict, not_attempted: found.not_attempted,
    cap_bound: found.cap_bound, scored_overall: found.scored_overall,
    ...Object.fromEntries([...found.dimensions].map(([key, one]) => [key, ends(one)])),
    raw: Object.fromEntries([...found.raw].map(([key, one]) => [key, ends(one)]))}];
}))
"""


def test_the_page_computes_from_the_marks_what_the_board_says(show: Open, folder: Path) -> None:
    said = board_data(folder)
    keys = [dimension["key"] for dimension in said["rubric"]["dimensions"]]
    with show() as seen:
        whole = seen.page.evaluate(MEANS, {})
        themes = {theme: seen.page.evaluate(MEANS, {"theme": theme}) for theme in said["themes"]}
        subthemes = {
            (theme, name): seen.page.evaluate(MEANS, {"theme": theme, "subtheme": name})
            for theme, name in said["subthemes"]
        }
    assert {"no_edit", "no_verdict", "not_attempted"} <= {  # all kinds of gap are there to be counted
        kind for row in said["models"] for kind in ("no_edit", "no_verdict", "not_attempted") if row[kind]
    }
    for row in said["models"]:
        found = whole[row["model"]]
        for name in ("overall", *keys):
            assert found[name] == pytest.approx(row["bounds"][name], abs=6e-5), (row["model"], name)
        assert found["uncapped"] == pytest.approx(row["uncapped"], abs=6e-5)
        for key in keys:
            assert found["raw"][key] == pytest.approx(row["raw"][key], abs=6e-5)
        for name in ("n", "of", "no_edit", "no_verdict", "not_attempted"):
            assert found[name] == row[name], (row["model"], name)
        for name in ("cap_bound", "scored_overall"):
            assert found[name] == pytest.approx(row[name], abs=6e-5)
        for theme, each in themes.items():
            assert each[row["model"]]["overall"] == pytest.approx(row["bounds"][theme], abs=6e-5)
        for one in row["subthemes"]:
            part = subthemes[one["theme"], one["subtheme"]][row["model"]]
            assert part["overall"] == pytest.approx(one["bounds"], abs=6e-5)
            assert part["of"] == one["samples"]


def test_the_table_shows_the_board_s_numbers_and_intervals(show: Open, folder: Path) -> None:
    rows = rows_of(folder)
    with show() as seen:
        assert models(seen) == [row["model"] for row in rows]
        overall, ranks = column(seen, "Overall"), column(seen, "Rank")
        widths = seen.page.locator("td.overall").all_inner_texts()
    for row, shown, rank, text in zip(rows, overall, ranks, widths, strict=True):
        assert rank == ("–" if row["rank"] is None else str(row["rank"]))
        bounds = row["bounds"]["overall"]
        assert low(shown) == pytest.approx(sum(bounds) / 2, abs=0.0051)
        assert ("–" in shown) == (row["overall"] is None)
        if row["intervals"]:
            lowest, highest = row["intervals"]["overall"]
            even = abs((highest - row["overall"]) - (row["overall"] - lowest)) < 0.004
            cut = f"[{lowest:.2f}, {highest:.2f}]"
            assert (f"±{(highest - lowest) / 2:.2f}" if even else cut) in text


@pytest.mark.parametrize("value", [3.125, 3.375, 3.625, 3.875, 2.675, 1.005, 4, 0.125, -0.125, -3.375, 3.12500001])
def test_a_mean_is_rounded_as_in_the_board_s_other_files(show: Open, value: float) -> None:
    with show() as seen:
        assert seen.page.evaluate("value => sparkle.format.number(value)", value) == f"{value:.2f}"


# -- sorting, searching, filters -------------------------------------------------------------------------------------


def test_every_column_sorts_both_ways_and_says_so(show: Open) -> None:
    with show() as seen:
        for label in heads(seen):
            orders = []
            for _ in range(2):
                sort_by(seen, label)
                orders.append(str(head(seen, label).get_attribute("aria-sort")))
                assert seen.page.locator("th[aria-sort]").count() == 1
                assert head(seen, label).get_by_role("button").evaluate("node => node === document.activeElement")
            assert sorted(orders) == ["ascending", "descending"], label
        seen.expect_clean()


def test_sorting_orders_the_numbers_and_keeps_ranked_and_unranked_rows_apart(show: Open, folder: Path) -> None:
    unranked = {row["model"] for row in rows_of(folder) if row["rank"] is None}
    tracks = {row["model"]: row["track"] for row in rows_of(folder)}
    assert unranked
    with show() as seen:
        sort_by(seen, "Overall")
        names, shown = models(seen), [low(text) for text in column(seen, "Overall")]
    parts = ["below" if name in unranked else tracks[name] for name in names]
    assert len(dict.fromkeys(parts)) == sum(one != other for one, other in zip(parts, [None, *parts], strict=False))
    assert parts[-1] == "below"
    for part in dict.fromkeys(parts):
        numbers = [number for number, of in zip(shown, parts, strict=True) if of == part]
        assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_head_sorts_by_keyboard(show: Open, key: str) -> None:
    with show() as seen:
        seen.page.locator("thead button[data-key='model']").focus()
        seen.page.keyboard.press(key)
        assert head(seen, "Model").get_attribute("aria-sort") == "ascending"
        seen.page.keyboard.press(key)
        assert head(seen, "Model").get_attribute("aria-sort") == "descending"


def test_a_slash_goes_to_the_search_and_searching_narrows_the_table(show: Open, folder: Path) -> None:
    with show() as seen:
        seen.page.keyboard.press("/")
        seen.page.keyboard.type("BASALT")
        assert models(seen) == [row["model"] for row in rows_of(folder) if "basalt" in row["model"].lower()]
        assert seen.page.get_by_role("status").inner_text() == f"{len(models(seen))} of {MADE.models} models"
        seen.page.keyboard.type(" nowhere")
        assert "No model fits" in seen.page.locator("#view").inner_text()
        seen.page.get_by_role("button", name="Clear filters").click()
        assert len(models(seen)) == MADE.models


FILTERS: dict[str, tuple[str, str, Callable[[dict[str, Any]], bool]]] = {
    "open weights": ("#open", "open", lambda row: row["weights"] == "open"),
    "weights not declared": ("#open", "unknown", lambda row: row["weights"] == "unknown"),
    "size": ("#size", "2-8", lambda row: row["parameters"] is not None and 2e9 <= row["parameters"] < 8e9),
    "large": ("#size", "20-", lambda row: row["parameters"] is not None and row["parameters"] >= 20e9),
    "size not declared": ("#size", "unknown", lambda row: not row["parameters"]),
    "track": ("#track", "instruction", lambda row: row["track"] == "instruction"),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_keeps_the_models_that_fit(show: Open, folder: Path, name: str) -> None:
    control, value, fits = FILTERS[name]
    with show() as seen:
        seen.page.select_option(control, value)
        assert models(seen) == [row["model"] for row in rows_of(folder) if fits(row)]
        seen.expect_clean()


def test_narrowed_to_a_theme_the_numbers_are_those_of_its_samples_and_the_page_says_so(
    show: Open, folder: Path
) -> None:
    rows = rows_of(folder)
    with show() as seen:
        assert "alone" not in seen.page.locator("#view").inner_text()
        seen.page.select_option("#theme", "time")
        shown = column(seen, "Overall")
        assert [low(text) for text in shown] == pytest.approx(
            [sum(row["bounds"]["time"]) / 2 for row in rows], abs=0.0051
        )
        note = seen.page.locator("#view .note").inner_text()
        assert "of time alone" in note
        assert "hold for the whole board only" in note
        assert "location" not in heads(seen)
        samples = [sample for sample in board_data(folder)["samples"] if sample["theme"] == "time"]
        assert f"{len(samples)} samples" in note
        assert column(seen, "n of N")[0].endswith(f"of {len(samples)}")
        names = seen.page.locator("#subtheme option").all_inner_texts()
        assert names == ["any", *dict.fromkeys(s for theme, s in board_data(folder)["subthemes"] if theme == "time")]
        seen.page.select_option("#subtheme", names[1])
        found = [next(one for one in row["subthemes"] if one["subtheme"] == names[1])["bounds"] for row in rows]
        assert [low(text) for text in column(seen, "Overall")] == pytest.approx(
            [sum(ends) / 2 for ends in found], abs=0.0051
        )
        seen.page.select_option("#theme", "season")
        assert seen.page.locator("#subtheme").input_value() == ""
        seen.expect_clean()


# -- columns, picking, downloads -------------------------------------------------------------------------------------


def test_columns_can_be_picked_and_put_back(show: Open) -> None:
    with show() as seen:
        usual = heads(seen)
        seen.page.get_by_text("Columns", exact=True).click()
        menu = seen.page.locator("#columns")
        menu.get_by_label("Group", exact=True).uncheck()
        menu.get_by_label("Cap bound", exact=True).check()
        menu.get_by_label("Foreground Integrity (raw)", exact=True).check()
        menu.get_by_label("time: dawn", exact=True).check()
        shown = heads(seen)
        assert "Group" not in shown
        assert {"Cap bound", "Foreground Integrity (raw)", "time: dawn", "Model"} <= set(shown)
        before = seen.page.locator("tbody .pm").count()
        menu.get_by_label("± in every column").check()
        assert seen.page.locator("tbody .pm").count() > before
        menu.get_by_role("button", name="As at first").click()
        assert heads(seen) == usual
        seen.page.keyboard.press("Escape")
        assert not menu.get_by_label("Group", exact=True).is_visible()
        seen.expect_clean()


def test_every_column_there_is_can_be_shown_at_once(show: Open) -> None:
    with show() as seen:
        keys = seen.page.evaluate("sparkle.columns.all().map(column => column.key)")
        seen.go("#/?" + "cols=" + ",".join(quote(quote(key, safe=""), safe="") for key in keys))
        seen.until("n => document.querySelectorAll('table.board thead th').length === n", len(keys))
        for theme in ("", "time"):
            seen.page.select_option("#theme", theme)
            assert "undefined" not in seen.page.locator("table.board").inner_text()
            assert not re.search(r"\bNaN\b", seen.page.locator("table.board").inner_text())
        seen.expect_clean()


def test_up_to_four_models_are_picked_and_compared(show: Open, folder: Path) -> None:
    rows = [row for row in rows_of(folder) if row["rank"] is not None and row["track"] == "instruction"]
    names = [row["model"] for row in rows[:5]]
    with show() as seen:
        for name in names[:4]:
            seen.page.get_by_label(f"Pick {name} to compare", exact=True).check()
        assert seen.page.get_by_label(f"Pick {names[4]} to compare", exact=True).is_disabled()
        seen.page.get_by_role("button", name=f"{names[3]} take out").click()
        assert seen.page.get_by_label(f"Pick {names[4]} to compare", exact=True).is_enabled()
        seen.page.get_by_role("link", name="Compare", exact=True).and_(seen.page.locator(".button")).click()
        arrive(seen, "compare")
        assert seen.page.evaluate("document.activeElement.textContent") == "Compare"
        text = seen.page.locator("#view").inner_text()
        for row in rows[:3]:
            assert f"{row['overall']:.2f}" in text
            assert [one["mean"] for one in row["subthemes"] if f"{one['mean']:.2f}" not in text] == []
        with (folder / "pairs.csv").open(encoding="utf-8") as file:
            pairs = {frozenset((one["model"], one["other"])): one for one in csv.DictReader(file)}
        told = seen.page.locator("section[aria-labelledby=apart] tbody tr").all_inner_texts()
        wanted = [pairs[frozenset(pair)] for pair in ((names[0], names[1]), (names[0], names[2]), (names[1], names[2]))]
        for line, one in zip(told, wanted, strict=True):
            assert f"{abs(float(one['difference'])):.2f}" in line
            assert ("not told apart" in line) == (one["apart"] == "False")
        seen.page.get_by_role("button", name=f"Take out {names[0]}").click()
        seen.page.select_option("#add", names[4])
        picked = [names[1], names[2], names[4]]
        assert seen.page.locator(".picked a").all_inner_texts() == picked
        assert seen.hash.endswith(f"pick={','.join(picked)}")
        seen.page.go_back()
        seen.until("document.querySelectorAll('.picked a').length === 2")
        seen.expect_clean()


def test_told_apart_is_said_the_right_way_round(show: Open, folder: Path) -> None:
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        apart = next(one for one in csv.DictReader(file) if one["apart"] == "True" and float(one["difference"]) > 0)
    for order in ((apart["model"], apart["other"]), (apart["other"], apart["model"])):
        with show(f"#/compare?pick={','.join(order)}") as seen:
            line = seen.page.locator("section[aria-labelledby=apart] tbody tr").inner_text()
            assert f"{apart['model']} is better beyond chance" in line
            sign = "+" if order[0] == apart["model"] else "−"
            assert f"{sign}{float(apart['difference']):.2f}" in line


def test_the_table_is_downloaded_as_it_is_shown(show: Open, folder: Path) -> None:
    with show("#/?q=b&sort=model&cols=rank,overall,time,license") as seen:
        seen.page.get_by_text("Download", exact=True).click()
        with seen.page.expect_download() as waiting:
            seen.page.get_by_role("button", name="This table as shown").click()
        text = Path(waiting.value.path()).read_text(encoding="utf-8")
        names = models(seen)
        links = [str(link.get_attribute("href")) for link in seen.page.locator("#downloads a").all()]
        seen.expect_clean()
    lines = list(csv.DictReader(text.splitlines()))
    assert [line["model"] for line in lines] == names
    intervals = [f"{name}{end}" for name in ("overall", "time") for end in ("", "_low", "_high")]
    assert list(lines[0]) == ["rank", "model", *intervals, "license"]
    rows = {row["model"]: row for row in rows_of(folder)}
    for line in lines:
        row = rows[line["model"]]
        assert line["overall"] == ("" if row["overall"] is None else f"{row['overall']:.4f}".rstrip("0").rstrip("."))
        assert line["license"] == (row["license"] or "")
    assert {"leaderboard.csv", "leaderboard.json", "leaderboard.md", "subthemes.csv", "pairs.csv"} <= set(links)
    assert [link for link in links if not (folder / link).is_file()] == []


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd()", "'=cmd()"),
        ("-1", "-1"),
        ("+0.25", "+0.25"),
        ("-0.02 to +0.1", "'-0.02 to +0.1"),
        ("-1+2", "'-1+2"),
        ("+1e5", "'+1e5"),
        ("-A1", "'-A1"),
        ("@SUM", "'@SUM"),
        ("\t=1", "'=1"),
        ('a "b", c', '"a ""b"", c"'),
        ("two\nlines", "two lines"),
        (1.23456789, "1.2346"),
        (-0.5, "-0.5"),
        (None, ""),
    ],
)
def test_no_downloaded_cell_is_a_formula(show: Open, value: object, cell: str) -> None:
    with show() as seen:
        assert seen.page.evaluate("value => sparkle.table.quotedCell(value)", value) == cell


TABLES = {"board": 2, "compare": 3, "model": 3, "samples": 1}
"""Least number of tables of a view, the board's own left out: that one has a menu."""


@pytest.mark.parametrize("view", TABLES)
def test_every_table_is_downloaded_with_the_cells_that_it_shows(show: Open, folder: Path, view: str) -> None:
    there = "#/samples" if view == "samples" else route(view, folder)
    with show(there) as seen:
        boxes = seen.page.locator(".wide:visible:not(:has(> .board))")
        assert boxes.count() >= TABLES[view]
        for box in boxes.all():
            label = str(box.get_attribute("aria-label"))
            with seen.page.expect_download() as waiting:
                seen.page.get_by_role("button", name=f"Download as CSV: {label}", exact=True).click()
            assert re.fullmatch(r"sparkle-made-judge-0000-[a-z0-9-]+\.csv", waiting.value.suggested_filename)
            lines = list(csv.reader(Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()))
            assert len({len(line) for line in lines}) == 1, label
            shown = box.locator("tr").all()
            assert len(lines) == len(shown), label
            for line, row in list(zip(lines, shown, strict=True))[:12]:
                cells = row.locator("th:not(.drawing), td:not(.drawing)").all_inner_texts()
                texts = [" ".join(re.sub(r"^−(?=[\d.]+$)", "-", text).split()) for text in cells]
                told = [text for text in line if text and not text.startswith("marks ")]
                assert told == [text for text in texts if text], label
        seen.expect_clean()


def test_a_difference_is_downloaded_as_a_number(show: Open, folder: Path) -> None:
    names = [row["model"] for row in rows_of(folder) if row["rank"] is not None and row["track"] == "instruction"]
    with show(f"#/compare?pick={names[-1]},{names[0]}") as seen:
        with seen.page.expect_download() as waiting:
            seen.page.get_by_role("button", name="Download as CSV: Told apart or not").click()
        [line] = csv.DictReader(Path(waiting.value.path()).read_text(encoding="utf-8").splitlines())
    assert float(line["Difference"]) < 0


# -- colours, addresses, keyboard, phone -----------------------------------------------------------------------------


def paper(seen: Seen) -> str:
    return str(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_colours_follow_the_system_until_they_are_chosen(show: Open) -> None:
    with show("#/", Options(scheme="dark")) as seen:
        dark = paper(seen)
        seen.page.select_option("#colours", "0")
        light = paper(seen)
        assert "dark=0" in seen.hash
    assert dark != light
    with show() as seen:
        assert paper(seen) == light
        seen.page.select_option("#colours", "1")
        assert paper(seen) == dark
        seen.page.get_by_role("link", name="Figures").click()
        arrive(seen, "figures")
        assert paper(seen) == dark
        assert "dark=1" in seen.hash
        seen.page.get_by_role("link", name="Board", exact=True).click()
        arrive(seen, "board")
        seen.page.locator(".row-link").first.click()
        arrive(seen, "model")
        assert paper(seen) == dark
        seen.page.select_option("#colours", "")
        assert paper(seen) == light
        assert "dark" not in seen.hash


def test_an_address_brings_back_all_that_was_chosen(show: Open) -> None:
    with show() as seen:
        seen.page.fill("#search", "b")
        seen.page.select_option("#theme", "time")
        seen.page.select_option("#subtheme", "dawn")
        seen.page.select_option("#open", "unknown")
        seen.page.select_option("#size", "2-8")
        seen.page.select_option("#track", "instruction")
        seen.page.get_by_text("Columns", exact=True).click()
        seen.page.locator("#columns").get_by_label("License", exact=True).check()
        seen.page.locator("#columns").get_by_label("± in every column").check()
        seen.page.keyboard.press("Escape")
        sort_by(seen, "Overall")
        seen.page.locator("table.board [data-pick]").first.check()
        seen.page.select_option("#colours", "1")
        address, first = seen.page.url, state_of(seen)
        seen.expect_clean()
    assert len(first["models"]) >= 1
    with show(address.partition("index.html")[2]) as seen:
        assert state_of(seen) == first
        assert seen.page.url == address
        seen.page.reload()
        seen.wait()
        assert state_of(seen) == first


def state_of(seen: Seen) -> dict[str, Any]:
    """All that a reader sees of a board."""
    controls = "[...document.querySelectorAll('select, input')].map(one => [one.id, one.type, one.value, one.checked])"
    return {
        "models": models(seen),
        "table": seen.page.locator("table.board").inner_text(),
        "controls": seen.page.evaluate(controls),
        "paper": paper(seen),
        "picked": seen.page.locator(".chip").all_inner_texts(),
    }


def test_going_back_brings_back_the_board_as_it_was(show: Open) -> None:
    with show() as seen:
        seen.page.select_option("#theme", "style")
        sort_by(seen, "Model")
        before = state_of(seen)
        seen.page.locator(".row-link").nth(2).click()
        arrive(seen, "model")
        seen.page.go_back()
        arrive(seen, "board")
        assert state_of(seen) == before
        seen.page.get_by_role("link", name="Figures").click()
        arrive(seen, "figures")
        seen.page.get_by_role("link", name="Board", exact=True).click()
        arrive(seen, "board")
        assert state_of(seen) == before


BOX = "document.querySelector('#view > .wide')"


@pytest.mark.parametrize(("start", "link"), [("#/", ".row-link"), ("#/samples", ".samples tbody a")])
def test_going_back_and_reloading_bring_back_how_far_a_view_was_scrolled(show: Open, start: str, link: str) -> None:
    with show(start, Options(height=500)) as seen:
        seen.page.evaluate(f"scrollTo(0, 150); {BOX}.scrollTop = 320;")
        seen.until("scrollY === 150")
        before = seen.page.evaluate(f"[scrollY, {BOX}.scrollTop]")
        assert before == [150, 320]
        seen.page.evaluate("link => document.querySelectorAll(link)[6].click()", link)
        seen.until("document.querySelector('#view > .wide') === null")
        assert seen.page.evaluate("scrollY") == 0
        seen.page.go_back()
        seen.page.wait_for_selector(link)
        seen.until(f"{BOX}.scrollTop > 0")
        assert seen.page.evaluate(f"[scrollY, {BOX}.scrollTop]") == before
        seen.page.reload()
        seen.wait()
        assert seen.page.evaluate(f"[scrollY, {BOX}.scrollTop]") == before
        seen.expect_clean()


def test_a_long_table_keeps_its_heads_in_sight_and_its_place_when_it_is_sorted(show: Open) -> None:
    for width in (1280, 360):
        with show("#/", Options(width=width, height=600)) as seen:
            seen.page.evaluate(f"{BOX}.scrollIntoView()")
            seen.page.evaluate(f"{BOX}.scrollTop = 200")
            box = seen.page.locator("#view > .wide").bounding_box()
            shown = seen.page.locator("table.board thead th.model").bounding_box()
            assert box is not None and shown is not None
            assert box["height"] <= 600
            assert 0 <= shown["y"] - box["y"] < 3
            seen.page.locator("thead button[data-key='model']").evaluate("button => button.click()")
            assert seen.page.evaluate(f"{BOX}.scrollTop") == 200
            seen.expect_clean()


def test_what_is_out_of_sight_at_the_right_is_hinted_at(show: Open) -> None:
    with show() as seen:
        hint = seen.page.locator(".hint")
        assert hint.is_visible() == seen.page.evaluate(f"{BOX}.scrollWidth > {BOX}.clientWidth + 8")
        seen.page.set_viewport_size({"width": 700, "height": 800})
        hint.wait_for(state="visible")
        seen.page.evaluate(f"{BOX}.scrollLeft = 10000")
        hint.wait_for(state="hidden")
        seen.page.evaluate(f"{BOX}.scrollLeft = 0")
        hint.wait_for(state="visible")
        seen.go("#/?cols=rank,overall")
        hint.wait_for(state="hidden")
        seen.expect_clean()


def test_the_links_at_the_top_keep_what_was_ticked_and_filtered(show: Open) -> None:
    def top(name: str) -> Locator:
        return seen.page.get_by_role("navigation", name="Views").get_by_role("link", name=name, exact=True)

    with show() as seen:
        names = models(seen)[:2]
        for name in names:
            seen.page.get_by_label(f"Pick {name} to compare", exact=True).check()
        top("Compare").click()
        arrive(seen, "compare")
        assert seen.page.locator(".picked a").all_inner_texts() == names
        top("Samples").click()
        arrive(seen, "samples")
        seen.page.get_by_label("Theme", exact=True).select_option("season")
        seen.until("location.hash.includes('theme=season')")
        few = seen.page.locator(".samples tbody tr").count()
        assert 0 < few < MADE.samples
        seen.page.locator(".samples tbody a").first.click()
        arrive(seen, "sample")
        top("Board").click()
        arrive(seen, "board")
        assert seen.page.locator(".chip").count() == 2
        top("Samples").click()
        arrive(seen, "samples")
        assert seen.page.locator(".samples tbody tr").count() == few
        assert not re.search("[?&]t=", seen.hash)
        top("Figures").click()
        arrive(seen, "figures")
        assert seen.page.evaluate("document.activeElement.textContent") == "Figures"
        top("Compare").click()
        arrive(seen, "compare")
        assert seen.page.locator(".picked a").all_inner_texts() == names
        seen.expect_clean()


def test_the_page_can_be_walked_by_keyboard(show: Open) -> None:
    with show() as seen:
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.className") == "skip"
        assert seen.page.locator(".skip").bounding_box()["y"] >= 0  # type: ignore[index]
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate("document.activeElement.id") == "main"
        assert seen.hash in ("", "#/")
        names = models(seen)
        seen.page.locator(".row-link").first.focus()
        for key, name in (("ArrowDown", names[1]), ("End", names[-1]), ("ArrowUp", names[-2]), ("Home", names[0])):
            seen.page.keyboard.press(key)
            assert seen.page.evaluate("document.activeElement.textContent") == name
        outline = seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        seen.page.keyboard.press("Enter")
        arrive(seen, "model")
        assert seen.page.evaluate("document.activeElement.textContent") == names[0]
        assert seen.page.evaluate("document.activeElement.tagName") == "H2"


@each_view
def test_a_phone_needs_no_sideways_scrolling(show: Open, folder: Path, view: str) -> None:
    with show(route(view, folder), PHONE) as seen:
        assert page.narrow(seen)
        if view == "board":
            box = seen.page.locator("#view .wide")
            box.evaluate("node => { node.scrollLeft = 400; }")
            name = seen.page.locator("table.board tbody th.model").first.bounding_box()
            assert name is not None
            assert 0 <= name["x"] <= 24  # the model stays in sight
            assert not seen.page.locator("#theme").is_visible()
            seen.page.get_by_role("button", name="Filters").click()
            assert seen.page.locator("#theme").is_visible()
            for menu in ("Columns", "Download"):
                seen.page.get_by_text(menu, exact=True).click()
                assert page.narrow(seen)
                seen.page.keyboard.press("Escape")
        seen.expect_clean()


# -- a model ---------------------------------------------------------------------------------------------------------


def test_a_model_s_page_tells_its_numbers_samples_and_settings(show: Open, folder: Path) -> None:
    said = board_data(folder)
    row = next(row for row in said["models"] if row["rank"] is not None and row["declared"])
    with show(f"#/model/{row['model']}") as seen:
        text = seen.page.locator("#view").inner_text()
        assert f"{row['overall']:.2f}" in text
        assert row["command"] in text
        assert row["code_version"] in text
        for dimension in said["rubric"]["dimensions"]:
            assert dimension["label"] in text
            assert f"{row[dimension['key']]:.2f}" in text
        means = [float(one) for one in seen.page.locator("ol.extremes .value").all_inner_texts()]
        best, worst = means[: len(means) // 2], means[len(means) // 2 :]
        assert best == sorted(best, reverse=True)
        assert worst == sorted(worst)
        assert best[0] > worst[0]
        link = seen.page.locator("ol.extremes a").first
        assert link.get_attribute("href") == f"#/sample/{link.inner_text()}?models={row['model']}"
        counts = seen.page.locator(".spread").first.get_attribute("aria-label")
        assert counts is not None
        first = row["marks"][:: len(said["rubric"]["dimensions"])]
        for mark in "12345":
            assert f"{mark}: {first.count(mark)}" in counts
        seen.expect_clean()


REASONS = "[...document.querySelectorAll('td.wider')].every(cell => cell.textContent !== '…')"
"""Whether what a model's page loads has arrived."""


def test_failures_stand_with_their_reasons(show: Open, folder: Path) -> None:
    row = next(row for row in rows_of(folder) if row["no_verdict"])
    with show(f"#/model/{quote(row['model'])}") as seen:
        cells = seen.page.locator("section[aria-labelledby=failures] td.wider")
        seen.until(REASONS)
        said = " ".join(cells.all_inner_texts())
        assert "RequestFailed" in said or "VerdictError" in said
        assert f"{row['no_verdict']} no verdict" in seen.page.locator("section[aria-labelledby=failures]").inner_text()
        seen.expect_clean()


def test_what_is_printed_of_a_model_elsewhere_stands_on_its_page(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    def quote_it(said: dict[str, Any]) -> None:
        on = [{"board": "sparkle-paper", "overall": "3.21", "differs": "an older checkpoint"}]
        said["quoted"] = [{"model": said["models"][0]["model"], "on": on}]

    there = changed(folder, tmp_path, quote_it)
    with page.opened(browser, page.address(there)) as seen:
        assert seen.page.locator(".badge", has_text="quoted").count() == 1
        seen.page.locator(".row-link").first.click()
        arrive(seen, "model")
        text = seen.page.locator("section[aria-labelledby=printed-elsewhere]").inner_text()
        assert all(word in text for word in ("sparkle-paper", "3.21", "an older checkpoint"))
        second = models_of(seen)[1]
        seen.page.get_by_role("link", name="next →").click()
        seen.until("name => document.querySelector('#view h2').textContent === name", second)
        assert seen.page.locator("section[aria-labelledby=printed-elsewhere]").count() == 0
        seen.expect_clean()


# -- hostile texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_of_hostile_results_runs_or_breaks_a_view(browser: Browser, hostile: Path, options: Options) -> None:
    names = [row["model"] for row in rows_of(hostile)]
    routes = ["#/", "#/figures", *(f"#/model/{quote(name, safe='')}" for name in names)]
    routes.append("#/compare?pick=" + ",".join(quote(quote(name, safe=""), safe="") for name in names[:4]))
    keys = "rank,overall,license,machine,track,sub:style/era,made_by,code_version"
    routes.append("#/?cols=" + ",".join(quote(quote(key, safe=""), safe="") for key in keys.split(",")))
    with page.opened(browser, page.address(hostile), options) as seen:
        assert models(seen) == names
        for there in routes:
            seen.go(there)
            seen.until(REASONS)
            seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert page.narrow(seen), (there, page.too_wide(seen))
            assert seen.page.locator("#view script, #view style, #view iframe, #view object").count() == 0
            links = seen.page.evaluate("[...document.querySelectorAll('a')].map(a => a.protocol)")
            assert set(links) <= {"file:", "https:", "http:"}
        seen.expect_clean()


def changed(folder: Path, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy a page, with other data in it."""
    said = board_data(folder)
    change(said)
    shutil.copytree(folder, to, dirs_exist_ok=True)
    text = json.dumps(said).replace("<", "\\u003c")
    (to / "page" / "data.js").write_text(f"sparkle.board({text});\n", encoding="ascii")
    return to


BAD_LINKS = (
    "javascript:window.pwned=1",
    " java\tscript:window.pwned=1",
    "\u0001javascript:window.pwned=1",
    "data:text/html,<script>window.pwned=1</script>",
    "//example.invalid/x",
    "\\\\example.invalid\\x",
    "file:///etc/passwd",
    "vbscript:x",
    "https://",
)


@pytest.mark.parametrize("link", BAD_LINKS)
def test_a_declared_link_is_followed_only_to_http(show: Open, link: str) -> None:
    with show() as seen:
        made = "link => sparkle.outward(link, 'a name').outerHTML"
        assert seen.page.evaluate(made, link) == "<bdi>a name</bdi>"
        assert 'href="https://example.org/a"' in seen.page.evaluate(made, "https://example.org/a")


@pytest.mark.parametrize("link", [*BAD_LINKS, "https://example.invalid/x.js"])
def test_no_element_takes_its_content_from_elsewhere(show: Open, link: str) -> None:
    with show() as seen:
        found = seen.page.evaluate("link => sparkle.el('video', {src: link}).getAttribute('src')", link)
        assert found is None
        assert seen.page.evaluate("sparkle.el('video', {src: 'a%20b/c.mp4'}).getAttribute('src')") == "a%20b/c.mp4"


def test_data_that_nobody_checked_cannot_run_either(browser: Browser, folder: Path, tmp_path: Path) -> None:
    """As if results had been written by hand: names, labels and links that this program would not write."""
    evil = "<img src=x onerror=window.pwned=1>\u202e\u2028</script><script>window.pwned=2</script>" + "w" * 10_000

    def spoil(said: dict[str, Any]) -> None:
        for row, name in zip(said["models"], ["__proto__", "constructor", evil, "a/b?c#d,e%2F"], strict=False):
            row["model"] = name
            row["declared"] = {
                "model": {"name": evil, "link": "javascript:window.pwned=3", evil: evil},
                "__proto__": evil,
            }
            row["track"] = row["machine"] = row["license"] = row["group"] = row["command"] = evil
        said["rubric"]["dimensions"][0]["label"] = said["samples"][0]["id"] = said["samples"][1]["scene"] = evil

    there = changed(folder, tmp_path, spoil)
    with page.opened(browser, page.address(there)) as seen:
        names = seen.page.evaluate("sparkle.data.models.slice(0, 4).map(row => row.model)")
        for name in names:
            seen.page.evaluate("name => sparkle.go(['model', name])", name)
            assert seen.page.locator("#view h2").first.text_content() == name
            assert page.narrow(seen)
        seen.page.evaluate("names => sparkle.go(['compare'], {pick: sparkle.unlist(names)})", names)
        assert seen.page.locator(".picked a").all_text_contents() == names
        assert page.narrow(seen)
        seen.page.get_by_role("link", name="Board", exact=True).click()
        arrive(seen, "board")
        assert page.narrow(seen)
        assert seen.outside == []
        assert seen.dialogs == []
        assert seen.page.evaluate("window.pwned ?? null") is None


# -- for everybody ---------------------------------------------------------------------------------------------------


@each_view
@pytest.mark.parametrize("name", SCHEMES)
def test_axe_finds_nothing_serious(show: Open, folder: Path, view: str, name: str) -> None:
    with show(route(view, folder), SCHEMES[name]) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert page.violations(seen) == []


def test_axe_sees_a_fault_where_there_is_one(show: Open) -> None:
    with show("#/", SCHEMES["light-1280"]) as seen:
        seen.page.evaluate("document.querySelector('label[for=theme]').remove()")
        assert [one["id"] for one in page.violations(seen)] == ["select-name"]


def test_headings_come_in_order(show: Open, folder: Path) -> None:
    for view in VIEWS:
        with show(route(view, folder)) as seen:
            levels = seen.page.evaluate(
                "[...document.querySelectorAll('h1,h2,h3,h4')].filter(h => h.checkVisibility()).map(h => +h.tagName[1])"
            )
            assert levels[0] == 1
            assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), view
            assert seen.page.evaluate("document.title")


# -- a board of full size --------------------------------------------------------------------------------------------

FULL = Made()
MOST_NODES = 8_000
MOST_BYTES = 1_500_000
"""Of what the page reads before it shows anything."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Path:
    """50 models on 458 samples, three verdicts each."""
    return made(tmp_path_factory.mktemp("full"), FULL)


def asked_for(seen: Seen, end: str) -> list[str]:
    """What was asked for whose address ends so, without its folders."""
    return [request.rpartition("/")[2] for request in seen.requests if request.endswith(end)]


def test_a_full_board_is_opened_with_little_work(browser: Browser, full: Path) -> None:
    """Counted, not timed: how long work takes depends on the machine."""
    nodes = "document.querySelectorAll('*').length"
    assert (full / "page" / "data.js").stat().st_size < MOST_BYTES
    with page.opened(browser, page.address(full)) as seen:
        assert len(models(seen)) == FULL.models
        assert seen.page.evaluate(nodes) < MOST_NODES
        assert [one for one in seen.requests if "/details/" in one] == []
        assert asked_for(seen, ".mp4") == []
        seen.go("#/samples")
        assert seen.page.locator(".samples tbody tr").count() == FULL.samples
        assert seen.page.evaluate(nodes) < MOST_NODES
        assert [one for one in seen.requests if "/details/" in one] == []
        names = models_of(seen)[3:5]
        seen.go(f"#/sample/{board_data(full)['samples'][7]['id']}?models={','.join(names)}")
        seen.page.wait_for_selector(".panel-of-model >> nth=1")
        details = [one.rpartition("/")[2] for one in seen.requests if "/details/" in one]
        assert sorted(details) == sorted(f"{quote(name)}.js" for name in names)
        assert seen.page.evaluate(nodes) < MOST_NODES
        seen.expect_clean()


# -- what is written -------------------------------------------------------------------------------------------------


def test_the_page_depends_on_the_results_alone(tmp_path: Path) -> None:
    small = Made(models=3, samples=12, repeats=1, gappy=0, partial=0)
    one, other = (made(tmp_path / name, small) for name in ("one", "other"))
    for name in ("index.html", "page/data.js"):
        text = (one / name).read_text(encoding="utf-8")
        assert text == (other / name).read_text(encoding="utf-8")
        assert str(tmp_path) not in text


def test_results_of_another_version_stand_on_the_page_with_the_samples_that_they_share(tmp_path: Path) -> None:
    write(tmp_path, Made(models=3, samples=24, repeats=1, gappy=0, partial=0))
    folder = made(tmp_path / "other", Made(models=1, samples=12, repeats=1, gappy=0, partial=0))
    source = tmp_path / "other" / "results" / "identity"
    source.rename(tmp_path / "results" / "older")
    store = Store(root=tmp_path)
    [board] = rebuild(store)
    assert folder.is_dir()
    said = board_data(store.board_dir(board.benchmark, board.judge_key))
    row = next(row for row in said["models"] if row["model"] == "older")
    assert len(row["status"]) == len(said["samples"]) == 24
    assert row["status"].count("u") >= 12
    assert len(row["marks"]) == 24 * len(said["rubric"]["dimensions"])
    assert row["marks"].count(".") == row["status"].count("u") * len(said["rubric"]["dimensions"])
