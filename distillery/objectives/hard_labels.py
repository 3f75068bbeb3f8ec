"""Cross-entropy with the data set's labels: fine-tuning, and the control of every distillation."""

from typing import TYPE_CHECKING, ClassVar, Literal

from distillery.objectives.base import Objective, Outputs

if TYPE_CHECKING:
    from torch import Tensor


class HardLabels(Objective):
    """CE(s, y), averaged over the batch."""

    needs_teacher: ClassVar[bool] = False

    objective: Literal["hard_labels"] = "hard_labels"

    def loss(self, *, student: Outputs, teacher: Outputs | None, labels: "Tensor") -> "Tensor":
        """Never looks at ``teacher``."""
        return -student.logits.log_softmax(-1).gather(-1, labels[:, None]).mean()
