"""Pipelines of diffusers: options, masks and weights without torch, and real pipelines of tiny random weights.

The latter need `SPARKLE_EDITORS_PYTHON`, the interpreter of an environment with torch, diffusers, transformers, accelerate,
ftfy, PyAV and Pillow. One process there builds the checkpoints and runs all cases; see `diffusion_cases.py`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sparkle_bench import benchmark, editors, video
from sparkle_bench.editors import gpu, weights
from sparkle_bench.editors.masks import GREY, Masks, greyed
from sparkle_bench.editors.studio import Clip
from sparkle_bench.editors.weights import Weights
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Probe, Sample, to_json
from sparkle_bench.video.frames import frames
from tests import makers

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
MASKS = str(HERE)
"""A folder, for what does not look into it."""
ANY = {"model_path": "someone/some-model", "pipeline": "WanVideoToVideoPipeline"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A sample whose source has 16 frames of 96x64 at 16 frames a second."""
    root = makers.write_benchmark(tmp_path_factory.mktemp("bench"), samples_per_theme=1, frames=16)
    return benchmark.load(root).samples[0]


# -- options, without torch --------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[str, dict[str, str], str]] = {
    "no pipeline": ("diffusers", {"model_path": "x/y"}, "Diffusion needs --option pipeline="),
    "no weights": ("diffusers", {"pipeline": "X"}, "Diffusion needs --option model_path="),
    "another option": ("lucy-edit", {"cfg": "5"}, "Diffusion has no option 'cfg'; known: pipeline, model_path"),
    "no number": ("lucy-edit", {"steps": "many"}, "option steps='many' is not a int"),
    "no steps": ("lucy-edit", {"steps": "0"}, "option steps=0 is none; it is a whole number from 1"),
    "no guidance": ("lucy-edit", {"guidance": "nan"}, "option guidance=nan is none"),
    "too strong": ("lucy-edit", {"strength": "1.5"}, "option strength=1.5 is none; it is a number above 0, up to 1"),
    "no shift": ("lucy-edit", {"flow_shift": "0"}, "option flow_shift=0.0 is none"),
    "a huge seed": ("lucy-edit", {"seed": str(2**64)}, "option seed=18446744073709551616 is none"),
    "another type": ("lucy-edit", {"dtype": "float23"}, "option dtype='float23' is none; did you mean float32"),
    "another way to offload": ("lucy-edit", {"offload": "yes"}, "option offload='yes' is none; known: none, model"),
    "white is what": (
        "wan-vace",
        {"masks": MASKS, "mask_is": "front"},
        "option mask_is='front' is none; known: background",
    ),
    "masks are needed": ("wan-vace", {}, "wan-vace needs masks of what may change; pass --option masks=FOLDER"),
    "no such masks": ("wan-vace", {"masks": "deep/my-mask"}, "there is no folder my-mask of masks"),
    "white of no masks": (
        "lucy-edit",
        {"mask_is": "background"},
        "option mask_is is of masks, and there are none; pass",
    ),
    "grey for no masks": ("lucy-edit", {"grey": "true"}, "option grey is of masks, and there are none; pass --option"),
    "sides": ("lucy-edit", {"size": "848x480"}, "takes sides in multiples of 32, not 848x480; 832x480 is one"),
}


@pytest.mark.parametrize(("model", "options", "said"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_option_is_told_at_once_and_without_torch(model: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create(model, options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


OWN: dict[str, tuple[str, str]] = {
    "no fit": ("[options]\nsteps = 3", "does not say what of a clip it takes"),
    "a section that nobody reads": ("[fit]\n[diffusers]\nx = 1", "has its options in \\[options\\]"),
    "a whole number is none": ("[fit]\n[options]\nsteps = 2.5", "option steps=2.5 is none"),
}


@pytest.mark.parametrize(("text", "said"), OWN.values(), ids=OWN)
def test_a_preset_of_ones_own_is_looked_at_too(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"kind = 'diffusers'\n{text}", encoding="utf-8")
    with pytest.raises(EditorError, match=said):
        editors.create(str(path), ANY)


def test_vace_takes_sides_that_lucy_does_not() -> None:
    assert editors.create("wan-vace", {"masks": MASKS, "size": "848x480"}) is not None


@pytest.mark.parametrize(
    ("model", "options", "shape"),
    [
        ("lucy-edit", {}, (13, 64, 96)),
        ("lucy-edit", {"size": "64x32", "frames": "5"}, (5, 32, 64)),
        ("wan-vace", {"masks": MASKS}, (13, 64, 96)),
    ],
)
def test_a_shape_is_told_without_a_model(
    sample: Sample, model: str, options: dict[str, str], shape: tuple[int, int, int]
) -> None:
    assert editors.shape(editors.create(model, options), sample) == shape


def test_what_is_declared_says_what_the_model_was_given() -> None:
    lucy = editors.declared(editors.create("lucy-edit", {"seed": "7", "fps": "15", "size": "832x480"}))
    assert lucy["model"]["name"] == "Lucy Edit 1.1 Dev"
    size = {"width": 832, "height": 480}
    assert lucy["settings"] == {"steps": 50, "guidance": 5.0, "seed": 7, "frames": 81, "fps": 15.0} | size
    assert "inputs" not in lucy
    vace = editors.declared(editors.create("wan-vace", {"masks": MASKS}))
    assert vace["inputs"] == {"masks": True}
    plain, masked = (editors.declared(editors.create("diffusers", ANY | more)) for more in ({}, {"masks": MASKS}))
    link = "https://huggingface.co/someone/some-model"
    assert (plain["model"], plain.get("inputs")) == ({"name": "someone/some-model", "link": link}, None)
    assert masked["inputs"] == {"masks": True}, "with masks it is no longer a model that has only the instruction"


def test_another_model_of_the_hub_is_declared_by_its_id_alone(tmp_path: Path) -> None:
    usual = editors.declared(editors.create("lucy-edit", {}))
    assert usual["model"]["version"] == "1.1"
    same = {"model_path": "decart-ai/Lucy-Edit-1.1-Dev", "revision": "main"}
    for options in (same, {"model_path": str(tmp_path)}):
        assert editors.declared(editors.create("lucy-edit", options)) == usual
    small = "Wan-AI/Wan2.1-VACE-1.3B-diffusers"
    vace = editors.declared(editors.create("wan-vace", {"masks": MASKS, "model_path": small}))
    assert vace["model"] == {"name": small, "link": f"https://huggingface.co/{small}"}
    assert vace["inputs"] == {"masks": True}
    long = f"someone/{'x' * 200}"
    assert editors.declared(editors.create("lucy-edit", {"model_path": long}))["model"] == {"name": long[:100]}


def test_where_weights_and_masks_lie_decides_nothing(tmp_path: Path) -> None:
    options = {"model_path": str(tmp_path), "masks": MASKS, "mask_is": "subject", "seed": "1"}
    assert editors.lasting(editors.create("wan-vace", options), options) == {"mask_is": "subject", "seed": "1"}


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="left out: there is torch here")
def test_without_torch_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    editor = editors.create("lucy-edit", {"model_path": str(tmp_path)})
    with pytest.raises(EditorError, match=r"torch, diffusers.* pip install 'sparkle-bench\[editors\]'"):
        editors.load(editor)


# -- weights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "there is no folder model; --option model_path= is a pipeline's folder or an id on the Hub"),
        ({}, "the folder model is no pipeline of diffusers: it has no model_index.json"),
        ({"model_index.json": "{"}, "model_index.json of model is no JSON"),
        ({"model_index.json": "[]"}, "model_index.json of model is no table"),
    ],
    ids=["missing", "empty", "no JSON", "no table"],
)
def test_a_folder_that_is_no_pipelines_is_refused_by_its_name_alone(
    tmp_path: Path, made: Mapping[str, str] | None, said: str
) -> None:
    folder = tmp_path / "deep" / "model"
    if made is not None:
        folder.mkdir(parents=True)
        for name, text in made.items():
            (folder / name).write_text(text)
    with pytest.raises(EditorError) as caught:
        editors.load(editors.create("lucy-edit", {"model_path": str(folder)}))
    assert said in str(caught.value)
    assert "deep" not in str(caught.value)


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(EditorError, match="is a folder, which has no revision"):
        Weights(place=str(tmp_path), revision="main").check()


def test_weights_are_called_by_id_or_by_the_folders_name(tmp_path: Path) -> None:
    assert Weights(place="decart-ai/Lucy-Edit-1.1-Dev").called == "decart-ai/Lucy-Edit-1.1-Dev"
    assert Weights(place=f"{tmp_path}/").called == tmp_path.name
    assert Weights(place="/no/where/mine").called == "mine"


def test_a_fingerprint_changes_with_what_is_loaded_and_with_nothing_else(tmp_path: Path) -> None:
    def taken() -> str:
        return weights.fingerprint(tmp_path, weights.parts(tmp_path))

    (tmp_path / "vae").mkdir()
    large = tmp_path / "vae" / "model.safetensors"
    large.write_bytes(bytes(6 << 20))
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "X", "vae": ["diffusers", "Y"]}))
    seen = [taken()]
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "vae" / ".lock").write_text("")
    assert taken() == seen[0]
    for place in (0, 30 * ((6 << 20) - weights.PIECE) // (weights.PIECES - 1), (6 << 20) - 1):
        with large.open("r+b") as file:
            file.seek(place)
            file.write(b"\1")
        seen.append(taken())
    large.write_bytes(bytes((6 << 20) + 1))
    seen.append(taken())
    large.rename(large.with_name("other.safetensors"))
    seen.append(taken())
    (tmp_path / "vae" / "config.json").write_text("{}")
    seen.append(taken())
    assert len(set(seen)) == len(seen)


# -- memory ------------------------------------------------------------------------------------------------------------

SHORTAGES: dict[str, tuple[BaseException, str | None]] = {
    "CUDA": (
        RuntimeError(
            "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 12.30 GiB "
            "is free. Including non-PyTorch memory, this process has 66.80 GiB memory in use."
        ),
        "20.00 GiB more were asked for, 12.30 GiB of 79.11 GiB were free",
    ),
    "CUDA's driver": (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronous"), ""),
    "cuBLAS": (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), ""),
    "a CPU": (
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 84934656 bytes. Error code 12"),
        "84934656 bytes more were asked for",
    ),
    "a Mac": (
        RuntimeError("MPS backend out of memory (MPS allocated: 17.00 GB). Tried to allocate 2.00 GB on private pool."),
        "2.00 GB more were asked for",
    ),
    "Python": (MemoryError(), ""),
    "another error": (RuntimeError("CUDA error: an illegal memory access was encountered"), None),
}


@pytest.mark.parametrize(("error", "said"), SHORTAGES.values(), ids=SHORTAGES)
def test_too_little_memory_is_told_from_other_errors(error: BaseException, said: str | None) -> None:
    assert gpu.shortage(error) == said


# -- masks -------------------------------------------------------------------------------------------------------------

SIZE = (96, 64)


def clip_of(count: int, size: tuple[int, int] = SIZE, total: int = 16) -> Clip:
    return Clip(pictures=list(makers.moving_frames(count, size)), fps=16.0, total=total)


def half(size: tuple[int, int] = SIZE, white: int = 255) -> NDArray[np.uint8]:
    """A picture whose right half is white."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:, size[0] // 2 :] = white
    return picture


def save(path: Path, picture: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def write_masks(folder: Path, sample: Sample, kind: str, pictures: Sequence[NDArray[np.uint8]]) -> Masks:
    """Write a sample's mask as `ID.png`, `ID.mp4` or the folder `ID`."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "image":
        save(folder / f"{sample.id}.png", pictures[0])
    elif kind == "video":
        video.write(folder / f"{sample.id}.mp4", pictures, fps=16)
    else:
        for number, picture in enumerate(pictures):
            save(folder / sample.id / f"frame_{number + 98}.png", picture)
    return Masks(folder=folder)


@pytest.mark.parametrize("kind", ["image", "video", "folder"])
@pytest.mark.parametrize("white", ["background", "subject"])
def test_a_mask_says_what_may_change(tmp_path: Path, sample: Sample, kind: str, white: str) -> None:
    given = write_masks(tmp_path, sample, kind, [half()] * 16)
    masks = dataclasses.replace(given, of_subject=white == "subject").read(sample, clip_of(13))
    assert (masks.shape, set(np.unique(masks))) == ((13, 64, 96), {0, 255})
    right = 255 if white == "background" else 0
    assert (masks[:, :, :46] == 255 - right).all()
    assert (masks[:, :, 50:] == right).all()


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_masks_are_in_the_order_of_the_frames(tmp_path: Path, sample: Sample, kind: str) -> None:
    pictures = [np.full((64, 96, 3), 255 * (number >= 7), np.uint8) for number in range(16)]
    masks = write_masks(tmp_path, sample, kind, pictures).read(sample, clip_of(13))
    assert [int(mask.mean()) for mask in masks] == [0] * 7 + [255] * 6


def test_a_mask_is_cropped_and_scaled_as_its_clip_is(tmp_path: Path, sample: Sample) -> None:
    """96x64 to a square loses 16 columns on each side."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:, 16:48] = 255
    masks = write_masks(tmp_path, sample, "image", [picture]).read(sample, clip_of(5, (32, 32)))
    expected = np.zeros((32, 32), np.uint8)
    expected[:, :16] = 255
    assert (masks == expected).all()


def test_a_mask_may_be_fitted_already(tmp_path: Path, sample: Sample) -> None:
    masks = write_masks(tmp_path, sample, "image", [half((32, 32))]).read(sample, clip_of(5, (32, 32)))
    assert masks[0, 0].tolist() == [0] * 16 + [255] * 16


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "I;16"])
def test_black_and_white_is_read_from_every_kind_of_image(tmp_path: Path, sample: Sample, mode: str) -> None:
    image = Image.fromarray(half()).convert("L")
    deep = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    (deep if mode == deep.mode else image.convert(mode)).save(tmp_path / f"{sample.id}.png")
    masks = Masks(folder=tmp_path).read(sample, clip_of(5))
    assert masks[0, 0].tolist() == [0] * 48 + [255] * 48


LABEL = half()
LABEL[:, 48:, 1:] = 0
LABEL[:, 48:, 0] = 128
CLEAR = np.dstack([np.full((64, 96, 3), 255, np.uint8), half()[..., 0]])
MISMATCHED: dict[str, tuple[str, list[NDArray[np.uint8]], str]] = {
    "too few frames": ("video", [half()] * 12, "it has 12 frames; the source has 16, of which the model takes 13"),
    "too few images": ("folder", [half()] * 5, "it has 5 frames; the source has 16, of which the model takes 13"),
    "more than the source": ("folder", [half()] * 24, "it has 24 frames; the source has 16"),
    "another rate": ("video", [half()] * 14, "it has 14 frames; the source has 16, of which the model takes 13"),
    "another rate, in images": ("folder", [half()] * 15, "it has 15 frames; the source has 16"),
    "another size": ("image", [half((64, 64))], "it is 64x64; the source is 96x64"),
    "two sizes": ("folder", [half()] * 3 + [half((64, 64))] * 13, "it is 64x64 and 96x64; the source is 96x64"),
    "labels in colour": ("image", [LABEL], "it is coloured; a mask is black and white"),
    "zeros and ones": ("image", [half(white=1)], "its brightest pixel is 1; white is 255"),
    "grey in a video": ("video", [half(white=90)] * 16, "; white is 255"),
    "a cut-out": ("image", [CLEAR], "is transparent in part; a mask is black and white"),
}


@pytest.mark.parametrize(("kind", "pictures", "said"), MISMATCHED.values(), ids=MISMATCHED)
def test_a_mask_that_is_another_clips_or_none_is_refused(
    tmp_path: Path, sample: Sample, kind: str, pictures: list[NDArray[np.uint8]], said: str
) -> None:
    with pytest.raises(EditorError) as caught:
        write_masks(tmp_path, sample, kind, pictures).read(sample, clip_of(13))
    assert f"the mask of {sample.id} cannot be used: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("{}.png", b"no image", "cannot identify image file"),
        ("{}.mp4", b"no video", "not a readable video"),
        ("{}/a.png", b"", "its image a.png has no number"),
        ("{}/readme.txt", b"", "it has 0 frames"),
    ],
)
def test_rubbish_for_a_mask_is_refused(tmp_path: Path, sample: Sample, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name.format(sample.id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(EditorError, match=rf"the mask of {sample.id} cannot be used: .*{said}"):
        Masks(folder=tmp_path).read(sample, clip_of(5))


@pytest.mark.parametrize(
    ("count", "fps", "said"), [(13, 13.0, "13 frames a second; the source has 16"), (16, 30.0, "")]
)
def test_a_masks_rate_counts_where_it_has_not_all_frames(
    tmp_path: Path, sample: Sample, count: int, fps: float, said: str
) -> None:
    video.write(tmp_path / f"{sample.id}.mp4", [half()] * count, fps=fps)
    if said:
        with pytest.raises(EditorError, match=said):
            Masks(folder=tmp_path).read(sample, clip_of(13))
    else:
        assert Masks(folder=tmp_path).read(sample, clip_of(13)).shape == (13, 64, 96)


@pytest.mark.parametrize("kind", ["image", "folder"])
@pytest.mark.parametrize("white", [1, 255, 32767])
def test_sixteen_bits_that_are_not_used_are_seen(tmp_path: Path, sample: Sample, kind: str, white: int) -> None:
    deep = Image.fromarray((half(white=1)[..., 0].astype(np.int32) * white).astype(np.uint16))
    paths = [tmp_path / f"{sample.id}.png"]
    if kind == "folder":
        (tmp_path / sample.id).mkdir()
        paths = [tmp_path / sample.id / f"{number}.png" for number in range(13)]
    for path in paths:
        deep.save(path)
    with pytest.raises(EditorError, match=rf"png has 16 bits and its brightest pixel is {white}; white is 65535"):
        Masks(folder=tmp_path).read(sample, clip_of(13))


def test_a_black_mask_of_sixteen_bits_is_one(tmp_path: Path, sample: Sample) -> None:
    Image.fromarray(np.zeros((64, 96), np.uint16)).save(tmp_path / f"{sample.id}.png")
    assert not Masks(folder=tmp_path).read(sample, clip_of(13)).any()


def test_a_missing_image_among_the_numbered_is_seen(tmp_path: Path, sample: Sample) -> None:
    masks = write_masks(tmp_path, sample, "folder", [half()] * 16)
    (tmp_path / sample.id / "frame_100.png").unlink()
    with pytest.raises(EditorError, match=r"after its image frame_99.png comes frame_101.png"):
        masks.read(sample, clip_of(13))


def test_masks_are_looked_for_before_the_work(tmp_path: Path, sample: Sample) -> None:
    other = dataclasses.replace(sample, id="other")
    editor = editors.create("wan-vace", {"masks": str(tmp_path)})
    with pytest.raises(EditorError, match=rf"has no mask of any sample; expected {sample.id}.mp4, {sample.id}.png, or"):
        editors.prepare(editor, [sample, other])
    write_masks(tmp_path, other, "image", [half()])
    editors.prepare(editor, [sample, other])
    with pytest.raises(EditorError, match=f"no mask of {sample.id}; expected"):
        Masks(folder=tmp_path).read(sample, clip_of(5))


def test_what_may_change_is_grey_and_the_rest_as_it_was() -> None:
    pictures = clip_of(2).pictures
    masks = np.stack([half()[..., 0]] * 2)
    for picture, seen in zip(pictures, greyed(pictures, masks), strict=True):
        assert (seen[:, 48:] == GREY).all()
        assert (seen[:, :48] == picture[:, :48]).all()
        assert seen.dtype == np.uint8


# -- real pipelines ----------------------------------------------------------------------------------------------------

TINY = {"steps": "2", "dtype": "float32", "size": "64x64", "crf": "0"}
"""Written without loss: x264 may write the same frames in other bytes, and read again they then differ by a shade."""
TINY_LUCY = TINY | {"model_path": "{models}/lucy"}
TINY_VACE = TINY | {"model_path": "{models}/vace"}
TINY_WAN = TINY | {"model_path": "{models}/wan", "pipeline": "WanVideoToVideoPipeline"}
ROOM = {"size": "512x512", "frames": "5", "steps": "1"}


def presets_of_ones_own(folder: Path) -> dict[str, str]:
    """Write presets that fit clips as Lucy cannot take them."""
    fits = {"narrow": "multiple = 16", "every": "frames = 'any'", "eights": "frames = '6n+1'\nmost = 79"}
    for name, fit in fits.items():
        (folder / f"{name}.toml").write_text(f"kind = 'diffusers'\n[fit]\n{fit}\n", encoding="utf-8")
    return {name: str(folder / f"{name}.toml") for name in fits}


def cases_of(sample: Sample, folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is run, in this order."""
    for colour, level in (("white", 255), ("black", 0)):
        write_masks(folder / colour, sample, "image", [np.full((64, 96, 3), level, np.uint8)])
    white, black = ({"masks": str(folder / colour)} for colour in ("white", "black"))
    own = presets_of_ones_own(folder)
    plain = {name: value for name, value in TINY_LUCY.items() if name != "size"} | {"pipeline": "LucyEditPipeline"}
    other = dataclasses.replace(sample, instruction="Put the subject on the moon.")
    cases: dict[str, Any] = {
        "lucy": ("lucy-edit", TINY_LUCY),
        "lucy again": ("lucy-edit", TINY_LUCY),
        "another prompt": ("lucy-edit", TINY_LUCY, {"sample": to_json(other)}),
        "another seed": ("lucy-edit", TINY_LUCY | {"seed": "1"}),
        "the authors' writing": ("lucy-edit", TINY_LUCY | {"fps": "15", "crf": "25", "dtype": "bfloat16"}),
        "another shift": ("lucy-edit", TINY_LUCY | {"flow_shift": "9"}),
        "no guidance": ("lucy-edit", TINY_LUCY | {"guidance": "1", "negative_prompt": "rain"}),
        "not wanted": ("lucy-edit", TINY_LUCY | {"negative_prompt": "rain"}),
        "more steps": ("lucy-edit", TINY_LUCY | {"steps": "3"}),
        "less guidance": ("lucy-edit", TINY_LUCY | {"guidance": "2"}),
        "from the Hub": ("lucy-edit", TINY_LUCY | {"model_path": "tiny/lucy", "revision": "main"}),
        "white": ("wan-vace", TINY_VACE | white),
        "black": ("wan-vace", TINY_VACE | black),
        "white subject": ("wan-vace", TINY_VACE | white | {"mask_is": "subject"}),
        "white, not grey": ("wan-vace", TINY_VACE | white | {"grey": "false"}),
        "black, not grey": ("wan-vace", TINY_VACE | black | {"grey": "false"}),
        "any": ("diffusers", TINY_WAN),
        "any, in four steps": ("diffusers", TINY_WAN | {"steps": "4"}),
        "any, weakly": ("diffusers", TINY_WAN | {"steps": "4", "strength": "0.3"}),
        "any, in one sample's memory": (
            "diffusers",
            TINY_LUCY | ROOM | {"pipeline": "LucyEditPipeline"},
            {"room": 64 << 20},
        ),
        "any, after that": ("diffusers", TINY_LUCY | ROOM | {"pipeline": "LucyEditPipeline"}),
        "broken": ("lucy-edit", TINY_LUCY | {"model_path": "{models}/broken"}),
        "no such name": ("diffusers", TINY_LUCY | {"pipeline": "LucyEditPipelin"}),
        "no pipeline": ("diffusers", TINY_LUCY | {"pipeline": "AutoencoderKLWan"}),
        "no video": ("diffusers", TINY_WAN | {"pipeline": "WanPipeline"}),
        "more than video": ("diffusers", TINY_WAN | {"pipeline": "WanAnimatePipeline"}),
        "no strength": ("lucy-edit", TINY_LUCY | {"strength": "0.5"}),
        "no mask": ("lucy-edit", TINY_LUCY | white),
        "another's weights": ("lucy-edit", TINY_LUCY | {"model_path": "{models}/vace"}),
        "not downloaded": ("lucy-edit", TINY_LUCY | {"model_path": "tiny/other"}),
        "no GPU": ("lucy-edit", TINY_LUCY | {"device": "cuda"}),
        "no device": ("lucy-edit", TINY_LUCY | {"device": "gpu"}),
        "nothing to spare": ("lucy-edit", TINY_LUCY | {"offload": "model"}),
        "narrow sides": (own["narrow"], plain),
        "every frame": (own["every"], plain),
        "another rule": (own["eights"], plain),
        "no ftfy": ("lucy-edit", TINY_LUCY | {"seed": "2"}, {"without": ["ftfy"]}),
    }
    common = {"sample": to_json(sample), "root": str(sample.root)}
    made = {}
    for name, (model, options, *more) in cases.items():
        case = common | {"name": name, "model": model, "options": options, "out": str(folder / f"{name}.mp4")}
        made[name] = case | (more[0] if more else {})
    return made


def real_cases(mini: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Return edits of a real clip of 1280x720, one with a mask of its size for every frame."""
    sample = benchmark.load(mini).samples[0]
    facts = video.probe(sample.source_path)
    write_masks(folder / "real", sample, "video", [half((facts.width, facts.height))] * facts.frames)
    wide = {"size": "96x64", "frames": "9"}
    cases = {
        "real, lucy": ("lucy-edit", TINY_LUCY | wide),
        "real, vace": ("wan-vace", TINY_VACE | wide | {"masks": str(folder / "real")}),
    }
    common = {"sample": to_json(sample), "root": str(sample.root)}
    return {
        name: common | {"name": name, "model": model, "options": options, "out": str(folder / f"{name}.mp4")}
        for name, (model, options) in cases.items()
    }


@pytest.fixture(scope="module")
def ran(sample: Sample, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What came of each case, with the file's path as `out`."""
    python = os.environ.get("SPARKLE_EDITORS_PYTHON")
    if not python:
        pytest.skip(
            "left out: needs SPARKLE_EDITORS_PYTHON, the interpreter of an environment with torch and diffusers"
        )
    folder = tmp_path_factory.mktemp("edits")
    cases = cases_of(sample, folder)
    if (HERE.parent.parent / "shared" / "data").is_dir():
        cases |= real_cases(request.getfixturevalue("mini"), folder)
    models = folder / "models"
    done = subprocess.run(
        [python, "-m", "tests.diffusion_cases", str(models)],
        input="".join(json.dumps(case) + "\n" for case in cases.values()),
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(models / "hub")},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = {said["name"]: said for said in map(json.loads, done.stdout.splitlines())}
    assert answers.keys() == cases.keys()
    return {name: said | {"out": Path(cases[name]["out"])} for name, said in answers.items()}


def pictures(ran: Mapping[str, Any], name: str) -> NDArray[np.uint8]:
    assert "error" not in ran[name], ran[name]["error"]
    return np.stack(list(frames(ran[name]["out"])))


@pytest.mark.editors
def test_a_clip_is_edited_and_written_at_its_own_rate(ran: dict[str, Any]) -> None:
    said = ran["lucy"]
    assert said.get("error") is None
    assert video.probe(said["out"]) == Probe(frames=13, fps=16.0, width=64, height=64)
    assert said["shape"] == [13, 64, 64]
    assert (said["effort"]["frames"], said["effort"]["aligned"]) == (13, True)
    assert said["effort"]["seconds"] > 0
    assert "gpu_memory" not in said["effort"], "a CPU has no GPU memory"


@pytest.mark.editors
def test_the_authors_rate_and_quality_are_at_hand(ran: dict[str, Any]) -> None:
    out = ran["the authors' writing"]["out"]
    assert video.probe(out) == Probe(frames=13, fps=15.0, width=64, height=64)
    assert b"crf=25.0" in out.read_bytes()
    assert ran["the authors' writing"]["declared"]["settings"]["fps"] == 15.0


@pytest.mark.editors
def test_the_same_seed_gives_the_same_frames_and_nothing_else_does(ran: dict[str, Any]) -> None:
    first = pictures(ran, "lucy")
    assert (first == pictures(ran, "lucy again")).all()
    for name in ("another prompt", "another seed", "another shift", "more steps", "less guidance", "not wanted"):
        assert (first != pictures(ran, name)).any(), name


@pytest.mark.editors
def test_a_mask_decides_what_is_painted(ran: dict[str, Any]) -> None:
    white, black = pictures(ran, "white"), pictures(ran, "black")
    assert white.shape == black.shape == (13, 64, 64, 3)
    assert (white != black).any()
    assert (pictures(ran, "white subject") == black).all()
    assert (pictures(ran, "white, not grey") != white).any(), "what the pipeline sees where it may paint"
    assert (pictures(ran, "white, not grey") != pictures(ran, "black, not grey")).any(), "the mask itself"


@pytest.mark.editors
def test_any_pipeline_goes_the_same_road(ran: dict[str, Any]) -> None:
    assert pictures(ran, "any").shape == (13, 64, 64, 3)
    assert (pictures(ran, "any, weakly") != pictures(ran, "any, in four steps")).any(), "the strength alone"
    assert ran["any"]["declared"]["model"] == {"name": "wan"}
    assert ran["any"]["declared"]["settings"]["guidance"] == 5.0, "the pipeline's own default"
    assert ran["any, weakly"]["describe"]["strength"] == 0.3


@pytest.mark.editors
def test_too_little_memory_fails_one_edit_and_not_the_next(ran: dict[str, Any]) -> None:
    said = ran["any, in one sample's memory"]
    assert said["error_type"] == "OutOfMemory", said
    assert said["error"].startswith("this machine has too little memory for 5 frames of 512x512: ")
    assert said["error"].endswith(" more were asked for; try a smaller --option size= or fewer --option frames=")
    assert pictures(ran, "any, after that").shape == (5, 512, 512, 3)


@pytest.mark.editors
def test_what_made_the_edits_is_described(ran: dict[str, Any]) -> None:
    said = ran["the authors' writing"]["describe"]
    assert said["pipeline"] == "LucyEditPipeline"
    assert said["dtypes"] == {"text_encoder": "bfloat16", "transformer": "bfloat16", "vae": "float32"}
    assert (said["device"], said["offload"], said["seed"], said["scheduler"]) == (
        "cpu", "none", 0, "UniPCMultistepScheduler",
    )  # fmt: skip
    assert (said["steps"], said["guidance"], said["flow_shift"]) == (2, 5.0, 3.0)
    assert (said["frames"], said["size"], said["fps"], said["crf"]) == (81, "64x64", 15.0, 25)
    assert {"torch", "diffusers", "transformers", "accelerate", "ftfy"} <= said["versions"].keys()
    assert said["weights"]["name"] == "lucy"
    assert "all bytes of those up to 4 MiB" in said["weights"]["sha256_covers"]
    assert "ignored" not in said
    assert ran["another shift"]["describe"]["flow_shift"] == 9
    assert (
        ran["white"]["describe"]["mask_folder"].items()
        >= {"name": "white", "white_is": "background", "grey": True}.items()
    )
    assert len({ran[name]["describe"]["mask_folder"]["sha256"] for name in ("white", "black")}) == 2


@pytest.mark.editors
def test_weights_of_the_hub_are_known_by_their_commit_and_others_by_their_hash(ran: dict[str, Any]) -> None:
    said = ran["from the Hub"]["describe"]["weights"]
    assert said == {"name": "tiny/lucy", "commit": "0123456789abcdef0123456789abcdef01234567"}
    assert (pictures(ran, "from the Hub") == pictures(ran, "lucy")).all()
    hashes = [ran[name]["describe"]["weights"]["sha256"] for name in ("lucy", "broken", "white", "any")]
    assert len(set(hashes)) == 4


@pytest.mark.editors
def test_an_option_that_changes_nothing_is_said_to_be_ignored(ran: dict[str, Any]) -> None:
    assert ran["no guidance"]["describe"]["ignored"] == ["negative_prompt: there is none without guidance above 1"]
    assert "ignored" not in ran["not wanted"]["describe"]


@pytest.mark.editors
def test_nothing_on_record_tells_where_things_are_on_this_machine(ran: dict[str, Any]) -> None:
    for name, said in ran.items():
        shown = json.dumps([said.get(part) for part in ("describe", "declared", "error")])
        assert str(said["out"].parent) not in shown, name
        assert "/models/" not in shown, name


FAILURES: dict[str, str] = {
    "broken": "the pipeline gave pixels that are no numbers; try --option dtype=float32",
    "no such name": "has no pipeline 'LucyEditPipelin'; did you mean LucyEditPipeline",
    "no pipeline": "has no pipeline 'AutoencoderKLWan'; known: ",
    "no video": "WanPipeline takes no video; it cannot edit a video as it is told",
    "more than video": "WanAnimatePipeline takes no video",
    "no strength": "LucyEditPipeline has no strength; leave out --option strength=",
    "no mask": "LucyEditPipeline has no mask; leave out --option masks=",
    "another's weights": "the weights vace are of WanVACEPipeline: their transformer is a WanVACETransformer3DModel",
    "not downloaded": "the weights tiny/other cannot be loaded as LucyEditPipeline: ",
    "no GPU": "finds no device cuda here, but cpu",
    "no device": "device='gpu' is none; it looks like cuda, cuda:1, mps or cpu",
    "nothing to spare": "offload=model spares a GPU, and there is none; leave it out",
    "narrow sides": "LucyEditPipeline with these weights takes sides in multiples of 32, not multiples of 16",
    "every frame": "LucyEditPipeline with these weights takes 4n+1 frames, not any",
    "another rule": "LucyEditPipeline with these weights takes 4n+1 frames, not 6n+1",
    "no ftfy": "LucyEditPipeline needs ftfy to read its prompts; pip install ftfy",
}


@pytest.mark.editors
@pytest.mark.parametrize(("name", "said"), FAILURES.items(), ids=FAILURES)
def test_what_cannot_be_is_told_in_one_line(ran: dict[str, Any], name: str, said: str) -> None:
    assert ran[name]["error_type"] == "EditorError", ran[name]
    assert said in ran[name]["error"]
    assert "\n" not in ran[name]["error"]
    assert not ran[name]["out"].exists()


@pytest.mark.editors
@pytest.mark.parametrize("name", ["real, lucy", "real, vace"])
def test_a_real_clip_is_edited(data: Path, ran: dict[str, Any], name: str) -> None:
    made = pictures(ran, name)
    assert made.shape == (9, 64, 96, 3)
    assert video.probe(ran[name]["out"]).fps == 16.0
    assert all((one != other).any() for one, other in itertools.pairwise(made)), "a clip, and not one picture"
