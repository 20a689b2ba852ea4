"""Where the page finds videos: the one part of a page that depends on the machine, or the bundle, that it lies on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sparkle_bench.report.details import call


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """The files that a bundle holds, by sample id; paths begin at the bundle's page.

    A video's poster lies beside it, with `.jpg` for `.mp4`.

    Attributes:
        sources: Of the sources.
        models: Of the edits, by model.
    """

    sources: Mapping[str, str]
    models: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where videos lie, seen from the page; with forward slashes, never from the root of a disk.

    Attributes:
        results: The folder of the results; None if no edit is here.
        sources: The folder of the benchmark; None if no source is here.
        models: Those whose edits are here.
        bundle: What a bundle holds; None outside one, and then the two folders say it all.
    """

    results: str | None = None
    sources: str | None = None
    models: Sequence[str] = ()
    bundle: Bundled | None = None

    def __post_init__(self) -> None:
        for path in (self.results, self.sources):
            if path is not None and PurePosixPath(path).is_absolute():
                raise ValueError("a page names no absolute path, for it would tell whose machine it was made on")


def media(places: Places) -> bytes:
    """Return `page/media.js`."""
    bundle = places.bundle
    said = {
        "results": places.results,
        "sources": places.sources,
        "models": list(places.models),
        "files": bundle and {"source": dict(bundle.sources), "models": {k: dict(v) for k, v in bundle.models.items()}},
    }
    return call("media", said)
