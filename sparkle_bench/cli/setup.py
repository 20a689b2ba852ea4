"""The command `setup`: an environment for a model whose libraries fit no other's, and its weights in a form that loads."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkle_bench.cli import options as opt

if TYPE_CHECKING:
    from sparkle_bench.editors.conversion import Ingredients
    from sparkle_bench.editors.environments import Ready
    from sparkle_bench.editors.preset import Preset

FILE = click.Path(path_type=Path)
SOURCES: Mapping[str, str] = {
    "checkout": "--checkout FOLDER: git clone https://github.com/showlab/Kiwi-Edit",
    "checkpoint": "--checkpoint FILE: model.safetensors of stdKonjac/Kiwi-Sparkle-720P-81F on the Hub",
    "vae": "--vae FILE: Wan2.2_VAE.pth of Wan-AI/Wan2.2-TI2V-5B on the Hub",
    "mllm": "--mllm FOLDER: Qwen/Qwen2.5-VL-3B-Instruct from the Hub",
}
"""What a checkpoint is converted with, and where each thing is to be had."""


@click.command("setup")
@click.argument("name")
@click.option(
    "--to", "home", type=opt.FOLDER, help="Where environments and weights are kept.  [default: ~/.cache/sparkle-bench]"
)
@click.option("--python", type=FILE, help="The Python that makes the environment.  [default: this one]")
@click.option(
    "--requirement",
    "requirements",
    multiple=True,
    metavar="REQ",
    help="A requirement for pip in place of the preset's of the same name, such as torch==2.7.0. May be repeated.",
)
@click.option(
    "--pip-arg", "pip", multiple=True, metavar="ARG", help="Another word for pip install, such as --pip-arg=--pre."
)
@click.option("--checkout", type=FILE, help="A checkout of Kiwi-Edit, whose converter is used.")
@click.option("--checkpoint", type=FILE, help="A checkpoint of DiffSynth to convert: model.safetensors.")
@click.option("--vae", type=FILE, help="The file Wan2.2_VAE.pth.")
@click.option("--mllm", type=FILE, help="The folder of Qwen2.5-VL-3B-Instruct.")
@click.option(
    "--model-path", type=FILE, help="A converted folder that is there already; what it lacks is added, and it is used."
)
@opt.as_json
@opt.one_line_errors
def setup(**given: Any) -> None:
    """Make the environment of the model NAME, and turn its weights into a folder that loads.

    Nothing is downloaded but Python packages. Run it again to go on after an interruption, or to mend what is damaged.

    A published checkpoint of Kiwi-Sparkle is converted with --checkpoint, --checkout, --vae and --mllm.
    """
    from sparkle_bench.editors import environments

    preset = _preset(given["name"])
    if not preset.needs.environment:
        _check_no_weights(preset, given)
        _nothing(preset, as_json=given["as_json"])
        return
    ingredients = _ingredients(preset, given)
    _check_folder(given["model_path"])  # before minutes of installing, not after, and so:
    if ingredients is not None:
        ingredients.check()
    wish = environments.Wish(
        name=preset.name,
        requirements=environments.with_overrides(preset.needs.environment, given["requirements"]),
        libraries=preset.needs.libraries,
        python=_python(given["python"]),
        pip=given["pip"],
    )
    with environments.alone(preset.name, given["home"]) as folder:
        found = environments.make(wish, folder, _say)
        model = _weights(preset, found, folder, ingredients, given["model_path"])
        if model is not None:
            environments.keep_model(folder, model)
    _report(preset, given)


def _preset(name: str) -> Preset:
    from sparkle_bench.benchmark import suggestion
    from sparkle_bench.editors import EDITORS
    from sparkle_bench.editors import preset as presets
    from sparkle_bench.errors import EditorError

    found = presets.find(name)
    if found is not None:
        return found
    if name in EDITORS:
        raise EditorError(f"{name} is built in and needs nothing")
    raise EditorError(f"no preset called {name!r}; {suggestion(name, presets.names())}")


def _ingredients(preset: Preset, given: Mapping[str, Any]) -> Ingredients | None:
    """Return what to convert, or None if nothing is.

    Raises:
        UsageError: Some of it is missing, or the model is not converted.
    """
    from sparkle_bench.editors.conversion import Ingredients

    have = {name: given[name] for name in SOURCES if given[name] is not None}
    if (have or given["model_path"]) and preset.kind != "kiwi":
        raise click.UsageError(f"{preset.name} needs no conversion; it takes its weights as --option model_path=")
    if have and given["model_path"]:
        raise click.UsageError(
            "--model-path is a folder that was converted already; leave out what it is converted from"
        )
    missing = [where for name, where in SOURCES.items() if name not in have]
    if have and missing:
        raise click.UsageError(f"the conversion needs more: {'; '.join(missing)}")
    return Ingredients(**have) if have else None


def _check_folder(model: Path | None) -> None:
    from sparkle_bench.errors import EditorError

    if model is not None and not model.is_dir():
        raise EditorError(f"option --model-path: {model} is no folder; pass one that was converted already")


def _check_no_weights(preset: Preset, given: Mapping[str, Any]) -> None:
    if any(given[name] is not None for name in (*SOURCES, "model_path")):
        raise click.UsageError(f"{preset.name} needs no conversion")


def _python(chosen: Path | None) -> Path:
    if chosen is None:
        return Path(sys.executable)
    return Path(shutil.which(chosen) or chosen).absolute()


def _weights(
    preset: Preset, found: Ready, folder: Path, ingredients: Ingredients | None, there: Path | None
) -> Path | None:
    """Convert, mend or keep the model's weights; return their folder, or None if there is none yet."""
    from sparkle_bench.editors import conversion

    if ingredients is not None:
        conversion.convert(ingredients, found.python, folder / "model", _say)
        return folder / "model"
    model = there or found.model_path
    if model is not None and preset.kind == "kiwi":
        added = conversion.mend(model)
        if added:
            _say(f"added what the folder lacked: {', '.join(added)}")
        conversion.check(model, found.python)
    return model


def _say(line: str) -> None:
    click.echo(line, err=True)


def _nothing(preset: Preset, *, as_json: bool) -> None:
    needs = preset.needs
    lines = [f"{preset.name} needs no environment of its own; nothing was made"]
    if needs.libraries:
        lines.append(
            f"it needs {', '.join(needs.libraries)} where it runs; `sparkle-bench models` says what is missing"
        )
    if needs.checkout:
        lines.append(f"it runs in a checkout of {needs.checkout}, in the environment that this asks for")
    if needs.key:
        lines.append(f"it needs the key {needs.key} in the environment")
    click.echo(json.dumps({"name": preset.name, "python": None, "model_path": None}) if as_json else "\n".join(lines))


def _report(preset: Preset, given: Mapping[str, Any]) -> None:
    from sparkle_bench.editors import environments
    from sparkle_bench.errors import EditorError

    home = given["home"]
    found = environments.ready(preset.name, home)
    if found is None:
        raise EditorError(f"the environment of {preset.name} was removed meanwhile; run the same command again")
    versions = environments.versions(preset.name, home)
    if given["as_json"]:
        paths = {"python": str(found.python), "model_path": str(found.model_path) if found.model_path else None}
        click.echo(json.dumps({"name": preset.name, **paths, "versions": versions}, indent=2))
        return
    lines = [f"{preset.name} is set up: {', '.join(f'{name} {version}' for name, version in versions.items())}"]
    lines.append(f"python: {found.python}")
    if found.model_path:
        lines.append(f"weights: {found.model_path}")
    if found.model_path is None and "model_path" not in preset.options and preset.kind == "kiwi":
        lines.append("no weights yet; to convert them, run it again with:")
        lines += [f"  {where}" for where in SOURCES.values()]
    elif home is None:
        lines.append(f"next: sparkle-bench edit --model {given['name']}")
    else:
        weights = f" --model-path {found.model_path}" if found.model_path else ""
        lines.append(f"next: sparkle-bench edit --model {given['name']} --python {found.python}{weights}")
    click.echo("\n".join(lines))
