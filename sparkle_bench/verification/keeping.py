"""A repository that keeps boards, checked as a whole: every entry against its evidence, every board against the entries.

Made for a pull request's CI: no video, no judge, no network, and nothing is written. Boards are made again, and their tables
and pages must be byte for byte those that are kept. Figures only have to be there, for renderers and fonts differ between
machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sparkle_bench import asked, leaderboard
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import StoreError, listed, printable
from sparkle_bench.store import Store
from sparkle_bench.verification import belonging, comparing
from sparkle_bench.verification.belonging import Tree
from sparkle_bench.verification.evidence import verify, videos_of_all
from sparkle_bench.verification.findings import Difference
from sparkle_bench.verification.rebuilding import RUBBISH, Rebuilt, rebuild

_PNG, _SVG = b"\x89PNG\r\n\x1a\n", b"<?xml"
WRITE = "run `sparkle-bench leaderboard` and keep what it writes"
MOST_OF_EVIDENCE = 20
"""Differences named of one entry's evidence; the rest is counted."""
_ACTIVE = re.compile(
    rb"<\s*(?:script|foreignobject|iframe|object|embed|animate|set)|<!entity|[\s/]on[a-z]+\s*=|javascript:"
    rb"|href\s*=\s*[\"'](?!#|data:image/)",
    re.IGNORECASE,
)
"""What no figure of matplotlib's holds: something that runs, or that leads elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One entry or one board of the repository.

    Attributes:
        name: Its folder, such as `results/my-model`.
        differences: What is not as it should be; the first is the gravest.
        incomplete: What is missing, one line each; such a row stands unranked, which is no difference.
        signs: What a person should look at; it is no difference.
        notes: What could not be looked at.
    """

    name: str
    differences: tuple[Difference, ...] = ()
    incomplete: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all is as it should be."""
        return not self.differences

    def lines(self) -> list[str]:
        """Return a line with `ok` or the first difference, then the others and the signs, indented."""
        texts = [f"{wrong.where}: {wrong.what}" for wrong in self.differences]
        first = texts[0].removeprefix(f"{self.name}/") if texts else "ok"
        return [
            f"{self.name}: {first}",
            *(f"  {text}" for text in texts[1:]),
            *(f"  incomplete: {text}" for text in self.incomplete),
            *(f"  sign: {sign}" for sign in self.signs),
        ]

    def to_data(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "name": self.name,
            "ok": self.ok,
            "differences": [{"where": wrong.where, "what": wrong.what} for wrong in self.differences],
            "incomplete": list(self.incomplete),
            "signs": list(self.signs),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBoards:
    """All that was found of a repository.

    Attributes:
        entries: Its results, sorted.
        boards: Its boards, sorted; those that should be there too.
        others: What else lies in the two folders and should not.
        notes: What was not looked at.
    """

    entries: tuple[Kept, ...]
    boards: tuple[Kept, ...]
    others: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no difference anywhere."""
        return not self.others and all(kept.ok for kept in (*self.entries, *self.boards))

    @property
    def count(self) -> int:
        """The number of differences."""
        return len(self.others) + sum(len(kept.differences) for kept in (*self.entries, *self.boards))

    def lines(self) -> list[str]:
        """Return what to print."""
        kept = [line for each in (*self.entries, *self.boards) for line in each.lines()]
        others = [f"{wrong.where}: {wrong.what}" for wrong in self.others]
        total = f"{len(self.entries)} entries, {len(self.boards)} boards: "
        said = "all as the evidence gives it" if self.ok else f"{self.count} differences"
        return [*kept, *others, *(f"note: {note}" for note in self.notes), total + said]

    def to_data(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "ok": self.ok,
            "entries": [kept.to_data() for kept in self.entries],
            "boards": [kept.to_data() for kept in self.boards],
            "others": [{"where": wrong.where, "what": wrong.what} for wrong in self.others],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What one check has at hand.

    Attributes:
        kept: The repository.
        tree: What lies in it.
        rebuilt: What its evidence gives.
        benchmark: The benchmark's files, if they are here.
        prompts: The root of the repository's own prompts and rules; None if they must not be opened.
        hashes: What is remembered of the hashes of videos.
        videos: The hashes of every result's newest edits.
        words: Words that are known to hold no secret.
    """

    kept: Store
    tree: Tree
    rebuilt: Rebuilt
    benchmark: Benchmark | None
    prompts: Path | None
    hashes: Hashes
    videos: Mapping[str, Mapping[str, str]]
    words: set[str] = field(default_factory=set)


def check(kept: Store, *, benchmark: Benchmark | None = None) -> CheckedBoards:
    """Check a repository that keeps boards; nothing in it is changed.

    Args:
        kept: The repository.
        benchmark: The benchmark's files, to compare the entries' samples with them; None does without.

    Raises:
        StoreError: There is no such repository.
    """
    if not any(top.is_dir() for top in kept.kept()):
        raise StoreError(
            f"{kept.root} has neither results/ nor leaderboards/; name the repository's folder with --root"
        )
    tree = belonging.look(kept)
    case = _Case(
        kept=kept,
        tree=tree,
        rebuilt=rebuild(kept, tree),
        benchmark=benchmark,
        prompts=None if belonging.unread_prompts(kept) else kept.root,
        hashes=kept.hashes(),
        videos=videos_of_all(kept),
    )
    entries = [_entry(case, model) for model in tree.models()]
    boards = [_board(case, name) for name in sorted({*case.rebuilt.boards, *tree.boards()})]
    others = [*_index(case), *_notes_of_judging(case)]
    of_entries = {wrong for entry in entries for wrong in entry.differences}
    of_boards = {wrong for board in boards for wrong in board.differences}
    rest = (wrong for wrong in tree.wrong if wrong not in of_entries | of_boards)
    return CheckedBoards(
        entries=tuple(entries), boards=tuple(boards), others=(*rest, *others), notes=_notes(tree, boards)
    )


def _index(case: _Case) -> list[Difference]:
    """Compare the files that link to all boards, where these can be made."""
    index = case.kept.boards_index().relative_to(case.kept.root)
    if index.as_posix() in case.rebuilt.spoilt:
        return [Difference(where=index.as_posix(), what=f"cannot be rebuilt: {case.rebuilt.spoilt[index.as_posix()]}")]
    if case.rebuilt.damaged or case.rebuilt.spoilt:
        return []
    names = [index.with_suffix(suffix).as_posix() for suffix in (".html", ".md", ".json")]
    return [wrong for name in names for wrong in _compared(case, name)]


def _notes(tree: Tree, boards: list[Kept]) -> tuple[str, ...]:
    notes = ["figures are looked for, not compared: they differ from machine to machine"] if boards else []
    videos = [path for path in tree.local if path.endswith("/videos")]
    if videos:
        notes.append(f"{listed(videos)} lie here; videos are not kept in git")
    return tuple(notes)


# -- entries -----------------------------------------------------------------------------------------------------------


def _entry(case: _Case, model: str) -> Kept:
    """Look at everything that one result says."""
    name = f"results/{model}"
    told_of = Kept(name=name)
    if f"{name}/run.json" not in case.tree.files:
        lost = Difference(where=name, what="has no run.json that can be read; restore it or remove the folder")
        told_of = replace(told_of, differences=(lost,))
    else:
        told_of = _verified(case, model)
    differences = list(told_of.differences)
    if not case.tree.judge_keys(model):
        differences.append(Difference(where=name, what="has no verdicts of any judge; judge it, or leave it out"))
    told = {wrong.where for wrong in differences}
    differences += [wrong for wrong in _derived(case, model) if wrong.where not in told]
    for path in case.tree.files:
        if path.startswith(f"{name}/") and path.endswith((".json", ".jsonl")):
            differences += belonging.look_into(case.kept.root / path, path, case.words)
    strangers = [
        wrong for wrong in _under(case.tree, name) if not (wrong.where in told and wrong.where in case.tree.unread)
    ]
    return replace(told_of, differences=tuple(dict.fromkeys([*differences, *strangers])))


def _verified(case: _Case, model: str) -> Kept:
    """Recompute everything from the evidence, as `sparkle-bench verify` does."""
    try:
        # Signs by comparison with other results are what `verify` is for: their cost grows with the square of the entries.
        found = verify(
            case.kept,
            model,
            benchmark=case.benchmark,
            prompts=case.prompts,
            hashes=case.hashes,
            rivals=0,
            videos=case.videos,
        )
    except RUBBISH as error:
        failed = Difference(where=f"results/{model}", what=f"cannot be verified: {printable(error)}")
        return Kept(name=f"results/{model}", differences=(failed,))
    differences = [
        Difference(where=f"results/{model}/{d.where}", what=d.what) for d in found.differences[:MOST_OF_EVIDENCE]
    ]
    rest = len(found.differences) + found.unlisted - MOST_OF_EVIDENCE
    if rest > 0:
        more = f"{rest} more differences; `sparkle-bench verify results/{model}` names them"
        differences.append(Difference(where=f"results/{model}", what=more))
    signs = [line.removeprefix("sign: ") for line in found.lines(most=MOST_OF_EVIDENCE) if line.startswith("sign: ")]
    return Kept(
        name=f"results/{model}",
        differences=tuple(differences),
        incomplete=found.incomplete,
        signs=tuple(signs),
        notes=found.notes,
    )


def _derived(case: _Case, model: str) -> Iterator[Difference]:
    """Compare `scores.csv` and `flags.csv` with those made again."""
    for key in case.tree.judge_keys(model):
        folder = f"results/{model}/judged/{key}"
        if (model, key) in case.rebuilt.damaged:
            yield Difference(where=folder, what=f"cannot be scored: {case.rebuilt.damaged[model, key]}")
        elif f"{folder}/judge.json" not in case.tree.files:
            yield Difference(where=folder, what="has no judge.json that can be read; restore it or remove the folder")
        elif f"results/{model}/run.json" in case.tree.files:
            for name in leaderboard.DERIVED:
                yield from _compared(case, f"{folder}/{name}")


def _under(tree: Tree, name: str) -> list[Difference]:
    return [wrong for wrong in tree.wrong if wrong.where == name or wrong.where.startswith(f"{name}/")]


def _compared(case: _Case, path: str) -> list[Difference]:
    """Compare a derived file with the one made again."""
    made = case.rebuilt.files.get(path)
    if path not in case.tree.files:
        return [] if made is None or path in case.tree.unread else [Difference(where=path, what=f"is missing; {WRITE}")]
    if made is None:
        return [Difference(where=path, what="is not written from what is here; remove it")]
    found = comparing.differences(Path(path).name, (case.kept.root / path).read_bytes(), made)
    return [Difference(where=path, what=what) for what in found]


def _notes_of_judging(case: _Case) -> list[Difference]:
    """Look at the file that says what was judged here."""
    path = case.kept.judged_here_path()
    where = path.relative_to(case.kept.root).as_posix()
    if where not in case.tree.files:
        return []
    try:
        asked.notes(case.kept)
    except StoreError as error:
        damage = printable(str(error).removeprefix(f"{path} "))
        return [Difference(where=where, what=f"is damaged: {damage}")]
    return belonging.look_into(path, where, case.words)


# -- boards ------------------------------------------------------------------------------------------------------------


def _board(case: _Case, name: str) -> Kept:
    """Compare one board that is there or should be."""
    whole = _as_a_whole(case, name)
    paths = [] if whole else [f"{name}/{file}" for file in leaderboard.FILES]
    differences = [Difference(where=name, what=whole)] if whole else []
    for path in paths:
        differences += (_figure if "/figures/" in path else _compared)(case, path)
    return Kept(name=name, differences=tuple(dict.fromkeys([*differences, *_under(case.tree, name)])))


def _as_a_whole(case: _Case, name: str) -> str:
    """Say why a board's files need not be looked at one by one; empty if they must be."""
    key = name.rpartition("/")[2]
    lacking = [f"results/{model}" for model, of in case.rebuilt.damaged if of == key]
    if lacking:
        return f"is not compared, for {listed(lacking)} cannot be scored"
    if name in case.rebuilt.spoilt:
        return f"cannot be rebuilt: {case.rebuilt.spoilt[name]}"
    if name not in case.tree.folders:
        return f"is missing; {WRITE}"
    return "" if name in case.rebuilt.boards else "has no result any more; remove it, or restore its results"


def _figure(case: _Case, path: str) -> list[Difference]:
    """Make sure that a figure is there and is a picture that runs nothing."""
    if path not in case.tree.files:
        return [] if path in case.tree.unread else [Difference(where=path, what=f"is missing; {WRITE}")]
    content = (case.kept.root / path).read_bytes()
    if not content.startswith(_PNG if path.endswith(".png") else _SVG):
        return [Difference(where=path, what="is no figure; run `sparkle-bench leaderboard`")]
    if path.endswith(".svg") and _ACTIVE.search(content):
        return [Difference(where=path, what="holds a script, an entity or an outside link; a figure holds none")]
    return []
