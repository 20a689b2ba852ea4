"""Is a video still the one that was recorded?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sparkle_bench import video
from sparkle_bench.disk import file_sha256
from sparkle_bench.errors import StaleEdit, VideoError
from sparkle_bench.records import Edit, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a judge looks at pairs.

    Attributes:
        sampling: How clips become pictures; None for whole files.
        kept: Where sampled sources are kept; None samples them each time.
    """

    sampling: video.Sampling | None
    kept: video.Kept | None = None


def load_pair(sample: Sample, edited: Path, edit: Edit, look: Look) -> video.Pair:
    """Return a sample's pair, made from the very bytes that are on record.

    The edit is read once: what is hashed is what is decoded. A file too large to be held is hashed before and after.

    Raises:
        StaleEdit: The edit was changed or is gone.
        SourceError: The source cannot be decoded, or was changed.
        VideoError: The edit cannot be decoded.
        MachineError: This machine cannot read one of them.
    """
    recorded = video.Recorded(sha256=sample.sha256, kept=look.kept)
    held = _held(edited, edit)
    pair = video.load_pair(sample.source_path, held, look.sampling, recorded)
    if held.data is None:
        check_hash(edited, edit)
    return pair


def _held(path: Path, edit: Edit) -> video.File:
    """Read the very file of an Edit. It was probed when it was recorded."""
    try:
        held = video.hold(path)
    except VideoError:  # gone, or emptied
        held = video.File(path=path, data=None)
    if held.data is None:
        check_hash(path, edit)
    elif hashlib.sha256(held.data).hexdigest() != edit.sha256:
        raise _changed(path)
    return video.File(path=path, data=held.data, facts=edit.probe)


def check_hash(path: Path, edit: Edit) -> None:
    """Make sure that a file is the very one of an Edit.

    Raises:
        StaleEdit: It was changed or is gone.
    """
    try:
        same = file_sha256(path) == edit.sha256
    except OSError as error:
        raise StaleEdit(f"{path.name} cannot be read any more ({error.strerror}); run again to make it anew") from error
    if not same:
        raise _changed(path)


def _changed(path: Path) -> StaleEdit:
    return StaleEdit(f"{path.name} was changed after it was recorded; run again to take it as it is")
