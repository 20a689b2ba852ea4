"""Kiwi-Edit and what was trained from it, such as Kiwi-Sparkle: a pipeline whose code lies beside its weights.

Two things differ from what the benchmark's authors ran, unless they are put right as here. The port to diffusers ends its
noise levels at 0.003, the original at 0; and the guidance scale of the paper, 5, is used by neither: each step is one pass
with the instruction and none without. It is taken and recorded as ignored, so that nobody adds what the results never had.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.editors import conversion, gpu, studio
from sparkle_bench.editors.preset import Preset
from sparkle_bench.editors.studio import Clip, Studio
from sparkle_bench.editors.weights import Weights, fingerprint, parts
from sparkle_bench.errors import EditorError, SparkleError, one_line
from sparkle_bench.records import Effort, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FRAMES, SIDES = "4n+1", 32
"""What the pipeline takes. Other numbers of frames crash it; other sides it rounds up, and stretches the picture."""
DTYPE = "bfloat16"
"""The pipeline's code names it outright; in any other type it crashes."""
SIGMAS = ("diffsynth", "port")
LIBRARIES = ("torch", "torchvision", "diffusers", "transformers", "accelerate", "einops")
"""Whose versions are recorded."""
TRAINING_STEPS = 1000


class Kiwi:
    """Kiwi-Edit and its kin, in a process and an environment of their own."""

    own_process = True
    incidental = ("model_path",)
    thread_safe = True
    at_once = studio.AT_ONCE

    def __init__(
        self,
        *,
        preset: Preset,
        model_path: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        steps: int = 50,
        seed: int = 0,
        shift: float = 5.0,
        guidance: float = 5.0,
        sigmas: str = "diffsynth",
    ) -> None:
        """Check the options.

        Args:
            preset: The model.
            model_path: The folder of a pipeline's weights and code, or its id on the Hugging Face Hub.
            revision: Of the Hub's repository: a commit, a tag or a branch.
            device: What torch computes on (cuda, cuda:1, cpu); a GPU, unless told otherwise.
            steps: Of sampling.
            seed: Of the noise; the same for every sample, as by the authors.
            shift: Of the noise levels towards the first.
            guidance: Recorded as ignored: the pipeline does without.
            sigmas: The noise levels: `diffsynth`, the original's, or `port`, those of the port to diffusers.

        Raises:
            EditorError: An option cannot be.
        """
        if preset.fit is None:
            raise EditorError(f"{preset.name} has no [fit]; Kiwi is given frames, not a file")
        sides = preset.fit.size or (preset.fit.multiple,)
        if preset.fit.frames != FRAMES or any(side % SIDES for side in sides):
            raise EditorError(f"Kiwi takes {FRAMES} frames and sides that are multiples of {SIDES}, such as 1280x704")
        if sigmas not in SIGMAS:
            raise EditorError(f"sigmas={sigmas!r} is none; known: {', '.join(SIGMAS)}")
        if steps < 1 or shift <= 0:
            raise EditorError(f"steps={steps} and shift={shift} cannot be; both are above zero")
        if model_path is None:
            raise EditorError(
                f"{preset.name} has no weights yet: make its folder with `sparkle-bench setup {preset.name}`, or pass "
                "--model-path FOLDER"
            )
        self._preset, self._fit = preset, preset.fit
        self._weights = Weights(place=model_path, revision=revision)
        self._wished, self._device = device, device or "cuda"
        self._steps, self._seed, self._shift = steps, seed, shift
        self._guidance, self._sigmas = guidance, sigmas
        self._pipeline: Any = None
        self._folder: Path | None = None
        self._studio: Studio | None = None

    def load(self) -> None:
        """Load the pipeline; once, however often it is called.

        Raises:
            EditorError: A library, weights or tensors are missing; the message has the cure.
            OutOfMemory: The GPU is too small.
        """
        if self._studio is not None:
            return
        folder = self._weights.folder
        if folder is not None or Path(self._weights.place).is_file():
            conversion.refuse(Path(self._weights.place).expanduser(), self._preset.name)
        self._weights.check()
        try:
            self._device = gpu.choose(self._wished or "cuda")
            self._pipeline = gpu.within(
                self._device, self._loaded, what="the model", advice=self._advice("another GPU")
            )
        except SparkleError:
            raise
        except Exception as error:  # the pipeline's code is other people's: whatever it raises
            raise EditorError(self._why(error)) from error
        if self._sigmas == "diffsynth":
            _set_sigmas(self._pipeline)
        self._studio = Studio(self._fit, self._preset.output, self._generate, gpu.gauge(self._device))

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        """Return (frames, height, width) as the model sees the sample."""
        return studio.shape(sample.source_path, self._fit)

    def edit(self, sample: Sample, out: Path) -> Effort:
        """Edit one sample.

        Raises:
            VideoError: The source cannot be read, or the edit not written.
            OutOfMemory: The GPU is too small for the clip.
            EditorError: The model is not loaded, or gave other frames than it should.
        """
        if self._studio is None:
            raise EditorError(f"{self._preset.name} is not loaded")
        return self._studio.edit(sample, out)

    def describe(self) -> dict[str, Any]:
        """Return the options as they are in effect, the weights, and the libraries' versions."""
        fit, output = self._fit, self._preset.output
        said: dict[str, Any] = {
            "steps": self._steps,
            "seed": self._seed,
            "shift": self._shift,
            "guidance": f"{self._guidance} (ignored)",
            "sigmas": self._sigmas,
            "dtype": DTYPE,
            "frames": fit.most,
            "multiple": fit.multiple,
            "size": f"{fit.size[0]}x{fit.size[1]}" if fit.size else "the source's",
            "fps": output.fps or "source",
            "crf": output.crf,
        }
        if self._pipeline is None or self._folder is None:
            return {"model": self._weights.called, **said}
        return said | {
            "device": self._device,
            "weights": self._record(self._folder),
            "versions": gpu.versions(*LIBRARIES),
            **gpu.facts(self._device),
        }

    def declared(self) -> dict[str, Any]:
        """Return what its makers declare, and how these edits are made."""
        width, height = self._fit.size or (None, None)
        notes = f"sigmas: {self._sigmas}; guidance {self._guidance:g} is ignored by the pipeline"
        said = self._weights.declared(self._preset.declared, self._preset.options.get("model_path"))
        return dataclasses.replace(self._preset, declared=said).declares(
            steps=self._steps,
            seed=self._seed,
            frames=self._fit.most,
            fps=self._preset.output.fps,
            width=width,
            height=height,
            notes=notes,
        )

    def close(self) -> None:
        """Let go of the model."""
        self._pipeline = self._studio = None

    # -- with torch --------------------------------------------------------------------------------------------------

    def _loaded(self) -> Any:
        """Load in the weights' own type and then cast: in another order, parts stay in float32 and the first edit crashes."""
        import diffusers
        import torch
        from transformers.utils import logging

        diffusers.utils.logging.disable_progress_bar()
        logging.disable_progress_bar()
        kind, weights = diffusers.DiffusionPipeline, self._weights
        self._folder = weights.folder or Path(
            kind.download(weights.place, revision=weights.revision, trust_remote_code=True)
        )
        pipeline = kind.from_pretrained(str(self._folder), trust_remote_code=True)
        pipeline.to(self._device, dtype=getattr(torch, DTYPE))
        # The language model is loaded by the first call otherwise: late to find that it is not there.
        early = getattr(getattr(pipeline, "mllm_encoder", None), "_ensure_qwen_loaded", None)
        if early is not None:
            early()
        return pipeline

    def _generate(self, sample: Sample, clip: Clip) -> Sequence[NDArray[np.uint8]]:
        import numpy as np
        from PIL import Image

        width, height = clip.size
        count = len(clip.pictures)
        made = gpu.within(
            self._device,
            lambda: self._pipeline(
                prompt=sample.instruction,
                source_video=[Image.fromarray(picture) for picture in clip.pictures],
                height=height,
                width=width,
                num_frames=count,
                num_inference_steps=self._steps,
                sigma_shift=self._shift,
                seed=self._seed,
                progress_bar=_silent,
            ),
            what=f"{count} frames of {width}x{height}",
            advice=self._advice("fewer or smaller frames (--option frames=49, size=832x480), or another GPU"),
        )
        return [np.asarray(picture.convert("RGB")) for picture in made]

    def _advice(self, what: str) -> str:
        needs = self._preset.needs.gpu_gb
        return f"{what}; {self._preset.name} needs about {needs:g} GB" if needs else what

    def _record(self, folder: Path) -> dict[str, str]:
        """Return what tells the weights from others: the pipeline's code lies beside them and counts too."""
        record = self._weights.record(folder)
        if "sha256" in record:
            code = {path.name for path in folder.glob("*.py")}
            record["sha256"] = fingerprint(folder, parts(folder) | code)
            made_of = conversion.made_of(folder)
            record |= {"checkpoint_sha256": made_of} if made_of else {}
        return record

    def _why(self, error: Exception) -> str:
        """Say why the pipeline cannot be loaded, and what to do."""
        name, text = self._preset.name, f"{type(error).__name__}: {one_line(error, limit=300)}"
        setup = f"`sparkle-bench setup {name}`"
        found = gpu.versions("torch", "torchvision", "transformers", "diffusers")
        there = ", ".join(f"{library} {version}" for library, version in found.items()) or "none of the libraries"
        if isinstance(error, ImportError):
            return f"{name} needs libraries that this environment lacks ({text}); {setup} makes one that has them"
        if "torchvision::" in text:
            return f"torchvision is built for another torch ({there}); install the two from one index, or run {setup}"
        if isinstance(error, KeyError) and "default" in text:
            return f"{name}'s code needs transformers 4.57 (below 5), and here is {there}; {setup} makes such an environment"
        if "meta tensor" in text or "no file named" in text:
            return (
                f"{self._weights.called} lacks weights ({text}); {setup} --model-path FOLDER mends it or says why not"
            )
        return f"{name} cannot be loaded with {there}: {text}"


def _set_sigmas(pipeline: Any) -> None:
    """Let a pipeline's noise levels end as in the original, at zero before the shift; the port ends them at 0.003.

    Raises:
        EditorError: The pipeline's code is another.
    """
    import torch

    if not callable(getattr(pipeline, "_setup_scheduler", None)):
        raise EditorError(
            f"{type(pipeline).__name__} has no _setup_scheduler, by which its noise levels are set as in the original; "
            "--option sigmas=port takes its own"
        )

    def levels(steps: int, denoising_strength: float = 1.0, shift: float = 5.0) -> tuple[Any, Any]:
        even = torch.linspace(denoising_strength, 0.0, steps + 1)[:-1]
        shifted = shift * even / (1.0 + (shift - 1.0) * even)
        return shifted, shifted * TRAINING_STEPS

    pipeline._setup_scheduler = levels


def _silent(steps: Iterable[Any]) -> Iterable[Any]:
    """Stand in for a progress bar."""
    return steps
