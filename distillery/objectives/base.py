"""What every distillation loss is.

Shapes: B batch, S sequence, H hidden, A heads, D width of a head, L layers, C classes, V
vocabulary.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from distillery.noun import Noun
from distillery.nouns import Architecture, LabelKind

if TYPE_CHECKING:
    from torch import Tensor, nn

Signal = Literal["logits", "hidden_states", "attention"]
"""What a loss can ask of a forward pass; logits are always there."""

UNLABELLED = -100
"""The label of a row that has none."""


class Training(Noun):
    """How long and how fast to train."""

    epochs: int = Field(default=3, ge=1, le=1000, title="Epochs")
    learning_rate: float = Field(default=5e-5, gt=0, le=1, title="Learning rate")
    batch_size: int = Field(
        default=32,
        ge=1,
        le=65536,
        title="Batch size",
        description="Rows of one optimizer step, over all its parts and all processes.",
    )
    gradient_accumulation: int = Field(
        default=1,
        ge=1,
        le=65536,
        title="Gradient accumulation",
        description="Parts that each process works off one by one in a step, to save memory. The "
        "student stays the same.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        title="Precision",
        description="Of the forward pass. auto: bf16 on GPUs that have it, fp16 on older ones, "
        "fp32 on CPUs. Weights and losses are always fp32.",
    )
    warmup_share: float = Field(
        default=0.1, ge=0, lt=1, title="Warm-up", description="Share of all steps."
    )
    weight_decay: float = Field(default=0.01, ge=0, le=10, title="Weight decay")
    patience_epochs: int = Field(
        default=3,
        ge=1,
        le=1000,
        title="Patience",
        description="Stop after so many epochs without a better validation accuracy (of scores, "
        "Spearman's ρ).",
    )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What one forward pass gave, of a student or of whatever teaches it."""

    logits: "Tensor"  # (B, C); of a language model (B, S, V)
    hidden_states: tuple["Tensor", ...] = ()  # L + 1 of (B, S, H): the embeddings first
    queries: tuple["Tensor", ...] = ()  # L of (B, A, S, D), as are keys and values
    keys: tuple["Tensor", ...] = ()
    values: tuple["Tensor", ...] = ()
    exits: tuple["Tensor", ...] = ()  # of (B, C): a student's several heads, or its peers'
    paths: "Tensor | None" = None  # (B, N): a tree's log probability of each of N leaves
    leaves: "Tensor | None" = None  # (N, C): their logits
    members: tuple["Tensor", ...] = ()  # K of (B, C): of teachers whose probabilities are averaged
    weights: tuple[float, ...] = ()  # K, summing to 1

    @property
    def mean_logits(self) -> "Tensor":
        """(B, C): the logits; for several teachers, their weighted mean."""
        if not self.members:
            return self.logits
        import torch

        weighted = [
            weight * logits for logits, weight in zip(self.members, self.weights, strict=True)
        ]
        return torch.stack(weighted).sum(0)

    def log_probabilities(self, temperature: float) -> "Tensor":
        """log softmax(logits / T), (B, C); for several teachers, of their softened mean."""
        if not self.members:
            return (self.logits / temperature).log_softmax(-1)
        import torch

        softened = [
            (logits / temperature).log_softmax(-1) + math.log(weight)
            for logits, weight in zip(self.members, self.weights, strict=True)
        ]
        return torch.stack(softened).logsumexp(0)


@dataclass(frozen=True, kw_only=True)
class Portion:
    """How much a mean weighs that is not over rows, where a batch is only a part of a step's rows.

    Parts of a step (of several processes, or of gradient accumulation) hold equally many rows, but
    one may hold most of the labels. A mean times its weight, averaged over the parts, is the mean
    over the whole step. All 1 where the batch is the whole step.
    """

    labels: "Tensor | float" = 1.0
    tokens: "Tensor | float" = 1.0
    pairs: "Tensor | float" = 1.0  # of tokens of one row


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A step's outputs or a part of them, and what a loss must know beside them."""

    student: Outputs
    teacher: Outputs | None  # never carries gradients
    # (B,), UNLABELLED where there is none: of classes indices, of scores in the unit they are
    # learned in; of a language model (B, S)
    labels: "Tensor"
    mask: "Tensor | None" = None  # (B, S) bool, True where there is a token; None for images
    progress: float = 1.0  # share of the stage's steps that are done, for schedules
    projections: "nn.Module | None" = None  # what ``Objective.projections`` made, being trained
    portion: Portion = Portion()


class Objective(Noun, ABC):
    """A loss, and the training that minimizes it."""

    needs: ClassVar[frozenset[Signal]]
    """What it asks of the teacher, and of the student too. Empty: it needs no teacher."""

    learns: ClassVar[frozenset[LabelKind]] = frozenset({"class"})
    """What the labels may be. A model of scores has a single logit, which is the score: no loss
    over a distribution of classes can learn it."""

    selects_by: ClassVar[Literal["accuracy", "loss"]] = "accuracy"
    """How the best epoch is told: by validation accuracy (of scores, Spearman's ρ), or, where the
    loss leaves the classification head untrained, by its own value on the validation rows."""

    predicts: ClassVar[Literal["labels", "tokens"]] = "labels"
    """What the logits are of: a classifier's labels, or a language model's tokens."""

    training: Training = Training()
    rows: Literal["train", "augmented"] = Field(
        default="train",
        title="Rows",
        description="The training rows alone, or with what the recipe's augmentation adds.",
    )

    def check(self, student: Architecture | None, teacher: Architecture) -> None:
        """Raises ``ValueError`` with the mend where these two cannot be compared.

        ``student`` is None where it has no transformer layers.
        """

    def projections(self, student: Architecture, teacher: Architecture) -> "nn.Module | None":
        """What has to be learned beside the student to compare the two, such as W_h."""
        return None

    @abstractmethod
    def loss(self, batch: Batch) -> "Tensor":
        """A scalar to minimize: a mean over the batch's rows, padded positions left out.

        A term that is a mean over labels, tokens or pairs of them is weighted by the batch's
        ``portion``.
        """
