"""The player in a real Chromium: videos of several rates and lengths play in step, and one that fails stops no other."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import page
from tests.made_results import BENCH, BITS, KINDS, Made, names
from tests.page import DESKTOP, Options, Seen
from tests.video_board import FPS, FRAMES, LENGTH, SOURCE, VideoBoard, made, measured, pace, settled

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

FRAME = 1 / 16
"""Seconds: no two videos may be further apart."""
MADE = Made(models=8, samples=16, repeats=2, videos=True, no_edit=0.05, gappy=0, partial=0)
FOUR = names(MADE)[1:5]
"""One of every kind: 81 frames at 15 per second, 77, 65 and 81 at 16."""
SHORT = names(MADE)[6]
"""Its 77 frames stand for the first 77 of the source."""
Open = Callable[..., AbstractContextManager[Seen]]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> VideoBoard:
    return made(tmp_path_factory.mktemp("player"), MADE)


@pytest.fixture(scope="module")
def sample(board: VideoBoard) -> str:
    return board.edited([*FOUR, SHORT])[0]


@pytest.fixture
def show(browser: Browser, board: VideoBoard, sample: str) -> Open:
    """A way to open a sample from disk, with the player at rest."""

    @contextmanager
    def at(models: Sequence[str] = FOUR, options: Options = DESKTOP, **params: object) -> Iterator[Seen]:
        with page.opened(browser, page.address(board.folder, board.route(sample, models, **params)), options) as seen:
            settled(seen)
            yield seen
            seen.expect_clean()

    return at


@pytest.fixture(scope="module")
def paces(board: VideoBoard, sample: str) -> dict[str, float]:
    """Seconds of each video for one second of the source."""
    return {SOURCE: 1.0, **{name: pace(board.details(name)[sample]["edit"]) for name in FOUR}}


def press(seen: Seen, *keys: str) -> None:
    for key in keys:
        seen.page.keyboard.press(key)


def frame(seen: Seen) -> int:
    """The number of the source's frame that the player tells, from 1."""
    return int(seen.page.locator(".clock").inner_text().split("frame ")[1].split(" of ")[0])


def times(seen: Seen) -> dict[str, float]:
    """Where each video is."""
    found: dict[str, float] = seen.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".tile")].filter((tile) => tile.querySelector("video"))
            .map((tile) => [tile.dataset.track, tile.querySelector("video").currentTime]))"""
    )
    return found


def button(seen: Seen, name: str) -> Any:
    return seen.page.get_by_role("button", name=name, exact=True)


def choice(seen: Seen, name: str) -> Any:
    return seen.page.locator(".player").get_by_label(name, exact=True)


def move(seen: Seen, *values: int) -> None:
    """Put the seek bar somewhere, or to one place after another, as clicks do."""
    seen.page.evaluate(
        """values => {
          const bar = document.querySelector(".seek");
          for (const value of values) {
            bar.value = String(value);
            bar.dispatchEvent(new Event("input", {bubbles: true}));
          }
        }""",
        values,
    )


# -- in step ---------------------------------------------------------------------------------------------------------


def test_the_kinds_of_videos_differ_and_so_do_their_paces(paces: dict[str, float]) -> None:
    assert len({round(value, 4) for value in paces.values()}) == len(KINDS) == 4
    assert len(paces) == 5


def test_after_ten_seconds_and_loops_all_videos_are_within_one_frame(show: Open, paces: dict[str, float]) -> None:
    with show(loop=1) as seen:
        press(seen, "k")
        settled(seen, "playing")
        seen.page.wait_for_timeout(10_000)
        drift = measured(seen, paces, 3)
        assert len(drift.times) > 30
        assert max(drift.times) < FRAME
        assert len(drift.shown) > 100
        assert statistics.median(drift.shown) < FRAME / 2


FAST_CLOCK = """() => {
  const video = document.querySelectorAll("video")[1];
  const own = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "playbackRate");
  Object.defineProperty(video, "playbackRate", {
    get() { return own.get.call(this) / 1.05; },
    set(rate) { own.set.call(this, rate * 1.05); },
  });
  window.seeks = 0;
  for (const one of document.querySelectorAll("video")) one.addEventListener("seeking", () => { window.seeks += 1; });
}"""
"""Make the first edit run a twentieth too fast, whatever rate it is told: two frames in ten seconds at a quarter."""


def test_in_ten_seconds_without_a_break_a_clock_that_runs_fast_leads_no_video_astray(
    show: Open, paces: dict[str, float]
) -> None:
    with show(speed="0.25") as seen:
        seen.page.evaluate(FAST_CLOCK)
        press(seen, "k")
        settled(seen, "playing")
        seeks = seen.page.evaluate("window.seeks")
        drift = measured(seen, paces, 10.5)
        assert len(drift.times) > 100
        assert max(drift.times) < FRAME
        assert seen.page.evaluate("window.seeks") == seeks
        assert times(seen)[SOURCE] < LENGTH - 1
        assert seen.page.locator(".player").get_attribute("data-phase") == "playing"


CHANGES: dict[str, Callable[[Seen], None]] = {
    "a seek near the beginning": lambda seen: move(seen, 3),
    "a seek near the end": lambda seen: move(seen, 60),
    "many seeks at once": lambda seen: move(seen, 70, 5, 44, 12, 33, 20),
    "the lowest speed": lambda seen: choice(seen, "Speed").select_option("0.25") and None,
    "the highest speed": lambda seen: choice(seen, "Speed").select_option("2") and None,
    "a pause": lambda seen: press(seen, "k", "k"),
    "a loop": lambda seen: move(seen, FRAMES - 4),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_while_playing_all_videos_stay_within_one_frame_after(
    show: Open, paces: dict[str, float], change: Callable[[Seen], None]
) -> None:
    with show(loop=1) as seen:
        press(seen, "k")
        settled(seen, "playing")
        seen.page.wait_for_timeout(300)
        change(seen)
        seen.page.wait_for_timeout(400)
        settled(seen, "playing")
        assert max(measured(seen, paces, 1.2).times) < FRAME


DISTURBANCES = {"ahead": "video.currentTime += 0.15", "behind": "video.currentTime -= 0.15", "paused": "video.pause()"}


@pytest.mark.parametrize("disturbance", DISTURBANCES.values(), ids=DISTURBANCES)
def test_a_video_that_gets_out_of_step_is_brought_back(show: Open, paces: dict[str, float], disturbance: str) -> None:
    with show(loop=1, speed="0.5") as seen:
        press(seen, "k")
        settled(seen, "playing")
        seen.page.wait_for_timeout(1600)
        seen.page.evaluate(f"(() => {{ const video = document.querySelectorAll('video')[1]; {disturbance}; }})()")
        seen.page.wait_for_timeout(2500)
        settled(seen, "playing")
        assert max(measured(seen, paces, 1).times) < FRAME
        assert seen.page.evaluate("[...document.querySelectorAll('video')].every(video => !video.paused)")


@pytest.mark.parametrize("at", [0, 1, 40, 64, 79, 80])
def test_at_rest_every_video_is_where_it_stands_for_the_sources_frame(
    show: Open, paces: dict[str, float], at: int
) -> None:
    with show() as seen:
        move(seen, at)
        settled(seen)
        assert frame(seen) == at + 1
        for name, time in times(seen).items():
            assert time / paces[name] == pytest.approx((at + 0.5) / FPS, abs=FRAME / 2), name


def number_shown(seen: Seen, name: str) -> int:
    """Read from its pixels which frame a video shows: blocks along its top count in binary."""
    found: int = seen.page.evaluate(
        """([name, bits]) => {
          const tile = [...document.querySelectorAll(".tile")].find((one) => one.dataset.track === name);
          const video = tile.querySelector("video");
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
          const context = canvas.getContext("2d", {willReadFrequently: true});
          context.drawImage(video, 0, 0);
          let number = 0;
          for (let bit = 0; bit < bits; bit++) {
            const x = (bit + 0.5) * canvas.width / bits;
            number = number * 2 + (context.getImageData(x, canvas.height / 16, 1, 1).data[0] > 128 ? 1 : 0);
          }
          return number;
        }""",
        [name, BITS],
    )
    return found


@pytest.mark.parametrize("at", [0, 1, 23, 40, 79, 80])
def test_the_pictures_themselves_are_those_that_belong_together(
    browser: Browser, board: VideoBoard, sample: str, at: int
) -> None:
    """Over HTTP, where pixels may be read; the server is one that cannot send parts of a file."""
    edits = {name: board.details(name)[sample]["edit"] for name in (*FOUR[:3], SHORT)}
    with page.served(board.root) as server:
        url = f"{server}{board.folder.relative_to(board.root).as_posix()}/index.html"
        with page.opened(browser, url + board.route(sample, list(edits), t=(at + 0.5) / FPS)) as seen:
            settled(seen)
            seen.page.wait_for_timeout(200)
            assert number_shown(seen, SOURCE) == at
            for name, edit in edits.items():
                aligned = edit.get("aligned")
                wanted = min(at, edit["frames"] - 1) if aligned else int((at + 0.5) / FRAMES * edit["frames"])
                assert number_shown(seen, name) == wanted, name
            seen.expect_clean()


def test_an_aligned_edit_that_is_shorter_keeps_its_last_frame_and_says_so(show: Open) -> None:
    with show([SHORT], t=(FRAMES - 0.5) / FPS) as seen:
        tile = seen.page.locator(f".tile[data-track='{SHORT}'] .tile-frame")
        assert tile.inner_text() == "its last frame, 77, stays"
        move(seen, 10)
        settled(seen)
        assert tile.inner_text() == "frame 11 of 77"


# -- controls --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k", " "])
def test_a_key_plays_and_pauses(show: Open, key: str) -> None:
    with show() as seen:
        press(seen, key)
        settled(seen, "playing")
        seen.page.wait_for_timeout(500)
        press(seen, key)
        settled(seen)
        assert frame(seen) > 2
        resting = times(seen)
        seen.page.wait_for_timeout(300)
        assert times(seen) == resting


def test_the_button_plays_and_pauses_and_says_which(show: Open) -> None:
    with show() as seen:
        button(seen, "Play").click()
        settled(seen, "playing")
        button(seen, "Pause").click()
        settled(seen)
        assert button(seen, "Play").is_visible()


def test_it_stops_at_the_last_frame_and_plays_again_from_the_first(show: Open) -> None:
    with show(t=LENGTH - 0.3) as seen:
        press(seen, "k")
        seen.page.wait_for_selector(".clock:has-text('frame 81 of')")
        settled(seen)
        press(seen, "k")
        seen.page.wait_for_selector(".clock:text-matches('frame [2-9] of')")


def test_frames_are_stepped_by_keys_by_buttons_and_on_the_bar(show: Open) -> None:
    with show() as seen:
        press(seen, ".", ".", ".")
        settled(seen)
        assert frame(seen) == 4
        press(seen, ",")
        settled(seen)
        assert frame(seen) == 3
        button(seen, "One frame on").click()
        button(seen, "One frame back").click()
        button(seen, "One frame back").click()
        settled(seen)
        assert frame(seen) == 2
        seen.page.locator(".seek").focus()
        press(seen, "ArrowRight", "ArrowRight")
        settled(seen)
        assert frame(seen) == 4
        press(seen, "End")
        settled(seen)
        assert frame(seen) == FRAMES
        press(seen, ".")
        settled(seen)
        assert frame(seen) == FRAMES
        assert seen.page.locator(".seek").get_attribute("aria-valuetext") == "5.00 s · frame 81 of 81"


def test_speed_is_chosen_from_a_list_or_by_keys_and_videos_follow_it(show: Open, paces: dict[str, float]) -> None:
    with show(loop=1) as seen:
        press(seen, ">")
        assert choice(seen, "Speed").input_value() == "1.5"
        press(seen, "<", "<")
        assert choice(seen, "Speed").input_value() == "0.5"
        press(seen, "k")
        settled(seen, "playing")
        rates = seen.page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll(".tile")]
                .map((tile) => [tile.dataset.track, tile.querySelector("video").playbackRate]))"""
        )
        for name, value in rates.items():
            assert value == pytest.approx(0.5 * paces[name], rel=0.12)


def test_loop_is_a_switch(show: Open) -> None:
    with show(t=LENGTH - 0.3) as seen:
        press(seen, "l")
        assert button(seen, "Loop").get_attribute("aria-pressed") == "true"
        press(seen, "k")
        seen.page.wait_for_selector(".clock:text-matches('frame [2-9] of')")
        settled(seen, "playing")
        button(seen, "Loop").click()
        assert "loop" not in seen.hash


def test_all_of_it_stands_in_the_address_and_the_address_brings_it_back(show: Open) -> None:
    with show() as seen:
        press(seen, ".", ".", ">", "l", "w", "Tab")
        seen.page.locator(".wipe-line").focus()
        press(seen, "ArrowRight", "ArrowRight")
        settled(seen)
        link = seen.page.url
        assert [part in link for part in ("t=0.156", "speed=1.5", "loop=1", "split=54", f"wipe=.source,{FOUR[0]}")] == [
            True
        ] * 5
        seen.page.goto("about:blank")
        seen.page.goto(link)
        seen.wait()
        settled(seen)
        assert frame(seen) == 3
        assert choice(seen, "Speed").input_value() == "1.5"
        assert button(seen, "Loop").get_attribute("aria-pressed") == "true"
        assert seen.page.locator(".wipe-line").get_attribute("aria-valuenow") == "54"
        assert seen.page.url == link


@pytest.mark.parametrize(
    "params",
    [
        {"t": "x"},
        {"t": "-3"},
        {"t": "1e9"},
        {"speed": "7"},
        {"speed": "NaN"},
        {"wipe": "nobody,.source"},
        {"split": "900"},
    ],
    ids=str,
)
def test_an_address_that_asks_for_what_cannot_be_is_no_trouble(show: Open, params: dict[str, str]) -> None:
    with show(**params) as seen:
        assert 1 <= frame(seen) <= FRAMES
        assert choice(seen, "Speed").input_value() == "1"


def test_typing_in_a_field_plays_nothing(show: Open) -> None:
    with show() as seen:
        seen.page.locator(".filters-menu > summary").click()
        seen.page.get_by_role("searchbox").fill("")
        seen.page.get_by_role("searchbox").press_sequentially("k . l w", delay=5)
        assert frame(seen) == 1
        assert seen.page.locator(".player").get_attribute("data-phase") == "paused"


# -- the wipe --------------------------------------------------------------------------------------------------------


def split(seen: Seen) -> float:
    """Where the right video begins, as a share of the width, as the browser cuts it off."""
    cut = seen.page.evaluate("getComputedStyle(document.querySelector(\".tile[data-side='right'] video\")).clipPath")
    return float(cut.rstrip(")").split()[-1].rstrip("%"))


def test_a_wipe_lays_one_video_on_the_other_and_the_line_is_dragged(show: Open) -> None:
    with show(wipe=f".source,{FOUR[1]}") as seen:
        left = seen.page.locator(".tile[data-side='left']")
        right = seen.page.locator(".tile[data-side='right']")
        assert left.get_attribute("data-track") == SOURCE
        assert right.get_attribute("data-track") == FOUR[1]
        box, other = (one.locator(".screen").bounding_box() for one in (left, right))
        assert box
        assert box == other
        assert split(seen) == 50
        line = seen.page.locator(".wipe-line").bounding_box()
        assert line
        seen.page.mouse.move(line["x"] + line["width"] / 2, line["y"] + 40)
        seen.page.mouse.down()
        seen.page.mouse.move(box["x"] + box["width"] * 0.25, line["y"] + 60, steps=4)
        assert split(seen) == pytest.approx(25, abs=0.5)
        seen.page.mouse.move(box["x"] - 500, line["y"])
        assert split(seen) == 0
        seen.page.mouse.move(box["x"] + box["width"] * 0.75, line["y"])
        seen.page.mouse.up()
        seen.page.mouse.move(box["x"], line["y"])
        assert split(seen) == pytest.approx(75, abs=0.5)
        assert "split=75" in seen.hash


def test_the_line_is_moved_by_keys(show: Open) -> None:
    with show(wipe=f".source,{FOUR[1]}") as seen:
        line = seen.page.get_by_role("slider", name=f"Line between Source and {FOUR[1]}")
        line.focus()
        for key, wanted in (("ArrowLeft", 48), ("Shift+ArrowLeft", 38), ("End", 100), ("ArrowRight", 100), ("Home", 0)):
            press(seen, key)
            assert split(seen) == wanted
        assert line.get_attribute("aria-valuenow") == "0"
        assert frame(seen) == 1


def test_the_two_videos_are_chosen_and_swapped(show: Open) -> None:
    with show() as seen:
        button(seen, "Wipe").click()
        choice(seen, "Right").select_option(FOUR[2])
        assert f"wipe=.source,{FOUR[2]}" in seen.hash
        choice(seen, "Left").select_option(FOUR[2])
        assert f"wipe={FOUR[2]},.source" in seen.hash
        press(seen, "w")
        assert seen.page.locator("[data-side]").count() == 0
        assert "wipe" not in seen.hash


def test_a_wipe_plays_in_step_too(show: Open, paces: dict[str, float]) -> None:
    with show(wipe=f"{FOUR[0]},{FOUR[2]}", loop=1) as seen:
        press(seen, "k")
        settled(seen, "playing")
        seen.page.wait_for_timeout(300)
        assert max(measured(seen, paces, 1).times) < FRAME


# -- videos that are not there, cannot be read, or do not come -------------------------------------------------------


def note(seen: Seen, name: str) -> str:
    return str(seen.page.locator(f".tile[data-track='{name}'] .tile-note").inner_text())


def file_of(board: VideoBoard, model: str, sample: str) -> Path:
    return board.root / "results" / model / str(board.details(model)[sample]["edit"]["video"])


@contextmanager
def replaced(path: Path, content: bytes | None) -> Iterator[None]:
    """A file with other bytes, or without any; links to the same clip keep theirs."""
    kept = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(kept)


BROKEN = {"missing": None, "empty": b"", "no video": b"not a video" * 999, "cut off": 1500}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_video_that_cannot_be_played_says_so_and_the_others_play(
    browser: Browser, board: VideoBoard, sample: str, paces: dict[str, float], content: bytes | int | None
) -> None:
    path = file_of(board, FOUR[0], sample)
    given = path.read_bytes()[:content] if isinstance(content, int) else content
    address = page.address(board.folder, board.route(sample, FOUR, loop=1))
    with replaced(path, given), page.opened(browser, address) as seen:
        settled(seen)
        seen.page.wait_for_selector(f".tile[data-track='{FOUR[0]}'][data-state=failed]")
        assert note(seen, FOUR[0]).startswith("The video does not play:")
        press(seen, "k")
        settled(seen, "playing")
        others = {name: value for name, value in paces.items() if name != FOUR[0]}
        seen.page.wait_for_timeout(500)
        assert max(measured(seen, others, 1).times) < FRAME
        assert frame(seen) > 5


def test_without_the_source_the_edits_are_still_in_step(
    browser: Browser, board: VideoBoard, sample: str, paces: dict[str, float]
) -> None:
    source = next(one["source"] for one in board.data["samples"] if one["id"] == sample)
    models = [FOUR[1], FOUR[2]]
    address = page.address(board.folder, board.route(sample, models, loop=1))
    with replaced(board.root / BENCH / source, None), page.opened(browser, address) as seen:
        settled(seen)
        press(seen, "k")
        settled(seen, "playing")
        seen.page.wait_for_timeout(500)
        assert max(measured(seen, {name: paces[name] for name in models}, 1).times) < FRAME


class _Slow(SimpleHTTPRequestHandler):
    """A server that holds one file back until it is told to go on."""

    held = "nothing"
    go_on = threading.Event()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.held in self.path:
            self.go_on.wait(30)
        with suppress(BrokenPipeError, ConnectionResetError):
            super().do_GET()


@contextmanager
def holding(root: Path, part: str) -> Iterator[tuple[str, threading.Event]]:
    class Handler(_Slow):
        held = part
        go_on = threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", Handler.go_on
    finally:
        Handler.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_video_that_does_not_come_holds_nobody_up_for_ever_and_joins_when_it_comes(
    browser: Browser, board: VideoBoard, sample: str, paces: dict[str, float]
) -> None:
    with holding(board.root, f"results/{FOUR[0]}/videos") as (server, go_on):
        url = f"{server}{board.folder.relative_to(board.root).as_posix()}/index.html"
        with page.opened(browser, url + board.route(sample, FOUR, loop=1)) as seen:
            settled(seen)
            assert note(seen, FOUR[0]) == "still loading; the others do not wait"
            press(seen, "k")
            settled(seen, "playing")
            go_on.set()
            seen.page.wait_for_selector(f".tile[data-track='{FOUR[0]}'][data-state=ready]")
            seen.page.wait_for_timeout(600)
            settled(seen, "playing")
            assert max(measured(seen, paces, 1).times) < FRAME
            seen.expect_clean()


def test_a_video_that_runs_dry_says_so_and_the_others_go_on_until_it_has_data_again(
    show: Open, paces: dict[str, float]
) -> None:
    with show(loop=1) as seen:
        press(seen, "k")
        settled(seen, "playing")
        seen.page.evaluate(
            "Object.defineProperty(document.querySelectorAll('video')[1], 'readyState', {get: () => 2, configurable: true})"
        )
        seen.page.wait_for_selector(f".tile[data-track='{FOUR[0]}'][data-state=stalled]")
        assert note(seen, FOUR[0]) == "The video has stalled; the others go on."
        settled(seen, "playing")
        others = {name: value for name, value in paces.items() if name != FOUR[0]}
        seen.page.wait_for_timeout(300)
        assert max(measured(seen, others, 1).times) < FRAME
        seen.page.evaluate("delete document.querySelectorAll('video')[1].readyState")
        seen.page.wait_for_selector(f".tile[data-track='{FOUR[0]}'][data-state=ready]")
        seen.page.wait_for_timeout(500)
        settled(seen, "playing")
        assert max(measured(seen, paces, 1).times) < FRAME


def test_leaving_a_sample_lets_go_of_its_videos(show: Open) -> None:
    with show() as seen:
        seen.page.evaluate("window.held = [...document.querySelectorAll('video')]")
        seen.go("#/samples")
        seen.page.wait_for_selector("table.samples")
        left = seen.page.evaluate("held.map(v => [v.paused, v.hasAttribute('src'), v.networkState, v.readyState])")
        assert left == [[True, False, 0, 0]] * 5
