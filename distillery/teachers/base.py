"""What every way to come by a teacher is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from distillery.nouns import Architecture, Noun

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

    from distillery.objectives.hard_labels import HardLabels

MaxLength = Annotated[
    int,
    Field(
        ge=8,
        le=8192,
        title="Longest input",
        description="In tokens; longer inputs are truncated.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A classifier in memory, with its tokenizer."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"


def architecture_of(config: "PretrainedConfig") -> Architecture:
    """What a configuration says of its encoder's shape."""
    positions = getattr(config, "max_position_embeddings", None)
    # RoBERTa counts positions from its padding index
    offset = config.pad_token_id + 1 if config.model_type == "roberta" else 0
    return Architecture(
        layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        heads=config.num_attention_heads,
        max_tokens=None if positions is None else positions - offset,
    )


class TeacherSource(Noun, ABC):
    """Where the teacher comes from, and whether it still has to be trained."""

    max_length: MaxLength = 128

    @property
    @abstractmethod
    def fine_tuning(self) -> "HardLabels | None":
        """The training it needs, or None for one that is a classifier already."""

    @abstractmethod
    def architecture(self) -> Architecture:
        """The encoder's shape, as fast as it can be told.

        Raises ``UserError`` where it cannot be reached or is no encoder.
        """

    @abstractmethod
    def config(self) -> "PretrainedConfig":
        """The whole configuration, without loading a weight.

        Raises ``UserError`` where it cannot be reached or is no encoder.
        """

    @abstractmethod
    def check(self, label_names: Sequence[str]) -> None:
        """All that can be told without loading it: weights, tokenizer, labels by name.

        Raises ``UserError`` with the mend.
        """

    @abstractmethod
    def build(self, *, texts: Sequence[str], label_names: Sequence[str]) -> LoadedModel:
        """Load or make it. Logits come out in the order of ``label_names``.

        ``texts`` is the training split, for those that make a vocabulary of their own.
        """
