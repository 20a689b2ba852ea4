"""Edits of the demo's clips whose one fault is known, and a right one, so that a judge's marks can be checked.

One clip asks for a still photograph: there `static-background` is as right as `composite`, and the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparkle_bench.benchmark import suggestion
from sparkle_bench.errors import EditorError, VideoError, listed
from sparkle_bench.records import Sample

if TYPE_CHECKING:
    from sparkle_bench.synthetic import Clip, Picture

ANSWERS: dict[str, str] = {
    "composite": "nothing is wrong: the subject, relit, before the new scene that was asked for",
    "static-background": "the new background stands still, frozen at its first frame; spoils the background's dynamics",
    "damaged-subject": "parts of the subject are missing and its outline wobbles; spoils foreground integrity",
    "wrong-background": "another sample's scene, as well made; spoils instruction compliance, which no pixel betrays",
    "retimed": "the subject moves slowly, then in a rush; spoils the consistency of the foreground's motion",
    "blurred-background": "the new background moves but has no detail; spoils the background's visual quality",
    "day-lit-subject-at-night": "the subject keeps the light of the source; spoils the harmony of light and colour",
}
"""What is wrong with each edit, and which dimension it spoils most."""

SLOW, TURN = 0.6, 26
"""A retimed subject moves at `SLOW` times its speed up to frame `TURN`, and then hurries to be in time at the end."""


class KnownAnswer:
    """A right edit, or one with a single fault, of the demo's clips: `--option answer=NAME`."""

    thread_safe = True

    def __init__(self, *, answer: str) -> None:
        """Choose an answer.

        Args:
            answer: A key of `ANSWERS`.

        Raises:
            EditorError: There is no such answer.
        """
        if answer not in ANSWERS:
            raise EditorError(f"no known answer {answer!r}; {suggestion(answer, ANSWERS)}")
        self._answer = answer

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Refuse samples that are not the demo's.

        Raises:
            EditorError: A sample is none of the demo's, or the true masks are not beside its clip.
        """
        from sparkle_bench.synthetic import CLIPS

        foreign = [s.id for s in samples if s.id not in CLIPS or s.instruction != CLIPS[s.id].instruction]
        if foreign:
            raise EditorError(f"known-answer edits the demo's clips alone; not of the demo: {listed(foreign)}")
        bare = [s.id for s in samples if not (s.root / CLIPS[s.id].true_mask).is_file()]
        if bare:
            raise EditorError(f"no true masks beside the clips of {listed(bare)}; write the demo's benchmark again")

    def edit(self, sample: Sample, out: Path) -> None:
        """Write the edit.

        Raises:
            EditorError: The sample is not the demo's.
            VideoError: Its source or its true masks cannot be read.
        """
        from sparkle_bench import synthetic, video

        self.prepare([sample])
        pictures = _edited(self._answer, synthetic.CLIPS[sample.id], sample)
        video.write(out, pictures, fps=synthetic.FPS, crf=synthetic.CRF, preset=synthetic.PRESET)


def _edited(answer: str, clip: Clip, sample: Sample) -> Iterator[Picture]:
    """Yield the frames of an edit; what is asked of `answer` is all that sets one apart from another."""
    from sparkle_bench import synthetic
    from sparkle_bench.video.frames import frames

    source, masks = list(frames(sample.source_path)), synthetic.true_masks(sample.root, clip)
    if len(source) != len(masks) or source[0].shape[:2] != masks.shape[1:]:
        raise VideoError(f"the source of {sample.id} is not the demo's; write the demo's benchmark again")
    target = wrong_target(clip) if answer == "wrong-background" else clip.target
    scene, light = synthetic.scene(target), synthetic.SETTINGS[target].light
    for index in range(len(source)):
        background = scene(0.0 if answer == "static-background" else synthetic.instant(index))
        if answer == "blurred-background":
            background = synthetic.blurred(background)
        shown = retimed(index, len(source)) if answer == "retimed" else index
        subject, mask = synthetic.without_fringe(source[shown], masks[shown]), masks[shown]
        if answer != "day-lit-subject-at-night":
            subject = synthetic.relit(subject, synthetic.SETTINGS[clip.source].light, light)
        if answer == "damaged-subject":
            mask = synthetic.eaten(mask, index)
        yield synthetic.laid_over(background, subject, mask)


def retimed(index: int, count: int) -> int:
    """Return which of `count` source frames a retimed edit shows as frame `index`."""
    if index <= TURN:
        return round(SLOW * index)
    rest = (index - TURN) / max(1, count - 1 - TURN)
    return round(SLOW * TURN + rest * (count - 1 - SLOW * TURN))


def wrong_target(clip: Clip) -> str:
    """Return the scene of another sample, one in which things move."""
    from sparkle_bench.synthetic import CLIPS, SETTINGS

    moving = [other.target for other in CLIPS.values() if SETTINGS[other.target].moves]
    # Four on is a place of another kind for every clip; five on would put one city at night for another.
    return moving[(list(CLIPS).index(clip.id) + 4) % len(moving)]
