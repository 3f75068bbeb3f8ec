"""The trainings of a run: the teacher, and students from its signal or, as controls, without."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from transformers import set_seed

from distillery import checkpoints, preparation, signals
from distillery.encoding import Row, encode
from distillery.nouns import Checkpoint, Dataset, Epoch, Role, SoftLabels
from distillery.objectives.base import Objective
from distillery.students.base import Student
from distillery.teachers.base import LoadedModel, TeacherSource
from distillery.training import train

OnEpoch = Callable[[Epoch], None]


def fine_tune(
    teacher: TeacherSource, dataset: Dataset, *, seed: int, work: Path, on_epoch: OnEpoch
) -> Checkpoint:
    """The teacher: trained where its source says so, else taken as it is."""
    texts, _ = preparation.read(dataset, "train")
    singles = [part for text in texts for part in ((text,) if isinstance(text, str) else text)]
    set_seed(seed)
    loaded = teacher.build(texts=singles, label_names=dataset.label_names)
    stages = (teacher.fine_tuning,) if teacher.fine_tuning else ()
    return _through_stages(
        loaded,
        stages=stages,
        dataset=dataset,
        name="teacher",
        role="teacher",
        max_length=teacher.max_length,
        parent=None,
        soft_labels=None,
        seed=seed,
        work=work,
        on_epoch=on_epoch,
    )


def distill(
    student: Student,
    teacher: Checkpoint,
    soft_labels: SoftLabels | None,
    dataset: Dataset,
    *,
    role: Literal["student", "control"],
    seed: int,
    work: Path,
    on_epoch: OnEpoch,
) -> Checkpoint:
    """A student, through its task stages. A control needs no soft labels."""
    set_seed(seed)
    return _through_stages(
        student.build(checkpoints.load(teacher)),
        stages=student.task,
        dataset=dataset,
        name=student.name,
        role=role,
        max_length=teacher.max_length,
        parent=teacher,
        soft_labels=soft_labels,
        seed=seed,
        work=work,
        on_epoch=on_epoch,
    )


def _through_stages(
    loaded: LoadedModel,
    *,
    stages: Sequence[Objective],
    dataset: Dataset,
    name: str,
    role: Role,
    max_length: int,
    parent: Checkpoint | None,
    soft_labels: SoftLabels | None,
    seed: int,
    work: Path,
    on_epoch: OnEpoch,
) -> Checkpoint:
    history: list[Epoch] = []
    seconds = best_epoch = 0.0
    validation_rows = _rows(loaded, dataset, "validation", max_length)
    train_rows = _rows(loaded, dataset, "train", max_length)
    for number, stage in enumerate(stages):
        rows = train_rows
        if stage.needs_teacher:
            if parent is None or soft_labels is None:
                raise ValueError(f"{name}: {type(stage).__name__} needs a teacher's signal")
            texts, _ = preparation.read(dataset, "train")
            logits = signals.cached_logits(soft_labels, parent, texts)
            rows = [
                {**row, "teacher_logits": logit}
                for row, logit in zip(train_rows, logits, strict=True)
            ]
        trained = train(
            loaded,
            objective=stage,
            train_rows=rows,
            validation_rows=validation_rows,
            seed=seed,
            work=work / f"stage-{number}",
            on_epoch=on_epoch,
        )
        best_epoch = len(history) + trained.best_epoch
        history.extend(trained.history)
        seconds += trained.seconds
    artifact = checkpoints.save(loaded)
    shutil.rmtree(work, ignore_errors=True)
    return Checkpoint(
        name=name,
        role=role,
        artifact=artifact,
        seed=seed,
        parameters=checkpoints.parameters(loaded),
        label_names=dataset.label_names,
        max_length=max_length,
        parent_digest=parent.digest if parent else None,
        history=tuple(history),
        best_epoch=best_epoch,
        training_seconds=seconds,
        tracking_run_id=None,
    )


def _rows(loaded: LoadedModel, dataset: Dataset, split: str, max_length: int) -> list[Row]:
    texts, labels = preparation.read(dataset, split)
    encoded = encode(loaded.tokenizer, texts, max_length)
    return [{**row, "labels": label} for row, label in zip(encoded, labels, strict=True)]
