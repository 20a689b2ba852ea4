"""A board with small real videos for tests of the player and the explorer, and what the player does, measured from outside.

A model's clips come in four kinds (`made_results.KINDS`): 81 frames at 16 and at 15 per second, 77 and 65 at 16; the sources
have 81 at 16. Where a video should be at a position of the source is worked out here from the records alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sparkle_bench.leaderboard import rebuild
from sparkle_bench.store import Store
from tests import made_results
from tests.made_results import BENCH, KINDS, Made
from tests.page import Seen

SOURCE = ".source"
FRAMES, FPS = KINDS[0]
LENGTH = FRAMES / FPS
"""Of the sources, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoBoard:
    """A board on disk.

    Attributes:
        root: Where results, benchmark and boards lie.
        folder: The board's own.
        data: What its page reads.
    """

    root: Path
    folder: Path
    data: Mapping[str, Any]

    @property
    def ids(self) -> list[str]:
        """The samples' ids, in order."""
        return [sample["id"] for sample in self.data["samples"]]

    @property
    def names(self) -> list[str]:
        """The models, as the board ranks them."""
        return [row["model"] for row in self.data["models"]]

    def details(self, model: str) -> dict[str, Any]:
        """What the page reads of each sample of a model."""
        text = (self.folder / "page" / "details" / f"{model}.js").read_text(encoding="ascii")
        found: dict[str, Any] = json.loads("[" + text.partition("(")[2].removesuffix(");\n") + "]")[1]["samples"]
        return found

    def route(self, sample: str, models: Sequence[str] = (), **params: object) -> str:
        """The address of a sample."""
        said = {"models": listed(models), **{name: str(value) for name, value in params.items()}}
        query = "&".join(f"{name}={value}" for name, value in said.items() if value)
        return f"#/sample/{quote(sample, safe='')}" + (f"?{query}" if query else "")

    def edited(self, models: Sequence[str]) -> list[str]:
        """The samples of which all these models have an edit."""
        all_of_them = [self.details(model) for model in models]
        return [name for name in self.ids if all((one[name]["edit"] or {}).get("video") for one in all_of_them)]


def listed(models: Sequence[str]) -> str:
    """Names as they stand in one parameter of an address."""
    return ",".join(quote(quote(name, safe=""), safe="") for name in models)


def made(root: Path, of: Made) -> VideoBoard:
    """Write results with videos, and their board."""
    made_results.write(root, of)
    store = Store(root=root)
    [board] = rebuild(store, sources=root / BENCH)
    folder = store.board_dir(board.benchmark, board.judge_key)
    text = (folder / "page" / "data.js").read_text(encoding="ascii")
    data = json.loads(text.removeprefix("sparkle.board(").removesuffix(");\n"))
    return VideoBoard(root=root, folder=folder, data=data)


# -- the player, from outside ----------------------------------------------------------------------------------------


def pace(edit: Mapping[str, Any]) -> float:
    """Seconds of an edit for one second of its source: frame by frame if it is aligned, else by the share of the length."""
    if edit.get("aligned"):
        return float(FPS / edit["fps"])
    return float(edit["frames"] / edit["fps"] / LENGTH)


def settled(seen: Seen, phase: str = "paused") -> None:
    """Wait until the player plays, or until all its videos rest where they should."""
    seen.page.wait_for_selector(f".player[data-phase={phase}][aria-busy=false]", timeout=20_000)


MEASURE = """([paces, seconds]) => new Promise((resolve) => {
  const player = document.querySelector(".player");
  const videos = Object.keys(paces).map((name) => [name, [...document.querySelectorAll(".tile")]
    .find((tile) => tile.dataset.track === name).querySelector("video")]);
  const found = {drifts: [], shown: []};
  const until = performance.now() + seconds * 1000;
  for (const [name, video] of videos) {
    const note = (_, frame) => {
      found.shown.push({name, at: frame.expectedDisplayTime / 1000, position: frame.mediaTime / paces[name]});
      if (performance.now() < until) video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  }
  const look = () => {
    if (player.getAttribute("aria-busy") === "false") {
      const positions = videos.map(([name, video]) => video.currentTime / paces[name]);
      found.drifts.push(Math.max(...positions) - Math.min(...positions));
    }
    if (performance.now() < until) requestAnimationFrame(look);
    else resolve(found);
  };
  look();
})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far apart videos were, in seconds of the source.

    Attributes:
        times: Of any two videos, by `currentTime`, at every look.
        shown: Of any two videos, by the frames that the browser put on the screen; only while playing at usual speed.
    """

    times: Sequence[float]
    shown: Sequence[float]


def measured(seen: Seen, paces: Mapping[str, float], seconds: float) -> Drift:
    """Watch the videos for a while."""
    found = seen.page.evaluate(MEASURE, [dict(paces), seconds])
    return Drift(times=found["drifts"], shown=_shown_apart(found["shown"]))


def _shown_apart(shown: Sequence[Mapping[str, Any]]) -> list[float]:
    """Compare each frame, when it came up, with the one that each other video had on the screen.

    A frame's position is that of its beginning; how long the other one has been up counts too. The first frame is left out:
    it stands still while videos gather at the beginning of a loop.
    """
    latest: dict[str, Mapping[str, Any]] = {}
    apart = []
    for one in sorted(shown, key=lambda frame: float(frame["at"])):
        for name, other in latest.items():
            gone = float(one["at"]) - float(other["at"])
            if name != one["name"] and min(one["position"], other["position"]) > 0.1 and gone < 0.5:
                difference = abs(one["position"] - other["position"] - gone)
                apart += [difference] if difference < LENGTH / 2 else []
        latest[str(one["name"])] = one
    return apart
