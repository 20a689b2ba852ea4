"""Are the videos the ones that were recorded, and the records those of the benchmark's samples?

A video that is not here cannot be looked at: that is counted and said, since results travel without them.
"""

from __future__ import annotations

import math
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from sparkle_bench import video
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import MachineError, SparkleError, StoreError, VideoError, listed, one_line
from sparkle_bench.records import Edit, Measurement, Probe, Sample
from sparkle_bench.signals import VERSION, from_data
from sparkle_bench.submission.layout import is_video
from sparkle_bench.verification.findings import FORM, MARKS, Findings
from sparkle_bench.verification.reading import Line, Result

EDITS, SIGNALS, VIDEOS = "edits.jsonl", "signals.jsonl", "videos/"
SHA256 = re.compile(r"[0-9a-f]{64}")
AT_ONCE = 4


def check_edits(result: Result, hashes: Hashes, findings: Findings) -> None:
    """Compare every recorded edit with the benchmark's samples and with the video, where it is here."""
    for lines in result.edits.values():
        for line in lines:
            _check_record(result, line, findings)
    newest = result.newest
    findings.counts["edits"] = sum(edit.ok for edit in newest.values())
    findings.counts["failed_edits"] = sum(not edit.ok for edit in newest.values())
    missing = [sample_id for sample_id in result.samples if sample_id not in newest]
    if missing:
        findings.lack(f"{len(missing)} of {len(result.samples)} samples have no record in {EDITS}: {listed(missing)}")
    _check_videos(result, newest, hashes, findings)
    _check_strangers(result, newest, findings)


def place(sample: Sample) -> str:
    """Return where a sample's video belongs inside its result."""
    return f"{VIDEOS}{sample.edit_path}"


def _check_record(result: Result, line: Line[Edit], findings: Findings) -> None:
    edit = line.record
    where = f"{EDITS}:{line.number} {edit.sample_id}"
    sample = result.samples.get(edit.sample_id)
    if sample is None:
        findings.differ(where, "is no sample of this result's benchmark")
    elif edit.video is not None and edit.video != place(sample):
        findings.differ(where, f"names the video {edit.video!r}, which is not the sample's place {place(sample)!r}")
    if edit.sha256 is not None and not SHA256.fullmatch(edit.sha256):
        findings.differ(where, f"has no usable hash: {edit.sha256[:70]!r}", FORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What became of looking at a video: what differs, or why it could not be looked at."""

    edit: Edit
    differs: str = ""
    trouble: str = ""


def _check_videos(result: Result, newest: dict[str, Edit], hashes: Hashes, findings: Findings) -> None:
    here: list[Edit] = []
    absent = unseen = 0
    for sample_id, edit in newest.items():
        sample = result.samples.get(sample_id)
        there = sample is not None and place(sample) in result.files.plain
        if edit.here and there:
            here.append(edit)
        elif there:
            _unexpected(f"{EDITS} {sample_id}", edit, findings)
        absent += edit.here and not there
        unseen += edit.unseen
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for looked in pool.map(lambda edit: _look(result, edit, hashes), here):
            if looked.differs:
                findings.differ(f"{EDITS} {looked.edit.sample_id}", looked.differs, MARKS)
            if looked.trouble:
                findings.note(looked.trouble)
    findings.counts["videos_here"] = len(here)
    findings.counts["videos_not_here"] = absent + unseen
    if absent:
        findings.note(f"{absent} videos are not here: whether they are the ones that were judged is not known")
    if unseen:
        findings.note(f"{unseen} videos never came with this result: only verdicts on them were handed in")


def _unexpected(where: str, edit: Edit, findings: Findings) -> None:
    said = f"the edit failed ({edit.error})" if not edit.ok else "the video is known by its verdicts alone"
    findings.differ(where, f"the record says that {said}, yet a video lies in its place")


def _look(result: Result, edit: Edit, hashes: Hashes) -> _Looked:
    """Compare a video with its record."""
    path = result.files.folder / place(result.samples[edit.sample_id])
    try:
        found = hashes.of(path)
        if found != edit.sha256:
            recorded = str(edit.sha256)[:12]
            return _Looked(edit=edit, differs=f"the video is another: its hash is {found[:12]}…, recorded {recorded}…")
        facts = video.probe(path)
    except MachineError as error:
        return _Looked(edit=edit, trouble=str(error))
    except VideoError as error:
        return _Looked(edit=edit, differs=f"the video cannot be read: {error}")
    except OSError as error:
        return _Looked(edit=edit, trouble=f"cannot read {path.name} on this machine: {error.strerror}")
    said = edit.probe
    assert said is not None, "an edit that is here has its facts"
    sizes = (said.frames, said.width, said.height) == (facts.frames, facts.width, facts.height)
    if sizes and math.isclose(said.fps, facts.fps, rel_tol=1e-3):
        return _Looked(edit=edit)
    return _Looked(edit=edit, differs=f"the video holds {_facts(facts)}, recorded are {_facts(said)}")


def _facts(probe: Probe) -> str:
    return f"{probe.frames} frames of {probe.width}x{probe.height} at {probe.fps:g} a second"


def _check_strangers(result: Result, newest: dict[str, Edit], findings: Findings) -> None:
    """Name the videos that no record speaks of, and what is not looked at."""
    places = {place(sample): sample_id for sample_id, sample in result.samples.items()}
    strange = []
    for name in sorted(result.files.plain):
        path = PurePosixPath(name)
        if name.startswith(VIDEOS) and is_video(path.name) and not path.name.startswith("."):
            strange += [name] * (places.get(name) not in newest)
    if strange:
        findings.differ(VIDEOS, f"no record speaks of {len(strange)} videos: {listed(strange)}")
    links = [name for name in result.files.others if f"{name}/".startswith(VIDEOS)]
    if links:
        findings.note(f"{len(links)} links or special files under {VIDEOS} are not followed: {listed(links)}")


def check_signals(result: Result, findings: Findings) -> None:
    """Compare the measurements with the edits: each must speak of a file that was recorded, and be readable."""
    findings.counts["signals"] = sum(m.ok and m.version == VERSION for m in result.measured.values())
    older = sum(measurement.version != VERSION for measurement in result.measured.values())
    if older:
        findings.note(f"{older} measurements are of another version of the signals and are not looked at")
    for line in result.measurements:
        where = f"{SIGNALS}:{line.number} {line.record.sample_id}"
        known = {edit.record.sha256 for edit in result.edits.get(line.record.sample_id, ())}
        if line.record.edit_sha256 not in known:
            findings.differ(where, f"measures a file that {EDITS} does not have")
        if line.record.version == VERSION and line.record.signals is not None:
            try:
                from_data(line.record.signals)
            except StoreError as error:
                findings.damage(SIGNALS, one_line(error), line=line.number)


def usable(measurement: Measurement | None) -> bool:
    """Whether there are signals of this version that can be read."""
    if measurement is None or measurement.signals is None or measurement.version != VERSION:
        return False
    try:
        from_data(measurement.signals)
    except SparkleError:
        return False
    return True
