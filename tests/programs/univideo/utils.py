"""Stands in for UniVideo's `utils`."""

from __future__ import annotations

from typing import Any


def load_model(model: Any, ckpt_path: str, rename_func: Any = None) -> Any:
    """Load weights into a model."""
    names = {"transformer.blocks.0": 1, "qwen_project_in.ln": 2}
    model.weights = (ckpt_path, rename_func(names) if rename_func else names)
    return model
