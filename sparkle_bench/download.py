"""Fetching the benchmark from the Hugging Face Hub, at one fixed revision, resumable.

The first download resolves the revision (`main` unless told otherwise) to a commit and writes it beside the files; later
downloads into the same folder stay on that commit, so that a benchmark cannot change half-way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sparkle_bench.benchmark import THEMES, Benchmark, load
from sparkle_bench.errors import BenchmarkError, one_line

REPO = "stdKonjac/Sparkle-Bench"
PIN = ".sparkle-bench.json"


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
