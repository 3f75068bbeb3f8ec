"""What every student is that is several networks while it trains (Zhang et al. 2018).

"Deep Mutual Learning", https://arxiv.org/abs/1706.00384. No teacher's answer is used, unless a
stage asks for it. The first network is kept; its control is the same network alone.
"""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.mutual_learning import MutualLearning
from distillery.objectives.soft_cross_entropy import SoftCrossEntropy
from distillery.objectives.soft_targets import SoftTargets
from distillery.students.base import Student
from distillery.teachers.base import LoadedModel

# all but mutual_learning teach the first peer alone
PeerObjective = Annotated[
    MutualLearning | SoftTargets | SoftCrossEntropy | LogitMse | HardLabels,
    Field(discriminator="objective"),
]


class LearningTogether(Student):
    """Several networks that learn from each other as they train.

    ``build`` draws their weights in turn: of one seed, the control's only network is the first.
    """

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

    @model_validator(mode="after")
    def _one_learns_from_none(self) -> Self:
        if self.peers == 1 and any(stage.objective == "mutual_learning" for stage in self.task):
            raise ValueError("mutual_learning needs two peers or more; raise peers")
        return self

    def finished(self, trained: LoadedModel) -> LoadedModel:
        """The first peer."""
        from distillery.architectures.peers import Peers

        assert isinstance(trained.model, Peers)
        first: Any = trained.model.peers[0]
        first.eval()
        return LoadedModel(
            model=first, tokenizer=None if trained.reads_images else trained.tokenizer
        )

    def as_control(self) -> Self:
        """The first peer alone, from the same start, on hard labels."""
        return super().as_control().model_copy(update={"peers": 1})
