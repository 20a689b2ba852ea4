"""The command that rebuilds boards, publishes them as a folder, and keeps them up to date: `leaderboard`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt
from sparkle_bench.cli import road
from sparkle_bench.cli.progress import Progress

if TYPE_CHECKING:
    from sparkle_bench.bundle import Bundled, Wish
    from sparkle_bench.leaderboard import Board
    from sparkle_bench.store import Store

LEFT_OUT_SHOWN = 3
SOURCE = "source"
REMINDER = (
    "before you publish it: the videos are others' works (sources derived from OpenVE-3M); check that you may show them"
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kMGT]?)(i?)B?", re.IGNORECASE)


def _bytes(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise click.BadParameter(f"{text!r} is no size, such as 900MB, 2GB or 500000000")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " kmgt".index(found[2].lower() or " "))


@click.command("leaderboard")
@opt.root
@click.option("--bundle", "folder", type=opt.FOLDER, metavar="DIR", help="Also write a folder to publish, with videos.")
@click.option(
    "--bundle-size", callback=_bytes, metavar="SIZE", help="The bundle has no more than this.  [default: 900MB]"
)
@click.option(
    "--bundle-videos",
    type=click.Choice(["all", "none"]),
    help="Whether the bundle holds videos.  [default: all]",
)
@click.option(
    "--models",
    multiple=True,
    callback=opt.models,
    metavar="a,b,…",
    help="Bundle the edits of these models.  [default: all]",
)
@opt.some_samples
@click.option("--watch", is_flag=True, help="Go on, and rebuild as results arrive, until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.05),
    callback=opt.seconds,
    metavar="SECONDS",
    help="How often to look for new results.  [default: 2]",
)
@opt.as_json
@opt.one_line_errors
def leaderboard(root: Path, as_json: bool, **given: Any) -> None:
    """Rebuild every board from results/ alone: CSV, JSON, Markdown, LaTeX, figures and a page.

    With --bundle also as a folder to publish on GitHub Pages or as a static Space: videos are copied, or made smaller until
    all fit, and every link is relative. --models, --theme, --only and --limit choose its videos, not its rows. Run again, it
    makes only what is new. Exit code 3: the bundle is made, but videos that are here could not be taken.
    """
    from sparkle_bench.store import Store

    _check_usage(given)
    bench: Path = given["bench"]
    making = _Making(
        store=Store(root=root),
        bench=bench if bench.is_dir() else None,
        wish=_wish(given) if given["folder"] else None,
        as_json=as_json,
    )
    if making.wish is not None:
        from sparkle_bench.bundle import check

        check(making.store, making.wish)  # before the work, not after it
    if given["watch"]:
        _watch(making, given["every"] or 2.0)
        return
    boards = _rebuilt(making)
    if not boards:
        raise _nothing(root)
    bundled = _bundled(making, boards)
    _say(making, boards, bundled)
    sys.exit(3 if bundled and bundled.left_out else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """What the command makes, once or again and again."""

    store: Store
    bench: Path | None
    wish: Wish | None
    as_json: bool


def _check_usage(given: dict[str, Any]) -> None:
    for_bundles = {
        "--bundle-size": given["bundle_size"],
        "--bundle-videos": given["bundle_videos"],
        "--models": given["models"],
        "--theme": given["themes"],
        "--only": given["ids"],
        "--limit": given["limit"],
    }
    lost = [name for name, value in for_bundles.items() if value]
    if lost and given["folder"] is None:
        raise click.UsageError(f"{lost[0]} chooses what a bundle holds; it goes with --bundle DIR")
    if given["every"] is not None and not given["watch"]:
        raise click.UsageError("--every goes with --watch")


def _wish(given: dict[str, Any]) -> Wish:
    from sparkle_bench.benchmark import Selection
    from sparkle_bench.bundle import DEFAULT_BYTES, Wish

    return Wish(
        folder=given["folder"],
        bench=given["bench"] if given["bench"].is_dir() else None,
        models=given["models"],
        selection=Selection(themes=given["themes"], ids=given["ids"], limit=given["limit"]),
        videos=given["bundle_videos"] != "none",
        most_bytes=given["bundle_size"] or DEFAULT_BYTES,
        workers=road.processors(),
    )


def _nothing(root: Path) -> Exception:
    from sparkle_bench.errors import StoreError

    return StoreError(
        f"no judged results under {root / 'results'}; run `sparkle-bench eval` or `sparkle-bench judge` first"
    )


def _rebuilt(making: _Making) -> list[Board]:
    from sparkle_bench import leaderboard as boards

    return boards.rebuild(making.store, sources=making.bench)


def _bundled(making: _Making, boards: Sequence[Board]) -> Bundled | None:
    """Write the bundle, if one is wanted, with its progress shown."""
    from sparkle_bench.bundle import bundle

    if making.wish is None:
        return None
    progress = Progress("videos")
    try:
        return bundle(making.store, boards, making.wish, progress)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(progress.summary()) from stop
    finally:
        progress.stop()


# -- what is said ----------------------------------------------------------------------------------------------------


def _say(making: _Making, boards: Sequence[Board], bundled: Bundled | None) -> None:
    paths = [str(making.store.board_dir(b.benchmark, b.judge_key) / "index.html") for b in boards]
    if making.as_json:
        click.echo(json.dumps({"boards": paths, **_data(bundled)}, indent=2))
        return
    lines = [f"{path}  {len(board.rows)} models" for path, board in zip(paths, boards, strict=True)]
    click.echo("\n".join([*lines, *_lines(making, bundled)]))


def _data(bundled: Bundled | None) -> dict[str, Any]:
    if bundled is None:
        return {}
    left_out = [{"model": one.model, "sample_id": one.sample_id, "why": one.why} for one in bundled.left_out]
    data = {
        "folder": str(bundled.folder),
        "clips": bundled.clips,
        "videos": bundled.videos,
        "made": bundled.made,
        "left_out": left_out,
        "absent": bundled.absent,
        "level": bundled.level,
        "bytes": bundled.bytes,
        "removed": bundled.removed,
    }
    return {"bundle": data}


def _lines(making: _Making, bundled: Bundled | None) -> list[str]:
    if bundled is None or making.wish is None:
        return []
    lines = [f"{bundled.folder / 'index.html'}  {_summary(bundled)}"]
    if making.wish.videos and making.wish.bench is None:
        lines.append("  the sources are not in it: there is no benchmark here; name its folder with --bench DIR")
    if bundled.absent:
        lines.append(f"  {bundled.absent} videos are not here and so not in it")
    lines += _left_out(bundled)
    return [*lines, f"  {REMINDER}"] if bundled.videos else lines


def _summary(bundled: Bundled) -> str:
    size = f"{bundled.bytes / 1e6:,.1f} MB"
    level = f", larger ones brought down to {bundled.level // 1000} kB each" if bundled.level else ""
    return f"{size}, {_many(bundled.clips, 'clip')} in {_many(bundled.videos, 'file')} ({bundled.made} new){level}"


def _left_out(bundled: Bundled) -> list[str]:
    from sparkle_bench.errors import printable

    first = bundled.left_out[:LEFT_OUT_SHOWN]
    lines = [f"  left out: {printable(f'{one.model or SOURCE} {one.sample_id}: {one.why}')}" for one in first]
    rest = len(bundled.left_out) - LEFT_OUT_SHOWN
    return [*lines, f"  and {rest} more"] if rest > 0 else lines


# -- watching --------------------------------------------------------------------------------------------------------


def _watch(making: _Making, every: float) -> None:
    """Rebuild as results arrive, until somebody stops it."""
    from sparkle_bench.leaderboard import watching

    told = _Told(making)
    click.echo(f"watching {making.store.kept()[0]}; Ctrl-C ends it", err=True)
    try:
        watching.watch(lambda: watching.stamps(making.store), told.rebuild, watching.Pace(seconds=every))
    except KeyboardInterrupt:
        click.echo(f"stopped watching after {_many(told.count, 'rebuild')}", err=True)


class _Told:
    """Rebuilds and says so, a line each time; the same trouble is told once."""

    def __init__(self, making: _Making) -> None:
        self._making = making
        self._trouble = ""
        self.count = 0

    def rebuild(self, changed: Sequence[str]) -> bool:
        """Rebuild all that is wanted; return whether that was possible."""
        from sparkle_bench.errors import SparkleError, printable

        try:
            boards = _rebuilt(self._making)
            bundled = _bundled(self._making, boards) if boards else None
        except (SparkleError, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                click.echo(f"{_clock()}  not rebuilt, trying again: {printable(error)}", err=True)
            return False
        self._trouble = ""
        self.count += 1
        if self._making.as_json:
            data = {"boards": len(boards), "changed": list(changed), **_data(bundled)}
            click.echo(json.dumps({"time": _now().isoformat(timespec="seconds"), **data}))
        else:
            click.echo(f"{_clock()}  {printable(self._line(boards, changed, bundled), limit=1000)}")
        return True

    def _line(self, boards: Sequence[Board], changed: Sequence[str], bundled: Bundled | None) -> str:
        from sparkle_bench.errors import listed

        if not boards:
            return "no judged results yet"
        words = [f"{_many(len(boards), 'board')}, {_many(sum(len(board.rows) for board in boards), 'row')}"]
        words += [f"bundle {_summary(bundled)}"] if bundled else []
        words += [f"{_many(len(bundled.left_out), 'video')} left out"] if bundled and bundled.left_out else []
        words += [f"changed: {listed(list(changed))}"] if changed else []
        return "; ".join(words)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _clock() -> str:
    return f"{_now():%H:%M:%S}"


def _now() -> datetime:
    return datetime.now().astimezone()
