"""What torch computes on: which device, what it is, how its memory is measured, and what happens when there is too little.

Nothing here is called before a model is loaded, in the process that has torch.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar

from sparkle_bench import nvidia
from sparkle_bench.editors.studio import Gauge
from sparkle_bench.errors import EditorError, OutOfMemory

Result = TypeVar("Result")

_SHORT = re.compile(r"out of memory|can't allocate memory|(?:CUBLAS|CUDNN)_STATUS_ALLOC_FAILED", re.IGNORECASE)
_ASKED = re.compile(r"tried to allocate (\d+ bytes|[\d.]+ ?[KMGT]?i?B)", re.IGNORECASE)
_FREE = re.compile(r"total capacity of ([\d.]+ [KMGT]iB) of which ([\d.]+ [KMGT]iB) is free")


def choose(wanted: str | None) -> str:
    """Return the device to use: the one that is wanted, or else a GPU, if there is one.

    Raises:
        EditorError: There is no such device.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted is None:
        return next(name for name, found in there.items() if found)
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise EditorError(f"device={wanted!r} is none; it looks like cuda, cuda:1, mps or cpu") from error
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not there.get(device.type, True) or (device.index or 0) >= count:
        found = ", ".join(name for name, is_there in there.items() if is_there)
        raise EditorError(f"torch {torch.__version__} finds no device {wanted} here, but {found}")
    return wanted


def gauge(device: str) -> Gauge:
    """Return how a device's memory is measured; only CUDA tells."""
    import torch

    if not device.startswith("cuda"):
        return Gauge()
    return Gauge(
        start=lambda: torch.cuda.reset_peak_memory_stats(device),
        peak=lambda: int(torch.cuda.max_memory_allocated(device)),
    )


def facts(device: str) -> dict[str, Any]:
    """Return what a device is, for the record; nothing for a CPU, which `run.json` names anyway."""
    import torch

    if not device.startswith("cuda"):
        return {}
    found = {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda or torch.version.hip}
    drivers = nvidia.rows("--query-gpu=driver_version")
    return found | ({"driver": drivers[0][0]} if drivers else {})


def versions(*names: str) -> dict[str, str]:
    """Return the versions of the installed packages among these."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def within(device: str, call: Callable[[], Result], *, what: str, advice: str) -> Result:
    """Call a function, and give memory back if there was too little.

    Args:
        device: What it computes on.
        call: The function.
        what: What the memory is for, such as `81 frames of 1280x704`.
        advice: What to do about it.

    Raises:
        OutOfMemory: There was too little.
    """
    try:
        return call()
    except (RuntimeError, MemoryError) as error:
        found = shortage(error)
        if found is None:
            raise
    # Only here, after the handler: until then the error holds on to the tensors of every function it came through.
    release()
    where = "this machine" if device == "cpu" else f"the GPU ({device})"
    raise OutOfMemory(f"{where} has too little memory for {what}{found and f': {found}'}; try {advice}")


def shortage(error: BaseException) -> str | None:
    """Return how much memory was missing, an empty text if that is not said, or None if an error is no such one."""
    text = str(error)
    if not (isinstance(error, MemoryError) or _SHORT.search(text)):
        return None
    asked, free = _ASKED.search(text), _FREE.search(text)
    told = [f"{asked[1]} more were asked for"] if asked else []
    told += [f"{free[2]} of {free[1]} were free"] if free else []
    return ", ".join(told)


def release() -> None:
    """Give back what memory is no longer used."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
