"""A step's rows in parts: of several processes, of gradient accumulation, or both.

Whatever the parts, a step has the same rows in the same order, and its loss is the same mean.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Sampler

from distillery.launch import processes
from distillery.objectives.base import UNLABELLED, Portion
from distillery.training.encoding import Row

Batch = dict[str, Tensor]


class OwnParts(BatchSampler):
    """This process' parts of each step: as many a step as it accumulates, some of no row.

    The first process draws the order for all: the others' random states differ from its own.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int, accumulation: int) -> None:
        super().__init__(sampler, batch_size, drop_last=False)
        self._accumulation = accumulation

    def __len__(self) -> int:
        return super().__len__() * self._accumulation

    def __iter__(self) -> Iterator[list[int]]:
        steps = processes.once(lambda: list(BatchSampler.__iter__(self)))
        for step in steps:
            for number in range(self._accumulation):
                part = number * processes.count() + processes.index()
                yield _part(step, part, self._accumulation * processes.count())


class Counted:
    """Batches as a collator makes them, with ``counts``: rows, labels, tokens, pairs of tokens."""

    def __init__(self, collate: Callable[[Sequence[Row]], Batch], rows: Sequence[Row]) -> None:
        self._collate = collate
        self._stand_in = rows[0]

    def __call__(self, rows: Sequence[Row]) -> Batch:
        """A part of no row gets one that counts nothing: all processes run the same steps."""
        if not rows:
            batch = self._collate([self._stand_in])
            return {**batch, "counts": torch.zeros(4, dtype=torch.int64)}
        batch = self._collate(rows)
        return {**batch, "counts": counts(batch["labels"], batch.get("attention_mask"))}


def counts(labels: Tensor, mask: Tensor | None) -> Tensor:
    """(4,): rows, labels, tokens, pairs of tokens of one row; images have none of the last two."""
    lengths = labels.new_zeros(len(labels)) if mask is None else mask.sum(-1)
    labelled = (labels != UNLABELLED).sum()
    return torch.stack(
        [labelled.new_tensor(len(labels)), labelled, lengths.sum(), (lengths**2).sum()]
    )


def weights(own: Tensor, whole: Tensor, parts: int) -> tuple[Tensor, Portion]:
    """How much a part's loss weighs, and within it what is no mean over rows.

    ``own`` and ``whole`` are counts (4,) of the part and of the step. The loss times its weight,
    averaged over the parts, is the loss of the step.
    """
    share = own * parts / whole.clamp(min=1)
    rows, labels, tokens, pairs = share.unbind()
    of_rows = rows.where(rows > 0, 1)
    return rows, Portion(labels=labels / of_rows, tokens=tokens / of_rows, pairs=pairs / of_rows)


def _part(step: list[int], number: int, parts: int) -> list[int]:
    """Neighbours, which are of one length; parts differ by a row at most."""
    size, more = divmod(len(step), parts)
    start = number * size + min(number, more)
    return step[start : start + size + (number < more)]
