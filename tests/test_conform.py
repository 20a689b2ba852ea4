"""Fitting a clip to what a model takes: the authors' size table, their frame rule, their crop and filter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sparkle_bench.errors import VideoError
from sparkle_bench.video.conform import USUAL, Box, Fit, conform, crop

SIZES: dict[tuple[int, int], tuple[tuple[int, int], Box | None]] = {
    (1280, 720): ((1280, 704), Box(left=0, top=8, width=1280, height=704)),
    (1920, 1080): ((1280, 704), Box(left=0, top=12, width=1920, height=1056)),
    (720, 1280): ((704, 1280), Box(left=8, top=0, width=704, height=1280)),
    (1080, 1920): ((704, 1280), Box(left=12, top=0, width=1056, height=1920)),
    (854, 480): ((832, 480), Box(left=11, top=0, width=832, height=480)),
    (1024, 1024): ((960, 960), Box(left=0, top=0, width=1024, height=1024)),
    (960, 544): ((960, 544), None),
    (832, 480): ((832, 480), None),
    (1280, 704): ((1280, 704), None),
    (1248, 704): ((1248, 704), None),
    (640, 360): ((640, 352), Box(left=0, top=4, width=640, height=352)),
    (3840, 2160): ((1280, 704), Box(left=0, top=24, width=3840, height=2112)),
}
"""(width, height) of a clip, of its target, and what is cut out; produced by the authors' own functions."""


@pytest.mark.parametrize(("size", "wanted"), SIZES.items(), ids=[f"{w}x{h}" for w, h in SIZES])
def test_the_authors_size_table(size: tuple[int, int], wanted: tuple[tuple[int, int], Box | None]) -> None:
    target, box = wanted
    assert USUAL.target(*size) == target
    assert crop(size, target) == (box or Box(left=0, top=0, width=size[0], height=size[1]))


@pytest.mark.parametrize("size", [size for size in SIZES if size[0] <= 1280])
def test_pictures_are_cut_and_scaled_by_pillow(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    target, box = SIZES[size]
    whole = Image.fromarray(picture)
    if box is not None:
        whole = whole.crop((box.left, box.top, box.left + box.width, box.top + box.height))
    wanted = np.asarray(whole if whole.size == target else whole.resize(target))  # Pillow's usual filter: bicubic
    found = next(conform([picture], target))
    assert found.shape == (target[1], target[0], 3)
    assert np.array_equal(found, wanted)


def test_a_clip_that_fits_is_left_alone() -> None:
    picture = np.zeros((704, 1280, 3), np.uint8)
    assert next(conform([picture], (1280, 704))) is picture


FRAMES: dict[str, tuple[Fit, dict[int, int]]] = {
    "4n+1": (Fit(), {81: 81, 80: 77, 69: 69, 82: 81, 300: 81, 1: 1, 4: 1, 5: 5}),
    "8n+1": (Fit(frames="8n+1", most=121), {81: 81, 80: 73, 121: 121, 130: 121, 9: 9}),
    "17n+5": (Fit(frames="17n+5", most=124), {124: 124, 81: 73, 22: 22, 21: 5}),
    "any": (Fit(frames="any", most=60), {81: 60, 7: 7}),
}


@pytest.mark.parametrize(("fit", "counts"), FRAMES.values(), ids=FRAMES)
def test_the_first_frames_are_taken_as_many_as_the_rule_allows(fit: Fit, counts: dict[int, int]) -> None:
    assert {total: fit.count(total) for total in counts} == counts


@settings(max_examples=300, deadline=None)
@given(total=st.integers(1, 400), most=st.integers(0, 40))
def test_the_authors_loop_counts_the_same(total: int, most: int) -> None:
    taken = total
    while taken % 4 != 1:
        taken -= 1
    if taken < 1:
        return
    assert Fit(most=4 * most + 1).count(total) == min(taken, 4 * most + 1)


@settings(max_examples=300, deadline=None)
@given(width=st.integers(32, 4096), height=st.integers(32, 4096))
def test_a_target_is_never_larger_and_always_of_whole_blocks(width: int, height: int) -> None:
    try:
        target = USUAL.target(width, height)
    except VideoError:
        assert max(width, height) / min(width, height) > 20  # a ribbon that was shrunk to nothing
        return
    assert target[0] % 32 == target[1] % 32 == 0
    assert target[0] <= width
    assert target[1] <= height
    assert target[0] * target[1] <= 1280 * 720
    box = crop((width, height), target)
    assert 0 <= box.left <= width - box.width
    assert 0 <= box.top <= height - box.height


@settings(max_examples=300, deadline=None)
@given(step=st.integers(1, 20), rest=st.integers(0, 40), times=st.integers(0, 10), total=st.integers(1, 400))
def test_frames_are_of_the_rules_form_or_the_clip_is_too_short(step: int, rest: int, times: int, total: int) -> None:
    most = step * times + rest
    allowed = [step * n + rest for n in range(times + 1) if 1 <= step * n + rest <= total]
    if most < 1:
        return
    fit = Fit(frames=f"{step}n+{rest}", most=most)
    if allowed:
        assert fit.count(total) == max(allowed)
        return
    with pytest.raises(VideoError, match="too short"):
        fit.count(total)


WRONG: dict[str, object] = {
    "a rule that is none": lambda: Fit(frames="4k"),
    "no multiple": lambda: Fit(multiple=0),
    "too few frames": lambda: Fit(frames="17n+5", most=124).count(4),
    "one frame where n would be below zero": lambda: Fit(frames="4n+5").count(1),
    "at most fewer than there can be": lambda: Fit(frames="4n+5", most=1),
    "a width that is no multiple": lambda: Fit(size=(840, 480)),
    "a height that is no multiple": lambda: Fit(size=(1280, 720)),
    "fewer than the model takes": lambda: Fit(fewest=49).count(45),
    "too small a picture": lambda: USUAL.target(31, 64),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(VideoError):
        make()


def test_a_model_with_one_size_gets_that() -> None:
    fit = Fit(size=(832, 480))
    assert fit.target(1280, 720) == (832, 480)
    assert crop((1280, 720), (832, 480)) == Box(left=16, top=0, width=1248, height=720)
