"""What every distillation loss is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from distillery.nouns import Noun

if TYPE_CHECKING:
    from torch import Tensor


class Training(Noun):
    """How long and how fast to train."""

    epochs: int = Field(default=3, ge=1, le=1000, title="Epochs")
    learning_rate: float = Field(default=5e-5, gt=0, le=1, title="Learning rate")
    batch_size: int = Field(default=32, ge=1, le=65536, title="Batch size")
    warmup_share: float = Field(
        default=0.1, ge=0, lt=1, title="Warm-up", description="Share of all steps."
    )
    weight_decay: float = Field(default=0.01, ge=0, le=10, title="Weight decay")
    patience_epochs: int = Field(
        default=3,
        ge=1,
        le=1000,
        title="Patience",
        description="Stop after so many epochs without a better validation accuracy.",
    )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What one forward pass gave. B batch, C classes."""

    logits: "Tensor"  # (B, C)


class Objective(Noun, ABC):
    """A loss, and the training that minimizes it."""

    needs_teacher: ClassVar[bool]

    training: Training = Training()

    @abstractmethod
    def loss(self, *, student: Outputs, teacher: Outputs | None, labels: "Tensor") -> "Tensor":
        """A scalar to minimize. ``labels`` is (B,); ``teacher`` never carries gradients."""
