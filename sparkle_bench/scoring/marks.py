"""Marks as arrays, one place for every sample and repeat, and the score table that is written of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.errors import StoreError, VerdictError
from sparkle_bench.records import Edit, Judgment, Sample
from sparkle_bench.rubric import Rubric, check

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

STATUSES = (SCORED, NO_EDIT, NO_VERDICT) = ("scored", "no_edit", "no_verdict")
RAW = "raw_"
UNREADABLE = "VideoError"
"""A judgment with this kind of error found the edit itself unreadable."""
_SCORED, _NO_EDIT, _NO_VERDICT = range(len(STATUSES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one model under one judge.

    Attributes:
        samples: Every sample of the benchmark.
        edits: The newest Edit by sample id.
        judgments: The newest Judgment by (sample id, edit sha256, repeat).
        repeats: Verdicts asked for per edit.
    """

    samples: Sequence[Sample]
    edits: Mapping[str, Edit]
    judgments: Mapping[tuple[str, str, int], Judgment]
    repeats: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marks:
    """Every mark of a result: S samples in the benchmark's order, R repeats, D dimensions in the rubric's order.

    Attributes:
        samples: Every sample of the benchmark.
        rubric: What the marks mean.
        status: (S, R), indices into `STATUSES`.
        attempted: (S,), whether anybody has tried to edit the sample.
        raw: (S, R, D), the judge's marks; of no meaning where `scored` is false.
        counts: (S, R, D), the marks that count: capped, or the lowest for a missing edit; of no meaning where `known` is
            false.
        fresh: (S, R), whether the verdict was asked for here, and not taken over from another result.
        errors: Why a place has no marks, by (sample, repeat).
    """

    samples: tuple[Sample, ...]
    rubric: Rubric
    status: NDArray[np.int8]
    attempted: NDArray[np.bool_]
    raw: NDArray[np.int16]
    counts: NDArray[np.int16]
    fresh: NDArray[np.bool_]
    errors: Mapping[tuple[int, int], str]

    @property
    def layout(self) -> tuple[tuple[str, str, str, str], ...]:
        """Which samples there are and where each belongs, in order; marks of two results compare if it is the same."""
        return tuple((sample.id, sample.theme, sample.subtheme, sample.scene) for sample in self.samples)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(S, R), where there are marks."""
        found: NDArray[np.bool_] = self.status == _SCORED
        return found

    @property
    def no_edit(self) -> NDArray[np.bool_]:
        """(S, R), where there is no readable video."""
        found: NDArray[np.bool_] = self.status == _NO_EDIT
        return found

    @property
    def no_verdict(self) -> NDArray[np.bool_]:
        """(S, R), where there is a video but no marks."""
        found: NDArray[np.bool_] = self.status == _NO_VERDICT
        return found

    @property
    def known(self) -> NDArray[np.bool_]:
        """(S, R), where there are marks that count."""
        found: NDArray[np.bool_] = self.scored | (self.no_edit & self.attempted[:, None])
        return found

    @property
    def uncapped(self) -> NDArray[np.int16]:
        """(S, R, D), as `counts`, with the raw marks in place of the capped ones."""
        found: NDArray[np.int16] = np.where(self.scored[:, :, None], self.raw, self.counts)
        return found

    def repeated(self) -> dict[str, list[list[int]]]:
        """Return, by dimension key, the raw marks of every edit that was judged here more than once."""
        asked = self.scored & self.fresh
        rows = [self.raw[s][asked[s]] for s in np.flatnonzero(asked.sum(axis=1) > 1)]
        return {key: [row[:, d].tolist() for row in rows] for d, key in enumerate(self.rubric.keys)}


def collect(evidence: Evidence, rubric: Rubric) -> Marks:
    """Return every mark of a result.

    Raises:
        StoreError: A stored judgment does not fit the rubric.
    """
    samples, repeats = tuple(evidence.samples), evidence.repeats
    shape = (len(samples), repeats)
    status = np.full(shape, _NO_VERDICT, np.int8)
    raw = np.zeros((*shape, len(rubric.keys)), np.int16)
    fresh = np.zeros(shape, np.bool_)
    errors: dict[tuple[int, int], str] = {}
    keys = rubric.keys
    for s, sample in enumerate(samples):
        edit = evidence.edits.get(sample.id)
        for r in range(repeats):
            judgment = evidence.judgments.get((sample.id, edit.sha256 or "", r)) if edit else None
            why = _why_none(edit, judgment)
            if why is None:
                status[s, r] = _SCORED
                raw[s, r] = _raw(sample, judgment, rubric, keys)
                fresh[s, r] = judgment is not None and judgment.reused in (None, "replay")
            else:
                status[s, r], errors[s, r] = why
    attempted = np.array([sample.id in evidence.edits for sample in samples], np.bool_)
    return Marks(
        samples=samples,
        rubric=rubric,
        status=status,
        attempted=attempted,
        raw=raw,
        counts=counting(raw, status, attempted, rubric),
        fresh=fresh,
        errors=errors,
    )


def counting(
    raw: NDArray[np.int16], status: NDArray[np.int8], attempted: NDArray[np.bool_], rubric: Rubric
) -> NDArray[np.int16]:
    """Return the marks that count, as `Marks.counts`, of raw ones; `rubric.cap` for whole arrays."""
    capped = raw if rubric.cap is None else np.minimum(raw, raw[:, :, [rubric.keys.index(rubric.cap)]])
    failed = (status == _NO_EDIT) & attempted[:, None]
    counts: NDArray[np.int16] = np.where(failed[:, :, None], np.int16(rubric.lowest), capped)
    return counts


def _why_none(edit: Edit | None, judgment: Judgment | None) -> tuple[int, str] | None:
    """Return the status and the reason of a place without marks; None if there are some."""
    if edit is None:
        return _NO_EDIT, "not attempted"
    if not edit.ok or (judgment is not None and judgment.error_type == UNREADABLE):
        return _NO_EDIT, (edit.error if judgment is None else judgment.error) or "failed"
    if judgment is None or judgment.scores is None:
        return _NO_VERDICT, "not judged" if judgment is None else judgment.error or "failed"
    return None


def _raw(sample: Sample, judgment: Judgment | None, rubric: Rubric, keys: tuple[str, ...]) -> list[int]:
    assert judgment is not None and judgment.scores is not None
    marks = judgment.scores.marks
    found = [marks.get(key, rubric.lowest - 1) for key in keys]
    if len(marks) != len(keys) or min(found) < rubric.lowest or max(found) > rubric.highest:
        try:
            check(judgment.scores, rubric)
        except VerdictError as error:
            raise StoreError(f"the judgment of {sample.id} does not fit the rubric {rubric.name!r}: {error}") from error
    return found


def counted(evidence: Evidence) -> list[Judgment]:
    """Return the judgments that count: those of the file that is each sample's edit now."""
    found = []
    for sample in evidence.samples:
        edit = evidence.edits.get(sample.id)
        keys = [(sample.id, edit.sha256 or "", repeat) for repeat in range(evidence.repeats)] if edit else []
        found += [evidence.judgments[key] for key in keys if key in evidence.judgments]
    return found


def score_table(marks: Marks) -> pd.DataFrame:
    """Return one row for every sample and repeat, in the benchmark's order.

    Columns: `sample_id, theme, subtheme, scene, repeat, status, attempted, error`, then `raw_<key>` and `<key>` for every
    dimension: the judge's mark and the mark that counts (capped, or the lowest for a missing edit), NaN where there is none.
    """
    import pandas as pd

    samples, repeats = marks.samples, marks.status.shape[1]
    labels = {
        "sample_id": [sample.id for sample in samples],
        "theme": [sample.theme for sample in samples],
        "subtheme": [sample.subtheme for sample in samples],
        "scene": [sample.scene for sample in samples],
    }
    columns: dict[str, object] = {
        name: np.repeat(np.array([_whole(text) for text in of], object), repeats) for name, of in labels.items()
    }
    places = [(s, r) for s in range(len(samples)) for r in range(repeats)]
    columns |= {
        "repeat": np.tile(np.arange(repeats), len(samples)),
        "status": np.array(STATUSES, object)[marks.status.ravel()],
        "attempted": np.repeat(marks.attempted, repeats),
        "error": np.array([_whole(marks.errors.get(place)) for place in places], object),
    }
    for name, values, there in ((RAW, marks.raw, marks.scored), ("", marks.counts, marks.known)):
        for d, key in enumerate(marks.rubric.keys):
            columns[f"{name}{key}"] = np.where(there, values[:, :, d], np.nan).ravel()
    table: pd.DataFrame = pd.DataFrame(columns)
    return table


def _whole(text: str | None) -> str | None:
    """Return a text without halves of surrogate pairs, which no table can be written with."""
    return None if text is None else text.encode(errors="backslashreplace").decode()
