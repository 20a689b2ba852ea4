"""Which GPUs this machine has, and whether a judge's memory fits them; asked of `nvidia-smi` before anything is loaded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkle_bench import nvidia

UTILIZATION = 0.9
"""The share of a GPU that vLLM takes unless it is told otherwise."""
AMD_DRIVER = Path("/dev/kfd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU: its index, and its memory in GiB."""

    index: int
    total: float
    free: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """The GPUs that a process may use.

    Attributes:
        cards: Those of NVIDIA, in the order in which they are used.
        amd: Whether AMD's driver is there; how many GPUs it drives and their memory is not known.
    """

    cards: tuple[Card, ...] = ()
    amd: bool = False

    def __bool__(self) -> bool:
        return bool(self.cards) or self.amd


def seen(environment: Mapping[str, str]) -> Gpus:
    """Return the GPUs that a process with this environment may use (`PATH`, `CUDA_VISIBLE_DEVICES`)."""
    program = shutil.which(nvidia.PROGRAM, path=environment.get("PATH"))
    listed = _query(program) if program else []
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        wanted = [item.strip() for item in allowed.split(",")]
        listed = [row for item in wanted if item for row in listed if row[0] == item or row[1].startswith(item)]
    cards = tuple(Card(index=int(row[0]), total=float(row[2]) / 1024, free=float(row[3]) / 1024) for row in listed)
    return Gpus(cards=cards, amd=not cards and AMD_DRIVER.exists())


def _query(program: str) -> list[list[str]]:
    rows = nvidia.rows("--query-gpu=index,uuid,memory.total,memory.free", program=program) or ()
    return [row for row in rows if len(row) == 4 and row[0].isdigit() and row[2].isdigit() and row[3].isdigit()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a judge takes: GiB in all, over so many GPUs, using at most a share of each."""

    memory_gib: float
    over: int = 1
    utilization: float = UTILIZATION


def lack(need: Need, cards: Sequence[Card]) -> str | None:
    """Say what is lacking for a judge, or None if it fits the first `over` cards."""
    each = need.memory_gib / need.over
    needs = f"{need.memory_gib:.0f} GiB of GPU memory" + (f", {each:.0f} on each of {need.over} GPUs" * (need.over > 1))
    if len(cards) < need.over:
        return f"needs {needs}, and {len(cards)} can be seen"
    for card in cards[: need.over]:
        share = need.utilization * card.total
        if each > share:
            return f"needs {needs}, and vLLM may take {share:.0f} of the {card.total:.0f} GiB of GPU {card.index}"
        if each > card.free:
            return f"needs {needs}, and GPU {card.index} has {card.free:.0f} of {card.total:.0f} GiB free"
        if share > card.free:
            less = int(100 * card.free / card.total) / 100
            return (
                f"would take {share:.0f} GiB of GPU {card.index}, which has {card.free:.0f} of {card.total:.0f} free "
                f"(--serve-option gpu-memory-utilization={less:g} makes it take less)"
            )
    return None
