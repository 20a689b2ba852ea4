"""Stands in for UniVideo's `mllm_encoder`."""

from __future__ import annotations

from typing import Any

from diffusers import Model


class MLLMInContextConfig:
    """The settings of the language model."""

    def __init__(self, *, mllm_id: str, num_metaqueries: int = 64) -> None:
        self.mllm_id = mllm_id


class MLLMInContext(Model):  # type: ignore[misc]
    """The language model."""

    def __init__(self, config: Any) -> None:
        super().__init__(config.mllm_id)
