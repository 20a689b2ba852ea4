"""Stands in for Ditto's `inference/infer_ditto.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

import film  # type: ignore[import-not-found]

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--input_video", required=True)
parser.add_argument("--output_video", required=True)
parser.add_argument("--lora_path")
parser.add_argument("--device_id", type=int, default=0)
parser.add_argument("--prompt", required=True)
parser.add_argument("--height", type=int, default=480)
parser.add_argument("--width", type=int, default=832)
parser.add_argument("--num_frames", type=int, default=73)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--fps", type=int, default=20)
parser.add_argument("--quality", type=int, default=5)
given = parser.parse_args()
film.note(prompt=given.prompt, source=given.input_video)
if not Path(given.lora_path).exists():
    film.say(f"Error: LoRA file not found at {given.lora_path}")
else:
    film.write(given.output_video, film.read(given.input_video)[: given.num_frames], fps=given.fps)
