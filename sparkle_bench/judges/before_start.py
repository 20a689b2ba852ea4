"""What can be known of a server before it is started: its interpreter, model, memory, port; and of its model's commit."""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparkle_bench.errors import JudgeUnavailable, listed
from sparkle_bench.judges import gpus

OTHER_MEMORY = ("dtype", "quantization", "kv_cache_dtype", "max_model_len", "cpu_offload_gb", "kv_cache_memory_bytes")
"""Options with which a preset's figure for memory is no longer true."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NO_VLLM = 3
_FIND = f"import importlib.util, sys; sys.exit(0 if importlib.util.find_spec('vllm') else {_NO_VLLM})"
_ANSWER_SECONDS = 2.0
_LONGEST_ANSWER = 1 << 20
MOST_CONFIGURATION = 1 << 20
"""Bytes up to which a JSON file of a model is its configuration, whose content counts."""


def interpreter(python: str, environment: Mapping[str, str]) -> str:
    """Return an interpreter's path if it runs and has vLLM.

    Raises:
        JudgeUnavailable: It does not or has not.
    """
    found = shutil.which(python, path=environment.get("PATH"))
    if found is None:
        raise JudgeUnavailable(f"there is no interpreter {python!r}; correct --vllm-python")
    try:
        environ = dict(environment) or None
        done = subprocess.run([found, "-c", _FIND], env=environ, capture_output=True, timeout=60.0, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JudgeUnavailable(f"{python!r} does not run as an interpreter; correct --vllm-python") from error
    if done.returncode == _NO_VLLM:
        cure = "name an interpreter that has it with --vllm-python, or a running server with --judge-url"
        here = "here (pip install 'sparkle-bench[vllm]')" if found == sys.executable else f"in {python}"
        raise JudgeUnavailable(f"there is no vLLM {here}; {cure}")
    if done.returncode != 0:
        raise JudgeUnavailable(f"{python!r} does not run as an interpreter; correct --vllm-python")
    return found


# -- the model ---------------------------------------------------------------------------------------------------------


def is_hub_id(model: str) -> bool:
    """Whether a model is named by its id on the Hub; a folder of that name comes first, as it does for vLLM."""
    return _HUB_ID.fullmatch(model) is not None and not Path(model).exists()


def model(model: str, environment: Mapping[str, str]) -> None:
    """See whether a model is a folder that holds one, or may come from the Hub.

    Raises:
        JudgeUnavailable: It is neither, or is not on this machine and the Hub is switched off.
    """
    if Path(model).is_dir():
        if not (Path(model) / "config.json").is_file():
            raise JudgeUnavailable(f"the folder {model} holds no model (no config.json); correct --judge-model")
        return
    if not is_hub_id(model):
        raise JudgeUnavailable(
            f"there is no model {model!r}: no such folder, and no id on the Hub looks so; correct --judge-model"
        )
    off = [name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if _is_on(environment.get(name, ""))]
    if off and not environment.get("VLLM_USE_MODELSCOPE") and not _cached(model, environment).is_dir():
        raise JudgeUnavailable(
            f"{model} is not on this machine, and {off[0]} keeps it from the Hub; unset that, or name a folder with "
            "--judge-model"
        )


def _is_on(value: str) -> bool:
    return value.upper() in ("1", "ON", "YES", "TRUE")


def commit(model: str, revision: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the commit that the Hub's local cache holds for a revision; None for a folder, or if it is not there."""
    if not is_hub_id(model):
        return None
    asked = revision or "main"
    if _COMMIT.fullmatch(asked):
        return asked
    try:
        found = (_cached(model, environment) / "refs" / asked).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return found if _COMMIT.fullmatch(found) else None


def weights(model: str) -> str | None:
    """Return what tells the weights in a folder from others; None for a model of the Hub."""
    folder = Path(model).expanduser()
    return fingerprint(folder) if folder.is_dir() else None


def fingerprint(folder: Path) -> str:
    """Return what tells the weights in a folder from others: a hash of its configuration and its files' names and sizes."""
    value = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        value.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        if path.suffix == ".json" and path.stat().st_size < MOST_CONFIGURATION:
            value.update(path.read_bytes())
    return f"files-{value.hexdigest()[:16]}"


def _cached(model: str, environment: Mapping[str, str]) -> Path:
    """Return where the Hub's client keeps a model, by its own order of variables."""
    home = Path(environment["HOME"]) if "HOME" in environment else Path.home()
    caches = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    hub = Path(environment.get("HF_HOME") or caches / "huggingface") / "hub"
    chosen = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    root = Path(chosen) if chosen else hub
    return root.expanduser() / f"models--{model.replace('/', '--')}"


# -- memory ------------------------------------------------------------------------------------------------------------


def memory(model: str, memory_gib: float | None, engine: Mapping[str, Any], seen: gpus.Gpus) -> None:
    """See whether a judge fits the GPUs; nothing is said where its need or their memory is not known.

    Raises:
        JudgeUnavailable: It does not fit; the message names smaller judges that do.
    """
    if memory_gib is None or not seen.cards:
        return
    try:
        over = int(engine.get("tensor_parallel_size") or 1)
        share = float(engine.get("gpu_memory_utilization") or gpus.UTILIZATION)
    except (TypeError, ValueError):
        return  # vLLM will say what is wrong with them
    lacking = gpus.lack(gpus.Need(memory_gib=memory_gib, over=over, utilization=share), seen.cards)
    if lacking is None:
        return
    whole = gpus.Need(memory_gib=memory_gib, over=len(seen.cards), utilization=share)
    cures = ["free the GPUs"]
    if len(seen.cards) < over and gpus.lack(whole, seen.cards) is None:
        cures = [f"pass --serve-option tensor-parallel-size={len(seen.cards)}"]
    if smaller := _smaller(memory_gib, seen.cards):
        cures.append(f"take a smaller judge ({listed([f'--judge {name}' for name in smaller])})")
    cures.append("or name a server elsewhere with --judge-url")
    raise JudgeUnavailable(f"{model} {lacking}; {', '.join(cures)}")


def _smaller(memory_gib: float, cards: Sequence[gpus.Card]) -> list[str]:
    """Return the presets that need less and fit, the largest first."""
    from sparkle_bench.judges import table

    fitting = []
    for preset in map(table.load, table.names()):
        if preset.memory_gib is not None and preset.memory_gib < memory_gib:
            need = gpus.Need(memory_gib=preset.memory_gib, over=int(preset.engine.get("tensor_parallel_size", 1)))
            if gpus.lack(need, cards) is None:
                fitting.append((preset.memory_gib, preset.name))
    return [name for _, name in sorted(fitting, reverse=True)]


# -- the port ----------------------------------------------------------------------------------------------------------


def port(host: str, number: int) -> None:
    """See whether a port is free.

    Raises:
        JudgeUnavailable: It is not, or may not be used; the message says who answers there.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an ended server's connections linger for a minute
        try:
            probe.bind((host, number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise JudgeUnavailable(_taken(host, number)) from error
            raise JudgeUnavailable(f"port {number} of {host} cannot be used ({error.strerror}); pass --port") from error


def _taken(host: str, number: int) -> str:
    another = "pass another --port (0 takes any free one)"
    served = _models(host, number)
    if served:
        url = f"http://{host}:{number}/v1"
        return f"port {number} is taken by a server of {listed(served)}; use it with --judge-url {url}, or {another}"
    return f"port {number} is taken by another program; {another}"


def _models(host: str, number: int) -> list[str]:
    """Return the models that an OpenAI-compatible server offers; none if there is no such server."""
    try:
        return [str(card["id"]) for card in json.loads(_get(host, number, "/v1/models")[1])["data"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return []


def answers(host: str, number: int) -> bool:
    """Whether a server is up, by its `/health`."""
    try:
        return _get(host, number, "/health")[0] == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def _get(host: str, number: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, number, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST_ANSWER)
    finally:
        connection.close()
