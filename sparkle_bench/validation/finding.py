"""What can be found out about a handed-in video: each kind of finding, how grave it is, and what is known of one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkle_bench.errors import printable
from sparkle_bench.records import Probe

UNREAD, UNUSABLE, MISSING, ODD, FINE = "unread", "unusable", "missing", "odd", "fine"
STATES = (UNREAD, UNUSABLE, MISSING, ODD, FINE)
"""Worst first. `unread`: this machine failed, so nothing is known. `unusable`: there, but it cannot be judged. `odd`: it
can be judged, and something is worth a look before it is."""

KINDS: Mapping[str, tuple[str, str]] = {
    "machine": (UNREAD, "could not be read on this machine"),
    "unreadable": (UNUSABLE, "no readable video"),
    "truncated": (UNUSABLE, "cut off"),
    "undecodable": (UNUSABLE, "cannot be decoded"),
    "size_changes": (UNUSABLE, "changes its size"),
    "variable_rate": (UNUSABLE, "variable frame rate"),
    "beyond_limits": (UNUSABLE, "beyond what is read"),
    "changed": (UNUSABLE, "not the file that the manifest lists"),
    "near_miss": (MISSING, "under another name or in another place"),
    "missing": (MISSING, "no file"),
    "source_again": (ODD, "the source again"),
    "composite": (ODD, "several pictures in one"),
    "same_bytes": (ODD, "one file for several samples"),
    "damaged": (ODD, "damaged frames"),
    "black": (ODD, "black"),
    "frozen": (ODD, "stands still"),
    "turned": (ODD, "turned"),
    "aspect": (ODD, "another aspect than the source"),
    "shorter": (ODD, "shorter than the source"),
    "longer": (ODD, "longer than the source"),
    "retimed": (ODD, "re-timed"),
    "other_time": (ODD, "another rate and another length"),
    "other_rate": (ODD, "plays at another speed"),
    "no_source": (ODD, "the source cannot be read, so nothing was compared"),
    "few_frames_off": (FINE, "up to three frames fewer or more"),
    "near_rate": (FINE, "a frame rate near the source's"),
    "other_size": (FINE, "another size than the source"),
    "not_browser": (FINE, "not for every browser"),
}
"""By kind, the state that a finding leads to, and a few words for many of them; the gravest stand first."""


def storable(path: str) -> str:
    """Return a path that JSON can hold, whatever bytes the file system gave."""
    return path.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found out.

    Attributes:
        kind: One of `KINDS`.
        text: One line.
    """

    kind: str
    text: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no kind of finding is called {self.kind}")
        object.__setattr__(self, "text", printable(self.text))

    @property
    def state(self) -> str:
        """The state that it leads to."""
        return KINDS[self.kind][0]

    @property
    def rank(self) -> int:
        """Its place among all kinds, the gravest first."""
        return list(KINDS).index(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is known of one sample's video.

    Attributes:
        sample_id: The sample.
        file: The file's path relative to the folder handed in, or None.
        findings: What was found out, the gravest first.
        probe: What the file holds, or None.
        size: The file's bytes, or None.
        sha256: The file's hash, hexadecimal, or None.
    """

    sample_id: str
    file: str | None = None
    findings: tuple[Finding, ...] = ()
    probe: Probe | None = None
    size: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", tuple(sorted(self.findings, key=lambda found: found.rank)))

    @property
    def state(self) -> str:
        """One of `STATES`: that of the gravest finding, or `fine`."""
        return min((found.state for found in self.findings), key=STATES.index, default=FINE)

    @property
    def usable(self) -> bool:
        """Whether it can be judged."""
        return self.state in (ODD, FINE)

    def to_data(self) -> dict[str, Any]:
        """Return it in JSON form."""
        probe = self.probe
        return {
            "sample_id": self.sample_id,
            "state": self.state,
            "file": None if self.file is None else storable(self.file),
            "findings": [{"kind": found.kind, "state": found.state, "text": found.text} for found in self.findings],
            "frames": None if probe is None else probe.frames,
            "fps": None if probe is None else probe.fps,
            "width": None if probe is None else probe.width,
            "height": None if probe is None else probe.height,
            "bytes": self.size,
            "sha256": self.sha256,
        }


@dataclass(slots=True, kw_only=True)
class Notes:
    """What is being found out about one sample, before it is put on record.

    Attributes:
        path: The file.
        findings: Until now.
        probe: What the file holds, once known.
        size: The file's bytes, once known.
        sha256: The file's hash, once known.
    """

    path: Path
    findings: list[Finding] = field(default_factory=list)
    probe: Probe | None = None
    size: int | None = None
    sha256: str | None = None

    def add(self, kind: str, text: object) -> None:
        """Note a finding."""
        self.findings.append(Finding(kind=kind, text=str(text)))
