"""Verifying a result offline: all that can be made again from what is on disk is, and every difference is named.

For whoever keeps a board and receives `results/NAME` from a stranger. Nothing is written, nothing stops at the first
difference, and a damaged file is a difference. What is caught: marks that are not those of their reply, replies without
form, verdicts on files that were never there, videos that were replaced, samples, edits and verdicts that were taken out,
verdicts given twice, a judge, prompt or rubric that is not the one of the judge key, sums and tables that do not follow.

What cannot be caught offline, by its nature: marks and reply changed together so that they agree, for a few samples; or
replies all written by somebody who knows the instructions, with counts and tables made again. Nothing on disk speaks
against them. That is what marking a part again (`--rejudge`) is for. A result without its videos is believed in their
hashes, and the embedded judge's marks are believed as far as the stored signals are.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from sparkle_bench.benchmark import Benchmark
from sparkle_bench.disk import Hashes
from sparkle_bench.errors import StoreError, listed
from sparkle_bench.records import Judgment, edit_from_json, judgment_from_json
from sparkle_bench.store import NAME, Store
from sparkle_bench.verification.derived import check_derived, current
from sparkle_bench.verification.findings import FORM, Findings, Verified
from sparkle_bench.verification.header import check_header
from sparkle_bench.verification.judged import Seat, check_judge, check_usage
from sparkle_bench.verification.media import check_edits, check_signals
from sparkle_bench.verification.reading import (
    Line,
    Result,
    files_in,
    lines,
    read_judgments,
    read_result,
    that_count,
)
from sparkle_bench.verification.signs import Given, edit_signs, signs
from sparkle_bench.verification.verdicts import Case, Key, Others, check_verdicts, embedded_again, say_unjudged

MOST_RIVALS = 30
"""Other results of the same judge that are looked at."""
COUNTS = (
    "samples", "edits", "failed_edits", "videos_here", "videos_not_here", "signals", "judges", "verdicts",
    "verdicts_on_earlier_files", "replies_read_again",
)  # fmt: skip
_KNOWN = frozenset({"run.json", "samples.jsonl", "edits.jsonl", "signals.jsonl", "submission.toml", "README.md"})
_KNOWN_OF_A_JUDGE = frozenset({"judge.json", "judgments.jsonl", "scores.csv", "flags.csv"})


def verify(
    store: Store,
    model: str,
    *,
    judge_keys: Sequence[str] | None = None,
    benchmark: Benchmark | None = None,
    prompts: Path | None = None,
    hashes: Hashes,
    rivals: int = MOST_RIVALS,
    videos: Mapping[str, Mapping[str, str]] | None = None,
) -> Verified:
    """Make everything again from a result's evidence and name every difference.

    Args:
        store: Where the result is; other results of the same judge under the same root are compared with it.
        model: Its name.
        judge_keys: Whose verdicts; None for all.
        benchmark: The keeper's own copy of the benchmark, or None.
        prompts: The root of the keeper's own prompts and rules; None for those that ship with the package.
        hashes: What is remembered of the hashes of files.
        rivals: So many other results of the same judge are looked at, for the signs; those from which verdicts were taken
            in any case.
        videos: What `videos_of_all` found, where many results under one root are verified; None looks itself.

    Raises:
        StoreError: There is no such result, or a named judge did not judge it.
    """
    if not store.model_dir(model).is_dir():
        raise StoreError(f"no result named {model} in {store.root}; known: {listed(store.models()) or 'none'}")
    findings = Findings(counts=Counter(dict.fromkeys(COUNTS, 0)))
    result = read_result(store, model, findings, prompts=prompts)
    keys = _keys(result, judge_keys, findings)
    check_header(result, benchmark, findings)
    check_edits(result, hashes, findings)
    check_signals(result, findings)
    everybody = videos_of_all(store) if videos is None else videos
    others = {name: hashes_of for name, hashes_of in everybody.items() if name != model}
    findings.signs += edit_signs(result.samples, result.newest, others)
    for key in keys:
        seat = check_judge(result, key, findings)
        if seat is not None:
            findings.counts["judges"] += 1
            _check_seat(result, seat, findings, rivals)
    _check_rest(result, findings)
    return findings.verified(model)


def videos_of_all(store: Store) -> dict[str, dict[str, str]]:
    """Return the hash of every sample's newest edit, by sample id, of every result under a root; links are not followed."""
    found: dict[str, dict[str, str]] = {}
    for name in filter(NAME.fullmatch, store.models()):
        folder = store.model_dir(name)
        if not folder.is_symlink():
            edits = lines(files_in(folder), "edits.jsonl", edit_from_json, Findings())
            newest = {line.record.sample_id: line.record.sha256 for line in edits}
            found[name] = {sample_id: sha256 for sample_id, sha256 in newest.items() if sha256 is not None}
    return found


def _keys(result: Result, wanted: Sequence[str] | None, findings: Findings) -> list[str]:
    """Return the judges to look at: those with a folder that has a `judge.json`."""
    inside = [name.split("/") for name in (*result.files.plain, *result.files.others) if name.startswith("judged/")]
    folders = {parts[1] for parts in inside if len(parts) > 2}
    there = {parts[1] for parts in inside if parts[2:] == ["judge.json"]}
    usable = sorted(key for key in there if NAME.fullmatch(key))
    unknown = [key for key in wanted or () if key not in usable]
    if unknown:
        raise StoreError(f"{result.model} has no verdicts of {unknown[0]}; known: {listed(usable) or 'none'}")
    for folder in sorted(folders - set(usable)):
        findings.note(f"judged/{folder} has no judge.json, or a name that no judge key has; no board takes it up")
    if not usable:
        findings.lack("nobody has judged this result")
    return list(wanted) if wanted is not None else usable


def _check_seat(result: Result, seat: Seat, findings: Findings, rivals: int) -> None:
    """Check all that one judge left."""
    judgments = read_judgments(result.files, seat.key, findings)
    others = _others(result, seat, judgments, findings, rivals=rivals)
    case = Case(
        result=result, seat=seat, others=others, again=embedded_again(result, seat, findings), findings=findings
    )
    check_verdicts(judgments, case)
    newest = that_count(judgments)
    say_unjudged(result, seat, newest, findings)
    good = [edit for edit in result.newest.values() if edit.ok]
    travelled = bool(good) and all(edit.unseen for edit in good)
    check_usage(seat, judgments, findings, travelled=travelled)
    check_derived(result, seat, findings)
    if not seat.embedded:
        findings.signs += signs(_given(result, seat, newest, others))


def _given(result: Result, seat: Seat, newest: dict[Key, Judgment], others: Others) -> Given:
    return Given(
        samples=result.samples,
        verdicts=current(result, seat, newest),
        rubric=seat.rubric,
        measured=result.measured,
        rivals={name: [v for v in found.values() if v.ok] for name, found in others.by_model.items()},
        judge_key=seat.key,
    )


def _others(
    result: Result, seat: Seat, judgments: Sequence[Line[Judgment]], findings: Findings, *, rivals: int
) -> Others:
    """Read the verdicts of the same judge on other results, those first from which verdicts were taken."""
    named = dict.fromkeys(line.record.reused for line in judgments if line.record.reused)
    there = [name for name in result.store.models() if name != result.model and NAME.fullmatch(name)]
    first = [name for name in there if name in named]
    by_model: dict[str, dict[Key, Judgment]] = {}
    for name in itertools.islice(dict.fromkeys([*first, *there]), max(rivals, len(first))):
        aside = Findings()
        found = lines(files_in(result.store.judged_dir(name, seat.key)), "judgments.jsonl", judgment_from_json, aside)
        if aside.damaged:
            findings.note(f"{name}, which the same judge judged, is damaged; it is not compared")
        elif found or name in named:
            by_model[name] = that_count(found)
    return Others(by_model=by_model)


def _check_rest(result: Result, findings: Findings) -> None:
    """Name what a result does not hold, and links that stand where its files should."""
    strange = []
    for name in sorted(result.files.plain):
        parts = name.split("/")
        of_a_judge = parts[0] == "judged" and len(parts) == 3 and parts[2] in _KNOWN_OF_A_JUDGE
        if not (name in _KNOWN or of_a_judge or parts[0] == "videos"):
            strange.append(name)
    if strange:
        findings.note(f"{len(strange)} files are none of a result's and are not looked at: {listed(strange)}")
    links = [
        name for name in result.files.others if not f"{name}/".startswith("videos/") and name not in findings.damaged
    ]
    if links:
        findings.differ("links", f"{len(links)} links or special files stand in the result: {listed(links)}", FORM)
