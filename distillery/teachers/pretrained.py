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
    pooling: Literal["first_token", "mean"] = Field(
        default="first_token",
        title="Pooling",
        description="What the head reads: the first token, as BERT does, or the mean of all "
        "tokens, for which sentence encoders are trained.",
    )
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
        config = hub.config_of(self.source)
        if self.pooling == "first_token":
            return config
        from distillery.architectures.pooled_encoder import PooledEncoderConfig

        return PooledEncoderConfig(encoder=config)

    def check(self, label_names: Sequence[str]) -> None:
        """Weights and tokenizer; no labels to match, since the head is made for the data set."""
        hub.check_weights(self.source)
        hub.tokenizer_of(self.source)

    def build(self, *, texts: Sequence[str], label_names: Sequence[str]) -> LoadedModel:
        """The encoder with a new head."""
        from transformers import AutoModel, AutoModelForSequenceClassification

        from distillery.architectures.pooled_encoder import PooledEncoder, PooledEncoderConfig

        source = hub.located(self.source)
        labels = {
            "num_labels": len(label_names),
            "id2label": dict(enumerate(label_names)),
            "label2id": {name: i for i, name in enumerate(label_names)},
        }
        if self.pooling == "mean":
            encoder = AutoModel.from_pretrained(source, use_safetensors=True)
            model = PooledEncoder(PooledEncoderConfig(encoder=encoder.config, **labels))
            # the pooler alone is left over
            model.encoder.load_state_dict(encoder.state_dict(), strict=False)
        else:
            model = AutoModelForSequenceClassification.from_pretrained(
                source, ignore_mismatched_sizes=True, use_safetensors=True, **labels
            )
        return LoadedModel(model=model, tokenizer=hub.tokenizer_of(self.source))
