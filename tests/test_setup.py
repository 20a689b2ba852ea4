"""`sparkle-bench setup`: environments made with tiny packages of our own, and checkpoints converted by a tiny converter.

Nothing here needs torch or a network: the packages that Kiwi's preset asks for are stood in for by empty ones.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sparkle_bench.editors import conversion, environments, recipe, tensors
from sparkle_bench.editors.conversion import Ingredients
from sparkle_bench.editors.placing import Where, plan
from sparkle_bench.editors.tensors import Tensor
from sparkle_bench.errors import EditorError, MachineError
from tests import cli

PACKAGES: dict[str, tuple[str, str]] = {
    "numpy": ("2.1.0", "numpy"),
    "pillow": ("11.0.0", "PIL"),
    "av": ("14.0.0", "av"),
    "tomli": ("2.0.1", "tomli"),
    "torch": ("2.7.0", "torch"),
    "torchvision": ("0.22.0", "torchvision"),
    "diffusers": ("0.39.0", "diffusers"),
    "transformers": ("4.57.6", "transformers"),
    "accelerate": ("1.1.0", "accelerate"),
    "einops": ("0.8.0", "einops"),
    "safetensors": ("0.4.0", "safetensors"),
    "requests": ("2.32.0", "requests"),
}
"""What stands in for the real packages: version and module."""
META = """
class device:
    def __init__(self, kind):
        assert kind == "meta"
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
"""
"""All of torch that is used when a folder is looked over with parts of our own."""
CONVERTER = """
import argparse, json, pathlib, sys

import torch, transformers  # the environment's

parser = argparse.ArgumentParser()
for name in ("--ckpt_path", "--variant", "--base_vae_path", "--mllm_model", "--output_dir", "--num_image_queries"):
    parser.add_argument(name, required=True)
parser.add_argument("--num_video_queries", type=int)
given = parser.parse_args()
assert pathlib.Path.cwd() == pathlib.Path(__file__).parent
assert pathlib.Path(given.ckpt_path).is_file() and pathlib.Path(given.mllm_model).is_dir()
out = pathlib.Path(given.output_dir)
print("variant", given.variant)
vae = pathlib.Path(given.base_vae_path).name
if vae == "fail.pth":
    raise RuntimeError("VAE weights are incomplete: missing 3 keys")

def save(path, shapes):
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"x" * end)

def part(name, shapes, expected):
    folder = out / name
    folder.mkdir(parents=True)
    (folder / "part.py").write_text(pathlib.Path(__file__).with_name("part.py").read_text())
    (folder / "config.json").write_text(json.dumps({"_class_name": "Part", "num_ref_queries": 3, "expected": expected}))
    if shapes:
        save(folder / "diffusion_pytorch_model.safetensors", shapes)

embedder = {"patch_embedding.weight": [4, 2], "patch_embedding.bias": [4]}
encoder = {"image_queries": [2, 8], "video_queries": [given.num_video_queries, 8], "connector.0.weight": [4, 8],
           "connector.0.bias": [4], "connector.2.weight": [4, 4], "connector.2.bias": [4]}
whole = encoder | {"ref_queries": [3, 8]} | {f"ref_{n}": s for n, s in encoder.items() if n.startswith("connector")}
part("source_embedder", embedder, embedder)
part("ref_embedder", {}, embedder)
part("mllm_encoder", encoder, whole)
part("transformer", {"proj.weight": [2, 2]}, {"proj.weight": [2, 2]} if vae != "odd.pth" else {"norm": [5]})
(out / "processor").mkdir()
(out / "processor" / "qwen_config.json").write_text("{}")
index = {name: ["part", "Part"] for name in ("source_embedder", "ref_embedder", "mllm_encoder", "transformer")}
index |= {"_class_name": ["pipeline", "KiwiEditPipeline"], "left_out": [None, None]}
index["processor"] = ["transformers", "AutoProcessor"]
(out / "model_index.json").write_text(json.dumps(index))
"""
PART = """
import json
from types import SimpleNamespace

class Part:
    def __init__(self, expected):
        self.expected = expected
    @classmethod
    def load_config(cls, folder):
        return json.loads((folder / "config.json").read_text())
    @classmethod
    def from_config(cls, config):
        return cls(config["expected"])
    def state_dict(self):
        return {name: SimpleNamespace(shape=shape) for name, shape in self.expected.items()}
"""


def write_wheels(folder: Path) -> Path:
    """Write a wheel of each package, and return the folder."""
    folder.mkdir()
    for name, (version, module) in PACKAGES.items():
        info = f"{name}-{version}.dist-info"
        files = {
            f"{module}/__init__.py": META if name == "torch" else f"__version__ = '{version}'\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        listed = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for path, text in {**files, f"{info}/RECORD": listed}.items():
                wheel.writestr(path, text)
    return folder


def write_ingredients(root: Path, *, vae: str = "Wan2.2_VAE.pth") -> Ingredients:
    """Write a checkout with a small converter, and what it converts."""
    converter = root / "Kiwi-Edit" / "utils" / "convert_diffusers"
    converter.mkdir(parents=True)
    (converter / "convert_weights.py").write_text(CONVERTER)
    (converter / "part.py").write_text(PART)
    names = {f"dit.blocks.{n}.norm3.bias": Tensor(dtype="BF16", shape=(2,)) for n in range(51)}
    names["mllm.image_queries.q"] = Tensor(dtype="BF16", shape=(2, 8))
    names["pipe.mllm.video_queries.q"] = Tensor(dtype="BF16", shape=(6, 8))
    tensors.add_zeros(root / "model.safetensors", names)
    (root / vae).write_bytes(b"vae")
    (root / "qwen").mkdir()
    (root / "qwen" / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    tensors.add_zeros(root / "qwen" / "model.safetensors", {"lm_head.weight": Tensor(dtype="BF16", shape=(2, 2))})
    return Ingredients(
        checkout=root / "Kiwi-Edit", checkpoint=root / "model.safetensors", vae=root / vae, mllm=root / "qwen"
    )


def words_for(made: Ingredients) -> list[str | Path]:
    """Return the options that name what is converted."""
    return [
        "--checkout", made.checkout, "--checkpoint", made.checkpoint, "--vae", made.vae, "--mllm", made.mllm,
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a test sets things up."""

    root: Path
    wheels: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    def words(self, *more: str | Path, name: str = "kiwi-sparkle") -> list[str | Path]:
        pip = ["--pip-arg=--no-index", f"--pip-arg=--find-links={self.wheels}"]
        return ["setup", name, "--to", self.home, *pip, *more]

    def setup(self, *more: str | Path, name: str = "kiwi-sparkle") -> subprocess.CompletedProcess[str]:
        done = cli.run(*self.words(*more, name=name), cwd=self.root)
        assert "Traceback (most recent call last):\n  File" not in done.stderr
        return done

    def ready(self) -> environments.Ready | None:
        return environments.ready("kiwi-sparkle", self.home)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages to install."""
    return write_wheels(tmp_path_factory.mktemp("packages") / "wheels")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Place:
    """A model set up once, weights included."""
    place = Place(root=tmp_path_factory.mktemp("made"), wheels=wheels)
    done = place.setup(*words_for(write_ingredients(place.root / "from")))
    assert done.returncode == 0, done.stderr
    return place


# -- headers of weights ------------------------------------------------------------------------------------------------


def test_zeros_are_added_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    head = b'{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"__metadata__":{"format":"pt"}}'
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"xyz")
    tensors.add_zeros(path, {"b": Tensor(dtype="BF16", shape=(2, 5)), "c": Tensor(dtype="F32", shape=())})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert (8 + length) % 8 == 0
    assert content[8 + length :] == b"xyz" + bytes(20 + 4)
    assert json.loads(content[8 : 8 + length])["b"] == {"dtype": "BF16", "shape": [2, 5], "data_offsets": [3, 23]}
    assert tensors.read(path) == {
        "a": Tensor(dtype="U8", shape=(3,)),
        "b": Tensor(dtype="BF16", shape=(2, 5)),
        "c": Tensor(dtype="F32", shape=()),
    }
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def headed(head: bytes, data: bytes = b"") -> bytes:
    return len(head).to_bytes(8, "little") + head + data


DAMAGED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is no safetensors file"),
    "a few bytes": (b"abc", "is no safetensors file"),
    "a picture": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is no safetensors file"),
    "half a header": (headed(b'{"a":{"dtype"'), "is no safetensors file"),
    "a header cut off": (headed(b'{"a":{"dtype":"U8","shape":[3]}}')[:20], "is cut short"),
    "data cut off": (headed(b'{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}', b"xy"), "is cut short: it has"),
    "a list": (headed(b"[]"), "is no safetensors file"),
    "another size": (headed(b'{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,3]}}', b"xyz"), "not of the size"),
    "an unknown type": (headed(b'{"a":{"dtype":"X9","shape":[3],"data_offsets":[0,3]}}', b"xyz"), "'X9'"),
    "no place": (headed(b'{"a":{"dtype":"U8","shape":[3]}}'), "data_offsets"),
    "a note of Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
}


@pytest.mark.parametrize(("content", "said"), DAMAGED.values(), ids=DAMAGED)
def test_files_that_are_not_whole_are_told(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(EditorError) as caught:
        tensors.read(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(EditorError):
        tensors.add_zeros(path, {"b": Tensor(dtype="U8", shape=(1,))})
    assert path.read_bytes() == content


# -- requirements and readiness ----------------------------------------------------------------------------------------


def test_requirements_are_overridden_by_name() -> None:
    wanted = ("torch>=2.6", "Some_Package==1.*", "einops")
    found = environments.with_overrides(wanted, ["torch==2.13.0", "some-package==2", "extra>=1"])
    assert found == ("torch==2.13.0", "some-package==2", "einops", "extra>=1")
    with pytest.raises(EditorError, match="'==1' is no requirement"):
        environments.with_overrides(wanted, ["==1"])


UNREADY: dict[str, Any] = {
    "nothing written": None,
    "no interpreter": {"model_path": "/"},
    "an interpreter that is gone": {"python": "/nowhere/bin/python"},
    "no text": {"python": 3},
    "no JSON": "{",
    "no table": "[]",
}


@pytest.mark.parametrize("written", UNREADY.values(), ids=UNREADY)
def test_a_half_environment_does_not_count(written: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kiwi-sparkle"
    folder.mkdir()
    if written is not None:
        (folder / "setup.json").write_text(written if isinstance(written, str) else json.dumps(written))
    assert environments.ready("kiwi-sparkle", tmp_path) is None
    assert environments.versions("kiwi-sparkle", tmp_path) == {}


def test_weights_that_are_gone_are_not_named(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "setup.json").write_text(json.dumps({"python": sys.executable, "model_path": str(tmp_path / "gone")}))
    assert environments.ready("mine", tmp_path) == environments.Ready(python=Path(sys.executable))


# -- the command -------------------------------------------------------------------------------------------------------


def test_an_environment_and_weights_are_made(made: Place) -> None:
    found = made.ready()
    assert found is not None
    assert found.model_path == made.home / "kiwi-sparkle" / "model"
    code = "import torch, transformers, sys; print(transformers.__version__, sys.prefix, sep=chr(10))"
    said = subprocess.run(
        [found.python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said == ["4.57.6", str(made.home / "kiwi-sparkle" / "env")]
    versions = environments.versions("kiwi-sparkle", made.home)
    assert (versions["torch"], versions["diffusers"], versions["PIL"]) == ("2.7.0", "0.39.0", "11.0.0")
    assert not (made.home / "kiwi-sparkle" / ".installing").exists()
    assert not (made.home / "kiwi-sparkle" / "model.part").exists()


def test_what_the_converter_leaves_out_is_added_as_zeros(made: Place) -> None:
    model = made.home / "kiwi-sparkle" / "model"
    encoder = tensors.read(model / "mllm_encoder" / conversion.WEIGHTS)
    assert encoder["ref_queries"] == Tensor(dtype="BF16", shape=(3, 8))
    assert encoder["ref_connector.0.weight"] == encoder["connector.0.weight"]
    assert encoder["video_queries"].shape == (6, 8)
    content = (model / "ref_embedder" / conversion.WEIGHTS).read_bytes()
    assert tensors.read(model / "ref_embedder" / conversion.WEIGHTS) == tensors.read(
        model / "source_embedder" / conversion.WEIGHTS
    )
    assert content.endswith(bytes(2 * (4 * 2 + 4)))
    assert (model / "mllm_encoder" / conversion.WEIGHTS).read_bytes().count(b"x" * 100) > 0
    assert (model / "mllm_encoder" / "qwen_config.json").read_text() == "{}"
    conversion.refuse(model, "kiwi-sparkle")
    assert conversion.mend(model) == []
    note = json.loads((model / "conversion.json").read_text())
    assert "mllm_encoder/ref_queries" in note["added"]
    assert conversion.made_of(model) == note["made_of"]["checkpoint"]["sha256"]
    assert str(made.root) not in json.dumps(note)


def test_a_folder_that_the_pipeline_would_not_know_is_refused(made: Place, tmp_path: Path) -> None:
    model = tmp_path / "theirs"
    shutil.copytree(made.home / "kiwi-sparkle" / "model", model)
    (model / "mllm_encoder" / "qwen_config.json").unlink()
    with pytest.raises(EditorError, match=r"theirs lacks mllm_encoder/qwen_config.json.*`sparkle-bench setup mine"):
        conversion.refuse(model, "mine")
    (model / "mllm_encoder" / "model.safetensors.index.json").write_text("{}")  # as the published ones are
    conversion.refuse(model, "mine")
    assert conversion.mend(model) == []


def test_a_second_time_nothing_is_made_again(made: Place) -> None:
    model = made.home / "kiwi-sparkle" / "model"
    before = (model / "conversion.json").stat().st_mtime_ns, made.ready()
    done = made.setup("--json", *words_for(kept(made)))
    assert done.returncode == 0, done.stderr
    assert "the environment is there" in done.stderr
    assert "the weights are there" in done.stderr
    assert "converting" not in done.stderr
    assert ((model / "conversion.json").stat().st_mtime_ns, made.ready()) == before
    said = json.loads(done.stdout)
    assert (said["python"], said["model_path"]) == (str(before[1].python), str(model)) if before[1] else False


def kept(made: Place) -> Ingredients:
    root = made.root / "from"
    return Ingredients(
        checkout=root / "Kiwi-Edit",
        checkpoint=root / "model.safetensors",
        vae=root / "Wan2.2_VAE.pth",
        mllm=root / "qwen",
    )


def test_another_checkpoint_is_converted_anew(made: Place, tmp_path: Path) -> None:
    place = Place(root=tmp_path, wheels=made.wheels)
    shutil.copytree(made.home, place.home, symlinks=True)
    before = conversion.made_of(place.home / "kiwi-sparkle" / "model")
    other = write_ingredients(tmp_path / "other")
    tensors.add_zeros(other.checkpoint, {"more": Tensor(dtype="F32", shape=(1,))})
    conversion.convert(other, found(made), place.home / "kiwi-sparkle" / "model", lambda line: None)
    assert conversion.made_of(place.home / "kiwi-sparkle" / "model") != before


def found(made: Place) -> Path:
    ready = made.ready()
    assert ready is not None
    return ready.python


FAILS: dict[str, tuple[str, str]] = {
    "the converter": ("fail.pth", "Kiwi-Edit's converter failed: it ended with code 1.*VAE weights are incomplete"),
    "the look over it": ("odd.pth", "does not fit its own code: transformer/norm is missing; convert it again"),
}


@pytest.mark.parametrize(("vae", "said"), FAILS.values(), ids=FAILS)
def test_a_conversion_that_fails_leaves_no_folder(made: Place, tmp_path: Path, vae: str, said: str) -> None:
    out = tmp_path / "model"
    with pytest.raises(EditorError, match=said) as caught:
        conversion.convert(write_ingredients(tmp_path / "from", vae=vae), found(made), out, lambda line: None)
    assert not out.exists()
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_from_elsewhere_is_mended_and_used(made: Place, tmp_path: Path) -> None:
    place = Place(root=tmp_path, wheels=made.wheels)
    model = tmp_path / "theirs"
    shutil.copytree(made.home / "kiwi-sparkle" / "model", model)
    (model / "ref_embedder" / conversion.WEIGHTS).unlink()
    (model / "mllm_encoder" / "qwen_config.json").unlink()
    done = place.setup("--model-path", "theirs")
    assert done.returncode == 0, done.stderr
    assert "added what the folder lacked: ref_embedder/patch_embedding.bias" in done.stderr
    assert "mllm_encoder/qwen_config.json" in done.stderr
    ready = place.ready()
    assert ready is not None
    assert ready.model_path == model
    assert f"next: sparkle-bench edit --model kiwi-sparkle --python {ready.python} --model-path {model}" in done.stdout
    (model / "transformer" / conversion.WEIGHTS).unlink()
    (next(place.home.rglob("einops/__init__.py"))).write_text("raise ImportError('half a file')\n")
    done = place.setup()  # both are damaged now; what can be made anew is
    assert done.returncode == 1
    assert "the environment is damaged and made anew" in done.stderr
    assert "half a file" in done.stderr
    assert "error: theirs has no weights in transformer" in done.stderr
    shutil.rmtree(model)
    done = place.setup()
    assert done.returncode == 0, done.stderr
    assert "the environment is there" in done.stderr
    assert "no weights yet" in done.stdout
    assert "stdKonjac/Kiwi-Sparkle-720P-81F" in done.stdout


def test_packages_that_cannot_be_had_or_imported_are_named(wheels: Path, tmp_path: Path) -> None:
    place = Place(root=tmp_path, wheels=wheels)
    preset = tmp_path / "mine.toml"
    preset.write_text('kind = "diffusers"\n[needs]\nenvironment = ["einops"]\nlibraries = ["einops", "not_there"]\n')
    done = place.setup("--requirement", "einops==99", name=str(preset))
    assert done.returncode == 1
    assert "error: pip cannot install what mine needs" in done.stderr
    assert "No matching distribution found for einops==99" in done.stderr.splitlines()[-1]
    assert environments.ready("mine", place.home) is None
    done = place.setup(name=str(preset))
    assert done.returncode == 1
    assert "what was installed for mine cannot be imported" in done.stderr
    assert "No module named 'not_there'" in done.stderr.splitlines()[-1]
    assert environments.ready("mine", place.home) is None


def test_a_model_that_is_set_up_runs_in_its_environment_with_its_weights(made: Place) -> None:
    planned = plan(recipe("kiwi-sparkle", {"steps": "2"}), Where(home=made.home))
    ready = made.ready()
    assert ready is not None
    assert planned.python == ready.python
    assert planned.recipe.options == {"steps": "2", "model_path": str(ready.model_path)}


def test_a_setup_that_is_killed_does_not_count_and_is_made_anew(wheels: Path, tmp_path: Path) -> None:
    place = Place(root=tmp_path, wheels=wheels)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(100)
        slow = f"--pip-arg=--find-links=http://127.0.0.1:{server.getsockname()[1]}/"
        process = cli.start(*place.words(slow), cwd=place.root)
        connection, _ = server.accept()  # pip waits for an answer that does not come
        with connection:
            second = place.setup()
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
    assert second.returncode == 1
    assert "another setup of kiwi-sparkle is at work" in second.stderr
    assert place.ready() is None
    done = place.setup()
    assert done.returncode == 0, done.stderr
    assert "an earlier setup was stopped while it installed; the environment is made anew" in done.stderr
    assert place.ready() is not None


def test_an_interpreter_is_found_by_its_name(made: Place, tmp_path: Path) -> None:
    place = Place(root=tmp_path, wheels=made.wheels)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "python-of-mine").write_text("#!/bin/sh\necho 3.9 False\n")
    (bin_folder / "python-of-mine").chmod(0o755)
    done = cli.run(*place.words("--python", "python-of-mine"), cwd=tmp_path, PATH=f"{bin_folder}:/usr/bin:/bin")
    assert "bin/python-of-mine is Python 3.9" in done.stderr


def test_an_interpreter_that_is_none_is_told(tmp_path: Path, wheels: Path) -> None:
    place = Place(root=tmp_path, wheels=wheels)
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\necho 3.8 False\n")
    old.chmod(0o755)
    bare = tmp_path / "python-bare"  # as on Debian without python3-venv
    bare.write_text(
        '#!/bin/sh\ncase "$*" in *venv*) echo "ensurepip is not available"; exit 1;; esac\necho 3.12 True\n'
    )
    bare.chmod(0o755)
    for python, said in (
        ("absent", "cannot run"),
        ("/bin/true", "is no Python that runs"),
        (old, "is Python 3.8; the environment needs 3.10 or newer: pass another --python"),
        (bare, "cannot make a virtual environment: it ended with code 1: ensurepip is not available; on Debian"),
    ):
        done = place.setup("--python", python)
        assert done.returncode == 1
        assert said in done.stderr
        assert place.ready() is None


# -- what is given -----------------------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[list[str], int, str]] = {
    "an unknown model": (["kiwi-sparkel"], 1, "no preset called 'kiwi-sparkel'; did you mean kiwi-sparkle?"),
    "a built-in editor": (["identity"], 1, "identity is built in and needs nothing"),
    "no file": (["absent.toml"], 1, "cannot read absent.toml"),
    "half of it": (["kiwi-sparkle", "--checkpoint", "x"], 2, "--vae FILE: Wan2.2_VAE.pth of Wan-AI/Wan2.2-TI2V-5B"),
    "both": (
        ["kiwi-sparkle", "--model-path", "x", "--checkpoint", "x", "--vae", "x", "--mllm", "x", "--checkout", "x"],
        2,
        "leave out what it is converted from",
    ),
    "no checkout": (
        ["kiwi-sparkle", "--checkpoint", "x", "--vae", "x", "--mllm", "x", "--checkout", "x"],
        1,
        "git clone https://github.com/showlab/Kiwi-Edit",
    ),
    "no converted folder": (
        ["kiwi-sparkle", "--model-path", "nosuch", "--pip-arg=--no-index"],
        1,
        "--model-path: nosuch is no folder",
    ),
    "no requirement": (["kiwi-sparkle", "--requirement", "!"], 1, "'!' is no requirement"),
}


@pytest.mark.parametrize(("words", "code", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told_before_anything_is_made(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    done = cli.run("setup", *words, "--to", "home", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_an_environment_of_its_own_needs_nothing(tmp_path: Path) -> None:
    needs = '[needs]\ncheckout = "https://example.org/mine"\nlibraries = ["torch", "einops"]\n'
    (tmp_path / "mine.toml").write_text(f'kind = "program"\n{needs}')
    done = cli.run("setup", "mine.toml", "--to", "home", cwd=tmp_path)
    assert done.returncode == 0
    assert "mine needs no environment of its own; nothing was made" in done.stdout
    assert "a checkout of https://example.org/mine" in done.stdout
    assert "it needs torch, einops where it runs" in done.stdout
    assert not (tmp_path / "home").exists()
    done = cli.run("setup", "mine.toml", "--to", "home", "--model-path", "x", cwd=tmp_path)
    assert done.returncode == 2


def without_layers(made: Ingredients) -> None:
    made.checkpoint.unlink()
    tensors.add_zeros(made.checkpoint, {"mllm.video_queries.q": Tensor(dtype="BF16", shape=(2, 8))})


def of_another_model(made: Ingredients) -> None:
    made.checkpoint.unlink()
    tensors.add_zeros(made.checkpoint, {"unet.weight": Tensor(dtype="BF16", shape=(2, 8))})


LACKING: dict[str, tuple[Callable[[Ingredients], object], str]] = {
    "the converter": (
        lambda made: shutil.rmtree(made.checkout / "utils"),
        "it has no utils/convert_diffusers/convert_weights",
    ),
    "the checkpoint": (
        lambda made: made.checkpoint.unlink(),
        "the model.safetensors of stdKonjac/Kiwi-Sparkle-720P-81F",
    ),
    "half the checkpoint": (
        lambda made: made.checkpoint.write_bytes(made.checkpoint.read_bytes()[:-1]),
        "is cut short",
    ),
    "the transformer": (without_layers, "holds no whole transformer"),
    "another's checkpoint": (of_another_model, "is no checkpoint of Kiwi-Edit"),
    "the autoencoder": (lambda made: made.vae.unlink(), "--vae is Wan2.2_VAE.pth from Wan-AI/Wan2.2-TI2V-5B"),
    "the language model": (
        lambda made: shutil.rmtree(made.mllm),
        "has no config.json; --mllm is the folder of Qwen/Qwen2.5-VL-3B",
    ),
    "its weights": (lambda made: (made.mllm / "model.safetensors").unlink(), "holds no weights"),
    "its kind": (
        lambda made: (made.mllm / "config.json").write_text('{"model_type": "llama"}'),
        "is a llama, not a qwen2_5_vl",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), LACKING.values(), ids=LACKING)
def test_each_thing_that_is_missing_is_named_with_where_to_get_it(
    spoil: Callable[[Ingredients], object], said: str, tmp_path: Path
) -> None:
    made = write_ingredients(tmp_path)
    made.check()
    spoil(made)
    with pytest.raises(EditorError) as caught:
        made.check()
    assert said in str(caught.value)


def test_a_folder_with_the_checkpoint_in_it_is_as_good(tmp_path: Path) -> None:
    made = write_ingredients(tmp_path)
    Ingredients(checkout=made.checkout, checkpoint=tmp_path, vae=made.vae, mllm=made.mllm).check()


def test_a_full_disk_is_told_before_the_conversion(
    made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(MachineError, match=r"has 0\.0 GB free, and the weights take"):
        conversion.convert(write_ingredients(tmp_path), found(made), tmp_path / "model", lambda line: None)
