"""Runs edits with real pipelines, in the environment that has torch: JSON lines in, JSON lines out.

Run as `python -m tests.diffusion_cases FOLDER` in the checkout, with `HF_HUB_CACHE=FOLDER/hub`. FOLDER is for the tiny
checkpoints; one of them is laid out there as the Hub's cache has it, too. Each line is a case: `model` and `options`
(`{models}` stands for FOLDER), `sample` and its `root`, `out`; `without` names modules that cannot be imported meanwhile,
`room` how many bytes of memory more the process may take. One process runs them all, since importing the libraries takes
longer than the edits.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparkle_bench import editors
from sparkle_bench.records import Effort, effort_to_json, sample_from_json
from tests import tiny_models

BUILT: dict[str, Any] = {}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def answer(case: dict[str, Any], models: Path) -> dict[str, Any]:
    """Run a case and return what came of it."""
    options = {name: value.replace("{models}", str(models)) for name, value in case["options"].items()}
    known = json.dumps([case["model"], options], sort_keys=True)
    said: dict[str, Any] = {"name": case["name"]}
    try:
        with absent(case.get("without", [])):
            editor = BUILT.get(known) or editors.create(case["model"], options)
            editors.load(editor)
        BUILT[known] = editor
        said |= {"describe": editors.describe(editor, options), "declared": editors.declared(editor)}
        sample = sample_from_json(case["sample"], Path(case["root"]))
        editors.prepare(editor, [sample])
        said["shape"] = editors.shape(editor, sample)
        with bounded(case.get("room")):
            effort = editor.edit(sample, Path(case["out"]))
        said["effort"] = effort_to_json(effort) if isinstance(effort, Effort) else None
    except Exception as error:
        said |= {"error": str(error), "error_type": type(error).__name__}
    return said


@contextmanager
def absent(names: list[str]) -> Iterator[None]:
    """Let modules seem not to be installed."""
    kept = {name: sys.modules.get(name) for name in names}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in kept.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


@contextmanager
def bounded(room: int | None) -> Iterator[None]:
    """Let the process take only so many bytes of memory more."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if room is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def cache(models: Path) -> None:
    """Lay `lucy` out as if `tiny/lucy` had been downloaded."""
    place = models / "hub" / "models--tiny--lucy"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    shutil.copytree(models / "lucy", place / "snapshots" / COMMIT)


def main() -> None:
    models = Path(sys.argv[1])
    tiny_models.build(models)
    cache(models)
    import torch

    torch.set_num_threads(1)  # more wait for each other longer than they compute, where other tests run beside
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line), models)) + "\n")


if __name__ == "__main__":
    main()
