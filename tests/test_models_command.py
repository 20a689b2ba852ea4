"""`sparkle-bench models`: every editor on a line, what it lacks here, and strangers that break nothing but themselves."""

from __future__ import annotations

import inspect
import json
import os
import stat
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sparkle_bench.editors import EDITORS, listing, readiness
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors.readiness import Place
from tests import cli

HEAVY = {"torch", "diffusers", "transformers", "pandas", "matplotlib", "av", "cv2", "decord", "jinja2", "ray"}

PRESET = """
kind = "diffusers"
about = "Edits by instruction."
[declared.model]
name = "Edit-1"
parameters = "5B"
license = "Apache-2.0"
[fit]
most = 49
[output]
fps = 20
aligned = false
[options]
pipeline = "SomePipeline"
model_path = "maker/edit-1"
steps = 30
"""


def preset(**changes: Any) -> presets.Preset:
    """Return a preset of the kind `diffusers`, ready wherever json can be imported, with sections changed."""
    data: dict[str, Any] = {
        "kind": "diffusers",
        "declared": {"model": {"name": "Edit-1"}},
        "needs": {"libraries": ["json"]},
        "fit": {},
        "options": {"pipeline": "SomePipeline", "model_path": "maker/edit-1"},
    }
    return presets.from_data("edit-1", data | changes)


def set_up(home: Path, name: str = "edit-1", **what: str) -> None:
    """Write what `sparkle-bench setup` leaves."""
    (home / name).mkdir(parents=True)
    (home / name / "setup.json").write_text(json.dumps({"python": sys.executable, **what}), encoding="utf-8")


# -- what is missing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Case:
    """A preset's needs and options, a place, and what is then missing."""

    needs: dict[str, Any]
    missing: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    gpus: tuple[float, ...] | None = ()
    variables: frozenset[str] = frozenset()


CASES: dict[str, Case] = {
    "nothing is needed": Case(needs={}),
    "a key that is not set": Case(needs={"key": "SOME_KEY"}, missing=("SOME_KEY is not set",)),
    "a key that is set": Case(needs={"key": "SOME_KEY"}, variables=frozenset({"SOME_KEY"})),
    "a library that is not installed": Case(needs={"libraries": ["json", "no_such_lib"]}, missing=("no no_such_lib",)),
    "several": Case(
        needs={"libraries": ["no_such_lib", "nor_this", "or_this"]}, missing=("no no_such_lib and 2 more",)
    ),
    "no GPU": Case(needs={"gpu_gb": 24}, missing=("no GPU",)),
    "a small GPU": Case(needs={"gpu_gb": 40}, gpus=(8.6, 25.8), missing=("GPU of 26 GB",)),
    "one GPU that is large enough": Case(needs={"gpu_gb": 40}, gpus=(8.6, 42.9)),
    "a GPU that does not tell": Case(needs={"gpu_gb": 40}, gpus=None),
    "an environment of its own": Case(needs={"environment": ["no-such-lib==1"]}, missing=("not set up",)),
    "this environment is as it wants": Case(needs={"environment": ["numpy>=1.26", "click"], "libraries": ["numpy"]}),
    "this environment is too old": Case(needs={"environment": ["numpy>=99"]}, missing=("not set up",)),
    "weights of the Hub": Case(needs={}, options={"model_path": "maker/edit-1"}),
    "weights that are not there": Case(needs={}, options={"model_path": "./no/such"}, missing=("no weights",)),
    "a file that is not there": Case(needs={}, options={"model_path": "weights.bin"}, missing=("no weights",)),
    "all at once": Case(
        needs={"key": "SOME_KEY", "libraries": ["no_such_lib"], "gpu_gb": 1},
        missing=("SOME_KEY is not set", "no no_such_lib", "no GPU"),
    ),
}


def missing(found: presets.Preset, place: Place) -> tuple[str, ...]:
    return tuple(lack.what for lack in readiness.lacks(found, place))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_missing_is_said(case: Case, tmp_path: Path) -> None:
    found = preset(needs=case.needs, options={"pipeline": "P", "model_path": "maker/edit-1", **case.options})
    place = Place(variables=case.variables, gpus=case.gpus, home=tmp_path)
    assert missing(found, place) == case.missing
    assert all(lack.cure for lack in readiness.lacks(found, place))


def test_a_model_that_was_set_up_is_ready_and_has_its_weights(tmp_path: Path) -> None:
    data = {"kind": "kiwi", "fit": {}, "needs": {"environment": ["no-such-lib==1"], "libraries": ["no_such_lib"]}}
    found, place = presets.from_data("edit-1", data), Place(home=tmp_path)
    assert missing(found, place) == ("not set up",)
    set_up(tmp_path)
    assert missing(found, place) == ("no weights",)
    (tmp_path / "model").mkdir()
    (tmp_path / "edit-1" / "setup.json").unlink()
    (tmp_path / "edit-1").rmdir()
    set_up(tmp_path, model_path=str(tmp_path / "model"))
    assert missing(found, place) == ()


REQUIREMENTS = {
    "no bound": ("numpy", True),
    "at least": ("numpy>=1.26", True),
    "a span": ("numpy>=1.26,<99", True),
    "with spaces": ("numpy >= 1.26, < 99", True),
    "above": ("numpy<1.26", False),
    "just this": ("numpy==1.0", False),
    "a series": ("numpy==0.*", False),
    "not a series": ("numpy!=0.*", True),
    "compatible": ("numpy~=1.26", None),
    "not installed": ("no-such-lib", False),
    "an address": ("numpy @ https://example.org/numpy.whl", False),
    "an extra": ("numpy[all]>=1.26", True),
}


@pytest.mark.parametrize(("requirement", "holds"), REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_requirements_are_held_against_this_environment(requirement: str, holds: bool | None) -> None:
    import numpy

    wanted = numpy.__version__.startswith("1.") if holds is None else holds
    assert readiness.holds(requirement) is wanted


def a_program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


NVIDIA_SMI: dict[str, tuple[str, tuple[float, ...] | None]] = {
    "two GPUs": ("echo 24564; echo 81559", (24564 * 2**20 / 1e9, 81559 * 2**20 / 1e9)),
    "a figure that cannot be had": ("echo '[N/A]'", ()),
    "a driver that fails": ("echo 'Failed to initialize NVML' >&2; exit 9", ()),
    "a driver that hangs": ("exec sleep 30", None),
}


@pytest.mark.parametrize(("text", "found"), NVIDIA_SMI.values(), ids=NVIDIA_SMI)
def test_gpus_are_asked_of_nvidia_smi(
    text: str, found: tuple[float, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_program(tmp_path, "nvidia-smi", text)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert readiness.gpus(seconds=1) == found


# -- the listing -------------------------------------------------------------------------------------------------------


def test_a_presets_options_stand_with_their_defaults_and_meaning(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PRESET, encoding="utf-8")
    found = listing.one(str(tmp_path / "mine.toml"), Place(home=tmp_path))
    options = {option.name: option for option in found.options}
    assert (options["steps"].default, options["frames"].default, options["fps"].default) == (30, 49, 20)
    assert options["seed"].default == 0, "the class's own default"
    assert not options["pipeline"].required
    assert all(option.meaning for option in found.options)
    assert "preset" not in options
    assert (found.kind, found.track, found.give) == ("diffusers", "instruction", ())


def test_what_has_to_be_given_is_said(tmp_path: Path) -> None:
    place = Place(home=tmp_path)
    (tmp_path / "bare.toml").write_text("kind = 'diffusers'\n[fit]\n[needs]\nmasks = true", encoding="utf-8")
    assert listing.one(str(tmp_path / "bare.toml"), place).give == ("pipeline", "model_path", "masks")
    assert listing.one("folder", place).give == ("path",)
    assert listing.one("identity", place).give == ()


def test_args_of_a_docstring_are_read() -> None:
    text = """Make one.

    Args:
        first: What it is: really.
            And more of it.
        second (int): With a type.
        **third:
            On its own line.
            note: and a colon.

    Raises:
        Error: Never: at all.
    """
    found = listing.meanings(inspect.cleandoc(text))
    assert found == {
        "first": "What it is: really. And more of it.",
        "second": "With a type.",
        "third": "On its own line. note: and a colon.",
    }
    assert listing.meanings("") == {}


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
def test_every_editor_stands_on_one_line_that_fits(width: int, tmp_path: Path) -> None:
    done = cli.run("models", cwd=tmp_path, COLUMNS=str(width), HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= width
    for name in (*EDITORS, *presets.names()):
        assert len([line for line in lines if line.split()[:1] == [name]]) == 1, name
    assert next(line for line in lines if line.startswith("identity ")).endswith("ready")


def test_json_has_everything(tmp_path: Path) -> None:
    done = cli.run("models", "--json", cwd=tmp_path, HOME=str(tmp_path))
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) >= {*EDITORS, *presets.names()}
    for row in rows.values():
        assert row["broken"] is None, row
        assert row["ready"] == (not row["missing"])
        assert row["about"]
    assert [option["name"] for option in rows["command"]["options"]] == ["cmd", "timeout"]
    assert rows["command"]["give"] == ["cmd"]
    for name in presets.names():
        assert rows[name]["declared"]["model"]["name"], name
        assert all(option["meaning"] for option in rows[name]["options"]), f"{name}: an option is not explained"


@pytest.mark.parametrize("name", [*EDITORS, *presets.names()])
def test_one_is_shown_in_full(name: str, tmp_path: Path) -> None:
    done = cli.run("models", name, cwd=tmp_path, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{name}  ")
    assert f"sparkle-bench edit --model {name}" in done.stdout


def test_a_file_of_ones_own_is_shown_and_its_key_is_not(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PRESET + "[needs]\nkey = 'MY_KEY'\n", encoding="utf-8")
    without = cli.run("models", "./mine.toml", cwd=tmp_path).stdout
    assert "MY_KEY is not set" in without
    assert "20 frames per second; frame i of an edit does not stand for frame i of the source" in without
    assert "the first 49 at most, 4n+1" in without
    assert "maker/edit-1 on the Hugging Face Hub, downloaded when it is first used" in without
    with_key = cli.run("models", "./mine.toml", cwd=tmp_path, MY_KEY="s3cret-value")
    assert "MY_KEY is not set" not in with_key.stdout
    assert "s3cret" not in with_key.stdout + with_key.stderr
    assert with_key.stdout.rstrip()


PROGRAM = """
kind = "program"
about = "My model."
[fit]
multiple = 16
[program]
command = ["{python}", "infer.py", "--src={source}", "--ckpt={weights}", "--seed={seed}", "{out}"]
cwd = "{checkout}"
[program.options]
weights = "path: the checkpoint"
unused = 0.5
"""


def test_a_program_of_ones_own_wants_its_checkout_and_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PROGRAM, encoding="utf-8")
    shown = " ".join(cli.run("models", "./mine.toml", cwd=tmp_path).stdout.split())
    assert "needs a checkout of its project; the interpreter of its project's environment" in shown
    assert "missing no checkout: pass --option checkout=FOLDER, that of its project" in shown
    assert "then sparkle-bench edit --model ./mine.toml --option weights=… --option checkout=…" in shown
    assert "ready" not in shown


def test_the_interpreter_is_missing_until_there_is_one(tmp_path: Path) -> None:
    def missing(options: str, program: str = PROGRAM) -> tuple[tuple[str, ...], tuple[str, ...]]:
        (tmp_path / "mine.toml").write_text(f"{program}[options]\n{options}", encoding="utf-8")
        found = listing.one(str(tmp_path / "mine.toml"), Place())
        return tuple(lack.what for lack in found.lacks), found.give

    code = f"checkout = '{tmp_path / 'code'}'\n"
    assert missing(code) == (("no checkout",), ("weights", "checkout"))
    (tmp_path / "code").mkdir()
    assert missing(code) == (("no interpreter",), ("weights", "python"))
    assert missing(f"{code}python = '{sys.executable}'") == ((), ("weights",))
    assert missing(f"{code}python = '/nowhere/python'") == (("no interpreter",), ("weights", "python"))
    (tmp_path / "code" / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "code" / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert missing(code) == ((), ("weights",))
    alone = PROGRAM.replace('cwd = "{checkout}"', 'cwd = "{folder}"')
    assert missing("", alone) == (("no interpreter",), ("weights", "python"))
    installed = alone.replace("{python}", "my-model")
    assert missing("", installed) == ((), ("weights",))


def test_options_that_would_do_nothing_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PROGRAM, encoding="utf-8")
    names = {option.name for option in listing.one(str(tmp_path / "mine.toml"), Place()).options}
    assert {"checkout", "python", "seed", "weights", "timeout", "frames", "size", "crf"} <= names
    assert not {"steps", "guidance", "unused", "batch"} & names
    ditto = {option.name for option in listing.one("ditto", Place()).options}
    assert {"seed", "frames"} <= ditto
    assert not {"steps", "guidance", "batch", "size"} & ditto
    assert {"batch", "steps", "size"} <= {option.name for option in listing.one("omni-video-2", Place()).options}


RATES: dict[str, tuple[str, str, str]] = {
    "of the source": ("", "source", "the source's; frame i of an edit stands for frame i of the source"),
    "of its own": ("aligned = false", "own*", "the model's own; frame i of an edit does not stand for frame i"),
    "unknown": ("aligned = 'unknown'", "source?", "not known beforehand; each edit tells"),
    "chosen": ("fps = 24", "24", "24 frames per second; frame i of an edit stands for"),
    "chosen, of its own time": (
        "fps = 24\naligned = false",
        "24*",
        "24 frames per second; frame i of an edit does not",
    ),
    "chosen, unknown": ("fps = 24\naligned = 'unknown'", "24?", "24 frames per second; whether frame i of an edit"),
}


@pytest.mark.parametrize(("output", "short", "full"), RATES.values(), ids=RATES)
def test_the_rate_of_edits_is_said_as_it_is(output: str, short: str, full: str, tmp_path: Path) -> None:
    text = f"kind = 'decart'\n[output]\n{output}\n[options]\nmodel = 'lucy'\n"
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    found = listing.one(str(tmp_path / "mine.toml"), Place())
    assert found.preset is not None
    assert listing.rate(found.preset.output) == short
    shown = " ".join(cli.run("models", "./mine.toml", cwd=tmp_path).stdout.split())
    assert f"rate {full}" in shown
    assert ("fps=source" in shown) == (short in ("source", "source?"))


def test_masks_are_said_to_be_of_what_may_change(tmp_path: Path) -> None:
    shown = " ".join(cli.run("models", "wan-vace", cwd=tmp_path).stdout.split())
    assert "masks of what may change (white; --option mask_is=subject if white is the subject)" in shown


def test_with_a_gpu_that_is_large_enough_it_is_ready(tmp_path: Path) -> None:
    text = PRESET + "[needs]\ngpu_gb = 40\nlibraries = ['json']\n"
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert "missing      no GPU: " in cli.run("models", "mine.toml", cwd=tmp_path, PATH="/usr/bin:/bin").stdout
    a_program(tmp_path, "nvidia-smi", "echo 81559")
    shown = cli.run("models", "mine.toml", cwd=tmp_path, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}").stdout
    assert "state        ready" in shown
    assert "missing" not in shown


WRONG = {
    "no such name": ("identitty", "no model called 'identitty'; did you mean identity?"),
    "no such file": ("./absent.toml", "cannot read absent.toml: No such file"),
    "no such module": ("no_such_module:Class", "cannot load no_such_module:Class: ModuleNotFoundError"),
    "no class": ("json:dumps", "json:dumps is not a class"),
    "no editor": ("json:JSONDecoder", "json:JSONDecoder has no method edit(sample, out)"),
}


@pytest.mark.parametrize(("name", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_editor_is_refused_in_one_line(name: str, said: str, tmp_path: Path) -> None:
    done = cli.run("models", name, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_list_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; from sparkle_bench.cli import cli; cli(['models'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.splitlines()[-1].split()) == set()


# -- other packages' editors -------------------------------------------------------------------------------------------

STRANGERS = '''
import sys
print("noise on standard output")

class Good:
    """A model of others."""
    def __init__(self, *, strength: float = 0.5):
        """Make one.

        Args:
            strength: How much.
        """
    def edit(self, sample, out): ...
    def declared(self):
        return {"model": {"name": "Good-1", "parameters": 2000000000, "license": "MIT"}, "inputs": {"masks": True}}

class NoEdit: ...

class Fails:
    """Cannot be built."""
    def __init__(self):
        raise RuntimeError("no weights\\nanywhere")
    def edit(self, sample, out): ...

class Lies:
    """Declares rubbish."""
    def edit(self, sample, out): ...
    def declared(self):
        return {"model": {"parameters": "many"}}

function = print
'''
QUITS = "import sys\nsys.exit(7)\n"
POINTS = """
[sparkle_bench.editors]
absent = no_such_module:Class
fails = strangers:Fails
function = strangers:function
good = strangers:Good
identity = strangers:Good
lies = strangers:Lies
no-edit = strangers:NoEdit
quits = quits:Class
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `pip install --target` leaves of a package whose editors are broken in many ways, and one good."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "strangers.py").write_text(STRANGERS, encoding="utf-8")
    (folder / "quits.py").write_text(QUITS, encoding="utf-8")
    info = folder / "strangers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(textwrap.dedent(POINTS).strip() + "\n", encoding="utf-8")
    damaged = folder / "damaged-1.0.dist-info"  # its file stops every reader of all entry points at once
    damaged.mkdir()
    (damaged / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n", encoding="utf-8")
    (damaged / "entry_points.txt").write_text("[sparkle_bench.editors]\ngarbage\n", encoding="utf-8")
    return folder


def test_a_broken_editor_of_others_is_shown_as_such_and_hides_nothing(installed: Path, tmp_path: Path) -> None:
    done = cli.run("models", "--json", cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) >= {*EDITORS, *presets.names(), "good", "absent", "fails", "function", "lies", "no-edit", "quits"}
    broken = {name: row["broken"] for name, row in rows.items() if row["kind"] == "entry point" and row["broken"]}
    assert set(broken) == {"absent", "function", "lies", "no-edit", "quits"}
    assert "ModuleNotFoundError" in broken["absent"]
    assert broken["function"] == "strangers:function is not a class"
    assert "no method edit" in broken["no-edit"]
    assert "SystemExit: 7" in broken["quits"]
    assert "many" in broken["lies"] or "parameters" in broken["lies"]
    assert [lack["what"] for lack in rows["fails"]["missing"]] == ["cannot be built"]
    assert "no weights anywhere" in rows["fails"]["missing"][0]["cure"]


def test_a_good_editor_of_others_stands_with_what_it_declares(installed: Path, tmp_path: Path) -> None:
    row = next(
        row
        for row in json.loads(cli.run("models", "--json", cwd=tmp_path, PYTHONPATH=str(installed)).stdout)
        if row["name"] == "good"
    )
    assert (row["parameters"], row["license"], row["track"], row["ready"]) == (2_000_000_000, "MIT", "masks", True)
    assert row["options"] == [{"name": "strength", "default": 0.5, "required": False, "meaning": "How much."}]
    line = next(
        line
        for line in cli.run("models", cwd=tmp_path, PYTHONPATH=str(installed), COLUMNS="120").stdout.splitlines()
        if line.startswith("good ")
    )
    assert line.split()[-1] == "ready"
    assert "2B" in line.split()


def test_a_name_that_is_taken_leads_to_what_had_it_first(installed: Path, tmp_path: Path) -> None:
    rows = json.loads(cli.run("models", "--json", cwd=tmp_path, PYTHONPATH=str(installed)).stdout)
    assert [row["kind"] for row in rows if row["name"] == "identity"] == ["built in"]
    assert [row["about"] for row in rows if row["name"] == "strangers:Good"] == ["A model of others."]


def test_an_address_is_shown_in_full(installed: Path, tmp_path: Path) -> None:
    done = cli.run("models", "strangers:Good", cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0
    assert "masks, beyond the instruction" in done.stdout
    assert "strength=0.5  How much." in done.stdout
    assert "noise" not in done.stdout
