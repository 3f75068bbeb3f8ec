"""What students are made of that are perceptrons over pixels."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from distillery.students.images import ImageStudent, taken_over

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from distillery.architectures.mlp import MlpConfig


class Perceptron(ImageStudent):
    """Hidden layers with ReLU and dropout, from random weights."""

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
