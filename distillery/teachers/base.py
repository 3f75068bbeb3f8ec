"""What every way to come by a teacher is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from distillery.noun import Noun
from distillery.nouns import Architecture

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

    from distillery.objectives.hard_labels import HardLabels
    from distillery.runtimes.images import Image

MaxLength = Annotated[
    int,
    Field(
        ge=8,
        le=8192,
        title="Longest input",
        description="In tokens; longer inputs are truncated.",
    ),
]


class LoadedModel:
    """A classifier in memory, with its tokenizer where it reads text."""

    def __init__(
        self, *, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast | None"
    ) -> None:
        self.model = model
        self._tokenizer = tokenizer

    @property
    def reads_images(self) -> bool:
        """Whether it takes pixels; all others have a tokenizer."""
        return self._tokenizer is None

    @property
    def tokenizer(self) -> "PreTrainedTokenizerFast":
        """Raises ``TypeError`` where it reads images."""
        if self._tokenizer is None:
            raise TypeError(f"a {self.model.config.model_type} reads images: it has no tokenizer")
        return self._tokenizer


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

    reads: ClassVar[Literal["text", "image"]]

    @property
    @abstractmethod
    def longest_input(self) -> int:
        """In tokens; 0 for images."""

    @property
    @abstractmethod
    def fine_tuning(self) -> "HardLabels | None":
        """The training it needs, or None for one that is a classifier already."""

    @abstractmethod
    def architecture(self) -> Architecture:
        """The encoder's shape, as fast as it can be told; zeros where it has no such layers.

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


class TextTeacher(TeacherSource):
    """A teacher that reads text."""

    reads: ClassVar[Literal["text", "image"]] = "text"

    max_length: MaxLength = 128

    @property
    def longest_input(self) -> int:
        """As the recipe says."""
        return self.max_length

    @abstractmethod
    def build(self, *, texts: Sequence[str], label_names: Sequence[str]) -> LoadedModel:
        """Load or make it. Logits come out in the order of ``label_names``.

        ``texts`` is the training split, for those that make a vocabulary of their own.
        """


class ImageTeacher(TeacherSource):
    """A teacher that reads images."""

    reads: ClassVar[Literal["text", "image"]] = "image"

    @property
    def longest_input(self) -> int:
        """No tokens."""
        return 0

    @abstractmethod
    def build(self, *, images: "Sequence[Image]", label_names: Sequence[str]) -> LoadedModel:
        """Make it. Logits come out in the order of ``label_names``.

        ``images`` is the training split, of one shape.
        """
