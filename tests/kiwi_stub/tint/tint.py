"""A part of the stub with weights and code of its own, as the real pipeline's parts have."""
# mypy: ignore-errors
# Only the environment that runs it has its libraries.

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config


class Tint(ModelMixin, ConfigMixin):
    """Adds a colour to a picture."""

    @register_to_config
    def __init__(self, channels=3):
        super().__init__()
        self.colour = torch.nn.Parameter(torch.zeros(channels))
