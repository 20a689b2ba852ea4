"""What holds for one host, read from its preset: what a clip and an instruction may be, and what it costs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkle_bench.benchmark import suggestion
from sparkle_bench.editors.preset import Preset
from sparkle_bench.errors import EditorError

if TYPE_CHECKING:
    from sparkle_bench.records import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a host takes; it would charge for some of what it turns away, so that is held against them first.

    Attributes:
        characters: Of an instruction, as UTF-16 counts them.
        least_seconds: Of a clip.
        most_seconds: Likewise.
        most_fps: Frames per second of a clip.
        most_bytes: Of its file.
        least_side: Pixels of its shorter side.
        most_side: Pixels of its longer side.
    """

    characters: int | None = None
    least_seconds: float | None = None
    most_seconds: float | None = None
    most_fps: float | None = None
    most_bytes: int | None = None
    least_side: int | None = None
    most_side: int | None = None

    def check(self, instruction: str, facts: Probe, size: int) -> None:
        """Refuse what the host would not take.

        Args:
            instruction: What is asked for.
            facts: What the source holds.
            size: Bytes of its file.

        Raises:
            EditorError: Naming what is too long, too short or too large, before anything is paid.
        """
        seconds, sides = facts.frames / facts.fps, (facts.width, facts.height)
        lasts = f"the source lasts {seconds:.3g} s ({facts.frames} frames)"
        letters = len(instruction.encode("utf-16-le", "surrogatepass")) // 2
        most = [
            (self.characters, letters, f"the instruction has {letters} characters"),
            (self.most_seconds, seconds, lasts),
            (self.most_fps, facts.fps, f"the source has {facts.fps:.4g} frames per second"),
            (self.most_bytes, size, f"the source has {size} bytes"),
            (self.most_side, max(sides), f"the source is {facts.width}x{facts.height}"),
        ]
        least = [
            (self.least_seconds, seconds, lasts),
            (self.least_side, min(sides), f"the source is {facts.width}x{facts.height}"),
        ]
        wrong = [
            f"{words}; the host takes {limit:g} at most" for limit, has, words in most if limit and has > limit + 1e-6
        ]
        wrong += [
            f"{words}; the host takes {limit:g} at least" for limit, has, words in least if limit and has < limit - 1e-6
        ]
        if wrong:
            raise EditorError(f"{wrong[0]}; nothing was submitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a host charges.

    Attributes:
        credit: US dollars of one credit, for a host that tells each job's credits.
        second: US dollars of a second of video; by resolution where it depends on that.
        of: When this price was read, as `2026-11`.
    """

    credit: float | None = None
    second: float | Mapping[str, float] | None = None
    of: str | None = None


def per_second(preset: Preset, resolution: str, chosen: float | None) -> float | None:
    """Return US dollars of one second: what a user says, else what the preset says; None if neither does.

    Raises:
        EditorError: It is no price.
    """
    known = price(preset).second
    second = known.get(resolution) if isinstance(known, Mapping) else known
    if chosen is not None and not 0 <= chosen < math.inf:
        raise EditorError(f"option price={chosen} is no price")
    return second if chosen is None else chosen


def limits(preset: Preset) -> Limits:
    """Return `[KIND.limits]` of a preset.

    Raises:
        EditorError: It holds what is no limit.
    """
    return Limits(**_section(preset, "limits", Limits))


def price(preset: Preset) -> Price:
    """Return `[KIND.price]` of a preset.

    Raises:
        EditorError: It holds what is no price.
    """
    return Price(**_section(preset, "price", Price))


def _section(preset: Preset, name: str, record: type[Any]) -> dict[str, Any]:
    for section in preset.details:
        if section not in ("limits", "price"):
            raise EditorError(f"unknown key {section!r} in [{preset.kind}]; known: limits, price")
    data = preset.details.get(name, {})
    known = [item.name for item in dataclasses.fields(record)]
    where = f"[{preset.kind}.{name}]"
    if not isinstance(data, Mapping):
        raise EditorError(f"expected a section {where}")
    for key, value in data.items():
        if key not in known:
            raise EditorError(f"unknown key {key!r} in {where}; {suggestion(key, known)}")
        numbers = value.values() if isinstance(value, Mapping) and key == "second" else [value]
        if not all(type(number) in (int, float) and number >= 0 for number in numbers) and key != "of":
            raise EditorError(f"{preset.kind}.{name}.{key}: {value!r} is no number")
    return dict(data)
