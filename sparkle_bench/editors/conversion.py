"""Kiwi's weights as a folder that diffusers can load: made from a published DiffSynth checkpoint, mended, and looked over.

The conversion itself is done by the user's own checkout of Kiwi-Edit. It leaves three things out for a model that takes
no reference image, and the folder does not load without them: the tensors of the reference image, which training sets to
zero and never touches without one, and a configuration beside the language model's weights, by which the pipeline knows
its folder. They are added here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench import disk
from sparkle_bench.editors import tensors
from sparkle_bench.editors.environments import Ended, Say, call
from sparkle_bench.editors.tensors import Tensor
from sparkle_bench.editors.weights import INDEX, classes
from sparkle_bench.errors import EditorError, MachineError, listed, one_line

NOTE = "conversion.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
CONVERTER = Path("utils", "convert_diffusers", "convert_weights.py")
LACKING = Path(__file__).with_name("lacking.py")
KNOWN_BY = ("qwen_config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors")
"""By which of these files the pipeline knows the language model's folder; a small one, in one file, has none of them."""
QUERIES = ("image", "video", "ref")
FEWEST_LAYERS = 50
"""Tensors of transformer blocks from which on the converter takes a checkpoint to be whole; it would fetch the base
model for one that is not."""
MEMORY = "the conversion holds all weights at once, which takes some 40 GB of memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """What a loadable folder is made of.

    Attributes:
        checkout: A checkout of Kiwi-Edit.
        checkpoint: The published `model.safetensors`, or the folder with it.
        vae: `Wan2.2_VAE.pth`.
        mllm: The folder of Qwen2.5-VL-3B-Instruct.
    """

    checkout: Path
    checkpoint: Path
    vae: Path
    mllm: Path

    @property
    def weights(self) -> Path:
        """The checkpoint's file."""
        return self.checkpoint / "model.safetensors" if self.checkpoint.is_dir() else self.checkpoint

    def check(self) -> None:
        """Refuse what cannot be converted.

        Raises:
            EditorError: Naming what is missing and where to get it.
        """
        if not (self.checkout / CONVERTER).is_file():
            raise EditorError(
                f"{self.checkout} is no checkout of Kiwi-Edit: it has no {CONVERTER.as_posix()}; get one with "
                "git clone https://github.com/showlab/Kiwi-Edit"
            )
        _check_checkpoint(self.weights)
        if not self.vae.is_file():
            raise EditorError(
                f"there is no file {self.vae}; --vae is Wan2.2_VAE.pth from Wan-AI/Wan2.2-TI2V-5B on the Hub"
            )
        _check_mllm(self.mllm)

    def facts(self) -> dict[str, Any]:
        """Return what tells these ingredients from others."""
        converter = self.checkout / CONVERTER
        return {
            "checkpoint": {"name": self.weights.name, "sha256": disk.file_sha256(self.weights)},
            "vae": {"name": self.vae.name, "sha256": disk.file_sha256(self.vae)},
            "mllm": {"name": self.mllm.resolve().name, "config_sha256": disk.file_sha256(self.mllm / "config.json")},
            "converter": {path.name: disk.file_sha256(path) for path in sorted(converter.parent.glob("*.py"))},
        }


def convert(ingredients: Ingredients, python: Path, out: Path, say: Say) -> None:
    """Turn a checkpoint into a loadable folder, or find that it was done; the folder appears whole or not at all.

    Args:
        ingredients: What it is made of.
        python: The interpreter of an environment with the model's libraries.
        out: The folder.
        say: Told what goes on, a line at a time.

    Raises:
        EditorError: Something is missing, the conversion fails, or what it made lacks tensors.
        MachineError: There is too little room.
    """
    ingredients.check()
    say("hashing the checkpoint")
    facts = ingredients.facts()
    if _note(out).get("made_of") == facts:
        check(out, python)
        say(f"the weights are there: {out}")
        return
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    _check_room(ingredients, out.parent)
    converter = (ingredients.checkout / CONVERTER).absolute()
    say("converting the checkpoint")
    ended = call(
        [python, "-E", "-s", "-B", converter, *_words(ingredients), "--output_dir", part.absolute()],
        say,
        cwd=converter.parent,
    )
    if ended.code:
        raise EditorError(f"Kiwi-Edit's converter failed: {_why(ended)}")
    added = mend(part)
    say(
        f"added what a model without reference images lacks: {', '.join(added)}" if added else "nothing had to be added"
    )
    check(part, python)
    disk.write(part / NOTE, disk.pretty({"made_of": facts, "added": added}))
    shutil.rmtree(out, ignore_errors=True)
    part.replace(out)


def mend(folder: Path) -> list[str]:
    """Add what the converter leaves out of a folder, and return what was added; a folder that has all is left alone.

    Raises:
        EditorError: It is no pipeline's folder, or a file in it cannot be read.
        MachineError: It cannot be written to.
    """
    added = []
    try:
        for path, wanted in gaps(folder).items():
            tensors.add_zeros(path, wanted)
            added += [f"{path.parent.name}/{name}" for name in sorted(wanted)]
        if _is_unknown(folder):
            shutil.copyfile(folder / "processor" / KNOWN_BY[0], folder / "mllm_encoder" / KNOWN_BY[0])
            added.append(f"mllm_encoder/{KNOWN_BY[0]}")
    except OSError as error:
        raise MachineError(f"cannot mend {folder}: {error.strerror}") from error
    return added


def gaps(folder: Path) -> dict[Path, dict[str, Tensor]]:
    """Return, by file, the reference image's tensors that a folder lacks; they are zeros in a model without one.

    Raises:
        EditorError: It is no pipeline's folder, or a file in it cannot be read.
    """
    parts, found = classes(folder), dict[Path, dict[str, Tensor]]()
    source, reference = folder / "source_embedder" / WEIGHTS, folder / "ref_embedder" / WEIGHTS
    if "ref_embedder" in parts and not reference.exists() and source.is_file():
        found[reference] = tensors.read(source)  # the two have one form
    encoder = folder / "mllm_encoder" / WEIGHTS
    if "mllm_encoder" in parts and encoder.is_file():
        have = tensors.read(encoder)
        like = {
            name.replace("connector", "ref_connector"): t for name, t in have.items() if name.startswith("connector.")
        }
        count, queries = _json(encoder.with_name("config.json")).get("num_ref_queries"), have.get("video_queries")
        if queries is not None and isinstance(count, int):
            like["ref_queries"] = Tensor(dtype=queries.dtype, shape=(count, *queries.shape[1:]))
        lacking = {name: tensor for name, tensor in like.items() if name not in have}
        found |= {encoder: lacking} if lacking else {}
    return found


def refuse(folder: Path, model: str) -> None:
    """Refuse a folder that a pipeline cannot be loaded from, by looking at its files' headers.

    Args:
        folder: The folder, or the checkpoint that somebody took for one.
        model: The name with which `sparkle-bench setup` mends it.

    Raises:
        EditorError: What is wrong, and the command that mends it.
    """
    called = folder.resolve().name
    checkpoint = folder / "model.safetensors" if folder.is_dir() else folder
    if checkpoint.suffix == ".safetensors" and checkpoint.is_file() and not (folder / INDEX).is_file():
        raise EditorError(
            f"{called} is a DiffSynth checkpoint, not a folder that diffusers can load; turn it into one with "
            f"`sparkle-bench setup {model} --checkpoint FILE --checkout FOLDER --vae FILE --mllm FOLDER`"
        )
    missing = [f"{path.parent.name}/{name}" for path, wanted in gaps(folder).items() for name in sorted(wanted)]
    missing += [f"mllm_encoder/{KNOWN_BY[0]}"] if _is_unknown(folder) else []
    if missing:
        raise EditorError(
            f"{called} lacks {listed(missing)}, as Kiwi-Edit's converter leaves it for a model without reference images; "
            f"add them with `sparkle-bench setup {model} --model-path FOLDER`"
        )
    for name in sorted(classes(folder)):
        _check_part(folder / name, called)


def check(folder: Path, python: Path) -> None:
    """Hold a folder's weights against what its own code expects, every name and shape; no weights are loaded.

    Raises:
        EditorError: Something is missing or of another shape.
    """
    refuse(folder, "NAME")
    ended = call([python, "-I", "-B", LACKING, folder.absolute()], lambda line: None)
    if ended.code:
        raise EditorError(f"{folder.name} cannot be looked over: {ended.why}")
    wrong = json.loads(ended.last[-1])
    if wrong:
        raise EditorError(f"{folder.name} does not fit its own code: {listed(wrong)}; convert it again")


def made_of(folder: Path) -> str | None:
    """Return the hash of the published checkpoint that a folder was converted from, or None if that is not known."""
    known = _note(folder).get("made_of")
    checkpoint = known.get("checkpoint") if isinstance(known, dict) else None
    return str(checkpoint["sha256"]) if isinstance(checkpoint, dict) and "sha256" in checkpoint else None


def _words(ingredients: Ingredients) -> list[str | Path]:
    """Return the converter's options.

    The variant is said outright, since the converter would guess it from the checkpoint's path; so are the numbers of
    queries, which the checkpoint's own tensors tell.
    """
    words: list[str | Path] = ["--variant", "5B"]
    words += ["--ckpt_path", ingredients.weights.absolute(), "--base_vae_path", ingredients.vae.absolute()]
    words += ["--mllm_model", ingredients.mllm.absolute()]
    have = {name.removeprefix("pipe."): tensor for name, tensor in tensors.read(ingredients.weights).items()}
    for kind in QUERIES:
        queries = have.get(f"mllm.{kind}_queries.q")
        if queries is not None:
            words += [f"--num_{kind}_queries", str(queries.shape[0])]
    return words


def _why(ended: Ended) -> str:
    if ended.code < 0:
        return f"{ended.why}; {MEMORY}"
    return ended.why


def _check_checkpoint(path: Path) -> None:
    if not path.is_file():
        raise EditorError(
            f"there is no file {path}; --checkpoint is the model.safetensors of stdKonjac/Kiwi-Sparkle-720P-81F on the Hub"
        )
    names = {name.removeprefix("pipe.").removeprefix("dit.") for name in tensors.read(path)}
    layers = [name for name in names if name.startswith("blocks.") and "lora" not in name]
    if not any(name.startswith("mllm.") for name in names):
        raise EditorError(f"{path} is no checkpoint of Kiwi-Edit: it holds no mllm.* tensors")
    if len(layers) <= FEWEST_LAYERS:
        raise EditorError(f"{path} holds no whole transformer; only checkpoints that do can be converted")


def _check_mllm(folder: Path) -> None:
    where = "--mllm is the folder of Qwen/Qwen2.5-VL-3B-Instruct as it is on the Hub"
    if not (folder / "config.json").is_file():
        raise EditorError(f"{folder} has no config.json; {where}")
    if not any(folder.glob("*.safetensors")):
        raise EditorError(f"{folder} holds no weights (*.safetensors); {where}")
    for path in sorted(folder.glob("*.safetensors")):
        tensors.read(path)
    kind = _json(folder / "config.json").get("model_type")
    if kind != "qwen2_5_vl":
        raise EditorError(f"{folder} is a {kind}, not a qwen2_5_vl; {where}")


def _check_room(ingredients: Ingredients, where: Path) -> None:
    files = [ingredients.weights, ingredients.vae, *ingredients.mllm.glob("*.safetensors")]
    needed = sum(path.stat().st_size for path in files)
    free = shutil.disk_usage(where).free
    if free < needed:
        raise MachineError(
            f"{where} has {free / 1e9:.1f} GB free, and the weights take {needed / 1e9:.1f} GB; pass --to"
        )


def _check_part(folder: Path, called: str) -> None:
    """Refuse a part of a pipeline without weights, or with files that are cut short."""
    if not folder.is_dir():
        raise EditorError(f"{called} lacks its part {folder.name}; download or convert it again")
    if "_class_name" in _json(folder / "config.json") and not any(folder.glob("diffusion_pytorch_model*")):
        raise EditorError(f"{called} has no weights in {folder.name}; download or convert it again")
    for path in sorted(folder.glob("*.safetensors")):
        tensors.read(path)
    for path in folder.glob("*.safetensors.index.json"):
        shards = set(_json(path).get("weight_map", {}).values())
        missing = sorted(str(shard) for shard in shards if not (folder / str(shard)).is_file())
        if missing:
            raise EditorError(f"{called} lacks {listed(missing)} in {folder.name}; download it again")


def _is_unknown(folder: Path) -> bool:
    """Whether the pipeline would not know the language model's folder: it looks for it in the working directory then."""
    encoder = folder / "mllm_encoder"
    there = encoder.is_dir() and (folder / "processor" / KNOWN_BY[0]).is_file()
    return there and not any((encoder / name).is_file() for name in KNOWN_BY)


def _note(folder: Path) -> Mapping[str, Any]:
    return _json(folder / NOTE) if (folder / NOTE).is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise EditorError(f"{path} cannot be read: {one_line(error)}") from error
    return data if isinstance(data, dict) else {}
