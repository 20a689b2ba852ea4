"""All that is derived in a repository of boards, made again: score tables, flags, boards. Nothing is written.

Evidence is read where it lies, and only what `belonging` found to be plain small files. A result that cannot be scored is
named and left out, so that one damaged file does not hide the state of all other boards. Figures are not drawn: they differ
from machine to machine, so there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sparkle_bench import leaderboard
from sparkle_bench.errors import SparkleError, StoreError, printable
from sparkle_bench.records import MOST_REPEATS
from sparkle_bench.store import Store
from sparkle_bench.verification.belonging import Tree, unread_prompts

RUBBISH = (SparkleError, OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a damaged or made-up result may raise."""
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
    """
    work = _Work(kept=kept, tree=tree)
    shut, notes = [*tree.unread, *unread_prompts(kept)], work.path(kept.judged_here_path())
    for model in tree.models():
        if f"results/{model}/run.json" in tree.files:
            _score(work, model, [path for path in shut if path.startswith((f"results/{model}/", "prompts", notes))])
    boards = _boards(work)
    return Rebuilt(files=work.files, boards=boards, damaged=work.damaged, spoilt=work.spoilt)


def _score(work: _Work, model: str, shut: Sequence[str]) -> None:
    """Score one result under each of its judges, unless something that it stands on must not be opened."""
    for key in work.tree.judge_keys(model):
        if f"results/{model}/judged/{key}/judge.json" not in work.tree.files:
            continue
        if shut:
            work.damaged[model, key] = f"{printable(shut[0])} is not read"
            continue
        try:
            _score_by(work, model, key)
        except RUBBISH as error:
            text = str(error) if isinstance(error, SparkleError) else f"{type(error).__name__}: {error}"
            text = text.removeprefix(f"results/{model} cannot be scored: ")
            work.damaged[model, key] = printable(text.replace(f"{work.kept.root}/", ""))


def _score_by(work: _Work, model: str, key: str) -> None:
    repeats = (work.kept.read_judge(model, key) or {}).get("repeats")
    if type(repeats) is not int or not 1 <= repeats <= MOST_REPEATS:  # a table of so many rows would fill the memory
        raise StoreError(
            f"judge.json asks for {printable(repeats, limit=20)} repeats; 1 to {MOST_REPEATS} are believed"
        )
    entry = leaderboard.read_entry(work.kept, model, key)
    work.groups.setdefault((str(entry.run["benchmark"]["name"]), key), []).append(entry)
    work.files |= {f"results/{model}/judged/{key}/{name}": text for name, text in (entry.texts or {}).items()}


def _boards(work: _Work) -> frozenset[str]:
    """Make the boards' texts and the page that links to them; return the boards' folders."""
    folders, boards = [], []
    for (benchmark, key), entries in sorted(work.groups.items()):
        folder = work.path(work.kept.board_dir(benchmark, key))
        folders.append(folder)
        try:
            board = leaderboard.ranked_board(benchmark, key, entries)
            work.files |= {f"{folder}/{name}": text for name, text in leaderboard.texts(board).items()}
            boards.append(board)
        except RUBBISH as error:
            work.spoilt[folder] = printable(error)
    if boards:
        _index(work, boards)
    return frozenset(folders)


def _index(work: _Work, boards: Sequence[leaderboard.Board]) -> None:
    """Make the files that link to all boards, unless the quoted scores on them cannot be read."""
    index = work.kept.boards_index()
    shut = [path for path in work.tree.unread if path.startswith("leaderboards/published")]
    try:
        if shut:
            raise StoreError(f"{printable(shut[0])} is not read")
        made = leaderboard.index_texts(boards, leaderboard.read_published(work.kept.root))
        work.files |= {work.path(index.with_name(name)): text for name, text in made.items()}
    except RUBBISH as error:
        work.spoilt[work.path(index)] = printable(str(error).replace(f"{work.kept.root}/", ""))
