"""Signals, measured on real files whose truth is known: what was done to them, where the subject is, how much moves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sparkle_bench import signals, video
from sparkle_bench.errors import MachineError, SourceError, StoreError, VideoError
from sparkle_bench.signals import harmony, motion, scene, structure, timing
from sparkle_bench.signals.footage import MOST_FRAMES, load
from sparkle_bench.synthetic import CLIPS, true_masks
from sparkle_bench.video.frames import frames
from tests.conftest import DemoRun
from tests.makers import write_clip

Picture = NDArray[np.uint8]
CLIP = "Demo_location_000001"


@dataclass(frozen=True, kw_only=True)
class Changed:
    """How to make an edit of a source, and what the media contract must say of it."""

    make: Callable[[list[Picture]], Sequence[Picture]]
    how: str
    timing: str = "index-aligned"
    picture: str = "scaled"
    fps: float = 16.0
    crf: int = 18


def resized(picture: Picture, width: int, height: int) -> Picture:
    small: Picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return small


def recoloured(picture: Picture) -> Picture:
    tinted: Picture = np.clip(picture * np.array([1.2, 0.8, 0.6]) + np.array([10, 0, 30]), 0, 255).astype(np.uint8)
    return tinted


def zoomed(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    inner = picture[height // 10 : -height // 10, width // 10 : -width // 10]
    return resized(inner, width, height)


AGAIN: dict[str, Changed] = {
    "re-encoded hard": Changed(make=lambda f: f, how="re-encoded", crf=34),
    "at 15 frames a second": Changed(make=lambda f: f, how="re-encoded", fps=15.0),
    "at half size": Changed(make=lambda f: [resized(p, 192, 108) for p in f], how="re-encoded"),
    "squeezed": Changed(make=lambda f: [resized(p, 384, 192) for p in f], how="re-encoded"),
    "recoloured": Changed(make=lambda f: [recoloured(p) for p in f], how="recoloured"),
    "in grey": Changed(make=lambda f: [np.repeat(p[..., 1:2], 3, axis=2) for p in f], how="recoloured"),
    "as a negative": Changed(make=lambda f: [255 - p for p in f], how="recoloured", timing="unknown"),
    "cropped": Changed(make=lambda f: [p[8:-8] for p in f], how="cropped", picture="cropped"),
    "zoomed into": Changed(make=lambda f: [zoomed(p) for p in f], how="moved", picture="moved"),
    "shifted": Changed(make=lambda f: [np.roll(p, (6, 12), (0, 1)) for p in f], how="moved", picture="moved"),
    "mirrored": Changed(make=lambda f: [p[:, ::-1].copy() for p in f], how="mirrored", picture="mirrored"),
    "slowed": Changed(make=lambda f: [f[int(n * 0.6)] for n in range(len(f))], how="re-timed", timing="re-timed"),
    "reversed": Changed(make=lambda f: f[::-1], how="re-timed", timing="reversed"),
    "late": Changed(make=lambda f: f[6:], how="re-timed", timing="shifted"),
    "frozen": Changed(make=lambda f: [f[0]] * len(f), how="re-timed", timing="frozen"),
    "looped": Changed(make=lambda f: [f[n % 12] for n in range(len(f))], how="re-timed", timing="looped"),
    "cut short": Changed(make=lambda f: f[:20], how="re-encoded"),
}


@pytest.mark.parametrize("name", AGAIN)
def test_the_source_again_is_recognised_whatever_was_done_to_it(name: str, demo_run: DemoRun, tmp_path: Path) -> None:
    changed, source = AGAIN[name], demo_run.source(CLIP)
    made = list(changed.make(list(frames(source))))
    video.write(tmp_path / "edit.mp4", made, fps=changed.fps, crf=changed.crf)
    found = signals.measure(source, tmp_path / "edit.mp4")
    assert (found.change.source_again, found.change.how) == (True, changed.how)
    assert (found.media.timing, found.media.picture) == (changed.timing, changed.picture)
    assert found.media.length == ("same" if len(made) == 41 else "shorter")
    assert found.background.energy is None
    assert "source again" in found.unknown["background"]
    if name == "frozen":
        assert found.media.frozen
    if name == "looped":
        assert found.media.loop == 12
    if name == "slowed":
        assert found.media.rate == pytest.approx(0.6, abs=0.05)
    if name in ("cropped", "zoomed into", "shifted"):
        true = {"cropped": 16 / 216, "zoomed into": 0.36, "shifted": 1 - (372 / 384) * (210 / 216)}[name]
        assert found.media.unseen == pytest.approx(true, abs=0.04)


def test_what_was_added_to_the_source_is_not_called_a_change_of_colour(demo_run: DemoRun, tmp_path: Path) -> None:
    made = [p.copy() for p in frames(demo_run.source(CLIP))]
    for picture in made:
        picture[180:205, 20:140] = 240
    video.write(tmp_path / "edit.mp4", made, fps=16)
    found = signals.measure(demo_run.source(CLIP), tmp_path / "edit.mp4")
    assert (found.change.source_again, found.change.how) == (True, "altered")


def test_an_edit_that_keeps_most_of_the_picture_is_not_the_source_again(demo_run: DemoRun, tmp_path: Path) -> None:
    """A window of a fifth of the picture shows the new background; all else is the source."""
    source, edited = demo_run.source(CLIP), demo_run.edit("composite", CLIP)
    made = [before.copy() for before in frames(source)]
    for picture, after in zip(made, frames(edited), strict=True):
        picture[:, 290:] = after[:, 290:]
    video.write(tmp_path / "edit.mp4", made, fps=16)
    found = signals.measure(source, tmp_path / "edit.mp4")
    assert found.change.changed < 0.3
    assert not found.change.source_again


@pytest.mark.parametrize("every", [2, 3])
def test_another_rate_that_keeps_every_instant_is_not_re_timed(every: int, demo_run: DemoRun, tmp_path: Path) -> None:
    made = list(frames(demo_run.edit("composite", "Demo_season_000003")))[::every]
    video.write(tmp_path / "edit.mp4", made, fps=16 / every)
    found = signals.measure(demo_run.source("Demo_season_000003"), tmp_path / "edit.mp4")
    assert found.media.timing == "time-aligned"
    assert (found.media.off or 0) < 1
    assert found.subject.flow_error is None
    assert (found.subject.structure or 0) > 0.85


def test_the_same_file_is_the_source_again(demo_run: DemoRun) -> None:
    for sample_id in CLIPS:
        found = signals.measure(demo_run.source(sample_id), demo_run.source(sample_id))
        assert (found.change.source_again, found.change.how, found.change.psnr) == (True, "the same file", 99.0)


def test_no_edit_of_the_demo_is_taken_for_the_source(demo_run: DemoRun) -> None:
    for model in ("composite", "static-background", "retimed", "blurred-background", "day-lit-subject-at-night"):
        for found in measured(demo_run, model).values():
            assert not found.change.source_again
            assert found.change.changed > 0.6


def measured(demo_run: DemoRun, model: str) -> dict[str, signals.Signals]:
    lines = (demo_run.root / "results" / model / "signals.jsonl").read_text().splitlines()
    return {line["sample_id"]: signals.from_data(line["signals"]) for line in map(json.loads, lines)}


# -- regions ---------------------------------------------------------------------------------------------------------


def built(demo_run: DemoRun, model: str, sample_id: str) -> scene.Scene:
    source, edited = demo_run.source(sample_id), demo_run.edit(model, sample_id)
    return scene.build(load(source, 41), load(edited, 41))


def test_the_subject_is_found_where_it_is(demo_run: DemoRun) -> None:
    """Intersection over union with the true masks; and next to nothing of it is taken for background."""
    overlaps, spilt = [], []
    for sample_id, clip in CLIPS.items():
        found = built(demo_run, "composite", sample_id).regions
        height, width = found.subject.shape[1:]
        true = np.stack([resized(m, width, height) for m in true_masks(demo_run.root / "data" / "demo", clip)]) > 127
        overlaps.append((found.subject & true).sum() / (found.subject | true).sum())
        spilt.append((found.background & true).sum() / true.sum())
    assert float(np.median(overlaps)) > 0.7
    assert min(overlaps) > 0.55
    assert max(spilt) < 0.1


def test_faults_show_in_the_signal_that_is_about_them(demo_run: DemoRun) -> None:
    right = measured(demo_run, "composite")
    still = measured(demo_run, "static-background")
    blurred, damaged = measured(demo_run, "blurred-background"), measured(demo_run, "damaged-subject")
    unlit, late = measured(demo_run, "day-lit-subject-at-night"), measured(demo_run, "retimed")
    for sample_id in set(CLIPS) - {"Demo_style_000003"}:  # the one that asks for stillness
        r, s = right[sample_id].background, still[sample_id].background
        assert (s.energy or 0) < 0.6 * (r.energy or 0)
        if s.frozen is not None and r.frozen is not None:
            assert s.frozen > r.frozen + 0.2
    for sample_id in CLIPS:
        r = right[sample_id].background
        assert (blurred[sample_id].background.sharpness or 0) < 0.75 * (r.sharpness or 0)
        assert (damaged[sample_id].subject.solid or 0) < (right[sample_id].subject.solid or 0) - 0.05
        assert right[sample_id].media.timing == "index-aligned"
        assert late[sample_id].media.timing == "re-timed"
        assert (late[sample_id].media.off or 0) > 4
        light, none = right[sample_id].harmony.subject_luminance, unlit[sample_id].harmony.subject_luminance
        assert light is not None
        assert none is not None
        assert abs(none) < abs(light)


# -- what cannot be known --------------------------------------------------------------------------------------------


def test_flat_pictures_are_unknown_and_not_guessed(tmp_path: Path) -> None:
    flat = [np.full((120, 160, 3), 90, np.uint8)] * 12
    other = [np.full((120, 160, 3), 200, np.uint8)] * 12
    video.write(tmp_path / "a.mp4", flat, fps=16)
    video.write(tmp_path / "b.mp4", other, fps=16)
    found = signals.measure(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert not found.change.source_again
    assert found.change.undecided == 1.0
    assert not found.subject.found
    assert found.background.frozen is None
    assert {"subject", "harmony", "media.timing", "background.frozen"} <= set(found.unknown)


def test_in_the_dark_nobody_can_tell_what_stands_still(demo_run: DemoRun, tmp_path: Path) -> None:
    made = [(p * 0.06).astype(np.uint8) for p in frames(demo_run.edit("composite", CLIP))]
    video.write(tmp_path / "edit.mp4", made, fps=16)
    found = signals.measure(demo_run.source(CLIP), tmp_path / "edit.mp4")
    assert found.background.frozen is None
    assert not found.media.frozen


def test_a_moving_camera_leaves_what_stands_still_unknown(demo_run: DemoRun, tmp_path: Path) -> None:
    """A still picture over which the camera pans: nothing in it moves, but nobody can tell by the pixels' change."""
    source = list(frames(demo_run.source(CLIP)))
    rng = np.random.default_rng(3)
    wide = np.asarray(cv2.GaussianBlur(rng.integers(0, 255, (216, 700, 3)).astype(np.uint8), (0, 0), 2), np.uint8)
    masks = true_masks(demo_run.root / "data" / "demo", CLIPS[CLIP]) > 127
    pan = [np.where(masks[n][..., None], source[n], wide[:, 4 * n : 4 * n + 384]) for n in range(len(source))]
    video.write(tmp_path / "pan.mp4", pan, fps=16)
    found = signals.measure(demo_run.source(CLIP), tmp_path / "pan.mp4")
    assert found.background.frozen is None
    assert found.unknown["background.frozen"] == "the camera moves"
    assert found.background.camera == pytest.approx(4.0, abs=0.6)
    assert (found.background.flow or 9) < 1.0


@pytest.mark.parametrize("size", [(16, 16), (18, 34), (64, 36), (36, 64), (322, 50), (1280, 32)])
@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_small_short_and_odd_clips_are_measured_without_a_word(
    size: tuple[int, int], count: int, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "source.mp4", frames=max(2, count), size=size, seed=1)
    edited = write_clip(tmp_path / "edit.mp4", frames=count, size=(size[0] + 2, size[1] + 4), seed=2)
    data = signals.to_data(signals.measure(source, edited))
    text = json.dumps(data, allow_nan=False)
    assert signals.to_data(signals.from_data(json.loads(text))) == data


def test_a_long_clip_is_measured_on_its_first_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", frames=MOST_FRAMES + 60, size=(64, 36))
    found = signals.measure(source, source)
    assert (found.media.frames, found.media.analysed) == (MOST_FRAMES + 60, MOST_FRAMES)


def test_what_cannot_be_read_is_blamed_on_whose_fault_it_is(demo_run: DemoRun, tmp_path: Path) -> None:
    good = demo_run.source(CLIP)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(good.read_bytes()[:4000])
    with pytest.raises(VideoError):
        signals.measure(good, bad)
    with pytest.raises(SourceError, match="the source is unreadable"):
        signals.measure(bad, good)
    with pytest.raises((VideoError, MachineError)):
        signals.measure(good, tmp_path / "none.mp4")


def test_the_same_files_give_the_same_signals_also_beside_others(demo_run: DemoRun) -> None:
    def once(sample_id: str) -> dict[str, object]:
        return signals.to_data(signals.measure(demo_run.source(sample_id), demo_run.edit("composite", sample_id)))

    ids = list(CLIPS)[:4]
    first = [once(sample_id) for sample_id in ids]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(once, ids)) == first
    assert first == [signals.to_data(measured(demo_run, "composite")[sample_id]) for sample_id in ids]


def test_stored_signals_of_another_form_are_refused(demo_run: DemoRun) -> None:
    data = signals.to_data(measured(demo_run, "composite")[CLIP])
    for broken in (
        {},
        {**data, "media": {}},
        {**data, "text": {**data["text"], "more": 1}},
        {**data, "unknown": 3},
        {**data, "text": {**data["text"], "new_lines": "many"}},
        {**data, "change": {**data["change"], "subject": True}},
    ):
        with pytest.raises(StoreError):
            signals.from_data(broken)


# -- the arithmetic, against plain loops and known values ------------------------------------------------------------


def test_structure_agreement_is_the_correlation_of_gradients() -> None:
    """Against a plain loop over one window; brightness and contrast do not matter, a negative is -1."""
    rng = np.random.default_rng(0)
    one = cv2.GaussianBlur(rng.integers(0, 255, (60, 80)).astype(np.uint8), (0, 0), 2)
    other = cv2.GaussianBlur(rng.integers(0, 255, (60, 80)).astype(np.uint8), (0, 0), 2)
    mixed = np.asarray(one * 0.5 + other * 0.5, np.uint8)
    pairs = structure.Pairs(
        first=np.asarray(one, np.uint8)[None], second=mixed[None], pairing=[0], seen=np.ones((60, 80), np.bool_)
    )
    found = structure.agreement(pairs).r[0]
    ax, ay, bx, by = (g.astype(np.float64) for p in (one, mixed) for g in scharr(np.asarray(p, np.float64)))
    for y, x in ((30, 40), (20, 25), (44, 60)):
        window = (slice(y - 4, y + 5), slice(x - 4, x + 5))
        both = (ax * bx + ay * by)[window].mean()
        ones, others = (ax * ax + ay * ay)[window].mean(), (bx * bx + by * by)[window].mean()
        assert found[y, x] == pytest.approx(both / (np.sqrt(ones * others) + 0.5), abs=0.01)
    darker = np.asarray(one * 0.4 + 90, np.uint8)
    negative = np.asarray(255 - one, np.uint8)
    for second, expected in ((darker, 1.0), (negative, -1.0)):
        pair = structure.Pairs(
            first=np.asarray(one, np.uint8)[None], second=second[None], pairing=[0], seen=np.ones((60, 80), np.bool_)
        )
        assert float(np.median(structure.agreement(pair).r)) == pytest.approx(expected, abs=0.1)


def scharr(picture: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Derivatives by Scharr's filter, as plain shifts."""
    padded = np.pad(picture, 1, mode="reflect")

    def at(dy: int, dx: int) -> NDArray[np.float64]:
        height, width = picture.shape
        return padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    across = sum(w * (at(dy, 1) - at(dy, -1)) for dy, w in ((-1, 3), (0, 10), (1, 3)))
    down = sum(w * (at(1, dx) - at(-1, dx)) for dx, w in ((-1, 3), (0, 10), (1, 3)))
    return np.asarray(across) / 32, np.asarray(down) / 32


def test_three_frames_are_averaged_and_the_ends_over_two() -> None:
    values = [np.full((2, 2), float(n), np.float32) for n in (0, 3, 6, 30)]
    found = [float(mean[0][0, 0]) for mean in structure._over_three((v, v, v) for v in values)]
    assert found == [1.5, 3.0, 13.0, 18.0]
    assert [float(m[0][0, 0]) for m in structure._over_three(iter([(values[1],) * 3]))] == [3.0]


def test_the_light_is_read_as_published() -> None:
    """D65 white is 6504 K (153.8 mired); middle grey of linear luminance 0.1842 is L* 50; sRGB red has none."""
    white, red = np.array([0.9505, 1.0, 1.089]), np.array([0.4124, 0.2126, 0.0193])
    assert harmony._mired(white) == pytest.approx(1e6 / 6504, rel=0.005)
    illuminant_a = np.array([1.0985, 1.0, 0.3558])
    assert harmony._mired(illuminant_a) == pytest.approx(1e6 / 2856, rel=0.01)
    assert harmony._mired(red * 0.9) is None
    assert harmony._mired(white * 0.005) is None
    grey = 16 + 219 * (1.055 * 0.18418651851 ** (1 / 2.4) - 0.055)
    clip = footage(np.full((1, 40, 40), round(grey), np.uint8))
    light = harmony._light(clip, [0], np.ones((1, 40, 40), np.bool_))
    assert light is not None
    assert light.lightness == pytest.approx(50, abs=0.5)
    assert light.contrast == pytest.approx(0, abs=1e-6)


def footage(luma: NDArray[np.uint8]) -> signals.footage.Footage:
    half = np.full((len(luma), luma.shape[1] // 2, luma.shape[2] // 2), 128, np.uint8)
    return signals.footage.Footage(luma=luma, blue=half, red=half, fine={0: luma[0]}, scale=1.0)


def test_flow_and_the_cameras_part_of_it() -> None:
    rng = np.random.default_rng(1)
    wide = np.asarray(cv2.GaussianBlur(rng.integers(0, 255, (120, 400)).astype(np.uint8), (0, 0), 2.5), np.uint8)
    panned = np.stack([wide[:, 2 * n : 2 * n + 200] for n in range(4)])
    field = motion.flow(panned)
    assert field.shape == (3, 60, 100, 2)
    parted = motion.part(field[1], np.ones((120, 200), np.bool_))
    assert parted is not None
    assert parted.camera == pytest.approx(2.0, abs=0.2)
    assert parted.own < 0.3
    assert motion.part(field[1], np.zeros((120, 200), np.bool_)) is None


@pytest.mark.parametrize(
    ("order", "loop", "ping_pong"),
    [
        (list(range(40)), None, False),
        ([n % 13 for n in range(40)], 13, False),
        ([n if n < 20 else 39 - n for n in range(40)], None, True),
        ([5] * 40, None, False),
    ],
    ids=["onwards", "loop", "to and fro", "still"],
)
def test_pictures_that_come_back(order: list[int], loop: int | None, ping_pong: bool) -> None:
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.normal(0, 2, (40, 600)), axis=0).astype(np.float32) + 100
    values = walk[order] + rng.normal(0, 0.1, (40, 600)).astype(np.float32)
    found = motion.returns(values)
    assert (found.loop, found.ping_pong) == (loop, ping_pong)


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ([3] * 30, "frozen"),
        (list(range(29, -1, -1)), "reversed"),
        (list(range(5, 35)), "shifted"),
        ([n // 2 for n in range(30)], "re-timed"),
        ([(n * 7) % 30 for n in range(30)], "scrambled"),
    ],
)
def test_what_was_done_to_time_has_its_name(shown: list[int], name: str) -> None:
    rate = float(np.polyfit(np.arange(30), shown, 1)[0])
    assert timing._named(np.array(shown), rate) == name


# -- real videos -----------------------------------------------------------------------------------------------------


def pairs(data: Path) -> list[tuple[str, Path, Path]]:
    """Every real pair: whose edit it is, the source, the edit."""
    found = []
    for edited in sorted(data.glob("submissions/**/*_edited.mp4")):
        name = edited.name.replace("_edited", "")
        places = [*data.glob(f"sparkle-bench-mini/source_videos/*/{name}"), *data.glob(f"openve-mini/videos/{name}")]
        found.append((edited.relative_to(data / "submissions").parts[0], places[0], edited))
    return found


@pytest.fixture(scope="module")
def real(data: Path) -> dict[tuple[str, str], signals.Signals]:
    """Signals of all sixteen real edits, by maker and sample."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda pair: signals.measure(pair[1], pair[2]), pairs(data))
    return {(maker, source.stem): s for (maker, source, _), s in zip(pairs(data), found, strict=True)}


def test_real_sources_are_recognised_also_re_encoded_and_no_real_edit_is(
    data: Path, real: dict[tuple[str, str], signals.Signals], tmp_path: Path
) -> None:
    sources = sorted({source for _, source, _ in pairs(data)})
    assert len(sources) == 12
    assert len(real) == 16

    def again(source: Path) -> list[str | None]:
        copy = tmp_path / source.name
        video.write(copy, frames(source), fps=16, crf=30, preset="veryfast")
        return [signals.measure(source, edited).change.how for edited in (source, copy)]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(again, sources)) == [["the same file", "re-encoded"]] * 12
    assert not any(found.change.source_again for found in real.values())
    assert min(found.change.changed for found in real.values()) > 0.7


def test_real_edits_keep_their_subject_at_its_frames(real: dict[tuple[str, str], signals.Signals]) -> None:
    assert all(found.subject.found for found in real.values())
    assert {found.media.timing for found in real.values()} == {"index-aligned", "unknown"}
    assert sum(found.media.timing == "unknown" for found in real.values()) <= 4  # subjects that hardly move


def test_backgrounds_of_sparkle_move_more_than_those_of_openve(real: dict[tuple[str, str], signals.Signals]) -> None:
    """The benchmark's paper says that OpenVE-3M's backgrounds are static: in every pair, by energy and by share."""
    shared = [sample for maker, sample in real if maker == "openve-3m"]
    assert len(shared) == 4
    for sample in shared:
        ours, theirs = (real[maker, sample].background for maker in ("sparkle-data", "openve-3m"))
        assert (ours.energy or 0) > 2 * (theirs.energy or 9)
        assert ours.frozen is not None
        assert theirs.frozen is not None
        assert ours.frozen < theirs.frozen


def test_no_real_edit_but_the_one_with_neon_signs_has_new_text(real: dict[tuple[str, str], signals.Signals]) -> None:
    told = {sample for (_, sample), found in real.items() if found.text.new_lines}
    assert told <= {"Sparkle_style_000737"}
