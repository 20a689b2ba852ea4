"""What belongs into a repository that keeps boards, file by file, and what must not stand in its texts. Read-only.

Only plain small files at known places belong there. Whatever else lies in the two folders is named and never opened: a link
may lead anywhere, a pipe may never end. What the program leaves on a machine (videos, locks, memories) is no part of the
repository: it may lie there, but not in git.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkle_bench import discretion
from sparkle_bench.errors import printable
from sparkle_bench.leaderboard import FILES
from sparkle_bench.store import NAME, Store
from sparkle_bench.verification.findings import Difference
from sparkle_bench.verification.reading import LARGEST_RECORDS

LARGEST_KEPT = LARGEST_RECORDS
"""Bytes of a file; GitHub warns of larger ones. 458 samples take about 2 MB a judge."""
MOST_OF_A_FILE = 5
"""Differences named of one file; the rest is counted."""
_N = NAME.pattern
_BOARD = "|".join(map(re.escape, FILES))
BELONGS = re.compile(
    r"(?:results|leaderboards)/(?:README\.md|\.gitignore|\.gitattributes|\.gitkeep)"
    r"|results/judged_here\.jsonl|leaderboards/index\.(?:html|md|json)"
    rf"|leaderboards/published/(?:README\.md|{_N}\.csv)"
    rf"|results/{_N}/(?:run\.json|samples\.jsonl|edits\.jsonl|signals\.jsonl)"
    rf"|results/{_N}/judged/{_N}/(?:judge\.json|judgments\.jsonl|scores\.csv|flags\.csv)"
    rf"|leaderboards/{_N}/{_N}/(?:{_BOARD})"
)
FOLDERS = re.compile(rf"results|results/{_N}(?:/judged(?:/{_N})?)?|leaderboards(?:/{_N}(?:/{_N}(?:/figures)?)?)?")
LOCAL = re.compile(
    rf"(?:results/(?:\.cache|\.boards\.lock|{_N}/(?:videos|\.locks|judged/{_N}/\.locks))|leaderboards/{_N}/{_N}/page)(?=/|$)"
)
HOLDS = (
    "run.json, samples.jsonl, edits.jsonl, signals.jsonl, and judged/KEY/ with judge.json, judgments.jsonl and two CSV"
)
_MACHINE = re.compile(
    r"(?:(?<![\w.:/])|(?<=file://))/(?:home|Users|root|mnt|media|tmp|var|opt|srv|data|datasets|workspace|work|scratch"
    r"|private|Volumes|nfs|lustre|gpfs)/[\w.+@-]+"
    r"|(?<![\w~/])~[\w.-]{0,40}/[\w.+@-]+"
    r"|(?<![A-Za-z])[A-Za-z]:\\[\w .+@-]{1,80}\\|\\\\[\w.-]{1,80}\\[\w$.-]+\\"
)
_PIECE, _OVERLAP, _WORDS = 120, 40, 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What lies in the two folders.

    Attributes:
        files: Plain files that belong there and may be read, relative to the root, with forward slashes, sorted.
        folders: Folders that may hold such files, in the same way.
        unread: Paths that would be such files or folders and must not be opened, as links.
        wrong: What does not belong, in the order of the paths.
        local: Local things (videos, locks, memories) that lie there but not in git.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]
    unread: tuple[str, ...]
    wrong: tuple[Difference, ...]
    local: tuple[str, ...]

    def models(self) -> list[str]:
        """Return the names of all results: every folder that may be one."""
        return sorted(
            {parts[1] for parts in (f.split("/") for f in self.folders) if parts[0] == "results" and parts[1:]}
        )

    def judge_keys(self, model: str) -> list[str]:
        """Return the keys of all judges of a model."""
        head = f"results/{model}/judged/"
        return sorted(folder.removeprefix(head) for folder in self.folders if folder.startswith(head))

    def boards(self) -> list[str]:
        """Return the boards' folders."""
        return [f for f in self.folders if f.count("/") == 2 and f.startswith("leaderboards/")]


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What a walk has found so far."""

    tracked: Mapping[str, str]
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    wrong: list[Difference] = field(default_factory=list)
    local: list[str] = field(default_factory=list)

    def name(self, where: str, what: str) -> None:
        self.wrong.append(Difference(where=printable(where), what=what))

    def refuse(self, where: str, what: str) -> None:
        """Name what must not be opened."""
        self.name(where, what)
        if BELONGS.fullmatch(where) or FOLDERS.fullmatch(where):
            self.unread.append(where)


def look(store: Store) -> Tree:
    """Look at everything that lies in the two folders, without opening a file."""
    walk = _Walk(tracked=_in_git(store))
    for top in store.kept():
        if top.is_symlink():
            walk.name(top.name, "is a link; keep the folder itself")
        elif top.is_dir():
            _folder(top, top.name, walk)
    _local_in_git(walk)
    return Tree(
        files=tuple(sorted(walk.files)),
        folders=tuple(sorted(walk.folders)),
        unread=tuple(walk.unread),
        wrong=tuple(sorted(walk.wrong, key=lambda wrong: wrong.where)),
        local=tuple(walk.local),
    )


def _folder(path: Path, where: str, walk: _Walk) -> None:
    walk.folders.append(where)
    seen: dict[str, str] = {}
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        walk.refuse(where, f"cannot be read ({error.strerror})")
        return
    for entry in entries:
        inside = f"{where}/{entry.name}"
        same = unicodedata.normalize("NFC", entry.name).casefold()
        if same in seen:
            walk.name(
                inside,
                f"differs from {printable(seen[same], limit=100)} only in letter case; many file systems hold but one",
            )
        seen[same] = entry.name
        if LOCAL.match(inside):
            walk.local.append(inside)
        elif entry.is_symlink():
            walk.refuse(inside, "is a link; keep the file itself")
        elif entry.is_dir(follow_symlinks=False):
            if FOLDERS.fullmatch(inside):
                _folder(Path(entry.path), inside, walk)
            else:
                walk.refuse(inside, _stranger(inside))
        else:
            _file(entry, inside, walk)


def _file(entry: os.DirEntry[str], where: str, walk: _Walk) -> None:
    found = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        walk.refuse(where, "is no plain file")
    elif not BELONGS.fullmatch(where):
        walk.name(where, _stranger(where))
    elif found.st_size > LARGEST_KEPT:
        walk.refuse(where, f"has {found.st_size / 1e6:.0f} MB; at most {LARGEST_KEPT / 1e6:.0f} MB are read")
    else:
        walk.files.append(where)
        runs = walk.tracked[where] == "100755" if where in walk.tracked else bool(found.st_mode & 0o111)
        if runs and os.name == "posix":
            walk.name(where, "is executable; take the mark off (chmod -x)")


def _stranger(where: str) -> str:
    if where.startswith("leaderboards/"):
        return "nobody writes it; a board's folder holds what `sparkle-bench leaderboard` writes and nothing else"
    return f"does not belong here; a result holds {HOLDS}"


def _in_git(store: Store) -> dict[str, str]:
    """Return the mode of every file that git knows in the two folders, by path; nothing where there is no git."""
    names = [top.name for top in store.kept()]
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(store.root), "ls-files", "--stage", "-z", "--", *names]
    try:
        listed = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = (os.fsdecode(line).partition("\t") for line in listed.split(b"\0") if line)
    return {path: head.split(" ")[0] for head, _tab, path in lines}


def _local_in_git(walk: _Walk) -> None:
    counts: dict[str, int] = {}
    for path in walk.tracked:
        if found := LOCAL.match(path):
            counts[found[0]] = counts.get(found[0], 0) + 1
    for path, count in counts.items():
        walk.name(path, f"is in git ({count} files); take it out with `git rm -r --cached` and name it in .gitignore")


def unread_prompts(store: Store) -> list[str]:
    """Return what of the repository's own prompts and rules, which boards are made with, must not be opened."""
    top = store.root / "prompts"
    inside = (Path(folder) / name for folder, folders, names in os.walk(top) for name in (*folders, *names))
    found = [top] if top.is_symlink() else [path for path in inside if path.is_symlink() or _is_large(path)]
    return sorted(path.relative_to(store.root).as_posix() for path in found)


def _is_large(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > LARGEST_KEPT


# -- texts -------------------------------------------------------------------------------------------------------------


def look_into(path: Path, where: str, known: set[str]) -> list[Difference]:
    """Return what must not stand in a JSON or JSONL file that is published: keys, and folders of some machine.

    Args:
        path: The file.
        where: What to call it.
        known: Words that are known to hold nothing of the kind; it grows, for results repeat themselves.
    """
    found: list[Difference] = []
    more = 0
    for at, text in _texts(path, where):
        for what in _private(text, known):
            if len(found) < MOST_OF_A_FILE:
                found.append(Difference(where=at, what=what))
            else:
                more += 1
    if more:
        found.append(Difference(where=where, what=f"{more} more of this kind"))
    return found


def _texts(path: Path, where: str) -> Iterator[tuple[str, str]]:
    """Yield every text of the file and its place; of what is no JSON, the text as it is."""
    if path.suffix == ".jsonl":
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                for text in _strings(line):
                    yield f"{where}:{number}", text
    else:
        for text in _strings(path.read_bytes()):
            yield where, text


def _strings(raw: bytes) -> Iterator[str]:
    try:
        waiting = [json.loads(raw)]
    except (ValueError, RecursionError):
        waiting = [raw.decode("utf-8", "replace")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value


def _private(text: str, known: set[str]) -> Iterator[str]:
    if machine := _MACHINE.search(text):
        yield f"names a folder of some machine, {printable(machine[0], limit=60)}; leave it out"
    for word in text.split():
        if word in known:
            continue
        if any(_hides(word[at : at + _PIECE]) for at in range(0, len(word), _PIECE - _OVERLAP)):
            yield "holds what looks like a key or a password; leave it out, and revoke it if it was real"
            return
        if len(word) <= _PIECE:
            if len(known) >= _WORDS:
                known.clear()
            known.add(word)


def _hides(word: str) -> bool:
    """Whether the word has a secret's form.

    One word at a time, for `secret: a garden` is none, and a piece at a time, for the expressions take quadratic time.
    A key without sign or digit is none either: `hf-internal-testing/…` are models.
    """
    parts = [word] if any(sign in word for sign in "=:@") else [p for p in word.split("/") if any(map(str.isdigit, p))]
    return any(discretion.cleaned(part).count(discretion.HIDDEN) > part.count(discretion.HIDDEN) for part in parts)
