"""What is on disk between two stages: `Sample`, `Edit`, `Measurement`, `Judgment` and their JSON form. Pure.

Records are frozen. A failure is a record too: all but `Sample` hold either a result or an error, never both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench.errors import StoreError
from sparkle_bench.rubric import Scores

SCENE_SEPARATOR = "---"
MOST_LETTERS = 500
MOST = 1e15
"""Seconds, bytes, frames or dollars beyond this are a mistake."""

MOST_REPEATS = 100
"""Verdicts per edit that are believed: a table of more would fill the memory."""

RUN_FIELDS: Mapping[str, type] = {"benchmark": dict, "editor": dict}
"""What a board needs of `run.json`."""
BENCHMARK_FIELDS: Mapping[str, type] = {"name": str, "digest": str, "samples": int, "partial": bool}
"""What it needs of what `run.json` says of the benchmark."""
JUDGE_FIELDS: Mapping[str, type] = {
    "key": str,
    "identity": dict,
    "notes": list,
    "rubric": dict,
    "repeats": int,
    "date": str,
    "code_version": str,
}
"""What it needs of `judge.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One task of a benchmark: a source video and what to do with it.

    Attributes:
        id: Unique in the benchmark, such as `Sparkle_time_000367`.
        benchmark: The benchmark's name, which is also its rubric's.
        theme: First level of the label, such as `time`.
        subtheme: Second level, such as `dawn`.
        scene: Third level, such as `morning mist rolling over terrain`.
        instruction: What the editing model is asked to do.
        source: The source video's path inside the benchmark's folder, with forward slashes.
        sha256: The source file's hash, hexadecimal.
        root: The benchmark's folder on this machine; never written to disk.
    """

    id: str
    benchmark: str
    theme: str
    subtheme: str
    scene: str
    instruction: str
    source: str
    sha256: str
    root: Path = dataclasses.field(default=Path(), compare=False, repr=False)

    @property
    def source_path(self) -> Path:
        """Where the source video is on this machine."""
        return self.root / self.source

    @property
    def edit_path(self) -> str:
        """The edit's place in the authors' layout: `theme/subtheme---scene_with_underscores/id_edited.mp4`."""
        scene = self.scene.replace(" ", "_")
        return f"{self.theme}/{self.subtheme}{SCENE_SEPARATOR}{scene}/{self.id}_edited.mp4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a video file holds, from its packets and headers.

    Attributes:
        frames: Number of frames.
        fps: Frames per second.
        width: Pixels.
        height: Pixels.
    """

    frames: int
    fps: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for name in ("frames", "fps", "width", "height"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value < MOST:
                raise StoreError(f"a video's {name} cannot be {value!r:.40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What one edit took, as far as the editor can tell; what is None is not known.

    Attributes:
        seconds: The model's own time, from fitted frames to frames (for a hosted one, from submission to the end); without
            decoding, writing, or waiting for another sample's turn.
        frames: How many of the source's first frames the model was given.
        aligned: Whether frame i of the edit stands for frame i of the source.
        host_memory: Most bytes that the editing process has held so far.
        gpu_memory: Most bytes of GPU memory in use during this edit.
        cost: What it cost, in US dollars.
        job: The name that whoever hosts the model gave the job.
    """

    seconds: float | None = None
    frames: int | None = None
    aligned: bool | None = None
    host_memory: int | None = None
    gpu_memory: int | None = None
    cost: float | None = None
    job: str | None = None

    def __post_init__(self) -> None:
        for name, kinds in (
            ("seconds", (int, float)), ("cost", (int, float)), ("frames", (int,)), ("host_memory", (int,)),
            ("gpu_memory", (int,)),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and (type(value) not in kinds or not 0 <= value < MOST):
                raise StoreError(f"an effort's {name} cannot be {value!r:.40}")
        if not (self.aligned is None or isinstance(self.aligned, bool)):
            raise StoreError(f"an effort's aligned cannot be {self.aligned!r:.40}")
        if not (self.job is None or (isinstance(self.job, str) and len(self.job) <= MOST_LETTERS)):
            raise StoreError(f"an effort's job cannot be {self.job!r:.40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edited video, or why there is none.

    Attributes:
        sample_id: The sample that was edited.
        video: Path of the file inside the model's result folder, with forward slashes.
        sha256: The file's hash, hexadecimal; it ties verdicts to these exact bytes.
        probe: What the file holds.
        seconds: From the sample's start to its file, waiting included.
        effort: What it took, if the editor can tell.
        error: One line, or None.
        error_type: The exception's class name, or None.
        unseen: Whether only a verdict on the video was handed in, as a published score; `sha256` then stands for a file
            that nobody here has seen, and there is no path and no probe.
    """

    sample_id: str
    video: str | None = None
    sha256: str | None = None
    probe: Probe | None = None
    seconds: float = 0.0
    effort: Effort | None = None
    error: str | None = None
    error_type: str | None = None
    unseen: bool = False

    def __post_init__(self) -> None:
        facts = (self.video is not None, self.sha256 is not None, self.probe is not None)
        wanted = (False, True, False) if self.unseen else (True, True, True) if self.error is None else (False,) * 3
        if facts != wanted or (self.unseen and self.error is not None):
            raise StoreError(f"an Edit of {self.sample_id} needs a video, its hash and probe, or an error; not both")

    @property
    def ok(self) -> bool:
        """Whether there is a video, here or elsewhere."""
        return self.error is None

    @property
    def here(self) -> bool:
        """Whether there is a video that can be looked at."""
        return self.video is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """What the judge said about one edit: raw marks, or why there are none.

    Attributes:
        sample_id: The sample whose edit was judged.
        edit_sha256: Hash of the exact file that was judged.
        repeat: 0 for the first verdict, 1 for the second, …
        reply: The judge's last reply, verbatim; None if none arrived.
        scores: Raw marks, never capped.
        error: One line, or None.
        error_type: The exception's class name, or None. `VideoError` means that the edit cannot be read.
        soft: Expected mark of every dimension whose mark's probabilities are known; beside the marks, never instead.
        attempts: Requests sent, the successful one included.
        failures: One line for every attempt that failed.
        prompt_tokens: Of all replies to this question, as the server counted them, or None.
        completion_tokens: Likewise.
        cost: Of all replies to this question, in USD, or None where no price is known.
        latency: Seconds that the last answered request took, or None.
        seconds: From the first request to the verdict, waiting included.
        reused: The result from which the verdict on the same file was taken, or None; nothing was asked then.
    """

    sample_id: str
    edit_sha256: str
    repeat: int = 0
    reply: str | None = None
    scores: Scores | None = None
    error: str | None = None
    error_type: str | None = None
    soft: Mapping[str, float] | None = None
    attempts: int = 1
    failures: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    latency: float | None = None
    seconds: float = 0.0
    reused: str | None = None

    def __post_init__(self) -> None:
        if (self.scores is None) == (self.error is None):
            raise StoreError(f"a Judgment of {self.sample_id} needs either scores or an error, never both")

    @property
    def ok(self) -> bool:
        """Whether there are marks."""
        return self.scores is not None

    @property
    def key(self) -> tuple[str, str, int]:
        """What is judged once: sample, exact file, repeat."""
        return (self.sample_id, self.edit_sha256, self.repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was measured of one edit from its pixels, or why nothing was.

    Attributes:
        sample_id: The sample whose edit was measured.
        edit_sha256: Hash of the exact file that was measured.
        version: Of the signals; those of another version are measured again.
        signals: By group and name, as `signals.to_data` gives them.
        error: One line, or None.
        error_type: The exception's class name, or None.
        seconds: How long it took, decoding included.
    """

    sample_id: str
    edit_sha256: str
    version: int
    signals: Mapping[str, Any] | None = None
    error: str | None = None
    error_type: str | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.signals is None) == (self.error is None):
            raise StoreError(f"a Measurement of {self.sample_id} needs either signals or an error, never both")

    @property
    def ok(self) -> bool:
        """Whether there are signals."""
        return self.signals is not None


Record = Sample | Edit | Measurement | Judgment


def to_json(record: Record) -> dict[str, Any]:
    """Return the record as JSON data; its names are the field names, empty fields are left out."""
    data: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if field.name == "root" or value is None or value == () or value is False:
            continue
        if isinstance(value, Scores):
            value = dict(value.marks)
        elif isinstance(value, Probe):
            value = dataclasses.asdict(value)
        elif isinstance(value, Effort):
            value = effort_to_json(value)
        data[field.name] = value
    return data


def effort_to_json(effort: Effort) -> dict[str, Any]:
    """Return what is known of an effort."""
    return {name: value for name, value in dataclasses.asdict(effort).items() if value is not None}


def unusable(data: Mapping[str, Any], fields: Mapping[str, type]) -> str | None:
    """Return the first of the fields that is missing or of the wrong kind, or None; true is no whole number."""
    return next((name for name, kind in fields.items() if type(data.get(name)) is not kind), None)


def sample_from_json(data: Mapping[str, Any], root: Path = Path()) -> Sample:
    """Read a sample; `root` is the benchmark's folder on this machine.

    Raises:
        TypeError: A field is missing or unknown.
    """
    return Sample(**data, root=root)


def edit_from_json(data: Mapping[str, Any]) -> Edit:
    """Read an edit.

    Raises:
        TypeError: A field is missing or unknown.
        StoreError: It holds both a result and an error, or neither.
    """
    probe, effort = data.get("probe"), data.get("effort")
    return Edit(
        **{
            **data,
            "probe": Probe(**probe) if probe is not None else None,
            "effort": Effort(**effort) if effort is not None else None,
        }
    )


def measurement_from_json(data: Mapping[str, Any]) -> Measurement:
    """Read a measurement.

    Raises:
        TypeError: A field is missing or unknown.
        StoreError: It holds both signals and an error, or neither.
    """
    return Measurement(**data)


def judgment_from_json(data: Mapping[str, Any]) -> Judgment:
    """Read a judgment.

    Raises:
        TypeError: A field is missing or unknown.
        StoreError: It holds both scores and an error, or neither.
        VerdictError: A mark is not a whole number.
    """
    scores = data.get("scores")
    return Judgment(
        **{
            **data,
            "scores": Scores(marks=scores) if scores is not None else None,
            "failures": tuple(data.get("failures", ())),
        }
    )
