"""Squared distance of logits (Ba & Caruana 2014, §2.2; Tang et al. 2019, §3.2)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.nouns import LabelKind
from distillery.objectives.base import Batch, Objective, Signal
from distillery.objectives.logits import labelled_loss

if TYPE_CHECKING:
    from torch import Tensor


class LogitMse(Objective):
    """weight_ce · CE(s, y) + weight_kd · mean over rows and classes of (s - t)².

    Both papers sum over classes; the mean keeps the learning rate independent of their number.
    Tang et al. found a CE weight of 0 best. A score is its model's only logit: there it is the
    squared distance of scores, and CE(s, y) becomes (s - y)². Centred, each row's mean is taken off
    both, and half of this distance is what T² · KL tends to as T grows (Hinton et al. 2015, §2.1).
    """

    needs: ClassVar[frozenset[Signal]] = frozenset({"logits"})
    learns: ClassVar[frozenset[LabelKind]] = frozenset({"class", "score"})

    objective: Literal["logit_mse"] = "logit_mse"
    weight_kd: float = Field(
        default=1.0, ge=0, le=1000, title="Weight of KD", description="Of the teacher's logits."
    )
    weight_ce: float = Field(
        default=0.0, ge=0, le=1000, title="Weight of CE", description="Of the hard labels."
    )

    centred: bool = Field(
        default=False,
        title="Centred",
        description="Leave out what all logits of a row have in common; no probability depends "
        "on it.",
    )

    @model_validator(mode="after")
    def _weights_say_something(self) -> "LogitMse":
        if self.weight_kd == 0:
            raise ValueError("weight_kd is 0: nothing would be distilled; use hard_labels instead")
        return self

    def loss(self, batch: Batch) -> "Tensor":
        """Over all rows; hard labels over those that have one."""
        if batch.teacher is None:
            raise ValueError("logit_mse needs a teacher's logits")
        if self.centred:
            # softened ever more, the mean of several teachers' probabilities is that of logits
            distance = batch.student.logits - batch.teacher.mean_logits.detach()  # (B, C)
            distance = distance - distance.mean(-1, keepdim=True)
        else:
            distance = batch.student.logits - batch.teacher.logits.detach()
        loss = self.weight_kd * distance.square().mean()
        if self.weight_ce:
            hard = labelled_loss(batch.student.logits, batch.labels)
            loss = loss + self.weight_ce * batch.portion.labels * hard
        return loss
