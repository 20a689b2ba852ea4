"""How a benchmark's samples hang together: which theme, subtheme and scene each belongs to. Pure.

Samples of one scene are edits of alike videos with alike instructions: they are not independent, scenes are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparkle_bench.records import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Where every sample belongs.

    Attributes:
        themes: T names, in the samples' order of first appearance.
        subthemes: U pairs of theme and subtheme, by theme, then in order of first appearance.
        theme: (S,) index into `themes`.
        subtheme: (S,) index into `subthemes`.
        scene: (S,) number of the scene, from 0. A scene is a theme, a subtheme and a name, so it never spans themes. They
            are numbered in the order of their names, so that what is drawn for a scene is the same in whatever order the
            samples come.
    """

    themes: tuple[str, ...]
    subthemes: tuple[tuple[str, str], ...]
    theme: NDArray[np.intp]
    subtheme: NDArray[np.intp]
    scene: NDArray[np.intp]

    @property
    def scenes(self) -> int:
        """How many there are."""
        return int(self.scene.max()) + 1 if len(self.scene) else 0

    @property
    def share(self) -> NDArray[np.float64]:
        """(S,) what a sample counts in the overall number: themes count alike, and so do the samples of a theme."""
        sizes = np.bincount(self.theme, minlength=len(self.themes))
        shares: NDArray[np.float64] = 1.0 / (len(self.themes) * sizes[self.theme])
        return shares

    def check(self, marks: NDArray[np.float64]) -> None:
        """Refuse marks that are not these samples', or of which one is missing.

        Args:
            marks: (..., S, D).

        Raises:
            ValueError: There are more or fewer samples, or a mark is no number.
        """
        if marks.shape[-2] != len(self.theme):
            raise ValueError(f"marks of {marks.shape[-2]} samples do not fit a benchmark of {len(self.theme)}")
        if not np.isfinite(marks).all():
            raise ValueError("a mark is missing; only complete results can be compared")


def design(samples: Sequence[Sample]) -> Design:
    """Return how the samples hang together.

    Args:
        samples: All of a benchmark's, in the order of the marks.

    Raises:
        ValueError: There is none.
    """
    if not samples:
        raise ValueError("there is no sample to tell the themes from")
    themes = list(dict.fromkeys(sample.theme for sample in samples))
    found = dict.fromkeys((sample.theme, sample.subtheme) for sample in samples)
    subthemes = sorted(found, key=lambda pair: themes.index(pair[0]))  # stable: first appearance within a theme
    labels = [(sample.theme, sample.subtheme, sample.scene) for sample in samples]
    number = {label: index for index, label in enumerate(sorted(set(labels)))}
    return Design(
        themes=tuple(themes),
        subthemes=tuple(subthemes),
        theme=np.array([themes.index(sample.theme) for sample in samples], dtype=np.intp),
        subtheme=np.array([subthemes.index(label[:2]) for label in labels], dtype=np.intp),
        scene=np.array([number[label] for label in labels], dtype=np.intp),
    )
