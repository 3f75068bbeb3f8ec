"""Peers that teach each other (Zhang et al. 2018, "Deep Mutual Learning", arXiv:1706.00384, §2)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from distillery.objectives.base import Batch, Objective, Outputs, Signal
from distillery.objectives.logits import labelled_cross_entropy, scaled_divergence
from distillery.objectives.temperature import Temperature, at

if TYPE_CHECKING:
    from torch import Tensor


class MutualLearning(Objective):
    """Σ over the peers k of CE(k, y) + mean over the other peers j of T² · KL(j ‖ k).

    A sum, not a mean, over peers: they share no weight and each holds the others fixed, so that
    each one's gradient is that of its own loss, whatever their number. The paper has no
    temperature (T = 1) and updates one peer after the other; here all are updated at once, from
    the same answers.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset()

    objective: Literal["mutual_learning"] = "mutual_learning"
    temperature: Temperature = Field(
        default=1.0,
        title="Temperature",
        description="Softens the peers' distributions; 1 leaves them as they are. A start and an "
        "end make it move over the stage.",
    )

    def loss(self, batch: Batch) -> "Tensor":
        """KL over all rows, CE over those that have a label."""
        exits = batch.student.exits
        if len(exits) < 2:
            raise ValueError(
                "mutual_learning needs a student of two peers or more: kind peers or mlp_peers"
            )
        peers = [Outputs(logits=logits) for logits in exits]
        temperature = at(self.temperature, batch.progress)
        loss = batch.student.logits.new_zeros(())
        for k, own in enumerate(peers):
            loss = loss + batch.portion.labels * labelled_cross_entropy(own.logits, batch.labels)
            for j, other in enumerate(peers):
                if j != k:
                    # holds the other one fixed, as it does any teacher
                    divergence = scaled_divergence(own, other, temperature)
                    loss = loss + divergence / (len(peers) - 1)
        return loss
