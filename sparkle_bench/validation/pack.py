"""Packing a submission: one archive in the authors' layout with a manifest, the same bytes each time it is made.

Members stand in a fixed order with a fixed date, uncompressed, since H.264 does not compress. `manifest.json` holds the
benchmark's hash and for every video its hash, size and probe facts, so that whoever takes it can tell that nothing changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench import disk, video
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import MachineError, SubmissionError, VideoError, listed
from sparkle_bench.records import Sample
from sparkle_bench.submission import card
from sparkle_bench.submission.layout import CARD, Layout
from sparkle_bench.submission.manifest import FORMAT, MANIFESTS
from sparkle_bench.workers import stream

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What goes into an archive.

    Attributes:
        benchmark: Whose samples the videos are of.
        hashes: What is remembered of files' hashes.
        workers: So many videos are looked at at once.
    """

    benchmark: Benchmark
    hashes: Hashes
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """An archive that was written.

    Attributes:
        videos: How many are in it.
        missing: Samples of the benchmark without a video, sorted.
        unreadable: By sample, why its video was left out.
        bytes: Its size.
        sha256: Its hash, hexadecimal.
    """

    videos: int
    missing: tuple[str, ...]
    unreadable: dict[str, str]
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Video:
    """One video: the file, and its line in the manifest or why it is left out."""

    sample: Sample
    file: Path
    facts: dict[str, Any] | None
    error: str = ""


def pack(found: Layout, out: Path, packing: Packing, *, allow_incomplete: bool = False) -> Packed:
    """Write an archive of all videos that count.

    Args:
        found: What lies in the folder.
        out: The archive, a `.zip`; one that is there is replaced once the new one is whole.
        packing: The benchmark, and how to go about it.
        allow_incomplete: Whether samples may be missing or unreadable.

    Raises:
        SubmissionError: Samples are missing or unreadable and may not be, the card is malformed, or a file changed
            while it was packed.
        MachineError: The archive cannot be written.
    """
    samples = {sample.id: sample for sample in packing.benchmark.samples}
    jobs = [(samples[sample_id], file) for sample_id, file in sorted(found.videos.items()) if sample_id in samples]
    seen = list(stream(jobs, lambda job: [_seen(*job, packing.hashes)], workers=packing.workers))
    videos = sorted((video for video in seen if video.facts is not None), key=lambda video: video.sample.id)
    unreadable = {video.sample.id: video.error for video in seen if video.facts is None}
    missing = tuple(sorted(samples.keys() - {sample.id for sample, _ in jobs}))
    _check(len(samples), missing, unreadable, allow_incomplete=allow_incomplete)
    if found.card is not None:
        card.read(found.card)
    texts = {MANIFESTS[0]: disk.pretty(_manifest(packing.benchmark, videos, (*missing, *sorted(unreadable))))}
    if found.card is not None:
        texts[CARD] = found.card.read_bytes()
    _write(out, texts, videos)
    return Packed(
        videos=len(videos),
        missing=missing,
        unreadable=unreadable,
        bytes=out.stat().st_size,
        sha256=disk.file_sha256(out),
    )


def _seen(sample: Sample, file: Path, hashes: Hashes) -> _Video:
    try:
        probe = video.probe(file)
    except VideoError as error:
        return _Video(sample=sample, file=file, facts=None, error=str(error))
    facts = {
        "id": sample.id,
        "path": sample.edit_path,
        "sha256": hashes.of(file),
        "bytes": file.stat().st_size,
        **dataclasses.asdict(probe),
    }
    return _Video(sample=sample, file=file, facts=facts)


def _check(of: int, missing: Sequence[str], unreadable: dict[str, str], *, allow_incomplete: bool) -> None:
    if len(missing) + len(unreadable) == of:
        raise SubmissionError("there is no readable video to pack; run `sparkle-bench validate` to see why")
    if allow_incomplete or not (missing or unreadable):
        return
    parts = [
        f"{len(missing)} of {of} samples have no video ({listed(list(missing))})" * bool(missing),
        f"{len(unreadable)} videos cannot be read ({next(iter(unreadable.values()), '')})" * bool(unreadable),
    ]
    raise SubmissionError(
        f"{' and '.join(filter(None, parts))}; each will count the lowest marks: mend that (`sparkle-bench validate`), or "
        "pass --allow-incomplete"
    )


def _manifest(benchmark: Benchmark, videos: Sequence[_Video], missing: Sequence[str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "benchmark": {"name": benchmark.name, "digest": benchmark.digest, "samples": len(benchmark.samples)},
        "videos": [video.facts for video in videos],
        "missing": sorted(missing),
    }


def _write(out: Path, texts: dict[str, bytes], videos: Sequence[_Video]) -> None:
    """Write the archive whole or not at all; what a killed run has left is written over."""
    disk.make_folder(out.parent)
    part, lock = out.with_name(f".{out.name}.part"), out.with_name(f".{out.name}.lock")
    with disk.held(lock, wait=False):
        try:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
                for name, content in sorted(texts.items()):
                    archive.writestr(_member(name, len(content)), content)
                for packed in sorted(videos, key=lambda video: video.sample.edit_path):
                    _add(archive, packed)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(out)
        except OSError as error:
            raise MachineError(f"cannot write {out}: {error.strerror or error}") from error
        finally:
            for left in (part, lock):
                with contextlib.suppress(OSError):
                    left.unlink()


def _member(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=EPOCH)
    info.create_system = 3  # Unix, wherever it is made
    info.external_attr = 0o644 << 16
    info.file_size = size
    return info


def _add(archive: zipfile.ZipFile, packed: _Video) -> None:
    assert packed.facts is not None, "only readable videos are packed"
    digest = hashlib.sha256()
    with (
        packed.file.open("rb") as file,
        archive.open(_member(packed.sample.edit_path, packed.facts["bytes"]), "w") as member,
    ):
        while block := file.read(BLOCK):
            digest.update(block)
            member.write(block)
    if digest.hexdigest() != packed.facts["sha256"]:
        raise SubmissionError(f"{packed.file.name} changed while it was packed; run again when nothing writes there")
