"""The demo's benchmark and its editors: true masks are true, and every edit has its one fault and no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkle_bench import benchmark, registry, video
from sparkle_bench.editors.known_answer import ANSWERS, KnownAnswer, retimed, wrong_target
from sparkle_bench.errors import EditorError, MachineError, VideoError
from sparkle_bench.records import Probe, Sample
from sparkle_bench.synthetic import (
    CLIPS,
    FPS,
    FRAMES,
    HEIGHT,
    SETTINGS,
    WIDTH,
    Clip,
    instant,
    scene,
    true_masks,
    write_benchmark,
)
from sparkle_bench.video.frames import frames

Grey = NDArray[np.float32]
"""T×H×W, luminance from 0 to 255."""

Mask = NDArray[np.bool_]

EDITED = ("Demo_location_000001", "Demo_season_000001", "Demo_style_000003")
"""A bright day that becomes a storm, a dark stage that becomes a snowy wood, and the one that asks for stillness."""

MOVING = EDITED[:2]


@dataclass(frozen=True)
class Demo:
    """The demo's benchmark and some of its edits, on disk."""

    root: Path
    samples: dict[str, Sample]
    edits: Path

    def edit(self, answer: str, sample_id: str) -> Path:
        return self.edits / answer / f"{sample_id}.mp4"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    root = write_benchmark(tmp_path_factory.mktemp("demo"))
    samples = {sample.id: sample for sample in benchmark.load(root).samples}
    edits = tmp_path_factory.mktemp("edits")
    for answer in ANSWERS:
        (edits / answer).mkdir()
        for sample_id in EDITED:
            KnownAnswer(answer=answer).edit(samples[sample_id], edits / answer / f"{sample_id}.mp4")
    return Demo(root, samples, edits)


@pytest.fixture(scope="module")
def grey(demo: Demo) -> Callable[[str, str], Grey]:
    """Reads an edit, or the `source`, as luminance; each is decoded once."""
    known: dict[Path, Grey] = {}

    def read(answer: str, sample_id: str) -> Grey:
        path = demo.samples[sample_id].source_path if answer == "source" else demo.edit(answer, sample_id)
        if path not in known:
            known[path] = luminance(np.stack(list(frames(path))))
        return known[path]

    return read


def luminance(pictures: NDArray[np.uint8]) -> Grey:
    return np.asarray(pictures @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def shrunk(mask: Mask, by: int) -> Mask:
    """Every frame's mask without its outermost pixels; those at the picture's edge count as outermost."""
    for axis in (1, 2):
        padded = np.pad(mask, [(by, by) if a == axis else (0, 0) for a in range(3)])
        size = mask.shape[axis]
        mask = np.logical_and.reduce([padded.take(range(s, s + size), axis) for s in range(2 * by + 1)])
    return mask


def inside(demo: Demo, sample_id: str, by: int = 3) -> Mask:
    return shrunk(true_masks(demo.root, CLIPS[sample_id]) > 250, by)


def outside(demo: Demo, sample_id: str, by: int = 3) -> Mask:
    return shrunk(true_masks(demo.root, CLIPS[sample_id]) == 0, by)


def motion(clip: Grey, where: Mask) -> float:
    """How much a pixel changes from one frame to the next, on average, where it counts in both."""
    both = where[1:] & where[:-1]
    return float(np.abs(np.diff(clip, axis=0))[both].mean())


def detail(clip: Grey, where: Mask) -> float:
    """The mean size of the Laplacian."""
    middle = clip[:, 1:-1, 1:-1]
    around = clip[:, :-2, 1:-1] + clip[:, 2:, 1:-1] + clip[:, 1:-1, :-2] + clip[:, 1:-1, 2:]
    return float(np.abs(around - 4 * middle)[where[:, 1:-1, 1:-1]].mean())


def off(first: Grey, second: Grey, where: Mask) -> float:
    return float(np.abs(first - second)[where].mean())


@lru_cache(maxsize=8)
def rendered(name: str) -> Grey:
    """A scene alone, without anybody in it."""
    return luminance(np.stack([scene(name)(instant(index)) for index in range(FRAMES)]))


# -- the benchmark ---------------------------------------------------------------------------------------------------


def test_the_demo_is_a_benchmark_in_the_published_layout(demo: Demo) -> None:
    found = benchmark.load(demo.root)
    assert [s.id for s in found.samples] == list(CLIPS)
    assert (found.counts.samples, found.counts.themes, found.partial) == (12, 4, True)
    assert all(sum(s.theme == theme for s in found.samples) == 3 for theme in benchmark.THEMES)
    assert len({s.instruction for s in found.samples}) == len({s.scene for s in found.samples}) == 12
    assert {video.probe(s.source_path) for s in found.samples} == {
        Probe(frames=FRAMES, fps=FPS, width=WIDTH, height=HEIGHT)
    }
    assert list(demo.root.rglob("*.tmp")) == []


def test_half_of_the_targets_are_dark_and_one_stands_still() -> None:
    dark = [clip for clip in CLIPS.values() if scene(clip.target)(1.0).mean() < 100]
    assert len(dark) == 6
    still = [clip for clip in CLIPS.values() if not SETTINGS[clip.target].moves]
    assert ["nothing moves" in clip.instruction for clip in still] == [True]
    assert sum("nothing moves" in clip.instruction for clip in CLIPS.values()) == 1


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_source_and_target_are_lit_differently(clip: Clip) -> None:
    gains = sorted((SETTINGS[clip.source].light.gain, SETTINGS[clip.target].light.gain))
    assert gains[1] / gains[0] > 1.3


@pytest.mark.parametrize("name", SETTINGS)
def test_every_scene_moves_unless_it_is_said_to_stand_still(name: str) -> None:
    first, later = (scene(name)(instant(index)).astype(int) for index in (0, 5))
    assert (np.abs(first - later).mean() > 0.3) == SETTINGS[name].moves


@pytest.mark.parametrize("sample_id", CLIPS)
def test_the_true_mask_says_where_the_subject_is(sample_id: str, demo: Demo) -> None:
    """Where it is 0 the source shows the bare scene, where it is full it shows something else, and that moves."""
    clip, masks = CLIPS[sample_id], true_masks(demo.root, CLIPS[sample_id])
    source = luminance(np.stack(list(frames(demo.samples[sample_id].source_path))))
    bare = rendered(clip.source)
    subject, scenery = inside(demo, sample_id), outside(demo, sample_id)
    assert off(source, bare, scenery) < 3
    assert off(source, bare, subject) > 15
    assert motion(source, subject) > 3
    assert motion(source, scenery) > 0.8
    shares = masks.mean((1, 2)) / 255
    assert shares.min() > 0.12
    assert shares.max() < 0.35
    assert ((masks > 0) & (masks < 255)).sum() / (masks > 0).sum() > 0.02  # its edge is soft


def test_what_is_whole_is_not_made_again_and_what_is_missing_comes_out_the_same(demo: Demo, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(demo.root, root)
    whole = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    lost = [root / CLIPS["Demo_time_000003"].video, root / CLIPS["Demo_style_000002"].true_mask]
    for path in lost:
        path.unlink()
    times = {path: path.stat().st_mtime_ns for path in whole if path not in lost}
    write_benchmark(root, workers=1)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == whole
    again = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert again == {root / CLIPS["Demo_style_000002"].video}


def test_a_clip_that_cannot_be_written_leaves_nothing_behind(demo: Demo, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(demo.root, root)
    path = root / CLIPS["Demo_time_000001"].video
    path.unlink()
    path.mkdir()
    with pytest.raises(VideoError, match=r"cannot write Demo_time_000001\.mp4"):
        write_benchmark(root)
    assert list(root.rglob("*.tmp")) == []


def test_true_masks_that_cannot_be_read_are_named(demo: Demo, tmp_path: Path) -> None:
    clip = CLIPS["Demo_time_000001"]
    path = tmp_path / clip.true_mask
    path.parent.mkdir(parents=True)
    for content in (b"", b"PK", (demo.root / clip.true_mask).read_bytes()[:5000]):
        path.write_bytes(content)
        with pytest.raises(VideoError, match="true masks of Demo_time_000001"):
            true_masks(tmp_path, clip)
    np.savez(path, mask=np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(VideoError, match="another demo"):
        true_masks(tmp_path, clip)


# -- the right answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_edit_has_the_frames_the_rate_and_the_size_of_its_source(answer: str, demo: Demo) -> None:
    for sample_id in EDITED:
        assert video.probe(demo.edit(answer, sample_id)) == video.probe(demo.samples[sample_id].source_path)


@pytest.mark.parametrize("sample_id", EDITED)
def test_the_composite_keeps_the_subject_in_new_light_and_replaces_all_else(
    sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    clip, subject, scenery = CLIPS[sample_id], inside(demo, sample_id), outside(demo, sample_id)
    source, edit = grey("source", sample_id), grey("composite", sample_id)
    assert np.corrcoef(source[subject], edit[subject])[0, 1] > 0.98
    assert off(edit, rendered(clip.target), scenery) < 3
    assert off(edit, source, scenery) > 30
    before, after = SETTINGS[clip.source].light, SETTINGS[clip.target].light
    brighter = edit[subject].mean() > source[subject].mean()
    assert brighter == (after.gain > before.gain)


def test_the_subject_gets_the_colour_gain_and_contrast_of_the_new_light(demo: Demo) -> None:
    clip = CLIPS[EDITED[0]]
    before, after = SETTINGS[clip.source].light, SETTINGS[clip.target].light
    subject = inside(demo, clip.id)[10]
    source = list(frames(demo.samples[clip.id].source_path))[10][subject].astype(float)
    edit = list(frames(demo.edit("composite", clip.id)))[10][subject].astype(float)
    for channel in range(3):
        # A straight line through what was seen, against the ratio of the two lights' slopes.
        slope = np.polyfit(source[:, channel], edit[:, channel], 1)[0]
        ratio = (
            after.gain * after.contrast * after.tint[channel] / (before.gain * before.contrast * before.tint[channel])
        )
        assert slope == pytest.approx(ratio, rel=0.08)


@pytest.mark.parametrize("sample_id", MOVING)
def test_the_composite_moves_with_the_source(sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]) -> None:
    assert motion(grey("composite", sample_id), outside(demo, sample_id)) > 1
    assert best_instants(demo, grey, "composite", sample_id) == [6, 13, 20, 26, 33]


def test_the_scene_of_a_still_photograph_stands_still(demo: Demo, grey: Callable[[str, str], Grey]) -> None:
    still = EDITED[2]
    assert motion(grey("composite", still), outside(demo, still)) < 0.25
    assert motion(grey("composite", still), inside(demo, still)) > 3


# -- the faults ------------------------------------------------------------------------------------------------------

SUBJECT_SPOILT = {"damaged-subject", "retimed", "day-lit-subject-at-night", "wrong-background"}
SCENE_SPOILT = {"static-background", "wrong-background", "blurred-background"}


@pytest.mark.parametrize("sample_id", MOVING)
@pytest.mark.parametrize("answer", [answer for answer in ANSWERS if answer != "composite"])
def test_a_fault_spoils_what_it_should_and_nothing_else(
    answer: str, sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    right, edit = grey("composite", sample_id), grey(answer, sample_id)
    subject, scenery = inside(demo, sample_id), outside(demo, sample_id)
    if answer == "retimed":  # where neither the subject's true frame nor the one shown is
        scenery = scenery & scenery[[retimed(index, FRAMES) for index in range(FRAMES)]]
    assert (off(right, edit, subject) > 3.5) == (answer in SUBJECT_SPOILT)
    assert (off(right, edit, scenery) > 2.2) == (answer in SCENE_SPOILT)


@pytest.mark.parametrize("sample_id", MOVING)
def test_a_static_background_does_not_move_and_looks_like_the_first_frame(
    sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    edit, scenery = grey("static-background", sample_id), outside(demo, sample_id)
    assert motion(edit, scenery) < 0.25
    first = np.broadcast_to(rendered(CLIPS[sample_id].target)[:1], edit.shape)
    assert off(edit, first, scenery) < 3


@pytest.mark.parametrize("sample_id", EDITED)
def test_a_damaged_subject_has_holes_and_a_contour_that_wobbles(
    sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    right, edit = grey("composite", sample_id), grey("damaged-subject", sample_id)
    whole, scenery = true_masks(demo.root, CLIPS[sample_id]) > 250, rendered(CLIPS[sample_id].target)
    gone = whole & (np.abs(edit - right) > 12) & (np.abs(edit - scenery) < 12)
    shares = gone.sum((1, 2)) / whole.sum((1, 2))
    assert shares.min() > 0.06
    assert shares.max() < 0.45
    edge = whole & ~shrunk(whole, 4)
    nibbled = gone & edge
    both = (edge[1:] & edge[:-1]).sum()
    assert ((nibbled[1:] ^ nibbled[:-1]) & edge[1:] & edge[:-1]).sum() / both > 0.05


def test_a_wrong_background_is_another_samples_scene_in_which_things_move() -> None:
    for clip in CLIPS.values():
        other = wrong_target(clip)
        assert other != clip.target
        assert SETTINGS[other].moves
        assert other in {c.target for c in CLIPS.values()}


@pytest.mark.parametrize("sample_id", EDITED)
def test_a_wrong_background_is_as_well_made_as_the_right_one(
    sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    edit, subject, scenery = grey("wrong-background", sample_id), inside(demo, sample_id), outside(demo, sample_id)
    assert off(edit, rendered(wrong_target(CLIPS[sample_id])), scenery) < 3
    assert motion(edit, scenery) > 1
    assert np.corrcoef(grey("source", sample_id)[subject], edit[subject])[0, 1] > 0.97


def best_instants(demo: Demo, grey: Callable[[str, str], Grey], answer: str, sample_id: str) -> list[int]:
    """For some frames of an edit, the source frame whose subject is most like what the edit shows."""
    source, edit, masks = grey("source", sample_id), grey(answer, sample_id), inside(demo, sample_id)

    def likeness(shown: int, index: int) -> float:
        return float(np.corrcoef(source[index][masks[index]], edit[shown][masks[index]])[0, 1])

    return [max(range(FRAMES), key=lambda index: likeness(shown, index)) for shown in (6, 13, 20, 26, 33)]


@pytest.mark.parametrize("sample_id", MOVING)
def test_a_retimed_subject_is_late_and_then_hurries(
    sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    assert best_instants(demo, grey, "retimed", sample_id) == [4, 8, 12, 16, 28]
    assert [retimed(index, FRAMES) for index in (0, 6, 13, 20, 26, 33, 40)] == [0, 4, 8, 12, 16, 28, 40]


@pytest.mark.parametrize("sample_id", EDITED)
def test_a_blurred_background_has_no_detail_but_moves_if_it_should(
    sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    right, edit, scenery = grey("composite", sample_id), grey("blurred-background", sample_id), outside(demo, sample_id)
    assert detail(edit, scenery) < 0.5 * detail(right, scenery)
    assert (motion(edit, scenery) > 0.2) == SETTINGS[CLIPS[sample_id].target].moves


@pytest.mark.parametrize("sample_id", EDITED)
def test_a_subject_that_is_not_relit_is_the_sources_own(
    sample_id: str, demo: Demo, grey: Callable[[str, str], Grey]
) -> None:
    subject = inside(demo, sample_id)
    assert off(grey("day-lit-subject-at-night", sample_id), grey("source", sample_id), subject) < 3.5
    assert off(grey("composite", sample_id), grey("source", sample_id), subject) > 20


# -- the editor ------------------------------------------------------------------------------------------------------


def test_an_edit_comes_out_the_same_every_time_also_beside_others(demo: Demo, tmp_path: Path) -> None:
    samples = [demo.samples[sample_id] for sample_id in EDITED]
    editor = KnownAnswer(answer="damaged-subject")
    assert editor.thread_safe
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda s: editor.edit(s, tmp_path / f"{s.id}.mp4"), samples))
    for sample in samples:
        assert (tmp_path / f"{sample.id}.mp4").read_bytes() == demo.edit("damaged-subject", sample.id).read_bytes()


def test_the_answer_is_an_option_as_of_every_editor() -> None:
    assert isinstance(registry.build(KnownAnswer, {"answer": "composite"}), KnownAnswer)


@pytest.mark.parametrize(
    ("answer", "told"),
    [("static-backgrond", "did you mean static-background"), ("compsite", "did you mean composite"), ("x", "known: ")],
)
def test_an_unknown_answer_is_refused_with_near_misses(answer: str, told: str) -> None:
    with pytest.raises(EditorError, match=f"no known answer '{answer}'; {told}"):
        KnownAnswer(answer=answer)


def test_samples_of_another_benchmark_are_refused(demo: Demo, tmp_path: Path) -> None:
    editor, samples = KnownAnswer(answer="composite"), list(demo.samples.values())
    editor.prepare(samples)
    foreign = replace(samples[0], id="Sparkle_time_000028")
    with pytest.raises(EditorError, match="not of the demo: Sparkle_time_000028"):
        editor.prepare([*samples, foreign])
    with pytest.raises(EditorError, match="not of the demo"):
        editor.prepare([replace(samples[0], instruction="Another one.")])
    with pytest.raises(EditorError, match="not of the demo"):
        editor.edit(foreign, tmp_path / "out.mp4")
    with pytest.raises(EditorError, match="no true masks beside the clips of Demo_location_000001"):
        editor.prepare([replace(samples[0], root=tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_not_the_demos_is_refused(demo: Demo, tmp_path: Path) -> None:
    sample = demo.samples[EDITED[0]]
    for part in (CLIPS[sample.id].true_mask, sample.source):
        (tmp_path / part).parent.mkdir(parents=True)
        shutil.copyfile(demo.root / part, tmp_path / part)
    video.write(tmp_path / sample.source, [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 5, fps=FPS)
    with pytest.raises(VideoError, match="is not the demo's"):
        KnownAnswer(answer="composite").edit(replace(sample, root=tmp_path), tmp_path / "out.mp4")


# -- reading all frames ----------------------------------------------------------------------------------------------


def test_all_frames_of_a_clip_come_in_order_and_in_the_size_asked_for(demo: Demo) -> None:
    path = demo.samples[EDITED[0]].source_path
    full, small = list(frames(path)), list(frames(path, size=(96, 54)))
    assert len(full) == FRAMES
    assert {(frame.shape, frame.dtype.name) for frame in full} == {((HEIGHT, WIDTH, 3), "uint8")}
    assert {frame.shape for frame in small} == {(54, 96, 3)}
    shrunk_here = full[7].reshape(54, HEIGHT // 54, 96, WIDTH // 96, 3).mean((1, 3))
    assert np.abs(shrunk_here - small[7]).mean() < 3


def test_a_clip_that_cannot_be_read_is_the_clips_fault_unless_it_is_the_machines(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = demo.samples[EDITED[0]].source_path
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:90_000])
    with pytest.raises(VideoError, match=r"cut\.mp4"):
        list(frames(cut))
    with pytest.raises(VideoError, match="is not a file"):
        list(frames(tmp_path / "none.mp4"))
    monkeypatch.setattr("av.open", out_of_files)
    with pytest.raises(MachineError, match="on this machine"):
        list(frames(whole))


def out_of_files(*_: object, **__: object) -> None:
    raise OSError(24, "Too many open files")
