"""The protocol between the harness and a worker process: JSON lines, and how an error crosses the border.

To the worker: first how to build the editor, then questions `{id, prepare}` and jobs `{id, sample, root, out}`. From it:
`{ready}` or `{failed}`, `{turn}` when a job has its turn at the GPU, and one answer `{id, …}` for every question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sparkle_bench import errors
from sparkle_bench.editors.fleet import MemberLost
from sparkle_bench.errors import EditorError, MachineError, OutOfMemory, SparkleError, VideoError, one_line
from sparkle_bench.records import Effort, Sample, effort_to_json, sample_from_json, to_json

MOST_BYTES = 1 << 20
"""Of one line from a worker. An answer has a few hundred."""
ERROR_LETTERS = 1000

# What CUDA says when a process can use its GPU no more; only a new process can.
_DEAD = (
    "illegal memory access", "device-side assert", "uncorrectable ecc", "unspecified launch failure",
    "misaligned address", "illegal instruction", "launch timed out", "hardware stack error", "fallen off the bus",
)  # fmt: skip


def encoded(message: Mapping[str, Any]) -> bytes:
    """Return a message as one line."""
    return json.dumps(message, default=str).encode() + b"\n"


def decoded(line: bytes) -> dict[str, Any]:
    """Return the message of a line.

    Raises:
        ValueError: It is none; the text says why.
    """
    if not line.endswith(b"\n"):
        raise ValueError(f"a line of {len(line)} bytes or more" if len(line) >= MOST_BYTES else "half a line")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a line that is no JSON: {one_line(line[:80].decode(errors='replace'))}") from error
    if not isinstance(message, dict):
        raise ValueError(f"a line that is no object: {one_line(line[:80].decode(errors='replace'))}")
    return message


def job(sample: Sample, out: Path) -> dict[str, Any]:
    """Return a job; its paths hold wherever the worker stands."""
    return {"sample": to_json(sample), "root": str(sample.root.absolute()), "out": str(out.absolute())}


def preparation(samples: Iterable[Sample]) -> dict[str, Any]:
    """Return the question whether the work as a whole can be done."""
    return {"prepare": [[to_json(sample), str(sample.root.absolute())] for sample in samples]}


def sample(data: Mapping[str, Any], root: str) -> Sample:
    """Read a sample."""
    return sample_from_json(data, Path(root))


def done(effort: object) -> dict[str, Any]:
    """Return the answer of an edit that was made."""
    return {"effort": effort_to_json(effort) if isinstance(effort, Effort) else None}


def effort(answer: Mapping[str, Any]) -> Effort | None:
    """Read what an edit took.

    Raises:
        TypeError: It is no such thing.
    """
    given = answer.get("effort")
    return None if given is None else Effort(**given)


def failure(error: BaseException) -> dict[str, Any]:
    """Return the answer of an edit that failed.

    `dead` is added when the process can use its GPU no more, `lost` when no other sample will fare better.
    """
    text = str(error) if isinstance(error, SparkleError) else f"{type(error).__name__}: {error}"
    answer = {"error": one_line(text, limit=ERROR_LETTERS), "error_type": _type(error).__name__}
    if isinstance(error, VideoError):
        answer["kind"] = error.kind
    elif any(_is_dead(cause) for cause in _causes(error)):
        answer["dead"] = "yes"
    elif isinstance(error, ImportError | MemberLost):
        answer["lost"] = "yes"
    return answer


def raised(answer: Mapping[str, Any]) -> SparkleError:
    """Return the error of an answer as it was on the other side, as far as this side knows its type."""
    kind = getattr(errors, str(answer.get("error_type")), EditorError)
    if not (isinstance(kind, type) and issubclass(kind, SparkleError)):
        kind = EditorError
    text = str(answer.get("error"))
    return kind(text, kind=str(answer.get("kind"))) if issubclass(kind, VideoError) else kind(text)


def _type(error: BaseException) -> type[SparkleError]:
    if any(_is_out_of_memory(cause) for cause in _causes(error)):
        return OutOfMemory
    if errors.is_machine_trouble(error):
        return MachineError
    known = [kind for kind in type(error).__mro__ if issubclass(kind, SparkleError)]
    return next((kind for kind in known if hasattr(errors, kind.__name__)), EditorError)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether the GPU's memory is spent, as torch tells it; `MemoryError` is the machine's own."""
    if isinstance(error, SparkleError):
        return isinstance(error, OutOfMemory)  # it may tell of a program's own end
    text = str(error).lower()
    spent = "out of memory" in text and ("cuda" in text or "hip" in text)
    return type(error).__name__ == "OutOfMemoryError" or spent


def _is_dead(error: BaseException) -> bool:
    if isinstance(error, SparkleError) or _is_out_of_memory(error):
        return False
    text = str(error).lower()
    said = ("cuda" in text or "hip" in text) and any(words in text for words in _DEAD)
    return said or type(error).__name__ == "AcceleratorError"
