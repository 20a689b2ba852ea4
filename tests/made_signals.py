"""Signals made up for tests: those of a good edit, with whatever should differ."""

from __future__ import annotations

import dataclasses
from typing import Any

from sparkle_bench.signals import Background, Change, Harmony, Media, Signals, Subject, Text

GOOD = Signals(
    media=Media(
        frames=81, source_frames=81, fps=16.0, source_fps=16.0, seconds=5.0625, source_seconds=5.0625,
        width=1280, height=720, source_width=1280, source_height=720, length="same", picture="scaled", unseen=0.0,
        timing="index-aligned", rate=1.0, off=0.0, frozen=False, loop=None, analysed=81,
    ),
    change=Change(
        changed=0.8, undecided=0.0, subject=0.2, background=0.7, psnr=9.0, source_again=False, how=None,
    ),
    subject=Subject(
        found=True, structure=0.9, solid=0.8, unsteady=0.02, contour=0.97, flow=2.0, flow_error=0.3, drift=0.0,
        colour_drift=1.0,
    ),
    background=Background(
        energy=2.0, source_energy=0.3, steadiness=0.8, flow=0.6, camera=0.2, frozen=0.1, loop=None, ping_pong=False,
        flicker=0.3, sharpness=0.7, source_sharpness=0.65, blockiness=0.1,
    ),
    harmony=Harmony(
        luminance_before=5.0, luminance_after=4.0, temperature_before=10.0, temperature_after=12.0, contrast_before=1.0,
        contrast_after=1.0, subject_luminance=-12.0, background_luminance=-20.0,
    ),
    text=Text(new_lines=0, new_share=0.0),
)  # fmt: skip


def made(**groups: dict[str, Any]) -> Signals:
    """Return the good edit's signals with some of them changed: `made(background={"frozen": 0.95})`."""
    changed = {name: dataclasses.replace(getattr(GOOD, name), **fields) for name, fields in groups.items()}
    return dataclasses.replace(GOOD, **changed)
