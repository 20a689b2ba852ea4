"""The first stage: an edit, or the reason why there is none, for every chosen sample."""

from __future__ import annotations

import contextlib
import glob
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sparkle_bench import discretion, editors, video
from sparkle_bench.disk import Hashes, file_sha256
from sparkle_bench.editors import Editor
from sparkle_bench.editors.fleet import MemberLost
from sparkle_bench.errors import (
    EditorError,
    HostUnavailable,
    MachineError,
    SparkleError,
    SubmissionError,
    is_machine_trouble,
    one_line,
)
from sparkle_bench.records import Edit, Effort, Probe, Sample
from sparkle_bench.run.work import Work
from sparkle_bench.workers import stream


def edit(
    work: Work,
    editor: Editor,
    *,
    begin: Callable[[], object] = lambda: None,
    allow_failures: bool = True,
    loaded: bool = False,
) -> None:
    """Edit every chosen sample that has no good edit yet, one record each.

    Args:
        work: What to work on.
        editor: What edits.
        begin: Called once nobody else can work on these samples: a second run of one command must not load a model beside
            the first, whose GPU it would fill.
        loaded: Whether the model is loaded then.
        allow_failures: Whether a failed edit is recorded, so that it counts; else it leaves no trace, and what was there
            before stays.

    Raises:
        SubmissionError: An edit failed and may not.
        StoreError: Another run is at work on these samples.
        EditorError: The editor refuses the work as a whole.
        HostUnavailable: The model's host cannot be used; what was edited is on disk.
        MachineError: The disk is full, or the like; what was edited is on disk.
    """
    try:
        with work.store.working(work.model, work.shard):
            begin()
            editors.prepare(editor, work.store.samples_of(work.model, work.samples))
            left = _in_order(_left(work, editor), editor)
            if left and not loaded:
                editors.load(editor)
            work.on_start(len(left))
            workers = work.workers if editors.is_thread_safe(editor) else 1
            failed = []
            for record in stream(
                left, lambda sample: [_edit_one(work, editor, sample, keep=not allow_failures)], workers=workers
            ):
                if record.ok or allow_failures:
                    work.store.append_edit(work.model, record)
                else:
                    failed.append(record)
                work.on_record(record)
            _refuse(failed, len(work.samples))
    finally:
        editors.close(editor)


def _refuse(failed: Sequence[Edit], of: int) -> None:
    if failed:
        raise SubmissionError(
            f"{len(failed)} of {of} videos cannot be taken; the first, {failed[0].sample_id}: {failed[0].error}; nothing was "
            "judged: mend them, or pass --allow-incomplete (they count the lowest marks)"
        )


def _left(work: Work, editor: Editor) -> list[Sample]:
    """Return the samples without a good edit; files that are untouched are not hashed again."""
    earlier, hashes = work.store.edits(work.model), work.store.hashes()
    if hasattr(editor, "hashes"):
        editor.hashes = hashes
    left = [s for s in work.samples if not _is_done(work, editor, hashes, (s, earlier.get(s.id)))]
    hashes.save()
    return left


def _in_order(samples: list[Sample], editor: Editor) -> list[Sample]:
    """Return samples of one shape in a row, the largest first; those that cannot be read last, in their own order."""
    sizes = {}
    for sample in samples:
        try:
            sizes[sample.id] = editors.shape(editor, sample)
        except (SparkleError, OSError):
            sizes[sample.id] = (0, 0, 0)  # why is told when it is edited
    return sorted(samples, key=lambda s: (-math.prod(sizes[s.id]), sizes[s.id]))


def _is_done(work: Work, editor: Editor, hashes: Hashes, pair: tuple[Sample, Edit | None]) -> bool:
    sample, edit = pair
    if edit is None or not edit.ok:
        return False
    out = work.store.video_path(work.model, sample)
    return out.is_file() and hashes.of(out) == edit.sha256 and editors.is_current(editor, sample, edit)


def _edit_one(work: Work, editor: Editor, sample: Sample, *, keep: bool) -> Edit:
    """Make one edit; if it fails, an earlier one goes, unless it is to be kept."""
    out = work.store.video_path(work.model, sample)
    part = out.with_name(f".{sample.id}.{os.getpid()}.part.mp4")
    begun = time.monotonic()
    try:
        if not sample.source_path.is_file():
            raise MachineError(f"the source {sample.source} is gone")
        _make_room(out, sample)
        effort = editor.edit(sample, part)
        probe = video.probe(part)
        _check_frames(effort, probe)
        sha256 = file_sha256(part)
        _sync(part)
        part.replace(out)
    except (HostUnavailable, MemberLost) as error:  # no outcome of this sample: what was there stays
        _remove((part,))
        raise type(error)(_reason(error, work, sample)) from error
    except (Exception, SystemExit) as error:  # the border to other people's editors: what they raise is this sample's
        _remove((part,) if keep else (part, out))
        if isinstance(error, MachineError) or is_machine_trouble(error):
            raise MachineError(f"this machine cannot go on at {sample.id}: {_reason(error, work, sample)}") from error
        return Edit(
            sample_id=sample.id,
            error=_reason(error, work, sample),
            error_type=type(error).__name__,
            seconds=round(time.monotonic() - begun, 3),
        )
    return Edit(
        sample_id=sample.id,
        video=out.relative_to(work.store.model_dir(work.model)).as_posix(),
        sha256=sha256,
        probe=probe,
        seconds=round(time.monotonic() - begun, 3),
        effort=effort if isinstance(effort, Effort) else None,
    )


def _check_frames(effort: object, probe: Probe) -> None:
    """Hold an editor to what it says: frame i of its edit stands for frame i of the source."""
    if isinstance(effort, Effort) and effort.aligned and effort.frames not in (None, probe.frames):
        raise EditorError(
            f"the model was given {effort.frames} frames, but the edit has {probe.frames}; if its frames do not stand "
            "for the source's one by one, its preset says `aligned = false`"
        )


def _make_room(out: Path, sample: Sample) -> None:
    """Make the edit's folder, and remove what a killed run left of this sample."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for leftover in out.parent.glob(f".{glob.escape(sample.id)}.*.part.mp4"):
        leftover.unlink(missing_ok=True)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _reason(error: BaseException, work: Work, sample: Sample) -> str:
    """Return one line on an error, without the folders of this machine: records are for publishing."""
    text = str(error) if isinstance(error, SparkleError) else f"{type(error).__name__}: {error}"
    for folder in (work.store.root.resolve(), sample.root.resolve(), Path.cwd(), Path.home()):
        if folder != Path(folder.anchor):
            text = text.replace(f"{folder}/", "")
    text = re.sub(rf"\.{re.escape(sample.id)}\.\d+\.part\.mp4", f"{sample.id}_edited.mp4", text)
    return one_line(discretion.cleaned(text), limit=1000)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
