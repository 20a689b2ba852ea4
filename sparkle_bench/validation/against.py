"""An edit's frames, rate, size and aspect against its source's, from what both files hold. Pure.

The judge looks at both clips at the same shares of their lengths, and a model that goes frame by frame often writes another
rate than the source's: the benchmark's authors write 15 for sources at 16. So a slightly other rate is no trouble, and one
that is far off is worth a look, as is a clip of another length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from sparkle_bench.records import Probe
from sparkle_bench.validation.finding import Finding

SAME_RATE = 0.02
"""Rates this close are one: 15.98 written for 16, 23.976 for 24."""
NEAR_RATE = 0.1
"""Rates this close make no difference that anybody sees: 15 for 16."""
FEW = 3
"""So many frames are no other length: models that work on 4k+1 frames leave out up to three of a clip, or add them."""
MULTIPLE = 32
"""Models cut or stretch both sides to multiples of this."""
ASPECT = 0.01
"""An aspect this close is the same where sides are multiples of nothing."""


def of_time(source: Probe, edit: Probe) -> Iterator[Finding]:
    """Yield what is to be said of an edit's frames and rate."""
    apart = edit.frames - source.frames
    speed = edit.fps / source.fps
    if abs(apart) <= FEW:
        yield from _few_off(source, edit)
        yield from _of_rate(source, edit)
    elif abs(speed - 1) <= SAME_RATE:
        yield _of_length(source, edit)
    elif _same_seconds(source, edit):
        yield Finding(
            kind="retimed",
            text=f"re-timed: {_frames(edit)} over about the same {_seconds(source)} as the source's {_frames(source)}, "
            f"a frame for every {_factor(source.frames / edit.frames)} of the source",
        )
    elif abs(speed - 1) <= NEAR_RATE:
        yield _of_length(source, edit)
        yield from _of_rate(source, edit)
    else:
        yield Finding(
            kind="other_time",
            text=f"{_frames(edit)} ({_seconds(edit)}) for the source's {_frames(source)} ({_seconds(source)}): "
            "neither its frames nor its duration",
        )


def of_size(source: Probe, edit: Probe, *, stretch: float = 1.0) -> Iterator[Finding]:
    """Yield what is to be said of an edit's size and aspect.

    Args:
        source: What the source holds.
        edit: What the edit holds.
        stretch: How much wider than high a player shows one of the edit's pixels.
    """
    sizes = f"{edit.width}x{edit.height} instead of {source.width}x{source.height}"
    if abs(stretch - 1) > ASPECT:
        yield Finding(
            kind="aspect",
            text=f"its pixels are to be shown {stretch:.3g} times as wide as high; the judge's are square",
        )
    if (edit.width, edit.height) == (source.width, source.height):
        return
    if _fits(source, edit.width, edit.height):
        yield Finding(kind="other_size", text=sizes)
    elif _fits(source, edit.height, edit.width):
        yield Finding(kind="turned", text=f"{sizes}: turned by a quarter")
    else:
        yield Finding(kind="aspect", text=f"{sizes}: {_shape(source, edit)}")


def _few_off(source: Probe, edit: Probe) -> Iterator[Finding]:
    apart = edit.frames - source.frames
    if abs(apart) > 1:
        yield Finding(
            kind="few_frames_off",
            text=f"{edit.frames} frames, {abs(apart)} {'more' if apart > 0 else 'fewer'} than the source",
        )


def _of_rate(source: Probe, edit: Probe) -> Iterator[Finding]:
    speed = edit.fps / source.fps
    if abs(speed - 1) <= SAME_RATE:
        return
    if abs(speed - 1) <= NEAR_RATE:
        yield Finding(kind="near_rate", text=f"{edit.fps:.4g} instead of {source.fps:.4g} fps")
        return
    count = f"{edit.frames} frames as the source" if edit.frames == source.frames else f"{edit.frames} frames"
    yield Finding(
        kind="other_rate",
        text=f"{count}, but at {edit.fps:.4g} instead of {source.fps:.4g} fps: it plays {_factor(speed)} times as fast",
    )


def _of_length(source: Probe, edit: Probe) -> Finding:
    shorter = edit.frames < source.frames
    return Finding(
        kind="shorter" if shorter else "longer",
        text=f"{'shorter' if shorter else 'longer'} than the source: {edit.frames} frames ({_seconds(edit)}) "
        f"for {source.frames} ({_seconds(source)})",
    )


def _same_seconds(source: Probe, edit: Probe) -> bool:
    """Whether both last as long, but for a frame of the slower one."""
    apart = abs(edit.frames / edit.fps - source.frames / source.fps)
    return apart <= 1 / min(edit.fps, source.fps) + SAME_RATE * source.frames / source.fps


def _frames(probe: Probe) -> str:
    return f"{probe.frames} frames at {probe.fps:.4g} fps"


def _seconds(probe: Probe) -> str:
    return f"{probe.frames / probe.fps:.1f} s"


def _factor(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value >= 0.1 else f"{value:.2g}"


def _fits(source: Probe, width: int, height: int) -> bool:
    """Whether a size is the source's aspect, up to what cutting or stretching to multiples of 32 explains."""
    step = min(math.gcd(width, height), MULTIPLE)
    across, down = ((side - step, side + step) for side in (width, height))
    least = max(across[0] / source.width, down[0] / source.height)
    most = min(across[1] / source.width, down[1] / source.height)
    return least < most or abs(width * source.height / (height * source.width) - 1) <= ASPECT


def _shape(source: Probe, edit: Probe) -> str:
    """Say in words how an aspect is off."""
    wider = edit.width * source.height / (edit.height * source.width)
    for count, words in ((2, "two pictures"), (3, "three pictures")):
        if abs(wider / count - 1) < 0.05:
            return f"{_factor(wider)} times as wide for its height, as {words} side by side are"
        if abs(wider * count - 1) < 0.05:
            return f"{_factor(1 / wider)} times as high for its width, as {words} above each other are"
    how = "wide for its height" if wider > 1 else "high for its width"
    return f"{_factor(max(wider, 1 / wider))} times as {how}, so it was cropped or stretched"
