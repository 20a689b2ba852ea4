"""Hosted models against made-up hosts: the whole road, every kind of trouble on it, and that nothing is paid for twice."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, editors, run
from sparkle_bench.editors import Editor
from sparkle_bench.editors.hosted.jobs import Book, Job
from sparkle_bench.errors import EditorError, HostUnavailable, MachineError, SparkleError
from sparkle_bench.records import Edit, Sample
from sparkle_bench.run import Made, Work
from sparkle_bench.store import Store
from sparkle_bench.submission import layout
from sparkle_bench.video.frames import frames
from tests import cli, makers
from tests.fake_hosts import KEY, Answer, FakeHosts, serving
from tests.test_editors import NOW

PRESETS = {"runway": "runway-aleph", "decart": "lucy-2", "dashscope": "wan-2.7"}
KEYS = {"runway": "RUNWAYML_API_SECRET", "decart": "DECART_API_KEY", "dashscope": "DASHSCOPE_API_KEY"}
each_host = pytest.mark.parametrize("host", PRESETS)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two samples of 36 frames (2.25 s) at 256x240, the least that all three hosts take."""
    root = tmp_path_factory.mktemp("bench")
    return makers.write_benchmark(root, samples_per_theme=1, themes=["time", "style"], frames=36, size=(256, 240))


@pytest.fixture
def fake() -> Iterator[FakeHosts]:
    with serving() as served:
        yield served


@pytest.fixture
def sample(bench: Path) -> Sample:
    return benchmark.load(bench).samples[0]


def built(fake: FakeHosts, host: str, **options: Any) -> Any:
    """An editor that asks the made-up host, and has its key."""
    editor: Any = editors.create(
        PRESETS.get(host, host), {"base_url": fake.url, "poll": 0.001, "timeout": 60, **options}
    )
    editor.key = KEY
    return editor


class Desk:
    """A result of one model, gone on with by each `run`, as a user does."""

    def __init__(self, root: Path, bench: Path) -> None:
        self.store = Store(root=root)
        self.bench = benchmark.load(bench)
        self.samples: Sequence[Sample] = self.bench.samples[:1]

    def run(self, editor: Editor, *, workers: int = 1) -> Edit:
        """Edit what is left, and return the first sample's record."""
        run.start(self.store, "m", self.bench, Made(editor=editor, name="x", options={}), now=NOW)
        run.edit(Work(store=self.store, model="m", samples=self.samples, workers=workers), editor)
        return self.store.edits("m")[self.samples[0].id]

    def path(self) -> Path:
        return self.store.video_path("m", self.samples[0])

    def job(self) -> Path:
        return self.path().with_name(f".{self.samples[0].id}.job.json")

    def texts(self) -> str:
        """All that the run has left on disk, but videos."""
        files = [path for path in self.store.root.rglob("*") if path.is_file() and path.suffix != ".mp4"]
        return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.fixture
def desk(tmp_path: Path, bench: Path) -> Desk:
    return Desk(tmp_path, bench)


# -- the whole road ----------------------------------------------------------------------------------------------------


@each_host
def test_a_sample_goes_to_the_host_and_its_edit_comes_back(fake: FakeHosts, desk: Desk, host: str) -> None:
    edit = desk.run(built(fake, host))
    assert edit.error is None
    source = desk.samples[0].source_path.read_bytes()
    assert desk.path().read_bytes() == source, "kept as it came"
    (name, made), *others = fake.jobs.items()
    assert others == []
    assert (made.prompt, made.source) == (desk.samples[0].instruction, source)
    assert edit.effort is not None
    assert (edit.effort.job, edit.effort.frames) == (name, 36)
    assert edit.effort.aligned is (host != "decart"), "Lucy's preset says that it keeps no frames"
    assert edit.effort.seconds is not None
    cost = {"runway": 1.40, "decart": 0.04 * 2.25, "dashscope": None}[host]
    assert edit.effort.cost == (None if cost is None else pytest.approx(cost))


def test_what_runway_is_sent(fake: FakeHosts, desk: Desk) -> None:
    desk.run(built(fake, "runway", seed="7", public_figures="low"))
    place, store, submit = (fake.of(step)[0] for step in ("place", "store", "submit"))
    assert (place.json, store.form["acl"]) == (
        {"filename": f"{desk.samples[0].id}.mp4", "type": "ephemeral"},
        b"private",
    )
    assert submit.json == {
        "model": "aleph2",
        "videoUri": f"runway://{desk.samples[0].id}.mp4",
        "promptText": desk.samples[0].instruction,
        "seed": 7,
        "contentModeration": {"publicFigureThreshold": "low"},
    }
    assert {seen.headers.get("x-runway-version") for seen in fake.seen if seen.step not in ("store", "video")} == {
        "2024-11-06"
    }


def test_what_decart_is_sent(fake: FakeHosts, desk: Desk) -> None:
    desk.run(built(fake, "decart", model="lucy-2.6"))
    submit = fake.of("submit")[0]
    assert submit.path == "/v1/jobs/lucy-2.6"
    form = {name: value for name, value in submit.form.items() if name != "data"}
    prompt = desk.samples[0].instruction.encode()
    assert form == {"prompt": prompt, "seed": b"0", "resolution": b"720p", "enhance_prompt": b"false"}


def test_what_dashscope_is_sent(fake: FakeHosts, desk: Desk) -> None:
    edit = desk.run(built(fake, "dashscope", price="0.1", resolution="1080P"))
    submit = fake.of("submit")[0]
    source = f"oss://instant/1/{desk.samples[0].id}.mp4"
    assert submit.json == {
        "model": "wan2.7-videoedit",
        "input": {"prompt": desk.samples[0].instruction, "media": [{"type": "video", "url": source}]},
        "parameters": {"seed": 0, "resolution": "1080P", "prompt_extend": False, "watermark": False},
    }
    assert (submit.headers["x-dashscope-async"], submit.headers["x-dashscope-ossresourceresolve"]) == (
        "enable",
        "enable",
    )
    assert edit.effort is not None
    assert edit.effort.cost == pytest.approx(0.5), "five seconds were charged"


def test_a_public_source_is_not_uploaded(fake: FakeHosts, desk: Desk) -> None:
    fake.render = lambda _: desk.samples[0].source_path.read_bytes()
    assert desk.run(built(fake, "dashscope", source_url="https://example.org/bench/{source}")).ok
    assert fake.steps()[0] == "submit"
    assert (
        fake.of("submit")[0].json["input"]["media"][0]["url"] == f"https://example.org/bench/{desk.samples[0].source}"
    )
    assert "x-dashscope-ossresourceresolve" not in fake.of("submit")[0].headers


def test_a_region_without_uploads_says_what_to_do(fake: FakeHosts, desk: Desk) -> None:
    fake.faults["place"].append(Answer(status=400, body={"code": "InvalidParameter", "message": "not here"}))
    with pytest.raises(HostUnavailable, match=r"takes no uploads at 127.0.0.1 .*source_url=https://…/\{source\}"):
        desk.run(built(fake, "dashscope"))


def words(fake: FakeHosts, bench: Path, host: str, *more: str) -> list[str | Path]:
    """The words of a command that edits with a hosted model."""
    base: list[str | Path] = ["edit", "--model", PRESETS[host], "--bench", bench, "--option", f"base_url={fake.url}"]
    return [*base, *more]


@each_host
def test_the_command_line_edits_with_a_hosted_model(fake: FakeHosts, tmp_path: Path, bench: Path, host: str) -> None:
    done = cli.run(*words(fake, bench, host, "--option", "poll=0.01"), cwd=tmp_path, timeout=120.0, **{KEYS[host]: KEY})
    assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stderr
    assert "2 of 2 samples edited" in done.stdout
    record = (tmp_path / "results" / PRESETS[host] / "run.json").read_text(encoding="utf-8")
    recorded = json.loads(record)
    assert recorded["declared"]["model"]["license"] == "closed, by API"
    assert recorded["editor"]["options"]["host"] == fake.url.removeprefix("http://")
    assert json.dumps(KEY) not in record
    again = cli.run(*words(fake, bench, host, "--option", "poll=0.02"), cwd=tmp_path)
    assert again.returncode == 0, "no key is needed where nothing is left to do, and how often is asked changes nothing"
    assert len(fake.jobs) == 2


def test_a_missing_key_is_told_in_one_line(fake: FakeHosts, tmp_path: Path, bench: Path) -> None:
    done = cli.run(*words(fake, bench, "decart"), cwd=tmp_path, DECART_API_KEY="")
    said = "error: lucy-2 needs a key: set DECART_API_KEY in the environment"
    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (1, said)
    assert fake.seen == []


# -- nothing is paid for twice -----------------------------------------------------------------------------------------


@each_host
def test_the_jobs_name_is_on_disk_before_the_first_look(fake: FakeHosts, desk: Desk, host: str) -> None:
    kept: dict[str, Any] = {}

    def note(step: str) -> None:
        kept.setdefault(step, json.loads(desk.job().read_bytes())["jobs"][0] if desk.job().exists() else None)

    fake.before = note
    desk.run(built(fake, host))
    assert (kept["submit"]["status"], kept["submit"].get("id")) == ("intended", None)
    assert (kept["look"]["status"], kept["look"]["id"]) == ("submitted", next(iter(fake.jobs)))


UNSURE = {
    "dropped": Answer(drop=True, taken=True),
    "cut off": Answer(body=b'{"id": "ru', length=60, taken=True),
    "no JSON": Answer(body=b"<html>OK</html>", taken=True),
    "a list": Answer(body=[1], taken=True),
    "nested without end": Answer(body=b"[" * 100_000, taken=True),
    "without a name": Answer(body={"ok": True}, taken=True),
    "with a name that leads elsewhere": Answer(body={"id": "../../organization"}, taken=True),
    "longer than a megabyte": Answer(body=b'{"id": "' + b"x" * (1 << 20) + b'"}', taken=True),
    "500": Answer(status=500, body=b"oh no", taken=True),
    "502": Answer(status=502, taken=True),
    "504": Answer(status=504, taken=True),
}


@pytest.mark.parametrize("answer", UNSURE.values(), ids=UNSURE)
def test_a_submission_that_may_have_been_taken_is_not_sent_again(fake: FakeHosts, desk: Desk, answer: Answer) -> None:
    fake.faults["submit"].append(answer)
    for _ in range(2):
        edit = desk.run(built(fake, "runway"))
        assert edit.error_type == "EditorError"
        assert "Runway may have taken this job and charge for it" in str(edit.error)
        assert "--option resubmit=true submits it again, at the risk of paying twice" in str(edit.error)
    assert len(fake.of("submit")) == 1
    assert desk.run(built(fake, "runway", resubmit="true")).ok
    assert len(fake.of("submit")) == 2
    assert desk.run(built(fake, "runway")).ok


def test_a_submission_without_an_answer_in_time_is_not_sent_again(
    fake: FakeHosts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkle_bench.editors.hosted.http.REQUEST_SECONDS", 0.2)
    fake.faults["submit"].append(Answer(taken=True, wait=1.0))
    assert "no answer in time" in str(desk.run(built(fake, "decart")).error)
    assert "may have taken" in str(desk.run(built(fake, "decart")).error)
    assert len(fake.of("submit")) == 1


def test_dashscope_tells_which_job_was_taken(fake: FakeHosts, desk: Desk) -> None:
    fake.lists, fake.waits = True, 0
    fake.faults["submit"].append(Answer(drop=True, taken=True))
    assert "may have taken" in str(desk.run(built(fake, "dashscope")).error)
    edit = desk.run(built(fake, "dashscope"))
    assert edit.ok
    assert len(fake.jobs) == len(fake.of("submit")) == 1
    assert edit.effort is not None
    assert edit.effort.seconds is None, "nobody watched when it ended"


def test_of_two_jobs_that_may_be_meant_neither_is_taken(fake: FakeHosts, desk: Desk) -> None:
    fake.lists, fake.waits = True, 0
    fake.faults["submit"].append(Answer(drop=True, taken=True))
    desk.run(built(fake, "dashscope"))
    fake.jobs["dashscope-job-2"] = dataclasses.replace(fake.jobs["dashscope-job-1"])
    assert "may have taken" in str(desk.run(built(fake, "dashscope")).error)
    assert len(fake.of("submit")) == 1


def place(root: Path, sample: Sample, model: str = "m") -> Path:
    """Where a run has an edit written."""
    out = Store(root=root).video_path(model, sample)
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.with_name(f".{sample.id}.1.part.mp4")


def lost(fake: FakeHosts, *, taken: bool) -> None:
    """Let the next submission end without an answer."""
    fake.faults["submit"].append(Answer(drop=True, taken=taken))


ALIKE: dict[str, tuple[int, str, dict[str, str]]] = {
    "another sample": (1, "m", {}),
    "another result's sample": (1, "other", {}),
    "another result": (0, "other", {}),
    "another option": (0, "m", {"seed": "1"}),
}
"""Which sample was edited before with the same instruction, in which result, with which options."""


@pytest.mark.parametrize(("number", "model", "options"), ALIKE.values(), ids=ALIKE)
def test_an_order_of_unknown_fate_takes_up_nobody_elses_job(
    fake: FakeHosts, tmp_path: Path, bench: Path, number: int, model: str, options: dict[str, str]
) -> None:
    fake.lists, fake.waits = True, 0
    samples = benchmark.load(bench).samples
    sample = samples[0]
    before = dataclasses.replace(samples[number], instruction=sample.instruction)
    built(fake, "dashscope", **options).edit(before, place(tmp_path, before, model))
    lost(fake, taken=False)
    for _ in range(2):
        with pytest.raises(EditorError, match="may have taken this job"):
            built(fake, "dashscope").edit(sample, place(tmp_path, sample))
    assert len(fake.of("submit")) == 2
    lost(fake, taken=True)
    with pytest.raises(EditorError, match="may have taken this job"):
        built(fake, "dashscope", resubmit="true").edit(sample, place(tmp_path, sample))
    effort = built(fake, "dashscope").edit(sample, place(tmp_path, sample))
    assert (effort.job, len(fake.of("submit"))) == ("dashscope-job-2", 3), (
        "its own, though another's is listed beside it"
    )
    again = built(fake, "dashscope", **options).edit(before, place(tmp_path, before, model))
    assert again.job == "dashscope-job-1"


def test_of_two_orders_of_unknown_fate_that_are_alike_neither_is_given_a_job(
    fake: FakeHosts, tmp_path: Path, bench: Path
) -> None:
    fake.lists, fake.waits = True, 0
    first, second = (dataclasses.replace(one, instruction="The same.") for one in benchmark.load(bench).samples)
    for sample, taken in ((first, True), (second, False)):
        lost(fake, taken=taken)
        with pytest.raises(EditorError, match="may have taken this job"):
            built(fake, "dashscope").edit(sample, place(tmp_path, sample))
    for sample in (first, second):
        with pytest.raises(EditorError, match="may have taken this job"):
            built(fake, "dashscope").edit(sample, place(tmp_path, sample))
    assert len(fake.of("submit")) == 2


def test_a_job_from_before_the_order_is_not_the_orders(fake: FakeHosts, desk: Desk) -> None:
    fake.lists, fake.waits = True, 0
    lost(fake, taken=True)
    desk.run(built(fake, "dashscope"))
    fake.jobs["dashscope-job-0"] = dataclasses.replace(fake.jobs["dashscope-job-1"], at=time.time() - 60)
    own = fake.jobs.pop("dashscope-job-1")
    assert "may have taken" in str(desk.run(built(fake, "dashscope")).error)
    fake.jobs["dashscope-job-1"] = own
    edit = desk.run(built(fake, "dashscope"))
    assert edit.effort is not None
    assert edit.effort.job == "dashscope-job-1"


def test_a_damaged_note_beside_an_order_of_unknown_fate_leaves_it_so(
    fake: FakeHosts, tmp_path: Path, bench: Path
) -> None:
    fake.lists, fake.waits = True, 0
    sample, other = benchmark.load(bench).samples
    lost(fake, taken=True)
    for _ in range(2):
        with pytest.raises(SparkleError):
            built(fake, "dashscope").edit(sample, place(tmp_path, sample))
        place(tmp_path, other).with_name(f".{other.id}.job.json").write_text("{")
    place(tmp_path, other).with_name(f".{other.id}.job.json").unlink()
    assert built(fake, "dashscope").edit(sample, place(tmp_path, sample)).job == "dashscope-job-1"


NOT_TAKEN = {
    "429": Answer(status=429, body={"error": "slower"}),
    "429 and when to come again": Answer(status=429, headers={"Retry-After": "1"}),
    "503": Answer(status=503, body={"error": "shedding load"}),
}


@pytest.mark.parametrize("answer", NOT_TAKEN.values(), ids=NOT_TAKEN)
@each_host
def test_a_submission_that_was_not_taken_is_sent_again(fake: FakeHosts, desk: Desk, host: str, answer: Answer) -> None:
    fake.faults["submit"].append(answer)
    assert desk.run(built(fake, host)).ok
    assert len(fake.jobs) == 1
    first, second = fake.of("submit")
    assert second.at - first.at >= float(answer.headers.get("Retry-After", 0))


def started(fake: FakeHosts, root: Path, bench: Path, host: str = "runway") -> subprocess.Popen[str]:
    more = ("--option", "poll=0.01", "--limit", "1", "--name", "m")
    return cli.start(*words(fake, bench, host, *more), cwd=root, **{KEYS[host]: KEY})


class Gate:
    """Stops the host at a step until the test has done what it came for."""

    def __init__(self, fake: FakeHosts, step: str) -> None:
        self.reached, self._go_on, self._step = threading.Event(), threading.Event(), step
        fake.before = self._before

    def _before(self, step: str) -> None:
        if step == self._step:
            self.reached.set()
            self._go_on.wait(30)

    def open(self) -> None:
        self._go_on.set()


@each_host
def test_killed_when_the_order_has_arrived(fake: FakeHosts, tmp_path: Path, bench: Path, host: str) -> None:
    gate = Gate(fake, "submit")
    process = started(fake, tmp_path, bench, host)
    assert gate.reached.wait(30)
    process.kill()
    process.communicate()
    gate.open()
    again = started(fake, tmp_path, bench, host)
    out, _ = again.communicate(timeout=60)
    assert again.returncode == 3
    assert "may have taken this job and charge for it" in out
    assert len(fake.jobs) == len(fake.of("submit")) == 1


@pytest.mark.parametrize(("host", "step"), [("runway", "look"), ("decart", "video"), ("dashscope", "look")])
def test_killed_while_the_job_is_under_way(fake: FakeHosts, tmp_path: Path, bench: Path, host: str, step: str) -> None:
    gate = Gate(fake, step)
    process = started(fake, tmp_path, bench, host)
    assert gate.reached.wait(30)
    process.kill()
    process.communicate()
    gate.open()
    again = started(fake, tmp_path, bench, host)
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, out + err
    assert len(fake.jobs) == len(fake.of("submit")) == 1
    assert len(list(tmp_path.rglob("*.part.mp4"))) == 0


@pytest.mark.parametrize("step", ["submit", "look"])
def test_ctrl_c_loses_no_job(fake: FakeHosts, tmp_path: Path, bench: Path, step: str) -> None:
    fake.waits = 1_000_000 if step == "look" else 1
    gate = Gate(fake, step)
    process = started(fake, tmp_path, bench)
    assert gate.reached.wait(30)
    process.send_signal(signal.SIGINT)
    gate.open()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "stopped" in err
    fake.waits = 1
    again = started(fake, tmp_path, bench)
    out, _ = again.communicate(timeout=60)
    assert again.returncode == 0, out
    assert len(fake.jobs) == len(fake.of("submit")) == 1


def test_an_edit_that_was_fetched_and_lost_is_fetched_again(fake: FakeHosts, desk: Desk) -> None:
    desk.run(built(fake, "runway"))
    desk.path().unlink()
    assert desk.run(built(fake, "runway")).ok
    assert len(fake.jobs) == 1


CHANGED: dict[str, dict[str, Any]] = {
    "another seed": {"seed": "1"},
    "another model": {"model": "aleph3"},
    "stricter moderation": {"public_figures": "auto"},
}


@pytest.mark.parametrize("options", CHANGED.values(), ids=CHANGED)
def test_another_order_takes_up_nobody_elses_job(
    fake: FakeHosts, tmp_path: Path, sample: Sample, options: dict[str, Any]
) -> None:
    out = tmp_path / ".x.part.mp4"
    built(fake, "runway").edit(sample, out)
    built(fake, "runway", **options).edit(sample, out)
    assert len(fake.jobs) == 2
    built(fake, "runway").edit(sample, out)
    built(fake, "runway", **options).edit(sample, out)
    assert len(fake.jobs) == 2, "and finds its own again"


def test_another_sample_takes_up_nobody_elses_job(fake: FakeHosts, tmp_path: Path, sample: Sample) -> None:
    out = tmp_path / ".x.part.mp4"
    built(fake, "runway").edit(sample, out)
    built(fake, "runway").edit(dataclasses.replace(sample, instruction="Something else."), out)
    assert len(fake.jobs) == 2
    built(fake, "runway").edit(dataclasses.replace(sample, sha256="0" * 64), out)
    assert len(fake.jobs) == 3


def test_a_damaged_note_is_not_thrown_away(fake: FakeHosts, desk: Desk) -> None:
    desk.job().parent.mkdir(parents=True)
    desk.job().write_text('{"jobs": [{"request": "x", "stat')
    assert "cannot be read" in str(desk.run(built(fake, "runway")).error)
    desk.job().write_text('{"jobs": [{"request": "x", "status": "submitted"}]}')
    assert "may hold the name of a job that was paid for" in str(desk.run(built(fake, "runway")).error)
    assert fake.of("submit") == []


def test_a_note_that_cannot_be_written_stops_the_run_before_anything_is_paid(
    fake: FakeHosts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Book, jobs: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Book, "_write", full)
    with pytest.raises(MachineError, match="No space left on device"):
        desk.run(built(fake, "runway"))
    assert fake.of("submit") == []


def test_notes_lie_hidden_beside_the_videos(fake: FakeHosts, desk: Desk) -> None:
    desk.run(built(fake, "runway"))
    assert desk.job().is_file()
    found = layout.find(desk.store.model_dir("m") / "videos", desk.bench.samples)
    assert (list(found.videos), found.extra, found.near) == ([desk.samples[0].id], (), ())


# -- how jobs end ------------------------------------------------------------------------------------------------------


@each_host
def test_a_refusal_is_a_record_and_is_not_paid_for_again(fake: FakeHosts, desk: Desk, host: str) -> None:
    fake.ends, fake.words = "refused", "a public figure"
    edit = desk.run(built(fake, host))
    assert edit.error_type == "Refused"
    assert "a public figure" in str(edit.error)
    assert next(iter(fake.jobs)) in str(edit.error)
    fake.ends = "done"
    assert desk.run(built(fake, host)).error_type == "Refused"
    assert len(fake.jobs) == 1
    assert desk.run(built(fake, host, resubmit="true")).ok
    assert len(fake.jobs) == 2


def test_a_refusal_may_have_been_charged(fake: FakeHosts, desk: Desk) -> None:
    fake.ends = "refused"
    assert "1.40 USD" in str(desk.run(built(fake, "runway")).error)


REFUSED_AT_ONCE = {
    "dashscope": Answer(
        status=400, body={"code": "DataInspectionFailed", "message": "Input data may be inappropriate."}
    ),
    "decart": Answer(status=422, body={"detail": "the prompt was rejected by moderation"}),
}


@pytest.mark.parametrize("host", REFUSED_AT_ONCE)
def test_a_refusal_at_the_door_is_one_too(fake: FakeHosts, desk: Desk, host: str) -> None:
    fake.faults["submit"].append(REFUSED_AT_ONCE[host])
    assert desk.run(built(fake, host)).error_type == "Refused"
    assert desk.run(built(fake, host)).error_type == "Refused"
    assert len(fake.of("submit")) == 1


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
@each_host
def test_a_job_that_failed_at_no_cost_is_submitted_anew_by_the_next_run(
    fake: FakeHosts, desk: Desk, host: str, ending: str
) -> None:
    fake.ends, fake.credits = ending, 0  # type: ignore[assignment]
    edit = desk.run(built(fake, host))
    assert (edit.error_type, len(fake.jobs)) == ("EditorError", 1), "not in the same run"
    assert "did not make this edit" in str(edit.error)
    fake.ends = "done"
    assert desk.run(built(fake, host)).ok
    assert len(fake.jobs) == 2


def test_a_job_that_failed_and_was_charged_is_not_paid_for_again(fake: FakeHosts, desk: Desk) -> None:
    fake.ends = "failed"
    assert "1.40 USD" in str(desk.run(built(fake, "runway")).error)
    fake.ends = "done"
    assert "charged for an edit that failed" in str(desk.run(built(fake, "runway")).error)
    assert len(fake.jobs) == 1
    assert desk.run(built(fake, "runway", resubmit="true")).ok


def test_a_request_that_is_turned_down_was_no_job(fake: FakeHosts, desk: Desk) -> None:
    fake.faults["submit"].append(Answer(status=400, body={"error": "promptText: too dull", "issues": []}))
    assert str(desk.run(built(fake, "runway")).error) == "Runway turns the request down: 400: promptText: too dull"
    assert desk.run(built(fake, "runway")).ok
    assert len(fake.jobs) == 1


@pytest.mark.parametrize("credits", ["1e999", "NaN", "true", '"140"', "-1", "null"])
def test_a_cost_that_is_none_is_not_recorded(fake: FakeHosts, desk: Desk, credits: str) -> None:
    link = f"{fake.url}/video/runway-job-1"
    task = f'{{"status": "SUCCEEDED", "output": ["{link}"], "cost": {{"credits": {credits}}}}}'
    fake.faults["look"].append(Answer(body=task.encode()))
    edit = desk.run(built(fake, "runway"))
    assert edit.effort is not None
    assert edit.effort.cost is None


def test_a_refusal_while_the_source_is_looked_at_is_one(fake: FakeHosts, desk: Desk) -> None:
    task = {
        "status": "FAILED",
        "failure": "no",
        "failureCode": "INPUT_PREPROCESSING.SAFETY.TEXT",
        "cost": {"credits": 0},
    }
    fake.faults["look"].append(Answer(body=task))
    assert desk.run(built(fake, "runway")).error_type == "Refused"


def test_waiting_for_ones_turn_is_no_trouble(fake: FakeHosts, desk: Desk) -> None:
    fake.waiting, fake.waits = "THROTTLED", 5
    assert desk.run(built(fake, "runway")).ok


@each_host
def test_a_job_that_takes_too_long_is_taken_up_by_the_next_run(fake: FakeHosts, desk: Desk, host: str) -> None:
    fake.waits = 1_000_000
    assert "it goes on there: run the same command again" in str(desk.run(built(fake, host, timeout="0.05")).error)
    fake.waits = 0
    edit = desk.run(built(fake, host))
    assert edit.ok
    assert len(fake.jobs) == 1


@each_host
def test_a_job_that_the_host_has_forgotten_is_told_and_not_paid_for_again(
    fake: FakeHosts, desk: Desk, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkle_bench.editors.hosted.desk.NEW_SECONDS", 0.0)
    fake.waits = 1_000_000
    desk.run(built(fake, host, timeout="0.05"))
    known = dict(fake.jobs)
    fake.jobs.clear()
    for _ in range(2):
        edit = desk.run(built(fake, host))
        assert "does not know this edit's job any more" in str(edit.error)
        assert "resubmit=true" in str(edit.error)
    assert len(fake.of("submit")) == 1
    fake.jobs |= known
    fake.waits = 0
    assert desk.run(built(fake, host)).ok, "known again, as after a mistaken base_url"
    assert len(fake.of("submit")) == 1


def test_a_job_that_the_host_does_not_know_yet_is_waited_for(fake: FakeHosts, desk: Desk) -> None:
    fake.faults["look"] += [Answer(status=404), Answer(status=404)]
    assert desk.run(built(fake, "decart")).ok


STRANGE = {
    "a state nobody knows": Answer(body={"status": "MELTED"}),
    "no state": Answer(body={}),
}


@pytest.mark.parametrize("answer", STRANGE.values(), ids=STRANGE)
@each_host
def test_a_state_that_nobody_knows_is_told_and_the_job_kept(
    fake: FakeHosts, desk: Desk, host: str, answer: Answer
) -> None:
    fake.faults["look"].append(answer)
    assert "what nobody here knows" in str(desk.run(built(fake, host)).error)
    assert desk.run(built(fake, host)).ok
    assert len(fake.jobs) == 1


BAD_LOOKS = {
    "500": Answer(status=500),
    "429": Answer(status=429),
    "dropped": Answer(drop=True),
    "cut off": Answer(body=b"{", length=50),
    "no JSON": Answer(body=b"<html>"),
    "too long": Answer(body=b" " * (1 << 20) + b"{}"),
}


@pytest.mark.parametrize("answer", BAD_LOOKS.values(), ids=BAD_LOOKS)
def test_trouble_while_looking_is_lived_through(fake: FakeHosts, desk: Desk, answer: Answer) -> None:
    fake.faults["look"] += [answer] * 3
    assert desk.run(built(fake, "runway")).ok
    assert len(fake.jobs) == 1


@pytest.mark.parametrize("step", ["place", "store"])
def test_trouble_while_uploading_is_lived_through(fake: FakeHosts, desk: Desk, step: str) -> None:
    fake.faults[step] += [Answer(status=503), Answer(drop=True), Answer(status=500)]
    assert desk.run(built(fake, "runway")).ok
    assert len(fake.jobs) == 1


# -- fetching ----------------------------------------------------------------------------------------------------------

HALF = {
    "cut off": Answer(body=b"\0\0\0\x20ftypisom" + b"x" * 5000, length=9000),
    "half a file": Answer(body=b"\0\0\0\x20ftypisom" + b"x" * 5000, length=-1),
    "nothing": Answer(),
    "a page": Answer(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html; charset=utf-8"}),
    "a page that says it is a video": Answer(body=b"<html>Sign in</html>", headers={"Content-Type": "video/mp4"}),
    "500": Answer(status=500),
    "429": Answer(status=429, headers={"Retry-After": "0"}),
    "expired": Answer(status=403, body=b"<Error><Code>AccessDenied</Code></Error>"),
    "gone": Answer(status=404),
    "dropped": Answer(drop=True),
}


@pytest.mark.parametrize("answer", HALF.values(), ids=HALF)
def test_a_video_comes_whole_or_is_asked_for_again(fake: FakeHosts, desk: Desk, answer: Answer) -> None:
    fake.faults["video"] += [answer, answer]
    assert desk.run(built(fake, "runway")).ok
    assert desk.path().read_bytes() == desk.samples[0].source_path.read_bytes()
    links = [seen.path for seen in fake.of("video")]
    assert len(set(links)) == 3, "with a fresh link each time"
    assert len(fake.jobs) == 1


@pytest.mark.parametrize(
    "answer", [HALF["a page"], HALF["half a file"], HALF["expired"]], ids=["page", "half", "expired"]
)
@each_host
def test_a_video_that_never_comes_stays_at_the_host(fake: FakeHosts, desk: Desk, host: str, answer: Answer) -> None:
    fake.faults["video"] += [answer] * 5
    edit = desk.run(built(fake, host))
    assert "cannot be fetched from" in str(edit.error)
    assert answer is not HALF["a page"] or "no video comes but text/html" in str(edit.error)
    assert "run the same command again" in str(edit.error)
    assert desk.run(built(fake, host)).ok
    assert len(fake.jobs) == 1


def test_a_video_without_end_is_refused(fake: FakeHosts, desk: Desk) -> None:
    fake.faults["video"].append(
        Answer(body=b"\0\0\0\x20ftypisom", length=3 << 30, headers={"Content-Type": "video/mp4"})
    )
    assert "sends more than 2147483648 bytes" in str(desk.run(built(fake, "runway")).error)
    assert list(desk.store.root.rglob("*.part.mp4")) == []


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://x/y", "/etc/passwd", "", "http://u:p@127.0.0.1/x"])
def test_a_link_that_leads_nowhere_is_not_followed(fake: FakeHosts, desk: Desk, link: str) -> None:
    task = {"id": "runway-job-1", "status": "SUCCEEDED", "output": [link]}
    fake.faults["look"] += [Answer(body=task)] * 5
    assert "gives an address that is no http or https one" in str(desk.run(built(fake, "runway")).error)


@each_host
def test_a_video_elsewhere_is_fetched_without_the_key(desk: Desk, host: str) -> None:
    with serving() as elsewhere, serving(elsewhere=elsewhere.url) as fake:
        elsewhere.jobs = fake.jobs
        if host == "decart":  # it has one address, which may lead elsewhere
            where = {"Location": f"{elsewhere.url}/video/decart-job-1"}
            fake.faults["video"].append(Answer(status=302, headers=where))
        assert desk.run(built(fake, host)).ok
        assert [seen.step for seen in elsewhere.seen] == ["video"]
        assert not {"authorization", "x-api-key", "x-runway-version"} & elsewhere.seen[0].headers.keys()
        assert KEY not in str(elsewhere.seen)


def test_redirects_without_end_end(fake: FakeHosts, desk: Desk) -> None:
    fake.faults["video"] += [Answer(status=302, headers={"Location": "/video/runway-job-1"})] * 40
    assert "from one address to the next without end" in str(desk.run(built(fake, "runway")).error)


@pytest.mark.parametrize("step", ["place", "submit", "look"])
def test_the_key_follows_no_redirect(fake: FakeHosts, desk: Desk, step: str) -> None:
    with serving() as elsewhere:
        fake.faults[step].append(Answer(status=307, headers={"Location": f"{elsewhere.url}/v1/uploads"}))
        with pytest.raises(HostUnavailable, match=r"has moved \(307\)"):
            desk.run(built(fake, "runway"))
        assert elsewhere.seen == []


# -- what comes out ----------------------------------------------------------------------------------------------------


def as_mp4(**settings: Any) -> bytes:
    """A clip as a host may make it: written by PyAV with these settings."""
    import av

    codec, fps, size, count = (settings[name] for name in ("codec", "fps", "size", "count"))
    file = io.BytesIO()
    with av.open(file, "w", format=settings.get("format", "mp4")) as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = settings.get("pix_fmt", "yuv420p")
        for picture in makers.moving_frames(count, size):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


OTHER = {
    "MPEG-4": {"codec": "mpeg4"},
    "full chroma": {"codec": "libx264", "pix_fmt": "yuv444p"},
    "Matroska": {"codec": "libx264", "format": "matroska"},
}


@pytest.mark.parametrize("settings", OTHER.values(), ids=OTHER)
def test_what_is_no_plain_h264_is_written_anew(fake: FakeHosts, desk: Desk, settings: dict[str, Any]) -> None:
    made = as_mp4(**settings, fps=16, size=(256, 240), count=36)
    fake.render = lambda _: made
    edit = desk.run(built(fake, "runway"))
    assert edit.probe is not None
    assert edit.effort is not None
    assert (edit.probe.frames, edit.probe.fps, edit.effort.aligned) == (36, 16.0, True)
    assert desk.path().read_bytes() != made
    assert b"avc1" in desk.path().read_bytes()


def test_frames_are_aligned_only_if_they_are_as_many_at_the_same_rate(fake: FakeHosts, desk: Desk) -> None:
    for fps, count, aligned in [(16, 36, True), (24, 54, False), (16, 35, False), (24, 36, False)]:
        fake.render = lambda _, fps=fps, count=count: as_mp4(codec="libx264", fps=fps, size=(256, 240), count=count)  # type: ignore[misc]
        desk.job().unlink(missing_ok=True)
        desk.path().unlink(missing_ok=True)
        edit = desk.run(built(fake, "runway"))
        assert edit.ok
        assert edit.effort is not None
        assert edit.effort.aligned is aligned, (fps, count)


def test_an_edit_can_be_brought_to_the_sources_frames_by_time(fake: FakeHosts, desk: Desk) -> None:
    grey = desk.store.root / "grey.mp4"
    makers.write_counting_clip(grey, frames=45, size=(256, 240), fps=20.0)
    fake.render = lambda _: grey.read_bytes()
    edit = desk.run(built(fake, "decart", retime="true"))
    assert edit.probe is not None
    assert edit.effort is not None
    assert (edit.probe.frames, edit.probe.fps, edit.effort.aligned) == (36, 16.0, True)
    levels = [float(picture.mean()) for picture in frames(desk.path())]
    expected = [makers.counting_level(min(44, round(n / 16 * 20)), 45) for n in range(36)]
    assert [abs(level - want) < 3 for level, want in zip(levels, expected, strict=True)] == [True] * 36
    assert desk.store.read_run("m") is not None
    assert desk.store.read_run("m")["editor"]["options"]["retime"] is True  # type: ignore[index]


def test_a_shorter_edit_is_not_called_aligned_by_time(fake: FakeHosts, desk: Desk) -> None:
    made = as_mp4(codec="libx264", fps=20, size=(256, 240), count=30)
    fake.render = lambda _: made
    edit = desk.run(built(fake, "decart", retime="true"))
    assert edit.probe is not None
    assert edit.effort is not None
    assert (edit.probe.frames, edit.effort.aligned) == (36, False)


def test_a_rate_is_given_to_an_edit_that_was_brought_to_the_sources_frames(fake: FakeHosts, desk: Desk) -> None:
    made = as_mp4(codec="libx264", fps=20, size=(256, 240), count=45)
    fake.render = lambda _: made
    editor = built(fake, "decart", retime="true", fps="15", crf="25")
    edit = desk.run(editor)
    assert edit.probe is not None
    assert (edit.probe.frames, edit.probe.fps) == (36, 15.0)
    assert b"crf=25.0" in desk.path().read_bytes()
    said = editor.describe()
    assert (said["retime"], said["fps"], said["crf"]) == (True, 15.0, 25)


def test_how_edits_are_written_is_described(fake: FakeHosts) -> None:
    plain, retimed = (built(fake, "runway", **options).describe() for options in ({}, {"retime": "true"}))
    assert (plain["crf"], "fps" in plain, "retime" in plain) == (18, False, False)
    assert (retimed["crf"], retimed["fps"], retimed["retime"]) == (18, "source", True)


USUAL = {"seed": 0, "fps": 20, "width": 1280, "height": 720}
DECLARED: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "as usual": ({}, USUAL),
    "another seed": ({"seed": "7"}, USUAL | {"seed": 7}),
    "retimed": ({"retime": "true"}, {"seed": 0, "width": 1280, "height": 720}),
    "retimed to a rate": ({"retime": "true", "fps": "15"}, USUAL | {"fps": 15.0}),
    "another size": ({"resolution": "480p"}, {"seed": 0}),
    "another model": ({"model": "lucy-9"}, {"seed": 0}),
}


@pytest.mark.parametrize(("options", "settings"), DECLARED.values(), ids=DECLARED)
def test_an_edits_rate_and_size_are_declared_where_they_are_known(
    options: dict[str, str], settings: dict[str, Any]
) -> None:
    said = editors.declared(editors.create("lucy-2", options))
    assert (said["settings"], said["model"]["name"]) == (settings, "Lucy 2")
    assert said["model"]["version"] == options.get("model", "lucy-2.5")


# -- the run as a whole ------------------------------------------------------------------------------------------------

STOPS = {
    "a wrong key": (
        Answer(status=401, body={"error": "bad key"}),
        r"Runway refuses the key \(401: bad key\); set RUNWAYML_API",
    ),
    "a key that may not": (Answer(status=403, body={"error": "suspended"}), "refuses the key"),
    "no credit": (Answer(status=402), "wants credit first"),
    "no credit, in words": (Answer(status=400, body={"error": "You do not have enough credits"}), "wants credit first"),
    "arrears": (Answer(status=400, body={"code": "Arrearage", "message": "Access denied"}), "wants credit first"),
    "an unknown model": (Answer(status=404, body={"error": "no"}), "knows no model 'aleph2' .* --option model="),
    "told to wait for long": (Answer(status=429, headers={"Retry-After": "86400"}), "asks to wait 86400 s"),
}


@pytest.mark.parametrize(("answer", "said"), STOPS.values(), ids=STOPS)
def test_trouble_with_the_host_stops_the_run_and_is_nobodys_mark(
    fake: FakeHosts, desk: Desk, answer: Answer, said: str
) -> None:
    desk.samples = desk.bench.samples
    fake.faults["submit"] += [answer] * 9
    with pytest.raises(HostUnavailable, match=said):
        desk.run(built(fake, "runway"))
    assert desk.store.edits("m") == {}
    assert len(fake.of("submit")) == 1
    fake.faults["submit"].clear()
    assert desk.run(built(fake, "runway"), workers=2).ok
    assert len(fake.jobs) == 2


def test_a_host_that_stays_busy_stops_the_run(fake: FakeHosts, desk: Desk) -> None:
    fake.faults["submit"] += [Answer(status=429, body={"error": "daily limit"}, headers={"Retry-After": "0"})] * 20
    with pytest.raises(HostUnavailable, match=r"did not answer well 12 times, at last: 429: daily limit"):
        desk.run(built(fake, "runway"))
    fake.faults.clear()
    assert desk.run(built(fake, "runway")).ok


def test_no_host_at_all_stops_the_run(fake: FakeHosts, desk: Desk) -> None:
    with serving() as gone:
        address = gone.url
    with pytest.raises(HostUnavailable, match="no connection"):
        desk.run(built(fake, "runway", base_url=address))


def test_the_command_line_says_why_in_one_line(fake: FakeHosts, tmp_path: Path, bench: Path) -> None:
    done = cli.run(*words(fake, bench, "runway"), cwd=tmp_path, RUNWAYML_API_SECRET="key_wrong")
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert (done.returncode, len(errors)) == (1, 1)
    said = "error: Runway refuses the key (401: InvalidApiKey; the key [key] is wrong); set RUNWAYML_API_SECRET"
    assert said in errors[0]
    assert "key_wrong" not in done.stdout + done.stderr


def test_several_at_once_and_one_that_is_told_to_slow_down_slows_all(fake: FakeHosts, tmp_path: Path) -> None:
    root = makers.write_benchmark(
        tmp_path / "b", samples_per_theme=2, themes=["time", "style"], frames=36, size=(256, 240)
    )
    desk = Desk(tmp_path, root)
    desk.samples = desk.bench.samples
    fake.faults["submit"].append(Answer(status=429, headers={"Retry-After": "1"}))
    fake.waits = 100
    editor = built(fake, "runway", poll="0.01")
    assert editors.at_once(editor) == 4
    assert desk.run(editor, workers=4).ok
    assert all(edit.ok for edit in desk.store.edits("m").values())
    assert len(fake.jobs) == 4
    assert {made.prompt for made in fake.jobs.values()} == {sample.instruction for sample in desk.samples}
    told = fake.of("submit")[0].at
    # What was on its way already arrives; after that, nobody asks for anything for a second.
    assert [seen for seen in fake.seen if told + 0.5 < seen.at < told + 0.99] == []


def test_waiting_ends_at_once_when_the_run_is_stopped(fake: FakeHosts, tmp_path: Path, sample: Sample) -> None:
    fake.waits = 1_000_000
    editor = built(fake, "runway", poll="3600", timeout="7200")
    caught: list[BaseException] = []

    def work() -> None:
        try:
            editor.edit(sample, tmp_path / ".x.part.mp4")
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while not (tmp_path / f".{sample.id}.job.json").exists() or not fake.jobs:
        time.sleep(0.01)
    editor.close()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(caught[0], HostUnavailable)
    fake.waits = 0
    assert built(fake, "runway").edit(sample, tmp_path / ".x.part.mp4").job == "runway-job-1"


# -- what is checked before anything is paid ---------------------------------------------------------------------------


def test_an_instruction_that_is_too_long_is_told_before_anything_is_paid(
    fake: FakeHosts, tmp_path: Path, sample: Sample
) -> None:
    long = dataclasses.replace(sample, instruction="é" * 999 + "🌊")
    with pytest.raises(EditorError, match="the instruction has 1001 characters; the host takes 1000 at most; nothing"):
        built(fake, "runway").edit(long, tmp_path / "x.mp4")
    assert fake.seen == []
    assert built(fake, "runway").edit(dataclasses.replace(sample, instruction="é" * 1000), tmp_path / "x.mp4").job


CLIPS: dict[str, tuple[str, dict[str, Any], str]] = {
    "too short": ("runway", {"frames": 16}, r"lasts 1 s \(16 frames\); the host takes 2 at least"),
    "too long": (
        "dashscope",
        {"frames": 161, "size": (240, 240)},
        r"lasts 10.1 s \(161 frames\); the host takes 10 at most",
    ),
    "too fast": ("runway", {"frames": 150, "fps": 60.0}, "60 frames per second; the host takes 30 at most"),
    "too small": ("dashscope", {"frames": 36, "size": (320, 180)}, "320x180; the host takes 240 at least"),
    "too wide": ("runway", {"frames": 33, "size": (1922, 64)}, "1922x64; the host takes 1920 at most"),
}


@pytest.mark.parametrize(("host", "clip", "said"), CLIPS.values(), ids=CLIPS)
def test_a_source_that_the_host_does_not_take_is_told_before_anything_is_paid(
    fake: FakeHosts, tmp_path: Path, sample: Sample, host: str, clip: dict[str, Any], said: str
) -> None:
    makers.write_clip(tmp_path / sample.source, **clip)
    with pytest.raises(EditorError, match=said):
        built(fake, host).edit(dataclasses.replace(sample, root=tmp_path), tmp_path / "x.mp4")
    assert fake.seen == []


ADDRESSES = {
    "another host": "https://api.dev.runwayml.com.evil.example",
    "another host in the path": "https://evil.example/api.dev.runwayml.com",
    "a look-alike": "https://evilrunwayml.com",
    "the host in the clear": "http://api.dev.runwayml.com",
    "a user": "https://u:p@api.dev.runwayml.com",
    "a question": "https://api.dev.runwayml.com?x=https://evil.example",
    "this machine's look-alike": "http://127.0.0.1.evil.example",
    "no address": "api.dev.runwayml.com",
    "rubbish": "https://[",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_the_key_goes_to_the_host_or_to_this_machine_alone(address: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create("runway-aleph", {"base_url": address})
    assert "base_url" in str(caught.value) or "the key of Runway goes over https to runwayml.com" in str(caught.value)


@pytest.mark.parametrize(
    "address", ["https://dashscope.aliyuncs.com/", "https://ws-1.ap-southeast-1.maas.aliyuncs.com"]
)
def test_a_hosts_other_addresses_are_taken(address: str) -> None:
    editor = editors.create("wan-2.7", {"base_url": address})
    assert editors.describe(editor, {})["host"] == address.removeprefix("https://").rstrip("/")


WRONG_OPTIONS = {
    "an unknown one": ("runway-aleph", {"sed": "1"}, "has no option 'sed'"),
    "no number": ("runway-aleph", {"seed": "x"}, "is not a int"),
    "no time": ("lucy-2", {"poll": "0"}, "poll=0.0 is no number of seconds"),
    "no price": ("lucy-2", {"price": "nan"}, "price=nan is no price"),
    "an unknown strictness": ("runway-aleph", {"public_figures": "high"}, "neither auto nor low"),
    "a folder for an address": ("wan-2.7", {"source_url": "/data/{source}"}, "source_url is an address with {source}"),
    "an address for all": ("wan-2.7", {"source_url": "https://x/y.mp4"}, "source_url is an address with {source}"),
    "another speed": ("lucy-2", {"fps": "15"}, "option fps=15 would change how fast things move in what Decart makes"),
    "another speed of Aleph": ("runway-aleph", {"fps": "15"}, "pass --option retime=true too"),
    "another speed of Wan": ("wan-2.7", {"fps": "16", "retime": "false"}, "pass --option retime=true too"),
    "a size": ("lucy-2", {"size": "832x480"}, "has no option 'size'"),
}


@pytest.mark.parametrize(("name", "options", "said"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS)
def test_options_that_cannot_be_are_refused(name: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create(name, options)
    assert said in str(caught.value)


WRONG_PRESETS = {
    "an unknown section": ("[runway.limit]\ncharacters = 1", "unknown key 'limit' in [runway]; known: limits, price"),
    "an unknown limit": (
        "[runway.limits]\ncharacter = 1",
        "unknown key 'character' in [runway.limits]; did you mean chara",
    ),
    "a text for a number": ("[runway.price]\ncredit = 'cheap'", "runway.price.credit: 'cheap' is no number"),
    "no key": ("", "names no key"),
}


@pytest.mark.parametrize(("text", "said"), WRONG_PRESETS.values(), ids=WRONG_PRESETS)
def test_a_preset_of_ones_own_is_read_strictly(tmp_path: Path, text: str, said: str) -> None:
    key = "[needs]\nkey = 'K'\n" if text else ""
    (tmp_path / "mine.toml").write_text(f"kind = 'runway'\n{key}{text}")
    with pytest.raises(EditorError) as caught:
        editors.create(str(tmp_path / "mine.toml"), {})
    assert said in str(caught.value)


# -- the key -----------------------------------------------------------------------------------------------------------

ECHOES = [KEY, f"Bearer {KEY}", json.dumps(KEY), KEY.replace("+", "%2B").replace("/", "%2F")]


@pytest.mark.parametrize("step", ["place", "submit", "look", "video", "store"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_host_that_repeats_the_key_does_not_spread_it(
    fake: FakeHosts, desk: Desk, step: str, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    body = {"error": " ".join(ECHOES), "message": {"key": KEY}, "code": KEY}
    fake.faults[step] += [Answer(status=status, body=body, headers={"Retry-After": "0", "Location": KEY})] * 20
    editor = built(fake, "runway")
    told = repr(editor)
    try:
        told += str(desk.run(editor).error)
    except HostUnavailable as error:
        told += f"{error} {error!r} {error.__cause__!r}"
    told += desk.texts() + "".join(capfd.readouterr()) + json.dumps(editor.describe())
    assert not any(part in told for part in (KEY, json.dumps(KEY)[1:-1], "0123456789abcdef"))


@each_host
def test_a_refusal_that_repeats_the_key_does_not_spread_it(fake: FakeHosts, desk: Desk, host: str) -> None:
    fake.ends, fake.words = "refused", f"not with {KEY} \x1b[31m https://storage.example/x?signature=s3cr3t"
    error = str(desk.run(built(fake, host)).error)
    assert "not with [key]" in error
    for hidden in ("\x1b", "s3cr3t", "0123456789abcdef"):
        assert hidden not in error + desk.texts()


@pytest.mark.parametrize("key", ["", " ", None, "key\nX-Evil: 1", "schlüssel"])
def test_a_key_that_is_none_is_told_and_not_shown(fake: FakeHosts, desk: Desk, key: str | None) -> None:
    editor = built(fake, "runway")
    editor.key = key
    with pytest.raises(HostUnavailable, match="RUNWAYML_API_SECRET") as caught:
        desk.run(editor)
    assert fake.seen == []
    assert "Evil" not in str(caught.value)


def test_a_key_with_a_line_break_behind_it_is_taken(fake: FakeHosts, desk: Desk) -> None:
    editor = built(fake, "runway")
    editor.key = f" {KEY}\n"
    assert desk.run(editor).ok


# -- the notes themselves ----------------------------------------------------------------------------------------------


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    book = Book(tmp_path / "x.json")
    first = Job(
        request="a", provider="Runway", model="m", status="submitted", intended=1.5, submitted=2.5, id="j", cost=0.1
    )
    second = Job(request="b", provider="Runway", model="m", status="intended", intended=3.0, words="nothing came")
    assert (book.put(first), book.put(second)) == (first, second)
    assert (book.find("a"), book.find("b"), book.find("c")) == (first, second, None)
    book.drop(first)
    assert (book.find("a"), Book(tmp_path / "x.json").find("b")) == (None, second)


# -- Runway's own client -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("runwayml") is None, reason="needs runwayml, Runway's own client")
def test_runways_own_client_sends_the_same(fake: FakeHosts, desk: Desk) -> None:
    runwayml: Any = importlib.import_module("runwayml")

    sample = desk.samples[0]
    source = shutil.copyfile(sample.source_path, desk.store.root / f"{sample.id}.mp4")
    client: Any = runwayml.RunwayML(api_key=KEY, base_url=fake.url, max_retries=0)
    with source.open("rb") as file:
        uploaded = client.uploads.create_ephemeral(file=file)
    task = client.video_to_video.create(model="aleph2", video_uri=uploaded.uri, prompt_text=sample.instruction, seed=0)
    client.tasks.retrieve(task.id)
    theirs = list(fake.seen)
    fake.seen.clear()
    desk.run(built(fake, "runway"))
    ours = fake.seen
    for step in ("place", "store", "submit", "look"):
        their, our = (next(seen for seen in side if seen.step == step) for side in (theirs, ours))
        assert our.method == their.method
        assert our.path.replace("job-2", "job-1") == their.path
        for name in ("authorization", "x-runway-version", "accept"):
            assert step == "store" or our.headers.get(name) == their.headers.get(name)
        if step in ("place", "submit"):
            assert our.json == their.json
        if step == "store":
            assert our.form == their.form


@pytest.mark.skipif(importlib.util.find_spec("runwayml") is None, reason="needs runwayml, Runway's own client")
def test_runways_own_client_may_pay_twice(fake: FakeHosts) -> None:
    """Why it is not used: what may have been taken is sent again, with nothing that says that it is the same."""
    runwayml: Any = importlib.import_module("runwayml")

    client: Any = runwayml.RunwayML(api_key=KEY, base_url=fake.url)
    fake.stored["runway://x"] = b"x"
    fake.faults["submit"] += [Answer(status=502, taken=True)]
    client.video_to_video.create(model="aleph2", video_uri="runway://x", prompt_text="x")
    assert len(fake.jobs) == 2
    assert not [name for seen in fake.seen for name in seen.headers if "idempot" in name]
