"""Where a model runs: in this process, in a process of its own, in one a GPU, or on a Ray cluster."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sparkle_bench import editors, registry
from sparkle_bench.editors import Editor, Recipe
from sparkle_bench.editors import preset as presets
from sparkle_bench.editors.fleet import Fleet
from sparkle_bench.editors.worker.process import LOAD_SECONDS, SECONDS, Launch, Process
from sparkle_bench.errors import EditorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a model runs; how its edits come out does not depend on it.

    Attributes:
        gpus: GPUs as `CUDA_VISIBLE_DEVICES` names them (an index or a UUID); one worker process for each.
        python: Interpreter of the environment that has the model's libraries.
        home: Where `sparkle-bench setup` keeps environments; None for its own place.
        executor: Whether workers are processes of this machine or actors of a Ray cluster.
        ray_address: The cluster's address.
        timeout: Seconds that one edit may take before its worker counts as hung.
        load_timeout: Seconds that loading the model may take.
    """

    gpus: tuple[str, ...] = ()
    python: Path | None = None
    home: Path | None = None
    executor: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    timeout: float = SECONDS
    load_timeout: float = LOAD_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a model's worker is started.

    Attributes:
        recipe: The model; where a set-up environment holds its weights, with the option `model_path`.
        python: The interpreter.
    """

    recipe: Recipe
    python: Path


def plan(recipe: Recipe, where: Where) -> Plan:
    """Return which interpreter runs a model: the one given, its set-up environment's, or ours."""
    if where.python is not None:
        return Plan(recipe=recipe, python=where.python)
    if recipe.preset is not None and presets.from_data(*recipe.preset).needs.environment:
        from sparkle_bench.editors import environments

        name = recipe.preset[0]
        ready = environments.ready(name, where.home)
        if ready is not None:
            if ready.model_path is not None and "model_path" not in recipe.options:
                recipe = replace(recipe, options={**recipe.options, "model_path": str(ready.model_path)})
            return Plan(recipe=recipe, python=ready.python)
    return Plan(recipe=recipe, python=Path(sys.executable))


def placed(recipe: Recipe, where: Where, *, say: Callable[[str], object] = lambda line: None) -> Editor:
    """Build the editor of a recipe where it is to run. Nothing is started or loaded before it is asked.

    On a machine of a cluster, an actor calls this with a `Where` that names no GPUs and no executor: the editor then sees
    the GPUs that the actor sees.

    Args:
        recipe: The model.
        where: Where it runs.
        say: Told in one line of a model that begins to load, and of a worker that is started again or lost.

    Raises:
        EditorError: The name or an option is unknown, or the model cannot run there.
    """
    if where.executor == "ray":
        return _on_ray(recipe, where, say)
    planned = plan(recipe, where)
    light = editors.build(planned.recipe)
    _check(recipe.name, light, where)
    if not (_own_process(light) or where.gpus):
        return light
    launch = Launch(python=planned.python, timeout=where.timeout, load_timeout=where.load_timeout, say=say)
    return _together(
        [Process(_on(gpu, planned.recipe, light), light, replace(launch, gpu=gpu)) for gpu in where.gpus or (None,)],
        say,
    )


def _on_ray(recipe: Recipe, where: Where, say: Callable[[str], object]) -> Editor:
    """Return the editor on a cluster, where each machine has its own environments."""
    from sparkle_bench.editors import on_ray

    light = editors.build(recipe)
    if getattr(light, "keys", ()):
        raise EditorError(f"{recipe.name} runs at its host; --executor ray is for models that run on the cluster")
    if not _own_process(light):
        _check_limits(recipe.name, where)
    return _together(on_ray.actors(recipe, where, say=say), say)


def _own_process(light: Editor) -> bool:
    return bool(getattr(light, "own_process", False))


def _check(name: str, light: Editor, where: Where) -> None:
    """Refuse what a model cannot do, or this machine."""
    if getattr(light, "keys", ()) and (where.gpus or where.python):
        raise EditorError(f"{name} runs at its host; --gpus and --python are for models that run here")
    if where.python is not None and shutil.which(where.python) is None:
        raise EditorError(f"--python {where.python}: there is no such program")
    if where.python is not None and not _own_process(light):
        raise EditorError(f"{name} runs in the harness itself; --python is for models with their own environment")
    if not (_own_process(light) or where.gpus):
        _check_limits(name, where)
    _check_gpus(where.gpus)


def _check_limits(name: str, where: Where) -> None:
    """Refuse time limits that nobody would hold a model to."""
    limits = {"--edit-timeout": where.timeout != SECONDS, "--load-timeout": where.load_timeout != LOAD_SECONDS}
    for option, is_given in limits.items():
        if is_given:
            raise EditorError(f"{name} runs in the harness itself; {option} is for models in a worker process")


def _check_gpus(names: Sequence[str]) -> None:
    """Refuse GPUs that are not there: CUDA hides them without a word, and the model would be run on the CPU."""
    numbers = [int(name) for name in names if name.isdigit()]
    if not numbers:
        return
    from sparkle_bench.editors import readiness

    count = len(readiness.gpus() or ())
    for number in numbers:
        if count and number >= count:
            known = "GPU 0 alone" if count == 1 else f"0 to {count - 1}"
            raise EditorError(f"there is no GPU {number} here; nvidia-smi counts {known}")


def _on(gpu: str | None, recipe: Recipe, light: Editor) -> Recipe:
    """Return a preset's recipe with the GPU asked for, where it would else make do with the CPU if it sees none."""
    if gpu is None or recipe.preset is None or "device" not in registry.accepted_options(type(light)):
        return recipe
    chosen = {**presets.from_data(*recipe.preset).options, **recipe.options}
    return recipe if "device" in chosen else replace(recipe, options={**recipe.options, "device": "cuda"})


def _together(members: Sequence[Editor], say: Callable[[str], object]) -> Editor:
    return members[0] if len(members) == 1 else Fleet(members, say=say)
