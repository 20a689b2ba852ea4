"""Checks of programs, libraries, processors and memory."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sparkle_bench.doctor import process
from sparkle_bench.doctor.check import Found, lack, note, ok
from sparkle_bench.errors import MachineError
from sparkle_bench.provenance import code_version

JUDGING_BYTES = 700_000_000
"""Memory that judging 1280x720 clips with eight workers was measured to take."""
LIBRARIES = ("transformers", "diffusers", "accelerate", "qwen-vl-utils")
GPU_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader")
CGROUP = Path("/sys/fs/cgroup")


def python() -> Found:
    """Return the versions of Python and of this package."""
    system = f"{platform.system()} {platform.machine()}"
    return ok(f"Python {platform.python_version()} on {system}, sparkle-bench {code_version()}")


def ability(name: str, seconds: float) -> Found:
    """Let the video libraries do one of `video.ability.ABILITIES`, in a process of its own."""
    seen = process.python(f"from sparkle_bench.video import ability; ability.tell({name!r})", seconds)
    if seen["trouble"] is None:
        return ok(seen["found"])
    text, cure = f"{seen['found']}: {seen['trouble']}", f"pip install --force-reinstall {' '.join(seen['reinstall'])}"
    return note(text, cure) if seen["works"] else lack(text, cure)


def ffmpeg(seconds: float) -> Found:
    """Look for the `ffmpeg` program. Nothing here runs it: PyAV brings its own FFmpeg; a model's script may want it."""
    if shutil.which("ffmpeg") is None:
        return note("no such program on PATH; nothing in sparkle-bench needs it, a model's own script may")
    ended = process.run(["ffmpeg", "-version"], seconds)
    words = ended.out.split()
    if ended.code != 0 or words[:2] != ["ffmpeg", "version"]:
        return note(f"the program does not run ({ended.why}); nothing in sparkle-bench needs it")
    return ok(f"version {words[2]} (not needed)")


# -- GPUs and what works on them ---------------------------------------------------------------------------------------


def gpu(seconds: float) -> Found:
    """Ask `nvidia-smi` for the GPUs."""
    if shutil.which("nvidia-smi") is None:
        return note("no nvidia-smi, so no NVIDIA GPU; the demo, judging through a server and boards work without one")
    cure = "mend the NVIDIA driver until `nvidia-smi` runs; the demo, judging through a server and boards need no GPU"
    try:
        ended = process.run(GPU_QUERY, seconds)
    except MachineError as error:
        return lack(f"nvidia-smi {error}", cure)
    if ended.code != 0:
        return lack(f"nvidia-smi fails ({ended.why})", cure)
    cards = [[part.strip() for part in line.split(",")] for line in ended.out.splitlines() if line.count(",") >= 3]
    if not cards:
        return note("nvidia-smi lists no GPU; the demo, judging through a server and boards work without one")
    return ok("; ".join(f"{name}, {total}, {free} free, driver {driver}" for name, total, free, driver, *_ in cards))


def torch(seconds: float, *, gpu: bool) -> Found:
    """Ask an installed torch, in a process of its own, whether it sees the GPU."""
    found = installed("torch")
    if found is None:
        return note(
            "not installed; only editing models that run in this environment need it",
            "pip install 'sparkle-bench[editors]'" if gpu else None,
        )
    if not gpu:
        return note(f"torch {found}, and no GPU for it")
    code = "import json, torch; print(json.dumps([torch.version.cuda, torch.cuda.device_count()]))"
    cure = "install a torch built for this driver: https://pytorch.org/get-started/locally"
    try:
        built_for, count = process.python(code, seconds)
    except MachineError as error:
        return lack(f"torch {found} {error}", cure)
    if not count:
        return lack(f"torch {found}, built for CUDA {built_for}, sees no GPU", cure)
    return ok(f"torch {found}, built for CUDA {built_for}, sees {count} GPU{'s' if count > 1 else ''}")


def libraries(*, gpu: bool) -> Found:
    """List what editing models and a judge of one's own are usually made with."""
    found = {name: installed(name) for name in LIBRARIES}
    parts = [f"{name} {number}" for name, number in found.items() if number]
    missing = [name for name, number in found.items() if not number]
    if not missing:
        return ok(", ".join(parts))
    text = ", ".join([*parts, f"not installed: {', '.join(missing)}"])
    return note(f"{text}; only models that run in this environment need them", _extras(missing) if gpu else None)


def _extras(missing: list[str]) -> str:
    extras = "editors" if missing != ["qwen-vl-utils"] else "vllm"
    return f"pip install 'sparkle-bench[{extras}]'"


def vllm(*, gpu: bool, judge_named: bool) -> Found:
    """Look for vLLM, with which a judge of one's own is served."""
    found = installed("vllm")
    if found:
        return ok(f"vllm {found}") if gpu else note(f"vllm {found}, and no GPU for it")
    if gpu and not judge_named:
        cure = "pip install 'sparkle-bench[vllm]', or name another machine's server with --judge-url"
        return lack("not installed, so no judge can be served from this environment", cure)
    return note("not installed; a judge may be served from elsewhere, named with --judge-url")


def installed(name: str) -> str | None:
    """Return a package's version without importing it, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


# -- processors and memory ---------------------------------------------------------------------------------------------


def memory() -> Found:
    """Return the processors that this process may use, and the memory that is free for it."""
    text, free = f"{_processors()} of {os.cpu_count()} processors to use", _free_memory()
    if free is None:
        return ok(f"{text}; free memory unknown here")
    text += f", {free / 1e9:.1f} GB of memory free"
    if free < JUDGING_BYTES:
        need = f"{JUDGING_BYTES / 1e9:.1f}"
        return lack(f"{text}; judging with 8 workers takes about {need} GB", "free memory, or judge with --workers 1")
    return ok(text)


def _processors() -> int:
    """Return how many processors this process may use: its affinity, or a container's quota if that is less."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _words(CGROUP / "cpu.max")
    if len(quota) == 2 and quota[0].isdigit():
        usable = min(usable, max(1, round(int(quota[0]) / int(quota[1]))))
    return usable


def _free_memory() -> int | None:
    """Return free memory in bytes: the system's, or what a container's limit leaves if that is less."""
    lines = [line.split() for line in _text(Path("/proc/meminfo")).splitlines()]
    free = next((int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:"), None)
    limit, used = _words(CGROUP / "memory.max"), _words(CGROUP / "memory.current")
    if free is not None and limit and used and limit[0].isdigit():
        free = min(free, max(0, int(limit[0]) - int(used[0])))
    return free


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
