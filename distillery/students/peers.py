"""Networks that learn from each other as they train (Zhang et al. 2018, "Deep Mutual Learning").

https://arxiv.org/abs/1706.00384. No teacher's answer is used, unless a stage asks for it. The
paper's networks start from random weights, each its own. So they do here where ``random_weights``
is set. Otherwise each copies layers of the teacher under a random classifier: peers of the same
layers then differ by that and by their dropout alone, and more if each is given other layers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from distillery.nouns import Architecture
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.mutual_learning import MutualLearning
from distillery.objectives.soft_cross_entropy import SoftCrossEntropy
from distillery.objectives.soft_targets import SoftTargets
from distillery.students import chosen_layers
from distillery.students.base import Student
from distillery.teachers.base import LoadedModel, architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# all but mutual_learning teach the first peer alone
PeerObjective = Annotated[
    MutualLearning | SoftTargets | SoftCrossEntropy | LogitMse | HardLabels,
    Field(discriminator="objective"),
]


class Peers(Student):
    """Several encoders under a mean-pooling head each; the first one is kept when trained."""

    kind: Literal["peers"] = "peers"
    task: tuple[PeerObjective, ...] = Field(  # type: ignore[assignment]
        default=(MutualLearning(),),
        min_length=1,
        title="Task distillation",
        description="Stages, one after the other.",
    )
    peers: int = Field(
        default=2,
        ge=1,
        le=16,
        title="Peers",
        description="How many networks; one alone is the others' control.",
    )
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
        if self.peers == 1 and any(stage.objective == "mutual_learning" for stage in self.task):
            raise ValueError("mutual_learning needs two peers or more; raise peers")
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
        from distillery.architectures.pooled_encoder import PooledEncoderConfig

        self.check(architecture_of(teacher))
        return PooledEncoderConfig(
            encoder=chosen_layers.encoder_config(teacher, len(self.layers[0])),
            **chosen_layers.labels_of(teacher),
        )

    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """All peers, to be trained."""
        from distillery.architectures import peers

        theirs = teacher.model.config
        self.check(architecture_of(theirs))
        # drawn in turn: of one seed, the control's only network is the first peer
        model = peers.Peers(
            peers.PeersConfig(
                encoder=chosen_layers.encoder_config(theirs, len(self._of_each[0])),
                depths=[len(layers) for layers in self._of_each],
                **chosen_layers.labels_of(theirs),
            )
        )
        if not self.random_weights:
            of_each: Any = model.peers
            for peer, layers in zip(of_each, self._of_each, strict=True):
                chosen_layers.copy_layers(peer.encoder, teacher.model, layers)
        return LoadedModel(model=model, tokenizer=teacher.tokenizer)

    def finished(self, trained: LoadedModel) -> LoadedModel:
        """The first peer."""
        from distillery.architectures import peers

        assert isinstance(trained.model, peers.Peers)
        first: Any = trained.model.peers[0]
        first.eval()
        return LoadedModel(model=first, tokenizer=trained.tokenizer)

    def as_control(self) -> Self:
        """The first peer alone, from the same start, on hard labels."""
        return super().as_control().model_copy(update={"peers": 1, "layers": self.layers[:1]})
