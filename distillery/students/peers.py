"""Encoders that learn from each other as they train (Zhang et al. 2018).

The paper's networks start from random weights, each its own. So they do here where
``random_weights`` is set. Otherwise each copies layers of the teacher under a random classifier:
peers of the same layers then differ by that and by their dropout alone, and more if each is given
other layers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from distillery.nouns import Architecture
from distillery.students import chosen_layers
from distillery.students.learning_together import LearningTogether
from distillery.teachers.base import LoadedModel, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from distillery.architectures.pooled_encoder import PooledEncoderConfig


class Peers(LearningTogether):
    """Several encoders under a mean-pooling head each; the first one is kept when trained."""

    kind: Literal["peers"] = "peers"
    layers: tuple[Annotated[tuple[int, ...], Field(min_length=1)], ...] = Field(
        min_length=1,
        title="Teacher layers",
        description="Which teacher layers each peer copies, from 0; one choice may stand for all.",
    )
    random_weights: bool = Field(
        default=False,
        title="Random weights",
        description="Copy no weight: of 'layers', only how many there are matters.",
    )

    @model_validator(mode="after")
    def _each_has_its_layers(self) -> "Peers":
        if len(self.layers) not in (1, self.peers):
            raise ValueError(
                f"layers gives {len(self.layers)} choices for {self.peers} peers; give one each, "
                "or one for all"
            )
        chosen_layers.refuse_what_needs_one_network(self)
        return self

    @property
    def _of_each(self) -> tuple[tuple[int, ...], ...]:
        return self.layers * self.peers if len(self.layers) == 1 else self.layers

    def check(self, teacher: Architecture) -> None:
        """Each chosen layer is there."""
        if self.random_weights:
            return
        for layers in self.layers:
            chosen_layers.check_range(layers, teacher.layers, student=self.name, of="the teacher")

    def architecture(self, teacher: Architecture) -> Architecture | None:
        """None: no single one of them stands beside the teacher."""
        return None

    def config(self, teacher: "PretrainedConfig", *, is_pair: bool) -> "PretrainedConfig":
        """Of what is kept: the first peer."""
        self.check(architecture_of(teacher))
        return self._of_peer(self.layers[0], teacher)

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """All peers, to be trained."""
        from distillery.architectures import peers

        theirs = teacher.model.config
        self.check(architecture_of(theirs))
        configs = [self._of_peer(layers, theirs) for layers in self._of_each]
        model = peers.Peers(peers.PeersConfig(peers=[config.to_dict() for config in configs]))
        if not self.random_weights:
            of_each: Any = model.peers
            for peer, layers in zip(of_each, self._of_each, strict=True):
                chosen_layers.copy_layers(peer.encoder, teacher.model, layers)
        return LoadedModel(model=model, tokenizer=teacher.tokenizer)

    @staticmethod
    def _of_peer(layers: Sequence[int], teacher: "PretrainedConfig") -> "PooledEncoderConfig":
        from distillery.architectures.pooled_encoder import PooledEncoderConfig

        return PooledEncoderConfig(
            encoder=chosen_layers.encoder_config(teacher, len(layers)),
            **chosen_layers.labels_of(teacher),
        )

    def as_control(self) -> Self:
        """The first peer alone, with its layers."""
        return super().as_control().model_copy(update={"layers": self.layers[:1]})
