"""Soft cross-entropy (TinyBERT's prediction loss, Jiao et al. 2020, §3.1, eq. 10)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.objectives.base import Batch, Objective, Signal
from distillery.objectives.logits import labelled_cross_entropy
from distillery.objectives.temperature import Temperature, at

if TYPE_CHECKING:
    from torch import Tensor


class SoftCrossEntropy(Objective):
    """weight_ce · CE(s, y) - weight_kd · T² · Σ softmax(t/T) · log softmax(s/T).

    Its gradient is that of soft targets; its least value is T² times the teacher's entropy, not
    zero. The paper has no T² (it settles on T=1) and no hard labels.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset({"logits"})

    objective: Literal["soft_cross_entropy"] = "soft_cross_entropy"
    temperature: Temperature = Field(
        default=1.0,
        title="Temperature",
        description="Softens both distributions; 1 leaves them as they are. A start and an end "
        "make it move over the stage.",
    )
    weight_kd: float = Field(
        default=1.0, ge=0, le=1000, title="Weight of KD", description="Of the soft targets."
    )
    weight_ce: float = Field(
        default=0.0, ge=0, le=1000, title="Weight of CE", description="Of the hard labels."
    )

    @model_validator(mode="after")
    def _weights_say_something(self) -> "SoftCrossEntropy":
        if self.weight_kd == 0:
            raise ValueError("weight_kd is 0: nothing would be distilled; use hard_labels instead")
        return self

    def loss(self, batch: Batch) -> "Tensor":
        """Summed over classes, averaged over rows; hard labels over those rows that have one."""
        if batch.teacher is None:
            raise ValueError("soft cross-entropy needs a teacher's logits")
        temperature = at(self.temperature, batch.progress)
        soft_student = batch.student.log_probabilities(temperature)  # (B, C)
        soft_teacher = batch.teacher.log_probabilities(temperature).exp().detach()
        entropy = -(soft_teacher * soft_student).sum(-1).mean()
        loss = self.weight_kd * temperature**2 * entropy
        if self.weight_ce:
            hard = labelled_cross_entropy(batch.student.logits, batch.labels)
            loss = loss + self.weight_ce * batch.portion.labels * hard
        return loss
