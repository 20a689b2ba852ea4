"""Says which tensors a pipeline's folder lacks, by its own code's word; run by the environment that has its libraries.

    python -I lacking.py FOLDER

prints a JSON list of what is missing or of another shape. Every part is built without memory (on torch's `meta` device)
and held against the headers of its weights. It imports nothing of this package, so that any environment can run it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any


def wrong(folder: Path) -> list[str]:
    """Return what is missing or of another shape, as `part/tensor`."""
    index = json.loads((folder / "model_index.json").read_bytes())
    found: list[str] = []
    for name, spec in sorted(index.items()):
        config = folder / name / "config.json"
        if isinstance(spec, list) and config.is_file() and "_class_name" in json.loads(config.read_bytes()):
            found += [f"{name}/{what}" for what in _wrong_in(folder / name, *spec)]
    return found


def _wrong_in(folder: Path, module: str, name: str) -> list[str]:
    expected = _expected(_class(folder, module, name), folder)
    have: dict[str, tuple[int, ...]] = {}
    for path in folder.glob("diffusion_pytorch_model*.safetensors"):
        have |= _shapes(path)
    missing = [f"{key} is missing" for key in expected if key not in have]
    return missing + [
        f"{key} is {list(have[key])} and should be {list(shape)}"
        for key, shape in expected.items()
        if key in have and have[key] != shape
    ]


def _class(folder: Path, module: str, name: str) -> Any:
    """Return a part's class: of the code beside its weights, or of an installed library."""
    code = folder / f"{module}.py"
    if not code.is_file():
        return getattr(importlib.import_module(module), name)
    spec = importlib.util.spec_from_file_location(f"part_{folder.name}_{module}", code)
    if spec is None or spec.loader is None:
        raise ImportError(f"{code} cannot be imported")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)


def _expected(cls: Any, folder: Path) -> dict[str, tuple[int, ...]]:
    import torch

    with torch.device("meta"):
        model = cls.from_config(cls.load_config(folder))
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {key: tuple(item["shape"]) for key, item in header.items() if key != "__metadata__"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(wrong(Path(sys.argv[1]))) + "\n")
