"""A pre-trained encoder, fine-tuned on the data set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from distillery.nouns import Architecture
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.teachers import hub
from distillery.teachers.base import LoadedModel, TeacherSource, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class Pretrained(TeacherSource):
    """Gets a fresh classification head and is trained on hard labels."""

    kind: Literal["pretrained"] = "pretrained"
    source: str = Field(
        min_length=1,
        title="Checkpoint",
        description="Hub name or local folder of a pre-trained encoder.",
    )
    training: Training = Field(default=Training(), title="Fine-tuning")

    @property
    def fine_tuning(self) -> HardLabels:
        """Hard labels, as the recipe says."""
        return HardLabels(training=self.training)

    def architecture(self) -> Architecture:
        """The checkpoint's own."""
        return architecture_of(self.config())

    def config(self) -> "PretrainedConfig":
        """The checkpoint's own."""
        return hub.config_of(self.source)

    def check(self, label_names: Sequence[str]) -> None:
        """Weights and tokenizer; no labels to match, since the head is made for the data set."""
        hub.check_weights(self.source)
        hub.tokenizer_of(self.source)

    def build(self, *, texts: Sequence[str], label_names: Sequence[str]) -> LoadedModel:
        """The encoder with a new head."""
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(
            hub.located(self.source),
            num_labels=len(label_names),
            id2label=dict(enumerate(label_names)),
            label2id={name: i for i, name in enumerate(label_names)},
            ignore_mismatched_sizes=True,
            use_safetensors=True,
        )
        return LoadedModel(model=model, tokenizer=hub.tokenizer_of(self.source))
