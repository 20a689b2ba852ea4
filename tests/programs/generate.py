"""Stands in for LoomVideo's `scripts/inference/generate.py`: it reads every clip at 24 frames a second, 5 seconds at most."""

from __future__ import annotations

import argparse
from pathlib import Path

import film  # type: ignore[import-not-found]

from sparkle_bench import video

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--config_path", required=True)
for flag in ("--ckpt_path", "--prompt", "--negative_prompt", "--source_video_path", "--output_path"):
    parser.add_argument(flag)
parser.add_argument("--task", choices=["t2v", "edit", "ref_edit", "mi2v"])
for flag in ("--height", "--width", "--num_frames", "--num_inference_steps", "--seed", "--fps"):
    parser.add_argument(flag, type=int)
for flag in ("--guidance_scale", "--guidance_scale_visual"):
    parser.add_argument(flag, type=float)
given = parser.parse_args()
film.note(prompt=given.prompt, source=given.source_video_path)
if not Path(given.config_path).exists() or given.width % 32 or given.height % 32:
    raise FileNotFoundError(given.config_path)
pictures, fps = film.read(given.source_video_path), video.probe(Path(given.source_video_path)).fps
seconds = len(pictures) / fps
picked = [pictures[min(round(n * fps / 24), len(pictures) - 1)] for n in range(min(121, round(seconds * 24)))]
picked = picked[: (len(picked) - 1) // 4 * 4 + 1]
film.write(given.output_path, picked[: given.num_frames], fps=given.fps)
