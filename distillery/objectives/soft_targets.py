"""Soft targets with temperature (Hinton, Vinyals, Dean 2015, "Distilling the Knowledge …", §2)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.objectives.base import Batch, Objective, Signal
from distillery.objectives.logits import labelled_cross_entropy, scaled_divergence
from distillery.objectives.temperature import Temperature, at

if TYPE_CHECKING:
    from torch import Tensor


class SoftTargets(Objective):
    """weight_ce · CE(s, y) + weight_kd · T² · KL(softmax(t/T) ‖ softmax(s/T))."""

    needs: ClassVar[frozenset[Signal]] = frozenset({"logits"})

    objective: Literal["soft_targets"] = "soft_targets"
    temperature: Temperature = Field(
        default=2.0,
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
    def _weights_say_something(self) -> "SoftTargets":
        if self.weight_kd == 0:
            raise ValueError("weight_kd is 0: nothing would be distilled; use hard_labels instead")
        return self

    def loss(self, batch: Batch) -> "Tensor":
        """KL over all rows, CE over those that have a label."""
        if batch.teacher is None:
            raise ValueError("soft targets need a teacher's logits")
        temperature = at(self.temperature, batch.progress)
        loss = self.weight_kd * scaled_divergence(batch.student, batch.teacher, temperature)
        if self.weight_ce:
            hard = labelled_cross_entropy(batch.student.logits, batch.labels)
            loss = loss + self.weight_ce * batch.portion.labels * hard
        return loss
