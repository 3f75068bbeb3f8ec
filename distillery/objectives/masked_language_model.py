"""Masked language modelling (Devlin et al. 2019, §3.1): pre-training, and what a head learns by."""

from typing import TYPE_CHECKING, ClassVar, Literal

from distillery.nouns import LabelKind
from distillery.objectives.base import UNLABELLED, Batch, Objective, Signal

if TYPE_CHECKING:
    from torch import Tensor


class MaskedLanguageModel(Objective):
    """Cross-entropy of the tokens that were chosen (15 %; of them 80 % masked, 10 % replaced)."""

    needs: ClassVar[frozenset[Signal]] = frozenset()
    learns: ClassVar[frozenset[LabelKind]] = frozenset({"class", "score"})
    selects_by: ClassVar[Literal["accuracy", "loss"]] = "loss"
    predicts: ClassVar[Literal["labels", "tokens"]] = "tokens"

    objective: Literal["masked_language_model"] = "masked_language_model"

    def loss(self, batch: Batch) -> "Tensor":
        """Logits (B, S, V) against labels (B, S); a mean over the chosen tokens."""
        from torch.nn.functional import cross_entropy

        total = cross_entropy(
            batch.student.logits.flatten(0, -2),
            batch.labels.flatten(),
            ignore_index=UNLABELLED,
            reduction="sum",
        )
        return batch.portion.labels * total / (batch.labels != UNLABELLED).sum().clamp(min=1)
