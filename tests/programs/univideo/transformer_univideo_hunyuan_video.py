"""Stands in for UniVideo's transformer."""

from diffusers import Model


class HunyuanVideoTransformer3DModel(Model):  # type: ignore[misc]
    """The transformer."""


class TwoLayerMLP(Model):  # type: ignore[misc]
    """What leads from the language model to the transformer."""

    def __init__(self, input_dim: int, hidden_dim: int, output_dim: int) -> None:
        super().__init__(input_dim, hidden_dim, output_dim)
