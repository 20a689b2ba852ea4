"""Seeing that results have changed, by what the file system says of their files; nothing is read, held or locked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sparkle_bench.errors import StoreError

if TYPE_CHECKING:
    from sparkle_bench.store import Store

Stamps = Mapping[tuple[str, str], tuple[int, int]]
"""Size and time of the last change (nanoseconds) of every file, by (model, what it holds)."""

OF_A_MODEL = {"run.json": "settings", "samples.jsonl": "samples", "edits.jsonl": "edits", "signals.jsonl": "signals"}
OF_A_JUDGE = {"judge.json": "judge", "judgments.jsonl": "verdicts"}
PATIENCE = 10
"""Looks after which a change is acted on although more changes come: a judge may write a line a second for hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to look.

    Attributes:
        seconds: From one look to the next.
        wait: Waits so many seconds.
    """

    seconds: float = 2.0
    wait: Callable[[float], object] = time.sleep


def stamps(store: Store) -> Stamps:
    """Return what the file system says of all that boards are made from.

    These are results, the notes of what was judged here, a root's own prompts, and quoted scores.
    """
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for model in store.models():
        try:
            folder = store.model_dir(model)
            _add(found, model, folder, OF_A_MODEL)
            for key in store.judge_keys(model):
                named = {name: f"{what} of {key}" for name, what in OF_A_JUDGE.items()}
                _add(found, model, store.judged_dir(model, key), named)
        except StoreError:  # a name that no result can have: rebuilding will say so
            found[model, "its name"] = (0, 0)
    noted = store.judged_here_path()
    _add(found, "judging", noted.parent, {noted.name: noted.name})
    for path in sorted((store.root / "prompts").rglob("*")):
        _add(found, "prompts", path.parent, {path.name: path.name})
    for path in sorted((store.kept()[1] / "published").glob("*.csv")):
        _add(found, "published", path.parent, {path.name: path.name})
    return found


def _add(found: dict[tuple[str, str], tuple[int, int]], model: str, folder: Path, names: Mapping[str, str]) -> None:
    for name, what in names.items():
        try:
            state = (folder / name).stat()
        except OSError:  # not there, or just being replaced
            continue
        found[model, what] = (state.st_size, state.st_mtime_ns)


def differences(before: Stamps, now: Stamps) -> list[str]:
    """Return what has changed, a line for each model, such as `kiwi: edits, verdicts of made-judge`."""
    models = {model for model, _ in before}, {model for model, _ in now}
    lines = []
    for model in sorted(models[0] | models[1]):
        if model not in models[0]:
            lines.append(f"{model} is new")
        elif model not in models[1]:
            lines.append(f"{model} is gone")
        else:
            keys = sorted(key for key in {*before, *now} if key[0] == model and before.get(key) != now.get(key))
            if keys:
                lines.append(f"{model}: {', '.join(what for _, what in keys)}")
    return lines


def watch(look: Callable[[], Stamps], rebuild: Callable[[Sequence[str]], bool], pace: Pace) -> NoReturn:
    """Rebuild now, and again whenever something has changed and been still from one look to the next; never return.

    Args:
        look: Returns the stamps of now.
        rebuild: Is told what has changed, and returns whether it could rebuild; if not, it is asked again after a while.
        pace: How often to look.
    """
    done = last = look()
    whole = rebuild([])
    waited = 0
    while True:
        pace.wait(pace.seconds)
        now = look()
        if now == done and whole:
            last, waited = now, 0
            continue
        waited += 1
        if (now == last and now != done) or waited >= PATIENCE:
            what = differences(done, now)
            done, waited = now, 0
            whole = rebuild(what)
        last = now
