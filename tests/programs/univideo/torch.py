"""Stands in for torch."""

from __future__ import annotations

bfloat16 = "bfloat16"
seeds: list[int] = []


def manual_seed(seed: int) -> None:
    """Note a seed."""
    seeds.append(seed)


class Generator:
    """A source of noise that keeps its seed."""

    def __init__(self, *, device: str) -> None:
        self.device, self.seed = device, -1

    def manual_seed(self, seed: int) -> Generator:
        """Keep the seed."""
        self.seed = seed
        return self
