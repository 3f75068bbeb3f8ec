"""A transformer narrower than its teacher, from random weights (TinyBERT, Jiao et al. 2020, §4.2).

What copying layers is to ``from_layers``, general distillation is to this one: without it, it
starts with nothing.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from distillery.nouns import Architecture
from distillery.students.base import Student, Trimming
from distillery.teachers.base import LoadedModel, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class Narrow(Student):
    """The teacher's kind of encoder and tokenizer, in another size; TinyBERT4's by default."""

    kind: Literal["narrow"] = "narrow"
    layers: int = Field(default=4, ge=1, le=48, title="Layers")
    hidden_size: int = Field(default=312, ge=8, le=4096, title="Width")
    heads: int = Field(default=12, ge=1, le=64, title="Heads")
    intermediate_size: int = Field(
        default=1200, ge=8, le=16384, title="Width of the feed-forward layers"
    )
    trimming: Trimming | None = Field(
        default=None, title="Trimming", description="Of the vocabulary; the teacher's if left out."
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "Narrow":
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is no multiple of heads {self.heads}; change one"
            )
        return self

    def shares_tokens_with(self, teacher: str | None) -> bool:
        """Yes, unless rare tokens were trimmed."""
        return self.trimming is None or self.trimming.seen_at_least == 1

    def check(self, teacher: Architecture) -> None:
        """Any teacher will do."""

    def architecture(self, teacher: Architecture) -> Architecture:
        """Its own size; the teacher's longest input."""
        return Architecture(
            layers=self.layers,
            hidden_size=self.hidden_size,
            heads=self.heads,
            max_tokens=teacher.max_tokens,
        )

    def config(self, teacher: "PretrainedConfig", *, is_pair: bool) -> "PretrainedConfig":
        """The teacher's, resized."""
        config = deepcopy(teacher)
        config.num_hidden_layers = self.layers
        config.hidden_size = self.hidden_size
        config.num_attention_heads = self.heads
        # DistilBERT's own name for it
        width = "hidden_dim" if hasattr(config, "hidden_dim") else "intermediate_size"
        setattr(config, width, self.intermediate_size)
        assert architecture_of(config) == self.architecture(architecture_of(teacher))
        return config

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """Random weights."""
        from transformers import AutoModelForSequenceClassification

        config = self.config(teacher.model.config, is_pair=is_pair)
        model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
        made = LoadedModel(model=model, tokenizer=teacher.tokenizer)
        if self.trimming is None:
            return made
        from distillery.vocabularies import vocabulary

        return vocabulary.trim(made, texts, seen_at_least=self.trimming.seen_at_least)
