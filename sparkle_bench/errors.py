"""The exception tree.

    SparkleError                 one line, exit code 1
    ├── BenchmarkError           benchmark data missing or malformed
    ├── StoreError               results/ cannot be read, or another run is writing there (disk.Busy)
    ├── PromptError              a rubric or prompt template is missing or malformed
    ├── MachineError             disk full, too many open files, …       → never a model's failure
    ├── VideoError               a file cannot be decoded or written     → recorded on the sample
    │   └── SourceError          the benchmark's own video is unreadable → recorded, never a model's failure
    ├── SignalsError             an edit cannot be measured              → recorded, never a model's failure
    ├── StaleEdit                a video was changed after it was made   → recorded, never a model's failure
    ├── EditorError              an edit failed                          → recorded on the Edit
    │   ├── Refused              whoever hosts the model will not make it → recorded, not tried again in this run
    │   ├── OutOfMemory          the GPU is too small                    → recorded
    │   └── HostUnavailable      a hosted model: wrong key, no credits   → stops the run at once
    ├── SubmissionError          what was handed in cannot be taken as a whole
    ├── VerdictError             the reply is not one mark per dimension → asked again, then recorded
    ├── RequestFailed            one request failed after its retries    → recorded on the Judgment
    ├── BudgetSpent              one more question may cost too much     → stops the run, cleanly
    └── JudgeUnavailable         server down, wrong model, bad key       → stops the run at once

Every message is one line: what is wrong, with which thing, and what to do next.
"""

from __future__ import annotations

import errno


class SparkleError(Exception):
    """Anything the program reports as one line instead of a traceback."""


class BenchmarkError(SparkleError):
    """The benchmark's files are missing or malformed."""


class StoreError(SparkleError):
    """`results/` cannot be read or written, or another run holds it."""


class PromptError(SparkleError):
    """A rubric or a prompt template is missing or malformed."""


class MachineError(SparkleError):
    """This machine is in trouble: its disk is full, it has too many files open. No sample is to blame."""


class VideoError(SparkleError):
    """A video cannot be decoded or written.

    Attributes:
        kind: What is wrong with it, by one word: `truncated`, `variable_rate`, `beyond_limits`, `size_changes`,
            `undecodable`, or else `unreadable`.
    """

    def __init__(self, message: str, *, kind: str = "unreadable") -> None:
        super().__init__(message)
        self.kind = kind


class SourceError(VideoError):
    """The benchmark's own video cannot be read; the edit is not to blame."""


class SignalsError(SparkleError):
    """An edit can be decoded but not measured; its signals are unknown."""


class StaleEdit(SparkleError):
    """The video is no longer the one that was edited; its verdict would be another's."""


class EditorError(SparkleError):
    """An edit failed, or an editor cannot be built."""


class Refused(EditorError):
    """Whoever hosts the model will not make this edit, by its rules; an outcome of the sample, not a fault."""


class OutOfMemory(EditorError):
    """The GPU has too little memory for this edit."""


class HostUnavailable(EditorError):
    """A hosted model cannot be used at all: a wrong key, no credits, no answer. No sample is to blame; the run stops."""


class SubmissionError(SparkleError):
    """Videos handed in cannot be taken as a whole: a hostile archive, a bad manifest or card, nothing that matches."""


class VerdictError(SparkleError):
    """A judge's reply is not exactly one whole mark per dimension."""


class RequestFailed(SparkleError):
    """One request to the judge failed after its bounded retries.

    Attributes:
        failures: One line for every attempt.
        systemic: True when the cause may lie with the server, not the sample (it counts towards stopping the run).
        tokens: Prompt and completion tokens of answers that were paid for and held no reply.
    """

    def __init__(
        self,
        message: str,
        *,
        failures: tuple[str, ...] = (),
        systemic: bool = True,
        tokens: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(message)
        self.failures = failures
        self.systemic = systemic
        self.tokens = tokens


class BudgetSpent(SparkleError):
    """The judge takes money, and one more question might cost more than is left."""


class JudgeUnavailable(SparkleError):
    """The judge cannot be used at all; the run stops at once."""


def one_line(text: object, *, limit: int = 300) -> str:
    """Return `text` on one line of at most `limit` characters, for messages and records."""
    flat = " ".join(str(text).encode("utf-8", "backslashreplace").decode().split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def printable(text: object, *, limit: int = 400) -> str:
    """Return a stranger's text on one line of at most `limit` characters, with nothing in it that a terminal would obey."""
    line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in one_line(text, limit=limit))
    return line if len(line) <= limit else line[: limit - 1] + "…"


MACHINE_ERRNOS = frozenset(
    {
        errno.EAGAIN,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOSPC,
        errno.EFBIG,
        errno.EDQUOT,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.ESTALE,
    }
)


def is_machine_trouble(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, speaks of this machine and not of what was read or made."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in MACHINE_ERRNOS:
            return True
        error = error.__cause__
    return False


def listed(items: list[str], *, first: int = 3) -> str:
    """Return the first few of `items` on one line, each cut short, and the count of the rest: `a, b, c and 4 more`."""
    rest = len(items) - first
    head = ", ".join(printable(item if item.isprintable() else repr(item), limit=200) for item in items[:first])
    return f"{head} and {rest} more" if rest > 0 else head
