"""The rules by which the embedded judge turns signals into marks from 1 to 5. Pure.

Each rule starts at 5 and takes off what the pixels show to be wrong. It knows nothing of content: a background that moves
and is sharp passes, whatever it shows. The thresholds were set on the demo's clips and on twelve real edits; they are a
baseline for real judges and no substitute for one.

| rule | takes off for |
|---|---|
| compliance | the source again, nothing kept (both 1), little replaced; no motion where it is asked for; an altered subject |
| picture | light that the subject did not follow, flicker, softness |
| subject | structure lost, parts missing (more where they flicker, less where light may be the cause), drift over time |
| subject_motion | other instants than the source's; another optical flow |
| background_motion | standing still where motion is asked for, moving where stillness is; loops |
| background_picture | softness, blocks |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sparkle_bench.signals import Signals
from sparkle_bench.signals.request import ENERGETIC, STILL, UNSTATED

LOWEST, HIGHEST = 1, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark from 1 to 5 and, in a few words, why it is not higher."""

    value: int
    why: str = ""


def marks(signals: Signals, asked: str, by_dimension: Mapping[str, str]) -> dict[str, Mark]:
    """Return a mark for every dimension.

    Args:
        signals: What was measured.
        asked: The motion that the instruction asks for, see `signals.request.implied_motion`.
        by_dimension: For each dimension key the name of its rule.

    Raises:
        KeyError: There is no such rule.
    """
    return {key: RULES[rule](signals, asked) for key, rule in by_dimension.items()}


def compliance(signals: Signals, asked: str) -> Mark:
    """Mark whether something was replaced and something kept; what it shows is beyond the pixels."""
    change, subject = signals.change, signals.subject
    if change.source_again:
        return Mark(value=1, why=f"source again ({change.how})")
    if not subject.found:
        return Mark(value=1, why="nothing kept")
    value, why = _step(change.changed, ((0.3, 1), (0.5, 2), (0.6, 3)), "little replaced")
    if asked not in (STILL, UNSTATED) and stands_still(signals):
        value, why = value - 1, why or "no motion"
    if (subject.structure or 0) < 0.5:
        value, why = value - 1, why or "subject altered"
    return _mark(value, why)


def stands_still(signals: Signals) -> bool:
    """Whether the background is known to stand still, all of it or nearly."""
    share = signals.background.frozen
    return signals.media.frozen or (share is not None and share >= FROZEN)


FROZEN = 0.9
"""Share of the background from which it counts as frozen."""


def picture(signals: Signals, asked: str) -> Mark:
    """Mark light, flicker and softness of the whole picture."""
    if signals.change.source_again:
        return Mark(value=5)
    lack = unfollowed_light(signals)
    flicker = signals.background.flicker or 0.0
    sharpness = signals.background.sharpness
    value = 5 - 3 * lack - (flicker > 4) - (flicker > 8) - (sharpness is not None and sharpness < 0.25)
    return _mark(value, "light not followed" if lack > 0.15 else "flicker" if flicker > 4 else "soft")


def unfollowed_light(signals: Signals) -> float:
    """Return how far the subject ignores a change of light, 0 to 1; 0 where that is unknown.

    The subject should follow at least a third of the background's change of lightness; a change of 30 L* weighs in full.
    """
    before, after = signals.harmony.background_luminance, signals.harmony.subject_luminance
    if before is None or after is None or abs(before) < 12:
        return 0.0
    return min(1.0, max(0.0, 1 - 3 * after / before)) * min(1.0, abs(before) / 30)


def subject(signals: Signals, asked: str) -> Mark:
    """Mark what is left of the subject."""
    found = signals.subject
    if not found.found:
        return Mark(value=1, why="no subject found")
    structure, why = _step(found.structure, ((0.4, 2), (0.55, 3)), "structure altered")
    unsteady = (found.unsteady or 0) >= UNSTEADY
    solid = _step(found.solid, DAMAGED if unsteady else RELIT, "")[0]
    value = min(structure, solid) - ((found.drift or 0) > 0.15)
    return _mark(value, "parts missing" if unsteady and solid < HIGHEST else why or "parts altered or drifting")


UNSTEADY = 0.06
"""Frame-to-frame change of structure from which lost structure is damage that flickers, not steady relighting."""
DAMAGED = ((0.46, 1), (0.56, 2), (0.65, 3))
RELIT = ((0.25, 2), (0.35, 3), (0.48, 4))
"""Highest marks below a share of solid subject."""


def subject_motion(signals: Signals, asked: str) -> Mark:
    """Mark whether the subject moves as in the source."""
    if not signals.subject.found:
        return Mark(value=1, why="no subject found")
    timing = signals.media.timing
    if timing in ("frozen", "scrambled", "reversed"):
        return Mark(value=1, why=f"subject {timing}")
    if timing in ("re-timed", "looped"):
        return Mark(value=2, why=f"subject {timing}")
    if timing == "shifted":
        return Mark(value=3, why="subject shifted in time")
    flow, error = signals.subject.flow, signals.subject.flow_error
    if flow is None or error is None:  # unknown takes nothing off
        return Mark(value=5)
    ratio = error / (flow + signals.media.source_width / 2560)  # half a pixel of 1280 is nothing
    return _mark(5 - _below(ratio, ((0.9, 3), (0.65, 2), (0.45, 1))), "flow differs")


def background_motion(signals: Signals, asked: str) -> Mark:
    """Mark the background's motion against the motion asked for."""
    background = signals.background
    if background.energy is None:
        return Mark(value=1, why="no new background")
    still = background.frozen
    if asked == STILL:
        moving = (1 - still) if still is not None else min(1.0, background.energy)
        return _mark(5 - _below(moving, ((0.6, 4), (0.4, 3), (0.25, 2), (0.1, 1))), "moves")
    if asked == UNSTATED:
        return _mark(3 if stands_still(signals) else 5, "still")
    value = 5 - _below(still, ((FROZEN, 4), (0.72, 3), (0.6, 2), (0.55, 1)))
    if still is not None:
        value = min(value, _step(background.energy, ENERGY[asked == ENERGETIC], "")[0])
    if background.loop is not None or background.ping_pong:
        value = min(value, 3)
    return _mark(
        value, "still" if (still or 0) > 0.55 else "loops" if background.loop or background.ping_pong else "weak"
    )


ENERGY: Mapping[bool, tuple[tuple[float, int], ...]] = {
    False: ((0.12, 1), (0.2, 2), (0.25, 3)),
    True: ((0.12, 1), (0.3, 2), (0.5, 3), (0.7, 4)),
}
"""Highest mark below an energy (grey levels per frame), for gentle and for energetic requests."""


def background_picture(signals: Signals, asked: str) -> Mark:
    """Mark the background as a picture."""
    background = signals.background
    if background.energy is None:
        return Mark(value=1, why="no new background")
    value, why = _step(background.sharpness, SOFT, "soft")
    blocks = _below(background.blockiness, ((0.6, 2), (0.3, 1)))
    return _mark(value - blocks, why or "blocks")


SOFT = ((0.2, 1), (0.3, 2), (0.38, 3), (0.44, 4))
"""Highest marks below a sharpness."""

RULES: dict[str, Callable[[Signals, str], Mark]] = {
    "compliance": compliance,
    "picture": picture,
    "subject": subject,
    "subject_motion": subject_motion,
    "background_motion": background_motion,
    "background_picture": background_picture,
}


def _mark(value: float, why: str) -> Mark:
    whole = max(LOWEST, min(HIGHEST, round(value)))
    return Mark(value=whole, why=why if whole < HIGHEST else "")


def _step(value: float | None, steps: Sequence[tuple[float, int]], why: str) -> tuple[int, str]:
    """Return the mark of the first step that the value stays below, or the highest; unknown takes nothing off."""
    for limit, mark in steps:
        if value is not None and value < limit:
            return mark, why
    return HIGHEST, ""


def _below(value: float | None, steps: Sequence[tuple[float, int]]) -> int:
    """Return what to take off: that of the first limit that the value reaches, or nothing; unknown takes nothing off."""
    return next((off for limit, off in steps if value is not None and value >= limit), 0)
