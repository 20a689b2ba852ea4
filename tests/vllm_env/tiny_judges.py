"""Builds tiny, randomly initialised Qwen judges that a real vLLM serves on a CPU.

Run by the vLLM interpreter, a few seconds each:

    PYTHONPATH=tests/vllm_env python tests/vllm_env/tiny_judges.py qwen2.5-vl OUT_DIR
    PYTHONPATH=tests/vllm_env python tests/vllm_env/tiny_judges.py qwen3-vl OUT_DIR

The folder holds a model, a tokenizer and a processor with the special tokens, patch sizes and video pixel limits of the
published models, so prompts have the published models' shape: only width, depth and vocabulary are small. The weights
are noise: what such a judge says means nothing. Built twice, the files are the same byte for byte.
"""

import argparse
import os
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import (
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

SEED = 20261122
CONTEXT = 32768
HIDDEN = 128

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

# The tokenizer learns its merges here; words of the judge's reply keep constrained replies short.
TRAINING_LINES = (
    "You are a careful judge of edited videos. The first video is the source, the second is the edit.",
    "Brief reasoning: the background was replaced and the person moves as before.",
    "Instruction Compliance: 1",
    "Overall Visual Quality: 2",
    "Foreground Integrity: 3",
    "Foreground Motion Consistency: 4",
    "Background Dynamics: 5",
    "Background Visual Quality: 1",
    "<0.2 seconds> <1.4 seconds> <4.8 seconds>",
)

# ChatML; a part of a message is text, an image or a video.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>
{%- elif part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>
{%- else -%}{{ part.text }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}"""


def tiny_tokenizer() -> Qwen2Tokenizer:
    """Returns a byte-level BPE tokenizer of some 500 pieces with Qwen's special tokens at the end of its vocabulary."""
    raw = Tokenizer(BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=512, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(TRAINING_LINES, trainer)
    for token in SPECIAL_TOKENS:
        raw.add_special_tokens([AddedToken(token, special=True, normalized=False)])
    return Qwen2Tokenizer(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS),
        model_max_length=CONTEXT,
        chat_template=CHAT_TEMPLATE,
    )


def token_ids(tokenizer: Qwen2Tokenizer) -> dict[str, int]:
    """Returns the ids that a Qwen-VL configuration names, by their key in it."""
    keys = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {key: tokenizer.convert_tokens_to_ids(token) for key, token in keys.items()}


def text_config(tokenizer: Qwen2Tokenizer, *, layers: int, rope: dict[str, object]) -> dict[str, object]:
    """Returns the language half; the heads are 64 wide, for vLLM's attention kernel for CPUs refuses 16."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0, **rope},
    }


def tiny_qwen2_5_vl(tokenizer: Qwen2Tokenizer) -> tuple[PreTrainedModel, Qwen2_5_VLProcessor]:
    """Returns a Qwen2.5-VL of 2 text and 2 vision layers with its processor."""
    config = Qwen2_5_VLConfig(
        text_config=text_config(tokenizer, layers=2, rope={"mrope_section": [8, 12, 12]}),
        vision_config={
            "depth": 2,
            "hidden_size": HIDDEN,
            "intermediate_size": 2 * HIDDEN,
            "num_heads": 2,
            "out_hidden_size": HIDDEN,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
        },
        **token_ids(tokenizer),
    )
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )
    return Qwen2_5_VLForConditionalGeneration(config), processor


def tiny_qwen3_vl(tokenizer: Qwen2Tokenizer) -> tuple[PreTrainedModel, Qwen3VLProcessor]:
    """Returns a Qwen3-VL of 4 text and 3 vision layers with its processor; its prompts say each frame's time."""
    rope = {"mrope_section": [12, 10, 10], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config=text_config(tokenizer, layers=4, rope=rope) | {"head_dim": 64},
        vision_config={
            "depth": 3,
            "hidden_size": HIDDEN,
            "intermediate_size": 2 * HIDDEN,
            "num_heads": 2,
            "out_hidden_size": HIDDEN,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0, 1],
        },
        **token_ids(tokenizer),
    )
    normalise = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    image_size = {"shortest_edge": 65536, "longest_edge": 16777216}
    video_size = {"shortest_edge": 4096, "longest_edge": 25165824}
    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=16, size=image_size, **normalise),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(size=video_size, **normalise),
        chat_template=CHAT_TEMPLATE,
    )
    return Qwen3VLForConditionalGeneration(config), processor


BUILDERS = {"qwen2.5-vl": tiny_qwen2_5_vl, "qwen3-vl": tiny_qwen3_vl}


def build(family: str, out: Path) -> int:
    """Writes one tiny judge into the folder `out`, made if missing, and returns its number of parameters."""
    torch.manual_seed(SEED)
    model, processor = BUILDERS[family](tiny_tokenizer())
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    return int(model.num_parameters())


def main() -> None:
    """Reads the command line and builds the judge that it names."""
    parser = argparse.ArgumentParser(description="Build a tiny random judge that vLLM can serve.")
    parser.add_argument("family", choices=sorted(BUILDERS))
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    parameters = build(arguments.family, arguments.out)
    sys.stdout.write(f"{arguments.family}: {parameters} parameters in {arguments.out}\n")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
