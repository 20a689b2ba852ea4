"""Kiwi-Edit and Kiwi-Sparkle: options and folders without torch, and a pipeline of our own through the real road.

The latter needs `SPARKLE_EDITORS_PYTHON`, the interpreter of an environment with torch, diffusers 0.39 and transformers
4.57. `tests/kiwi_stub` is loaded there as the real pipeline is: by `DiffusionPipeline.from_pretrained` with its own code.
`KIWI_SRC`, a checkout of Kiwi-Edit, lets the real converter and the real pipeline be run too, with tiny random weights.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sparkle_bench import benchmark, editors, video
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors import tensors
from sparkle_bench.editors.placing import Where, placed
from sparkle_bench.editors.tensors import Tensor
from sparkle_bench.errors import EditorError
from sparkle_bench.records import Edit, Effort, Sample
from sparkle_bench.store import Store
from sparkle_bench.video.frames import frames
from tests import cli, makers

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
STUB = HERE / "kiwi_stub"
NO_TORCH = importlib.util.find_spec("torch") is None


def stub(folder: Path, name: str = "stub") -> Path:
    """Write a loadable folder: the stub's code, and weights."""
    shutil.copytree(STUB, folder, ignore=shutil.ignore_patterns("__pycache__"))
    tensors.add_zeros(
        folder / "tint" / "diffusion_pytorch_model.safetensors", {"colour": Tensor(dtype="F32", shape=(3,))}
    )
    code = folder / "pipeline_stub.py"
    code.write_text(code.read_text(encoding="utf-8").replace('"stub"', f'"{name}"'), encoding="utf-8")
    return folder


def calls(folder: Path) -> list[dict[str, Any]]:
    """Return what arrived at a stub's pipeline."""
    path = folder / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# -- without torch -----------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no weights": ({}, "kiwi-sparkle has no weights yet: make its folder with `sparkle-bench setup kiwi-sparkle`"),
    "other noise levels": ({"model_path": "x", "sigmas": "zero"}, "sigmas='zero' is none; known: diffsynth, port"),
    "no steps": ({"model_path": "x", "steps": "0"}, "steps=0 and shift=5.0 cannot be"),
    "an odd size": ({"model_path": "x", "size": "1280x720"}, "multiples of 32, not 1280x720; 1280x704 is one"),
    "an odd count": ({"model_path": "x", "frames": "16"}, "16 frames at most, but the model takes 4n+1: 13"),
    "an unknown option": ({"model_path": "x", "cfg": "5"}, "has no option 'cfg'; known: model_path"),
    "no number": ({"model_path": "x", "seed": "any"}, "option seed='any' is not a int"),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_options_that_cannot_be_are_refused_at_once(options: dict[str, str], said: str) -> None:
    with pytest.raises(EditorError) as caught:
        editors.create("kiwi-sparkle", options)
    assert said in str(caught.value)


@pytest.mark.parametrize("fit", [{"frames": "any"}, {"multiple": 16}])
def test_a_preset_that_would_give_kiwi_what_it_cannot_take_is_refused(fit: dict[str, Any], tmp_path: Path) -> None:
    data = {"kind": "kiwi", "fit": fit, "options": {"model_path": str(tmp_path)}}
    with pytest.raises(EditorError, match=r"Kiwi takes 4n\+1 frames and sides that are multiples of 32"):
        editors.build(editors.Recipe(name="mine", options={}, preset=("mine", data)))


def test_what_decides_about_the_edits_is_described_and_declared(tmp_path: Path) -> None:
    options = {"model_path": str(tmp_path / "weights"), "guidance": "5", "frames": "49", "fps": "15", "size": "832x480"}
    editor = editors.create("kiwi-sparkle", options)
    said = editors.describe(editor, options)
    assert (said["guidance"], said["sigmas"], said["seed"]) == ("5.0 (ignored)", "diffsynth", 0)
    assert (said["frames"], said["size"], said["fps"], said["crf"]) == (49, "832x480", 15.0, 18)
    assert said["model"] == "weights"
    assert str(tmp_path) not in json.dumps(said)
    declared = editors.declared(editor)
    assert declared["model"]["name"] == "Kiwi-Sparkle"
    assert "guidance" not in declared["settings"]
    assert "guidance 5 is ignored" in declared["settings"]["notes"]
    assert (declared["settings"]["steps"], declared["settings"]["frames"], declared["settings"]["width"]) == (
        50,
        49,
        832,
    )


def test_another_model_of_the_hub_is_declared_by_its_id_alone(tmp_path: Path) -> None:
    usual = editors.declared(editors.create("kiwi-edit", {}))
    assert usual["model"]["version"] == "5b-instruct-only"
    assert editors.declared(editors.create("kiwi-edit", {"model_path": str(tmp_path)})) == usual
    other = "linyq/kiwi-edit-5b-instruct-reference-diffusers"
    said = editors.declared(editors.create("kiwi-edit", {"model_path": other}))
    assert said["model"] == {"name": other, "link": f"https://huggingface.co/{other}"}
    assert (said.get("training"), said["settings"]) == (None, usual["settings"])


def test_where_weights_lie_decides_nothing(tmp_path: Path) -> None:
    options = {"model_path": str(tmp_path), "seed": "1"}
    assert editors.lasting(editors.create("kiwi-sparkle", options), options) == {"seed": "1"}


def test_the_two_presets_have_one_environment() -> None:
    edit, sparkle = (presets.find(name) for name in ("kiwi-edit", "kiwi-sparkle"))
    assert edit is not None
    assert sparkle is not None
    assert edit.needs.environment == sparkle.needs.environment
    assert (edit.fit, edit.needs.libraries) == (sparkle.fit, sparkle.needs.libraries)
    assert "transformers>=4.57.6,<5" in edit.needs.environment


def test_a_clip_is_seen_as_the_authors_see_it(tmp_path: Path, mini: Path) -> None:
    editor = editors.create("kiwi-sparkle", {"model_path": str(tmp_path)})
    shapes = {editors.shape(editor, sample) for sample in benchmark.load(mini).samples}
    assert {shape[1:] for shape in shapes} == {(704, 1280)}
    assert all(shape[0] % 4 == 1 for shape in shapes)


def absent(folder: Path) -> Path:
    return folder / "absent"


def checkpoint(folder: Path) -> Path:
    folder.mkdir()
    tensors.add_zeros(folder / "model.safetensors", {"mllm.video_queries.q": Tensor(dtype="BF16", shape=(4, 8))})
    return folder


def checkpoint_file(folder: Path) -> Path:
    return checkpoint(folder) / "model.safetensors"


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def without_weights(folder: Path) -> Path:
    (stub(folder) / "tint" / "diffusion_pytorch_model.safetensors").unlink()
    return folder


def without_a_part(folder: Path) -> Path:
    shutil.rmtree(stub(folder) / "tint")
    return folder


def cut_short(folder: Path) -> Path:
    path = stub(folder) / "tint" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    return folder


def pointer(folder: Path) -> Path:
    path = stub(folder) / "tint" / "diffusion_pytorch_model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    return folder


UNLOADABLE = {
    "nothing": (absent, "there is no folder absent"),
    "a checkpoint's folder": (
        checkpoint,
        "is a DiffSynth checkpoint.*`sparkle-bench setup kiwi-sparkle --checkpoint FILE",
    ),
    "a checkpoint": (checkpoint_file, "model.safetensors is a DiffSynth checkpoint"),
    "an empty folder": (empty, "has no model_index.json"),
    "no weights": (without_weights, "has no weights in tint"),
    "no part": (without_a_part, "lacks its part tint"),
    "cut short": (cut_short, "is cut short: it has .* bytes; copy or download it again"),
    "a note of Git LFS": (pointer, "is not the weights but Git LFS's note of them"),
}


@pytest.mark.parametrize(("make", "said"), UNLOADABLE.values(), ids=UNLOADABLE)
def test_a_folder_that_cannot_be_loaded_is_told_before_torch_is_needed(make: Any, said: str, tmp_path: Path) -> None:
    place = make(tmp_path / "absent" if make is absent else tmp_path / "weights")
    editor = editors.create("kiwi-sparkle", {"model_path": str(place)})
    with pytest.raises(EditorError, match=said) as caught:
        editors.load(editor)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not NO_TORCH, reason="left out: torch is in this environment")
def test_an_environment_without_the_libraries_names_the_command_that_makes_one(tmp_path: Path) -> None:
    editor = editors.create("kiwi-sparkle", {"model_path": str(stub(tmp_path / "weights"))})
    with pytest.raises(EditorError, match=r"needs libraries .*torch.*`sparkle-bench setup kiwi-sparkle` makes one"):
        editors.load(editor)


# -- the stub, through the real road -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter of the environment that has torch."""
    found = os.environ.get("SPARKLE_EDITORS_PYTHON")
    if not found:
        pytest.skip("left out: SPARKLE_EDITORS_PYTHON names no environment with torch and diffusers")
    return Path(found)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run of the command line left."""

    root: Path
    weights: Path
    samples: Mapping[str, Sample]
    log: str

    @property
    def edits(self) -> dict[str, Edit]:
        return dict(Store(root=self.root).edits("kiwi-sparkle"))

    @property
    def calls(self) -> dict[str, dict[str, Any]]:
        """What arrived at the pipeline, by prompt."""
        return {call["prompt"]: call for call in calls(self.weights)}

    def video(self, sample_id: str) -> Path:
        return Store(root=self.root).video_path("kiwi-sparkle", self.samples[sample_id])


OUT_OF_MEMORY, TOO_SHORT = "Sparkle_season_000001", "Sparkle_time_000001"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Ran:
    """Four clips edited with the stub by the command line; two of them fail, each in its way."""
    root = tmp_path_factory.mktemp("kiwi")
    bench = makers.write_benchmark(root / "bench", samples_per_theme=1, frames=16, size=(200, 136))
    for theme, words in (("season", "out of memory"), ("time", "too short")):
        for name in (f"{theme}_bench.csv", f"{theme}_metadata.jsonl"):
            path = bench / name
            path.write_text(path.read_text(encoding="utf-8").replace("slowly", words), encoding="utf-8")
    weights = stub(root / "weights")
    done = cli.run(
        "edit", "--bench", bench, "--model", "kiwi-sparkle", "--model-path", weights, "--python", python,
        "--option", "device=cpu", "--option", "steps=4", "--option", "seed=7", "--option", "shift=3",
        cwd=root, timeout=240,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    samples = {sample.id: sample for sample in benchmark.load(bench).samples}
    return Ran(root=root, weights=weights, samples=samples, log=done.stderr)


@pytest.mark.editors
def test_clips_are_edited_in_a_worker_process_by_the_pipelines_own_code(ran: Ran) -> None:
    good = {name: edit for name, edit in ran.edits.items() if edit.ok}
    assert set(good) == set(ran.samples) - {OUT_OF_MEMORY, TOO_SHORT}
    for name, edit in good.items():
        probe = video.probe(ran.video(name))
        assert (probe.frames, probe.width, probe.height, probe.fps) == (13, 192, 128, 16.0)
        assert edit.effort is not None
        assert (edit.effort.frames, edit.effort.aligned) == (13, True)
        before, after = list(frames(ran.samples[name].source_path)), list(frames(ran.video(name)))
        assert float(before[0].max()) / 2 < float(after[0].max())


@pytest.mark.editors
def test_the_pipeline_is_given_fitted_clips_and_what_was_chosen(ran: Ran) -> None:
    for sample in ran.samples.values():
        call = ran.calls[sample.instruction]
        assert (call["frames"], call["num_frames"], call["size"], call["given"]) == (13, 13, [192, 128], [192, 128])
        assert (call["steps"], call["seed"], call["shift"], call["guidance"]) == (4, 7, 3.0, 1.0)
        assert (call["dtype"], call["device"]) == ("torch.bfloat16", "cpu")


@pytest.mark.editors
def test_noise_levels_are_the_originals(ran: Ran) -> None:
    even = [1 - step / 4 for step in range(4)]
    expected = [round(3 * level / (1 + 2 * level), 6) for level in even]
    assert [call["sigmas"] for call in ran.calls.values()] == [pytest.approx(expected, abs=1e-5)] * 4


@pytest.mark.editors
def test_too_little_memory_is_told_as_such(ran: Ran) -> None:
    edit = ran.edits[OUT_OF_MEMORY]
    assert edit.error_type == "OutOfMemory"
    assert "too little memory for 13 frames of 192x128: 2.00 GiB more were asked for" in str(edit.error)
    assert "--option frames=49" in str(edit.error)


@pytest.mark.editors
def test_a_pipeline_that_drops_a_frame_has_made_no_edit(ran: Ran) -> None:
    assert "was given 13 frames and made 12" in str(ran.edits[TOO_SHORT].error)


@pytest.mark.editors
def test_what_made_the_edits_is_on_record(ran: Ran) -> None:
    run = Store(root=ran.root).read_run("kiwi-sparkle")
    assert run is not None
    options = run["editor"]["options"]
    assert (options["guidance"], options["sigmas"], options["steps"]) == ("5.0 (ignored)", "diffsynth", 4)
    assert options["weights"]["name"] == "weights"
    assert "model" not in options, "the folder's name decides nothing"
    assert len(options["weights"]["sha256"]) == 64
    assert options["versions"].keys() >= {"torch", "diffusers", "transformers"}
    assert str(ran.root) not in json.dumps(run)


class Loaded:
    """A stub in a worker process."""

    def __init__(self, python: Path, weights: Path, **options: str) -> None:
        given = {"model_path": str(weights), "device": "cpu", "steps": "2", **options}
        self.weights = weights
        self.editor = placed(editors.recipe("kiwi-sparkle", given), Where(python=python))
        try:
            editors.load(self.editor)
        except BaseException:
            editors.close(self.editor)
            raise

    def edit(self, sample: Sample, out: Path) -> NDArray[np.uint8]:
        effort = self.editor.edit(sample, out)
        assert isinstance(effort, Effort)
        return np.stack(list(frames(out)))

    @property
    def record(self) -> dict[str, str]:
        weights: dict[str, str] = editors.describe(self.editor, {})["weights"]
        return weights

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *_: object) -> None:
        editors.close(self.editor)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A sample whose source has 12 frames of 128x128."""
    root = makers.write_benchmark(tmp_path_factory.mktemp("bench"), samples_per_theme=1, size=(128, 128))
    return benchmark.load(root).samples[0]


@pytest.mark.editors
def test_two_folders_with_other_code_of_the_same_name_do_not_mix(python: Path, sample: Sample, tmp_path: Path) -> None:
    folders = [stub(tmp_path / name, name) for name in ("first", "second")]
    with Loaded(python, folders[0]) as first, Loaded(python, folders[1], sigmas="port") as second:
        for number in range(2):
            pictures = [
                loaded.edit(sample, tmp_path / f"{loaded.weights.name}{number}.mp4") for loaded in (first, second)
            ]
            assert not np.array_equal(pictures[0], pictures[1])
        hashes = {loaded.record["sha256"] for loaded in (first, second)}
    assert len(hashes) == 2, "the code is part of what the weights are"
    codes = [[call["code"] for call in calls(folder)] for folder in folders]
    assert codes == [["first", "first"], ["second", "second"]]
    last = [calls(folder)[0]["sigmas"][-1] for folder in folders]
    assert last[0] == pytest.approx(5 * 0.5 / (1 + 4 * 0.5), abs=1e-6)
    assert last[1] > last[0]


@pytest.mark.editors
def test_a_real_clip_keeps_its_first_frames_and_is_cropped(python: Path, mini: Path, tmp_path: Path) -> None:
    real = benchmark.load(mini).samples[0]
    with Loaded(python, stub(tmp_path / "weights"), frames="9") as loaded:
        after = loaded.edit(real, tmp_path / "out.mp4")
    assert after.shape == (9, 704, 1280, 3)
    before = next(iter(frames(real.source_path)))[8:712].astype(int)
    tint = after[0].astype(int) - before // 2
    assert float(np.abs(tint - np.median(tint, axis=(0, 1))).mean()) < 3


WORDS: dict[str, tuple[str, str]] = {
    "another transformers": ('raise KeyError("default")', "needs transformers 4.57 .below 5., and here is torch"),
    "no library": ("import not_there", "needs libraries that this environment lacks .*not_there"),
    "another torchvision": (
        'raise RuntimeError("operator torchvision::nms does not exist")',
        "built for another torch",
    ),
    "no tensors": ('raise NotImplementedError("Cannot copy out of meta tensor")', "--model-path FOLDER mends it"),
    "memory": (
        'raise torch.OutOfMemoryError("CUDA out of memory.")',
        "too little memory for the model; try another GPU",
    ),
    "anything": ('raise ValueError("odd")', "kiwi-sparkle cannot be loaded with torch .*ValueError: odd"),
    "other code": ("pass", "has no _setup_scheduler.*--option sigmas=port"),
}
"""What a pipeline's code does as it is loaded, and what is said then."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOAD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from sparkle_bench import editors
for options in json.loads(sys.argv[2]):
    try:
        editor = editors.create("kiwi-sparkle", options)
        editors.load(editor)
        print(json.dumps(f"loaded {editors.describe(editor, options)['weights']}"))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""


@pytest.fixture(scope="module")
def refusals(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What is said of each pipeline that cannot be loaded; one process tries them all."""
    root = tmp_path_factory.mktemp("unloadable")
    options = {}
    for number, (name, (line, _)) in enumerate(WORDS.items()):
        weights = stub(root / f"weights{number}")
        code = (weights / "pipeline_stub.py").read_text()
        code = code.replace("        super().__init__()\n", f"        super().__init__()\n        {line}\n")
        if name == "other code":
            code = code.replace("_setup_scheduler", "_set_levels")
        (weights / f"pipeline_{number}.py").write_text(code)  # modules of one name would be one module in one process
        index = weights / "model_index.json"
        index.write_text(index.read_text().replace("pipeline_stub", f"pipeline_{number}"))
        options[name] = {"model_path": str(weights), "device": "cpu"}
    good = stub(root / "good")
    options |= {name: {"model_path": str(good), "device": name} for name in ("cuda:99", "toaster")}
    cached = root / "hub" / "models--someone--kiwi"  # as if it had been downloaded
    stub(cached / "snapshots" / COMMIT)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(COMMIT)
    options["hub"] = {"model_path": "someone/kiwi", "device": "cpu"}
    options["not on the hub"] = {"model_path": "someone/other", "device": "cpu"}
    done = subprocess.run(
        [python, "-c", LOAD, HERE.parent, json.dumps(list(options.values()))],
        env={
            **os.environ,
            "HF_MODULES_CACHE": str(root / "modules"),
            "HF_HUB_CACHE": str(root / "hub"),
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith('"')]
    return dict(zip(options, map(json.loads, lines), strict=True))


@pytest.mark.editors
@pytest.mark.parametrize(("name", "said"), [(name, said) for name, (_, said) in WORDS.items()], ids=WORDS)
def test_why_a_pipeline_cannot_be_loaded_is_told_with_the_cure(
    refusals: Mapping[str, str], name: str, said: str
) -> None:
    assert re.search(said, refusals[name]), refusals[name]
    assert refusals[name].startswith("OutOfMemory" if name == "memory" else "EditorError")


@pytest.mark.editors
def test_a_device_that_is_not_there_is_refused(refusals: Mapping[str, str]) -> None:
    assert "finds no device cuda:99" in refusals["cuda:99"]
    assert "device='toaster' is none" in refusals["toaster"]


@pytest.mark.editors
def test_weights_in_the_hubs_cache_are_loaded_without_a_network(refusals: Mapping[str, str]) -> None:
    assert refusals["hub"].startswith("loaded")
    assert f"'commit': '{COMMIT}'" in refusals["hub"]
    assert refusals["not on the hub"].startswith("EditorError: kiwi-sparkle cannot be loaded")


# -- the real thing, tiny ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An environment and a folder made by `setup` from a tiny checkpoint, with the checkout that KIWI_SRC names."""
    checkout = os.environ.get("KIWI_SRC")
    if not checkout:
        pytest.skip("left out: KIWI_SRC names no checkout of Kiwi-Edit")
    root = tmp_path_factory.mktemp("real")
    torch = os.environ.get("KIWI_TORCH", "torch==2.13.0"), os.environ.get("KIWI_TORCHVISION", "torchvision==0.28.0")
    words: list[str | Path] = ["setup", "kiwi-sparkle", "--to", root / "home"]
    words += [word for requirement in torch for word in ("--requirement", requirement)]
    done = cli.run(*words, cwd=root, timeout=900)
    packages = next((root / "home" / "kiwi-sparkle" / "env").glob("lib/python*/site-packages"))
    if done.returncode and "torchvision" in done.stderr:  # PyPI's is built for CUDA
        shutil.copyfile(HERE / "vllm_env" / "sitecustomize.py", packages / "sitecustomize.py")
        done = cli.run(*words, cwd=root, timeout=900)
    assert done.returncode == 0, done.stderr
    python = root / "home" / "kiwi-sparkle" / "env" / "bin" / "python"
    small = root / "small"
    subprocess.run([python, HERE / "kiwi_env" / "small_kiwi.py", checkout, small], check=True, timeout=300)
    words += ["--checkout", small / "Kiwi-Edit", "--checkpoint", small / "model.safetensors"]
    words += ["--vae", small / "Wan2.2_VAE.pth", "--mllm", small / "Qwen2.5-VL", "--json"]
    done = cli.run(*words, cwd=root, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "mllm_encoder/ref_queries" in done.stderr
    said = json.loads(done.stdout)
    return Path(said["python"]), Path(said["model_path"])


@pytest.mark.editors
def test_a_published_checkpoint_becomes_a_pipeline_that_edits(
    real: tuple[Path, Path], sample: Sample, tmp_path: Path
) -> None:
    python, weights = real
    made: dict[str, NDArray[np.uint8]] = {}
    cases: dict[str, dict[str, str]] = {
        "first": {},
        "again": {},
        "unguided": {"guidance": "1"},
        "port": {"sigmas": "port"},
    }
    for name, options in cases.items():
        with Loaded(python, weights, **options) as loaded:
            made[name] = loaded.edit(sample, tmp_path / f"{name}.mp4")
    difference = {name: float(np.abs(made["first"].astype(int) - pictures).mean()) for name, pictures in made.items()}
    sys.stdout.write(f"difference from the first: {difference}\n")
    assert made["first"].shape == (9, 128, 128, 3)
    assert difference["again"] == difference["unguided"] == 0
    assert difference["port"] > 0.1


@pytest.mark.editors
def test_the_real_pipeline_follows_the_prompt(real: tuple[Path, Path], tmp_path: Path) -> None:
    python, weights = real
    root = makers.write_benchmark(tmp_path / "bench", samples_per_theme=2, themes=["time"], size=(128, 128))
    one, two = benchmark.load(root).samples
    shutil.copyfile(one.source_path, two.source_path)
    with Loaded(python, weights) as loaded:
        pictures = [loaded.edit(sample, tmp_path / f"{sample.id}.mp4").astype(int) for sample in (one, two)]
    assert float(np.abs(pictures[0] - pictures[1]).mean()) > 0.1


@pytest.mark.editors
def test_a_folder_without_its_zeros_is_mended_by_setup(real: tuple[Path, Path], tmp_path: Path) -> None:
    python, weights = real
    broken = tmp_path / "broken"
    shutil.copytree(weights, broken)
    (broken / "ref_embedder" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(
        EditorError, match=r"broken lacks ref_embedder/.*`sparkle-bench setup kiwi-sparkle --model-path"
    ):
        Loaded(python, broken)
    home = python.parent.parent.parent.parent
    torch = os.environ.get("KIWI_TORCH", "torch==2.13.0"), os.environ.get("KIWI_TORCHVISION", "torchvision==0.28.0")
    words = [word for requirement in torch for word in ("--requirement", requirement)]
    done = cli.run("setup", "kiwi-sparkle", "--to", home, "--model-path", broken, *words, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    with Loaded(python, broken) as loaded:
        assert loaded.weights == broken
