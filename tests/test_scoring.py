"""The score table and its means, against a second implementation in plain Python and fractions.

The second implementation (`expected_rows`, `expected_summary`) is written from the rules, not from the code: it knows no
pandas and no floats, and walks samples, repeats, themes and dimensions one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkle_bench.errors import StoreError
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Edit, Judgment, Probe, Sample
from sparkle_bench.rubric import Scores, rubric_from_data
from sparkle_bench.scoring import Bounds, Evidence, Summary, collect, score_table, summarise
from sparkle_bench.store import Store

RUBRIC = load_prompt("sparkle", root=Path(__file__).parent.parent).rubric
KEYS = ("instruction", "visual", "fg_integrity", "fg_motion", "bg_dynamics", "bg_visual")
Marks = tuple[int, ...]

# -- the second implementation ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One row as the rules want it; `marks` are capped, or the floor, or None where nothing counts."""

    sample: Sample
    repeat: int
    status: str
    attempted: bool
    raw: Marks | None = None
    marks: Marks | None = None


def expected_rows(evidence: Evidence) -> list[Line]:
    rows = []
    for sample in evidence.samples:
        for repeat in range(evidence.repeats):
            rows.append(expected_row(evidence, sample, repeat))
    return rows


def expected_row(evidence: Evidence, sample: Sample, repeat: int) -> Line:
    edit = evidence.edits.get(sample.id)
    if edit is None:
        return Line(sample, repeat, "no_edit", False)
    floor = (1, 1, 1, 1, 1, 1)
    if edit.sha256 is None:
        return Line(sample, repeat, "no_edit", True, None, floor)
    about_this_file = [j for j in evidence.judgments.values() if j.key == (sample.id, edit.sha256, repeat)]
    if not about_this_file:
        return Line(sample, repeat, "no_verdict", True)
    (judgment,) = about_this_file
    if judgment.scores is not None:
        raw = tuple(judgment.scores[key] for key in KEYS)
        capped = tuple(mark if mark < raw[0] else raw[0] for mark in raw)
        return Line(sample, repeat, "scored", True, raw, capped)
    if judgment.error_type == "VideoError":
        return Line(sample, repeat, "no_edit", True, None, floor)
    return Line(sample, repeat, "no_verdict", True)


def mean(values: Iterable[Fraction | int]) -> Fraction:
    listed = [Fraction(value) for value in values]
    return sum(listed, Fraction(0)) / len(listed)


def theme_means(rows: Sequence[Line], gap: int) -> dict[str, list[Fraction]]:
    """By theme, the mean of each dimension over the theme's rows; a row without marks counts `gap` in all six."""
    by_theme: dict[str, list[Marks]] = {}
    for row in rows:
        by_theme.setdefault(row.sample.theme, []).append(row.marks or (gap,) * 6)
    return {theme: [mean(marks[n] for marks in all_marks) for n in range(6)] for theme, all_marks in by_theme.items()}


def over_themes(means: Mapping[str, list[Fraction]]) -> list[Fraction]:
    return [mean(dimensions[n] for dimensions in means.values()) for n in range(6)]


@dataclass(frozen=True)
class Expected:
    """The summary as the rules want it, in exact numbers."""

    overall: tuple[Fraction, Fraction]
    dimensions: dict[str, tuple[Fraction, Fraction]]
    themes: dict[str, tuple[Fraction, Fraction]]
    counts: dict[str, int]
    scored_overall: Fraction | None
    cap_bound: Fraction | None
    complete: bool


def expected_summary(evidence: Evidence) -> Expected:
    rows = expected_rows(evidence)
    low, high = theme_means(rows, 1), theme_means(rows, 5)
    scored = [row for row in rows if row.status == "scored"]
    of_sample = {s.id: [row for row in rows if row.sample.id == s.id] for s in evidence.samples}
    counts = {"scored": 0, "of": 0, "no_edit": 0, "no_verdict": 0, "unattempted": 0}
    for own in of_sample.values():
        states = {row.status for row in own}
        counts["of"] += 1
        counts["scored"] += states == {"scored"}
        counts["no_edit"] += "no_edit" in states and own[0].attempted
        counts["no_verdict"] += "no_verdict" in states
        counts["unattempted"] += not own[0].attempted
    return Expected(
        overall=(mean(over_themes(low)), mean(over_themes(high))),
        dimensions=dict(zip(KEYS, zip(over_themes(low), over_themes(high), strict=True), strict=True)),
        themes={theme: (mean(low[theme]), mean(high[theme])) for theme in low},
        counts=counts,
        scored_overall=mean(over_themes(theme_means(scored, 0))) if scored else None,
        cap_bound=mean(int(row.raw != row.marks) for row in scored) if scored else None,
        complete=all(row.marks is not None for row in rows),
    )


# -- evidence --------------------------------------------------------------------------------------------------------


def a_sample(number: int, theme: str) -> Sample:
    name = f"Sparkle_{theme}_{number:06d}"
    return Sample(
        id=name,
        benchmark="sparkle",
        theme=theme,
        subtheme="beach",
        scene="calm sea",
        instruction="Put it on a beach.",
        source=f"source_videos/{theme}/{name}.mp4",
        sha256="0" * 64,
    )


def an_edit(sample: Sample) -> Edit:
    probe = Probe(frames=33, fps=15.0, width=1280, height=704)
    return Edit(sample_id=sample.id, video=f"videos/{sample.id}.mp4", sha256=f"sha-{sample.id}", probe=probe)


def a_failed_edit(sample: Sample) -> Edit:
    return Edit(sample_id=sample.id, error="out of memory", error_type="RuntimeError")


def a_verdict(sample: Sample, marks: Sequence[int], *, repeat: int = 0, sha256: str | None = None) -> Judgment:
    scores = Scores(marks=dict(zip(KEYS, marks, strict=True)))
    return Judgment(sample_id=sample.id, edit_sha256=sha256 or f"sha-{sample.id}", repeat=repeat, scores=scores)


def a_failure(sample: Sample, kind: str, *, repeat: int = 0) -> Judgment:
    return Judgment(
        sample_id=sample.id, edit_sha256=f"sha-{sample.id}", repeat=repeat, error=f"a {kind}", error_type=kind
    )


def known(
    samples: Sequence[Sample], edits: Iterable[Edit], judgments: Iterable[Judgment], *, repeats: int = 1
) -> Evidence:
    return Evidence(
        samples=samples,
        edits={edit.sample_id: edit for edit in edits},
        judgments={judgment.key: judgment for judgment in judgments},
        repeats=repeats,
    )


some_marks = st.tuples(*[st.integers(1, 5)] * 6)
OUTCOMES = ["scored"] * 6 + ["VerdictError", "ServerFailed", "RequestFailed", "VideoError", "nothing", "stale"]


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    """Themes of unequal size, in any order; edits and verdicts that are there, missing, failed, stale or foreign."""
    themes = draw(st.lists(st.sampled_from(["location", "season", "time", "style"]), min_size=1, max_size=9))
    samples = [a_sample(number, theme) for number, theme in enumerate(themes)]
    repeats = draw(st.integers(1, 3))
    smooth = draw(st.booleans())
    edits, judgments = [], []
    for sample in samples:
        state = "good" if smooth else draw(st.sampled_from(["good", "good", "good", "good", "failed", "none"]))
        if state != "none":
            edits.append(an_edit(sample) if state == "good" else a_failed_edit(sample))
        for repeat in range(repeats):
            outcome = "scored" if smooth else draw(st.sampled_from(OUTCOMES))
            judgments += judged(sample, repeat, outcome, draw(some_marks))
    if draw(st.booleans()):  # of a sample, a repeat and an edit that do not belong
        stranger = a_sample(99, "season")
        edits.append(an_edit(stranger))
        judgments += [a_verdict(stranger, [5] * 6), a_verdict(samples[0], [1] * 6, repeat=repeats)]
    return known(samples, edits, judgments, repeats=repeats)


def judged(sample: Sample, repeat: int, outcome: str, marks: Marks) -> list[Judgment]:
    if outcome == "nothing":
        return []
    if outcome == "stale":
        return [a_verdict(sample, marks, repeat=repeat, sha256="sha-of-an-earlier-file")]
    if outcome == "scored":
        stale = a_verdict(sample, marks[::-1], repeat=repeat, sha256="sha-of-an-earlier-file")
        return [a_verdict(sample, marks, repeat=repeat), stale]
    return [a_failure(sample, outcome, repeat=repeat)]


def summary_of(known_evidence: Evidence) -> Summary:
    return summarise(collect(known_evidence, RUBRIC))


# -- agreement -------------------------------------------------------------------------------------------------------


@given(evidence=evidence())
@settings(max_examples=150, deadline=None)
def test_every_row_agrees_with_the_second_implementation(evidence: Evidence) -> None:
    table = score_table(collect(evidence, RUBRIC))
    expected = expected_rows(evidence)
    assert len(table) == len(expected) == len(evidence.samples) * evidence.repeats
    for row, line in zip(table.to_dict("records"), expected, strict=True):
        assert (row["sample_id"], row["theme"], row["repeat"]) == (line.sample.id, line.sample.theme, line.repeat)
        assert (row["status"], row["attempted"]) == (line.status, line.attempted)
        assert (row["error"] is None or row["error"] != row["error"]) == (line.status == "scored")
        for n, key in enumerate(KEYS):
            for value, marks in ((row[key], line.marks), (row[f"raw_{key}"], line.raw)):
                assert math.isnan(value) if marks is None else value == marks[n]


def same(bounds: Bounds, exact: tuple[Fraction, Fraction]) -> bool:
    close = math.isclose(bounds.low, exact[0], abs_tol=1e-9) and math.isclose(bounds.high, exact[1], abs_tol=1e-9)
    return close and (bounds.value is None) == (exact[0] != exact[1])


@given(evidence=evidence())
@settings(max_examples=150, deadline=None)
def test_the_summary_agrees_with_the_second_implementation(evidence: Evidence) -> None:
    summary, expected = summary_of(evidence), expected_summary(evidence)
    assert same(summary.overall, expected.overall)
    assert list(summary.dimensions) == list(KEYS)
    assert all(same(summary.dimensions[key], expected.dimensions[key]) for key in KEYS)
    assert list(summary.themes) == list(expected.themes)
    assert all(same(summary.themes[theme], expected.themes[theme]) for theme in expected.themes)
    assert {name: getattr(summary, name) for name in expected.counts} == expected.counts
    assert summary.complete == expected.complete
    for number, exact in ((summary.scored_overall, expected.scored_overall), (summary.cap_bound, expected.cap_bound)):
        assert (number is None) == (exact is None)
        assert number is None or exact is None or math.isclose(number, exact, abs_tol=1e-9)


@given(evidence=evidence())
@settings(max_examples=60, deadline=None)
def test_the_bounds_hold_whatever_the_missing_verdicts_turn_out_to_be(evidence: Evidence) -> None:
    before = summary_of(evidence)
    gaps = [line for line in expected_rows(evidence) if line.marks is None]
    for marks in ((1,) * 6, (3, 4, 5, 1, 2, 3), (5,) * 6):
        filled = known(
            evidence.samples,
            [evidence.edits.get(s.id, an_edit(s)) for s in evidence.samples],
            [*evidence.judgments.values(), *(a_verdict(gap.sample, marks, repeat=gap.repeat) for gap in gaps)],
            repeats=evidence.repeats,
        )
        after = summary_of(filled).overall
        assert after.value is not None
        assert before.overall.low - 1e-9 <= after.value <= before.overall.high + 1e-9


# -- what the rules say, in small examples ---------------------------------------------------------------------------

BEACH = [a_sample(n, "location") for n in range(3)]
SNOW = [a_sample(n, "season") for n in range(3, 5)]
ALL = [*BEACH, *SNOW]


def test_a_theme_counts_the_same_however_many_samples_it_has() -> None:
    judgments = [a_verdict(s, (5,) * 6) for s in BEACH] + [a_verdict(s, (2,) * 6) for s in SNOW]
    summary = summary_of(known(ALL, map(an_edit, ALL), judgments))
    assert summary.overall.value == pytest.approx(3.5)  # not (3*5 + 2*2) / 5 = 3.8
    assert summary.themes["location"].value == pytest.approx(5)
    assert summary.themes["season"].value == pytest.approx(2)


def test_a_missing_edit_counts_one_in_all_six_and_leaves_the_result_complete() -> None:
    edits = [*map(an_edit, ALL[:-1]), a_failed_edit(ALL[-1])]
    summary = summary_of(known(ALL, edits, [a_verdict(s, (5,) * 6) for s in ALL[:-1]]))
    assert summary.complete
    assert summary.overall.value == pytest.approx((5 + (5 + 1) / 2) / 2)
    assert (summary.scored, summary.no_edit, summary.of) == (4, 1, 5)
    assert summary.scored_overall == pytest.approx(5)


def test_an_edit_that_cannot_be_read_counts_as_missing() -> None:
    judgments = [*(a_verdict(s, (4,) * 6) for s in ALL[:-1]), a_failure(ALL[-1], "VideoError")]
    unreadable = summary_of(known(ALL, map(an_edit, ALL), judgments))
    missing = summary_of(known(ALL, [*map(an_edit, ALL[:-1]), a_failed_edit(ALL[-1])], judgments))
    assert unreadable == missing
    assert unreadable.no_edit == 1
    assert unreadable.complete


@pytest.mark.parametrize("kind", ["VerdictError", "RequestFailed", "ServerFailed"])
def test_a_missing_verdict_never_counts_and_shows_bounds(kind: str) -> None:
    judgments = [*(a_verdict(s, (3,) * 6) for s in ALL[:-1]), a_failure(ALL[-1], kind)]
    summary = summary_of(known(ALL, map(an_edit, ALL), judgments))
    assert not summary.complete
    assert summary.overall.value is None
    assert (summary.overall.low, summary.overall.high) == pytest.approx(((3 + 2) / 2, (3 + 4) / 2))
    assert summary.themes["location"].value == pytest.approx(3)
    assert summary.scored_overall == pytest.approx(3)
    assert (summary.scored, summary.no_verdict) == (4, 1)


def test_a_sample_nobody_tried_leaves_the_result_incomplete() -> None:
    summary = summary_of(known(ALL, map(an_edit, ALL[:-1]), [a_verdict(s, (5,) * 6) for s in ALL[:-1]]))
    assert not summary.complete
    assert (summary.unattempted, summary.no_edit, summary.no_verdict) == (1, 0, 0)
    assert summary.overall.low == pytest.approx((5 + 3) / 2)
    assert summary.overall.high == pytest.approx(5)


def test_a_verdict_on_another_file_is_stale() -> None:
    judgments = [*(a_verdict(s, (5,) * 6) for s in ALL[:-1]), a_verdict(ALL[-1], (5,) * 6, sha256="sha-of-another")]
    table = score_table(collect(known(ALL, map(an_edit, ALL), judgments), RUBRIC))
    assert list(table.status) == ["scored"] * 4 + ["no_verdict"]


def test_the_raw_marks_stand_beside_the_capped_ones_and_how_often_the_cap_bound_is_counted() -> None:
    judgments = [
        a_verdict(ALL[0], (2, 5, 1, 2, 3, 2)),
        a_verdict(ALL[1], (5, 5, 1, 2, 3, 2)),
        a_verdict(ALL[2], (2, 2, 2, 2, 2, 2)),
        a_verdict(ALL[3], (1, 1, 1, 1, 1, 2)),
        a_verdict(ALL[4], (4, 3, 2, 1, 4, 4)),
    ]
    found = collect(known(ALL, map(an_edit, ALL), judgments), RUBRIC)
    first = score_table(found).iloc[0]
    assert [first[f"raw_{key}"] for key in KEYS] == [2, 5, 1, 2, 3, 2]
    assert [first[key] for key in KEYS] == [2, 2, 1, 2, 2, 2]
    assert summarise(found).cap_bound == pytest.approx(2 / 5)


def test_a_rubric_without_a_cap_never_lowers_a_mark() -> None:
    uncapped = rubric_from_data({**RUBRIC.to_data(), "cap": None})
    one = known(ALL[:1], map(an_edit, ALL[:1]), [a_verdict(ALL[0], (1, 5, 5, 5, 5, 5))])
    summary = summarise(collect(one, uncapped))
    assert summary.overall.value == pytest.approx(26 / 6)
    assert summary.cap_bound == 0


def test_a_theme_without_a_scored_sample_is_left_out_of_the_authors_mean_alone() -> None:
    edits = [*map(an_edit, BEACH), *map(a_failed_edit, SNOW)]
    summary = summary_of(known(ALL, edits, [a_verdict(s, (4,) * 6) for s in BEACH]))
    assert summary.scored_overall == pytest.approx(4)
    assert summary.overall.value == pytest.approx((4 + 1) / 2)


def test_where_nothing_is_scored_there_is_no_authors_mean_and_no_share() -> None:
    summary = summary_of(known(ALL, map(a_failed_edit, ALL), []))
    assert summary.scored_overall is None
    assert summary.cap_bound is None
    assert summary.overall.value == 1


def test_repeats_are_averaged_and_one_missing_repeat_leaves_the_sample_unscored() -> None:
    one = ALL[:1]
    both = [a_verdict(ALL[0], (2,) * 6), a_verdict(ALL[0], (5,) * 6, repeat=1)]
    assert summary_of(known(one, map(an_edit, one), both, repeats=2)).overall.value == pytest.approx(3.5)
    half = summary_of(known(one, map(an_edit, one), both[:1], repeats=2))
    assert (half.scored, half.no_verdict, half.complete) == (0, 1, False)
    assert (half.overall.low, half.overall.high) == pytest.approx((1.5, 3.5))


def test_there_is_no_summary_of_nothing() -> None:
    nothing = collect(known([], [], []), RUBRIC)
    assert len(score_table(nothing)) == 0
    with pytest.raises(StoreError):
        summarise(nothing)


def test_a_judgment_of_another_rubric_is_refused_by_the_name_of_its_sample() -> None:
    odd = Judgment(sample_id=ALL[0].id, edit_sha256=f"sha-{ALL[0].id}", scores=Scores(marks={"instruction": 3}))
    with pytest.raises(StoreError, match=ALL[0].id):
        collect(known(ALL, map(an_edit, ALL), [odd]), RUBRIC)


# -- games ----------------------------------------------------------------------------------------------------------


@given(
    marks=st.lists(some_marks, min_size=5, max_size=5), kept=st.sets(st.sampled_from(range(5))), failed=st.booleans()
)
@settings(max_examples=80, deadline=None)
def test_handing_in_only_easy_clips_does_not_raise_the_overall(
    marks: list[Marks], kept: set[int], failed: bool
) -> None:
    judgments = [a_verdict(sample, verdict) for sample, verdict in zip(ALL, marks, strict=True)]
    honest = summary_of(known(ALL, map(an_edit, ALL), judgments))
    handed_in = [sample for n, sample in enumerate(ALL) if n in kept]
    left_out = [sample for n, sample in enumerate(ALL) if n not in kept]
    edits = [*map(an_edit, handed_in), *(map(a_failed_edit, left_out) if failed else [])]
    chosen = summary_of(known(ALL, edits, [judgments[n] for n in sorted(kept)]))
    assert honest.overall.value is not None
    assert chosen.overall.low <= honest.overall.value + 1e-9
    assert chosen.of == honest.of == 5
    if failed:
        assert chosen.overall.value == chosen.overall.low
    else:
        assert chosen.complete == (len(kept) == 5)
        assert (chosen.overall.value is None) == (len(kept) < 5)


def test_the_authors_mean_alone_can_be_raised_by_handing_in_easy_clips() -> None:
    judgments = [a_verdict(s, (5,) * 6 if n == 0 else (2,) * 6) for n, s in enumerate(ALL)]
    honest = summary_of(known(ALL, map(an_edit, ALL), judgments))
    easy = summary_of(known(ALL, [an_edit(ALL[0]), *map(a_failed_edit, ALL[1:])], judgments[:1]))
    assert honest.scored_overall is not None
    assert easy.scored_overall is not None
    assert easy.scored_overall == pytest.approx(5)
    assert easy.scored_overall > honest.scored_overall
    assert easy.overall.low < honest.overall.low


# -- which record counts ---------------------------------------------------------------------------------------------

VERDICT = a_verdict(ALL[0], (4,) * 6)
BETTER = a_verdict(ALL[0], (5,) * 6)
FAILURE = a_failure(ALL[0], "ServerFailed")
UNREADABLE = a_failure(ALL[0], "VideoError")
NEWEST: dict[str, tuple[list[Judgment], Judgment]] = {
    "a verdict stays": ([VERDICT], VERDICT),
    "a later failure never displaces a verdict": ([VERDICT, FAILURE], VERDICT),
    "nor do many": ([FAILURE, VERDICT, FAILURE, UNREADABLE, FAILURE], VERDICT),
    "a verdict displaces a failure": ([FAILURE, VERDICT], VERDICT),
    "of two verdicts the later counts": ([VERDICT, BETTER], BETTER),
    "of two failures the later counts": ([FAILURE, UNREADABLE], UNREADABLE),
    "a later verdict after a failure counts": ([VERDICT, FAILURE, BETTER], BETTER),
}


@pytest.mark.parametrize(("written", "counts"), NEWEST.values(), ids=NEWEST)
def test_the_newest_record_counts_but_a_verdict_is_never_displaced_by_a_failure(
    tmp_path: Path, written: list[Judgment], counts: Judgment
) -> None:
    store = Store(root=tmp_path)
    other_file = a_verdict(ALL[0], (1,) * 6, sha256="sha-of-another")
    other_repeat = a_verdict(ALL[0], (1,) * 6, repeat=1)
    for judgment in [*written, other_file, other_repeat]:
        store.append_judgment("model", "judge-1", judgment)
    read = store.judgments("model", "judge-1")
    assert read == {counts.key: counts, other_file.key: other_file, other_repeat.key: other_repeat}


def test_the_newest_edit_counts(tmp_path: Path) -> None:
    store = Store(root=tmp_path)
    remade = replace(an_edit(ALL[0]), sha256="sha-of-another")
    for edit in (a_failed_edit(ALL[0]), an_edit(ALL[0]), a_failed_edit(ALL[1]), remade):
        store.append_edit("model", edit)
    assert store.edits("model") == {ALL[0].id: remade, ALL[1].id: a_failed_edit(ALL[1])}
