"""An editor: a class with `edit(sample, out)`, and what else makes it pleasant to use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.editors import studio
from sparkle_bench.editors.preset import Output
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Effort, Sample
from sparkle_bench.video.conform import Fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIT = Fit(frames="4n+1", most=81, multiple=32)
"""What of a clip the model takes: the first 4n+1 frames up to 81, cropped so that both sides are multiples of 32."""


class Night:
    """Makes it night by darkening every frame; stands where your model will."""

    thread_safe = True  # several samples may be edited at once: the studio gives each its turn at the model
    at_once = studio.AT_ONCE  # one is decoded and one written while one is at the model

    def __init__(self, *, darkness: float = 0.5, seed: int = 0) -> None:
        """Check the options; import and load nothing here, so that a wrong option is told at once.

        Args:
            darkness: How dark the night is, from 0 to 1.
            seed: Of the noise, if the model draws any.
        """
        if not 0 <= darkness <= 1:
            raise EditorError(f"option darkness={darkness:g} is not between 0 and 1")
        self._darkness, self._seed = darkness, seed
        self._studio = studio.Studio(FIT, Output(), self._generate)
        self._model: Any = None

    def load(self) -> None:
        """Import torch and load the weights: called once, in the process that edits."""
        self._model = lambda picture: (picture * (1 - self._darkness)).astype(picture.dtype)

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        """Return (frames, height, width): samples of one shape are edited in a row."""
        return studio.shape(sample.source_path, FIT)

    def describe(self) -> dict[str, Any]:
        """Return what tells one way of making edits from another: options, versions, the weights' revision."""
        return {"darkness": self._darkness, "seed": self._seed, "version": "0.1.0"}

    def declared(self) -> dict[str, Any]:
        """Return what a `submission.toml` would say; it stands in `sparkle-bench models` and on the boards."""
        return {
            "model": {"name": "Night", "version": "0.1.0", "parameters": "1K", "license": "Apache-2.0"},
            "settings": {"seed": self._seed},
        }

    def edit(self, sample: Sample, out: Path) -> Effort:
        """Write the edit of a sample to `out`. Whatever is raised is recorded as this sample's failure."""
        return self._studio.edit(sample, out)

    def _generate(self, sample: Sample, clip: studio.Clip) -> Sequence[NDArray[np.uint8]]:
        """Return the edit's frames (H×W×3, uint8): as many and of the same size as the clip's. This is your model."""
        if self._model is None:
            self.load()
        return [self._model(picture) for picture in clip.pictures]
