"""Pipelines of diffusers, run in this process: Lucy-Edit, Wan VACE, or any other by the name of its class.

A clip is fitted before the pipeline sees it, for pipelines stretch, cut and round by rules of their own; what comes out is
held to the same frames and the same size.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.editors import gpu, pipelines, studio, weights
from sparkle_bench.editors.masks import Masks, greyed
from sparkle_bench.editors.pipelines import Loaded, Loading, Wanted
from sparkle_bench.editors.preset import Preset
from sparkle_bench.editors.studio import AT_ONCE, Clip, Gauge, Studio
from sparkle_bench.editors.weights import MOST_LETTERS, Weights
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Effort, Sample
from sparkle_bench.submission.card_rules import RULES
from sparkle_bench.video.conform import Fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARAMETERS = {
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "negative_prompt": "negative_prompt",
    "strength": "strength",
}
"""Options that a call is given, by what diffusers calls them; one that is left out has the pipeline's own default."""
MASK_IS = ("background", "subject")
HIGHEST = {"strength": 1.0, "flow_shift": 100.0}


class Diffusion:
    """A pipeline of diffusers: `--option pipeline=CLASS --option model_path=FOLDER_OR_HUB_ID`."""

    # Where weights and masks lie decides nothing: what is in them is on record, and held against the next run's.
    own_process = True
    incidental = ("offload", "model_path", "masks")
    thread_safe = True
    at_once = AT_ONCE

    def __init__(
        self,
        *,
        preset: Preset,
        pipeline: str,
        model_path: str,
        revision: str | None = None,
        device: str | None = None,
        dtype: str = "bfloat16",
        offload: str = "none",
        steps: int | None = None,
        guidance: float | None = None,
        negative_prompt: str | None = None,
        strength: float | None = None,
        flow_shift: float | None = None,
        seed: int = 0,
        masks: Path | None = None,
        mask_is: str | None = None,
        grey: bool = False,
    ) -> None:
        """Check the options; nothing is loaded.

        Args:
            preset: What of a clip the model takes, and how edits are written.
            pipeline: The pipeline's class, such as `LucyEditPipeline`.
            model_path: Its weights: a folder, with which nothing is asked of the network, or an id on the Hub.
            revision: Of the Hub's repository.
            device: `cuda`, `cuda:1`, `mps` or `cpu`; the best there is, if left out.
            dtype: `bfloat16`, `float16` or `float32`; Wan's VAE is in float32 whatever is chosen.
            offload: `none`; `model` keeps only the part at work on the GPU, `sequential` only its layer.
            steps: Of sampling.
            guidance: Its scale.
            negative_prompt: What is not wanted.
            strength: How much of the source is noised away, 0 to 1, where the pipeline knows such.
            flow_shift: The scheduler's: for Wan 3 at 480 lines and 5 at 720.
            seed: Of the noise, the same for every sample, drawn on the CPU.
            masks: A folder of `ID.mp4`, `ID.png` or `ID/` with numbered images.
            mask_is: What is white in them: the `background`, which may change (so if left out), or the `subject`, which
                stays.
            grey: Whether the pipeline sees grey where it may paint, as VACE is meant to.
        """
        self._preset, self._fit = preset, _fit(preset)
        options = {"steps": steps, "guidance": guidance, "strength": strength, "negative_prompt": negative_prompt}
        _check_numbers(options | {"flow_shift": flow_shift, "seed": seed, "negative_prompt": None})
        if masks is None:
            _check_maskless(preset, {"grey": grey or None, "mask_is": mask_is})
        self._masks, self._grey, self._seed = _masks(masks, mask_is or MASK_IS[0]), grey, seed
        self._options = {name: value for name, value in options.items() if value is not None}
        self._wanted = Wanted(
            pipeline=pipeline,
            weights=Weights(place=model_path, revision=revision),
            loading=Loading(device=device, dtype=dtype, offload=offload, flow_shift=flow_shift),
            calls={name: PARAMETERS[name] for name in self._options} | ({"masks": "mask"} if masks is not None else {}),
        )
        self._loaded: Loaded | None = None
        self._loading = threading.Lock()
        gauge = Gauge(start=lambda: self._ready.gauge.start(), peak=lambda: self._ready.gauge.peak())
        self._studio = Studio(self._fit, preset.output, self._generate, gauge)

    # -- what is told without a model ----------------------------------------------------------------------------------

    def shape(self, sample: Sample) -> tuple[int, int, int]:
        """Return (frames, height, width) as the pipeline sees the sample.

        Raises:
            VideoError: The source cannot be read, or is too short or too small.
        """
        return studio.shape(sample.source_path, self._fit)

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Look whether there are masks.

        Raises:
            EditorError: There is not one.
        """
        if self._masks is not None:
            self._masks.check(samples)

    def declared(self) -> dict[str, Any]:
        """Return what is declared of the model; a preset without weights of its own is called after those it is given."""
        default, given = self._preset.options.get("model_path"), self._wanted.weights
        said = given.declared(self._preset.declared, default)
        if default is None and not given.is_of_hub:
            said = dataclasses.replace(said, model=dataclasses.replace(said.model, name=given.called[:MOST_LETTERS]))
        if self._masks is not None:
            said = dataclasses.replace(said, inputs=dataclasses.replace(said.inputs, masks=True))
        width, height = self._fit.size or (None, None)
        known = {name: self._effective(name) for name in ("steps", "guidance")}
        known |= {"seed": self._seed, "frames": self._fit.most, "fps": self._preset.output.fps}
        settings = dataclasses.replace(self._preset, declared=said)
        return settings.declares(**known, width=width, height=height)

    # -- the model -----------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Load the pipeline; once, however often it is called.

        Raises:
            EditorError: It cannot be loaded, or does not take what it is to be given.
            OutOfMemory: The device is too small for it.
        """
        with self._loading:
            if self._loaded is None:
                loaded = pipelines.load(self._wanted)
                pipelines.check_fit(loaded.pipe, self._fit)
                self._loaded = loaded

    def describe(self) -> dict[str, Any]:
        """Return what decides the edits, as loaded: the model is loaded for it, if need be.

        Raises:
            EditorError: The pipeline cannot be loaded.
        """
        self.load()
        fps, size = self._preset.output.fps, self._fit.size
        said: dict[str, Any] = {
            "pipeline": self._wanted.pipeline,
            **self._ready.facts,
            "offload": self._wanted.loading.offload,
        }
        said |= {name: self._effective(name) for name in PARAMETERS if PARAMETERS[name] in self._ready.takes}
        said |= {"seed": self._seed, "frames": self._fit.most, "multiple": self._fit.multiple}
        said |= {"size": f"{size[0]}x{size[1]}" if size else "the source's", "fps": fps or "source"}
        said["crf"] = self._preset.output.crf
        if self._masks is not None:
            said["mask_folder"] = {
                "name": self._masks.folder.resolve().name,
                "sha256": weights.fingerprint(self._masks.folder),
                "white_is": "subject" if self._masks.of_subject else "background",
                "grey": self._grey,
            }
        ignored = self._ignored()
        return {name: value for name, value in said.items() if value is not None} | (
            {"ignored": ignored} if ignored else {}
        )

    def edit(self, sample: Sample, out: Path) -> Effort:
        """Edit a sample.

        Raises:
            VideoError: The source cannot be read, or the edit not written.
            OutOfMemory: The device is too small for this clip.
            EditorError: The pipeline gave no such edit, or there is no mask.
        """
        self.load()
        return self._studio.edit(sample, out)

    @property
    def _ready(self) -> Loaded:
        if self._loaded is None:
            raise EditorError("the model is not loaded")
        return self._loaded

    def _effective(self, option: str) -> Any:
        """Return an option as given, or else the pipeline's default, if that is known yet."""
        default = self._loaded.takes.get(PARAMETERS[option]) if self._loaded is not None else None
        return self._options.get(option, default)

    def _ignored(self) -> list[str]:
        """Return which options change nothing."""
        guidance = self._effective("guidance")
        if "negative_prompt" in self._options and isinstance(guidance, int | float) and guidance <= 1:
            return ["negative_prompt: there is none without guidance above 1"]
        return []

    def _generate(self, sample: Sample, clip: Clip) -> list[NDArray[np.uint8]]:
        masks = self._masks.read(sample, clip) if self._masks is not None else None
        seen = greyed(clip.pictures, masks) if masks is not None and self._grey else clip.pictures
        width, height = clip.size
        further = {"none": "--option offload=model, ", "model": "--option offload=sequential, "}.get(
            self._wanted.loading.offload
        )
        advice = "a smaller --option size= or fewer --option frames="
        try:
            return gpu.within(
                self._ready.device,
                lambda: self._run(sample.instruction, seen, masks),
                what=f"{len(seen)} frames of {width}x{height}",
                advice=(further or "") + advice if self._ready.device != "cpu" else advice,
            )
        except BaseException:
            # A pipeline takes its parts back from the GPU when it is done, but not when it fails.
            self._ready.pipe.maybe_free_model_hooks()
            raise

    def _run(
        self, instruction: str, seen: Sequence[NDArray[np.uint8]], masks: NDArray[np.uint8] | None
    ) -> list[NDArray[np.uint8]]:
        import torch
        from PIL import Image

        height, width = seen[0].shape[:2]
        call: dict[str, Any] = {
            "height": height,
            "width": width,
            "num_frames": len(seen),
            "generator": torch.Generator("cpu").manual_seed(self._seed),
            "output_type": "np",
        }
        call = {name: value for name, value in call.items() if name in self._ready.takes}
        call |= {PARAMETERS[name]: value for name, value in self._options.items()}
        call |= {"video": [Image.fromarray(picture) for picture in seen], "prompt": instruction}
        if masks is not None:
            call["mask"] = [Image.fromarray(mask) for mask in masks]
        torch.manual_seed(self._seed)  # for a pipeline that takes no generator
        made = getattr(self._ready.pipe(**call), "frames", None)
        if made is None:
            raise EditorError(f"{self._wanted.pipeline} gave no frames")
        return [_picture(frame) for frame in made[0]]


def _picture(frame: Any) -> NDArray[np.uint8]:
    """Return a frame (H×W×3) with the values 0 to 255; diffusers gives 0 to 1."""
    import numpy as np

    array = np.asarray(frame)
    if array.dtype != np.uint8:
        if not np.isfinite(array).all():
            raise EditorError("the pipeline gave pixels that are no numbers; try --option dtype=float32")
        array = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    if array.ndim != 3 or array.shape[2] != 3:
        raise EditorError(f"the pipeline gave frames of the shape {array.shape}; they are height × width × 3")
    return array


def _fit(preset: Preset) -> Fit:
    """Return what of a clip a preset's model takes."""
    if preset.fit is None:
        raise EditorError(f"{preset.name} does not say what of a clip it takes; a section [fit], even empty, does")
    if preset.details:
        raise EditorError(f"{preset.name} has a section [{preset.kind}]; this kind has its options in [options]")
    return preset.fit


def _masks(folder: Path | None, white: str) -> Masks | None:
    if white not in MASK_IS:
        raise EditorError(f"option mask_is={white!r} is none; {suggestion(str(white), MASK_IS)}")
    return Masks(folder=folder, of_subject=white == "subject") if folder is not None else None


def _check_maskless(preset: Preset, given: Mapping[str, object]) -> None:
    """Refuse to do without masks where they are needed, or where an option says how to use them."""
    if preset.needs.masks:
        raise EditorError(f"{preset.name} needs masks of what may change; pass --option masks=FOLDER")
    for name, value in given.items():
        if value is not None:
            raise EditorError(f"option {name} is of masks, and there are none; pass --option masks=FOLDER")


def _check_numbers(numbers: Mapping[str, Any]) -> None:
    """Refuse a number that no pipeline could take, or that no record could hold."""
    for name, value in numbers.items():
        rule, highest = RULES["settings"].get(name), HIGHEST.get(name, math.inf)
        known = rule.kept(value) is not None if rule else type(value) in (int, float) and 0 < value <= highest
        if value is not None and not known:
            expected = rule.expected if rule else f"a number above 0, up to {highest:g}"
            raise EditorError(f"option {name}={value!r} is none; it is {expected}")
