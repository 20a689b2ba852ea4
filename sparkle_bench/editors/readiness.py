"""What a model lacks on this machine, each with what to do about it; nothing is loaded, and no library imported.

What the command line alone may ask (environment variables) comes in as a `Place`.
"""

from __future__ import annotations

import importlib.util
import inspect
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from sparkle_bench import nvidia, registry
from sparkle_bench.editors import environments
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors.environments import Ready
from sparkle_bench.editors.preset import Preset
from sparkle_bench.errors import EditorError, listed

NOT_SET_UP, NO_CHECKOUT, NO_PYTHON = "not set up", "no checkout", "no interpreter"
AMD_DRIVER = Path("/dev/kfd")
WEIGHTS, CHECKOUT, PYTHON = "model_path", "checkout", "python"
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


def lacks(preset: Preset, place: Place) -> tuple[Lack, ...]:
    """Return what a preset lacks here, what costs most to get last."""
    software = _software(preset, place)
    made = any(lack.what == NOT_SET_UP for lack in software)  # and then `setup` makes the weights too, or tells how
    rest = [] if made else _weights(preset, place)
    return (*_key(preset, place), *software, *_project(preset), *rest, *_gpu(preset, place))


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
    try:
        wanted = Requirement(requirement)
        return not wanted.url and wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except (InvalidRequirement, metadata.PackageNotFoundError):
        return False


def _is_here(library: str) -> bool:
    try:
        return importlib.util.find_spec(library.partition(".")[0]) is not None
    except (ImportError, ValueError):  # something by that name is half there
        return False


def of_project(preset: Preset) -> tuple[str, ...]:
    """Return what a program is run with, `checkout` and `python` or one of them; nothing for other kinds.

    The code of other models is wanted by `setup` alone, which asks for it.
    """
    if preset.kind != "program":
        return ()
    from sparkle_bench.editors.program import spec

    try:
        found = spec.read(preset)
    except EditorError:  # told elsewhere
        return ()
    uses = {CHECKOUT: CHECKOUT in found.used or bool(found.checkout_has), PYTHON: PYTHON in found.used}
    return tuple(name for name, is_used in uses.items() if is_used)


def _project(preset: Preset) -> list[Lack]:
    """A program's code must be there when it runs, and the interpreter of its environment, which may be in its folder."""
    wanted, given = of_project(preset), preset.options.get(CHECKOUT)
    place = None if given is None else Path(str(given)).expanduser()
    if CHECKOUT in wanted and (place is None or not place.is_dir()):
        get = f"git clone {preset.needs.checkout}, and pass" if preset.needs.checkout else "pass"
        folder = "FOLDER" if preset.needs.checkout else "FOLDER, that of its project"
        return [Lack(what=NO_CHECKOUT, cure=f"{get} --option {CHECKOUT}={folder}")]
    if PYTHON in wanted and not _is_interpreted(preset, place):
        return [Lack(what=NO_PYTHON, cure=f"pass --option {PYTHON}=PATH, the interpreter of its project's environment")]
    return []


def _is_interpreted(preset: Preset, place: Path | None) -> bool:
    from sparkle_bench.editors.process import is_program
    from sparkle_bench.editors.program.given import INTERPRETERS

    if PYTHON in preset.options:
        return is_program(str(Path(str(preset.options[PYTHON])).expanduser().absolute()))
    return place is not None and any((place / name).is_file() for name in INTERPRETERS)


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


def gpus(seconds: float = nvidia.SECONDS) -> tuple[float, ...] | None:
    """Ask `nvidia-smi` for the memory of each GPU, in GB; empty if there is none, None if that cannot be told."""
    if shutil.which(nvidia.PROGRAM) is None:
        return None if AMD_DRIVER.exists() else ()
    rows = nvidia.rows("--query-gpu=memory.total", seconds=seconds)
    return None if rows is None else tuple(int(row[0]) * 2**20 / 1e9 for row in rows if row[0].isdigit())
