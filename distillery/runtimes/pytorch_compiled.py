"""PyTorch through ``torch.compile``: TorchInductor's code for any batch and any length."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._inductor.exc import InvalidCxxCompiler, TritonMissing

from distillery.errors import RuntimeUnavailableError
from distillery.runtimes.base import Card, Device, Example
from distillery.runtimes.images import Image
from distillery.runtimes.pytorch_model import PyTorchModel


class PyTorchCompiled(PyTorchModel):
    """Compiled when it is opened, so that no request waits for a compiler.

    Sizes are symbolic, but TorchDynamo makes code of its own for a size of 1: one row and several
    are two graphs, and a single token would be two more.
    """

    def __init__(self, folder: Path, *, device: Device = "cpu", threads: int = 0) -> None:
        """Raises ``RuntimeUnavailableError`` where there is no compiler for the device."""
        super().__init__(folder, device=device, threads=threads)
        try:
            for one in _short_and_long(self.card):
                for batch in ([one], [one, one]):
                    self.logits(self.encode(batch))
        except Exception as error:
            missing = _missing(error)
            if missing is None:
                raise
            raise RuntimeUnavailableError(missing) from error

    def forward_of(self, model: torch.nn.Module) -> Callable[..., Any]:
        """Compiled at its first calls, with symbolic sizes."""
        return torch.compile(model, dynamic=True)


def _short_and_long(card: Card) -> Iterator[Example]:
    """A word and several: what is compiled for the one serves the other, unless it is one token."""
    if card.image_shape is not None:
        yield Image(np.zeros(card.image_shape, dtype=np.uint8))
        return
    for text in ("a", "a b c d e f"):
        yield (text, text) if card.is_pair else text


def _missing(error: BaseException | None) -> str | None:
    """What torch.compile lacks here; None where it failed for another reason."""
    while error is not None:
        if isinstance(error, InvalidCxxCompiler):
            return "torch.compile finds no C++ compiler; install g++, or name one in CXX"
        if isinstance(error, TritonMissing):
            return "torch.compile finds no Triton, which compiles for CUDA; install triton"
        error = error.__cause__ or error.__context__
    return None
