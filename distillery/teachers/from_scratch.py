"""A small BERT with a vocabulary of its own, trained from nothing: needs no hub."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from distillery.nouns import Architecture
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.teachers.base import LoadedModel, TextTeacher
from distillery.vocabularies import own_vocabulary

if TYPE_CHECKING:
    from transformers import BertConfig


class FromScratch(TextTeacher):
    """For demonstrations and tests; a pre-trained encoder makes the better teacher."""

    kind: Literal["from_scratch"] = "from_scratch"
    layers: int = Field(default=4, ge=1, le=48, title="Layers")
    hidden_size: int = Field(default=128, ge=8, le=4096, title="Width")
    heads: int = Field(default=4, ge=1, le=64, title="Heads")
    vocabulary_size: int = Field(default=2000, ge=64, le=200_000, title="Vocabulary")
    dropout: float = Field(default=0.1, ge=0, lt=1, title="Dropout")
    training: Training = Field(default=Training(learning_rate=5e-4, epochs=10), title="Training")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "FromScratch":
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is no multiple of heads {self.heads}; change one"
            )
        return self

    @property
    def fine_tuning(self) -> HardLabels:
        """Hard labels, as the recipe says."""
        return HardLabels(training=self.training)

    def architecture(self) -> Architecture:
        """As the recipe says; nothing has to be loaded to know it."""
        return Architecture(
            layers=self.layers,
            hidden_size=self.hidden_size,
            heads=self.heads,
            max_tokens=self.max_length,
        )

    def config(self) -> "BertConfig":
        """BERT's, in the size asked for."""
        from transformers import BertConfig

        return BertConfig(
            vocab_size=self.vocabulary_size,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.hidden_size,
            max_position_embeddings=self.max_length,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
        )

    def check(self, label_names: Sequence[str]) -> None:
        """Nothing to match: the head is made for the data set."""

    def build(self, *, texts: Sequence[str], label_names: Sequence[str]) -> LoadedModel:
        """Random weights; a vocabulary learned from ``texts``."""
        from transformers import BertForSequenceClassification

        tokenizer = own_vocabulary.learn(texts, self.vocabulary_size, self.max_length)
        config = self.config()
        config.vocab_size = len(tokenizer)
        config.num_labels = len(label_names)
        config.id2label = dict(enumerate(label_names))
        config.label2id = {name: i for i, name in enumerate(label_names)}
        return LoadedModel(model=BertForSequenceClassification(config), tokenizer=tokenizer)
