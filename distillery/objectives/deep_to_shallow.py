"""A network's deepest exit teaches its shallower ones (Zhang et al. 2019, "Be Your Own Teacher").

https://arxiv.org/abs/1905.08094. Its third term, the L2 distance between each exit's features and
the deepest one's, is left out: there, bottleneck layers of an exit's own make the features that are
compared. An exit here is one linear layer, so that the term would pull the shared layers' states
themselves, on which the deeper exits stand, towards the last layer's. Share and temperature
have defaults of our own.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from distillery.objectives.base import Batch, Objective, Outputs, Signal
from distillery.objectives.logits import labelled_cross_entropy, scaled_divergence
from distillery.objectives.temperature import Temperature, at

if TYPE_CHECKING:
    from torch import Tensor


class DeepToShallow(Objective):
    """CE(d, y) + Σ over the shallower exits e of (1 − α) · CE(e, y) + α · T² · KL(d ‖ e).

    The deepest exit d learns from labels alone: no gradient of the KL reaches it.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset()

    objective: Literal["deep_to_shallow"] = "deep_to_shallow"
    share_kd: float = Field(
        default=0.5,
        gt=0,
        le=1,
        title="Share of KD",
        description="α: how much of a shallower exit's loss is the deepest one's answer; the rest "
        "is hard labels.",
    )
    temperature: Temperature = Field(
        default=2.0,
        title="Temperature",
        description="Softens the exits' distributions. A start and an end make it move over the "
        "stage.",
    )

    def loss(self, batch: Batch) -> "Tensor":
        """KL over all rows, CE over those that have a label; a sum over exits."""
        exits = batch.student.exits
        if len(exits) < 2:
            raise ValueError(
                "deep_to_shallow needs a student with two exits or more: kind early_exits"
            )
        *shallower, deepest = exits
        temperature = at(self.temperature, batch.progress)
        loss = batch.portion.labels * labelled_cross_entropy(deepest, batch.labels)
        for logits in shallower:
            hard = batch.portion.labels * labelled_cross_entropy(logits, batch.labels)
            # holds the deepest one fixed, as it does any teacher
            soft = scaled_divergence(Outputs(logits=logits), Outputs(logits=deepest), temperature)
            loss = loss + (1 - self.share_kd) * hard + self.share_kd * soft
        return loss
