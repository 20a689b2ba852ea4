"""Models described by TOML files: what is read, what is refused, what options change, what goes on record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sparkle_bench import benchmark, editors, run, video
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors.preset import Output
from sparkle_bench.editors.studio import Clip, Studio, shape, take
from sparkle_bench.errors import EditorError, VideoError
from sparkle_bench.records import Effort, Probe, Sample, edit_from_json, to_json
from sparkle_bench.run import Made, Work
from sparkle_bench.store import Store
from sparkle_bench.video.conform import USUAL, Fit
from sparkle_bench.video.frames import frames
from tests import makers
from tests.test_editors import NOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = """
kind = "diffusers"
about = "Edits by instruction."
[declared.model]
name = "Edit-1"
parameters = "5B"
license = "Apache-2.0"
[declared.inputs]
masks = true
[needs]
gpu_gb = 24
libraries = ["torch", "diffusers"]
[fit]
most = 49
multiple = 16
[output]
fps = 15
crf = 25
[options]
steps = 40
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A sample whose source has 12 frames of 96x64."""
    return benchmark.load(makers.write_benchmark(tmp_path_factory.mktemp("bench"), samples_per_theme=1)).samples[0]


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_preset_of_ones_own_is_read(tmp_path: Path) -> None:
    found = presets.find(str(written(tmp_path, TEXT)))
    assert found is not None
    assert (found.name, found.kind, found.about) == ("mine", "diffusers", "Edits by instruction.")
    assert found.declared.model.parameters == 5_000_000_000
    assert found.declared.track == "masks"
    assert (found.needs.gpu_gb, found.needs.libraries) == (24, ("torch", "diffusers"))
    assert found.fit == Fit(most=49, multiple=16)
    assert found.output == Output(fps=15, crf=25, aligned=True)
    assert found.declares(steps=40, seed=None)["settings"] == {"steps": 40}


@pytest.mark.parametrize("name", presets.names())
def test_a_built_in_preset_is_whole(name: str) -> None:
    found = presets.find(name)
    assert found is not None
    assert found.about.endswith(".")
    assert found.declared.model.name != name, "[declared.model] says how its makers write it"


WRONG: dict[str, tuple[str, str]] = {
    "no kind": ("about = 'x'", "kind: known: diffusers"),
    "another kind": ("kind = 'difusers'", "kind: did you mean diffusers?"),
    "another section": ("kind = 'kiwi'\n[model]\nname = 'x'", "unknown section 'model'"),
    "another kind's section": ("kind = 'kiwi'\n[program]\ncmd = 'x'", "unknown section 'program'"),
    "no section": ("kind = 'kiwi'\nfit = 3", "fit: expected a section [fit]"),
    "an unknown key": ("kind = 'kiwi'\n[fit]\nmosts = 3", "unknown key 'mosts' in [fit]; did you mean most"),
    "a rate that cannot be": ("kind = 'kiwi'\n[output]\nfps = 0", "output: an edit cannot be written at 0 frames"),
    "a text for a number": ("kind = 'kiwi'\n[fit]\nmost = '81'", "fit.most: '81' is no int"),
    "truth for a number": ("kind = 'kiwi'\n[output]\ncrf = true", "output.crf: True is no int"),
    "unknown for a number": ("kind = 'kiwi'\n[output]\ncrf = 'unknown'", "output.crf: 'unknown' is no int"),
    "no pair": ("kind = 'kiwi'\n[fit]\nsize = [1, 2, 3]", "fit.size"),
    "a rule that cannot be": (
        "kind = 'kiwi'\n[fit]\nmost = 80",
        "fit: 80 frames at most, but the model takes 4n+1: 77",
    ),
    "what cannot be declared": ("kind = 'kiwi'\n[declared.model]\nname = ''", "declared: model.name is missing"),
    "no TOML": ("kind = ", "is not valid TOML"),
    "much": ("#" * 70_000, "larger than 64 KiB"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_what_describes_no_model_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create(str(written(tmp_path, text)), {})
    assert said in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EditorError, match=r"cannot read .*absent.toml: No such file"):
        editors.create(str(tmp_path / "absent.toml"), {})


# -- options -----------------------------------------------------------------------------------------------------------


def test_options_of_every_preset_change_what_is_taken_and_written() -> None:
    found = presets.from_data("x", {"kind": "kiwi", "fit": {}, "options": {"steps": 50, "crf": 20}})
    changed, rest = presets.with_options(
        found, {"frames": "17", "size": "832x480", "fps": "15", "crf": "25", "seed": "1"}
    )
    assert changed.fit == Fit(most=17, size=(832, 480))
    assert (changed.output.fps, changed.output.crf) == (15.0, 25)
    assert rest == {"steps": 50, "seed": "1"}
    unsure = presets.from_data("x", {"kind": "kiwi", "output": {"aligned": "unknown", "fps": "source"}})
    assert (unsure.output.aligned, unsure.output.fps) == (None, None)
    back, _ = presets.with_options(found, {"fps": "source"})
    assert back.output.fps is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frames": "many"}, "option frames='many'"),
        ({"frames": "80"}, "80 frames at most"),
        ({"size": "832"}, "option size='832'"),
        ({"size": "0x0"}, "the size (0, 0)"),
        ({"fps": "fast"}, "option fps='fast'"),
        ({"fps": "0"}, "cannot be written at 0 frames per second"),
        ({"fps": "nan"}, "cannot be written at nan frames per second"),
        ({"fps": "-3"}, "cannot be written at -3 frames per second"),
        ({"crf": "99"}, "crf 99 is none; it is a whole number from 0 to 51"),
        ({"crf": "-1"}, "crf -1 is none"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, str], said: str) -> None:
    found = presets.from_data("x", {"kind": "kiwi", "fit": {}})
    with pytest.raises(EditorError) as caught:
        presets.with_options(found, options)
    assert said in str(caught.value)


def test_a_model_that_takes_the_file_as_it_is_has_no_size_to_choose() -> None:
    found = presets.from_data("x", {"kind": "runway"})
    with pytest.raises(EditorError, match="has no option 'size'"):
        presets.with_options(found, {"size": "832x480"})


def test_what_decides_about_edits_is_told_from_words_about_the_model() -> None:
    first = presets.from_data("x", {"kind": "kiwi", "about": "a", "needs": {"gpu_gb": 8}, "options": {"steps": 4}})
    second = presets.from_data("x", {"kind": "kiwi", "about": "b", "options": {"steps": 4}})
    third = presets.from_data("x", {"kind": "kiwi", "about": "a", "options": {"steps": 5}})
    assert first.decisive == second.decisive != third.decisive


# -- the studio --------------------------------------------------------------------------------------------------------


def darker(_: Sample, clip: Clip) -> Sequence[NDArray[np.uint8]]:
    return [picture // 2 for picture in clip.pictures]


def test_a_clip_is_fitted_edited_and_written_frame_by_frame(sample: Sample, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    effort = Studio(Fit(multiple=32), Output(), darker).edit(sample, out)
    assert video.probe(out) == Probe(frames=9, fps=16.0, width=96, height=64)
    assert (effort.frames, effort.aligned, effort.gpu_memory) == (9, True, None)
    assert effort.host_memory is not None
    assert effort.host_memory > 10_000_000
    before, after = list(frames(sample.source_path)), list(frames(out))
    assert [abs(float(b.mean()) / 2 - float(a.mean())) < 2 for b, a in zip(before, after, strict=False)] == [True] * 9


def test_the_authors_setting_is_at_hand(sample: Sample, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    Studio(USUAL, Output(fps=15, crf=25), darker).edit(sample, out)
    assert video.probe(out).fps == 15.0
    assert b"crf=25.0" in out.read_bytes()


MISMADE: dict[str, tuple[Callable[[Sample, Clip], Any], str]] = {
    "a frame short": (lambda _, clip: clip.pictures[1:], "was given 9 frames and made 8"),
    "a frame more": (lambda _, clip: [*clip.pictures, clip.pictures[0]], "was given 9 frames and made 10"),
    "another size": (lambda _, clip: [p[:32] for p in clip.pictures], "was given 96x64 and made 96x32"),
}


@pytest.mark.parametrize(("generate", "said"), MISMADE.values(), ids=MISMADE)
def test_what_does_not_fit_the_source_is_no_edit(
    sample: Sample, tmp_path: Path, generate: Callable[[Sample, Clip], Any], said: str
) -> None:
    with pytest.raises(EditorError, match=said):
        Studio(USUAL, Output(), generate).edit(sample, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_one_sample_at_a_time_is_at_the_gpu(sample: Sample, tmp_path: Path) -> None:
    inside, most = 0, 0

    def slow(_: Sample, clip: Clip) -> Sequence[NDArray[np.uint8]]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.2)
        inside -= 1
        return clip.pictures

    studio = Studio(USUAL, Output(), slow)
    threads = [threading.Thread(target=studio.edit, args=(sample, tmp_path / f"{n}.mp4")) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert len(list(tmp_path.glob("*.mp4"))) == 3


def test_a_shape_is_told_without_decoding(sample: Sample, mini: Path) -> None:
    assert shape(sample.source_path, USUAL) == (9, 64, 96)
    real = benchmark.load(mini).samples[0]
    clip = take(real.source_path, USUAL)
    assert shape(real.source_path, USUAL) == (len(clip.pictures), *clip.pictures[0].shape[:2])
    assert clip.size == (1280, 704)


# -- the editing stage -------------------------------------------------------------------------------------------------


class Noting:
    """Edits by copying, notes the order, and says what is asked of it."""

    def __init__(self, effort: Effort | None = None, sizes: dict[str, tuple[int, int, int]] | None = None) -> None:
        self.seen: list[str] = []
        self._effort, self._sizes = effort, sizes or {}

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        if sample.id not in self._sizes:
            raise VideoError("unreadable")
        return self._sizes[sample.id]

    def edit(self, sample: Sample, out: Path) -> Effort | None:
        self.seen.append(sample.id)
        out.write_bytes(sample.source_path.read_bytes())
        return self._effort


def edited(folder: Path, editor: Noting) -> Store:
    bench = benchmark.load(makers.write_benchmark(folder / "bench", samples_per_theme=2, themes=["time", "style"]))
    store = Store(root=folder)
    run.start(store, "m", bench, Made(editor=editor, name="x:Noting", options={}), now=NOW)
    run.edit(Work(store=store, model="m", samples=bench.samples), editor)
    return store


def test_samples_of_one_shape_are_edited_in_a_row_the_largest_first(tmp_path: Path) -> None:
    sizes = {
        "Sparkle_time_000001": (9, 64, 96),
        "Sparkle_time_000002": (81, 704, 1280),
        "Sparkle_style_000002": (9, 64, 96),
    }
    editor = Noting(sizes=sizes)
    edited(tmp_path, editor)
    assert editor.seen[0] == "Sparkle_time_000002"
    assert set(editor.seen[1:3]) == {"Sparkle_time_000001", "Sparkle_style_000002"}
    assert editor.seen[3] == "Sparkle_style_000001"


def test_what_an_edit_took_is_on_record(tmp_path: Path) -> None:
    effort = Effort(seconds=1.5, frames=12, aligned=True, gpu_memory=3 << 30, cost=0.25, job="task-1")
    edits = edited(tmp_path, Noting(effort)).edits("m")
    assert {edit.effort for edit in edits.values()} == {effort}
    assert all(edit_from_json(to_json(edit)) == edit for edit in edits.values())


def test_an_edit_whose_frames_are_not_the_sources_is_a_failure(tmp_path: Path) -> None:
    edits = edited(tmp_path, Noting(Effort(frames=13, aligned=True))).edits("m")
    assert {edit.error_type for edit in edits.values()} == {"EditorError"}
    assert all("was given 13 frames, but the edit has 12" in str(edit.error) for edit in edits.values())


def test_a_model_that_does_not_keep_time_is_flagged_and_not_refused(tmp_path: Path) -> None:
    edits = edited(tmp_path, Noting(Effort(frames=13, aligned=False))).edits("m")
    assert all(edit.ok and edit.effort is not None and edit.effort.aligned is False for edit in edits.values())


# -- options are text, and frames are pictures ---------------------------------------------------------------------------

TYPES: dict[str, tuple[str, str, str, Any]] = {
    "false": ("Plain", "debug", "false", False),
    "true": ("Plain", "debug", "yes", True),
    "a number": ("Plain", "steps", "30", 30),
    "a truth or a word": ("Plain", "mode", "no", False),
    "a word or a truth": ("Plain", "mode", "max", "max"),
    "a path": ("Plain", "at", "here", Path("here")),
    "a list stays text": ("Plain", "sides", "1", "1"),
    "false by name": ("Typed", "debug", "false", False),
    "a number by name": ("Typed", "steps", "30", 30),
    "a float by name": ("Typed", "scale", "1.5", 1.5),
    "a path by name": ("Typed", "near", "here", Path("here")),
    "an alias is not known": ("Typed", "at", "here", "here"),
    "others are text": ("Typed", "ratio", "1/3", "1/3"),
}


@pytest.mark.parametrize(("model", "name", "text", "expected"), TYPES.values(), ids=TYPES)
def test_an_option_becomes_what_its_constructor_says(model: str, name: str, text: str, expected: Any) -> None:
    built: Any = editors.create(f"tests.odd_editors:{model}", {name: text})
    assert built.options[name] == expected
    assert type(built.options[name]) is type(expected)


@pytest.mark.parametrize("model", ["Plain", "Typed"])
@pytest.mark.parametrize(("name", "said"), [("debug", "is neither true nor false"), ("steps", "is not a int")])
def test_an_option_that_cannot_become_that_is_refused(model: str, name: str, said: str) -> None:
    with pytest.raises(EditorError, match=f"option {name}='maybe' {said}"):
        editors.create(f"tests.odd_editors:{model}", {name: "maybe"})


NO_PICTURES: dict[str, tuple[Callable[[NDArray[np.uint8]], Any], str]] = {
    "floats": (lambda p: p.astype(np.float32) / 255, r"of dtype float32 and shape \(64, 96, 3\), not H×W×3 of uint8"),
    "grey": (lambda p: p[:, :, 0], r"of dtype uint8 and shape \(64, 96\), not"),
    "see-through": (lambda p: np.dstack([p, p[:, :, :1]]), r"of dtype uint8 and shape \(64, 96, 4\), not"),
    "channels first": (lambda p: p.transpose(2, 0, 1), r"of dtype uint8 and shape \(3, 64, 96\), not"),
    "lists": (lambda p: p.tolist(), r"of dtype list and shape \(\), not"),
}


@pytest.mark.parametrize(("made", "said"), NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture_is_told_as_that(
    sample: Sample, tmp_path: Path, made: Callable[[NDArray[np.uint8]], Any], said: str
) -> None:
    studio = Studio(USUAL, Output(), lambda _, clip: [made(picture) for picture in clip.pictures])
    with pytest.raises(EditorError, match=f"the model made pictures {said}"):
        studio.edit(sample, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
