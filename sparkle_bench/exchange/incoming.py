"""Score files into a result. Exported ones come back whole; the authors' own are read in `adopting`.

All is read and checked before the first write. Records are appended where they differ from what is there, so the same
files twice change nothing, and a stopped import goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sparkle_bench.errors import StoreError, VerdictError, listed
from sparkle_bench.exchange import sidecar as sidecars
from sparkle_bench.exchange.authors import Line, ScoreFile
from sparkle_bench.exchange.sidecar import Sidecar
from sparkle_bench.records import Edit, Judgment, Measurement, Sample
from sparkle_bench.rubric import Rubric, cap, check, rubric_from_data
from sparkle_bench.store import Store

EDITOR = "imported"
"""What `run.json` calls the editor of videos that nobody here has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What an import brings.

    Attributes:
        run: `run.json`, whatever the result will be called.
        judge: `judge.json`.
        samples: Of the whole benchmark.
        edits: Failed or unseen.
        judgments: Under the one judge key.
        measurements: Of the edits.
        own: Whether the files are the authors' own: which videos were judged is then not known.
        themes: Those of the files.
    """

    run: Mapping[str, Any]
    judge: Mapping[str, Any]
    samples: tuple[Sample, ...]
    edits: tuple[Edit, ...]
    judgments: tuple[Judgment, ...]
    measurements: tuple[Measurement, ...] = ()
    own: bool = False
    themes: tuple[str, ...] = ()

    @property
    def judge_key(self) -> str:
        """The judge key."""
        return str(self.judge["key"])


def restored(files: Sequence[ScoreFile], sidecar: Sidecar) -> Incoming:
    """Return what was exported; a good edit becomes an unseen one with the true file's hash.

    Raises:
        StoreError: Score files and sidecar contradict each other.
        PromptError: The rubric in the sidecar is malformed.
    """
    rubric = rubric_from_data(sidecar.judge["rubric"])
    verdicts = sidecars.in_files(sidecar.edits, sidecar.judgments)
    lines = {line.sample_id: line for file in files for line in file.lines}
    named = {edit.sample_id for edit in sidecar.edits} | {judgment.sample_id for judgment in sidecar.judgments}
    strange = sorted((named - {sample.id for sample in sidecar.samples}) | (lines.keys() ^ verdicts.keys()))
    if strange or sidecar.judge["key"] != sidecar.judge_key:
        where = files[0].path.parent / sidecars.NAME
        raise StoreError(f"{where} is damaged at {listed(strange) or 'its judge key'}; export again")
    return Incoming(
        run=sidecar.run,
        judge=sidecar.judge,
        samples=sidecar.samples,
        edits=tuple(map(_unseen, sidecar.edits)),
        judgments=tuple(
            _whole(j, lines[j.sample_id] if verdicts.get(j.sample_id) is j else None, rubric) for j in sidecar.judgments
        ),
        measurements=sidecar.measurements,
        themes=tuple(file.theme for file in files),
    )


def _unseen(edit: Edit) -> Edit:
    if not edit.ok:
        return edit
    return Edit(sample_id=edit.sample_id, sha256=edit.sha256, seconds=edit.seconds, unseen=True)


def _whole(judgment: Judgment, line: Line | None, rubric: Rubric) -> Judgment:
    """Return a judgment with the reply from its line, if it has one."""
    if judgment.scores is None:
        return judgment
    try:
        capped = cap(check(judgment.scores, rubric), rubric)
    except VerdictError as error:
        raise StoreError(f"{sidecars.NAME} is damaged at {judgment.sample_id}: {error}; export again") from error
    if line is None:
        return judgment
    if line.marks != tuple(capped[key] for key in rubric.keys):
        raise StoreError(f"{line.where}: the scores of {line.sample_id} are not those of {sidecars.NAME}; export again")
    return replace(judgment, reply=line.reply or judgment.reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an import did.

    Attributes:
        judge_key: Under which verdicts stand now.
        written: Records that were appended; none if all were there.
    """

    judge_key: str
    written: int


def take(store: Store, name: str, incoming: Incoming) -> Taken:
    """Write what an import brings into `results/<name>`; what is there already stays.

    Raises:
        StoreError: The name cannot be used, another result or run has it, or a verdict there would be lost.
    """
    store.model_dir(name)  # a name that cannot be a folder's is refused before a lock is made in it
    _check_free(store, name, incoming)
    with store.starting(name), store.working(name, (0, 1)):
        _check_free(store, name, incoming)
        new = _new(store, name, incoming)
        if store.read_run(name) is None:
            store.write_run(name, {**incoming.run, "model": name}, incoming.samples)
        for edit in new.edits:
            store.append_edit(name, edit)
        for measurement in new.measurements:
            store.append_measurement(name, measurement)
        earlier = store.read_judge(name, new.judge_key)
        if earlier is None or new.judgments:
            store.write_judge(name, new.judge_key, _described(new, earlier or {}))
        for judgment in new.judgments:
            store.append_judgment(name, new.judge_key, judgment)
    return Taken(judge_key=new.judge_key, written=len(new.edits) + len(new.measurements) + len(new.judgments))


def _check_free(store: Store, name: str, incoming: Incoming) -> None:
    """Refuse a name that another result has; another judge's verdicts on the same one are welcome."""
    earlier = store.read_run(name)
    if earlier is None:
        return
    version, editor = earlier.get("benchmark"), earlier.get("editor")
    cure = f"use another --name, or remove results/{name}"
    if not (isinstance(version, dict) and isinstance(editor, dict)):
        raise StoreError(f"results/{name}/run.json names no benchmark or editor; {cure}")
    if version.get("digest") != incoming.run["benchmark"]["digest"]:
        raise StoreError(f"results/{name} belongs to another version of the benchmark; {cure}")
    same = editor.get("name") == EDITOR if incoming.own else earlier == {**incoming.run, "model": earlier.get("model")}
    if not same:
        raise StoreError(f"results/{name} is another result, made by {editor.get('name')}; {cure}")


def _new(store: Store, name: str, incoming: Incoming) -> Incoming:
    """Return what of an import is not there yet."""
    have = store.edits(name)
    if incoming.own:
        incoming = _settled(incoming, have)
    measured = store.measurements(name)
    return replace(
        incoming,
        edits=tuple(edit for edit in incoming.edits if _is_new(name, edit, have.get(edit.sample_id))),
        judgments=tuple(_new_judgments(store, name, incoming)),
        measurements=tuple(m for m in incoming.measurements if measured.get((m.sample_id, m.edit_sha256)) != m),
    )


def _settled(incoming: Incoming, have: Mapping[str, Edit]) -> Incoming:
    """Tie verdicts on unknown videos to those that the result has already: two judges of one result judged the same."""
    hashes = {edit.sample_id: edit.sha256 for edit in have.values() if edit.sha256 is not None}
    return replace(
        incoming,
        edits=tuple(replace(e, sha256=hashes.get(e.sample_id, e.sha256)) for e in incoming.edits),
        judgments=tuple(replace(j, edit_sha256=hashes.get(j.sample_id, j.edit_sha256)) for j in incoming.judgments),
    )


def _is_new(name: str, edit: Edit, earlier: Edit | None) -> bool:
    if earlier is None:
        return True
    if edit == earlier or (edit.sha256 is not None and edit.sha256 == earlier.sha256):
        return False
    if earlier.here:
        raise StoreError(f"results/{name} has another video of {edit.sample_id}; use another --name")
    return True


def _new_judgments(store: Store, name: str, incoming: Incoming) -> Iterator[Judgment]:
    """Yield what is new or changed: the newest verdict on a video counts, and no failure displaces one."""
    have = store.judgments(name, incoming.judge_key)
    for judgment in incoming.judgments:
        earlier = have.get(judgment.key)
        if earlier is None or (judgment.ok and judgment != earlier):
            yield judgment
        elif earlier.ok and not judgment.ok and incoming.own:
            raise StoreError(
                f"the files have no line for {judgment.sample_id}, on which results/{name} holds a verdict of this "
                "judge; use another --name"
            )
        elif not earlier.ok and judgment != earlier:
            yield judgment


def _described(incoming: Incoming, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return `judge.json`, with what it says already of themes that the files do not have."""
    repeats = max(int(incoming.judge["repeats"]), int(earlier.get("repeats", 1)))
    judge = {**incoming.judge, "repeats": repeats}
    if incoming.own:
        heads = tuple(f"{theme}: " for theme in incoming.themes)
        kept = [note for note in earlier.get("notes", ()) if not note.startswith(heads)]
        judge["notes"] = list(dict.fromkeys([*kept, *incoming.judge["notes"]]))
    return judge
