"""A pipeline that is called as Kiwi-Edit's is, and notes in `calls.jsonl` beside its weights what arrives.

It darkens the source and adds a colour that follows from the prompt, the seed and the number of steps. A prompt with
`out of memory` or `too short` in it makes it fail so.
"""
# mypy: ignore-errors
# Only the environment that runs it has its libraries.

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image

NAME = "stub"


class KiwiEditPipeline(DiffusionPipeline):
    """Has the call signature of the real one."""

    def __init__(self, tint):
        super().__init__()
        self.register_modules(tint=tint)

    def _setup_scheduler(self, num_inference_steps, denoising_strength=1.0, shift=5.0):
        """Return noise levels that end at 0.003 before the shift, as those of the port do."""
        even = torch.linspace(denoising_strength, 0.003 / 1.002, num_inference_steps + 1)[:-1]
        sigmas = shift * even / (1 + (shift - 1) * even)
        return sigmas, sigmas * 1000

    @torch.no_grad()
    def __call__(
        self,
        prompt,
        source_video=None,
        source_input=None,
        ref_image=None,
        negative_prompt="",
        input_video=None,
        height=480,
        width=832,
        num_frames=81,
        num_inference_steps=50,
        guidance_scale=1.0,
        sigma_shift=5.0,
        denoising_strength=1.0,
        seed=None,
        tiled=True,
        tile_size=(30, 52),
        tile_stride=(15, 26),
        output_type="pil",
        progress_bar=None,
    ):
        """Return a list of pictures."""
        sigmas, timesteps = self._setup_scheduler(num_inference_steps, denoising_strength, sigma_shift)
        seen = {
            "code": NAME,
            "prompt": prompt,
            "frames": len(source_video),
            "num_frames": num_frames,
            "size": [width, height],
            "given": [*source_video[0].size],
            "steps": sum(1 for _ in progress_bar(timesteps)),
            "seed": seed,
            "shift": sigma_shift,
            "guidance": guidance_scale,
            "sigmas": [round(float(sigma), 6) for sigma in sigmas],
            "dtype": str(self.tint.colour.dtype),
            "device": str(self.tint.colour.device),
        }
        with (Path(self.config._name_or_path) / "calls.jsonl").open("a") as file:
            file.write(json.dumps(seen) + "\n")
        if num_frames % 4 != 1 or len(source_video) != num_frames:
            raise RuntimeError(f"The size of tensor a ({num_frames}) must match the size of tensor b")
        if "out of memory" in prompt:
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.69 GiB of which "
                "1.50 GiB is free."
            )
        kept = source_video[1:] if "too short" in prompt else source_video
        colour = zlib.crc32(f"{prompt} {seed} {num_inference_steps} {seen['sigmas'][-1]}".encode())
        tint = np.array([colour % 120, colour // 120 % 120, colour // 14400 % 120])
        return [Image.fromarray((np.asarray(frame) // 2 + tint).astype(np.uint8)) for frame in kept]
