"""Boards that are made up, with known truth: scenes of uneven sizes, marks 1 to 5 that hang together and are capped.

A latent mark is a level, plus what theme, dimension, scene, sample and single mark add; it is rounded, held to the scale and
capped by the first dimension. The truth is the mean over very many scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkle_bench.records import Sample
from sparkle_bench.stats import Design, design

Floats = NDArray[Any]

THEMES = (0.3, 0.1, -0.1, -0.4)
"""What a theme adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """How marks come about.

    Attributes:
        level: Of the latent mark; 4.8 presses most marks against the top of the scale.
        scenes: Standard deviation of what a scene adds.
        samples: Of what a sample adds.
        marks: Of what each mark adds.
        dimensions: How many.
    """

    level: float = 3.5
    scenes: float = 0.7
    samples: float = 0.7
    marks: float = 0.7
    dimensions: int = 3


def sample(number: int, theme: str, subtheme: str, scene: str) -> Sample:
    return Sample(
        id=f"s{number:04d}",
        benchmark="made",
        theme=theme,
        subtheme=subtheme,
        scene=scene,
        instruction="",
        source="",
        sha256="",
    )


def laid_out(sizes: Sequence[Sequence[int]]) -> Design:
    """A benchmark with so many samples in every scene of every theme; every four scenes are a subtheme."""
    labels = [
        (f"theme {theme}", f"part {scene // 4}", f"scene {scene}")
        for theme, scenes in enumerate(sizes)
        for scene, size in enumerate(scenes)
        for _ in range(size)
    ]
    return design([sample(number, *label) for number, label in enumerate(labels)])


def uneven(scenes: int, samples: int, spread: float, *, seed: int = 0, themes: int = 4) -> Design:
    """About so many samples in so many scenes of lognormal sizes, in each theme."""
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(0, spread, (themes, scenes))
    sizes = np.maximum(1, np.round(weights / weights.sum(axis=1, keepdims=True) * samples)).astype(int)
    return laid_out(sizes.tolist())


def made(make: Make, where: Design, models: int, rng: np.random.Generator) -> Floats:
    """Return (models, S, D) marks of models all alike."""
    added = np.array(THEMES)[where.theme % len(THEMES)][:, None] + np.linspace(-0.4, 0.4, make.dimensions)
    scene = rng.normal(0, make.scenes, (models, where.scenes))[:, where.scene]
    whole = scene + rng.normal(0, make.samples, (models, len(where.theme)))
    single = rng.normal(0, make.marks, (models, len(where.theme), make.dimensions))
    marks: Floats = np.clip(np.round(make.level + added + whole[:, :, None] + single), 1, 5)
    return np.minimum(marks, marks[:, :, :1])


def truth(make: Make, *, themes: int = 4, scenes: int = 300_000) -> Floats:
    """Return (T, D) what the marks of a theme are on average."""
    rng = np.random.default_rng(12345)
    each = np.arange(themes)
    one = Design(themes=tuple(map(str, each)), subthemes=(), theme=each, subtheme=each, scene=each)
    means: Floats = made(make, one, scenes, rng).mean(axis=0)
    return means


def board(marks: Floats, where: Design) -> Floats:
    """Return (..., T, D) means over the samples of each theme."""
    return np.stack([marks[..., where.theme == theme, :].mean(axis=-2) for theme in range(len(where.themes))], axis=-2)
