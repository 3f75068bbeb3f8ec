"""A multi-layer perceptron: a few matrix products for a whole image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from distillery.students.images import ImageStudent, taken_over
from distillery.teachers.base import LoadedModel

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from distillery.architectures.mlp import MlpConfig


class MlpStudent(ImageStudent):
    """Hidden layers with ReLU and dropout, from random weights."""

    kind: Literal["mlp"] = "mlp"
    hidden_sizes: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(
        default=(512, 256),
        min_length=1,
        max_length=16,
        title="Widths",
        description="Of each layer.",
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, title="Dropout")

    def config(self, teacher: "PretrainedConfig", *, is_pair: bool) -> "MlpConfig":
        """The teacher's images and labels."""
        from distillery.architectures.mlp import MlpConfig

        return MlpConfig(
            hidden_sizes=self.hidden_sizes, dropout=self.dropout, **taken_over(teacher)
        )

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """Random weights."""
        from distillery.architectures.mlp import Mlp

        made = Mlp(self.config(teacher.model.config, is_pair=is_pair))
        return LoadedModel(model=made, tokenizer=None)
