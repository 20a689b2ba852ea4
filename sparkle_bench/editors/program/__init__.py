"""Programs of other projects, described by presets: one call makes one clip or many, in the project's own environment.

In this package: `spec` (the section `[program]`), `template` (texts with placeholders), `given` (what the user gives),
`call` (the files and words of one call, and what is new after it), `clip` (what the program is given, and the edit that
becomes of what it made), `making` (calls, and what comes of a failure), `batches` (gathering), `about` (what is recorded).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkle_bench.editors import studio
from sparkle_bench.editors.preset import Preset
from sparkle_bench.editors.process import Programs
from sparkle_bench.editors.program import about, spec
from sparkle_bench.editors.program.batches import Batches
from sparkle_bench.editors.program.clip import Clip, look
from sparkle_bench.editors.program.given import Given, checked, folder
from sparkle_bench.editors.program.making import Maker, Outcome
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Effort, Sample

__all__ = ["Program"]


class Program:
    """A program of another project: `--option checkout=FOLDER`, and what its preset declares beside that.

    Calls that make several clips are gathered from as many threads. A call that fails is made again clip by clip, so that
    no clip fails by its neighbour's fault; one that runs out of time is not.
    """

    thread_safe = True
    incidental = ("timeout", "batch", "scratch")

    def __init__(
        self,
        *,
        preset: Preset,
        checkout: Path | None = None,
        python: Path | None = None,
        seed: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        timeout: float = 7200.0,
        batch: int | None = None,
        scratch: Path | None = None,
        **own: Any,
    ) -> None:
        """Check that all is there.

        Args:
            preset: What describes the program.
            checkout: The project's folder.
            python: The interpreter of its environment; else that of a `.venv` or `venv` in the checkout.
            seed: Of the noise, where the program takes one; 0 if left out.
            steps: Of sampling, where it takes them.
            guidance: Its scale, where it takes one.
            timeout: Seconds after which a call is ended; a call that makes several clips has as many times as much.
            batch: How many clips a call makes, for a program that makes several.
            scratch: Where the files of a call lie while it runs; else where this machine keeps temporary ones.
            own: What the preset declares in `[program.options]`.
        """
        if not 0 < timeout < math.inf:
            raise EditorError(f"a time limit of {timeout} s is none")
        self._preset, self._spec = preset, spec.read(preset)
        settings = {"seed": seed, "steps": steps, "guidance": guidance}
        self._given = Given(checkout=checkout, python=python, settings=settings, own=own)
        self._values = checked(self._given, preset, self._spec)
        self._programs = Programs()
        maker = Maker(
            spec=self._spec,
            values=self._values,
            output=preset.output,
            timeout=timeout,
            scratch=folder("scratch", scratch) if scratch else None,
            programs=self._programs,
        )
        self.at_once = self._batch(batch)
        self._batches: Batches[Clip, Outcome] = Batches(self.at_once, maker.made)

    def _batch(self, wanted: int | None) -> int:
        most = self._spec.batch if wanted is None else wanted
        if most < 1 or (most > 1 and self._spec.batch == 1):
            raise EditorError(f"a call of {self._preset.name} makes {self._spec.batch} clip; batch={most} cannot be")
        return most

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Look once more whether all is there.

        Raises:
            EditorError: Something is missing.
        """
        checked(self._given, self._preset, self._spec)

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        """Return (frames, height, width) as the program sees the sample."""
        return studio.shape(sample.source_path, self._preset.fit) if self._preset.fit else (0, 0, 0)

    def describe(self) -> dict[str, Any]:
        """Return the command, its options and what decides the edits, without this machine's folders; the project's state."""
        return {
            "command": about.command(self._spec),
            "batch": self.at_once,
            **about.options(self._spec, self._values),
            **about.output(self._preset),
            **about.project(self._values),
        }

    def declared(self) -> dict[str, Any]:
        """Return what the makers declare of the model, and the settings that are used here."""
        used: dict[str, Any] = {
            name: self._values.get(name) for name in ("seed", "steps", "guidance") if name in self._spec.used
        }
        fit = self._preset.fit
        if fit is not None:
            width, height = fit.size or (None, None)
            used |= {"frames": fit.most, "width": width, "height": height}
        return self._preset.declares(**used, fps=self._preset.output.fps)

    def close(self) -> None:
        """End every call that is still running."""
        self._programs.close()

    def edit(self, sample: Sample, out: Path) -> Effort:
        """Have the program make an edit.

        Raises:
            VideoError: The source cannot be read, or what the program made is no video.
            OutOfMemory: The GPU is too small.
            EditorError: The program cannot start, fails, runs out of time, or makes no video or another one than it should.
            MachineError: The disk is full.
        """
        outcome = self._batches.outcome(look(sample, out, self._preset, self._spec))
        if not isinstance(outcome, Effort):
            raise outcome
        return outcome
