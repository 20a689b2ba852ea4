"""All that is derived in a repository of boards, made again beside it: score tables, flags, boards. Nothing in it is written.

A result's evidence is copied to a scratch folder, scored there, and the copy is removed again, one result at a time. A result
that cannot be scored is named and left out, so that one damaged file does not hide the state of all other boards. Figures
are not drawn: they differ from machine to machine, so there is nothing to compare.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkle_bench import leaderboard, report
from sparkle_bench.errors import SparkleError, StoreError, printable
from sparkle_bench.store import Store
from sparkle_bench.verification.belonging import Tree, prompts
from sparkle_bench.verification.judged import MOST_REPEATS

RUBBISH = (SparkleError, OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a damaged or made-up result may raise."""
DERIVED = ("scores.csv", "flags.csv")
TEXTS = tuple(name for name in leaderboard.FILES if not name.startswith("figures/"))
Groups = dict[tuple[str, str], list[leaderboard.Entry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What the evidence in a repository gives.

    Attributes:
        files: Every derived file but figures, by its path under the root.
        boards: The boards' folders.
        damaged: Results that cannot be scored: (model, judge key) and why.
        spoilt: Boards that cannot be made although their results can be scored, and why.
    """

    files: Mapping[str, bytes]
    boards: frozenset[str]
    damaged: Mapping[tuple[str, str], str]
    spoilt: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class _Work:
    """What was made so far."""

    kept: Store
    tree: Tree
    files: dict[str, bytes] = field(default_factory=dict)
    damaged: dict[tuple[str, str], str] = field(default_factory=dict)
    spoilt: dict[str, str] = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)

    def path(self, file: Path) -> str:
        """Return a file's path under the root."""
        return file.relative_to(self.kept.root).as_posix()


def rebuild(kept: Store, tree: Tree) -> Rebuilt:
    """Make everything derived again.

    Args:
        kept: The repository.
        tree: What lies in it.

    Raises:
        OSError: The scratch folder cannot be written.
    """
    work = _Work(kept=kept, tree=tree)
    for model in tree.models():
        if f"results/{model}/run.json" in tree.files:
            with tempfile.TemporaryDirectory(prefix="sparkle-check-") as scratch:
                _score(work, model, Store(root=Path(scratch)))
    boards = _boards(work)
    return Rebuilt(files=work.files, boards=boards, damaged=work.damaged, spoilt=work.spoilt)


def _score(work: _Work, model: str, copy: Store) -> None:
    """Score one result under each of its judges."""
    folder = f"results/{model}/"
    shut = [path for path in work.tree.unread if path.startswith(folder)]
    paths = [path for path in work.tree.files if path.startswith(folder) and path.endswith((".json", ".jsonl"))]
    for path in [*paths, *prompts(work.kept)] if not shut else []:
        target = copy.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(work.kept.root / path, target)
    for key in work.tree.judge_keys(model):
        if f"{folder}judged/{key}/judge.json" not in work.tree.files:
            continue
        if shut:
            work.damaged[model, key] = f"{printable(shut[0])} is not read"
            continue
        try:
            _score_by(work, model, key, copy)
        except RUBBISH as error:
            text = str(error) if isinstance(error, SparkleError) else f"{type(error).__name__}: {error}"
            text = text.removeprefix(f"results/{model} cannot be scored: ")
            work.damaged[model, key] = printable(text.replace(f"{copy.root}/", ""))


def _score_by(work: _Work, model: str, key: str, copy: Store) -> None:
    repeats = (copy.read_judge(model, key) or {}).get("repeats")
    if type(repeats) is not int or not 1 <= repeats <= MOST_REPEATS:  # a table of so many rows would fill the memory
        raise StoreError(
            f"judge.json asks for {printable(repeats, limit=20)} repeats; 1 to {MOST_REPEATS} are believed"
        )
    entry = leaderboard.read_entry(copy, model, key)
    benchmark = str(entry.run["benchmark"]["name"])
    work.kept.board_dir(benchmark, key)  # refuses a name that cannot be a folder's
    work.groups.setdefault((benchmark, key), []).append(entry)
    for name in DERIVED:
        made = copy.judged_dir(model, key) / name
        if made.is_file():
            work.files[f"results/{model}/judged/{key}/{name}"] = made.read_bytes()


def _boards(work: _Work) -> frozenset[str]:
    """Make the boards' texts and the page that links to them; return the boards' folders."""
    folders, boards = [], []
    for (benchmark, key), entries in sorted(work.groups.items()):
        folder = work.path(work.kept.board_dir(benchmark, key))
        folders.append(folder)
        try:
            board = leaderboard.ranked_board(benchmark, key, entries)
            work.files |= {f"{folder}/{name}": text for name, text in _texts(board).items()}
            boards.append(board)
        except RUBBISH as error:
            work.spoilt[folder] = printable(error)
    if boards:
        work.files[work.path(work.kept.boards_index())] = report.index(boards).encode()
    return frozenset(folders)


def _texts(board: leaderboard.Board) -> dict[str, bytes]:
    """Return what `leaderboard` writes of a board, figures apart."""
    table: str = leaderboard.to_frame(board).to_csv(index=False, float_format=f"%.{leaderboard.DIGITS}f")
    texts = (table, leaderboard.to_json(board), report.markdown(board), report.page(board))
    return {name: text.encode() for name, text in zip(TEXTS, texts, strict=True)}
