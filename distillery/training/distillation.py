"""A run's task trainings: the teacher, and students with its signal or, as controls, without."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers import set_seed

from distillery import checkpoints
from distillery.data import corpora, preparation
from distillery.data.examples import Example, singles
from distillery.data.lazy import Joined
from distillery.launch import processes
from distillery.nouns import Checkpoint, Corpus, Dataset, SoftLabels, Teacher
from distillery.objectives.base import UNLABELLED, Objective
from distillery.runtimes.images import Image
from distillery.signals import soft_labels as cache
from distillery.signals.teaching import CachedTeaching, LiveTeaching
from distillery.students.base import Student
from distillery.teachers.base import (
    ImageTeacher,
    LoadedModel,
    TeacherSource,
    TextTeacher,
    architecture_of,
)
from distillery.training import scores
from distillery.training.stages import Curriculum, Lesson, OnEpoch, Split, through
from distillery.training.trainer import Trained


def fine_tune(
    teacher: TeacherSource, dataset: Dataset, *, name: str, seed: int, work: Path, on_epoch: OnEpoch
) -> Checkpoint:
    """The teacher: trained where its source says so, else taken as it is."""
    examples, _ = preparation.read(dataset, "train")
    set_seed(seed)
    loaded = _made(teacher, examples, dataset.label_names)
    trained = through(
        loaded,
        (teacher.fine_tuning,) if teacher.fine_tuning else (),
        _Labelled(dataset=dataset, max_length=teacher.longest_input),
        seed=seed,
        work=work,
        on_epoch=on_epoch,
    )
    return _kept(
        loaded,
        trained,
        label_names=dataset.label_names,
        name=name,
        role="teacher",
        max_length=teacher.longest_input,
        parent_digest=None,
        seed=seed,
        work=work,
        # one that is taken as it is answers in its own unit already
        score_range=dataset.score_range if trained else None,
    )


def _made(
    teacher: TeacherSource, examples: Sequence[Example], label_names: Sequence[str]
) -> LoadedModel:
    match teacher:
        case TextTeacher():
            return teacher.build(texts=singles(examples), label_names=label_names)
        case ImageTeacher():
            images = [example for example in examples if isinstance(example, Image)]
            return teacher.build(images=images, label_names=label_names)
    raise TypeError(f"a {type(teacher).__name__} reads neither text nor images")


def distill(
    student: Student,
    teacher: Teacher,
    soft_labels: Sequence[SoftLabels],
    dataset: Dataset,
    corpus: Corpus | None,
    *,
    start: Checkpoint | None,
    role: Literal["student", "control"],
    seed: int,
    work: Path,
    on_epoch: OnEpoch,
) -> Checkpoint:
    """A student, through its task stages. A control needs no soft labels.

    It is made from the first of several teachers; ``start`` is what general distillation has
    taught it before. ``soft_labels`` cover the data set's training rows, and the corpus' where a
    stage asks for them.
    """
    set_seed(seed)
    first = teacher.members[0]
    texts, _ = preparation.read(dataset, "train")
    more = corpora.read(corpus) if corpus else ()
    loaded = student.build(
        _to_copy(first, dataset),
        texts=singles(Joined(texts, more)),
        is_pair=dataset.is_pair,
    )
    if start is not None:
        checkpoints.take_over_encoder(loaded, checkpoints.load(start))
    max_length = max(member.max_length for member in teacher.members)
    trained = through(
        loaded,
        student.task,
        _Taught(
            dataset=dataset,
            max_length=max_length,
            corpus=corpus,
            teacher=teacher,
            soft_labels=tuple(soft_labels),
            student=student,
        ),
        seed=seed,
        work=work,
        on_epoch=on_epoch,
    )
    return _kept(
        student.finished(loaded),
        trained,
        label_names=dataset.label_names,
        name=student.name,
        role=role,
        max_length=max_length,
        parent_digest=(start or first).digest,
        seed=seed,
        work=work,
        score_range=dataset.score_range,
    )


def _to_copy(teacher: Checkpoint, dataset: Dataset) -> LoadedModel:
    """A student may copy its head, which then answers in the unit that is learned in."""
    loaded = checkpoints.load(teacher)
    return scores.learn_within(loaded, dataset.score_range) if dataset.score_range else loaded


@dataclass(frozen=True, kw_only=True)
class _Labelled(Curriculum):
    """A data set's own rows, and no teacher."""

    dataset: Dataset
    max_length: int

    def training(self, stage: Objective) -> Split:
        return self._split("train")

    def validation(self) -> Split:
        return self._split("validation")

    def _split(self, name: str) -> Split:
        texts, labels = preparation.read(self.dataset, name)
        if self.dataset.score_range is not None:
            labels = scores.to_learn(labels, self.dataset.score_range)
        return Split(texts=texts, labels=labels)

    def lesson(self, stage: Objective, texts: Sequence[Example]) -> Lesson:
        raise ValueError(f"{type(stage).__name__} needs a teacher's signal")


@dataclass(frozen=True, kw_only=True)
class _Taught(_Labelled):
    """Those and, where a stage asks for it, the corpus; taught from the cache where it can be."""

    corpus: Corpus | None
    teacher: Teacher
    soft_labels: tuple[SoftLabels, ...]
    student: Student

    def training(self, stage: Objective) -> Split:
        rows = super().training(stage)
        if stage.rows == "train":
            return rows
        assert self.corpus is not None, "checked with the recipe"
        more = corpora.read(self.corpus)
        return Split(
            texts=Joined(rows.texts, more), labels=[*rows.labels, *[UNLABELLED] * len(more)]
        )

    def lesson(self, stage: Objective, texts: Sequence[Example]) -> Lesson:
        if stage.needs == {"logits"}:
            logits = cache.of_all(self.soft_labels, self.teacher, texts)
            within = self.dataset.score_range
            return Lesson(
                teaching=CachedTeaching(self.teacher.weights, self.teacher.mean),
                logits=logits if within is None else scores.LogitsToLearn(logits, within),
            )
        teacher = checkpoints.load(self.teacher.members[0])
        theirs = architecture_of(teacher.model.config)
        own = self.student.architecture(theirs)
        assert own is not None, "checked before the run: it has layers to compare"
        return Lesson(
            teaching=LiveTeaching(teacher, stage.needs),
            tokenizer=teacher.tokenizer,
            projections=stage.projections(own, theirs),
        )


def _kept(
    loaded: LoadedModel,
    trained: Sequence[Trained],
    *,
    label_names: tuple[str, ...],
    name: str,
    role: Literal["teacher", "student", "control"],
    max_length: int,
    parent_digest: str | None,
    seed: int,
    work: Path,
    score_range: scores.Range | None,
) -> Checkpoint:
    """Saved; what the trainings left behind to resume from is removed."""
    if score_range is not None:
        scores.answer_within(loaded, score_range)
    artifact = processes.once(lambda: checkpoints.save(loaded))
    processes.once(lambda: shutil.rmtree(work, ignore_errors=True))
    return Checkpoint(
        name=name,
        role=role,
        artifact=artifact,
        seed=seed,
        parameters=checkpoints.parameters(loaded),
        label_names=label_names,
        max_length=max_length,
        parent_digest=parent_digest,
        history=tuple(epoch for one in trained for epoch in one.history),
        best_epoch=trained[-1].best_epoch if trained else 0.0,
        training_seconds=sum(one.seconds for one in trained),
        tracking_run_id=None,
    )
