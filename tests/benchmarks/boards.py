"""What rebuilding boards costs: seconds, processor seconds and memory, on a made-up board of 50 models.

    python -m tests.benchmarks.boards [--models 50] [--samples 458] [--short] [--videos] [--page]

50 models x 458 samples x 3 repeats (`--short`: 12 x 100 x 3). Each line is a process of its own; the files have just been
written, so the disk is not what is measured. Before them a tiny board is built, for what any rebuilding costs (imports,
fonts). The bare loop reads all judgments with `json.loads` and keeps none. Nothing fails for its time: goals that were
missed are said.

`--videos` links small real videos into every place. `--page` opens the board's `index.html` from disk in Chromium, five
times with nothing kept; it needs the package `playwright` and `/usr/bin/chromium`. Usable is when the page sets `data-ready`
of its root to 1.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sparkle_bench
from sparkle_bench.leaderboard import rebuild
from sparkle_bench.records import Judgment
from sparkle_bench.rubric import Scores
from sparkle_bench.store import Store
from tests.benchmarks import watched
from tests.benchmarks.watched import Ran
from tests.cli import COMMAND
from tests.made_results import KEYS, Made, names, write

GOAL_LINES, GOAL_SECONDS, GOAL_MB, GOAL_PAGE = 60_000, 10.0, 500.0, 2000.0
BUSY = 0.2
"""Of the processors: so much used by others makes seconds say little."""
CHROMIUM = Path("/usr/bin/chromium")
TIMES, PATIENCE = 5, 10.0
PACKAGE = Path(sparkle_bench.__file__).parent
PROCESSORS = len(os.sched_getaffinity(0))
SHARES = "shares.json"
BARE = """
import json, sys
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        for line in file:
            json.loads(line)
"""
READY = """
window.sparkleTimes = {};
const look = () => {
  if (document.documentElement?.dataset.ready === "1") window.sparkleTimes.ready ??= performance.now();
};
new MutationObserver(look).observe(document, {attributes: true, childList: true, subtree: true});
window.addEventListener("load", () => { window.sparkleTimes.load = performance.now(); look(); });
"""
"""Noted inside the page, in milliseconds from navigation, so that the way to and from the browser does not count."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A made-up board on disk."""

    root: Path
    made: Made

    @property
    def judgments(self) -> list[Path]:
        """All files of judgments."""
        return sorted(self.root.glob("results/*/judged/*/judgments.jsonl"))

    @property
    def lines(self) -> int:
        """How many judgments there are."""
        return sum(path.read_bytes().count(b"\n") for path in self.judgments)

    def rebuild(self) -> Ran:
        """Run the command as a user does."""
        return watched.run([*COMMAND, "leaderboard", "--root", self.root], Path.cwd())

    def afresh(self) -> Ran:
        """The same with nothing that is derived or remembered."""
        self.forget()
        return self.rebuild()

    def forget(self) -> None:
        """Remove all that is derived or remembered."""
        for folder in (self.root / "results" / ".cache", self.root / "leaderboards"):
            shutil.rmtree(folder, ignore_errors=True)
        for path in self.root.glob("results/*/judged/*/*.csv"):
            path.unlink()

    def bare_loop(self) -> Ran:
        """Read all judgments and do nothing else."""
        return watched.run([sys.executable, "-c", BARE, *self.judgments], Path.cwd())

    def shares(self) -> dict[str, float]:
        """Rebuild from nothing under a profiler, and return the share of each part of the package."""
        watched.run([sys.executable, "-m", "tests.benchmarks.boards", "--profile", self.root], Path.cwd())
        found: dict[str, float] = json.loads((self.root / SHARES).read_text())
        return found

    def append_verdict(self) -> None:
        """Let one model have one verdict more: that of its last edit, given again."""
        store, model, key = Store(root=self.root), names(self.made)[1], self.made.judges[0]
        edit = [edit for edit in store.edits(model).values() if edit.ok][-1]
        scores = Scores(marks=dict.fromkeys(KEYS, 3))
        again = Judgment(sample_id=edit.sample_id, edit_sha256=edit.sha256 or "", reply="Again.", scores=scores)
        store.append_judgment(model, key, again)


def main() -> int:
    """Measure and print a line for each kind of work."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.boards")
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--samples", type=int, default=458)
    for name in ("--short", "--videos", "--page"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--profile", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.profile:
        _parts(Path(given.profile))
        return 0
    made = Made(models=12, samples=100) if given.short else Made(models=given.models, samples=given.samples)
    print(f"{made.models} models x {made.samples} samples x {made.repeats} repeats, {PROCESSORS} processors")
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), made, videos=given.videos)
        if given.page:
            _open_pages(Path(folder) / "full" / "leaderboards")
    return 0


def _measure(folder: Path, made: Made, *, videos: bool) -> None:
    tiny = _placed(folder / "tiny", Made(models=2, samples=8))
    tiny.rebuild()  # fonts and compiled code, once
    start = tiny.afresh()
    _print("tiny board: what is paid anyway", start)
    full = _placed(folder / "full", Made(models=made.models, samples=made.samples, videos=videos))
    bare = full.bare_loop()
    _print(f"bare loop over {full.lines} judgments", bare)
    cold = full.afresh()
    _print("rebuilt from nothing", cold, goal=full.lines >= GOAL_LINES)
    _print("again, nothing changed", full.rebuild())
    full.append_verdict()
    _print("again, one verdict more in one model", full.rebuild())
    third = _placed(folder / "third", Made(models=max(3, made.models // 3), samples=made.samples))
    few = third.afresh()
    _print(f"from nothing, {third.lines} judgments ({third.made.models} models)", few)
    measured = _placed(folder / "signals", Made(models=made.models, samples=made.samples, signals=True))
    _print("from nothing, with signals of every edit", measured.afresh())
    print(f"\nprocessor seconds, rebuilt / bare loop: {cold.cpu / bare.cpu:.1f}")
    growth = (cold.cpu - start.cpu) / (few.cpu - start.cpu)
    print(
        f"linear: {full.lines / third.lines:.2f} times the judgments take {growth:.2f} times the processor seconds "
        f"(less the tiny board's), {cold.peak / few.peak:.2f} times the memory"
    )
    print("\nshares of rebuilding from nothing, by cProfile in the first process (it slows small functions most):")
    for unit, share in full.shares().items():
        print(f"  {unit:<40} {share:6.1%}")


def _placed(root: Path, made: Made) -> Place:
    write(root, made)
    return Place(root=root, made=made)


def _print(what: str, ran: Ran, *, goal: bool = False) -> None:
    missed = [
        f"goal missed: {measured:.1f} > {most:g} {unit}"
        for measured, most, unit in ((ran.seconds, GOAL_SECONDS, "s"), (ran.peak, GOAL_MB, "MB"))
        if goal and measured > most
    ]
    missed += ["on a busy machine"] if missed and ran.others > BUSY else []
    print(
        f"{what:<58} {ran.seconds:6.2f} s  {ran.cpu:6.2f} processor s  peak {ran.peak:5.0f} MB  "
        f"others used {ran.others:4.0%}  {'; '.join(missed)}",
        flush=True,
    )


# -- in a process of its own ----------------------------------------------------------------------------------------


def _parts(root: Path) -> None:
    Place(root=root, made=Made()).forget()
    profile = cProfile.Profile()
    profile.enable()
    rebuild(Store(root=root))
    profile.disable()
    (root / SHARES).write_text(json.dumps(dict(_shares(profile))))


def _shares(profile: cProfile.Profile) -> Iterator[tuple[str, float]]:
    """Yield the units of the package with their share, the largest first; what they call elsewhere is theirs.

    A unit's time includes that of the units that it calls in turn, so shares overlap: `store` holds `disk` and `records`.
    """
    entries: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    spent: Counter[str] = Counter()
    for (file, _, name), (_, _, _, _, callers) in entries.items():
        unit = _unit(file)
        for (caller, _, _), (_, _, _, seconds) in callers.items():
            if unit and _unit(caller) != unit and not name.startswith("<"):
                spent[unit] += seconds
    whole = sum(own for _, _, own, _, _ in entries.values())
    for unit, seconds in spent.most_common():
        if seconds / whole >= 0.005:
            yield unit, seconds / whole


def _unit(file: str) -> str:
    """Return which module or package of the first level a file belongs to; empty outside the package."""
    path = Path(file)
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py") if path.is_relative_to(PACKAGE) else ""


# -- the page --------------------------------------------------------------------------------------------------------


def _open_pages(boards: Path) -> None:
    """Open every board's page from disk and print how long it takes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for page in sorted(boards.glob("*/*/index.html")):
            size = sum(path.stat().st_size for path in page.parent.rglob("*") if path.is_file())
            print(f"\n{page.relative_to(boards)}: {page.stat().st_size / 1e6:.2f} MB, its folder {size / 1e6:.1f} MB")
            found = [_opened(browser, page, PATIENCE)]
            patience = PATIENCE if "ready" in found[0] else 0.5  # what has no such mark gets none later
            _print_page(found + [_opened(browser, page, patience) for _ in range(TIMES - 1)])
        browser.close()


def _opened(browser: Any, page: Path, patience: float) -> dict[str, float]:
    """Return when one fresh opening was loaded and usable, in milliseconds from navigation, and how many elements it has."""
    context = browser.new_context(viewport={"width": 1366, "height": 900})
    tab = context.new_page()
    tab.add_init_script(READY)
    tab.goto(page.as_uri(), wait_until="load", timeout=60_000)
    begun = time.monotonic()
    times: dict[str, float] = {}
    while "ready" not in times and time.monotonic() - begun < patience:
        times = tab.evaluate("window.sparkleTimes")  # `wait_for_function` needs what the page's policy forbids
        time.sleep(0.05)
    times["elements"] = tab.evaluate("document.querySelectorAll('*').length")
    context.close()
    return times


def _print_page(found: list[dict[str, float]]) -> None:
    loads, ready = [times["load"] for times in found], [times["ready"] for times in found if "ready" in times]
    elements = f"{found[0]['elements']:.0f} elements"
    print(f"  to load: {statistics.median(loads):.0f} ms ({min(loads):.0f} to {max(loads):.0f}), {elements}")
    if len(ready) < len(found):
        print(f"  no sign that it is usable (data-ready=1) within {PATIENCE:g} s")
        return
    missed = f"  goal missed: > {GOAL_PAGE:g} ms" if statistics.median(ready) > GOAL_PAGE else ""
    print(f"  to usable: {statistics.median(ready):.0f} ms ({min(ready):.0f} to {max(ready):.0f}){missed}")


if __name__ == "__main__":
    sys.exit(main())
