"""A small pre-trained encoder with its own tokenizer, such as MiniLM or a small BERT.

Compact models that are pre-trained first and distilled then do best (Turc et al. 2019, "Well-Read
Students Learn Better", arXiv:1908.08962). With the teacher's own source it is a born-again student
(Furlanello et al. 2018, arXiv:1805.04770): the teacher's architecture once more, from where the
teacher started. That paper's networks start from random weights.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from distillery.nouns import Architecture
from distillery.students import chosen_layers
from distillery.students.base import Student
from distillery.teachers import hub
from distillery.teachers.base import LoadedModel, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class PretrainedStudent(Student):
    """Takes over nothing from its teacher but the labels."""

    kind: Literal["pretrained"] = "pretrained"
    source: str = Field(
        min_length=1,
        title="Checkpoint",
        description="Hub name or local folder of a pre-trained encoder. The teacher's own makes a "
        "born-again student.",
    )
    pooling: hub.Pooling = "first_token"
    layers: tuple[int, ...] | None = Field(
        default=None,
        min_length=1,
        title="Layers",
        description="Which of its layers to keep, from 0; all if left out.",
    )

    def shares_tokens_with(self, teacher: str | None) -> bool:
        """Where the two tokenizers have one vocabulary."""
        if teacher is None:
            return False
        own = hub.tokenizer_of(self.source, self._who)
        return own.get_vocab() == hub.tokenizer_of(teacher).get_vocab()

    def check(self, teacher: Architecture) -> None:
        """Its source can be reached and has weights, a tokenizer and the chosen layers."""
        depth = hub.config_of(self.source, self._who).num_hidden_layers
        hub.check_weights(self.source, self._who)
        hub.tokenizer_of(self.source, self._who)
        chosen_layers.check_range(
            self.layers or (), depth, student=self.name, of=f"'{self.source}'"
        )

    def architecture(self, teacher: Architecture) -> Architecture:
        """The source's own, with as many layers as were chosen."""
        return architecture_of(self._planned())

    def config(self, teacher: "PretrainedConfig", *, is_pair: bool) -> "PretrainedConfig":
        """The source's own, with the teacher's labels and as many layers as were chosen."""
        self.check(architecture_of(teacher))
        config = self._planned()
        labels = chosen_layers.labels_of(teacher)
        config.id2label, config.label2id = labels["id2label"], labels["label2id"]
        return config

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """The source's weights under a random head."""
        self.check(architecture_of(teacher.model.config))
        labels = chosen_layers.labels_of(teacher.model.config)["id2label"]
        names = [labels[i] for i in range(len(labels))]
        made = hub.classifier_of(self.source, self.pooling, names, self._who)
        if self.layers is None:
            return made
        whole = made.model
        config = deepcopy(whole.config)
        config.num_hidden_layers = len(self.layers)
        cut = type(whole)(config)
        weights = chosen_layers.renumbered(
            whole.state_dict(), whole.config.num_hidden_layers, self.layers
        )
        cut.load_state_dict(weights, strict=True)
        return LoadedModel(model=cut, tokenizer=made.tokenizer)

    @property
    def _who(self) -> str:
        return f"student '{self.name}'"

    def _planned(self) -> "PretrainedConfig":
        config = hub.classifier_config_of(self.source, self.pooling, self._who)
        if self.layers is not None:
            config.num_hidden_layers = len(self.layers)
        return config
