"""PyTorch, eager, on CPU: the reference that every speed-up is counted from."""

import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification

import distillery.architectures  # noqa: F401  makes them known to the Auto classes
from distillery.runtimes.base import Card, Encoded, Engine, Example, encoder_of


class PyTorchCpu(Engine):
    """A Transformers checkpoint with Transformers' own defaults (SDPA attention)."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.card = Card.read(folder)
        self._encode = encoder_of(folder, self.card)
        if threads:
            torch.set_num_threads(threads)
        self._model = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True
        ).eval()
        takes = inspect.signature(self._model.forward).parameters
        known = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")
        self._inputs = [name for name in known if name in takes]

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """What the model takes."""
        return self._encode(examples)

    @torch.inference_mode()
    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, C)."""
        inputs = {name: torch.from_numpy(encoded[name]) for name in self._inputs}
        found: NDArray[np.float32] = self._model(**inputs).logits.numpy()
        return found
