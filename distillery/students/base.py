"""What every student is."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from distillery.nouns import Architecture, Noun
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.soft_targets import SoftTargets
from distillery.teachers.base import LoadedModel

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# one line lists each loss a student can learn by
TaskObjective = Annotated[SoftTargets | HardLabels, Field(discriminator="objective")]


class Student(Noun, ABC):
    """A small model, how it starts, and the stages it learns in."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$",
        title="Name",
        description="Lower-case letters, digits and hyphens; unique in the recipe.",
    )
    task: tuple[TaskObjective, ...] = Field(
        default=(SoftTargets(),),
        min_length=1,
        title="Task distillation",
        description="Stages, one after the other.",
    )

    @abstractmethod
    def check(self, teacher: Architecture) -> None:
        """Raises ``UserError`` where this student cannot be made from such a teacher."""

    @abstractmethod
    def config(self, teacher: "PretrainedConfig") -> "PretrainedConfig":
        """The student's configuration, given its teacher's. Raises what ``check`` raises."""

    @abstractmethod
    def build(self, teacher: LoadedModel) -> LoadedModel:
        """The student before its first step, with what it takes over from its teacher."""

    def as_control(self) -> Self:
        """The same student from the same start, on hard labels only, for as many epochs.

        Depends on no loss: changing a temperature leaves the control as it was.
        """
        stages = tuple(HardLabels(training=stage.training) for stage in self.task)
        return self.model_copy(update={"name": f"{self.name}-control", "task": stages})
