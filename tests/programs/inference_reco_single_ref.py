"""Stands in for ReCo's `scripts/inference_reco_single_ref.py`: 81 frames, source and edit side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

import film  # type: ignore[import-not-found]
import numpy as np

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--video_path", required=True)
parser.add_argument("--prompt", required=True)
parser.add_argument("--first_frame_path")
parser.add_argument("--ip_img_path")
parser.add_argument("--save_path", default="all_results/single_test")
parser.add_argument("--base_wan_folder", default="./Wan-AI")
parser.add_argument("--lora_ckpt")
given = parser.parse_args()
film.note(prompt=given.prompt, source=given.video_path)
made = film.read(given.video_path)
made += made[-1:] * (81 - len(made))
composites = [np.concatenate([255 - picture, picture], axis=1) for picture in made]
slug = given.prompt.replace(" ", "_").replace(".", "").replace(",", "").replace(":", " ")
path = Path(f"{given.save_path}/{Path(given.video_path).name.replace('.mp4', '')}_{slug[:80]}.mp4")
path.parent.mkdir(parents=True, exist_ok=True)
film.write(path, composites, fps=16)
path.with_name(path.name.replace(".mp4", ".txt")).write_text(f"prompt: {given.prompt}\n", encoding="utf-8")
