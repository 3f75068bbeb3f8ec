"""Soft targets with temperature (Hinton, Vinyals, Dean 2015, "Distilling the Knowledge …", §2)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.objectives.base import Objective, Outputs

if TYPE_CHECKING:
    from torch import Tensor


class SoftTargets(Objective):
    """weight_ce · CE(s, y) + weight_kd · T² · KL(softmax(t/T) ‖ softmax(s/T))."""

    needs_teacher: ClassVar[bool] = True

    objective: Literal["soft_targets"] = "soft_targets"
    temperature: float = Field(
        default=2.0,
        gt=0,
        le=1000,
        title="Temperature",
        description="Softens both distributions; 1 leaves them as they are.",
    )
    weight_kd: float = Field(
        default=1.0, ge=0, le=1000, title="Weight of KD", description="Of the soft targets."
    )
    weight_ce: float = Field(
        default=0.0, ge=0, le=1000, title="Weight of CE", description="Of the hard labels."
    )

    @model_validator(mode="after")
    def _weights_say_something(self) -> "SoftTargets":
        if self.weight_kd == 0:
            raise ValueError("weight_kd is 0: nothing would be distilled; use hard_labels instead")
        return self

    def loss(self, *, student: Outputs, teacher: Outputs | None, labels: "Tensor") -> "Tensor":
        """Summed over classes, averaged over the batch (``batchmean``), scaled by T².

        Without T² the gradient shrinks with 1/T²; with a mean over classes too, by 1/C.
        """
        if teacher is None:
            raise ValueError("soft targets need a teacher's logits")
        soft_student = (student.logits / self.temperature).log_softmax(-1)  # (B, C)
        soft_teacher = (teacher.logits.detach() / self.temperature).log_softmax(-1)
        divergence = (soft_teacher.exp() * (soft_teacher - soft_student)).sum(-1).mean()
        loss = self.weight_kd * self.temperature**2 * divergence
        if self.weight_ce:
            log_probabilities = student.logits.log_softmax(-1)
            loss = loss - self.weight_ce * log_probabilities.gather(-1, labels[:, None]).mean()
        return loss
