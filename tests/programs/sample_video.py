"""Stands in for ICVE's `sample_video.py`: its video is named after the time, the seed and the instruction."""

from __future__ import annotations

import argparse
import os
from datetime import datetime, timezone
from pathlib import Path

import film  # type: ignore[import-not-found]

parser = argparse.ArgumentParser(allow_abbrev=False)
for flag in ("--model-base", "--dit-weight", "--video", "--prompt", "--save-path", "--neg-prompt"):
    parser.add_argument(flag, type=str)
for flag in ("--video-length", "--infer-steps", "--seed", "--batch-size"):
    parser.add_argument(flag, type=int)
for flag in ("--embedded-cfg-scale", "--cfg-scale", "--flow-shift"):
    parser.add_argument(flag, type=float)
parser.add_argument("--video-size", type=int, nargs="+")
parser.add_argument("--flow-reverse", action="store_true")
parser.add_argument("--use-cpu-offload", action="store_true")
parser.add_argument("--attn-mode", choices=["auto", "torch", "flash"])
given = parser.parse_args()
film.note(prompt=given.prompt, source=given.video, offload=given.use_cpu_offload, base=os.environ["MODEL_BASE"])
if not Path(given.model_base).exists() or (given.video_length - 1) % 4:
    raise ValueError(f"`models_root` not exists: {given.model_base}, or {given.video_length} frames")
pictures = film.read(given.video)
height, width = given.video_size
if len(pictures) < given.video_length or pictures[0].shape[:2] != (height, width) or not given.flow_reverse:
    raise IndexError(f"out of bound: {len(pictures)} frames of {pictures[0].shape}")
now = datetime.now(timezone.utc).strftime("%Y-%m-%d-%H:%M:%S")
name = f"{now}_seed{given.seed}_{given.prompt.strip()[:100].replace('/', '')}.mp4"
Path(given.save_path).mkdir(parents=True, exist_ok=True)
film.write(Path(given.save_path) / name, pictures[: given.video_length], fps=24)
