"""Pipelines of diffusers: finding one by name, seeing what it takes, loading it with its weights onto a device."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import typing
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkle_bench import discretion
from sparkle_bench.benchmark import suggestion
from sparkle_bench.editors import gpu, weights
from sparkle_bench.editors.studio import Gauge
from sparkle_bench.editors.weights import Weights
from sparkle_bench.errors import EditorError, one_line
from sparkle_bench.video.conform import Fit

LIBRARIES = ("torch", "diffusers", "transformers", "accelerate")
DTYPES = ("bfloat16", "float16", "float32")
OFFLOADS = ("none", "model", "sequential")
NEEDED = ("video", "prompt")
GIVEN = ("height", "width", "num_frames", "generator", "output_type")
"""Parameters that a pipeline is called with if it has them; those of the user's options come on top."""
FULL_VAE = "AutoencoderKLWan"
"""The video decoder of Wan and of what is made from it: in half precision it flickers, so it stays in float32."""
SHIFTS = ("flow_shift", "shift")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How to load a pipeline.

    Attributes:
        device: What to compute on; None for the best there is.
        dtype: One of `DTYPES`.
        offload: Which parts wait in the machine's memory until they are used; one of `OFFLOADS`.
        flow_shift: What to set the scheduler's shift to; None for its own.
    """

    device: str | None
    dtype: str
    offload: str
    flow_shift: float | None

    def __post_init__(self) -> None:
        for name, value, known in (("dtype", self.dtype, DTYPES), ("offload", self.offload, OFFLOADS)):
            if value not in known:
                raise EditorError(f"option {name}={value!r} is none; {suggestion(str(value), known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pipeline and what it is for.

    Attributes:
        pipeline: The name of its class.
        weights: Where its weights are.
        loading: How to load it.
        calls: Parameters that will be passed, by the option that asks for them, beside those that every call has.
    """

    pipeline: str
    weights: Weights
    loading: Loading
    calls: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A pipeline that is ready.

    Attributes:
        pipe: It.
        device: What it computes on.
        gauge: How that one's memory is measured.
        takes: The parameters of a call, with their defaults.
        facts: What goes on record of it.
    """

    pipe: Any
    device: str
    gauge: Gauge
    takes: Mapping[str, Any]
    facts: Mapping[str, Any]


def load(wanted: Wanted) -> Loaded:
    """Load a pipeline.

    Raises:
        EditorError: A library is missing, there is no such pipeline, it does not take what it is to be given, or its
            weights cannot be loaded.
        OutOfMemory: The device is too small for it.
    """
    wanted.weights.check()
    _check_libraries()
    device = gpu.choose(wanted.loading.device)
    if wanted.loading.offload != "none" and device == "cpu":
        raise EditorError(f"offload={wanted.loading.offload} spares a GPU, and there is none; leave it out")
    cls = find(wanted.pipeline)
    takes = _takes(cls, wanted.calls)
    folder, pipe = _from_weights(cls, wanted)
    if wanted.loading.flow_shift is not None:
        _shift(pipe, wanted.loading.flow_shift)
    pipe.set_progress_bar_config(disable=True)
    further = {"none": "model", "model": "sequential"}.get(wanted.loading.offload)
    advice = f"--option offload={further}" if further and device != "cpu" else "a larger one"
    gpu.within(device, lambda: _place(pipe, device, wanted.loading.offload), what="the weights", advice=advice)
    facts = _facts(pipe, device) | {"weights": wanted.weights.record(folder)}
    return Loaded(pipe=pipe, device=device, gauge=gpu.gauge(device), takes=takes, facts=facts)


def _check_libraries() -> None:
    absent = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if absent:
        raise EditorError(
            f"{', '.join(absent)} cannot be imported here; pip install 'sparkle-bench[editors]', or name the "
            "interpreter of an environment that has them"
        )


def find(name: str) -> Any:
    """Return the pipeline of that name.

    Raises:
        EditorError: There is none.
    """
    import diffusers

    names = [other for other in dir(diffusers) if other.endswith("Pipeline")]
    here = f"diffusers {diffusers.__version__}"
    if name not in names:
        raise EditorError(f"{here} has no pipeline {name!r}; {suggestion(name, names)}")
    try:
        cls = getattr(diffusers, name)  # imports it only now
    except Exception as error:  # other people's code: whatever its import raises
        raise EditorError(f"{here} cannot import {name}: {discretion.cleaned(one_line(error))}") from error
    if not (inspect.isclass(cls) and issubclass(cls, diffusers.DiffusionPipeline)):
        raise EditorError(f"{here} cannot use {name}: a library that it needs is missing, or it is of another kind")
    # Pipelines that clean their prompts with ftfy fail without it in the middle of the first edit, with a NameError.
    if hasattr(sys.modules[cls.__module__], "is_ftfy_available") and importlib.util.find_spec("ftfy") is None:
        raise EditorError(f"{name} needs ftfy to read its prompts; pip install ftfy")
    return cls


def _takes(cls: Any, calls: Mapping[str, str]) -> dict[str, Any]:
    """Return a pipeline's parameters, after a look at whether it can be called as is wished."""
    parameters = list(inspect.signature(cls.__call__).parameters.values())[1:]
    takes = {one.name: one.default for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    for name in NEEDED:
        if name not in takes:
            raise EditorError(f"{cls.__name__} takes no {name}; it cannot edit a video as it is told")
    for option, name in calls.items():
        if name not in takes:
            raise EditorError(f"{cls.__name__} has no {name}; leave out --option {option}=")
    passed: Collection[str] = {*NEEDED, *GIVEN, *calls.values()}
    for name, default in takes.items():
        if default is inspect.Parameter.empty and name not in passed:
            raise EditorError(f"{cls.__name__} needs {name} beside the video, which the harness has not")
    return takes


def _from_weights(cls: Any, wanted: Wanted) -> tuple[Path, Any]:
    """Return the folder that the weights were loaded from, and the pipeline."""
    called = wanted.weights.called
    try:
        with warnings.catch_warnings():
            # diffusers 0.42 calls torch_dtype old; 0.39 would not know its new name, and load float32 without a word.
            warnings.simplefilter("ignore", FutureWarning)
            folder = wanted.weights.folder or Path(cls.download(wanted.weights.place, revision=wanted.weights.revision))
            owner = weights.index(folder).get("_class_name")
            classes = weights.classes(folder)
            pipe = cls.from_pretrained(
                str(folder), torch_dtype=_dtypes(classes, wanted.loading.dtype), local_files_only=True
            )
    except EditorError:
        raise
    except Exception as error:  # other people's code: whatever its loading raises
        reason = f"{type(error).__name__}: {discretion.cleaned(one_line(error, limit=600))}"
        raise EditorError(f"the weights {called} cannot be loaded as {wanted.pipeline}: {reason}") from error
    if owner != wanted.pipeline:
        _check_parts(pipe, f"the weights {called} are of {owner}")
    return folder, pipe


def _check_parts(pipe: Any, whose: str) -> None:
    """Refuse another pipeline's weights where they do not fit; many pipelines share them, and diffusers only warns."""
    import torch

    hints = typing.get_type_hints(type(pipe).__init__)
    for name, part in pipe.components.items():
        fitting = tuple(one for one in (*typing.get_args(hints.get(name)), hints.get(name)) if inspect.isclass(one))
        if isinstance(part, torch.nn.Module) and fitting and not isinstance(part, fitting):
            raise EditorError(f"{whose}: their {name} is a {type(part).__name__}, {type(pipe).__name__} has another")


def check_fit(pipe: Any, fit: Fit) -> None:
    """Refuse a way of fitting clips that a pipeline would round by itself, or fail at after minutes.

    Raises:
        EditorError: Its sides or frames are not the pipeline's.
    """
    called, cure = type(pipe).__name__, "write a preset with another [fit]"
    patch = getattr(getattr(getattr(pipe, "transformer", None), "config", None), "patch_size", 1)
    side = getattr(pipe, "vae_scale_factor_spatial", 1) * (patch if isinstance(patch, int) else patch[-1])
    if any(length % side for length in fit.size or (fit.multiple,)):
        given = f"sides of {fit.size[0]}x{fit.size[1]}" if fit.size else f"multiples of {fit.multiple}"
        raise EditorError(f"{called} with these weights takes sides in multiples of {side}, not {given}; {cure}")
    step, _, rest = fit.frames.partition("n+")
    temporal = getattr(pipe, "vae_scale_factor_temporal", 1)
    if temporal > 1 and (step == "any" or int(step) % temporal or int(rest) % temporal != 1):
        raise EditorError(f"{called} with these weights takes {temporal}n+1 frames, not {fit.frames}; {cure}")


def _dtypes(classes: Mapping[str, str], dtype: str) -> Any:
    import torch

    chosen = getattr(torch, dtype)
    full = {name: torch.float32 for name, cls in classes.items() if cls == FULL_VAE}
    return {**full, "default": chosen} if full else chosen


def _shift(pipe: Any, shift: float) -> None:
    """Give the scheduler another shift, by the name that it has for it."""
    scheduler = pipe.scheduler
    name = next((name for name in SHIFTS if name in scheduler.config), None)
    if name is None:
        raise EditorError(f"{type(scheduler).__name__} has no flow_shift; leave out --option flow_shift=")
    pipe.scheduler = type(scheduler).from_config(scheduler.config, **{name: shift})


def _place(pipe: Any, device: str, offload: str) -> None:
    if offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        pipe.to(device)


def _facts(pipe: Any, device: str) -> dict[str, Any]:
    """Return what is true of a loaded pipeline, whatever was asked for."""
    import torch

    parts = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    scheduler = getattr(pipe, "scheduler", None)
    shift = next((scheduler.config[name] for name in SHIFTS if name in scheduler.config), None) if scheduler else None
    return {
        "dtypes": {
            name: str(part.dtype).removeprefix("torch.") for name, part in parts.items() if hasattr(part, "dtype")
        },
        **({"scheduler": type(scheduler).__name__} if scheduler else {}),
        **({"flow_shift": shift} if shift is not None else {}),
        "device": device,
        **gpu.facts(device),
        "versions": gpu.versions(*LIBRARIES, "ftfy"),
    }
