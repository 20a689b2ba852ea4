"""The sample explorer in a real Chromium: what is shown of a sample, which samples are gone through, and by which address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tests import page
from tests.made_results import Made
from tests.page import DESKTOP, PHONE, Options, Seen
from tests.video_board import SOURCE, VideoBoard, listed, made, settled

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

MADE = Made(
    models=7, samples=40, repeats=3, videos=True, no_edit=0.08, gappy=3, no_verdict=0.1, partial=4, signals=True
)
HOSTILE = Made(models=8, samples=40, repeats=2, videos=True, no_edit=0.1, gappy=3, hostile=True, signals=True)
Open = Callable[..., AbstractContextManager[Seen]]
SCHEMES = {
    f"{name}-{width}": Options(width=width, height=height, scheme=name, bypass_policy=True)
    for name in ("light", "dark")
    for width, height in ((1280, 900), (360, 740))
}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> VideoBoard:
    return made(tmp_path_factory.mktemp("explorer"), MADE)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> VideoBoard:
    return made(tmp_path_factory.mktemp("hostile"), HOSTILE)


@pytest.fixture
def show(browser: Browser, board: VideoBoard) -> Open:
    """A way to open the page from disk at a route; at the end nothing may have gone wrong."""

    @contextmanager
    def at(route: str, options: Options = DESKTOP) -> Iterator[Seen]:
        with page.opened(browser, page.address(board.folder, route), options) as seen:
            rest(seen)
            yield seen
            seen.expect_clean()

    return at


def rest(seen: Seen) -> None:
    """Wait for what is shown: a list, or a player at rest."""
    if seen.page.url.partition("#/")[2].startswith("sample/"):
        seen.page.wait_for_selector(
            ".player[data-phase=paused][aria-busy=false], .player[data-phase=empty], main h2:text('No such')"
        )


# -- what the marks are, worked out from what the page reads ---------------------------------------------------------


class Marks:
    """The numbers of a model's samples, computed anew."""

    def __init__(self, board: VideoBoard, model: str) -> None:
        row = next(row for row in board.data["models"] if row["model"] == model)
        self.rubric = board.data["rubric"]
        self.keys = [dimension["key"] for dimension in self.rubric["dimensions"]]
        self.cap = self.keys.index(self.rubric["cap"])
        self.repeats = row["repeats"]
        self.status, self.marks = row["status"], row["marks"]

    def state(self, s: int) -> str:
        return str(self.status[s * self.repeats : (s + 1) * self.repeats])

    def raw(self, s: int, r: int) -> list[int]:
        at = (s * self.repeats + r) * len(self.keys)
        return [int(mark) for mark in self.marks[at : at + len(self.keys)]]

    def counted(self, s: int, r: int) -> list[int] | None:
        if self.state(s)[r] == "e":
            return [self.rubric["lowest"]] * len(self.keys)
        if self.state(s)[r] != "s":
            return None
        raw = self.raw(s, r)
        return [min(mark, raw[self.cap]) for mark in raw]

    def repeat_means(self, s: int) -> list[float]:
        rows = [self.counted(s, r) for r in range(self.repeats)]
        return [sum(row) / len(row) for row in rows if row]

    def mean(self, s: int) -> float | None:
        means = self.repeat_means(s)
        return sum(means) / len(means) if means else None

    def of(self, s: int, key: str) -> float | None:
        rows = [row for row in (self.counted(s, r) for r in range(self.repeats)) if row]
        return sum(row[self.keys.index(key)] for row in rows) / len(rows) if rows else None

    def repeats_differ(self, s: int) -> float | None:
        rows = [self.counted(s, r) for r in range(self.repeats) if self.state(s)[r] == "s"]
        means = [sum(row) / len(row) for row in rows if row]
        return max(means) - min(means) if len(means) > 1 else None


def known(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def average(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def spread(values: list[float | None]) -> float | None:
    found = known(values)
    return max(found) - min(found) if len(found) > 1 else None


# -- the list --------------------------------------------------------------------------------------------------------


def ids(seen: Seen) -> list[str]:
    """The samples of the list, from top to bottom."""
    return [text.strip() for text in seen.page.locator("table.samples tbody th a").all_inner_texts()]


def wanted(board: VideoBoard, passes: Callable[[int, Mapping[str, Any]], bool]) -> list[str]:
    return [sample["id"] for s, sample in enumerate(board.data["samples"]) if passes(s, sample)]


def test_the_list_holds_every_sample_and_shows_the_boards_best_models(show: Open, board: VideoBoard) -> None:
    with show("#/samples") as seen:
        assert ids(seen) == board.ids
        best = [name for name in board.names if name != "identity"][:3]
        heads = [text.strip() for text in seen.page.locator("table.samples thead th").all_inner_texts()]
        assert [head.replace("\n", "") for head in heads[1:4]] == best
        row = seen.page.locator("table.samples tbody tr").nth(5).locator("td").all_inner_texts()
        assert row[:3] == [f"{mean:.2f}" if (mean := Marks(board, name).mean(5)) is not None else "–" for name in best]


def cases(board: VideoBoard) -> dict[str, tuple[str, list[str]]]:
    """Filters by name: what stands in the address, and the samples that pass."""
    first, second, third = board.names[:3]
    shown = [Marks(board, name) for name in (first, second, third)]
    every = [Marks(board, name) for name in board.names]
    editing = [Marks(board, name) for name in board.names if name != "identity"]
    [gappy] = [name for name in board.names if "v" in Marks(board, name).status][:1]
    models = f"models={listed([first, second, third])}"
    last = board.data["rubric"]["dimensions"][-1]["key"]
    flagged = {
        name for one in (first, second, third) for name, about in board.details(one).items() if about.get("flags")
    }

    def between(low: float, value: float | None, high: float) -> bool:
        return value is not None and low - 1e-9 <= value <= high + 1e-9

    return {
        "theme": ("theme=time", wanted(board, lambda _, sample: sample["theme"] == "time")),
        "subtheme": (
            "theme=location&subtheme=coast",
            wanted(board, lambda _, sample: (sample["theme"], sample["subtheme"]) == ("location", "coast")),
        ),
        "words": (
            "q=GOLDEN%20light",
            wanted(board, lambda _, sample: all(word in str(sample).lower() for word in ("golden", "light"))),
        ),
        "mean of a shown model": (
            f"{models}&marks=1-2",
            wanted(board, lambda s, _: any(between(1, one.mean(s), 2) for one in shown)),
        ),
        "mean of any model": (
            f"{models}&of=.any&marks=4.5-",
            wanted(board, lambda s, _: any(between(4.5, one.mean(s), 5) for one in every)),
        ),
        "a dimension of one model": (
            f"{models}&of={second}&dim={last}&marks=3-4",
            wanted(board, lambda s, _: between(3, shown[1].of(s, last), 4)),
        ),
        "models differ": (
            f"{models}&differ=models&by=1.5",
            wanted(board, lambda s, _: between(1.5, spread([one.mean(s) for one in shown]), 4)),
        ),
        "any models differ, the control left out": (
            "of=.any&differ=models&by=2.5",
            wanted(board, lambda s, _: between(2.5, spread([one.mean(s) for one in editing]), 4)),
        ),
        "repeats differ": (
            f"{models}&differ=repeats&by=0.5",
            wanted(board, lambda s, _: any(between(0.5, one.repeats_differ(s), 4) for one in shown)),
        ),
        "no edit": (f"{models}&status=no_edit", wanted(board, lambda s, _: any("e" in one.state(s) for one in shown))),
        "no verdict": (
            f"of={gappy}&status=no_verdict",
            wanted(board, lambda s, _: "v" in Marks(board, gappy).state(s)),
        ),
        "failures of any model": (
            "of=.any&status=failed",
            wanted(board, lambda s, _: any(set("ev") & set(one.state(s)) for one in every)),
        ),
        "scored throughout": (
            "of=.any&status=scored",
            wanted(board, lambda s, _: all(set(one.state(s)) == {"s"} for one in every)),
        ),
        "flagged": (f"{models}&flags=1", wanted(board, lambda _, sample: sample["id"] in flagged)),
        "two at once": (
            f"{models}&theme=style&marks=-3",
            wanted(
                board,
                lambda s, sample: sample["theme"] == "style" and any(between(0, one.mean(s), 3) for one in shown),
            ),
        ),
    }


FILTERS = (
    "theme", "subtheme", "words", "mean of a shown model", "mean of any model", "a dimension of one model",
    "models differ", "any models differ, the control left out", "repeats differ", "no edit", "no verdict",
    "failures of any model", "scored throughout", "flagged", "two at once",
)  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_lets_pass_what_it_should(show: Open, board: VideoBoard, name: str) -> None:
    query, passing = cases(board)[name]
    assert 0 < len(passing) < len(board.ids), "a filter that keeps all or nothing shows nothing"
    with show(f"#/samples?{query}") as seen:
        seen.page.wait_for_selector(f".count:text-is('{len(passing)} of {len(board.ids)} samples')")
        assert ids(seen) == passing


SORTS: dict[str, Callable[[list[Marks], int], float | None]] = {
    "mean": lambda ones, s: average(known([one.mean(s) for one in ones])),
    "models": lambda ones, s: spread([one.mean(s) for one in ones]),
    "repeats": lambda ones, s: max(known([one.repeats_differ(s) for one in ones]), default=None),
}


@pytest.mark.parametrize("desc", [False, True], ids=["lowest first", "highest first"])
@pytest.mark.parametrize("sort", SORTS)
def test_the_list_is_sorted_by_a_number(show: Open, board: VideoBoard, sort: str, desc: bool) -> None:
    models = board.names[:3]
    ones = [Marks(board, name) for name in models]

    values = [SORTS[sort](ones, s) for s in range(len(board.ids))]
    sign = -1 if desc else 1
    places = sorted(range(len(values)), key=lambda s: (values[s] is None, round(sign * (values[s] or 0), 6), s))
    with show(f"#/samples?models={listed(models)}&sort={sort}{'&desc=1' if desc else ''}") as seen:
        assert ids(seen) == [board.ids[s] for s in places]
        assert seen.page.locator("th[aria-sort]").get_attribute("aria-sort") == ("descending" if desc else "ascending")


def test_a_head_sorts_turns_round_and_keeps_the_focus(show: Open) -> None:
    with show("#/samples") as seen:
        head = seen.page.get_by_role("button", name="Models differ")
        head.click()
        assert "sort=models&desc=1" in seen.hash
        seen.page.wait_for_selector("th[aria-sort=descending]")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector("th[aria-sort=ascending]")
        assert "desc" not in seen.hash


def test_every_control_of_the_filter_stands_in_the_address_and_comes_back(show: Open, board: VideoBoard) -> None:
    with show("#/samples") as seen:
        form = seen.page.get_by_role("search")
        form.get_by_label("Theme", exact=True).select_option("season")
        form.get_by_label("Subtheme").select_option(label="spring")
        form.get_by_label("Whose marks").select_option(".any")
        form.get_by_label("Which mark").select_option("fg_integrity")
        form.get_by_label("Lowest mark").fill("1")
        form.get_by_label("Highest mark").fill("4.5")
        form.get_by_label("Highest mark").press("Tab")
        form.get_by_label("Disagreement").select_option("repeats")
        form.get_by_label("Least difference").fill("0.25")
        form.get_by_label("Least difference").press("Tab")
        form.get_by_label("Status").select_option("scored")
        form.get_by_label("Order").select_option("mean")
        form.get_by_label("highest first").check()
        form.get_by_role("searchbox").fill("light")
        seen.until("location.hash.includes('q=light')")
        said = dict(part.split("=", 1) for part in unquote(seen.hash).partition("?")[2].split("&"))
        assert said == {
            "theme": "season", "subtheme": "spring", "of": ".any", "dim": "fg_integrity", "marks": "1-4.5",
            "differ": "repeats", "by": "0.25", "status": "scored", "sort": "mean", "desc": "1", "q": "light",
        }  # fmt: skip
        before = ids(seen)
        link = seen.page.url
        seen.page.goto("about:blank")
        seen.page.goto(link)
        seen.wait()
        assert ids(seen) == before
        again = seen.page.get_by_role("search")
        assert again.get_by_label("Subtheme").locator("option:checked").inner_text() == "spring"
        assert again.get_by_label("Least difference").input_value() == "0.25"
        assert again.get_by_label("highest first").is_checked()
        again.get_by_role("button", name="Reset").click()
        assert ids(seen) == board.ids
        assert seen.hash == "#/samples"


def test_a_filter_that_changes_others_keeps_the_focus(show: Open) -> None:
    with show("#/samples") as seen:
        seen.page.get_by_role("search").get_by_label("Theme", exact=True).focus()
        seen.page.keyboard.press("ArrowDown")
        seen.page.wait_for_selector(".count:text-matches(' of ')")
        assert seen.page.evaluate("document.activeElement.labels[0].textContent") == "Theme"


def test_nothing_passes_and_the_list_says_so(show: Open) -> None:
    with show("#/samples?q=nowhere-to-be-found") as seen:
        assert seen.page.get_by_text("No sample passes these filters.").is_visible()


def test_models_are_put_in_and_taken_out_four_at_most(show: Open, board: VideoBoard) -> None:
    with show(f"#/samples?models={listed(board.names[:2])}") as seen:
        add = seen.page.get_by_label("Add a model")
        add.select_option(board.names[4])
        add.select_option(board.names[5])
        assert add.is_disabled()
        assert f"models={','.join([*board.names[:2], *board.names[4:6]])}" in seen.hash
        seen.page.get_by_role("button", name=f"Remove {board.names[0]}").click()
        assert f"models={','.join([board.names[1], *board.names[4:6]])}" in seen.hash


def test_models_picked_on_the_board_are_shown(show: Open, board: VideoBoard) -> None:
    with show(f"{board.route(board.ids[0])}?pick={listed(board.names[3:5])}") as seen:
        tracks = seen.page.locator(".tile").evaluate_all("tiles => tiles.map(tile => tile.dataset.track)")
        assert tracks == [SOURCE, *board.names[3:5]]


# -- a sample --------------------------------------------------------------------------------------------------------


def panel(seen: Seen, model: str) -> Any:
    return seen.page.locator(f".panel-of-model[data-model='{model}']")


def scored(board: VideoBoard, model: str) -> int:
    """A sample with verdicts in which the cap lowered a mark."""
    marks = Marks(board, model)
    return next(
        s for s in range(len(board.ids))
        if marks.state(s) == "sss" and any(marks.raw(s, r) != marks.counted(s, r) for r in range(3))
    )  # fmt: skip


def test_a_sample_shows_what_was_asked_and_where_it_belongs(show: Open, board: VideoBoard) -> None:
    sample = board.data["samples"][3]
    with show(board.route(sample["id"])) as seen:
        assert seen.page.locator("#view h2").inner_text() == sample["id"]
        head = seen.page.locator(".sample-head").inner_text()
        for part in ("theme", "subtheme", "scene", "instruction"):
            assert sample[part] in head
        assert sample["id"] in seen.page.title()


def test_marks_stand_capped_with_the_raw_one_beside_them_by_repeat(show: Open, board: VideoBoard) -> None:
    model = board.names[0]
    s = scored(board, model)
    marks = Marks(board, model)
    with show(board.route(board.ids[s], [model])) as seen:
        rows = panel(seen, model).locator("table.marks tbody tr")
        for d, dimension in enumerate(board.data["rubric"]["dimensions"]):
            cells = [text.split() for text in rows.nth(d).locator("th, td").all_inner_texts()]
            assert " ".join(cells[0]) == dimension["label"]
            for r in range(3):
                counted, raw = (marks.counted(s, r) or [])[d], marks.raw(s, r)[d]
                assert cells[r + 1][-1] == str(counted)
                assert (cells[r + 1][0] == str(raw)) and (len(cells[r + 1]) > 1) == (raw > counted)
            assert cells[4] == [f"{marks.of(s, dimension['key']):.2f}"]
        total = rows.last.locator("td").all_inner_texts()
        assert total == [f"{mean:.2f}" for mean in [*marks.repeat_means(s), marks.mean(s)]]


def test_the_judges_words_stand_as_they_are_for_every_repeat(show: Open, board: VideoBoard) -> None:
    model = board.names[0]
    s = scored(board, model)
    replies = [verdict["reply"] for verdict in board.details(model)[board.ids[s]]["verdicts"]]
    with show(board.route(board.ids[s], [model])) as seen:
        assert panel(seen, model).locator(".reply").evaluate_all("all => all.map(one => one.textContent)") == replies
        assert "\n" in replies[0]
        style = "one => getComputedStyle(one.querySelector('.said')).whiteSpace"
        assert panel(seen, model).locator(".reply").first.evaluate(style) == "pre-wrap"


def find(board: VideoBoard, passes: Callable[[Mapping[str, Any]], bool]) -> tuple[str, str, Mapping[str, Any]]:
    """The first (model, sample, details) of which something is true."""
    for model in board.names:
        for name, about in board.details(model).items():
            if passes(about):
                return model, name, about
    raise AssertionError("no such sample on this board")


def test_a_failed_edit_says_why_in_its_tile_and_in_its_panel(show: Open, board: VideoBoard) -> None:
    model, name, about = find(board, lambda about: bool((about["edit"] or {}).get("error")))
    with show(board.route(name, [model])) as seen:
        error = about["edit"]["error"]
        assert seen.page.locator(f".tile[data-track='{model}'] .tile-note").inner_text() == f"No edit: {error}"
        assert f"No edit: {error} ({about['edit']['error_type']})" in panel(seen, model).inner_text()
        marks = panel(seen, model).locator("table.marks td").all_inner_texts()
        assert set(marks) == {"1", "1.00"}


def test_a_sample_that_nobody_tried_says_so_and_has_no_marks(show: Open, board: VideoBoard) -> None:
    model, name, _ = find(board, lambda about: about["edit"] is None)
    with show(board.route(name, [model])) as seen:
        assert seen.page.locator(f".tile[data-track='{model}'] .tile-note").inner_text() == "No edit: not attempted."
        assert "Nobody has tried to edit this sample." in panel(seen, model).inner_text()
        assert set(panel(seen, model).locator("table.marks td").all_inner_texts()) == {"–"}


def test_a_missing_verdict_tells_every_attempt(show: Open, board: VideoBoard) -> None:
    model, name, about = find(board, lambda about: any(v and v.get("error") for v in about["verdicts"]))
    verdict = next(v for v in about["verdicts"] if v and v.get("error"))
    with show(board.route(name, [model])) as seen:
        text = panel(seen, model).inner_text()
        assert f"No verdict: {verdict['error']}" in text
        assert f"Asked {verdict['attempts']} times." in text
        assert text.count(verdict["failures"][0]) == 1 + len(verdict["failures"])


def test_flags_stand_with_the_model_that_they_are_of(show: Open, board: VideoBoard) -> None:
    model, name, about = find(board, lambda about: bool(about.get("flags")))
    with show(board.route(name, [model])) as seen:
        for flag in about["flags"]:
            assert (
                f"repeat {flag['repeat'] + 1}: {flag['name'].replace('_', ' ')}: {flag['why']}"
                in panel(seen, model).inner_text()
            )


def test_facts_of_the_edit_are_told(show: Open, board: VideoBoard) -> None:
    model, name, about = find(board, lambda about: (about["edit"] or {}).get("aligned") is True)
    with show(board.route(name, [model])) as seen:
        text = panel(seen, model).inner_text()
        edit = about["edit"]
        assert f"{edit['width']} × {edit['height']}, {edit['frames']} frames at {edit['fps']:g} per second" in text
        assert "frame i stands for frame i of the source" in text
        link = panel(seen, model).locator(".facts a")
        assert link.inner_text() == edit["video"]
        with page.served(board.root):
            assert link.evaluate("a => decodeURIComponent(a.href)").endswith(f"results/{model}/{edit['video']}")


def test_an_unknown_sample_and_unknown_models_are_no_trouble(show: Open, board: VideoBoard) -> None:
    with show("#/sample/nobody%20knows?models=x") as seen:
        assert "This board has no sample nobody knows." in seen.page.locator("main").inner_text()
        seen.page.get_by_role("link", name="All samples").click()
        seen.page.wait_for_selector("table.samples")
        assert ids(seen) == board.ids
        seen.go(board.route(board.ids[0], ["nobody", board.names[1], board.names[1]]))
        settled(seen)
        assert seen.page.locator(".panel-of-model").count() == 1


# -- from sample to sample -------------------------------------------------------------------------------------------


def test_next_and_previous_go_through_the_filtered_and_sorted_list(show: Open, board: VideoBoard) -> None:
    with show("#/samples?theme=time&sort=mean&desc=1") as seen:
        order = ids(seen)
        seen.page.locator("table.samples tbody a").first.click()
        rest(seen)
        assert seen.page.locator("nav .count").inner_text() == f"1 of {len(order)}"
        assert seen.page.get_by_role("button", name="Previous").is_disabled()
        for step, key in ((1, "n"), (2, "n"), (1, "p")):
            seen.page.keyboard.press(key)
            rest(seen)
            assert seen.page.locator("#view h2").inner_text() == order[step]
        seen.page.get_by_role("button", name="Next").click()
        rest(seen)
        assert seen.page.locator("#view h2").inner_text() == order[2]
        seen.page.keyboard.press("Enter")
        rest(seen)
        assert seen.page.locator("#view h2").inner_text() == order[3]
        seen.page.go_back()
        rest(seen)
        assert seen.page.locator("#view h2").inner_text() == order[2]
        seen.page.get_by_role("link", name="All samples").click()
        assert ids(seen) == order


def test_what_is_set_goes_along_and_what_plays_plays_on(show: Open, board: VideoBoard) -> None:
    pair = [name for name in board.names if name != "identity"][:2]
    with show(
        board.route(board.edited(pair)[0], pair, speed="0.5", loop=1, wipe=f".source,{pair[0]}", t="1.5")
    ) as seen:
        seen.page.keyboard.press("k")
        settled(seen, "playing")
        seen.page.keyboard.press("n")
        settled(seen, "playing")
        assert {"speed=0.5", "loop=1", f"wipe=.source,{pair[0]}"} <= set(seen.hash.partition("?")[2].split("&"))
        assert "t=" not in seen.hash


def test_a_sample_that_the_filter_leaves_out_is_shown_and_leads_into_the_filter(show: Open, board: VideoBoard) -> None:
    first = next(sample["id"] for sample in board.data["samples"] if sample["theme"] == "season")
    with show(board.route(board.ids[0], theme="season")) as seen:
        assert seen.page.locator("nav .count").inner_text().startswith("not among the")
        seen.page.keyboard.press("n")
        rest(seen)
        assert seen.page.locator("#view h2").inner_text() == first


def test_filters_are_changed_beside_a_sample(show: Open, board: VideoBoard) -> None:
    with show(board.route(board.ids[0])) as seen:
        seen.page.locator(".filters-menu > summary").click()
        seen.page.get_by_role("search").get_by_label("Theme", exact=True).select_option("location")
        count = sum(sample["theme"] == "location" for sample in board.data["samples"])
        assert seen.page.locator("nav .count").inner_text() == f"1 of {count}"
        assert seen.page.locator(".filters-menu > summary").inner_text().strip() == "Filters (1)"


def test_a_change_of_models_keeps_the_position(show: Open, board: VideoBoard) -> None:
    pair = [name for name in board.names if name != "identity"][:2]
    with show(board.route(board.edited(pair)[0], pair[:1], t="2.031")) as seen:
        seen.page.get_by_label("Add a model").select_option(pair[1])
        settled(seen)
        assert "frame 33 of 81" in seen.page.locator(".clock").inner_text()
        assert seen.page.locator(".panel-of-model").count() == 2


# -- what is asked for -----------------------------------------------------------------------------------------------


def videos(seen: Seen) -> list[str]:
    return [unquote(url).rpartition("/")[2] for url in seen.requests if ".mp4" in url]


def test_only_the_shown_samples_videos_and_the_shown_models_details_are_asked_for(
    show: Open, board: VideoBoard
) -> None:
    pair = [name for name in board.names if name != "identity"][:2]
    first, second = board.edited(pair)[:2]
    with show("#/samples") as seen:
        assert videos(seen) == []
        assert not any("/details/" in url for url in seen.requests)
        seen.go(board.route(first, pair))
        settled(seen)
        assert set(videos(seen)) == {f"{first}.mp4", f"{first}_edited.mp4"}
        assert {url.rpartition("/")[2] for url in seen.requests if "/details/" in url} == {
            f"{name}.js" for name in pair
        }
        before = len(seen.requests)
        seen.go(board.route(second, pair))
        settled(seen)
        asked = [unquote(url).rpartition("/")[2] for url in seen.requests[before:]]
        assert set(asked) == {f"{second}.mp4", f"{second}_edited.mp4"}


def test_videos_that_are_known_to_be_elsewhere_are_not_asked_for(browser: Browser, board: VideoBoard) -> None:
    place = board.folder / "page" / "media.js"
    kept = place.read_bytes()
    place.write_text('sparkle.media({"results":null,"sources":null,"models":[],"files":null});\n')
    try:
        with page.opened(
            browser, page.address(board.folder, board.route(board.edited(board.names[:1])[0], board.names[:1]))
        ) as seen:
            rest(seen)
            notes = seen.page.locator(".tile-note").all_inner_texts()
            assert notes == ["The source video is not here.", "The video is not here."]
            assert seen.page.get_by_role("button", name="Play").is_disabled()
            assert videos(seen) == []
            seen.expect_clean()
    finally:
        place.write_bytes(kept)


def test_details_that_are_missing_are_said_to_be(browser: Browser, board: VideoBoard) -> None:
    model = board.names[0]
    place = board.folder / "page" / "details" / f"{model}.js"
    kept = place.read_bytes()
    place.unlink()
    try:
        with page.opened(browser, page.address(board.folder, board.route(board.ids[0], [model]))) as seen:
            rest(seen)
            assert "Its details are not in this folder" in panel(seen, model).inner_text()
            assert panel(seen, model).locator("table.marks").is_visible()
    finally:
        place.write_bytes(kept)


def test_it_works_over_a_server_too(browser: Browser, board: VideoBoard) -> None:
    pair = [name for name in board.names if name != "identity"][:2]
    with page.served(board.root) as server:
        url = f"{server}{board.folder.relative_to(board.root).as_posix()}/index.html"
        with page.opened(browser, url + board.route(board.edited(pair)[0], pair, t="2")) as seen:
            settled(seen)
            assert "frame 33 of 81" in seen.page.locator(".clock").inner_text()
            states = seen.page.locator(".tile").evaluate_all("tiles => tiles.map(tile => tile.dataset.state)")
            assert states == ["ready"] * 3
            seen.expect_clean()


# -- harm ------------------------------------------------------------------------------------------------------------


def test_no_text_of_the_data_runs_or_breaks_the_list(browser: Browser, hostile: VideoBoard) -> None:
    with page.opened(browser, page.address(hostile.folder, f"#/samples?models={listed(hostile.names[:4])}")) as seen:
        assert ids(seen) == [" ".join(name.split()) for name in hostile.ids]
        assert page.narrow(seen)
        seen.expect_clean()


@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_text_of_the_data_runs_or_breaks_a_sample(browser: Browser, hostile: VideoBoard, options: Options) -> None:
    models = hostile.names[:4]
    with page.opened(browser, page.address(hostile.folder, hostile.route(hostile.ids[0], models)), options) as seen:
        for s, sample in enumerate(hostile.data["samples"]):
            seen.page.wait_for_selector(".panel-of-model >> nth=3")
            settled(seen)
            assert seen.page.locator("#view h2").evaluate("h => h.textContent") == sample["id"]
            said = seen.page.locator(".sample-head").evaluate("head => head.textContent")
            assert sample["instruction"].replace("\ud800", "\ufffd")[-50:] in said.replace("\ud800", "\ufffd")
            assert (
                seen.page.evaluate(
                    "document.querySelectorAll('#view script, #view img, #view style, #view iframe').length"
                )
                == 0
            )
            assert page.narrow(seen), sample["id"]
            states = seen.page.locator(".tile").evaluate_all("tiles => tiles.map(tile => tile.dataset.state)")
            assert set(states) <= {"ready", "none"}
            assert states[0] == "ready"
            if s + 1 < len(hostile.ids):
                seen.page.keyboard.press("n")
                seen.until("name => document.querySelector('#view h2').textContent === name", hostile.ids[s + 1])
        seen.expect_clean()


@pytest.mark.parametrize(
    "video",
    [
        "../../../../etc/passwd",
        "/etc/passwd",
        "javascript:window.pwned=1",
        "//example.invalid/a.mp4",
        "http://example.invalid/a",
        "a\\..\\b",
    ],
)
def test_a_video_path_that_leads_elsewhere_is_not_followed(browser: Browser, board: VideoBoard, video: str) -> None:
    with page.opened(browser, page.address(board.folder, "#/samples")) as seen:
        found = seen.page.evaluate(
            "([model, video]) => sparkle.videos.edit(model, sparkle.data.samples[0], {video}).url",
            [board.names[0], video],
        )
        if found is not None:
            assert found.startswith(f"../../../results/{board.names[0]}/")
            assert ".." not in found.removeprefix("../../../").split("/")
            assert "\\" not in found and ":" not in found


# -- for everybody ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["list", "sample", "wipe"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_is_in_the_way_of_anybody(browser: Browser, board: VideoBoard, view: str, scheme: str) -> None:
    model, name, _ = find(board, lambda about: bool(about.get("flags")))
    others = [other for other in board.names if other != model][:3]
    route = {
        "list": "#/samples?differ=models&sort=mean",
        "sample": board.route(name, [model, *others]),
        "wipe": board.route(name, [model, *others], wipe=f".source,{model}"),
    }[view]
    with page.opened(browser, page.address(board.folder, route), SCHEMES[scheme]) as seen:
        rest(seen)
        for summary in seen.page.locator("main summary").all():
            if summary.evaluate("one => !one.parentNode.open"):
                summary.click()
        assert page.narrow(seen)
        seen.expect_clean()  # before axe is put in: it asks for the style sheets again
        assert page.violations(seen) == []


def test_the_keys_reach_every_control_of_a_sample(show: Open, board: VideoBoard) -> None:
    with show(board.route(board.edited(board.names[:2])[0], board.names[:2])) as seen:
        reached = set()
        for _ in range(60):
            seen.page.keyboard.press("Tab")
            reached.add(
                seen.page.evaluate(
                    "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
                )
            )
        assert {
            "Play",
            "One frame on",
            "One frame back",
            "Position",
            "Loop",
            "Wipe",
            "Next ›",
            "All samples",
        } <= reached


def test_a_phone_has_the_steps_on_one_line_and_a_picture_in_its_window(show: Open, board: VideoBoard) -> None:
    pair = [name for name in board.names if name != "identity"][:2]
    with show(board.route(board.edited(pair)[1], pair), PHONE) as seen:

        def box(selector: str) -> dict[str, float]:
            found: dict[str, float] = seen.page.locator(selector).first.evaluate(
                "(node) => { const {top, bottom, height} = node.getBoundingClientRect(); return {top, bottom, height}; }"
            )
            return found

        steps = seen.page.get_by_role("navigation", name="Samples")
        parts = (steps.get_by_text("‹ Previous"), steps.locator(".count"), steps.get_by_text("Next ›"))
        places = [part.bounding_box() for part in parts]
        middles = [place["y"] + place["height"] / 2 for place in places if place]
        assert len(middles) == 3
        assert max(middles) - min(middles) < 4
        links = seen.page.locator(".views a").evaluate_all("all => all.map(link => link.getBoundingClientRect().top)")
        assert len(set(links)) == 1
        assert not seen.page.locator(".about").first.is_visible()
        assert box(".tile .screen")["top"] < PHONE.height / 1.5
        seen.page.evaluate("scrollTo(0, 0)")
        seen.page.get_by_role("button", name="Wipe", exact=True).evaluate("button => button.click()")
        screen = box(".tile[data-side=left] .screen")
        assert screen["top"] >= 0
        assert screen["bottom"] <= box(".player-controls")["top"] + 1
        assert page.narrow(seen)


def test_the_filters_are_folded_on_a_phone(show: Open) -> None:
    with show("#/samples", PHONE) as seen:
        assert not seen.page.get_by_role("searchbox").is_visible()
        seen.page.locator("details.filters > summary").click()
        assert seen.page.get_by_role("searchbox").is_visible()
        assert page.narrow(seen)


def test_no_other_host_and_no_absolute_path_stands_in_what_the_page_loads(board: VideoBoard) -> None:
    for path in [*(board.folder / "page").glob("*.js"), *(board.folder / "page" / "details").glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert str(board.root) not in text
        assert str(Path.home()) not in text
