"""Builds a tiny, randomly initialised Kiwi-Sparkle in its published form, and all that it is converted with.

Run by an environment with Kiwi's libraries, a few seconds:

    python tests/kiwi_env/small_kiwi.py CHECKOUT OUT

CHECKOUT is a checkout of Kiwi-Edit. OUT gets `Kiwi-Edit` (its converter, with the sizes that its code fixes made small),
`model.safetensors` (a checkpoint of DiffSynth with the names that Kiwi-Sparkle's training writes), `Wan2.2_VAE.pth` and
`Qwen2.5-VL` (a model, a tokenizer and a processor). The weights are noise: what such a model makes means nothing.
"""

import argparse
import importlib.util
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2TokenizerFast,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

SEED = 20261126
LAYERS, HEADS, HEAD = 2, 2, 12
WIDTH, FFN, FREQ, TEXT, LATENT = HEADS * HEAD, 48, 256, 4096, 48
HIDDEN, QWEN_LAYERS, RANK = 32, 2, 4
QUERIES = {"image": 8, "video": 16}
PLACEHOLDER = "<|object_ref_start|>"
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", PLACEHOLDER, "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{% if p.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif p.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ p.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
)
SIZES: dict[str, tuple[tuple[str, str], ...]] = {
    "convert_weights.py": (
        (r'"num_attention_heads": 24\b', f'"num_attention_heads": {HEADS}'),
        (r'"attention_head_dim": 128\b', f'"attention_head_dim": {HEAD}'),
        (r'"ffn_dim": 14336\b', f'"ffn_dim": {FFN}'),
        (r'"num_layers": 30\b', f'"num_layers": {LAYERS}'),
        (r'"dim": 160\b', '"dim": 8'),
        (r'"num_res_blocks": 2\b', '"num_res_blocks": 1'),
    ),
    "wan_video_vae.py": ((r"dec_dim=256\b", "dec_dim=16"),),
    "mllm_encoder.py": ((r"\b151646\b", "PLACEHOLDER_ID"),),
}
"""What is made small in the converter's files: a pattern, and what stands in its place."""


def small_checkout(source: Path, out: Path, placeholder: int) -> Path:
    """Copies the converter with small sizes, and returns its folder."""
    folder = out / "Kiwi-Edit" / "utils" / "convert_diffusers"
    shutil.copytree(source / "utils" / "convert_diffusers", folder)
    for name, changes in SIZES.items():
        text = (folder / name).read_text(encoding="utf-8")
        for pattern, value in changes:
            text, count = re.subn(pattern, value.replace("PLACEHOLDER_ID", str(placeholder)), text)
            if not count:
                sys.exit(f"{name} has no {pattern}: the checkout is another version")
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def tokenizer() -> Qwen2TokenizerFast:
    """Returns a byte-level tokenizer with Qwen's special tokens."""
    raw = Tokenizer(BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw.train_from_iterator(
        ["Move the subject to a rocky shore."], trainers.BpeTrainer(initial_alphabet=alphabet, show_progress=False)
    )
    raw.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return Qwen2TokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL),
        chat_template=TEMPLATE,
    )


def qwen(words: Qwen2TokenizerFast, out: Path) -> None:
    """Writes a Qwen2.5-VL of two layers with its processor."""
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    names |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": HIDDEN,
            "intermediate_size": 2 * HIDDEN,
            "num_hidden_layers": QWEN_LAYERS,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32768,
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
            "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id,
        },
        vision_config={
            "depth": 2,
            "hidden_size": HIDDEN,
            "intermediate_size": 2 * HIDDEN,
            "num_heads": 4,
            "out_hidden_size": HIDDEN,
            "fullatt_block_indexes": [1],
        },
        **{key: words.convert_tokens_to_ids(token) for key, token in names.items()},
    )
    model = Qwen2_5_VLForConditionalGeneration(config).to(torch.bfloat16)
    model.save_pretrained(out)
    Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(),
        tokenizer=words,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=TEMPLATE,
    ).save_pretrained(out)


def vae(converter: Path, out: Path) -> None:
    """Writes the video autoencoder's weights, as many as the converter's own class has."""
    spec = importlib.util.spec_from_file_location("wan_video_vae", converter / "wan_video_vae.py")
    assert spec is not None
    assert spec.loader is not None
    code: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = code
    spec.loader.exec_module(code)
    model = code.VideoVAE38_(dim=8, z_dim=LATENT, num_res_blocks=1)
    torch.save({"model_state": {f"model.{name}": value for name, value in model.state_dict().items()}}, out)


def checkpoint(out: Path) -> int:
    """Writes a checkpoint with the names that Kiwi-Sparkle's training writes, and returns how many tensors it has."""
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs), (outputs,)

    shapes |= {"dit.patch_embedding.weight": (WIDTH, LATENT, 1, 2, 2), "dit.patch_embedding.bias": (WIDTH,)}
    for name, inputs in (("text", TEXT), ("time", FREQ)):
        linear(f"dit.{name}_embedding.0", WIDTH, inputs)
        linear(f"dit.{name}_embedding.2", WIDTH, WIDTH)
    linear("dit.time_projection.1", 6 * WIDTH, WIDTH)
    for number in range(LAYERS):
        block = f"dit.blocks.{number}"
        for attention in ("self_attn", "cross_attn"):
            for part in "qkvo":
                linear(f"{block}.{attention}.{part}", WIDTH, WIDTH)
            shapes |= {f"{block}.{attention}.norm_{part}.weight": (WIDTH,) for part in "qk"}
        shapes |= {f"{block}.norm3.weight": (WIDTH,), f"{block}.norm3.bias": (WIDTH,)}
        linear(f"{block}.ffn.0", FFN, WIDTH)
        linear(f"{block}.ffn.2", WIDTH, FFN)
        shapes[f"{block}.modulation"] = (1, 6, WIDTH)
    shapes["dit.head.modulation"] = (1, 2, WIDTH)
    linear("dit.head.head", 4 * LATENT, WIDTH)
    shapes |= {f"mllm.{kind}_queries.q": (count, HIDDEN) for kind, count in QUERIES.items()}
    linear("mllm.connetor.0", WIDTH, HIDDEN)  # so spelt in what is published
    linear("mllm.connetor.2", WIDTH, WIDTH)
    shapes |= {
        "vae_condition.patch_embedding.weight": (WIDTH, LATENT, 1, 2, 2),
        "vae_condition.patch_embedding.bias": (WIDTH,),
    }
    for number in range(QWEN_LAYERS):
        for part, outputs in (("q", HIDDEN), ("k", HIDDEN // 2), ("v", HIDDEN // 2), ("o", HIDDEN)):
            name = f"mllm.model.model.language_model.layers.{number}.self_attn.{part}_proj"
            shapes[f"{name}.lora_A.default.weight"] = (RANK, HIDDEN)
            shapes[f"{name}.lora_B.default.weight"] = (outputs, RANK)
    save_file({name: (torch.randn(shape) * 0.2).to(torch.bfloat16) for name, shape in shapes.items()}, out)
    return len(shapes)


def main() -> None:
    """Reads the command line and builds everything."""
    parser = argparse.ArgumentParser(description="Build a tiny random Kiwi-Sparkle in its published form.")
    parser.add_argument("checkout", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.manual_seed(SEED)
    words = tokenizer()
    given.out.mkdir(parents=True, exist_ok=True)
    converter = small_checkout(given.checkout, given.out, words.convert_tokens_to_ids(PLACEHOLDER))
    qwen(words, given.out / "Qwen2.5-VL")
    vae(converter, given.out / "Wan2.2_VAE.pth")
    count = checkpoint(given.out / "model.safetensors")
    sys.stdout.write(f"{count} tensors in {given.out / 'model.safetensors'}\n")


if __name__ == "__main__":
    main()
