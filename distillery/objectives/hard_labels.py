"""Cross-entropy with the data set's labels: fine-tuning, and the control of every distillation."""

from typing import TYPE_CHECKING, ClassVar, Literal

from distillery.objectives.base import UNLABELLED, Batch, Objective, Signal

if TYPE_CHECKING:
    from torch import Tensor


class HardLabels(Objective):
    """CE(s, y), averaged over the rows that have a label."""

    needs: ClassVar[frozenset[Signal]] = frozenset()

    objective: Literal["hard_labels"] = "hard_labels"

    def loss(self, batch: Batch) -> "Tensor":
        """Never looks at the teacher. Zero where no row has a label."""
        from torch.nn.functional import cross_entropy

        total = cross_entropy(
            batch.student.logits, batch.labels, ignore_index=UNLABELLED, reduction="sum"
        )
        return batch.portion.labels * total / (batch.labels != UNLABELLED).sum().clamp(min=1)
