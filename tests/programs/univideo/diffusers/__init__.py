"""Stands in for diffusers: models that only know where they came from."""

from __future__ import annotations

from typing import Any


class Model:
    """Anything that is loaded."""

    def __init__(self, *where: Any, **how: Any) -> None:
        self.where, self.how = where, how
        self.qwen_project_in: Any = None

    @classmethod
    def from_pretrained(cls, name: str, *, subfolder: str, **how: Any) -> Model:
        """Load it."""
        return cls(name, subfolder, **how)

    def eval(self) -> Model:
        """Return itself."""
        return self

    def requires_grad_(self, wanted: bool) -> None:
        """Do nothing."""


AutoencoderKLHunyuanVideo = FlowMatchEulerDiscreteScheduler = Model
