"""Verifying a result offline: an honest one is clean, and every way of tampering with it is named."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench import benchmark, exchange, leaderboard, prompts, run
from sparkle_bench.benchmark import Benchmark
from sparkle_bench.disk import Hashes
from sparkle_bench.editors.folder import Folder
from sparkle_bench.errors import StoreError
from sparkle_bench.judges import judge_key
from sparkle_bench.prompts import Prompt
from sparkle_bench.records import Sample, sample_from_json
from sparkle_bench.rubric import rubric_from_data
from sparkle_bench.store import Store
from sparkle_bench.verification import Verified, verify
from tests import cli
from tests.conftest import DemoRun
from tests.fake_judge import Answer, FakeJudge, serving, verdict
from tests.makers import write_clip, write_edits, write_table
from tests.road import NOW, PROMPT, Road

KEYS = PROMPT.rubric.keys
SCENES: Sequence[tuple[str, str, str]] = (
    ("location", "rural: vineyard rows with rustling leaves", "Place her in a vineyard, the leaves rustling in the wind."),
    ("location", "coast: rocky shore, waves breaking", "Put him on a rocky shore where high waves break into foam."),
    ("location", "desert: dunes and blowing sand", "Swap the backdrop for desert dunes with sand blowing across them."),
    ("location", "city: neon crossing at night", "Let the scene be a crowded neon crossing in Tokyo, cars passing."),
    ("season", "spring: melting snow revealing grass", "Turn the meadow into early spring: snow melts, grass shows."),
    ("season", "autumn: falling maple leaves", "Make it autumn, red maple leaves drifting down everywhere."),
    ("season", "winter: blizzard over pines", "Change it to a blizzard sweeping over dark pines."),
    ("season", "summer: wheat under heat haze", "Show ripe wheat swaying under a summer haze of heat."),
    ("time", "dawn: morning mist rolling over terrain", "Set it at dawn with mist rolling through the valley."),
    ("time", "dusk: fading sun behind harbour cranes", "Let the sun fade behind the cranes of a harbour."),
    ("time", "night: stars wheeling above a lake", "Make it night, stars wheeling slowly above a calm lake."),
    ("time", "noon: market square in glare", "Make it noon in a busy market square, awnings flapping."),
    ("style", "cinematic: sci-fi dystopian industrial wasteland", "Restyle it as a dystopian wasteland, chimneys smoking."),
    ("style", "era: medieval stone-and-timber village", "Take us to a medieval village, chimney smoke and hens."),
    ("style", "painting: impressionist pond with lilies", "Paint an impressionist pond with lilies and a bridge."),
    ("style", "game: pixel dungeon with torches", "Turn it into a pixel dungeon lit by flickering torches."),
)  # fmt: skip
SAID = (
    "The background became {scene}, with plausible motion; the subject is kept, a faint halo along the hair.",
    "{scene} replaces the original setting convincingly, though lighting on the person does not quite match.",
    "Edit follows the request: {scene}. Edges flicker slightly near the hands, motion of the subject intact.",
    "Background shows {scene} but it is rather static and soft; identity and movement of the subject preserved.",
    "Good separation overall. Scene reads as {scene}; some warping of the arm between frames.",
)
GENERIC = "Clean cut-out, stable subject and natural light, only a little noise in the dark parts."


def honest_reply(sample: Sample, salt: str = "") -> str:
    """What a judge that has looked says: most often it names the scene, and its marks differ."""
    draw = random.Random(f"{sample.id}{salt}")
    text = GENERIC if sample.id.endswith("4") and sample.theme == "time" else draw.choice(SAID)
    marks = [draw.choice((2, 3, 3, 4, 4, 5)) for _ in KEYS]
    return verdict(*marks).replace("a made-up verdict.", text.format(scene=sample.scene))


def write_rich_benchmark(root: Path) -> Path:
    for theme in dict.fromkeys(theme for theme, _, _ in SCENES):
        rows, lines = [], []
        for number, (_, keyword, prompt) in enumerate([scene for scene in SCENES if scene[0] == theme], 1):
            sample_id = f"Sparkle_{theme}_{number:06d}"
            source = f"source_videos/{theme}/{sample_id}.mp4"
            seed = SCENES.index((theme, keyword, prompt))
            write_clip(root / source, frames=8, size=(64, 48), seed=seed)
            rows.append((theme, prompt, source))
            metadata = {"edit_type": theme, "chosen_keyword": keyword, "original_scene": "A room."}
            lines.append(json.dumps({"id": sample_id, "prompt": prompt, "metadata": metadata}))
        write_table(root / f"{theme}_bench.csv", rows)
        (root / f"{theme}_metadata.jsonl").write_text("\n".join(lines) + "\n")
    return root


def instructed(body: Mapping[str, Any], samples: Sequence[Sample]) -> Sample:
    """The sample that a request is about, by the instruction in its prompt."""
    text = body["messages"][0]["content"][0]["text"]
    return next(sample for sample in samples if f"<instruction>\n{sample.instruction}\n" in text)


def replying(samples: Sequence[Sample], reply: Callable[[Sample], str]) -> FakeJudge:
    def answer(body: dict[str, Any]) -> Answer:
        text = reply(instructed(body, samples))
        return Answer(text=text, usage=(1000, len(text) // 4))

    return FakeJudge(answer=answer)


def have_judged(root: Path, name: str, videos: Path, reply: Callable[[Sample], str], **seat: Any) -> None:
    """Take videos in, measure them and have them judged, as `sparkle-bench judge` does."""
    bench = benchmark.load(root / "bench")
    options = {"path": str(videos)}
    store = Store(root=root)
    run.start(store, name, bench, run.Made(editor=Folder(path=videos), name="folder", options=options), now=NOW)
    work = run.Work(store=store, model=name, samples=bench.samples, workers=2)
    run.edit(work, Folder(path=videos))
    run.measure(work)
    with ExitStack() as stack:
        fake = stack.enter_context(serving(replying(bench.samples, reply)))
        judge = Road(root).connected(stack, fake)
        run.judge(work, run.Bench(judge=judge, prompt=PROMPT, **seat), now=NOW)
    leaderboard.rebuild(store)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the honest result `mine`; read-only."""
    root = tmp_path_factory.mktemp("honest")
    samples = benchmark.load(write_rich_benchmark(root / "bench")).samples
    have_judged(root, "mine", write_edits(root / "videos", samples, frames=8), honest_reply)
    return root


@pytest.fixture
def root(honest: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    shutil.copytree(honest / "results" / "mine", tmp_path / "results" / "mine")
    return tmp_path


@dataclasses.dataclass(frozen=True)
class Handed:
    """The result as it was handed in, for tampering."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "results" / "mine"

    @property
    def judged(self) -> Path:
        return next((self.folder / "judged").iterdir())

    @property
    def judgments(self) -> Path:
        return self.judged / "judgments.jsonl"

    def lines(self, path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    def write(self, path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def change(self, path: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Change the list of lines in place."""
        lines = self.lines(path)
        change(lines)
        self.write(path, lines)

    def change_json(self, path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data, indent=2) + "\n")

    def videos(self) -> list[Path]:
        return sorted((self.folder / "videos").rglob("*.mp4"))

    def settle(self) -> None:
        """Make tables and sums fit what was tampered with, as somebody careful would."""
        store = Store(root=self.root)
        for key in store.judge_keys("mine"):
            judge = store.read_judge("mine", key) or {}
            store.write_judge("mine", key, {**judge, "usage": run.usage(store.all_judgments("mine", key))})
        leaderboard.rebuild(store)

    def rekey(self) -> None:
        """Make the judge key fit what `judge.json` says."""
        folder = self.judged

        def change(judge: dict[str, Any]) -> None:
            prompt = Prompt(text=judge["prompt"], rubric=rubric_from_data(judge["rubric"]), past=True)
            judge["identity"] |= {"prompt": prompt.digest, "rubric": prompt.rubric.version}
            judge["key"] = judge_key(judge["identity"])

        self.change_json(folder / "judge.json", change)
        folder.rename(folder.with_name(json.loads((folder / "judge.json").read_text())["key"]))


def verified(
    root: Path, *, bench: Benchmark | None = None, prompts: Path | None = None, model: str = "mine"
) -> Verified:
    return verify(Store(root=root), model, benchmark=bench, prompts=prompts, hashes=Hashes())


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- an honest result --------------------------------------------------------------------------------------------------


def test_an_honest_result_is_clean_and_stays_as_it_is(honest: Path) -> None:
    before = files(honest)
    found = verified(honest, bench=benchmark.load(honest / "bench"))
    assert (found.differences, found.signs, found.incomplete, found.notes) == ((), (), (), ())
    assert found.ok
    counts = {"samples": 16, "edits": 16, "videos_here": 16, "verdicts": 16, "replies_read_again": 16, "signals": 16}
    assert counts.items() <= found.counts.items()
    assert files(honest) == before, "verifying writes nothing"


def test_an_honest_result_without_its_videos_is_clean_and_says_so(root: Path) -> None:
    shutil.rmtree(root / "results/mine/videos")
    found = verified(root)
    assert (found.differences, found.signs, found.incomplete) == ((), (), ())
    assert (found.counts["videos_here"], found.counts["videos_not_here"]) == (0, 16)
    assert any("16 videos are not here" in note for note in found.notes)


def test_another_version_of_the_line_ends_is_no_difference(root: Path) -> None:
    for path in (*root.rglob("*.json"), *root.rglob("*.jsonl"), *root.rglob("*.csv")):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert verified(root).differences == ()


def test_the_demo_is_clean(demo_run: DemoRun) -> None:
    for model in Store(root=demo_run.root).models():
        found = verified(demo_run.root, model=model)
        assert (found.differences, found.signs, found.incomplete) == ((), (), ()), model
        assert found.counts["replies_read_again"] == 12


def test_a_result_of_the_command_line_is_clean(honest: Path, tmp_path: Path) -> None:
    samples = benchmark.load(honest / "bench").samples
    with serving(replying(samples, honest_reply)) as fake:
        words: list[str | Path] = ["--bench", honest / "bench", "--repeats", "2", "--judge-url", fake.url]
        done = cli.run("judge", honest / "videos", "--name", "mine", *words, "--price", "1,10", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        again = cli.run("judge", honest / "videos", "--name", "other", *words, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    for name in ("mine", "other"):
        found = verified(tmp_path, model=name)
        assert (found.differences, found.incomplete) == ((), ())
        assert {sign.name for sign in found.signs} == {"same_videos_as"}, "both are of the same folder"
        assert found.counts["verdicts"] == 32


def test_what_went_wrong_honestly_is_no_difference(honest: Path, tmp_path: Path) -> None:
    """Unreadable replies, a cut-off one, a missing video and a better video handed in later."""
    shutil.copytree(honest / "bench", tmp_path / "bench")
    videos = shutil.copytree(honest / "videos", tmp_path / "videos")
    samples = benchmark.load(tmp_path / "bench").samples
    (videos / samples[3].edit_path).unlink()
    tries: dict[str, int] = {}

    def reply(sample: Sample) -> str:
        tries[sample.id] = tries.get(sample.id, 0) + 1
        return "I would rather not." if sample is samples[0] and tries[sample.id] < 3 else honest_reply(sample)

    have_judged(tmp_path, "mine", videos, lambda sample: reply(samples[[s.id for s in samples].index(sample.id)]))
    write_clip(videos / samples[1].edit_path, frames=8, seed=77)
    have_judged(
        tmp_path, "mine", videos, lambda sample: "never" if sample.id == samples[1].id else honest_reply(sample)
    )
    found = verified(tmp_path)
    assert (found.differences, found.signs) == ((), ())
    assert (found.counts["failed_edits"], found.counts["verdicts_on_earlier_files"]) == (1, 1)
    assert any("1 without a verdict: the row stands unranked" in text for text in found.incomplete)
    assert next(row for board in leaderboard.rebuild(Store(root=tmp_path)) for row in board.rows).rank is None


def test_a_result_that_was_exported_and_imported_is_clean(honest: Path, tmp_path: Path) -> None:
    exchange.export(Store(root=honest), "mine", tmp_path / "scores")
    done = cli.run("import", tmp_path / "scores", "--name", "mine", "--bench", honest / "bench", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = verified(tmp_path)
    assert (found.differences, found.signs, found.incomplete) == ((), (), ())
    assert any("never came with this result" in note for note in found.notes)


def test_the_authors_own_scores_have_no_more_evidence_than_their_replies(honest: Path, tmp_path: Path) -> None:
    exchange.export(Store(root=honest), "mine", tmp_path / "scores")
    (tmp_path / "scores/sparkle_bench.json").unlink()
    first = next((tmp_path / "scores").glob("time_*"))
    lines = [json.loads(line) for line in first.read_text().splitlines()]
    first.write_text("".join(json.dumps({**line, "result": ""}) + "\n" for line in lines))
    done = cli.run("import", tmp_path / "scores", "--name", "mine", "--bench", honest / "bench", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = verified(tmp_path)
    assert (found.differences, found.incomplete) == ((), ())
    assert any("4 verdicts have" in note and "the authors' files" in note for note in found.notes)


# -- tampering ---------------------------------------------------------------------------------------------------------

Tamper = Callable[[Handed], Any]


def best(line: dict[str, Any]) -> None:
    """Give one verdict the highest marks."""
    line["scores"] = dict.fromkeys(KEYS, 5)


def edited_marks(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: best(lines[2]))


def edited_marks_of_all(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: list(map(best, lines)))
    handed.settle()


def edited_reply(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines[2].update(reply=verdict(1, 1, 1, 1, 1, 1)))


def marks_without_reply(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines[2].pop("reply"))
    handed.settle()


def unreadable_reply(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines[2].update(reply="A splendid edit."))
    handed.settle()


def mark_off_the_scale(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines[2]["scores"].update(visual=9))


def error_that_reads_well(handed: Handed) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        lines[2].pop("scores")
        lines[2] |= {"error": "no mark for Overall Visual Quality", "error_type": "VerdictError"}

    handed.change(handed.judgments, change)
    handed.settle()


def swapped_videos(handed: Handed) -> None:
    one, other = handed.videos()[:2]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def replaced_video(handed: Handed) -> None:
    write_clip(handed.videos()[0], frames=8, seed=991)


def replaced_video_and_its_record(handed: Handed) -> None:
    video = write_clip(handed.videos()[0], frames=8, seed=991)
    digest = hashlib.sha256(video.read_bytes()).hexdigest()

    def change(lines: list[dict[str, Any]]) -> None:
        line = next(line for line in lines if line["video"].endswith(video.name))
        line["sha256"] = digest
        line["probe"] |= {"width": 96, "height": 64}

    handed.change(handed.folder / "edits.jsonl", change)


def unreadable_video(handed: Handed) -> None:
    video = handed.videos()[0]
    video.write_bytes(b"no video at all")
    digest = hashlib.sha256(b"no video at all").hexdigest()
    name = video.relative_to(handed.folder).as_posix()
    handed.change(
        handed.folder / "edits.jsonl", lambda lines: [x.update(sha256=digest) for x in lines if x["video"] == name]
    )


def edited_facts(handed: Handed) -> None:
    handed.change(handed.folder / "edits.jsonl", lambda lines: lines[0]["probe"].update(frames=81))


def stray_video(handed: Handed) -> None:
    shutil.copy(handed.videos()[0], handed.folder / "videos" / "another.mp4")


def failed_edit_with_a_video(handed: Handed) -> None:
    handed.change(
        handed.folder / "edits.jsonl",
        lambda lines: lines.append({"sample_id": lines[0]["sample_id"], "error": "no", "error_type": "EditorError"}),
    )


def path_traversal(handed: Handed) -> None:
    handed.change(handed.folder / "edits.jsonl", lambda lines: lines[0].update(video="../../../../etc/passwd"))


def labels_that_lead_out(handed: Handed) -> None:
    handed.change(handed.folder / "samples.jsonl", lambda lines: lines[0].update(theme="../../../.."))


def deleted_edit(handed: Handed) -> None:
    handed.change(handed.folder / "edits.jsonl", lambda lines: lines.pop(3))


def deleted_edit_and_all_else(handed: Handed) -> None:
    gone = handed.lines(handed.folder / "edits.jsonl")[3]
    for path in (handed.folder / "edits.jsonl", handed.folder / "signals.jsonl", handed.judgments):
        handed.write(path, [line for line in handed.lines(path) if line["sample_id"] != gone["sample_id"]])
    (handed.folder / gone["video"]).unlink()
    handed.settle()


def deleted_verdict(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines.pop(3))


def deleted_verdict_settled(handed: Handed) -> None:
    deleted_verdict(handed)
    handed.settle()


def deleted_sample(handed: Handed) -> None:
    handed.change(handed.folder / "samples.jsonl", lambda lines: lines.pop(3))


def deleted_sample_settled(handed: Handed) -> None:
    deleted_sample(handed)
    samples = [sample_from_json(line) for line in handed.lines(handed.folder / "samples.jsonl")]
    digest = benchmark.digest(samples)
    handed.change_json(handed.folder / "run.json", lambda r: r["benchmark"].update(digest=digest, samples=len(samples)))
    handed.settle()


def deleted_sample_everywhere(handed: Handed) -> None:
    gone = handed.lines(handed.folder / "samples.jsonl")[3]["id"]
    deleted_sample_settled(handed)
    for path in (handed.folder / "edits.jsonl", handed.folder / "signals.jsonl", handed.judgments):
        handed.write(path, [line for line in handed.lines(path) if line["sample_id"] != gone])
    next(video for video in handed.videos() if gone in video.name).unlink()
    handed.settle()


def said_to_be_whole(handed: Handed) -> None:
    handed.change_json(handed.folder / "run.json", lambda r: r["benchmark"].update(partial=False))


def edited_instruction(handed: Handed) -> None:
    handed.change(handed.folder / "samples.jsonl", lambda lines: lines[0].update(instruction="Do as you like."))


def second_verdict(handed: Handed) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        reply = re.sub(r": \d", ": 5", lines[2]["reply"])
        lines.append({**lines[2], "reply": reply, "scores": dict.fromkeys(KEYS, 5)})

    handed.change(handed.judgments, change)
    handed.settle()


def verdict_on_an_unknown_file(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines.append({**lines[2], "edit_sha256": "ab" * 32}))
    handed.settle()


def verdict_on_an_unknown_sample(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines.append({**lines[2], "sample_id": "Sparkle_time_999999"}))
    handed.settle()


def more_repeats_than_said(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines.append({**lines[2], "repeat": 1}))
    handed.settle()


def taken_from_itself(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines[2].update(reused="mine"))


def changed_rubric(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["rubric"].update(cap=None))
    handed.settle()


def changed_prompt(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge.update(prompt=judge["prompt"] + "\nBe kind."))


def changed_rubric_version(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["rubric"].update(version="0"))


def another_judge_named(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["identity"].update(model="a-better-judge"))


def another_folder(handed: Handed) -> None:
    handed.judged.rename(handed.judged.with_name("gemini-2.5-pro-12345678"))


def no_reader(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["identity"].update(reader="kindly"))


def edited_scores_csv(handed: Handed) -> None:
    path = handed.judged / "scores.csv"
    rows = list(csv.reader(io.StringIO(path.read_text())))
    rows[2][-1] = "5.0" if rows[2][-1] != "5.0" else "4.0"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def shortened_scores_csv(handed: Handed) -> None:
    path = handed.judged / "scores.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def invented_flag(handed: Handed) -> None:
    with (handed.judged / "flags.csv").open("a") as file:
        file.write("Sparkle_time_000001,0,new_text,as I say\n")


def edited_usage(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["usage"].update(attempts=3))


def signals_of_another_file(handed: Handed) -> None:
    handed.change(handed.folder / "signals.jsonl", lambda lines: lines[0].update(edit_sha256="cd" * 32))


def removed_signals(handed: Handed) -> None:
    (handed.folder / "signals.jsonl").unlink()


def cut_off(handed: Handed) -> None:
    handed.judgments.write_bytes(handed.judgments.read_bytes()[:-20])


def garbage_line(handed: Handed) -> None:
    handed.judgments.write_bytes(handed.judgments.read_bytes() + b"{not json\n")


def nested_line(handed: Handed) -> None:
    handed.judgments.write_bytes(handed.judgments.read_bytes() + b'{"a":' * 50_000 + b"\n")


def field_of_another_kind(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: lines[2].update(edit_sha256=["not", "text"]))


def field_twice(handed: Handed) -> None:
    text = handed.judgments.read_text()
    handed.judgments.write_text(text.replace('"repeat": 0', '"repeat": 0, "repeat": 0', 1))


def number_beyond_reason(handed: Handed) -> None:
    handed.judgments.write_text(
        re.sub(r'"completion_tokens": \d+', '"completion_tokens": 1e999', handed.judgments.read_text(), count=1)
    )


def garbage_judge(handed: Handed) -> None:
    (handed.judged / "judge.json").write_bytes(b"\xff\xfe{")


def judge_without_rubric(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["rubric"].pop("scale"))


def endless_repeats(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge.update(repeats=10**9))


def garbage_run(handed: Handed) -> None:
    (handed.folder / "run.json").write_text("[]")


def no_run(handed: Handed) -> None:
    (handed.folder / "run.json").unlink()


def run_without_benchmark(handed: Handed) -> None:
    handed.change_json(handed.folder / "run.json", lambda data: data.update(benchmark="sparkle"))


def no_samples(handed: Handed) -> None:
    (handed.folder / "samples.jsonl").write_text("")


def sample_twice(handed: Handed) -> None:
    handed.change(handed.folder / "samples.jsonl", lambda lines: lines.append(lines[0]))


def linked_record(handed: Handed) -> None:
    handed.judgments.unlink()
    handed.judgments.symlink_to("/dev/zero")


def piped_record(handed: Handed) -> None:
    (handed.folder / "edits.jsonl").unlink()
    os.mkfifo(handed.folder / "edits.jsonl")


def stray_link(handed: Handed) -> None:
    (handed.folder / "elsewhere").symlink_to("/etc")


def no_hash(handed: Handed) -> None:
    handed.change(handed.folder / "edits.jsonl", lambda lines: lines[0].update(sha256="none"))


def no_prompt(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge.update(prompt=None))


def no_editor(handed: Handed) -> None:
    handed.change_json(handed.folder / "run.json", lambda data: data.pop("editor"))


def usage_of_another_kind(handed: Handed) -> None:
    handed.change_json(handed.judged / "judge.json", lambda judge: judge.update(usage=[]))


def sample_of_another_benchmark(handed: Handed) -> None:
    handed.change(handed.folder / "samples.jsonl", lambda lines: lines[0].update(benchmark="openve"))


TAMPERING: Mapping[Tamper, str] = {
    edited_marks: "judgments.jsonl:3 Sparkle_.*: stored marks are not those of the reply: instruction 5, its reply",
    edited_marks_of_all: "stored marks are not those of the reply",
    edited_reply: "stored marks are not those of the reply: .*, its reply 1",
    marks_without_reply: "has marks without a reply: there is no evidence for them",
    unreadable_reply: "has marks, but its reply cannot be read: no mark for Instruction Compliance",
    mark_off_the_scale: "its marks do not fit the rubric: Overall Visual Quality: 9 is outside 1 to 5",
    error_that_reads_well: "is recorded as an error .*, but its reply reads well",
    swapped_videos: "the video is another: its hash is",
    replaced_video: "the video is another: its hash is",
    replaced_video_and_its_record: "is about a file that edits.jsonl never had",
    unreadable_video: "the video cannot be read: .* is not a readable video",
    edited_facts: "the video holds 8 frames of 96x64 at 15 a second, recorded are 81 frames",
    stray_video: "no record speaks of 1 videos: videos/another.mp4",
    failed_edit_with_a_video: "the record says that the edit failed .no., yet a video lies in its place",
    path_traversal: "names the video '../../../../etc/passwd', which is not the sample's place",
    labels_that_lead_out: "its labels lead out of its folder",
    deleted_edit: "is about a file that edits.jsonl never had",
    deleted_verdict: "usage says judgments 16, its judgments 15",
    deleted_sample: "the benchmark's digest is",
    deleted_sample_settled: "is no sample of this result's benchmark",
    said_to_be_whole: "says partial: false, but there are 16 samples, .* published 458 samples",
    edited_instruction: "the benchmark's digest is",
    second_verdict: "was judged again although line 3 has marks",
    verdict_on_an_unknown_file: "is about a file that edits.jsonl never had: abababababab…",
    verdict_on_an_unknown_sample: "is about no sample of this result's benchmark",
    more_repeats_than_said: "is repeat 1, but judge.json speaks of 1",
    taken_from_itself: "says that it was taken from this very result",
    changed_rubric: "its prompt or rubric is not that of its identity",
    changed_prompt: "its prompt or rubric is not that of its identity",
    changed_rubric_version: "its rubric is version '0', that of its identity",
    another_judge_named: "its identity makes the key a-better-judge-.*it is not the judge that it says it is",
    another_folder: "names the key 'tiny-judge-.*', its folder 'gemini-2.5-pro-12345678'",
    no_reader: "names no known reader of replies: 'kindly'",
    edited_scores_csv: "scores.csv: Sparkle_.* 0: bg_visual is [45].0, rebuilt ",
    shortened_scores_csv: "scores.csv: lacks the row of Sparkle_.* 0",
    invented_flag: "flags.csv: has a row of Sparkle_time_000001 0 new_text, which the evidence does not give",
    edited_usage: "usage says attempts 3, its judgments 16",
    signals_of_another_file: "measures a file that edits.jsonl does not have",
    removed_signals: "flags.csv: speaks of signals, but there are none",
    cut_off: "judgments.jsonl:16: the last line is cut off and does not count",
    garbage_line: "judgments.jsonl:17: is damaged",
    nested_line: "judgments.jsonl:17: is damaged",
    field_of_another_kind: "judgments.jsonl:3: is damaged .its field 'edit_sha256' is of the wrong kind",
    field_twice: "judgments.jsonl:1: is damaged .a field stands twice",
    number_beyond_reason: "judgments.jsonl:1: is damaged .its field 'completion_tokens' is of the wrong kind",
    garbage_judge: "judge.json: is damaged",
    judge_without_rubric: "judge.json: its rubric cannot be used",
    endless_repeats: "asks for 1000000000 repeats",
    garbage_run: "run.json: holds no JSON object",
    no_run: "run.json: is missing",
    run_without_benchmark: "run.json: says of its benchmark not all of name, digest",
    no_samples: "samples.jsonl: holds no sample",
    sample_twice: "samples.jsonl:17 Sparkle_location_000001: stands a second time",
    linked_record: "judgments.jsonl: is a link or no plain file",
    stray_link: "links: 1 links or special files stand in the result: elsewhere",
    no_hash: "edits.jsonl:1 Sparkle_.*: has no usable hash: 'none'",
    no_prompt: "judge.json: holds no prompt",
    no_editor: "run.json: has no usable field 'editor'",
    usage_of_another_kind: "judge.json: its usage is no object",
    sample_of_another_benchmark: "samples.jsonl: 1 are not of the benchmark 'sparkle': Sparkle_location_000001",
    piped_record: "edits.jsonl: is a link or no plain file",
}
"""Every way of tampering that leaves a difference, and what is said of it."""


@pytest.mark.parametrize(("tamper", "said"), TAMPERING.items(), ids=[tamper.__name__ for tamper in TAMPERING])
def test_tampering_is_named(root: Path, tamper: Tamper, said: str) -> None:
    tamper(Handed(root))
    before = files(root)
    found = verified(root)
    texts = [f"{difference.where}: {difference.what}" for difference in found.differences]
    assert any(re.search(said, text) for text in texts), texts
    assert not found.ok
    assert json.loads(json.dumps(found.to_data()))["ok"] is False
    assert all(text.isprintable() for text in found.lines())
    assert files(root) == before, "verifying writes nothing, whatever it finds"


@pytest.mark.parametrize("tamper", [deleted_verdict_settled, deleted_edit_and_all_else, deleted_edit])
def test_what_is_taken_out_leaves_the_row_unranked(root: Path, tamper: Tamper) -> None:
    """Without a trace it looks like work that was not finished; such a row has bounds and no rank."""
    tamper(Handed(root))
    found = verified(root)
    assert any(re.search("of 16 samples 1 .*: the row stands unranked, with bounds", text) for text in found.incomplete)
    assert [row.rank for board in leaderboard.rebuild(Store(root=root)) for row in board.rows] == [None]


def test_a_verdict_that_was_taken_out_is_named(root: Path) -> None:
    handed = Handed(root)
    gone = handed.lines(handed.judgments)[3]["sample_id"]
    deleted_verdict_settled(handed)
    assert any("never asked, or taken out: " + gone in text for text in verified(root).incomplete)


def test_the_keepers_benchmark_tells_what_the_hash_cannot(honest: Path, root: Path) -> None:
    """A sample that is gone without a trace, with a hash that fits, is seen by who has the benchmark."""
    handed = Handed(root)
    gone = handed.lines(handed.folder / "samples.jsonl")[3]["id"]
    deleted_sample_everywhere(handed)
    assert verified(root).differences == ()
    found = verified(root, bench=benchmark.load(honest / "bench"))
    assert [d.what for d in found.differences] == [f"1 samples of the benchmark are missing: {gone}"]


def test_another_benchmark_is_told_from_the_keepers(honest: Path, root: Path) -> None:
    bench = benchmark.load(honest / "bench")
    first, second, *rest = bench.samples
    strange = dataclasses.replace(first, id="Sparkle_location_999999")
    changed = dataclasses.replace(second, instruction="Something easier.")
    other = dataclasses.replace(bench, samples=(strange, changed, *rest))
    texts = [difference.what for difference in verified(root, bench=other).differences]
    assert texts == [
        "1 samples of the benchmark are missing: Sparkle_location_999999",
        f"1 samples are not the benchmark's: {first.id}",
        f"1 samples are changed: {second.id} (instruction)",
    ]


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (changed_rubric, "its rubric is not the one that ships"),
        (changed_prompt, "its prompt is not the one that ships"),
    ],
    ids=["rubric", "prompt"],
)
def test_another_question_with_a_key_that_fits_is_another_board(root: Path, tamper: Tamper, said: str) -> None:
    handed = Handed(root)
    key = handed.judged.name
    tamper(handed)
    handed.rekey()
    handed.settle()
    found = verified(root)
    assert found.differences == ()
    assert any(said in note for note in found.notes)
    assert handed.judged.name != key


def test_another_version_of_the_reader_is_said(root: Path) -> None:
    handed = Handed(root)
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["identity"].update(reader="forgiving 999"))
    handed.rekey()
    handed.settle()
    found = verified(root)
    assert found.differences == ()
    assert any("replies were read with version 999 of the reader" in note for note in found.notes)


def test_strict_replies_are_read_strictly(honest: Path, tmp_path: Path) -> None:
    shutil.copytree(honest / "bench", tmp_path / "bench")
    reply = lambda sample: honest_reply(sample).replace(": 4", ": 4.9")  # noqa: E731
    have_judged(tmp_path, "mine", honest / "videos", reply, strict=True)
    assert verified(tmp_path).differences == ()
    handed = Handed(tmp_path)
    handed.change_json(handed.judged / "judge.json", lambda judge: judge["identity"].update(reader="forgiving 1"))
    handed.rekey()
    assert any("its reply cannot be read" in d.what for d in verified(tmp_path).differences)


def test_verdicts_taken_from_another_result_are_compared_with_it(honest: Path, root: Path) -> None:
    shutil.copytree(root / "results/mine", root / "results/payer")
    handed = Handed(root)
    handed.change(handed.judgments, lambda lines: [line.update(reused="payer", attempts=0) for line in lines])
    handed.settle()
    assert verified(root).differences == ()
    payer = root / "results/payer/judged" / handed.judged.name / "judgments.jsonl"
    lines = handed.lines(payer)
    lines[2] |= {"reply": verdict(1, 1, 1, 1, 1, 1), "scores": dict.fromkeys(KEYS, 1)}
    handed.write(payer, lines[:-1])
    texts = sorted(difference.what for difference in verified(root).differences)
    assert texts == ["was taken from payer, which has no such verdict", "was taken from payer, which says otherwise"]
    shutil.rmtree(root / "results/payer")
    found = verified(root)
    assert found.differences == ()
    assert any("16 verdicts were taken from results that are not here" in note for note in found.notes)


def test_the_embedded_judges_marks_are_made_again_from_the_signals(demo_run: DemoRun, tmp_path: Path) -> None:
    shutil.copytree(demo_run.root / "results/retimed", tmp_path / "results/mine")
    handed = Handed(tmp_path)
    run = tmp_path / "results/mine/run.json"
    run.write_text(run.read_text(encoding="utf-8").replace('"model": "retimed"', '"model": "mine"'), encoding="utf-8")

    def change(lines: list[dict[str, Any]]) -> None:
        lines[2] |= {"reply": re.sub(r": \d", ": 5", lines[2]["reply"]), "scores": dict.fromkeys(KEYS, 5)}

    handed.change(handed.judgments, change)
    handed.settle()
    (difference,) = verified(tmp_path).differences
    assert "the rules make of the stored signals" in difference.what
    handed.change(handed.folder / "signals.jsonl", lambda lines: lines.pop(0))
    assert any("signals.jsonl has none of this file" in d.what for d in verified(tmp_path).differences)


def test_what_nothing_on_disk_speaks_against_passes(root: Path) -> None:
    """Reply and marks changed together, for few samples: marking again is for that, and the module says so."""
    handed = Handed(root)

    def change(lines: list[dict[str, Any]]) -> None:
        lines[2] |= {"reply": re.sub(r": \d", ": 5", lines[2]["reply"]), "scores": dict.fromkeys(KEYS, 5)}

    handed.change(handed.judgments, change)
    handed.settle()
    found = verified(root)
    assert (found.differences, found.signs) == ((), ())


def test_everything_is_named_and_the_gravest_first(root: Path) -> None:
    for tamper in (edited_usage, edited_marks, garbage_line, replaced_video, edited_instruction, edited_scores_csv):
        tamper(Handed(root))
    found = verified(root)
    gravities = [difference.gravity for difference in found.differences]
    assert gravities == sorted(gravities, reverse=True)
    assert {3, 2, 1} <= set(gravities)
    assert len(found.differences) >= 4


def test_what_is_said_is_bounded(root: Path) -> None:
    handed = Handed(root)
    handed.judgments.write_bytes(handed.judgments.read_bytes() + b"rubbish\n" * 100_000)
    found = verified(root)
    assert (len(found.differences), found.unlisted) == (201, 0)
    lines = found.lines(most=3)
    assert lines[3] == "difference: and 198 more"
    assert len(lines) < 12


def test_signs_that_a_terminal_obeys_are_not_passed_on(root: Path) -> None:
    handed = Handed(root)
    handed.change(handed.judgments, lambda lines: lines[0].update(sample_id="\x1b[2J\u202eevil"))
    text = "\n".join(verified(root).lines())
    assert "evil" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_link_among_the_videos_is_not_followed(root: Path) -> None:
    handed = Handed(root)
    video = handed.videos()[0]
    video.unlink()
    video.symlink_to("/dev/zero")
    found = verified(root)
    assert found.counts["videos_not_here"] == 1
    assert any("links or special files under videos/ are not followed" in note for note in found.notes)


def test_a_result_that_is_not_there_is_an_error(root: Path) -> None:
    with pytest.raises(StoreError, match=r"no result named other .*; known: mine"):
        verified(root, model="other")
    with pytest.raises(StoreError, match="mine has no verdicts of nobody; known: tiny-judge"):
        verify(Store(root=root), "mine", judge_keys=["nobody"], hashes=Hashes())


def test_an_unjudged_result_says_so(root: Path) -> None:
    shutil.rmtree(root / "results/mine/judged")
    found = verified(root)
    assert (found.differences, found.incomplete) == ((), ("nobody has judged this result",))


# -- signs -------------------------------------------------------------------------------------------------------------

Say = Callable[[Sample, dict[str, Any]], str]


def rewrite(handed: Handed, say: Say) -> None:
    """Write every reply anew, with marks, tokens, sums and tables that fit."""
    samples = {line["id"]: sample_from_json(line) for line in handed.lines(handed.folder / "samples.jsonl")}

    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line["reply"] = say(samples[line["sample_id"]], line)
            marks = re.findall(r": (\d)$", line["reply"], re.MULTILINE)
            line |= {"scores": dict(zip(KEYS, map(int, marks), strict=True))}
            line["completion_tokens"] = len(line["reply"]) // 4

    handed.change(handed.judgments, change)
    handed.settle()


def marks_of(line: Mapping[str, Any]) -> list[int]:
    return [line["scores"][key] for key in KEYS]


def with_text(text: str, marks: Sequence[int]) -> str:
    return verdict(*marks).replace("a made-up verdict.", text)


def invented_alike(sample: Sample, line: dict[str, Any]) -> str:
    return with_text("A splendid edit of the highest quality, true to the request in every way.", (5,) * 6)


def invented_generic(sample: Sample, line: dict[str, Any]) -> str:
    draw = random.Random(sample.id)
    words = [
        "edges",
        "light",
        "natural look",
        "fine motion",
        "clean matting",
        "sharp detail",
        "good depth",
        "rich colour",
    ]
    praise = ", ".join(f"the {word}" for word in draw.sample(words, 5))
    return with_text(f"I like {praise} and that it is done as asked.", [draw.choice((4, 5)) for _ in KEYS])


def invented_floor(sample: Sample, line: dict[str, Any]) -> str:
    return with_text(f"{sample.scene} is nowhere to be seen, {random.Random(sample.id).random()}", (1,) * 6)


def one_set_of_marks(sample: Sample, line: dict[str, Any]) -> str:
    return with_text(f"It shows {sample.scene} well.", (5, 4, 5, 4, 4, 4))


def replies_of_other_samples(handed: Handed) -> None:
    replies = [line["reply"] for line in handed.lines(handed.judgments)]
    samples = [line["sample_id"] for line in handed.lines(handed.judgments)]
    order = sorted(range(16), key=lambda n: samples[n])
    following = {samples[n]: replies[order[(place + 5) % 16]] for place, n in enumerate(order)}
    rewrite(handed, lambda sample, line: following[sample.id])


def longer_replies(handed: Handed) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines[:3]:
            line["reply"] = line["reply"].replace(
                "Brief reasoning:", "Brief reasoning: superb and convincing," + " very" * 60
            )

    handed.change(handed.judgments, change)
    handed.settle()


def never_asked(handed: Handed) -> None:
    handed.change(handed.judgments, lambda lines: [line.update(attempts=0) for line in lines[:2]])
    handed.settle()


def text_on_screen(handed: Handed) -> None:
    shown = {line["sample_id"] for line in handed.lines(handed.judgments)[:4]}

    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["sample_id"] in shown:
                line["signals"]["text"] |= {"new_lines": 2, "new_share": 0.1}

    handed.change(handed.folder / "signals.jsonl", change)
    rewrite(
        handed,
        lambda sample, line: with_text(
            f"It shows {sample.scene} well, {line['edit_sha256']}.", (5,) * 6 if sample.id in shown else marks_of(line)
        ),
    )


GAMING: Mapping[str, tuple[Callable[[Handed], Any], set[str]]] = {
    "one reply for all": (
        lambda h: rewrite(h, invented_alike),
        {"ceiling", "identical_rationales", "unmentioned_instruction"},
    ),
    "generic praise": (lambda h: rewrite(h, invented_generic), {"unmentioned_instruction"}),
    "floor": (lambda h: rewrite(h, invented_floor), {"floor"}),
    "one set of marks": (lambda h: rewrite(h, one_set_of_marks), {"one_vector"}),
    "replies of other samples": (replies_of_other_samples, {"unmentioned_instruction"}),
    "longer replies": (longer_replies, {"reply_length"}),
    "never asked": (never_asked, {"attempts"}),
    "text on screen": (text_on_screen, {"text_in_video"}),
}


@pytest.mark.parametrize(("gaming", "names"), GAMING.values(), ids=GAMING)
def test_gaming_leaves_signs_but_no_difference(root: Path, gaming: Callable[[Handed], Any], names: set[str]) -> None:
    gaming(Handed(root))
    found = verified(root)
    assert found.differences == ()
    assert {sign.name for sign in found.signs} == names
    assert found.ok, "a sign is never a verdict"
    assert any(line.startswith("sign: ") for line in found.lines())
    assert all(0 < sign.count <= sign.of and sign.samples for sign in found.signs)


def test_videos_show_signs_too(honest: Path, tmp_path: Path) -> None:
    """One video for two samples; the source itself, marked high, which the signals flag besides."""
    shutil.copytree(honest / "bench", tmp_path / "bench")
    videos = shutil.copytree(honest / "videos", tmp_path / "videos")
    samples = benchmark.load(tmp_path / "bench").samples
    shutil.copy(videos / samples[0].edit_path, videos / samples[1].edit_path)
    shutil.copy(samples[2].source_path, videos / samples[2].edit_path)
    high = lambda s: honest_reply(s) if s.id != samples[2].id else with_text("Fine.", (5, 4, 4, 5, 4, 4))  # noqa: E731
    have_judged(tmp_path, "mine", videos, high)
    found = verified(tmp_path)
    assert found.differences == ()
    signs = {sign.name: sign for sign in found.signs}
    assert signs.keys() == {"same_video", "source_marked_high"}
    assert signs["same_video"].samples == tuple(sorted((samples[0].id, samples[1].id)))
    assert signs["source_marked_high"].samples == (samples[2].id,)
    (Handed(tmp_path).judged / "flags.csv").write_text("sample_id,repeat,name,why\n")
    (difference,) = verified(tmp_path).differences
    assert re.search(r"lacks the row of Sparkle_location_00000\d 0 ", difference.what)


def test_prompts_and_rules_that_come_with_a_result_are_not_believed(root: Path, tmp_path: Path) -> None:
    """Whoever hands a result in may hand in a question of his own, and rules by which nothing is odd."""
    handed = Handed(root)
    changed_prompt(handed)
    own = json.loads((handed.judged / "judge.json").read_text())["prompt"]
    for keeper in (root, tmp_path / "keeper"):
        shutil.copytree(prompts.folder("sparkle", tmp_path), keeper / "prompts" / "sparkle")
    (root / "prompts" / "sparkle" / prompts.TEMPLATE).write_text(own)
    (root / "prompts" / "sparkle" / "signals.toml").write_text("rubbish")
    shipped = [
        note for note in verified(root).notes if "its prompt is not the one that ships with this version" in note
    ]
    kept = [note for note in verified(root, prompts=tmp_path / "keeper").notes if "its prompt is not that of " in note]
    assert (len(shipped), len(kept)) == (1, 1)
    assert not any("flags are not made again" in note for note in verified(root).notes)
    trusting = verified(root, prompts=root).notes
    assert not any("its prompt is not" in note for note in trusting)
    assert any("flags are not made again" in note for note in trusting)


def test_the_control_is_no_sign(honest: Path, tmp_path: Path) -> None:
    """An honest judge says the same of every unchanged source."""
    shutil.copytree(honest / "bench", tmp_path / "bench")
    for sample in benchmark.load(tmp_path / "bench").samples:
        (tmp_path / "videos" / sample.edit_path).parent.mkdir(parents=True)
        shutil.copy(sample.source_path, tmp_path / "videos" / sample.edit_path)
    unchanged = with_text("The edited clip is the source again and no background was replaced.", (1, 5, 5, 5, 1, 1))
    have_judged(tmp_path, "mine", tmp_path / "videos", lambda sample: unchanged)
    found = verified(tmp_path)
    assert (found.differences, found.signs) == ((), ())
    removed_signals(Handed(tmp_path))  # then its bytes alone tell that it is the source
    (Handed(tmp_path).judged / "flags.csv").unlink()
    found = verified(tmp_path)
    assert (found.differences, found.signs) == ((), ())


HONEST: Mapping[str, Say] = {
    "marks alone": lambda sample, line: verdict(*marks_of(line)).split("\n", 1)[1],
    "another language": lambda sample, line: with_text(
        "，".join(
            random.Random(sample.id).sample(["背景已替换", "主体保持不变", "边缘略有闪烁", "光线自然", "动作连贯"], 4)
        ),
        marks_of(line),
    ),
    "few words": lambda sample, line: with_text("Mostly good.", marks_of(line)),
    "a rationale for each dimension": lambda sample, line: "\n".join(
        f"{PROMPT.rubric.label(key)}: {mark} - for {sample.scene} this is fair, {mark} as {sample.subtheme} asks"
        for key, mark in zip(KEYS, marks_of(line), strict=True)
    ),
}


@pytest.mark.parametrize("say", HONEST.values(), ids=HONEST)
def test_other_honest_judges_leave_no_sign(root: Path, say: Say) -> None:
    handed = Handed(root)
    samples = {line["id"]: sample_from_json(line) for line in handed.lines(handed.folder / "samples.jsonl")}
    handed.change(
        handed.judgments,
        lambda lines: [
            line.update(reply=(reply := say(samples[line["sample_id"]], line)), completion_tokens=len(reply) // 4)
            for line in lines
        ],
    )
    handed.settle()
    found = verified(root)
    assert (found.differences, found.signs) == ((), ())


def mostly_one_set_of_marks(sample: Sample, line: dict[str, Any]) -> str:
    odd = sample.id.endswith(("time_000002", "season_000002"))
    return with_text(f"It shows {sample.scene} well.", marks_of(line) if odd else (5, 4, 5, 4, 4, 4))


def other_videos(handed: Handed, name: str) -> None:
    """Copy the result under another name, with other videos of which the same judge says the like."""
    folder = handed.root / "results" / name
    shutil.copytree(handed.folder, folder)

    def sha256(line: Mapping[str, Any]) -> str:
        return hashlib.sha256(f"{name} {line['sample_id']}".encode()).hexdigest()

    def mark(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line |= {"edit_sha256": sha256(line), "reply": line["reply"].replace(" well.", f" well, {name}.")}

    handed.change(folder / "edits.jsonl", lambda lines: [line.update(sha256=sha256(line)) for line in lines])
    handed.change(folder / handed.judgments.relative_to(handed.folder), mark)


def test_a_judges_habit_is_no_sign(root: Path) -> None:
    """A judge that gives nearly everybody the same is weak, not bribed; alone, or beside a copy, it looks the same."""
    handed = Handed(root)
    rewrite(handed, mostly_one_set_of_marks)
    for name in "abc":
        assert {sign.name for sign in verified(root).signs} == {"one_vector"}
        other_videos(handed, name)
    assert verified(root).signs == ()
    rewrite(handed, one_set_of_marks)
    (sign,) = verified(root).signs
    assert sign.what.endswith("; usual in 3 other results of this judge: 88%, but from 95% on nothing is told apart")


def test_rationales_of_another_result_are_a_sign(root: Path) -> None:
    shutil.copytree(root / "results/mine", root / "results/other")
    path = next((root / "results/other/judged").iterdir()) / "judgments.jsonl"
    handed = Handed(root)
    handed.change(path, lambda lines: [line.update(edit_sha256="ef" * 32) for line in lines])
    of_edits, sign = verified(root).signs
    assert (of_edits.name, of_edits.count) == ("same_videos_as", 16)
    assert (sign.name, sign.count) == ("copied_rationales", 16)
    assert "word for word in other" in sign.what
