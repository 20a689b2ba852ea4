"""One pair, laid on one grid, paired in time and divided into regions: what the groups of signals are measured on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.signals import motion, place, region, structure, timing
from sparkle_bench.signals.footage import Footage

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A source and its edit, ready to be measured.

    Attributes:
        source: The source.
        edited: The edit, on the source's grid.
        raw: The edit as it is, for its full-size frames.
        placement: Where the edit's picture lies on the source's.
        alignment: Which source frame each frame of the edit shows.
        agreement: How far each frame of the edit shares its structure with that source frame.
        regions: Subject and background, frame by frame of the edit.
        source_flow: Optical flow of the source, at every other pixel.
        edited_flow: The same of the edit, on the source's grid.
    """

    source: Footage
    edited: Footage
    raw: Footage
    placement: place.Placement
    alignment: timing.Alignment
    agreement: structure.Agreement
    regions: region.Regions
    source_flow: NDArray[np.float32]
    edited_flow: NDArray[np.float32]

    @property
    def pairing(self) -> NDArray[np.intp]:
        """For each frame of the edit the source frame that it shows."""
        return np.array(self.alignment.pairing)


AGAIN = 0.75
"""Share of the picture that must agree, in either sign, for the edit to be the source again."""


def build(source: Footage, edited: Footage, pace: float = 1.0) -> Scene:
    """Lay, pair and divide two clips; `pace` is the source's rate over the edit's."""
    placement = place.place(source, edited)
    laid, seen = place.lay(source, edited, placement)
    alignment = timing.align(source, laid, pace)
    found = structure.agreement(
        structure.Pairs(first=source.luma, second=laid.luma, pairing=alignment.pairing, seen=seen)
    )
    if structure.shared(found) > AGAIN:  # of a negative too, all is kept
        found = dataclasses.replace(found, r=np.abs(found.r))
    return Scene(
        source=source,
        edited=laid,
        raw=edited,
        placement=placement,
        alignment=alignment,
        agreement=found,
        regions=region.regions(found, seen),
        source_flow=motion.flow(source.luma),
        edited_flow=motion.flow(laid.luma),
    )
