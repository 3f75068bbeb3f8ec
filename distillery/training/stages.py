"""A model through its stages, one by one: rows, a teacher's signal, and a training each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn
from transformers import PreTrainedTokenizerFast

from distillery.data.examples import Example
from distillery.nouns import Epoch
from distillery.objectives.base import Objective
from distillery.signals.teaching import Teaching
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import (
    Collator,
    Pixels,
    Row,
    Rows,
    TeachersIds,
    collator_of,
    tokenized,
)
from distillery.training.trainer import Trained, train

OnEpoch = Callable[[Epoch], None]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Examples and their labels, ``UNLABELLED`` where there is none."""

    texts: Sequence[Example]
    labels: Sequence[float]  # class indices, or scores in the unit they are learned in


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a stage learns from its teacher, and how the rows get to know of it."""

    teaching: Teaching
    logits: Sequence[object] | None = None  # cached ones, a (K, C) tensor a training row
    tokenizer: PreTrainedTokenizerFast | None = None  # the teacher's, where it runs in every step
    projections: nn.Module | None = None


class Curriculum(ABC):
    """Which rows a stage trains on, and who teaches it."""

    max_length: int

    @abstractmethod
    def training(self, stage: Objective) -> Split:
        """What it learns from."""

    @abstractmethod
    def validation(self) -> Split:
        """What its best epoch is chosen by."""

    @abstractmethod
    def lesson(self, stage: Objective, texts: Sequence[Example]) -> Lesson:
        """Asked only for a stage that needs a teacher; ``texts`` are its training rows'."""

    def collator(self, stage: Objective, loaded: LoadedModel, teacher_pad: int) -> Collator:
        """How its rows become batches."""
        return collator_of(loaded, teacher_pad)


def through(
    loaded: LoadedModel,
    stages: Sequence[Objective],
    curriculum: Curriculum,
    *,
    seed: int,
    work: Path,
    on_epoch: OnEpoch,
    epochs_before: float = 0.0,
) -> list[Trained]:
    """Train the model in place. A stage that was killed goes on from its last whole epoch.

    Epochs are counted through all stages, as if it were one training.
    """
    trained: list[Trained] = []
    for number, stage in enumerate(stages):
        training, validation = curriculum.training(stage), curriculum.validation()
        train_rows = _encoded(loaded, training, curriculum.max_length, work)
        validation_rows = _encoded(loaded, validation, curriculum.max_length, work)
        lesson = curriculum.lesson(stage, training.texts) if stage.needs else None
        teacher_pad = 0
        if lesson is not None and lesson.logits is not None:
            train_rows = train_rows.joined_by(teacher_logits=lesson.logits)
        if lesson is not None and lesson.tokenizer is not None:
            teacher_pad = lesson.tokenizer.pad_token_id
            if lesson.tokenizer.get_vocab() != loaded.tokenizer.get_vocab():
                vocabularies = loaded.tokenizer, lesson.tokenizer
                train_rows = train_rows.joined_by(TeachersIds(train_rows, *vocabularies))
                validation_rows = validation_rows.joined_by(
                    TeachersIds(validation_rows, *vocabularies)
                )
        before = trained[-1].history[-1].epoch if trained else epochs_before
        found = train(
            loaded,
            objective=stage,
            teaching=lesson.teaching if lesson else None,
            projections=lesson.projections if lesson else None,
            train_rows=train_rows,
            validation_rows=validation_rows,
            collator=curriculum.collator(stage, loaded, teacher_pad),
            seed=seed,
            work=work / f"stage-{number}",
            on_epoch=partial(_report, on_epoch, before),
        )
        trained.append(
            replace(
                found,
                history=tuple(_after(before, epoch) for epoch in found.history),
                best_epoch=before + found.best_epoch,
            )
        )
    return trained


def _report(on_epoch: OnEpoch, before: float, epoch: Epoch) -> None:
    on_epoch(_after(before, epoch))


def _after(before: float, epoch: Epoch) -> Epoch:
    return epoch.model_copy(update={"epoch": before + epoch.epoch})


def _encoded(loaded: LoadedModel, split: Split, max_length: int, work: Path) -> Rows:
    inputs: Sequence[Row] = (
        Pixels(split.texts)
        if loaded.reads_images
        else tokenized(loaded.tokenizer, split.texts, max_length, work)
    )
    return Rows(inputs, {}).joined_by(labels=split.labels)
