"""Scores in the unit they are learned in, and models that answer in the label's own.

While a model learns, the training rows' least score is 0 and their greatest 1, so that one learning
rate suits grades from 0 to 5 and prices in the thousands. What is saved answers in the label's own
unit, for the scale is folded into its head: nobody who opens a checkpoint or a graph needs to know
of it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from distillery.data.lazy import Lazy
from distillery.teachers.base import LoadedModel

Range = tuple[float, float]


def to_learn(scores: Sequence[float], within: Range) -> list[float]:
    """From the label's own unit."""
    return [(score - within[0]) / (within[1] - within[0]) for score in scores]


class LogitsToLearn(Lazy[Tensor]):
    """A teacher's answers, from the label's own unit."""

    def __init__(self, logits: Sequence[Tensor], within: Range) -> None:
        self._logits = logits
        self._within = within

    def __len__(self) -> int:
        return len(self._logits)

    def at(self, position: int) -> Tensor:
        """(K, 1), for K teachers."""
        least, most = self._within
        return (self._logits[position] - least) / (most - least)


def learn_within(loaded: LoadedModel, within: Range) -> LoadedModel:
    """Make a model that answers in the label's own unit, in place, one that is to learn."""
    span = within[1] - within[0]
    return _rescaled(loaded, 1 / span, -within[0] / span)


def answer_within(loaded: LoadedModel, within: Range) -> LoadedModel:
    """Make a model that has learned, in place, one that answers in the label's own unit."""
    # what Transformers calls a classifier of a single number
    loaded.model.config.problem_type = "regression"
    return _rescaled(loaded, within[1] - within[0], within[0])


@torch.no_grad()
def _rescaled(loaded: LoadedModel, factor: float, offset: float) -> LoadedModel:
    *_, head = (
        module
        for module in loaded.model.modules()
        if isinstance(module, nn.Linear) and module.out_features == 1
    )
    head.weight.mul_(factor)
    head.bias.mul_(factor).add_(offset)
    return loaded
