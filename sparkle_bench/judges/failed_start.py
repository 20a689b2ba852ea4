"""What the log of a vLLM that did not start says, in one line with the cure. Pure.

The texts are those of vLLM 0.11 to 0.32, transformers 4.57 to 5 and huggingface_hub 0.34 to 1; what none of the rules
knows is answered with the log's last error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sparkle_bench.errors import one_line

# `(EngineCore pid=7) ERROR 11-24 19:06:56 [core.py:1] ValueError: …` is a ValueError all the same.
_PREFIX = re.compile(r"^(?:\([^()]*pid=\d+\)\s*)?(?:(?:ERROR|CRITICAL|WARNING|INFO)\s+\S+\s+\S+\s+\[[^\]]*\]\s*)?")
_ERROR = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception)\b(?:: .+)?$|^Value error, .+|^[\w.-]+: error: .+")
# These only say that there was an error before them.
_ECHO = re.compile(r"Engine core initialization failed|validation errors? for |See root cause above|^RuntimeError$")
_PYDANTIC = re.compile(r"^Value error, | \[type=\w+, input_value=.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A start that failed.

    Attributes:
        model: What was to be served.
        revision: Of it, or None.
        status: The process's exit status, negative for a signal; None if it still ran.
        text: Its log.
        log: Where that lies, to be named.
    """

    model: str
    revision: str | None
    status: int | None
    text: str
    log: str


_SMALLER = "serve a smaller judge (`sparkle-bench judges` lists them)"
_LESS = "--serve-option gpu-memory-utilization=0.8"
_NAME = "correct --judge-model, which takes a Hub id such as Qwen/Qwen3-VL-8B-Instruct or a folder"

Said = Callable[[Failure, re.Match[str]], str]

_RULES: tuple[tuple[str, Said], ...] = (
    (
        r"Free memory on device.*?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\).*?less than",
        lambda _, m: (
            f"too little GPU memory is free: {m['free']} of {m['total']} GiB; end what else uses the GPU, let vLLM take less "
            f"({_LESS}), or {_SMALLER}"
        ),
    ),
    (
        r"No available memory for the cache blocks",
        lambda f, _: f"{f.model} leaves no GPU memory for its cache; raise gpu-memory-utilization, or {_SMALLER}",
    ),
    (
        r"larger than the available KV cache.*?(?:maximum model length is (?P<longest>\d+)|$)",
        lambda f, m: (
            f"too little GPU memory for the cache of {f.model}; pass --serve-option max-model-len={m['longest'] or 16384}, "
            f"or {_SMALLER}"
        ),
    ),
    (
        r"CUDA out of memory|HIP out of memory|OutOfMemoryError",
        lambda f, _: f"too little GPU memory for {f.model}; end what else uses the GPU, or {_SMALLER}",
    ),
    (
        r"max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \(\w+=(?P<most>\d+)",
        lambda f, m: (
            f"{f.model} takes at most {m['most']} tokens, not {m['asked']}; pass --serve-option max-model-len={m['most']}"
        ),
    ),
    (
        r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver",
        lambda _, __: (
            "vLLM finds no GPU here; run it where there is one, install vLLM's build for CPUs, or name a running server "
            "with --judge-url"
        ),
    ),
    (
        r"gated repo",
        lambda f, _: (
            f"{f.model} is gated on the Hub; accept its terms at https://huggingface.co/{f.model}, then `hf auth login` "
            "(or set HF_TOKEN)"
        ),
    ),
    (
        r"is not a valid git identifier|Revision Not Found|RevisionNotFoundError",
        lambda f, _: f"{f.model} has no revision {f.revision!r} on the Hub; correct --judge-revision",
    ),
    (
        r"is not a local folder and is not a valid model|Repository Not Found|RepositoryNotFoundError|HFValidationError",
        lambda f, _: f"there is no model {f.model!r}, neither as a folder nor on the Hub; {_NAME}",
    ),
    (
        r"outgoing traffic has been disabled|couldn't connect to|LocalEntryNotFoundError|OfflineModeIsEnabled",
        lambda f, _: (
            f"{f.model} is not on this machine and the Hub cannot be reached; `hf download {f.model}` where there is a "
            "network (and unset HF_HUB_OFFLINE), or name a folder with --judge-model"
        ),
    ),
    (
        r"Invalid repository ID or local directory",
        lambda f, _: f"{f.model} holds no model (no config.json); {_NAME}",
    ),
    (
        r"(?m)^[\w.-]+: error: (?P<what>unrecognized arguments: .+|argument .+)$",
        lambda _, m: f"this vLLM refuses an option ({one_line(m['what'])}); correct --serve-option",
    ),
    (
        r"Address already in use",
        lambda _, __: "the port was taken while vLLM loaded; pass another --port",
    ),
    (
        r"No space left on device",
        lambda _, __: "the disk is full; free some of it, or set HF_HOME to a folder on a larger one",
    ),
    (
        r"No module named '?vllm",
        lambda _, __: "that interpreter has no vLLM; name one that has with --vllm-python",
    ),
)


def explained(failure: Failure) -> str:
    """Return in one line why a server did not start, and the cure."""
    for pattern, said in _RULES:
        if found := re.search(pattern, failure.text, re.DOTALL if ".*?" in pattern else 0):
            return f"{said(failure, found)} (log: {failure.log})"
    how = _ending(failure.status)
    error = last_error(failure.text)
    return f"vLLM {how}: {error or 'it said nothing'}; its log is {failure.log}"


def _ending(status: int | None) -> str:
    if status is None:
        return "did not answer"
    if status == -9:
        return "was killed, most likely by the system for want of memory"
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def last_error(text: str) -> str:
    """Return the last line of a log that names an error, else its last line; empty for an empty log."""
    errors = [line for line in _lines(text) if _ERROR.match(line) and not _ECHO.search(line)]
    return one_line(_PYDANTIC.sub("", errors[-1]), limit=240) if errors else last_line(text)


def last_line(text: str) -> str:
    """Return the last line of a log without the logger's own words; empty for an empty log."""
    lines = _lines(text)
    return one_line(lines[-1], limit=240) if lines else ""


def _lines(text: str) -> list[str]:
    # A progress bar writes over its own line with carriage returns, which splitlines takes for line ends.
    return [line for raw in text.splitlines() if (line := _PREFIX.sub("", raw.strip()).strip())]
