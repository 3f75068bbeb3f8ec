"""PyTorch, eager: on CPU the reference that every speed-up is counted from."""

from collections.abc import Callable
from typing import Any

import torch

from distillery.runtimes.pytorch_model import PyTorchModel


class PyTorchEager(PyTorchModel):
    """As Transformers runs it."""

    def forward_of(self, model: torch.nn.Module) -> Callable[..., Any]:
        """The model itself."""
        return model
