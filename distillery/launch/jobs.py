"""The four trainings of a run as values: what this process runs itself, or a launched one reads."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from distillery.noun import Noun
from distillery.nouns import Checkpoint, Corpus, Dataset, Epoch, SoftLabels, Teacher
from distillery.objectives.base import Training
from distillery.recipe import AnyStudent, AnyTeacher
from distillery.teachers.pretrained import Pretrained

OnEpoch = Callable[[Epoch], None]


class Job(Noun):
    """One training, with all that it depends on."""

    @property
    @abstractmethod
    def epochs(self) -> int:
        """The most it takes, over all stages; 0 where nothing is trained."""

    @abstractmethod
    def run(self, *, work: Path, on_epoch: OnEpoch) -> Checkpoint:
        """Carry it out. Killed and run again with the same ``work``, it goes on where it was."""


class FineTune(Job):
    """A teacher."""

    job: Literal["fine_tune"] = "fine_tune"
    teacher: AnyTeacher
    dataset: Dataset
    name: str
    seed: int

    @property
    def epochs(self) -> int:
        """Of the fine-tuning; a ready classifier has none."""
        stage = self.teacher.fine_tuning
        return stage.training.epochs if stage else 0

    def run(self, *, work: Path, on_epoch: OnEpoch) -> Checkpoint:
        """As ``distillation.fine_tune``."""
        from distillery.training import distillation

        return distillation.fine_tune(
            self.teacher,
            self.dataset,
            name=self.name,
            seed=self.seed,
            work=work,
            on_epoch=on_epoch,
        )


class Distil(Job):
    """A student or its control."""

    job: Literal["distil"] = "distil"
    student: AnyStudent
    teacher: Teacher
    soft_labels: tuple[SoftLabels, ...]
    dataset: Dataset
    corpus: Corpus | None
    start: Checkpoint | None
    role: Literal["student", "control"]
    seed: int

    @property
    def epochs(self) -> int:
        """Of all task stages."""
        return sum(stage.training.epochs for stage in self.student.task)

    def run(self, *, work: Path, on_epoch: OnEpoch) -> Checkpoint:
        """As ``distillation.distill``."""
        from distillery.training import distillation

        return distillation.distill(
            self.student,
            self.teacher,
            self.soft_labels,
            self.dataset,
            self.corpus,
            start=self.start,
            role=self.role,
            seed=self.seed,
            work=work,
            on_epoch=on_epoch,
        )


class LanguageModel(Job):
    """The pre-trained encoder with a language model's head."""

    job: Literal["language_model"] = "language_model"
    source: Pretrained
    corpus: Corpus
    training: Training
    seed: int

    @property
    def epochs(self) -> int:
        """Of a head that is trained."""
        return self.training.epochs

    def run(self, *, work: Path, on_epoch: OnEpoch) -> Checkpoint:
        """As ``general.language_model``."""
        from distillery.training import general

        return general.language_model(
            self.source, self.corpus, self.training, seed=self.seed, work=work, on_epoch=on_epoch
        )


class DistilGenerally(Job):
    """A student before its task."""

    job: Literal["distil_generally"] = "distil_generally"
    student: AnyStudent
    source: Pretrained
    language_model: Checkpoint | None
    corpus: Corpus
    label_names: tuple[str, ...]
    is_pair: bool
    seed: int

    @property
    def epochs(self) -> int:
        """Of all general stages."""
        return sum(stage.training.epochs for stage in self.student.general)

    def run(self, *, work: Path, on_epoch: OnEpoch) -> Checkpoint:
        """As ``general.distill_generally``."""
        from distillery.training import general

        return general.distill_generally(
            self.student,
            self.source,
            self.language_model,
            self.corpus,
            self.label_names,
            is_pair=self.is_pair,
            seed=self.seed,
            work=work,
            on_epoch=on_epoch,
        )


AnyJob: TypeAdapter[Job] = TypeAdapter(
    Annotated[FineTune | Distil | LanguageModel | DistilGenerally, Field(discriminator="job")]
)
