"""A soft decision tree on a teacher's soft targets (Frosst and Hinton 2017, arXiv:1711.09784)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from distillery.objectives.base import Batch, Objective, Signal
from distillery.objectives.temperature import Temperature, at
from distillery.objectives.tree_loss import (
    BalanceWeight,
    balance_penalty,
    expected_cross_entropy,
    tree_of,
)

if TYPE_CHECKING:
    from torch import Tensor


class SoftTree(Objective):
    """Σ_leaf P(leaf | x) · CE(softmax(t/T), leaf) + weight_balance · balance penalty.

    Leaves stay at T = 1: each holds one distribution for all images, which has nothing to soften.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset({"logits"})

    objective: Literal["soft_tree"] = "soft_tree"
    temperature: Temperature = Field(
        default=1.0,
        title="Temperature",
        description="Softens the teacher; 1 leaves it as it is. A start and an end make it move "
        "over the stage.",
    )
    weight_balance: BalanceWeight = 0.1

    def loss(self, batch: Batch) -> "Tensor":
        """Over all rows; labels are not looked at."""
        if batch.teacher is None:
            raise ValueError("soft_tree needs a teacher's logits; hard_tree learns from labels")
        paths, leaves = tree_of(batch.student)
        targets = batch.teacher.log_probabilities(at(self.temperature, batch.progress)).exp()
        expected = expected_cross_entropy(paths, leaves, targets.detach()).mean()
        return expected + self.weight_balance * balance_penalty(paths)
