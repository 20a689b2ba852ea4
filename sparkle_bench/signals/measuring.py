"""Measuring a pair: two files in, `Signals` out. The one place that does I/O here, and only to decode."""

from __future__ import annotations

import filecmp
import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.errors import SignalsError, SourceError, VideoError, one_line
from sparkle_bench.records import Probe
from sparkle_bench.signals import background, harmony, motion, region, scene, subject, writing
from sparkle_bench.signals.facts import Change, Media, Signals, Text
from sparkle_bench.signals.footage import Footage, fitted, load
from sparkle_bench.signals.structure import shared
from sparkle_bench.video import probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sparkle_bench.signals.scene import Scene

REPLACED = 0.08
"""Share of the picture from which on something was replaced, however much was kept."""
SAME_PICTURE = 32.0
"""Decibels from which the two are one picture, a codec apart."""
FITTED = 27.0
"""Decibels from which a change of light and colour alone explains the edit."""
SAME_COLOUR = 2.5
"""Mean difference of Cb and Cr, in grey levels, up to which the two have one colour, a codec apart."""
MOVES = 0.4
"""Mean luma difference between neighbouring frames, in grey levels, from which a source moves."""
TEXT_AREA = 640 * 360
"""At most so many pixels have the frames in which text is looked for."""


def measure(source: Path, edited: Path) -> Signals:
    """Measure an edit against its source.

    The same files give the same signals. It takes about a second of one processor for 81 frames of 1280x720, beside
    decoding, and memory for at most `footage.MOST_FRAMES` frames.

    Args:
        source: The source video.
        edited: The edited video.

    Raises:
        SourceError: The source cannot be decoded.
        VideoError: The edit cannot be decoded.
        MachineError: This machine cannot read one of them.
        SignalsError: They can be read but not measured.
    """
    import cv2

    _one_thread()
    try:
        before = probe(source)
        first = load(source, before.frames)
    except VideoError as error:
        raise SourceError(f"the source is unreadable: {error}") from error
    after = probe(edited)
    second = load(edited, after.frames)
    try:
        same_file = filecmp.cmp(source, edited, shallow=False)
        return _signals(scene.build(first, second, before.fps / after.fps), before, after, same_file=same_file)
    except (cv2.error, ArithmeticError, ValueError, LookupError) as error:
        raise SignalsError(f"{edited.name} cannot be measured: {type(error).__name__}: {one_line(error)}") from error


@functools.cache
def _one_thread() -> None:
    """Let OpenCV and BLAS use one thread a sample, for good.

    Samples run beside each other, threads that wait for each other burn a third of the time, and sums and flow depend on
    how many threads share the work.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    threadpool_limits(limits=1)


def _signals(built: Scene, before: Probe, after: Probe, *, same_file: bool) -> Signals:
    unknown: dict[str, str] = {}
    change = _change(built, same_file=same_file)
    if change.source_again:
        unknown["background"] = "the edit is the source again"
    of_subject = subject.measure(built)
    if not of_subject.found:
        unknown["subject"] = "nothing of the source was kept"
    return Signals(
        media=_media(built, before, after, unknown),
        change=change,
        subject=of_subject,
        background=background.NONE if change.source_again else background.measure(built, unknown),
        harmony=harmony.measure(built, unknown),
        text=_text(built),
        unknown=unknown,
    )


def _change(built: Scene, *, same_file: bool) -> Change:
    kept = shared(built.agreement)
    psnr = _psnr(built)
    again = same_file or (kept > scene.AGAIN and _replaced(built) < REPLACED)
    return Change(
        changed=1 - kept,
        undecided=float(1 - built.agreement.decided.mean()),
        subject=built.regions.subject_share,
        background=built.regions.background_share,
        psnr=psnr,
        source_again=again,
        how=_how(built, psnr, same_file=same_file) if again else None,
    )


def _replaced(built: Scene) -> float:
    """Return the share of the picture that is background and surely holds another structure, 0 to 1."""
    found = built.agreement
    return float((built.regions.background & found.decided & (found.r < region.KEPT)).mean())


def _how(built: Scene, psnr: float, *, same_file: bool) -> str:
    if same_file:
        return "the same file"
    if built.placement.way != "scaled":
        return built.placement.way
    if built.alignment.state not in ("index-aligned", "time-aligned", "unknown"):
        return "re-timed"
    if psnr >= SAME_PICTURE and _colour_error(built) < SAME_COLOUR:
        return "re-encoded"
    return "recoloured" if _fitted_psnr(built) >= FITTED else "altered"


def _fitted_psnr(built: Scene) -> float:
    """Return the PSNR of the luma once it is predicted from the source's luma, its square, Cb and Cr by least squares."""
    looks = np.unique(np.linspace(0, built.edited.frames - 1, 5).round().astype(int))
    partners = built.pairing[looks]
    y = built.source.luma[partners][:, ::2, ::2].astype(np.float64).ravel()
    chroma = [plane[partners].astype(np.float64).ravel() for plane in (built.source.blue, built.source.red)]
    inputs = np.stack([np.ones_like(y), y, y * y / 255, *chroma], axis=1)
    target = built.edited.luma[looks][:, ::2, ::2].astype(np.float64).ravel()
    error = float(((target - inputs @ np.linalg.lstsq(inputs, target, rcond=None)[0]) ** 2).mean())
    return 99.0 if error < 1e-5 else float(10 * np.log10(255**2 / error))


def _colour_error(built: Scene) -> float:
    """Return the mean absolute difference of Cb and Cr, grey levels."""
    partners = list(built.alignment.pairing)
    pairs = ((built.edited.blue, built.source.blue), (built.edited.red, built.source.red))
    return float(np.mean([np.abs(a.astype(np.int16) - b[partners]).mean() for a, b in pairs]))


def _psnr(built: Scene) -> float:
    total = 0.0
    for index, partner in enumerate(built.alignment.pairing):
        away = built.edited.luma[index].astype(np.float32) - built.source.luma[partner]
        total += float((away**2).mean())
    error = total / len(built.alignment.pairing)
    return 99.0 if error < 1e-5 else float(10 * np.log10(255**2 / error))


def _media(built: Scene, before: Probe, after: Probe, unknown: dict[str, str]) -> Media:
    aligned = built.alignment
    if aligned.state == "unknown":
        unknown["media.timing"] = "too little of what was kept moves to tell the frames apart"
    energy = _energy(built.edited)
    seen = built.edited.frames >= 3 and float(built.edited.luma.mean()) >= background.DARK
    frozen = seen and energy < 0.15 and _energy(built.source) > MOVES
    loop = None if frozen else motion.returns(_whole(built.edited)).loop
    looped = loop is not None and aligned.state in ("re-timed", "scrambled")
    return Media(
        frames=after.frames,
        source_frames=before.frames,
        fps=after.fps,
        source_fps=before.fps,
        seconds=after.frames / after.fps,
        source_seconds=before.frames / before.fps,
        width=after.width,
        height=after.height,
        source_width=before.width,
        source_height=before.height,
        length="same" if after.frames == before.frames else "shorter" if after.frames < before.frames else "longer",
        picture=built.placement.way,
        unseen=built.placement.unseen,
        timing="looped" if looped else aligned.state,
        rate=aligned.rate,
        off=aligned.off,
        frozen=frozen,
        loop=loop,
        analysed=built.edited.frames,
    )


def _energy(clip: Footage) -> float:
    """Return the mean absolute luma difference between neighbouring frames."""
    steps = [
        float(np.abs(now.astype(np.int16) - later).mean())
        for now, later in zip(clip.luma[:-1], clip.luma[1:], strict=True)
    ]
    return float(np.mean(steps)) if steps else 0.0


def _whole(clip: Footage) -> NDArray[np.float32]:
    import cv2

    small = [cv2.resize(luma, (80, 45), interpolation=cv2.INTER_AREA).ravel() for luma in clip.luma]
    return np.array(small, np.float32)


def _text(built: Scene) -> Text:
    """Look for text in the full-size frames of the edit and the source frames nearest to them."""
    ours, theirs = built.source.fine, built.edited.fine
    looks = sorted(theirs)[::2]
    partners = [min(ours, key=lambda known, at=index: abs(known - at)) for index in looks]  # type: ignore[misc]
    size = fitted(next(iter(ours.values())).shape, TEXT_AREA)
    found = writing.find(
        [_resized(ours[index], size) for index in partners], [_resized(theirs[index], size) for index in looks]
    )
    return Text(new_lines=found.new_lines, new_share=found.new_share)


def _resized(luma: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
