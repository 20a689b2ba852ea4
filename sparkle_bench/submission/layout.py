"""Which file is which sample's: the authors' tree, flat names or a manifest; and which files nearly are.

For each sample the first of these counts: `{theme}/{subtheme}---{scene_with_underscores}/{id}_edited.mp4`,
`{id}_edited.mp4`, `{id}.mp4`. They may lie in the folder handed in, in its `videos/`, or in the only folder inside it, as
archives are often made. A manifest (`manifest.json`, `.csv` or `.jsonl`), given itself or lying there, alone decides.
Nothing that only looks like a sample's is ever taken for it; see `near.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from sparkle_bench.disk import Hashes
from sparkle_bench.errors import SubmissionError, listed
from sparkle_bench.records import Sample
from sparkle_bench.submission import card
from sparkle_bench.submission import manifest as manifests
from sparkle_bench.submission.manifest import MANIFESTS as MANIFESTS
from sparkle_bench.submission.manifest import Promise
from sparkle_bench.submission.near import NearMiss, near_misses

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
CARD = card.NAME
MOST_FILES = 50_000
"""So many files are looked at for extra ones and near misses."""
DEEPEST = 3
"""So many wrapping folders are looked through."""
Kind = Literal["tree", "flat", "manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What lies in a folder handed in.

    Attributes:
        base: The folder from which the relative paths start.
        kind: How the files are named.
        videos: By sample id, the file that counts.
        near: Files that look like a missing sample's, but do not count.
        extra: Other videos, their paths relative to `base`; at most `MOST_FILES` are looked at.
        promised: By sample id, what a manifest says of a file.
        absent: By sample id, the path that a manifest names where there is no file.
        benchmark: The hash of the benchmark that a manifest was written for, or None.
        card: The `submission.toml`, wherever in the folder handed in it lies beside or above the videos, or None.
        decides: The manifest that alone decides, or None.
    """

    base: Path
    kind: Kind
    videos: Mapping[str, Path]
    near: tuple[NearMiss, ...] = ()
    extra: tuple[str, ...] = ()
    promised: Mapping[str, Promise] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    benchmark: str | None = None
    card: Path | None = None
    decides: Path | None = None


def places(sample: Sample) -> tuple[str, str, str]:
    """Return where a sample's edit may lie, the first that exists counting."""
    return sample.edit_path, f"{sample.id}_edited.mp4", f"{sample.id}.mp4"


def is_video(name: str) -> bool:
    """Whether a file is called like a video."""
    return name.lower().endswith(VIDEO_SUFFIXES)


def find(path: Path, samples: Sequence[Sample], *, inside: bool = False) -> Layout:
    """Look for the videos of all samples of a benchmark.

    Args:
        path: A folder, or a manifest.
        samples: Of the whole benchmark, so that another sample's file is not taken for an extra one; none only sees
            whether there is something that can be read.
        inside: Whether a manifest may name files of its own folder alone, as in an archive from a stranger.

    Raises:
        SubmissionError: There is no such folder, its manifest cannot be read, or two cards in it differ.
    """
    listing, folders = _manifest(path)
    bases = list(dict.fromkeys(candidate for folder in folders for candidate in (folder, folder / "videos")))
    beside = _card(bases if listing is None else [*bases, listing.parent])
    if listing is not None:
        return replace(_listed(listing, samples, inside=inside), card=beside, decides=listing)
    base, videos = max(((base, _present(base, samples)) for base in bases), key=lambda pair: len(pair[1]))
    kind: Kind = "tree" if _is_tree(base, videos, samples) else "flat"
    taken = set(videos.values())
    taken |= {path.resolve() for path in taken if path.is_symlink()}  # a link stands for its file
    others = [name for name in scan(base) if not {base / name, (base / name).resolve()} & taken] if samples else []
    near, extra = near_misses(others, [s for s in samples if s.id not in videos], tree=kind == "tree")
    return Layout(
        base=base,
        kind=kind,
        videos=videos,
        near=tuple(near),
        extra=tuple(extra),
        card=beside,
    )


def _card(folders: Iterable[Path]) -> Path | None:
    """Return the one `submission.toml` in some folders, or None.

    Raises:
        SubmissionError: There are two, and they differ.
    """
    cards = [path for folder in dict.fromkeys(folders) if (path := folder / CARD).is_file()]
    for other in cards[1:]:
        if card.read(other) != card.read(cards[0]):
            raise SubmissionError(f"{cards[0]} and {other} differ; keep the one that is right")
    return cards[0] if cards else None


def cure(found: Layout, called: str, *, foreign: bool) -> str:
    """Say how near misses can be put into place."""
    if found.kind == "manifest":
        return "mend the ids in the manifest"
    return "rename them and pack again" if foreign else f"`sparkle-bench validate {called} --fix` links them into place"


def check_any(found: Layout, samples: Sequence[Sample], called: str, *, foreign: bool = False) -> None:
    """Refuse a folder in which nothing matches, showing what was expected beside what was found.

    Args:
        found: What lies there.
        samples: The samples asked for.
        called: What the user called it.
        foreign: Whether it is not a folder of the user's own, in which links can be made.

    Raises:
        SubmissionError: Not one of the samples has a video.
    """
    if not samples or any(sample.id in found.videos for sample in samples):
        return
    expected = " or ".join(places(samples[0]))
    seen = [miss.path for miss in found.near] + list(found.extra)
    if found.decides is not None:
        expected = f"an id and an existing path in each row of {found.decides.name}, which alone decides"
        seen = list(found.absent.values()) + seen
    sure = [miss for miss in found.near if miss.sure]
    how = f"; {len(sure)} nearly match: {cure(found, called, foreign=foreign)}" if sure else ""
    raise SubmissionError(
        f"none of the {len(samples)} samples has a video in {called}; expected {expected}; "
        f"found {listed(seen) if seen else 'no video'}{how}"
    )


def check_promises(found: Layout, hashes: Hashes) -> None:
    """Make sure that every file is the one that a manifest names by its size and hash.

    Raises:
        SubmissionError: Some are not.
    """
    others = []
    for sample_id, promise in found.promised.items():
        file = found.videos.get(sample_id)
        if file is not None and not promise.is_kept(file.stat().st_size, hashes.of(file) if promise.sha256 else None):
            others.append(file.name)
    if others:
        raise SubmissionError(
            f"{len(others)} videos are not the files that the manifest names by size and hash: {listed(others)}; "
            "hand in the right ones, or take the manifest away"
        )


def check_version(found: Layout, digest: str, called: str) -> None:
    """Make sure that a manifest was written for this version of the benchmark.

    Raises:
        SubmissionError: It was not.
    """
    if found.benchmark not in (None, digest):
        raise SubmissionError(
            f"{called} was packed for another version of the benchmark than the one in --bench; fetch that one again, or "
            "pack the videos again without their manifest"
        )


def scan(folder: Path) -> list[str]:
    """Return the relative paths of all files called like videos, sorted; hidden ones and dead links are left out."""
    found: list[str] = []
    seen: set[Path] = set()  # links to folders may lead in circles
    for root, folders, names in os.walk(folder, followlinks=True):
        if (real := Path(root).resolve()) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_junk(name))
        inner = Path(root).relative_to(folder)
        videos = (name for name in sorted(names) if is_video(name) and not _is_junk(name))
        found += [(inner / name).as_posix() for name in videos if _is_there(Path(root, name))]
        if len(found) > MOST_FILES:
            break
    return sorted(found[:MOST_FILES])


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _manifest(path: Path) -> tuple[Path | None, list[Path]]:
    """Return the manifest that decides, or None; and the folders in which videos may lie."""
    if path.is_file():
        return path, []
    if not path.is_dir():
        raise SubmissionError(f"no folder, archive or manifest at {path}")
    folders = list(_wrapped(path))
    inside = (folder / name for folder in folders for name in MANIFESTS)
    return next((file for file in inside if file.is_file()), None), folders


def _wrapped(path: Path) -> Iterator[Path]:
    """Yield a folder, and the only one in it, and so on."""
    yield path
    for _ in range(DEEPEST):
        try:
            inner = [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not _is_junk(entry.name)]
        except OSError as error:
            raise SubmissionError(f"cannot look into {path}: {error.strerror}") from error
        if len(inner) != 1:
            return
        path = inner[0]
        yield path


def _is_there(path: Path) -> bool:
    """Whether there is a file, or something that this machine may not look at, which is another trouble than none."""
    try:
        return path.is_file()
    except OSError:
        return True


def _present(base: Path, samples: Iterable[Sample]) -> dict[str, Path]:
    found = {}
    for sample in samples:
        path = next((base / place for place in places(sample) if _is_there(base / place)), None)
        if path is not None:
            found[sample.id] = path
    return found


def _is_tree(base: Path, videos: Mapping[str, Path], samples: Sequence[Sample]) -> bool:
    """Whether files lie, or should lie, in folders of their themes."""
    if videos:
        return any(path.parent != base for path in videos.values())
    return any((base / theme).is_dir() for theme in {sample.theme for sample in samples})


def _listed(path: Path, samples: Sequence[Sample], *, inside: bool) -> Layout:
    """Return what a manifest names; ids that are nearly a sample's are near misses."""
    listing = manifests.read(path, inside=inside)
    by_id = {sample.id: sample for sample in samples}
    known = {row.id: row for row in listing.rows if row.id in by_id}
    here = {sample_id: path.parent / row.path for sample_id, row in known.items() if (path.parent / row.path).is_file()}
    strangers = {row.id: row.path for row in listing.rows if row.id not in by_id}
    near, extra = near_misses(strangers, [s for s in samples if s.id not in known], tree=None)
    return Layout(
        base=path.parent,
        kind="manifest",
        videos=here,
        near=tuple(near),
        extra=tuple(strangers[name] for name in extra),
        promised={sample_id: row.promise for sample_id, row in known.items() if row.promise is not None},
        absent={sample_id: row.path for sample_id, row in known.items() if sample_id not in here},
        benchmark=listing.benchmark,
    )
