"""A multi-layer perceptron: a few matrix products for a whole image."""

from collections.abc import Sequence
from typing import Literal

from distillery.students.perceptrons import Perceptron
from distillery.teachers.base import LoadedModel


class MlpStudent(Perceptron):
    """A single one."""

    kind: Literal["mlp"] = "mlp"

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """Random weights."""
        from distillery.architectures.mlp import Mlp

        made = Mlp(self.config(teacher.model.config, is_pair=is_pair))
        return LoadedModel(model=made, tokenizer=None)
