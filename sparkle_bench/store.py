"""The only module that reads or writes `results/` and `leaderboards/`; it builds every path in them.

    results/<model>/run.json                        editor, options, benchmark version, code version, hardware
    results/<model>/samples.jsonl                   every sample of the benchmark, so that nothing can go missing later
    results/<model>/edits.jsonl                     one Edit per line
    results/<model>/videos/<theme>/<subtheme>---<scene>/<id>_edited.mp4
    results/<model>/signals.jsonl                   one Measurement per line
    results/<model>/judged/<judge-key>/judge.json   all that may move a mark, the rubric and the prompt included
    results/<model>/judged/<judge-key>/judgments.jsonl
    results/<model>/judged/<judge-key>/scores.csv   derived
    results/<model>/judged/<judge-key>/flags.csv    derived: where the judge and the signals contradict each other
    results/judged_here.jsonl                       the verdicts that were asked for under this root (see `asked`)
    results/.cache/…                                hashes, sampled sources, unpacked archives, verdicts of a check; removable
    leaderboards/<benchmark>/<judge-key>/…          derived

Lines are appended and synced one at a time; the last line of a key wins; a last line cut off by a crash is ignored when
read and overwritten by the next. Two runs may not work on the same samples of one model at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench import disk
from sparkle_bench.errors import StoreError
from sparkle_bench.records import (
    Edit,
    Judgment,
    Measurement,
    Sample,
    edit_from_json,
    judgment_from_json,
    measurement_from_json,
    sample_from_json,
    to_json,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def slug(text: str) -> str:
    """Return `text` as a name for a folder: `Qwen/Qwen3-VL-8B` becomes `qwen3-vl-8b`."""
    last = text.rstrip("/").rsplit("/", 1)[-1].lower()
    return re.sub(r"[^a-z0-9.+]+", "-", last).strip("-.")[:60] or "unnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The results under one root folder."""

    root: Path

    # -- paths ---------------------------------------------------------------------------------------------------

    def model_dir(self, model: str) -> Path:
        """Return the folder of a model's results.

        Raises:
            StoreError: The name cannot be a folder's.
        """
        return self.root / "results" / _named(model)

    def video_path(self, model: str, sample: Sample) -> Path:
        """Return where a sample's edit belongs, in the benchmark authors' layout."""
        return self.model_dir(model) / "videos" / sample.edit_path

    def judged_dir(self, model: str, judge_key: str) -> Path:
        """Return the folder of one judge's verdicts on a model.

        Raises:
            StoreError: A name cannot be a folder's.
        """
        return self.model_dir(model) / "judged" / _named(judge_key)

    def judgments_path(self, model: str, judge_key: str) -> Path:
        """Return the file of one judge's verdicts on a model."""
        return self.judged_dir(model, judge_key) / "judgments.jsonl"

    def judged_here_path(self) -> Path:
        """Return the file that says which verdicts were asked for under this root; `asked` reads and writes it."""
        return self.root / "results" / "judged_here.jsonl"

    def asked_path(self, model: str, judge_key: str) -> Path:
        """Return the file with the hash of every line of verdicts that was asked for here; it is never published."""
        return self.root / "results" / ".cache" / "asked" / _named(model) / f"{_named(judge_key)}.jsonl"

    def kept(self) -> tuple[Path, Path]:
        """Return the two folders that a repository of boards consists of: the results' and the boards'."""
        return self.root / "results", self.root / "leaderboards"

    def boards_index(self) -> Path:
        """Return the page that links to all boards; `index.md` and `index.json` lie beside it."""
        return self.root / "leaderboards" / "index.html"

    def board_dir(self, benchmark: str, judge_key: str) -> Path:
        """Return the folder of one board.

        Raises:
            StoreError: A name cannot be a folder's.
        """
        return self.root / "leaderboards" / _named(benchmark) / _named(judge_key)

    def hashes(self) -> disk.Hashes:
        """Return what is remembered of the hashes of files."""
        return disk.Hashes(self.root / "results" / ".cache" / "hashes.json")

    def kept_sources(self) -> Path:
        """Return the folder of sampled sources, for `video.Kept`."""
        return self.root / "results" / ".cache" / "sources"

    def unpacked(self) -> Path:
        """Return the folder in which archives are unpacked, for as long as a command runs."""
        return self.root / "results" / ".cache" / "unpacked"

    def rejudged(self, seed: int) -> Store:
        """Return the store in which edits chosen with a seed are judged again, apart from the results themselves.

        Each seed has its own, so that one drawn afresh finds nothing that somebody laid ready.
        """
        return Store(root=self.root / "results" / ".cache" / "rejudged" / str(seed))

    def drawn(self, benchmark: str, judge_key: str) -> disk.Memory:
        """Return what is remembered of the files of one board, so that they are not drawn again for nothing."""
        return disk.Memory(
            self.root / "results" / ".cache" / "boards" / _named(benchmark) / f"{_named(judge_key)}.json"
        )

    def kept_entry(self, model: str, judge_key: str) -> disk.Memory:
        """Return what is remembered of one result under one judge, so that it is not read again for nothing."""
        return disk.Memory(self.root / "results" / ".cache" / "entries" / _named(model) / f"{_named(judge_key)}.json")

    def inputs(self, model: str, judge_key: str) -> list[Path]:
        """Return the files that everything derived of one result under one judge is made from."""
        judged = [self.judged_dir(model, judge_key) / name for name in ("judge.json", "judgments.jsonl")]
        names = ("run.json", "samples.jsonl", "edits.jsonl", "signals.jsonl")
        return [*(self.model_dir(model) / name for name in names), *judged]

    def index_memory(self) -> disk.Memory:
        """Return what is remembered of the files that link to all boards."""
        return disk.Memory(self.root / "results" / ".cache" / "index.json")

    def sources_link(self, benchmark: str, digest: str) -> Path:
        """Return the place of a link to the folder of a benchmark's source videos on this machine."""
        name = hashlib.sha256(f"{benchmark} {digest}".encode(errors="surrogatepass")).hexdigest()[:16]
        return self.root / "results" / ".cache" / "bench" / name

    def read_board(self, benchmark: str, judge_key: str) -> dict[str, Any] | None:
        """Return a board's `leaderboard.json` as it was last written, or None where there is none that can be read."""
        try:
            return disk.read_json(self.board_dir(benchmark, judge_key) / "leaderboard.json")
        except StoreError:
            return None

    # -- what is there -------------------------------------------------------------------------------------------

    def models(self) -> list[str]:
        """Return the names of all results, sorted."""
        return sorted(path.parent.name for path in self.root.glob("results/*/run.json"))

    def judge_keys(self, model: str) -> list[str]:
        """Return the keys of all judges that judged a model, sorted."""
        return sorted(path.parent.name for path in self.model_dir(model).glob("judged/*/judge.json"))

    # -- documents -----------------------------------------------------------------------------------------------

    def read_run(self, model: str) -> dict[str, Any] | None:
        """Return `run.json`, or None if the model has no results yet."""
        return disk.read_json(self.model_dir(model) / "run.json")

    def write_run(self, model: str, run: Mapping[str, Any], samples: tuple[Sample, ...]) -> None:
        """Write the benchmark's samples, then `run.json`: the latter means that both are whole."""
        lines = "".join(f"{json.dumps(to_json(sample), ensure_ascii=False)}\n" for sample in samples)
        disk.write(self.model_dir(model) / "samples.jsonl", lines.encode())
        disk.write(self.model_dir(model) / "run.json", disk.pretty(run))

    def read_judge(self, model: str, judge_key: str) -> dict[str, Any] | None:
        """Return `judge.json`, or None."""
        return disk.read_json(self.judged_dir(model, judge_key) / "judge.json")

    def write_judge(self, model: str, judge_key: str, judge: Mapping[str, Any]) -> None:
        """Write `judge.json`."""
        disk.write(self.judged_dir(model, judge_key) / "judge.json", disk.pretty(judge))

    def remove_boards(self, *, keep: Set[tuple[str, str]], files: Sequence[str]) -> None:
        """Remove boards whose results are gone: `files` of every folder that says of itself that it is such a board.

        Without any result nothing is removed: more likely the root is the wrong one.
        """
        if not self.models():
            return
        for page in self.root.glob("leaderboards/*/*/leaderboard.json"):
            folder = page.parent
            name = (folder.parent.name, folder.name)
            if name in keep or _board_name(page) != name:
                continue
            page = folder / "page"
            for file in (*(folder / name for name in files), *page.glob("*.*"), *page.glob("details/*.js")):
                file.unlink(missing_ok=True)
            inside = (folder / "figures", page / "details", page)
            for emptied in (*inside, folder, folder.parent):
                with contextlib.suppress(OSError):
                    emptied.rmdir()

    # -- records -------------------------------------------------------------------------------------------------

    def samples(self, model: str) -> list[Sample]:
        """Return every sample of the benchmark that the model's result belongs to."""
        return list(disk.read_lines(self.model_dir(model) / "samples.jsonl", sample_from_json))

    def samples_of(self, model: str, otherwise: Sequence[Sample]) -> Sequence[Sample]:
        """Return every sample of a model's benchmark, or `otherwise` before its first lines are written.

        Their folder on this machine is that of `otherwise`, for it is never written.
        """
        root = otherwise[0].root if otherwise else Path()
        return [dataclasses.replace(sample, root=root) for sample in self.samples(model)] or otherwise

    def edits(self, model: str) -> dict[str, Edit]:
        """Return the newest Edit of each sample, by sample id."""
        return {edit.sample_id: edit for edit in disk.read_lines(self.model_dir(model) / "edits.jsonl", edit_from_json)}

    def measurements(self, model: str) -> dict[tuple[str, str], Measurement]:
        """Return the newest Measurement of each sample and exact file."""
        lines = disk.read_lines(self.model_dir(model) / "signals.jsonl", measurement_from_json)
        return {(line.sample_id, line.edit_sha256): line for line in lines}

    def judgments(self, model: str, judge_key: str) -> dict[tuple[str, str, int], Judgment]:
        """Return the newest Judgment of each sample, exact file and repeat.

        A verdict is never displaced by a later failure.
        """
        newest: dict[tuple[str, str, int], Judgment] = {}
        for judgment in self.all_judgments(model, judge_key):
            if judgment.ok or not (judgment.key in newest and newest[judgment.key].ok):
                newest[judgment.key] = judgment
        return newest

    def all_judgments(self, model: str, judge_key: str) -> Iterator[Judgment]:
        """Yield every judgment ever made, in the order in which they were made, also those that were made again."""
        yield from disk.read_lines(self.judgments_path(model, judge_key), judgment_from_json)

    def append_edit(self, model: str, edit: Edit) -> None:
        """Append one line to `edits.jsonl`; on return it is on disk."""
        disk.append_line(self.model_dir(model) / "edits.jsonl", to_json(edit))

    def append_measurement(self, model: str, measurement: Measurement) -> None:
        """Append one line to `signals.jsonl`; on return it is on disk."""
        disk.append_line(self.model_dir(model) / "signals.jsonl", to_json(measurement))

    def append_judgment(self, model: str, judge_key: str, judgment: Judgment, *, asked: bool = False) -> None:
        """Append one line to `judgments.jsonl`; on return it is on disk.

        Args:
            model: The result's name.
            judge_key: Whose verdict it is.
            judgment: The verdict, or why there is none.
            asked: Whether it was asked for here, and neither handed in nor read again. That is put down first, so that
                a run that is killed leaves no line of which nobody knows.
        """
        line = to_json(judgment)
        if asked:
            digest = hashlib.sha256(disk.json_line(line)).hexdigest()
            disk.append_line(self.asked_path(model, judge_key), {"sha256": digest})
        disk.append_line(self.judgments_path(model, judge_key), line)

    # -- locks ---------------------------------------------------------------------------------------------------

    @contextmanager
    def starting(self, model: str) -> Iterator[None]:
        """Hold a result's first lines while they are read or written."""
        with disk.held(self._locks(model) / "start.lock"):
            yield

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Hold the boards, so that one is not written from what two runs saw at different times."""
        if not (self.root / "results").is_dir():  # nothing to rebuild from, and nobody to keep out
            yield
            return
        with disk.held(self.root / "results" / ".boards.lock"):
            yield

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Hold the notes of what was judged here."""
        with disk.held(self.root / "results" / ".cache" / "asked" / ".note.lock"):
            yield

    def _locks(self, model: str) -> Path:
        return self.model_dir(model) / ".locks"

    @contextmanager
    def working(self, model: str, shard: tuple[int, int]) -> Iterator[None]:
        """Hold a model's result while a stage works on it; shards of the same division may run beside each other.

        The system releases the lock when the process dies, however it dies.

        Raises:
            StoreError: Another run is at work on samples that this one would do too.
        """
        folder = self._locks(model)
        division = f"of{shard[1]}.lock"
        with contextlib.ExitStack() as locks:
            try:
                locks.enter_context(disk.held(folder / f"run-{shard[0]}{division}", wait=False))
                for other in sorted(folder.glob("run-*.lock")):
                    if not other.name.endswith(division):
                        with disk.held(other, wait=False):
                            pass
            except disk.Busy as error:
                raise StoreError(f"another run is at work on {model}; wait for it, or use another --name") from error
            yield


def read_judged(path: Path) -> tuple[dict[str, Any] | None, list[Judgment]]:
    """Return the `judge.json` (or None) and all judgments of one judge, wherever they lie.

    Args:
        path: A `judgments.jsonl`, or the folder that holds one.

    Raises:
        StoreError: There is no such file, or one is damaged.
    """
    lines = path / "judgments.jsonl" if path.is_dir() else path
    if not lines.is_file():
        raise StoreError(f"no judgments at {lines}; name a judgments.jsonl or the folder that holds one")
    return disk.read_json(lines.parent / "judge.json"), list(disk.read_lines(lines, judgment_from_json))


def _named(name: str) -> str:
    """Return a name if it can be a folder's."""
    if not NAME.fullmatch(name):
        raise StoreError(
            f"{name!r} cannot name a result; use letters, digits, dots, dashes and underscores (--name, or rename the folder)"
        )
    return name


def _board_name(page: Path) -> tuple[str, str] | None:
    """Return the benchmark and judge key that a `leaderboard.json` speaks of."""
    try:
        data = json.loads(page.read_bytes())
        return str(data["benchmark"]["name"]), str(data["judge"]["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
