"""Fetching from the Hugging Face Hub, resumable: the benchmark at one fixed revision, and videos that are handed in.

The first download resolves the revision (`main` unless told otherwise) to a commit and writes it beside the files; later
downloads into the same folder stay on that commit, so that a benchmark cannot change half-way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sparkle_bench.benchmark import THEMES, Benchmark, load
from sparkle_bench.errors import (
    BenchmarkError,
    MachineError,
    SubmissionError,
    is_machine_trouble,
    listed,
    one_line,
)
from sparkle_bench.submission import archive
from sparkle_bench.submission.layout import CARD, MANIFESTS, VIDEO_SUFFIXES

REPO = "stdKonjac/Sparkle-Bench"
PIN = ".sparkle-bench.json"
HUB = "hf://"
ADDRESS = re.compile(r"(?:datasets/)?(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})(?:@(?P<revision>[\w./-]{1,200}))?", re.ASCII)
MOST_LISTED = 100_000
"""So many files of a repository are looked at, other ones among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What a download brought.

    Attributes:
        benchmark: The samples, read and checked.
        revision: The commit they are from.
    """

    benchmark: Benchmark
    revision: str


def download(
    folder: Path,
    *,
    themes: Iterable[str] = THEMES,
    revision: str | None = None,
    repo: str = REPO,
    endpoint: str | None = None,
) -> Downloaded:
    """Fetch the benchmark into `folder` and check its counts.

    Files that are there and whole are not fetched again. A subset of the themes is allowed and gives a partial benchmark.

    Raises:
        BenchmarkError: The Hub cannot be reached, another revision lies in the folder, or the counts are not the
            published ones.
    """
    from huggingface_hub import HfApi, snapshot_download

    chosen = tuple(themes)
    patterns = [
        p for theme in chosen for p in (f"{theme}_bench.csv", f"{theme}_metadata.jsonl", f"source_videos/{theme}/*")
    ]
    try:
        commit = _pinned(folder, revision) or str(HfApi(endpoint=endpoint).dataset_info(repo, revision=revision).sha)
        _pin(folder, repo, commit, asked=revision)
        snapshot_download(
            repo, repo_type="dataset", revision=commit, local_dir=folder, allow_patterns=patterns, endpoint=endpoint
        )
    except _hub_errors() as error:
        raise BenchmarkError(
            f"cannot download {repo}: {one_line(error)}; run the same command again, it goes on where it stopped"
        ) from error
    benchmark = load(folder, themes=chosen)
    if benchmark.partial and set(chosen) == set(THEMES):
        raise BenchmarkError(
            f"{folder} holds {benchmark.counts}; published are {benchmark.complete}; remove the folder and try again"
        )
    return Downloaded(benchmark=benchmark, revision=commit)


def _hub_errors() -> tuple[type[Exception], ...]:
    """Return what a download may raise, the errors of the Hub client's own HTTP library included.

    That library has changed from version to version; its most general error is a base of `HfHubHTTPError`.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    libraries = ("httpx", "httpx2", "requests")
    bases = [
        base
        for base in HfHubHTTPError.__mro__
        if issubclass(base, Exception) and base.__module__.partition(".")[0] in libraries
    ]
    return (*bases, HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError)


def _pinned(folder: Path, revision: str | None) -> str | None:
    """Return the commit an earlier download settled on."""
    try:
        pin = json.loads((folder / PIN).read_text(encoding="utf-8"))
        commit, asked = str(pin["revision"]), pin.get("asked")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchmarkError(f"{folder / PIN} is damaged; remove it") from error
    if revision not in (None, asked) and not commit.startswith(str(revision)):
        raise BenchmarkError(f"{folder} holds revision {commit[:12]}, not {revision}; choose another folder")
    return commit


def _pin(folder: Path, repo: str, commit: str, *, asked: str | None) -> None:
    """Write down the commit, and by what name it was asked for, unless an earlier download has."""
    if (folder / PIN).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PIN).write_text(json.dumps({"repo": repo, "revision": commit, "asked": asked}) + "\n", encoding="utf-8")


# -- what is handed in -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A data set of the Hub.

    Attributes:
        repo: Owner and name, with a slash between.
        revision: A branch, tag or commit, or None for the newest.
    """

    repo: str
    revision: str | None = None


def parse_address(text: str) -> Address:
    """Read `hf://owner/name` or `hf://datasets/owner/name`, either with `@revision` behind.

    Raises:
        SubmissionError: It is neither.
    """
    found = ADDRESS.fullmatch(text.removeprefix(HUB).rstrip("/")) if text.startswith(HUB) else None
    repo = found["repo"] if found else ""
    if found is None or ".." in repo or repo.startswith(("datasets/", "models/", "spaces/")):
        raise SubmissionError(
            f"'{one_line(text, limit=120)}' is no data set of the Hub; write hf://owner/name or hf://owner/name@revision"
        )
    return Address(repo=repo, revision=found["revision"])


def submission(repo: str, *, revision: str | None = None, endpoint: str | None = None) -> Path:
    """Fetch the videos, manifests and the card of a data set into the Hub client's own cache.

    What is there already is not fetched again, and a broken download goes on where it stopped. Before the first byte the
    list of files is held to the limits of an archive.

    Args:
        repo: Owner and name.
        revision: A branch, tag or commit; the newest without it.
        endpoint: The Hub's address, if not the usual.

    Returns:
        The folder of this revision in the cache; its files are links into the cache.

    Raises:
        SubmissionError: The Hub cannot be reached, there is no such data set, it holds nothing of interest or too much.
        MachineError: The disk is full.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        commit = str(HfApi(endpoint=endpoint).dataset_info(repo, revision=revision).sha)
        wanted = _wanted(repo, commit, endpoint)
        names = [*(f"*{suffix}" for suffix in VIDEO_SUFFIXES), *MANIFESTS, CARD]
        folder = Path(
            snapshot_download(
                repo,
                repo_type="dataset",
                revision=commit,
                endpoint=endpoint,
                allow_patterns=[_any_case(pattern) for name in names for pattern in (name, f"*/{name}")],
                ignore_patterns=[".*", "*/.*"],
            )
        )
    except _hub_errors() as error:
        again = f"cannot fetch {HUB}{repo}: {one_line(error)}; run the same command again, it goes on where it stopped"
        raise (MachineError if is_machine_trouble(error) else SubmissionError)(again) from error
    # The client gives what its cache holds when the server fails between two answers.
    missing = [name for name, size in wanted.items() if not _is_there(folder / name, size)]
    if missing:
        raise SubmissionError(f"{HUB}{repo} came without {listed(missing)}; run the same command again")
    return folder


def _wanted(repo: str, commit: str, endpoint: str | None) -> dict[str, int]:
    """Return the sizes of the files of interest by path, once they are seen to be within the limits.

    Raises:
        SubmissionError: There are none, or they are too many or too large.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    limits = archive.Limits()
    wanted: dict[str, int] = {}
    others: list[str] = []
    tree = HfApi(endpoint=endpoint).list_repo_tree(repo, repo_type="dataset", revision=commit, recursive=True)
    for number, entry in enumerate(tree, 1):
        if number > MOST_LISTED or len(wanted) > limits.entries:
            raise SubmissionError(f"{HUB}{repo} holds too many files; put the videos into a data set of their own")
        if not isinstance(entry, RepoFile):
            continue
        if not _is_of_interest(entry.path):
            others += [entry.path] if archive.is_archive(Path(entry.path)) else []
            continue
        wanted[entry.path] = entry.size
        most = limits.video_bytes if entry.path.lower().endswith(VIDEO_SUFFIXES) else limits.text_bytes
        if entry.size > most:
            raise SubmissionError(
                f"{HUB}{repo} holds {listed([entry.path])} of {entry.size} bytes; at most {most} are read"
            )
    if sum(wanted.values()) > limits.total_bytes:
        raise SubmissionError(f"{HUB}{repo} holds more than {limits.total_bytes} bytes; a lower bit rate will do")
    if not any(name.lower().endswith(VIDEO_SUFFIXES) for name in wanted):
        cure = f"download {listed(others, first=1)} and hand in the file" if others else "check the address"
        raise SubmissionError(f"{HUB}{repo} holds no video ({', '.join(VIDEO_SUFFIXES)}); {cure}")
    return wanted


def _is_of_interest(path: str) -> bool:
    name = PurePosixPath(path).name.lower()
    hidden = any(part.startswith(".") for part in path.split("/"))
    return not hidden and (name.endswith(VIDEO_SUFFIXES) or name in (*MANIFESTS, CARD))


def _any_case(pattern: str) -> str:
    """Return a pattern that takes letters of either case."""
    return "".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in pattern)


def _is_there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
