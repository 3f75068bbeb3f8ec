"""What every student is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from distillery.noun import Noun
from distillery.nouns import Architecture
from distillery.objectives.distilbert_triple import DistilBertTriple
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.masked_language_model import MaskedLanguageModel
from distillery.objectives.minilm_relations import MiniLmRelations
from distillery.objectives.patient_kd import PatientKd
from distillery.objectives.soft_cross_entropy import SoftCrossEntropy
from distillery.objectives.soft_targets import SoftTargets
from distillery.objectives.tinybert_layers import TinyBertLayers
from distillery.teachers.base import LoadedModel

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# one line lists each loss a student can learn by, for its task and before it
TaskObjective = Annotated[
    SoftTargets
    | SoftCrossEntropy
    | LogitMse
    | TinyBertLayers
    | MiniLmRelations
    | PatientKd
    | HardLabels,
    Field(discriminator="objective"),
]
GeneralObjective = Annotated[
    DistilBertTriple | TinyBertLayers | MiniLmRelations | MaskedLanguageModel,
    Field(discriminator="objective"),
]


class Trimming(Noun):
    """Only what the texts need of the teacher's vocabulary, with smaller pieces for all else.

    Most of a small student's weights are its embedding table.
    """

    seen_at_least: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        title="Seen at least",
        description="Tokens seen less often in what the student learns from fall back to smaller "
        "pieces. More than 1 is only for losses on logits: others compare token by token.",
    )


class Student(Noun, ABC):
    """A small model, how it starts, and the stages it learns in."""

    reads: ClassVar[Literal["text", "image"]] = "text"

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$",
        title="Name",
        description="Lower-case letters, digits and hyphens; unique in the recipe.",
    )
    general: tuple[GeneralObjective, ...] = Field(
        default=(),
        title="General distillation",
        description="Stages over the recipe's unlabelled text, before those of the task.",
    )
    task: tuple[TaskObjective, ...] = Field(
        default=(SoftTargets(),),
        min_length=1,
        title="Task distillation",
        description="Stages, one after the other.",
    )

    generations: int = Field(
        default=1,
        ge=1,
        le=20,
        title="Generations",
        description="Born again: each generation learns from the one before, the first from the "
        "teacher (Furlanello et al. 2018).",
    )

    def shares_tokens_with(self, teacher: str | None) -> bool:
        """Whether it splits what it learns from as its teacher does, a checkpoint by its source.

        Losses on hidden states and attention compare the two token by token.
        """
        return False

    @abstractmethod
    def check(self, teacher: Architecture) -> None:
        """Raises ``UserError`` where this student cannot be made from such a teacher."""

    @abstractmethod
    def architecture(self, teacher: Architecture) -> Architecture | None:
        """Its own shape beside such a teacher; None where it has no transformer layers."""

    @abstractmethod
    def config(self, teacher: "PretrainedConfig", *, is_pair: bool) -> "PretrainedConfig":
        """The student's configuration, given its teacher's. Raises what ``check`` raises."""

    @abstractmethod
    def build(self, teacher: LoadedModel, *, texts: Sequence[str], is_pair: bool) -> LoadedModel:
        """The student before its first step, with what it takes over from its teacher.

        ``texts`` are all that it will learn from, one by one, for those with a vocabulary of
        their own.
        """

    @property
    def augments(self) -> bool:
        """Whether a stage trains on augmented rows."""
        return any(stage.rows == "augmented" for stage in self.task)

    def finished(self, trained: LoadedModel) -> LoadedModel:
        """What is kept of a trained student: all of it, unless some was there to learn only."""
        return trained

    def before_its_task(self) -> Self:
        """The student without its task stages: all that its general distillation depends on."""
        return self.model_copy(update={"task": (HardLabels(),)})

    def as_control(self) -> Self:
        """The same student from the same start, on hard labels only, for as many epochs.

        Depends on no loss: changing a temperature leaves the control as it was.
        """
        stages = tuple(HardLabels(training=stage.training) for stage in self.task)
        return self.model_copy(update={"name": f"{self.name}-control", "task": stages})
