"""Writes tiny checkpoints of random weights that diffusers' real pipelines load: `python tiny_models.py FOLDER`.

They are built where they are used, since a folder saved under one major version of transformers does not load under
another. Half a second and a megabyte each; the same bytes every time.

- `lucy`: LucyEditPipeline, with a VAE of Wan 2.2's kind, which takes sides in multiples of 32;
- `vace`: WanVACEPipeline, with a VAE of Wan 2.1's kind;
- `wan`: WanPipeline, whose weights WanVideoToVideoPipeline takes too;
- `broken`: `lucy` with weights that are no numbers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HEADS = {"num_attention_heads": 2, "attention_head_dim": 12}
TRANSFORMER: dict[str, Any] = {
    **HEADS,
    "patch_size": (1, 2, 2),
    "text_dim": 32,
    "freq_dim": 256,
    "ffn_dim": 32,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 64,
}
NEW_VAE: dict[str, Any] = {
    "base_dim": 8,
    "decoder_base_dim": 8,
    "z_dim": 48,
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
    "is_residual": True,
    "patch_size": 2,
    "in_channels": 12,
    "out_channels": 12,
    "scale_factor_spatial": 16,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
}
OLD_VAE: dict[str, Any] = {
    "base_dim": 3,
    "z_dim": 16,
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
}


def build(folder: Path) -> None:
    """Write all of them into a folder."""
    import diffusers

    new, old = (diffusers.AutoencoderKLWan(**_seeded(config)) for config in (NEW_VAE, OLD_VAE))
    _save(folder / "lucy", diffusers.LucyEditPipeline, _plain(96, 48), new, expand_timesteps=True)
    _save(folder / "wan", diffusers.WanPipeline, _plain(16, 16), old)
    vace = diffusers.WanVACETransformer3DModel(
        **_seeded(TRANSFORMER), in_channels=16, out_channels=16, num_layers=3, vace_layers=[0, 2], vace_in_channels=96
    )
    _save(folder / "vace", diffusers.WanVACEPipeline, vace, old)
    broken = _plain(96, 48)
    broken.proj_out.weight.data.fill_(float("nan"))
    _save(folder / "broken", diffusers.LucyEditPipeline, broken, new, expand_timesteps=True)


def _plain(inputs: int, outputs: int) -> Any:
    import diffusers

    config = _seeded(TRANSFORMER)
    return diffusers.WanTransformer3DModel(**config, in_channels=inputs, out_channels=outputs, num_layers=2)


def _seeded(config: dict[str, Any]) -> dict[str, Any]:
    """Return a model's configuration, after the random numbers began anew for its weights."""
    import torch

    torch.manual_seed(0)
    return config


def _save(folder: Path, pipeline: Any, transformer: Any, vae: Any, **further: Any) -> None:
    import diffusers

    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
    )
    made = pipeline(
        tokenizer=_tokenizer(),
        text_encoder=_text_encoder(),
        vae=vae.eval(),
        scheduler=scheduler,
        transformer=transformer.eval(),
        **further,
    )
    made.save_pretrained(folder)


def _tokenizer() -> Any:
    """A tokenizer of bytes: nothing is trained, so that it is the same every time."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*special, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _text_encoder() -> Any:
    from transformers import UMT5Config, UMT5EncoderModel

    config = {
        "vocab_size": 259,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 37,
        "num_layers": 2,
        "num_heads": 4,
        "dropout_rate": 0,
    }
    return UMT5EncoderModel(UMT5Config(**_seeded(config))).eval()


if __name__ == "__main__":
    build(Path(sys.argv[1]))
