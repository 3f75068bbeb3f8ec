"""Several PyTorch engines that answer as one: the reference where the teacher is an ensemble."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from distillery.runtimes.base import Card, Encoded, Engine, Example
from distillery.signals.teaching import averaged


class PyTorchEnsemble(Engine):
    """Wraps its members' engines; each tokenizes for itself."""

    def __init__(self, folder: Path, members: Sequence[Engine]) -> None:
        self.card = Card.read(folder)
        self._members = members
        settings = json.loads((folder / "ensemble.json").read_text(encoding="utf-8"))
        self._weights = torch.tensor(settings["weights"])
        self._mean = settings["mean"]

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """Each member's inputs, under ``<member>.<input>``."""
        return {
            f"{i}.{name}": array
            for i, member in enumerate(self._members)
            for name, array in member.encode(examples).items()
        }

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, C): the mean of logits, or the log of the mean of probabilities."""
        of_members = [
            member.logits(
                {
                    name.removeprefix(f"{i}."): array
                    for name, array in encoded.items()
                    if name.startswith(f"{i}.")
                }
            )
            for i, member in enumerate(self._members)
        ]
        stacked = torch.from_numpy(np.stack(of_members, axis=1))  # (B, K, C)
        found: NDArray[np.float32] = averaged(stacked, self._weights, self._mean).logits.numpy()
        return found
