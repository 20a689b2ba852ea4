"""Stands in for InsViE's `sample_video_edit.py`: YAML files, one laid over the other, and a CSV with a row of names."""

from __future__ import annotations

import argparse
import csv
import json
import os
from pathlib import Path

import film  # type: ignore[import-not-found]

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--base", nargs="*")
parser.add_argument("--seed", type=int)
given = parser.parse_args()
ours = json.loads(Path(given.base[2]).read_text(encoding="utf-8"))  # JSON is YAML
args, model = ours["args"], ours["model"]
if not (Path(given.base[0]).is_file() and Path(given.base[1]).is_file() and os.environ["WORLD_SIZE"] == "1"):
    raise FileNotFoundError(given.base)
encoder = model["conditioner_config"]["params"]["emb_models"][0]["params"]
film.note(args=args, vae=model["first_stage_config"]["params"]["ckpt_path"], encoder=encoder)
with Path(args["input_file"]).open(newline="", encoding="utf-8") as file:
    rows = list(csv.reader(file))[1:]
for row in rows:
    name, text = row[0], row[2] if len(row) >= 3 else row[1]
    film.note(prompt=text, source=name)
    root = Path("/", *args["input_file"].split("/")[:-1])
    pictures = film.read(root / args["test_folder"] / name)
    latents = (len(pictures) - 1) // 4 + 1
    kept = 1 + 8 * ((latents - 1) // 2)
    folder = Path(args["output_dir"]) / (name + "-" + text.replace(" ", "_").replace("/", "")[:120]) / "0"
    folder.mkdir(parents=True)
    film.write(folder / "000000.mp4", pictures[:kept], fps=7)
