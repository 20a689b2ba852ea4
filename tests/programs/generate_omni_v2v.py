"""Stands in for Omni-Video 2's `tools/inference/generate_omni_v2v.py`: what fails of a clip is logged, and all ends well."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import film  # type: ignore[import-not-found]

parser = argparse.ArgumentParser(allow_abbrev=False)
for flag in ("--task", "--ckpt_dir", "--prompt_file", "--qwen3vl_model_path"):
    parser.add_argument(flag, required=True)
# 96*64 is for quick tests; the others are the project's.
parser.add_argument("--size", choices=["720*1280", "1280*720", "480*832", "832*480", "96*64"])
parser.add_argument("--sample_solver", choices=["unipc", "dpm++"])
for flag in ("--frame_num", "--base_seed", "--sample_steps", "--sample_fps", "--sampling_rate", "--skip_num"):
    parser.add_argument(flag, type=int)
for flag in ("--sample_shift", "--sample_guide_scale"):
    parser.add_argument(flag, type=float)
given = parser.parse_args()
width, height = (int(side) for side in given.size.split("*"))
jobs = [json.loads(line) for line in Path(given.prompt_file).read_text().splitlines() if line.strip()]
Path("outputs").mkdir(exist_ok=True)
for number, job in enumerate(jobs):
    prompt, source = job["edit_prompt"], job["source_clip_path"]
    film.note(prompt=prompt, source=source, port=os.environ["MASTER_PORT"], path=os.environ["PYTHONPATH"])
    if "HANG" in prompt:
        film.say("hanging")
        time.sleep(600)
    if "CRASH" in prompt:
        raise RuntimeError(f"the GPU fell off at job {number}")
    pictures = film.read(source)
    upright = pictures[0].shape[0] > pictures[0].shape[1]
    if "SKIP" in prompt or upright != (height > width) or len(pictures) < given.frame_num * given.sampling_rate:
        film.say(f"Failed to read video, skipping: {source}")
        continue
    name = f"{Path(source).stem}_id{job.get('id', number)}_edited.mp4"
    film.write(Path("outputs") / name, pictures[: given.frame_num], fps=given.sample_fps)
