"""The data set's labels alone: fine-tuning, and the control of every distillation."""

from typing import TYPE_CHECKING, ClassVar, Literal

from distillery.nouns import LabelKind
from distillery.objectives.base import Batch, Objective, Signal
from distillery.objectives.logits import labelled_loss

if TYPE_CHECKING:
    from torch import Tensor


class HardLabels(Objective):
    """CE(s, y), or (s - y)² of scores, averaged over the rows that have a label."""

    needs: ClassVar[frozenset[Signal]] = frozenset()
    learns: ClassVar[frozenset[LabelKind]] = frozenset({"class", "score"})

    objective: Literal["hard_labels"] = "hard_labels"

    def loss(self, batch: Batch) -> "Tensor":
        """Never looks at the teacher. Zero where no row has a label."""
        return batch.portion.labels * labelled_loss(batch.student.logits, batch.labels)
