"""Where a step's teacher outputs come from: the cache beside the rows, or the teacher itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from distillery.objectives.base import Outputs, Signal
from distillery.signals.forward import Forward
from distillery.teachers.base import LoadedModel

Inputs = Mapping[str, Tensor]


class Teaching(ABC):
    """What a teacher says of a batch."""

    @abstractmethod
    def outputs(self, own: Inputs, theirs: Inputs) -> Outputs:
        """``own`` are the student's inputs, ``theirs`` what the rows hold for the teacher alone."""


class CachedTeaching(Teaching):
    """Logits that were computed once and travel with the rows: (B, K, C) for K teachers."""

    def __init__(self, weights: tuple[float, ...], mean: Literal["probabilities", "logits"]):
        self._weights = torch.tensor(weights)
        self._mean = mean

    def outputs(self, own: Inputs, theirs: Inputs) -> Outputs:
        """The mean over the teachers."""
        return averaged(theirs["logits"], self._weights, self._mean)


class LiveTeaching(Teaching):
    """The teacher runs in every step: in eval mode and without gradients."""

    def __init__(self, teacher: LoadedModel, needs: frozenset[Signal]) -> None:
        self._model = teacher.model.eval().requires_grad_(False)  # type: ignore[no-untyped-call]
        self._forward = Forward(self._model, needs)

    @torch.no_grad()
    def outputs(self, own: Inputs, theirs: Inputs) -> Outputs:
        """The teacher reads its own encoding where the rows hold one, else the student's.

        Raises ``RuntimeError`` where the two encodings differ in length: hidden states are
        compared token by token.
        """
        if self._model.training:
            raise RuntimeError("the teacher is in training mode: its dropout would be on")
        device = own["input_ids"].device
        if self._model.device != device:
            self._model.to(device)
        inputs = theirs or own
        if inputs["input_ids"].shape != own["input_ids"].shape:
            raise RuntimeError("teacher and student split a text into different tokens")
        return self._forward(self._model, inputs)


def averaged(logits: Tensor, weights: Tensor, mean: Literal["probabilities", "logits"]) -> Outputs:
    """(B, K, C) of K teachers as one teacher's outputs (Hinton et al. 2015, §1: either mean)."""
    weights = weights.to(logits)
    if logits.shape[1] == 1:
        return Outputs(logits=logits[:, 0])
    if mean == "logits":
        return Outputs(logits=(weights[:, None] * logits).sum(1))
    members = tuple(logits.unbind(1))
    whole = Outputs(logits=logits[:, 0], members=members, weights=tuple(weights.tolist()))
    # log of the mean probability: as good as logits at T = 1, for those who ask for no more
    return Outputs(logits=whole.log_probabilities(1.0), members=members, weights=whole.weights)
