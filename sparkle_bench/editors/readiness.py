"""What a model lacks on this machine, each with what to do about it; nothing is loaded, and no library imported.

What the command line alone may ask (environment variables) comes in as a `Place`.
"""

from __future__ import annotations

import importlib.util
import inspect
import operator
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sparkle_bench import registry
from sparkle_bench.editors import environments
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors.environments import Ready
from sparkle_bench.editors.preset import Preset
from sparkle_bench.errors import EditorError, listed

QUERY = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
SECONDS = 10.0
"""A cold `nvidia-smi` on a machine with eight GPUs takes several seconds."""
NOT_SET_UP, NO_CHECKOUT = "not set up", "no checkout"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+?)\s*(?:\[[\w, -]*\])?\s*((?:(?:==|>=|<=|~=|!=|>|<)\s*[\w.*+]+\s*,?\s*)*)")
_BOUND = re.compile(r"(==|>=|<=|~=|!=|>|<)\s*([\w.*+]+)")
_COMPARED = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
AMD_DRIVER = Path("/dev/kfd")
WEIGHTS, CHECKOUT = "model_path", "checkout"
"""The options of every kind that loads weights (from a folder, or by an id of the Hugging Face Hub) or runs others' code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is known of this machine.

    Attributes:
        variables: Names of the environment variables that are set and not empty.
        gpus: Memory of each GPU in GB; empty if there is none, None if that cannot be told.
        home: Where `sparkle-bench setup` keeps environments; None for its own place.
    """

    variables: frozenset[str] = frozenset()
    gpus: tuple[float, ...] | None = ()
    home: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Something that is missing.

    Attributes:
        what: In a few words.
        cure: What to do about it.
    """

    what: str
    cure: str


def missing(model: Preset | str, place: Place) -> tuple[str, ...]:
    """Return in a few words each what a preset, or the one of that name, lacks here; empty if it is ready.

    Raises:
        EditorError: There is no such preset, or its file describes no model.
    """
    found = presets.find(model) if isinstance(model, str) else model
    if found is None:
        raise EditorError(f"no preset called {model!r}; known: {', '.join(presets.names())}")
    return tuple(lack.what for lack in lacks(found, place))


def lacks(preset: Preset, place: Place) -> tuple[Lack, ...]:
    """Return what a preset lacks here, what costs most to get last."""
    software = _software(preset, place)
    made = any(lack.what == NOT_SET_UP for lack in software)  # and then `setup` makes the weights too, or tells how
    rest = _checkout(preset) if made else [*_checkout(preset), *_weights(preset, place)]
    return (*_key(preset, place), *software, *rest, *_gpu(preset, place))


def _key(preset: Preset, place: Place) -> list[Lack]:
    key = preset.needs.key
    if key is None or key in place.variables:
        return []
    return [Lack(what=f"{key} is not set", cure=f"export {key}=…, the key that its host gave you")]


def _software(preset: Preset, place: Place) -> list[Lack]:
    """Return what is missing of libraries: in the environment set up for the model, or else in this one.

    Those of a program are in the environment of its project, which is named when it is run.
    """
    needs = preset.needs
    if preset.kind == "program":
        return []
    if needs.environment and set_up(preset, place) is not None:
        return []
    absent = [name for name in needs.libraries if not _is_here(name)]
    if needs.environment and (absent or not all(holds(requirement) for requirement in needs.environment)):
        return [Lack(what=NOT_SET_UP, cure=f"sparkle-bench setup {preset.name}")]
    if absent:
        return [Lack(what=f"no {listed(absent, first=1)}", cure=f"pip install {' '.join(absent)}")]
    return []


def set_up(preset: Preset, place: Place) -> Ready | None:
    """Return the environment that `sparkle-bench setup` has made for a model, or None."""
    return environments.ready(preset.name, place.home)


def holds(requirement: str) -> bool:
    """Whether this environment meets a requirement such as `diffusers>=0.36,<1`; any that cannot be told is not met."""
    found = _REQUIREMENT.fullmatch(requirement)
    if found is None:
        return False
    try:
        here = _numbers(metadata.version(found[1]))
    except metadata.PackageNotFoundError:
        return False
    return all(_meets(here, sign, version) for sign, version in _BOUND.findall(found[2]))


def _meets(here: tuple[int, ...], sign: str, version: str) -> bool:
    if version.endswith(".*"):
        bound = _numbers(version.removesuffix(".*"))
        return (here[: len(bound)] == bound) == (sign == "==")
    bound = _numbers(version)
    long = max(len(here), len(bound))
    ours, theirs = (numbers + (0,) * (long - len(numbers)) for numbers in (here, bound))
    if sign == "~=":
        return ours >= theirs and here[: len(bound) - 1] == bound[:-1]
    return bool(_COMPARED[sign](ours, theirs))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the release's numbers; what follows them (`+cpu`, `rc1`) is no matter here."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _is_here(library: str) -> bool:
    try:
        return importlib.util.find_spec(library.partition(".")[0]) is not None
    except (ImportError, ValueError):  # something by that name is half there
        return False


def _checkout(preset: Preset) -> list[Lack]:
    """A program's code must be there when it runs; that of other models is wanted by `setup` alone, which asks for it."""
    project, given = preset.needs.checkout, preset.options.get(CHECKOUT)
    if project is None or CHECKOUT not in _options(preset):
        return []
    if given is not None and Path(str(given)).expanduser().is_dir():
        return []
    return [Lack(what=NO_CHECKOUT, cure=f"git clone {project}, and pass --option {CHECKOUT}=FOLDER")]


def _weights(preset: Preset, place: Place) -> list[Lack]:
    """Weights that are named by a folder must be there; those named by an id are fetched when they are first used."""
    given, options = weights(preset, place), _options(preset)
    if given is not None and is_folder(given) and not Path(given).expanduser().exists():
        return [Lack(what="no weights", cure=f"there is nothing at {given}; pass --option {WEIGHTS}=FOLDER")]
    if given is not None or WEIGHTS not in options or options[WEIGHTS].default is not None:
        return []
    make = f"sparkle-bench setup {preset.name}, or " if preset.needs.environment else ""
    return [Lack(what="no weights", cure=f"{make}pass --option {WEIGHTS}=FOLDER")]


def _options(preset: Preset) -> Mapping[str, inspect.Parameter]:
    """Return the options of a preset's kind; none if its class cannot be loaded, which is told elsewhere."""
    try:
        return registry.accepted_options(registry.find(presets.KINDS[preset.kind], {}, group="", what="model"))
    except EditorError:
        return {}


def weights(preset: Preset, place: Place) -> str | None:
    """Return where a model's weights are: the folder that `setup` made, or what the preset says; None if neither does."""
    made = set_up(preset, place)
    given = made.model_path if made and made.model_path else preset.options.get(WEIGHTS)
    return None if given is None else str(given)


def is_folder(weights: str) -> bool:
    """Whether weights are named by a folder and not by an id of the Hub, `owner/name`."""
    return weights.startswith(("/", ".", "~")) or weights.count("/") != 1 or Path(weights).exists()


def _gpu(preset: Preset, place: Place) -> list[Lack]:
    need = preset.needs.gpu_gb
    if need is None or place.gpus is None:
        return []
    best = max(place.gpus, default=0.0)
    if best >= need:
        return []
    without = "; --option device=cpu tries it without, which is slow" if preset.kind == "diffusers" else ""
    if not place.gpus:
        return [
            Lack(what="no GPU", cure=f"no NVIDIA GPU is seen here; run it where one has {need:g} GB of memory{without}")
        ]
    return [
        Lack(
            what=f"GPU of {best:.0f} GB",
            cure=f"it needs {need:g} GB of GPU memory; smaller clips (--option frames=, size=) or offloading may fit",
        )
    ]


def gpus(seconds: float = SECONDS) -> tuple[float, ...] | None:
    """Ask `nvidia-smi` for the memory of each GPU, in GB; empty if there is none, None if that cannot be told."""
    if shutil.which(QUERY[0]) is None:
        return None if AMD_DRIVER.exists() else ()
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    sizes = [line.strip() for line in done.stdout.splitlines()]
    return tuple(int(size) * 2**20 / 1e9 for size in sizes if size.isdigit())


def to_data(lack: Lack) -> Mapping[str, Any]:
    """Return a lack as JSON data."""
    return {"what": lack.what, "cure": lack.cure}
