"""A soft decision tree on the data set's labels: the control of one that was distilled."""

from typing import TYPE_CHECKING, ClassVar, Literal

from distillery.objectives.base import UNLABELLED, Batch, Objective, Signal
from distillery.objectives.tree_loss import (
    BalanceWeight,
    balance_penalty,
    expected_cross_entropy,
    tree_of,
)

if TYPE_CHECKING:
    from torch import Tensor


class HardTree(Objective):
    """Σ_leaf P(leaf | x) · CE(y, leaf) + weight_balance · balance penalty.

    The paper's tree without a teacher: the loss of ``soft_tree`` but for its targets.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset()

    objective: Literal["hard_tree"] = "hard_tree"
    weight_balance: BalanceWeight = 0.1

    def loss(self, batch: Batch) -> "Tensor":
        """Over the rows that have a label; the penalty over all."""
        from torch.nn.functional import one_hot

        paths, leaves = tree_of(batch.student)
        known = batch.labels != UNLABELLED
        targets = one_hot(batch.labels.clamp(min=0), leaves.shape[-1]).to(leaves)
        expected = expected_cross_entropy(paths, leaves, targets) * known
        mean = batch.portion.labels * expected.sum() / known.sum().clamp(min=1)
        return mean + self.weight_balance * balance_penalty(paths)
