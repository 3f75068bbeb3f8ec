"""A transformer made from chosen layers of its teacher (DistilBERT's start, Sanh et al. 2019, §3).

Embeddings, pooler and classification head are copied too, so that the student starts as its
teacher with layers left out. DistilBERT drops pooler and token-type embeddings; they are kept
here, since sentence pairs need the latter and a copied head needs the former.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from distillery.errors import UserError
from distillery.nouns import Architecture
from distillery.students import chosen_layers
from distillery.students.base import Student, Trimming
from distillery.teachers.base import LoadedModel, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class FromLayers(Student):
    """Keeps the teacher's width, heads and vocabulary; fewer layers."""

    kind: Literal["from_layers"] = "from_layers"
    layers: tuple[int, ...] = Field(
        min_length=1,
        title="Teacher layers",
        description="Which teacher layers to copy, from 0; [0, 5] makes a 2-layer student.",
    )
    trimming: Trimming | None = Field(
        default=None, title="Trimming", description="Of the vocabulary; the teacher's if left out."
    )

    @model_validator(mode="after")
    def _born_once(self) -> "FromLayers":
        if self.generations > 1:
            raise ValueError(
                "generations: a student made of its teacher's layers is born once; use kind "
                "pretrained or narrow"
            )
        return self

    def shares_tokens_with(self, teacher: str | None) -> bool:
        """Yes, unless rare tokens were trimmed."""
        return self.trimming is None or self.trimming.seen_at_least == 1

    def check(self, teacher: Architecture) -> None:
        """Each chosen layer is there."""
        outside = [layer for layer in self.layers if not 0 <= layer < teacher.layers]
        if outside:
            raise UserError(
                f"student '{self.name}': teacher layer {outside[0]} is out of range; the teacher "
                f"has {teacher.layers} layers, so choose from 0 to {teacher.layers - 1}"
            )

    def architecture(self, teacher: Architecture) -> Architecture:
        """The teacher's, with as many layers as were chosen."""
        return teacher.model_copy(update={"layers": len(self.layers)})

    def config(self, teacher: "PretrainedConfig", *, is_pair: bool) -> "PretrainedConfig":
        """The teacher's, with as many layers as were chosen."""
        self.check(architecture_of(teacher))
        config = deepcopy(teacher)
        config.num_hidden_layers = len(self.layers)
        return config

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """Copies every weight whose layer was chosen, renumbered."""
        from transformers import AutoModelForSequenceClassification

        config = self.config(teacher.model.config, is_pair=is_pair)
        student = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
        weights = chosen_layers.renumbered(
            teacher.model.state_dict(), teacher.model.config.num_hidden_layers, self.layers
        )
        student.load_state_dict(weights, strict=True)
        made = LoadedModel(model=student, tokenizer=teacher.tokenizer)
        if self.trimming is None:
            return made
        from distillery.vocabularies import vocabulary

        return vocabulary.trim(made, texts, seen_at_least=self.trimming.seen_at_least)
