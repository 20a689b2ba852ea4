"""What this machine can do, and the cure for each lack.

Every check is bounded in time and none can hide another: each runs in a thread of its own, and what may crash or hang
beyond help (the video libraries, `nvidia-smi`, torch) in a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from sparkle_bench.doctor import files, machine, servers
from sparkle_bench.doctor.check import BENCH, HUB, Asked, Check, Job, State, begin
from sparkle_bench.errors import one_line

__all__ = ["BENCH", "HUB", "ORDER", "Asked", "Check", "Report", "State", "Use", "examine"]

ORDER = (
    "python", "decoders", "encoders", "pictures", "ffmpeg", "gpu", "torch", "libraries", "vllm", "memory", "disk",
    "prompt", "benchmark", "results", "judge", "hub",
)  # fmt: skip
"""The checks as they are shown."""
LONGEST_LINE = 1000
AGAIN = "see what keeps it, or wait longer with --timeout"
REINSTALL = "pip install --force-reinstall sparkle-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Something to do with this package.

    Attributes:
        name: What.
        lacks: The checks that stand against it; none if it can be done here.
        by: With what, if that is worth saying.
    """

    name: str
    lacks: tuple[str, ...] = ()
    by: str = ""

    def __str__(self) -> str:
        more = f"lacks {', '.join(self.lacks)}" if self.lacks else self.by
        return f"{self.name} ({more})" if more else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks in their order, and what can be done."""

    checks: tuple[Check, ...]
    uses: tuple[Use, ...]

    @property
    def works(self) -> bool:
        """Whether nothing is lacking that the demo and judging need."""
        return not any(check.required and check.state == "lack" for check in self.checks)

    @property
    def summary(self) -> str:
        """What can and what cannot be done, on one line."""
        can = ", ".join(str(use) for use in self.uses if not use.lacks) or "nothing"
        cannot = ", ".join(str(use) for use in self.uses if use.lacks)
        return f"can: {can}" + (f"; cannot: {cannot}" if cannot else "")


def examine(asked: Asked) -> Report:
    """Do all checks, most of them at the same time. What they meet is data: nothing is raised."""
    drawing = begin(_ability("pictures", asked))
    gpu = begin(_gpu(asked))()
    others = [begin(job) for job in (*_here(asked, gpu=gpu.state == "ok"), *_files(asked), _hub(asked))]
    pictures = drawing()
    judge = begin(_judge(asked, pictures=pictures.state == "ok"))
    found = [gpu, pictures, judge(), *(wait() for wait in others)]
    shown = tuple(_discreet(check, asked) for check in sorted(found, key=lambda check: ORDER.index(check.name)))
    return Report(checks=shown, uses=_uses(shown, asked))


def _gpu(asked: Asked) -> Job:
    """The check on which it depends what others are asked."""
    return Job(
        name="gpu",
        look=lambda: machine.gpu(asked.patience),
        seconds=asked.patience + 1,
        cure="see why `nvidia-smi` hangs; the demo, judging through a server and boards need no GPU",
    )


def _ability(name: str, asked: Asked) -> Job:
    return Job(
        name=name,
        look=lambda: machine.ability(name, 3 * asked.patience),
        seconds=3 * asked.patience + 1,
        cure="pip install --force-reinstall av decord opencv-python-headless numpy",
        required=True,
    )


def _here(asked: Asked, *, gpu: bool) -> Iterable[Job]:
    """Return the checks of programs, libraries and the hardware."""
    once, named = asked.patience, asked.judge_url is not None
    yield Job(name="python", look=machine.python, seconds=3 * once, cure=REINSTALL)
    yield _ability("decoders", asked)
    yield _ability("encoders", asked)
    # Programs have a second less than their thread, so that it is they who are ended and named.
    yield Job(name="ffmpeg", look=lambda: machine.ffmpeg(once), seconds=once + 1, cure=AGAIN, worst="note")
    yield Job(name="torch", look=lambda: machine.torch(6 * once, gpu=gpu), seconds=6 * once + 1, cure=AGAIN)
    yield Job(name="libraries", look=lambda: machine.libraries(gpu=gpu), seconds=once, cure=AGAIN, worst="note")
    yield Job(
        name="vllm",
        look=lambda: machine.vllm(gpu=gpu, judge_named=named),
        seconds=once,
        cure=AGAIN,
        worst="note",
    )
    yield Job(name="memory", look=machine.memory, seconds=once, cure=AGAIN, worst="note")


def _files(asked: Asked) -> Iterable[Job]:
    """Return the checks of what is on disk."""
    once, root = asked.patience, asked.root
    yield Job(name="disk", look=lambda: files.space(root), seconds=once, cure=files.ELSEWHERE, required=True)
    yield Job(name="prompt", look=lambda: files.prompt(root), seconds=once, cure=REINSTALL, required=True)
    seconds = (60 if asked.deep else 6) * once
    yield Job(
        name="benchmark",
        look=lambda: files.benchmark(asked.bench, deep_seconds=seconds if asked.deep else None),
        seconds=seconds + 1,
        cure=AGAIN,
    )
    yield Job(name="results", look=lambda: files.results(root), seconds=6 * once, cure=AGAIN)


def _judge(asked: Asked, *, pictures: bool) -> Job:
    """The judge's start-up probe makes pictures in this process, which must be known to survive that."""
    look = servers.judge if pictures else servers.judge_without_pictures
    return Job(name="judge", look=lambda: look(asked), seconds=asked.patience, cure=AGAIN)


def _hub(asked: Asked) -> Job:
    seconds = servers.HUB_SECONDS + 1
    return Job(name="hub", look=lambda: servers.hub(asked), seconds=seconds, cure=AGAIN, worst="note")


def _uses(checks: Iterable[Check], asked: Asked) -> tuple[Use, ...]:
    found = {check.name: check for check in checks}
    broken = [check.name for check in found.values() if check.required and check.state == "lack"]
    benchmark = [*broken, *(["benchmark"] if found["benchmark"].state == "lack" else [])]
    judge, gpu = (["judge"] if found["judge"].state != "ok" else []), (["gpu"] if found["gpu"].state != "ok" else [])
    server = f"server at {_without_secrets(asked.judge_url, asked)}" if asked.judge_url else ""
    return (
        Use(name="run the demo", lacks=tuple(broken)),
        Use(name="judge finished videos with a VLM", lacks=(*benchmark, *judge), by=server),
        Use(name="edit with a GPU", lacks=(*benchmark, *gpu)),
    )


def _discreet(check: Check, asked: Asked) -> Check:
    """Return a check whose texts are single lines without secrets."""
    return replace(
        check,
        found=_without_secrets(check.found, asked),
        cure=None if check.cure is None else _without_secrets(check.cure, asked),
    )


def _without_secrets(text: str, asked: Asked) -> str:
    line = one_line(text, limit=LONGEST_LINE)
    parts = urlsplit(asked.judge_url or "")
    for secret in filter(None, (asked.api_key, parts.password, parts.query)):
        line = line.replace(secret, "[hidden]")
    return re.sub(r"(?<=://)[^/@\s]+@", "", line)
