"""Stands in for UniVideo's pipeline: it makes as many frames as it is asked for, and takes no seed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import film  # type: ignore[import-not-found]
import numpy as np


class UniVideoPipelineConfig:
    """The settings of the pipeline."""

    def __init__(
        self, *, hunyuan_model_id: str, mllm_use_cond_pixels: bool = False, timestep_shift: float = 1.0
    ) -> None:
        self.hunyuan_model_id = hunyuan_model_id


class UniVideoPipeline:
    """The pipeline."""

    def __init__(self, *, transformer: Any, vae: Any, scheduler: Any, mllm_encoder: Any, univideo_config: Any) -> None:
        self.parts = {
            "weights": transformer.weights,
            "bridge": transformer.qwen_project_in.where,
            "base": [vae.where, scheduler.where, transformer.where],
            "encoder": mllm_encoder.where,
        }

    def to(self, *, device: str, dtype: str) -> UniVideoPipeline:
        """Return itself."""
        self.parts |= {"device": device, "dtype": dtype}
        return self

    def __call__(
        self,
        prompts: list[str],
        cond_video_path: str,
        negative_prompt: str,
        height: int,
        width: int,
        num_frames: int,
        num_inference_steps: int,
        guidance_scale: float,
        image_guidance_scale: float,
        generator: Any,
        task: str,
    ) -> SimpleNamespace:
        """Edit a clip."""
        film.note(
            prompt=prompts[0],
            source=cond_video_path,
            negative=negative_prompt,
            seed=generator.seed,
            settings=[num_inference_steps, guidance_scale, image_guidance_scale, task],
            parts=self.parts,
        )
        pictures = film.read(cond_video_path)
        if pictures[0].shape[:2] != (height, width):
            raise ValueError(f"{pictures[0].shape} is not {height}x{width}")
        pictures += pictures[-1:] * (num_frames - len(pictures))
        return SimpleNamespace(frames=np.stack(pictures)[None, :num_frames].astype("float32") / 255)
