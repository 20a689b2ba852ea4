"""`figure`: the comparison grid of one sample."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from matplotlib import image
from matplotlib.figure import Figure
from matplotlib.text import Text

from sparkle_bench import benchmark, plots, video
from sparkle_bench.cli.figure import figure
from sparkle_bench.errors import BenchmarkError, StoreError, VideoError
from sparkle_bench.plots import lettering
from sparkle_bench.plots.comparison import Wish, compare
from sparkle_bench.prompts import load_prompt
from sparkle_bench.records import Edit, Judgment, Sample
from sparkle_bench.rubric import Scores
from sparkle_bench.store import Store
from tests import cli
from tests.conftest import DemoRun
from tests.makers import counting_level, write_benchmark, write_clip, write_counting_clip

RUBRIC = load_prompt("sparkle", root=Path(__file__).parent.parent).rubric
ID = "Sparkle_location_000001"
FRAMES, FPS = 41, 16.0


class World:
    """A benchmark whose sources count their frames in grey, and a store beside it."""

    def __init__(self, root: Path) -> None:
        self.bench = write_benchmark(root / "bench", samples_per_theme=1, themes=("location", "time"))
        for path in self.bench.rglob("*.mp4"):
            write_counting_clip(path, frames=FRAMES, size=(128, 72), fps=FPS)
        self.samples = benchmark.load(self.bench).samples
        self.sample = next(sample for sample in self.samples if sample.id == ID)
        self.store = Store(root=root)

    def wish(self, *models: str, frames: int = 6, judge_key: str | None = None) -> Wish:
        return Wish(models=models, frames=frames, bench=self.bench, judge_key=judge_key)

    def result(self, model: str, samples: tuple[Sample, ...] | None = None) -> Path:
        """A result without edits; returns where the sample's edit belongs."""
        self.store.write_run(model, {"model": model, "benchmark": {}, "editor": {}}, samples or self.samples)
        return self.store.video_path(model, self.sample)

    def edited(self, model: str, **clip: Any) -> Path:
        """A result with an edit that counts its frames too."""
        path = write_counting_clip(self.result(model), **clip)
        self.record(model, path)
        return path

    def record(self, model: str, path: Path, **other: Any) -> None:
        edit = Edit(
            sample_id=ID,
            video=f"videos/{self.sample.edit_path}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            probe=video.probe(path),
        )
        self.store.append_edit(model, replace(edit, **other))

    def judged(self, model: str, key: str, *marks: list[int]) -> None:
        edit = self.store.edits(model).get(ID)
        self.store.write_judge(model, key, {"rubric": RUBRIC.to_data(), "repeats": len(marks)})
        for repeat, six in enumerate(marks):
            scores = Scores(marks=dict(zip(RUBRIC.keys, six, strict=True)))
            sha256 = (edit.sha256 if edit else None) or ""
            self.store.append_judgment(
                model, key, Judgment(sample_id=ID, edit_sha256=sha256, repeat=repeat, scores=scores)
            )

    def run(self, *words: str | Path) -> Result:
        done = CliRunner().invoke(
            figure, [*map(str, words), "--bench", str(self.bench), "--root", str(self.store.root)]
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def said(drawn: Figure) -> list[str]:
    return [text.get_text() for text in drawn.findobj(Text) if isinstance(text, Text) and text.get_text()]


def greys(pictures: Any) -> list[float]:
    return [float(np.asarray(picture).mean()) for picture in pictures]


# -- what is shown -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [{"frames": FRAMES}, {"frames": 33, "fps": 15.0}, {"frames": 21, "size": (64, 64)}])
def test_source_and_edit_are_shown_at_the_same_relative_instants(world: World, clip: dict[str, Any]) -> None:
    world.edited("a", **clip)
    found = compare(world.store, ID, world.wish("a"))
    assert found.times == pytest.approx([index / FPS for index in (0, 8, 16, 24, 32, 40)])
    for strip, frames in zip(found.strips, (FRAMES, clip["frames"]), strict=True):
        wanted = [counting_level(round(step * (frames - 1) / 5), frames) for step in range(6)]
        assert greys(strip.pictures) == pytest.approx(wanted, abs=3.0)


def test_an_edit_of_another_length_or_rate_says_so(world: World) -> None:
    world.edited("same", frames=FRAMES)
    world.edited("other", frames=33, fps=15.0)
    _, same, other = compare(world.store, ID, world.wish("same", "other")).strips
    assert (same.timing, other.timing) == ("", "33 frames at 15 fps")


@pytest.mark.parametrize("count", [1, 2, 6, 24])
def test_there_are_as_many_columns_as_asked_for(world: World, count: int) -> None:
    world.edited("a", frames=9)
    found = compare(world.store, ID, world.wish("a", frames=count))
    assert [len(strip.pictures) for strip in found.strips] == [count, count]
    assert len(plots.grid(found).axes) == 2 * count


@pytest.mark.parametrize("size", [(128, 72), (72, 128), (64, 64), (256, 32), (32, 256)], ids=str)
def test_pictures_are_fitted_and_never_stretched(world: World, size: tuple[int, int]) -> None:
    world.edited("a", frames=9, size=size)
    drawn = plots.grid(compare(world.store, ID, world.wish("a")))
    width, height = drawn.get_size_inches()
    cell = None
    for axes in drawn.axes:
        box, (tall, across) = axes.get_position(), np.asarray(axes.images[0].get_array()).shape[:2]
        shown = (box.width * width, box.height * height)
        assert shown[0] / shown[1] == pytest.approx(across / tall, rel=0.01)
        cell = cell or shown  # the source's
        assert shown[0] <= cell[0] + 1e-6 and shown[1] <= cell[1] + 1e-6


def test_what_is_drawn_are_the_pictures(world: World) -> None:
    world.edited("a", frames=FRAMES)
    drawn = plots.grid(compare(world.store, ID, world.wish("a")))
    picture = image.imread(io.BytesIO(plots.render(drawn, "png")))
    high, wide = picture.shape[:2]
    for number, axes in enumerate(drawn.axes):
        box = axes.get_position()
        inside = picture[
            round((1 - box.y1) * high) + 3 : round((1 - box.y0) * high) - 3,
            round(box.x0 * wide) + 3 : round(box.x1 * wide) - 3,
            :3,
        ]
        assert inside.mean() * 255 == pytest.approx(counting_level(8 * (number % 6), FRAMES), abs=3.0)


def test_large_pictures_are_shrunk_to_what_print_needs(world: World) -> None:
    world.edited("a", frames=3, size=(2200, 1240))
    strip = compare(world.store, ID, world.wish("a")).strips[1]
    assert strip.pictures[0].shape == (620, 1100, 3)
    assert greys(strip.pictures)[0] == pytest.approx(20, abs=3.0)


def test_the_instruction_names_and_times_stand_on_it(world: World) -> None:
    world.edited("a-model", frames=9)
    texts = said(plots.grid(compare(world.store, ID, world.wish("a-model"))))
    assert {"source", "a-model", "0.00 s", "0.50 s", "2.50 s"} <= set(texts)
    whole = " ".join(texts)
    assert lettering.legible(world.sample.instruction) in whole
    assert f"{ID}: location / rural / vineyard rows with rustling leaves" in texts


INSTRUCTIONS = {
    "long": "Place the subject in a very long sentence, " * 80,
    "one word": "w" * 4000,
    "Chinese": "将主体置于开阔的草原，高高的金色草丛在强风中摇曳。" * 6,
    "Arabic": "ضع الشخص في مرج مفتوح مع عشب ذهبي طويل",
    "emoji": "Put them on the \U0001f680 \U0001f469\U0000200d\U0001f680 moon",
    "mathematics": "$\\frac{a}$ \\input{x} $$ %",
    "control signs": "bell\x07 \u202eback\u202c nul\x00",
    "half a pair": "half \ud800",
    "empty": "",
}


@pytest.mark.parametrize("instruction", INSTRUCTIONS.values(), ids=INSTRUCTIONS)
def test_an_instruction_in_any_script_is_drawn_without_a_warning(world: World, instruction: str) -> None:
    world.edited("a", frames=9)
    found = compare(world.store, ID, world.wish("a", frames=2))
    drawn = plots.grid(replace(found, sample=replace(found.sample, instruction=instruction)))
    width, height = drawn.get_size_inches()
    assert (width, height < 6) == (7.0, True)
    assert plots.render(drawn, "png").startswith(b"\x89PNG")
    assert plots.render(drawn, "pdf").startswith(b"%PDF")
    for text in drawn.findobj(Text):
        box = text.get_window_extent()
        assert box.x1 <= width * drawn.dpi and box.y0 >= 0, text.get_text()


# -- edits that are not there ------------------------------------------------------------------------------------------


def test_a_model_without_an_edit_has_an_empty_row_with_the_reason(world: World) -> None:
    path = world.result("failed")
    world.store.append_edit("failed", Edit(sample_id=ID, error="CUDA out of memory", error_type="OutOfMemory"))
    world.result("idle")
    world.result("unseen")
    world.store.append_edit("unseen", Edit(sample_id=ID, sha256="ab" * 32, unseen=True))
    world.edited("gone", frames=9).unlink()
    write_clip(world.edited("changed", frames=9), frames=9, seed=3)
    path = world.result("no-video")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no video")
    world.record("no-video", world.edited("good", frames=9), sha256=hashlib.sha256(b"no video").hexdigest())
    world.result("another", tuple(replace(sample, sha256="cd" * 32) for sample in world.samples))
    models = ("failed", "idle", "unseen", "gone", "changed", "no-video", "another", "good")
    found = compare(world.store, ID, world.wish(*models))
    why = {strip.label: strip.why for strip in found.strips}
    assert {name for name, words in why.items() if not words} == {"source", "good"}
    assert why["failed"] == "no edit: CUDA out of memory"
    assert why["idle"] == "no edit: not attempted"
    assert why["unseen"] == "no edit: not here; only verdicts on it were handed in"
    assert "is not a file" in why["gone"]
    assert why["changed"] == "no edit: the video was changed after it was made"
    assert "not a readable video" in why["no-video"]
    assert "another source" in why["another"]
    drawn = plots.grid(found)
    assert len(drawn.axes) == 12
    assert {"no edit: CUDA out of memory", "no edit: not attempted"} <= set(said(drawn))
    assert str(world.store.root) not in " ".join(said(drawn))


def test_a_path_that_leaves_the_results_folder_is_not_followed(world: World) -> None:
    outside = write_counting_clip(world.store.root / "secret.mp4", frames=9)
    world.result("a")
    world.record("a", outside, video="../../secret.mp4")
    assert compare(world.store, ID, world.wish("a")).strips[1].why == "no edit: its path leaves the result's folder"


def test_hostile_reasons_are_one_line_of_text(world: World) -> None:
    world.result("a")
    world.store.append_edit("a", Edit(sample_id=ID, error="<b>$x$\n\x1b[31m" + "w" * 5000, error_type="E"))
    drawn = plots.grid(compare(world.store, ID, world.wish("a")))
    assert all(text.isprintable() for text in said(drawn))
    assert plots.render(drawn, "pdf")


# -- marks -------------------------------------------------------------------------------------------------------------


def test_the_mean_mark_that_counts_stands_beside_its_edit(world: World) -> None:
    for model in ("judged", "capped", "unanswered", "unjudged"):
        world.edited(model, frames=9)
    world.result("failed")
    world.store.append_edit("failed", Edit(sample_id=ID, error="e", error_type="E"))
    world.judged("judged", "key-1", [5, 5, 5, 5, 5, 4], [3, 3, 3, 3, 3, 3])
    world.judged("capped", "key-1", [2, 5, 5, 5, 5, 5])
    world.judged("unanswered", "key-1")
    world.store.write_judge("unanswered", "key-1", {"rubric": RUBRIC.to_data(), "repeats": 1})
    world.judged("failed", "key-1", [3] * 6)
    models = ("judged", "capped", "unanswered", "unjudged", "failed")
    found = compare(world.store, ID, world.wish(*models, judge_key="key-1"))
    assert [strip.mark for strip in found.strips] == [
        "", "mean mark 3.92", "mean mark 2.00", "no verdict", "not judged", "mean mark 1.00",
    ]  # fmt: skip
    assert "mean mark 3.92" in said(plots.grid(found))


# -- refused -----------------------------------------------------------------------------------------------------------


def test_names_that_stand_for_nothing_are_refused_with_near_misses(world: World) -> None:
    world.edited("kiwi-edit", frames=9)
    world.judged("kiwi-edit", "qwen-32b", [3] * 6)
    with pytest.raises(StoreError, match=r"no result 'kiwi-edi' .*did you mean kiwi-edit\?"):
        compare(world.store, ID, world.wish("kiwi-edi"))
    with pytest.raises(StoreError, match=rf"no sample '{ID[:-1]}' in kiwi-edit; did you mean {ID}"):
        compare(world.store, ID[:-1], world.wish("kiwi-edit"))
    with pytest.raises(StoreError, match=r"no verdicts of 'qwen-23b'; did you mean qwen-32b\?"):
        compare(world.store, ID, world.wish("kiwi-edit", judge_key="qwen-23b"))


def test_a_source_that_is_missing_changed_or_broken_is_an_error(world: World) -> None:
    world.edited("a", frames=9)
    with pytest.raises(BenchmarkError, match="no benchmark folder"):
        compare(world.store, ID, replace(world.wish("a"), bench=world.store.root / "nowhere"))
    source = world.bench / world.sample.source
    write_clip(source, seed=5)
    with pytest.raises(BenchmarkError, match="another than the one that was edited"):
        compare(world.store, ID, world.wish("a"))
    source.unlink()
    with pytest.raises(BenchmarkError, match="no source video of"):
        compare(world.store, ID, world.wish("a"))
    source.write_bytes(b"broken")
    broken = replace(world.sample, sha256=hashlib.sha256(b"broken").hexdigest())
    world.result("a", (broken,))
    with pytest.raises(VideoError):
        compare(world.store, ID, world.wish("a"))


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_writes_a_png_and_a_pdf_alike_each_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.samples = tuple(replace(sample, instruction="Shift it to a café by the sea.") for sample in world.samples)
    world.edited("a", frames=9)
    world.result("b")
    monkeypatch.chdir(world.store.root)
    done = world.run("--models", "a,b", "--only", ID)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.split() == [f"figure-{ID}.png", f"figure-{ID}.pdf"]
    assert done.stderr == f"note: {ID}, b: no edit: not attempted\n"
    made = {name: Path(name).read_bytes() for name in done.stdout.split()}
    assert made[f"figure-{ID}.pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in made[f"figure-{ID}.pdf"]
    assert image.imread(io.BytesIO(made[f"figure-{ID}.png"])).shape[1] == 7.0 * plots.PRINT
    world.run("--models", "a,b", "--only", ID, "--out", "again")
    assert {Path(f"again.{name[-3:]}").read_bytes() == content for name, content in made.items()} == {True}
    assert [path.name for path in world.store.root.glob("*.tmp")] == []


def test_a_judge_key_may_be_told_by_how_it_begins(world: World, tmp_path: Path) -> None:
    for model, key in (("a", "qwen-32b-01"), ("b", "qwen-32b-02"), ("b", "qwen-32b")):
        world.edited(model, frames=9)
        world.judged(model, key, [4] * 6)

    def drawn(wanted: str) -> Result:
        base = ("--models", "a,b", "--only", ID, "--kind", "png", "--out", tmp_path / "f", "--json")
        return world.run(*base, "--judge", wanted)

    def marks(wanted: str) -> list[str]:
        return [row["mark"] for row in json.loads(drawn(wanted).stdout)["figures"][0]["rows"]]

    assert marks("qwen-32b-01") == ["", "mean mark 4.00", "not judged"]
    assert marks("qwen-32b") == ["", "not judged", "mean mark 4.00"], "a whole key is no beginning"
    several = drawn("qwen")
    assert several.exit_code == 1
    assert (
        "--judge qwen fits 3 judge keys; choose one with --judge: qwen-32b-01, qwen-32b, qwen-32b-02" in several.stderr
    )
    assert "no verdicts of 'qwen-33b-01'; did you mean qwen-32b-01" in drawn("qwen-33b-01").stderr


def test_without_a_benchmark_folder_the_sources_come_from_where_the_board_has_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--models", "a", "--only", ID, "--kind", "png", "--root", str(world.store.root)]
    world.edited("a", frames=9)
    world.store.write_run(
        "a", {"model": "a", "benchmark": {"name": "sparkle", "digest": "d"}, "editor": {}}, world.samples
    )
    done = CliRunner().invoke(figure, words)
    assert "no benchmark folder at data/Sparkle-Bench" in done.stderr
    link = world.store.sources_link("sparkle", "d")
    link.parent.mkdir(parents=True)
    link.symlink_to(world.bench, target_is_directory=True)
    assert CliRunner().invoke(figure, words).exit_code == 0
    done = CliRunner().invoke(figure, [*words, "--bench", "data/Sparkle-Bench"])
    assert "no benchmark folder at data/Sparkle-Bench" in done.stderr, "what was asked for is not replaced"
    Path("data/Sparkle-Bench").mkdir(parents=True)
    assert "has no source video" in CliRunner().invoke(figure, words).stderr, "the folder in its place comes first"


def test_the_line_that_the_demo_ends_with_draws_a_figure(demo_run: DemoRun, tmp_path: Path) -> None:
    done = cli.run("demo", "--root", demo_run.root, cwd=tmp_path, timeout=300)
    assert "as expected" in done.stdout
    program, *words = shlex.split(done.stdout.splitlines()[-1].partition(": ")[2])
    assert program == "sparkle-bench"
    drawn = cli.run(*words, cwd=tmp_path, timeout=120)
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert all((tmp_path / name).is_file() for name in drawn.stdout.split())


def test_letters_that_no_font_has_are_told(world: World, tmp_path: Path) -> None:
    rare = replace(world.sample, instruction="a \U00030000 b")  # a rare character
    world.result("a", (rare,))
    done = world.run("--models", "a", "--only", ID, "--kind", "png", "--out", tmp_path / "f")
    assert f"note: {ID}: no font here has all its letters" in done.stderr


def test_paths_and_kinds_are_the_users_choice(world: World, tmp_path: Path) -> None:
    world.edited("a", frames=9)
    folder = tmp_path / "figures"
    folder.mkdir()
    other = next(sample.id for sample in world.samples if sample.id != ID)
    base = ("--models", "a", "--kind", "png", "--only", ID)
    assert world.run(*base, "--out", folder).stdout.split() == [str(folder / f"figure-{ID}.png")]
    assert world.run(*base, "--out", tmp_path / "deep" / "v1.2").stdout.split() == [str(tmp_path / "deep" / "v1.2.png")]
    assert world.run(*base, "--out", tmp_path / "x.pdf").stdout.split() == [str(tmp_path / "x.png")]
    both = world.run(*base, "--only", other, "--only", ID, "--out", tmp_path / "y").stdout.split()
    assert both == [str(tmp_path / f"y-{name}.png") for name in (ID, other)]
    assert all(Path(path).is_file() for path in both)


def test_an_id_cannot_lead_out_of_the_folder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.result("a", (replace(world.sample, id="../../x y"),))
    monkeypatch.chdir(world.store.root)
    done = world.run("--models", "a", "--only", "../../x y", "--kind", "png")
    assert done.stdout.strip() == "figure-.._.._x_y.png"


def test_for_machines_it_says_what_every_row_shows(world: World, tmp_path: Path) -> None:
    world.edited("a", frames=9)
    world.result("b")
    done = world.run(
        "--models", "b", "--models", "a,b", "--only", ID, "--frames", "3", "--out", tmp_path / "f", "--json"
    )
    (said_of,) = json.loads(done.stdout)["figures"]
    assert said_of["sample_id"] == ID
    assert said_of["seconds"] == [0.0, 1.25, 2.5]
    assert [(row["label"], row["pictures"]) for row in said_of["rows"]] == [("source", 3), ("b", 0), ("a", 3)]


@pytest.mark.parametrize(
    ("words", "why"),
    {
        "unknown model": (("--models", "x", "--only", ID), "no result 'x'"),
        "unknown sample": (("--models", "a", "--only", "x"), "no sample 'x'"),
    }.values(),
)
def test_an_error_is_one_line(world: World, words: tuple[str, ...], why: str) -> None:
    world.edited("a", frames=9)
    done = world.run(*words)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {why}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("--models", "a,,b"), ("--models", ""), ("--frames", "0"), ("--kind", "svg")])
def test_wrong_usage_has_its_own_exit_code(world: World, words: tuple[str, str]) -> None:
    assert world.run("--only", ID, "--models", "a", *words).exit_code == 2


def test_real_videos_are_compared(mini: Path, data: Path, tmp_path: Path) -> None:
    """Eight real samples, and the videos that were handed in for them."""
    samples = benchmark.load(mini).samples
    store = Store(root=tmp_path)
    store.write_run("real", {"model": "real", "benchmark": {}, "editor": {}}, samples)
    store.write_run("source-again", {"model": "source-again", "benchmark": {}, "editor": {}}, samples)
    sample = next(sample for sample in samples if sample.theme == "time")
    for model, clip in (
        ("real", data / "submissions" / "sparkle-data" / sample.edit_path),
        ("source-again", sample.source_path),
    ):
        place = store.video_path(model, sample)
        place.parent.mkdir(parents=True)
        place.write_bytes(clip.read_bytes())
        sha256 = hashlib.sha256(place.read_bytes()).hexdigest()
        video_path = f"videos/{sample.edit_path}"
        store.append_edit(model, Edit(sample_id=sample.id, video=video_path, sha256=sha256, probe=video.probe(place)))
    wish = Wish(models=("real", "source-again"), frames=4, bench=mini)
    found = compare(store, sample.id, wish)
    source, real, again = found.strips
    assert [len(strip.pictures) for strip in found.strips] == [4, 4, 4]
    for one, other, copy in zip(source.pictures, real.pictures, again.pictures, strict=True):
        assert np.array_equal(one, copy)
        assert np.abs(one.astype(float).mean(axis=(0, 1)) - other.astype(float).mean(axis=(0, 1))).max() > 5
    assert plots.render(plots.grid(found), "pdf").startswith(b"%PDF")
