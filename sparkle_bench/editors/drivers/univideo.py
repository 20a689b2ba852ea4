"""Edits clips with a checkout of UniVideo, whose own script has its paths and prompts written into it.

Run by the project's interpreter, in the project's folder; needs nothing of this package. It follows the project's script
(`univideo_inference.py`) but for what does nothing or harm there:

- that script hands a seed to a pipeline which takes none and says nothing; here noise is seeded, each clip's anew;
- it asks for 129 frames of every clip, and gets as many of a shorter one too; here as many are asked for as the clip has;
- it loads 60 GB for every clip; here for every list of clips.

Nobody has run this with the real weights yet; it was checked by reading, against commit 704c612.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

TEXT_WIDTH = 3584
"""Of the hidden states of Qwen2.5-VL-7B."""
HIDDEN_WIDTH = 4096
"""Of what the transformer takes."""


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=Path, required=True, help="JSON lines with source, instruction and out.")
    parser.add_argument("--config", type=Path, required=True, help="The project's own configuration.")
    parser.add_argument("--weights", default="", help="Instead of transformer_ckpt_path in the configuration.")
    parser.add_argument("--base", default="", help="Instead of hunyuan_model_id.")
    parser.add_argument("--encoder", default="", help="Instead of mllm_id.")
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--fps", type=float, default=24.0, help="Written into the file; no frame is added or left out.")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=7.0)
    parser.add_argument("--image-guidance", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--device", default="cuda")
    return parser.parse_args(words)


def configuration(given: argparse.Namespace) -> dict[str, Any]:
    """Return the project's configuration with what was given in its place."""
    config: dict[str, Any] = import_module("yaml").safe_load(given.config.read_text(encoding="utf-8"))
    if given.weights:
        config["transformer_ckpt_path"] = given.weights
    if given.base:
        config["pipeline_config"]["hunyuan_model_id"] = given.base
    if given.encoder:
        config["mllm_config"]["mllm_id"] = given.encoder
    return config


def unwanted(script: Path) -> str:
    """Return the negative prompt that the project's script sets."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        if isinstance(node, ast.Assign) and "negative_prompt" in names and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    raise SystemExit(f"{script} sets no negative_prompt; is it another version of UniVideo?")


def pipeline(config: dict[str, Any], device: str) -> Any:
    """Load the models and put them together."""
    torch, diffusers = import_module("torch"), import_module("diffusers")
    encoders, theirs = import_module("mllm_encoder"), import_module("pipeline_univideo")
    transformers, load = import_module("transformer_univideo_hunyuan_video"), import_module("utils").load_model
    settings = theirs.UniVideoPipelineConfig(**config["pipeline_config"])
    encoder = encoders.MLLMInContext(encoders.MLLMInContextConfig(**config["mllm_config"]))
    if config.get("mllm_encoder_ckpt"):
        encoder = load(encoder, config["mllm_encoder_ckpt"])
    encoder.requires_grad_(False)
    base: dict[str, Any] = {"low_cpu_mem_usage": False, "device_map": None}
    vae = diffusers.AutoencoderKLHunyuanVideo.from_pretrained(settings.hunyuan_model_id, subfolder="vae", **base)
    transformer = transformers.HunyuanVideoTransformer3DModel.from_pretrained(
        settings.hunyuan_model_id, subfolder="transformer", text_embed_dim=TEXT_WIDTH, **base
    )
    transformer.qwen_project_in = transformers.TwoLayerMLP(TEXT_WIDTH, 4 * TEXT_WIDTH, HIDDEN_WIDTH)
    transformer = load(transformer, config["transformer_ckpt_path"], rename_func=bare)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_pretrained(
        settings.hunyuan_model_id, subfolder="scheduler"
    )
    built = theirs.UniVideoPipeline(
        transformer=transformer,
        vae=vae.eval(),
        scheduler=scheduler,
        mllm_encoder=encoder.eval(),
        univideo_config=settings,
    )
    return built.to(device=device, dtype=torch.bfloat16)


def bare(weights: dict[str, Any]) -> dict[str, Any]:
    """Return weights under the names that the transformer has for them."""
    return {name.removeprefix("transformer."): value for name, value in weights.items()}


def edit(pipe: Any, job: dict[str, str], given: argparse.Namespace, negative: str) -> None:
    """Edit one clip."""
    torch, export = import_module("torch"), import_module("diffusers.utils").export_to_video
    torch.manual_seed(given.seed)  # the source is encoded with noise from here
    made = pipe(
        prompts=[job["instruction"]],
        negative_prompt=negative,
        cond_video_path=job["source"],
        height=given.height,
        width=given.width,
        num_frames=given.frames,
        num_inference_steps=given.steps,
        guidance_scale=given.guidance,
        image_guidance_scale=given.image_guidance,
        generator=torch.Generator(device=given.device).manual_seed(given.seed),
        task="v2v_edit",
    )
    export(made.frames[0], job["out"], fps=given.fps, quality=8)


def main(words: Sequence[str] | None = None) -> int:
    """Edit all clips; one that fails is told and left out."""
    given = arguments(words)
    sys.path.insert(0, str(Path.cwd()))
    negative, pipe = unwanted(Path("univideo_inference.py")), pipeline(configuration(given), given.device)
    jobs = [json.loads(line) for line in given.jobs.read_text(encoding="utf-8").split("\n") if line]
    failed = 0
    for job in jobs:
        try:
            edit(pipe, job, given, negative)
        except Exception:  # whatever their code raises
            traceback.print_exc()
            failed += 1
    return int(failed == len(jobs))


if __name__ == "__main__":
    sys.exit(main())
