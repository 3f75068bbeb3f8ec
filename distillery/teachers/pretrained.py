"""A pre-trained encoder, fine-tuned on the data set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from distillery.nouns import Architecture
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.teachers import hub
from distillery.teachers.base import LoadedModel, TextTeacher, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class Pretrained(TextTeacher):
    """Gets a fresh classification head and is trained on hard labels."""

    kind: Literal["pretrained"] = "pretrained"
    source: str = Field(
        min_length=1,
        title="Checkpoint",
        description="Hub name or local folder of a pre-trained encoder.",
    )
    pooling: hub.Pooling = "first_token"
    training: Training = Field(default=Training(), title="Fine-tuning")

    @property
    def fine_tuning(self) -> HardLabels:
        """Hard labels, as the recipe says."""
        return HardLabels(training=self.training)

    def architecture(self) -> Architecture:
        """The checkpoint's own."""
        return architecture_of(hub.config_of(self.source))

    def config(self) -> "PretrainedConfig":
        """The checkpoint's own, under the head that was chosen."""
        return hub.classifier_config_of(self.source, self.pooling)

    def check(self, label_names: Sequence[str]) -> None:
        """Weights and tokenizer; no labels to match, since the head is made for the data set."""
        hub.check_weights(self.source)
        hub.tokenizer_of(self.source)

    def build(self, *, texts: Sequence[str], label_names: Sequence[str]) -> LoadedModel:
        """The encoder with a new head."""
        return hub.classifier_of(self.source, self.pooling, label_names)
