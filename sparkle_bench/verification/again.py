"""Part of a result is judged again, apart from it, and the two are compared: are the stored verdicts this judge's?

The result itself is only read. The chosen edits are laid out in a store of their own, one for each seed, where the ordinary
machinery judges them: it resumes, keeps to a budget and leaves its evidence there. Nothing is taken from what came with the
result: not its verdicts, not its memories of hashes and sampled sources, not its word on what the samples are.

Whoever can foresee the seed can foresee which samples are looked at, and lay ready the answers: draw it afresh.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sparkle_bench import disk, run
from sparkle_bench.errors import BudgetSpent, StaleEdit, StoreError, VerdictError, listed, one_line
from sparkle_bench.records import Edit, Judgment, Sample
from sparkle_bench.rubric import Rubric, cap, check
from sparkle_bench.run import Bench, Work
from sparkle_bench.stats import Marks, Remarked, Rules, retest
from sparkle_bench.store import Store
from sparkle_bench.verification.comparing import flat
from sparkle_bench.verification.rejudged import REPEATS, Rejudged

MOST_STORED = 50
"""More verdicts on one edit are rubbish, and would take memory without end."""
SHOWN = 60
"""Characters of a value that a message shows."""

Stage = Callable[[Work, str], AbstractContextManager[Work]]
"""Shows the progress of a stage with a name, and says how many samples it does at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What is judged again.

    Attributes:
        store: Where the result is.
        model: The result's name.
        judge_key: Whose verdicts are in question.
        chosen: The samples, as `drawing.subset` draws them from those of whoever checks, never from the result's own list.
        of: How many samples have a verdict.
        seed: Of the drawing; results judged again with the same seed are gone on with.
        repeats: New verdicts of each sample.
        rules: When a difference counts.
    """

    store: Store
    model: str
    judge_key: str
    chosen: Sequence[Sample]
    of: int
    seed: int
    repeats: int = REPEATS
    rules: Rules = dataclasses.field(default_factory=Rules)

    def __post_init__(self) -> None:
        if self.repeats < REPEATS:
            raise StoreError(
                f"{self.repeats} new verdicts do not show the judge's own noise; ask for {REPEATS} or more"
            )
        if not 0 < len(self.chosen) <= self.of:
            raise StoreError(f"{self.model} has no verdict of {self.judge_key} that could be judged again")

    @property
    def apart(self) -> Store:
        """The store in which they are judged again."""
        return self.store.rejudged(self.seed)


# -- which -----------------------------------------------------------------------------------------------------------


def with_verdict(store: Store, model: str, judge_key: str, samples: Sequence[Sample]) -> list[Sample]:
    """Return those of the samples whose present edit has a verdict on record."""
    stored = _verdicts(store, model, judge_key)
    return [sample for sample in samples if sample.id in stored]


# -- may it be -------------------------------------------------------------------------------------------------------


def check_files(again: Again) -> None:
    """Make sure that what is to be judged again is here: the very videos on record, and their sources.

    Raises:
        StoreError: A sample has no verdict, or is not the benchmark's, or a video or source is missing.
        StaleEdit: A video is not the one that was judged.
    """
    judged = {sample.id for sample in with_verdict(again.store, again.model, again.judge_key, again.chosen)}
    none = [sample.id for sample in again.chosen if sample.id not in judged]
    _refuse(none, f"chosen samples have no verdict of {again.judge_key}", "choose among those that have")
    recorded = {sample.id: sample for sample in again.store.samples(again.model)}
    edits = again.store.edits(again.model)
    other = [sample.id for sample in again.chosen if recorded.get(sample.id) != sample]
    _refuse(other, "samples of the result are not as in this benchmark", "name the one it was made on with --bench")
    missing = [sample.id for sample in again.chosen if not sample.source_path.is_file()]
    _refuse(missing, "sources are not here", "download the benchmark, or name its folder with --bench")
    videos = {sample.id: again.store.video_path(again.model, sample) for sample in again.chosen}
    gone = [name for name, video in videos.items() if not (edits[name].here and video.is_file())]
    _refuse(
        gone, "chosen videos are not here", f"put the result's videos back into {again.store.model_dir(again.model)}"
    )
    changed = [name for name, video in videos.items() if not _is(video, edits[name])]
    if changed:
        raise StaleEdit(
            f"{len(changed)} of {len(again.chosen)} chosen videos are not the files that were judged: {listed(changed)}; "
            "no verdict on them can be checked"
        )


def _refuse(ids: list[str], what: str, cure: str) -> None:
    if ids:
        raise StoreError(f"{len(ids)} {what}: {listed(ids)}; {cure}")


def _is(video: Path, edit: Edit) -> bool:
    try:
        return disk.file_sha256(video) == edit.sha256
    except OSError:
        return False


def check_judge(again: Again, bench: Bench) -> None:
    """Make sure that the judge at hand is the one that gave the stored verdicts, and looks at videos itself.

    Raises:
        StoreError: It is another; the message names what differs.
    """
    if bench.judge.sees == "nothing":
        raise StoreError("replay reads stored replies again and looks at no video; name the judge itself")
    if bench.key == again.judge_key:
        return
    stored = again.store.read_judge(again.model, again.judge_key) or {}
    here = json.loads(json.dumps(dict(bench.identity)))
    apart = _differences(flat(stored.get("identity")), flat(here))
    why = listed(apart, first=5) if apart else "its judge.json does not belong to that key"
    raise StoreError(f"the judge at hand is {bench.key}, not {again.judge_key}: {why}; nothing was asked")


def _differences(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return what differs, as `decoding.temperature: 0.5 there, 0 here`."""
    names = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    return [f"{name or 'identity'}: {_shown(there.get(name))} there, {_shown(here.get(name))} here" for name in names]


def _shown(value: str | None) -> str:
    return "nothing" if value is None else one_line(value, limit=SHOWN)


# -- doing it --------------------------------------------------------------------------------------------------------


def _plain(work: Work, _: str) -> AbstractContextManager[Work]:
    return nullcontext(work)


def rejudge(again: Again, bench: Bench, stage: Stage = _plain, *, now: datetime) -> Rejudged:
    """Have the chosen edits judged again and compare. What was asked before with the same seed is not asked again.

    Raises:
        StoreError: The judge is another one, or something is not here; nothing was asked then. Or another run is at it.
        StaleEdit: A video is not the one that was judged; likewise.
        JudgeUnavailable: The judge is out of reach; everything answered so far is kept.
    """
    check_files(again)
    check_judge(again, bench)
    stored = _stored_marks(again, bench.prompt.rubric)
    _lay_out(again)
    bench = dataclasses.replace(bench, repeats=again.repeats)
    work = Work(store=again.apart, model=again.model, samples=again.chosen)
    if bench.judge.sees == "signals":
        with stage(work, "measuring") as staged:
            run.measure(staged)
    stopped = None
    try:
        with stage(work, "judging again") as staged:
            run.judge(staged, bench, now=now)
    except BudgetSpent as spent:
        stopped = str(spent)
    return _compared(again, stored, bench.prompt.rubric, stopped)


def _lay_out(again: Again) -> None:
    """Write the first lines and lay the videos into the store apart; what lies there already is left alone."""
    there, edits = again.apart, again.store.edits(again.model)
    with there.starting(again.model):
        known = there.edits(again.model)
        for sample in again.chosen:
            edit = edits[sample.id]
            _link(again.store.video_path(again.model, sample), there.video_path(again.model, sample), edit)
            if known.get(sample.id) != edit:
                there.append_edit(again.model, edit)
        there.write_run(again.model, again.store.read_run(again.model) or {}, tuple(again.chosen))


def _link(video: Path, to: Path, edit: Edit) -> None:
    """Let a video lie at a second place too, at no cost where the file system can.

    Raises:
        StoreError: It cannot be put there.
    """
    if to.is_file() and _is(to, edit):
        return
    disk.make_folder(to.parent)
    try:
        disk.second_name(video, to)
    except OSError as error:
        raise StoreError(f"cannot put {video.name} into {to.parent}: {error.strerror}") from error


# -- comparing -------------------------------------------------------------------------------------------------------


def _compared(again: Again, stored: Mapping[str, tuple[Marks, ...]], rubric: Rubric, stopped: str | None) -> Rejudged:
    edits = again.store.edits(again.model)
    given = again.apart.judgments(again.model, again.judge_key)
    pairs, left_out = [], {}
    for sample in again.chosen:
        edit = (sample.id, edits[sample.id].sha256)
        found = [judgment for key, judgment in sorted(given.items()) if key[:2] == edit]
        new = tuple(_capped(judgment, rubric) for judgment in found if judgment.ok)
        if len(new) < REPEATS:
            left_out[sample.id] = next((str(judgment.error) for judgment in found if judgment.error), "not asked")
        else:
            pairs.append(Remarked(sample_id=sample.id, stored=stored[sample.id], new=new))
    return Rejudged(
        model=again.model,
        judge_key=again.judge_key,
        seed=again.seed,
        chosen=tuple(sample.id for sample in again.chosen),
        of=again.of,
        left_out=left_out,
        stopped=stopped,
        retest=retest(pairs, of=again.of, seed=again.seed, rules=again.rules) if pairs else None,
    )


def _verdicts(store: Store, model: str, judge_key: str) -> dict[str, list[Judgment]]:
    """Return, by sample, the verdicts on its present edit."""
    edits = store.edits(model)
    found: dict[str, list[Judgment]] = {}
    for (sample_id, sha256, _), judgment in sorted(store.judgments(model, judge_key).items()):
        edit = edits.get(sample_id)
        if judgment.ok and edit is not None and edit.sha256 == sha256:
            found.setdefault(sample_id, []).append(judgment)
    return found


def _stored_marks(again: Again, rubric: Rubric) -> dict[str, tuple[Marks, ...]]:
    """Return the stored verdicts on every chosen sample.

    Raises:
        StoreError: One is not of this rubric, or there are absurdly many.
    """
    stored = _verdicts(again.store, again.model, again.judge_key)
    many = [sample.id for sample in again.chosen if len(stored[sample.id]) > MOST_STORED]
    _refuse(many, f"samples have more than {MOST_STORED} verdicts each", "nobody asks so often; refuse the result")
    return {sample.id: tuple(_capped(judgment, rubric) for judgment in stored[sample.id]) for sample in again.chosen}


def _capped(judgment: Judgment, rubric: Rubric) -> Marks:
    """Return a verdict's marks as they count.

    Raises:
        StoreError: They are not of this rubric.
    """
    assert judgment.scores is not None, "only verdicts are compared"
    try:
        marks = cap(check(judgment.scores, rubric), rubric).marks
    except VerdictError as error:
        raise StoreError(f"the stored verdict on {judgment.sample_id} cannot be: {error}") from error
    return tuple(marks[key] for key in rubric.keys)
