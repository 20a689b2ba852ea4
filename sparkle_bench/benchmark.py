"""Reading a benchmark's files into samples, and choosing among them by theme, id, number and shard.

Sparkle-Bench as published holds, for each theme, `{theme}_bench.csv` (`edited_type,prompt,original_video`) and
`{theme}_metadata.jsonl` (`id, prompt, metadata{edit_type, chosen_keyword, original_scene}`). The two are joined by id,
never by order. The data's `edited_type` is our `theme` and `chosen_keyword` is `"subtheme: scene"`; they are translated
here and nowhere else. Where the two files disagree on an instruction the CSV's counts, as in the authors' script.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from sparkle_bench.disk import Hashes
from sparkle_bench.disk import file_sha256 as file_sha256
from sparkle_bench.errors import BenchmarkError, listed, one_line
from sparkle_bench.records import Sample, to_json

if TYPE_CHECKING:
    import datasets

NAME = "sparkle"
THEMES = ("location", "season", "time", "style")
COLUMNS = ("edited_type", "prompt", "original_video")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a benchmark holds."""

    samples: int
    themes: int
    subthemes: int
    scenes: int

    def __str__(self) -> str:
        return f"{self.samples} samples, {self.themes} themes, {self.subthemes} subthemes, {self.scenes} scenes"


COMPLETE = Counts(samples=458, themes=4, subthemes=21, scenes=97)
"""Sparkle-Bench as published (arXiv 2605.06535)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A set of samples.

    Attributes:
        name: Also the rubric's name.
        samples: In the order of the files, theme by theme.
        complete: What the whole published benchmark holds.
    """

    name: str
    samples: tuple[Sample, ...]
    complete: Counts = COMPLETE

    @property
    def counts(self) -> Counts:
        """How much is here."""
        return Counts(
            samples=len(self.samples),
            themes=len({s.theme for s in self.samples}),
            subthemes=len({(s.theme, s.subtheme) for s in self.samples}),
            scenes=len({(s.theme, s.subtheme, s.scene) for s in self.samples}),
        )

    @property
    def partial(self) -> bool:
        """Whether this is less, or other, than the published benchmark."""
        return self.counts != self.complete

    @property
    def digest(self) -> str:
        """The benchmark's version: a hash over ids, labels, instructions and source files (sha256, hexadecimal)."""
        return digest(self.samples)

    def to_dataset(self) -> datasets.Dataset:
        """Return the samples as a `datasets.Dataset`: one row each, `source` being the video's path on this machine."""
        from datasets import Dataset

        return Dataset.from_list([{**to_json(s), "source": str(s.source_path)} for s in self.samples])


def digest(samples: Iterable[Sample]) -> str:
    """Return a hash over what the samples are, whatever their order (sha256, hexadecimal)."""
    rows = sorted(json.dumps(to_json(sample), sort_keys=True) for sample in samples)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def load(root: Path, *, name: str = NAME, themes: Iterable[str] = THEMES, hashes: Hashes | None = None) -> Benchmark:
    """Read Sparkle-Bench, whole or in part, from its folder.

    A theme of which neither file is there is left out, and the benchmark counts as partial.

    Args:
        root: Its folder.
        name: Also the rubric's name.
        themes: Which themes it may hold.
        hashes: What is remembered of the source files' hashes; None hashes all.

    Raises:
        BenchmarkError: The folder, a file, a column or an id is missing, an id stands twice, a path leaves the folder,
            or a label cannot be read. The message names the first few and counts them.
    """
    if not root.is_dir():
        raise BenchmarkError(f"no benchmark folder at {root}; run `sparkle-bench download` or pass --bench DIR")
    samples = [sample for theme in themes for sample in _load_theme(root, name, theme)]
    if not samples:
        raise BenchmarkError(
            f"{root} holds no {{theme}}_bench.csv; expected {', '.join(f'{t}_bench.csv' for t in themes)}"
        )
    _refuse("ids that stand more than once", _repeated(s["id"] for s in samples), root)
    _refuse(
        "source videos that are missing", [s["source"] for s in samples if not (root / s["source"]).is_file()], root
    )
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map((hashes or Hashes()).of, [root / sample["source"] for sample in samples]))
    return Benchmark(
        name=name, samples=tuple(Sample(**s, sha256=h, root=root) for s, h in zip(samples, found, strict=True))
    )


def _load_theme(root: Path, name: str, theme: str) -> list[dict[str, str]]:
    table, metadata = root / f"{theme}_bench.csv", root / f"{theme}_metadata.jsonl"
    if not table.exists() and not metadata.exists():
        return []
    rows, keywords = _rows(table, theme), _keywords(metadata, theme)
    ids = {row_id for row_id, _, _ in rows}
    _refuse(
        f"ids of {table.name} without a line in {metadata.name}", [i for i, _, _ in rows if i not in keywords], root
    )
    _refuse(f"ids of {metadata.name} without a row in {table.name}", [i for i in keywords if i not in ids], root)
    return [
        {
            "id": sample_id,
            "benchmark": name,
            "theme": theme,
            "subtheme": keywords[sample_id][0],
            "scene": keywords[sample_id][1],
            "instruction": instruction,
            "source": source,
        }
        for sample_id, instruction, source in rows
    ]


def _rows(table: Path, theme: str) -> list[tuple[str, str, str]]:
    """Return (id, instruction, source path) of every row of a theme's CSV."""
    try:
        lines = list(csv.DictReader(_lines(table)))
    except csv.Error as error:
        raise BenchmarkError(f"{table} is not a CSV table: {one_line(error)}") from error
    header = set(lines[0]) if lines else set(COLUMNS)
    _refuse("columns that are missing", [column for column in COLUMNS if column not in header], table)
    short = [
        str(n) for n, line in enumerate(lines, 2) if not all((line[c] or "").strip() for c in COLUMNS) or None in line
    ]
    _refuse("rows with empty or extra cells", short, table)
    _refuse("rows of another theme", [line["edited_type"] for line in lines if line["edited_type"] != theme], table)
    sources = [line["original_video"] for line in lines]
    _refuse("paths that leave the benchmark folder", [s for s in sources if not is_inside(s)], table)
    rows = [(PurePosixPath(line["original_video"]).stem, line["prompt"], line["original_video"]) for line in lines]
    _refuse("ids that stand more than once", _repeated(row_id for row_id, _, _ in rows), table)
    return rows


def _keywords(metadata: Path, theme: str) -> dict[str, tuple[str, str]]:
    """Return (subtheme, scene) by id from a theme's metadata."""
    labels: dict[str, tuple[str, str]] = {}
    bad: list[str] = []
    twice: list[str] = []
    for number, line in enumerate(_lines(metadata), 1):
        if not line.strip():
            continue
        try:
            record: dict[str, Any] = json.loads(line)
            sample_id, inner = record["id"], record["metadata"]
            subtheme, scene = inner["chosen_keyword"].split(": ", 1)
            named = isinstance(sample_id, str) and sample_id and subtheme.strip() and scene.strip()
            if not named or inner["edit_type"] != theme or not _can_be_a_path(subtheme, scene, sample_id):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            bad.append(f"line {number}")
            continue
        if sample_id in labels:
            twice.append(sample_id)
        labels[sample_id] = (subtheme, scene)
    _refuse(f'lines without an id, the edit_type {theme!r} or a "subtheme: scene" keyword', bad, metadata)
    _refuse("ids that stand more than once", twice, metadata)
    return labels


def _lines(path: Path) -> list[str]:
    try:
        # newline="" keeps line breaks inside quoted cells; utf-8-sig drops a byte-order mark
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(file)
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"cannot read {path}: {one_line(error)}") from error


def _refuse(what: str, items: list[str], where: Path) -> None:
    if items:
        raise BenchmarkError(f"{where}: {len(items)} {what}: {listed(items)}")


def _repeated(items: Iterable[str]) -> list[str]:
    return [item for item, count in Counter(items).items() if count > 1]


def is_inside(path: str) -> bool:
    """Whether a relative path with forward slashes stays in its folder. Links are the user's own and not followed."""
    windows = PureWindowsPath(path)
    return not (path.startswith("/") or windows.drive or "\\" in path or "\0" in path or ".." in path.split("/"))


LONGEST_NAME = 200
"""Bytes of a file's or folder's name that leave room for what is added to it."""


def _can_be_a_path(subtheme: str, scene: str, sample_id: str) -> bool:
    """Whether labels can name the folder and the file of an edit."""
    try:
        parts = f"{subtheme}---{scene}/{sample_id}".encode().split(b"/")
    except UnicodeEncodeError:
        return False
    return is_inside(f"{subtheme}/{scene}/{sample_id}") and max(map(len, parts)) <= LONGEST_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which samples to work on. Empty fields choose everything; they apply in this order.

    Attributes:
        themes: Only samples of these themes.
        ids: Only these samples.
        limit: Only the first so many.
        shard: `(i, n)`: every n-th sample of the whole benchmark from the i-th, counted from 0. So no two shards of
            one division share a sample, whatever else is chosen.
    """

    themes: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    limit: int | None = None
    shard: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        index, count = self.shard
        if not 0 <= index < count:
            raise BenchmarkError(
                f"no shard {index}/{count}; shards are counted from 0: 0/{count} to {count - 1}/{count}"
            )
        if self.limit is not None and self.limit < 1:
            raise BenchmarkError(f"a limit of {self.limit} leaves no samples")


def select(benchmark: Benchmark, selection: Selection) -> list[Sample]:
    """Return the chosen samples in the benchmark's order.

    Raises:
        BenchmarkError: A theme or id does not exist; the message offers near misses.
    """
    _known("theme", selection.themes, [s.theme for s in benchmark.samples])
    _known("sample", selection.ids, [s.id for s in benchmark.samples])
    tests: list[Callable[[Sample], bool]] = []
    if selection.themes:
        tests.append(lambda s: s.theme in selection.themes)
    if selection.ids:
        tests.append(lambda s: s.id in selection.ids)
    places = [n for n, s in enumerate(benchmark.samples) if all(test(s) for test in tests)][: selection.limit]
    index, count = selection.shard
    return [benchmark.samples[n] for n in places if n % count == index]


def _known(what: str, asked: Iterable[str], known: list[str]) -> None:
    for item in asked:
        if item not in known:
            raise BenchmarkError(f"no {what} {item!r} in this benchmark; {suggestion(item, known)}")


def suggestion(item: str, known: Iterable[str]) -> str:
    """Return `did you mean a, b?`, or the known names, for a name that does not exist."""
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(item, names, n=3, cutoff=0.6)
    return f"did you mean {', '.join(near)}?" if near else f"known: {listed(names, first=12)}"
