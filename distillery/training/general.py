"""General distillation: a student learns from a pre-trained encoder over text without labels.

Task distillation goes on from there (DistilBERT, Sanh et al. 2019; TinyBERT, Jiao et al. 2020;
MiniLM, Wang et al. 2020). Losses over layers train the student as it is; losses over tokens put a
language model's head on it, which is left out again afterwards.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoModelForMaskedLM, PreTrainedModel, set_seed

from distillery import checkpoints
from distillery.data import corpora
from distillery.data.examples import Example, singles
from distillery.launch import processes
from distillery.nouns import Checkpoint, Corpus
from distillery.objectives.base import UNLABELLED, Objective, Training
from distillery.objectives.masked_language_model import MaskedLanguageModel
from distillery.signals.teaching import LiveTeaching
from distillery.students.base import Student
from distillery.teachers.base import LoadedModel, architecture_of
from distillery.teachers.pretrained import Pretrained
from distillery.training.encoding import Collator, MaskingCollator
from distillery.training.stages import Curriculum, Lesson, OnEpoch, Split, through
from distillery.training.trainer import Trained

_HELD_OUT_SHARE = 0.02


def language_model(
    source: Pretrained,
    corpus: Corpus,
    training: Training,
    *,
    seed: int,
    work: Path,
    on_epoch: OnEpoch,
) -> Checkpoint:
    """The pre-trained encoder with its language model's head.

    Where the checkpoint has none, one is trained on the corpus, the encoder frozen: its
    ``history`` says so, being empty otherwise.
    """
    set_seed(seed)
    loaded, has_head = checkpoints.load_language_model(source.source)
    trained = []
    if not has_head:
        loaded.model.base_model.requires_grad_(False)
        trained = through(
            loaded,
            (MaskedLanguageModel(training=training),),
            _Unlabelled(corpus=corpus, max_length=source.max_length, teacher=None, student=None),
            seed=seed,
            work=work,
            on_epoch=on_epoch,
        )
        loaded.model.requires_grad_(True)
    artifact = processes.once(lambda: checkpoints.save(loaded))
    processes.once(lambda: shutil.rmtree(work, ignore_errors=True))
    return Checkpoint(
        name="language-model",
        role="teacher",
        artifact=artifact,
        seed=seed,
        parameters=checkpoints.parameters(loaded),
        label_names=(),
        max_length=source.max_length,
        parent_digest=None,
        history=tuple(epoch for one in trained for epoch in one.history),
        best_epoch=trained[-1].best_epoch if trained else 0.0,
        training_seconds=sum(one.seconds for one in trained),
        tracking_run_id=None,
    )


def distill_generally(
    student: Student,
    source: Pretrained,
    language_model: Checkpoint | None,
    corpus: Corpus,
    label_names: tuple[str, ...],
    *,
    is_pair: bool,
    seed: int,
    work: Path,
    on_epoch: OnEpoch,
) -> Checkpoint:
    """The student after its general stages; its classification head is untrained.

    ``language_model`` is needed where a stage predicts tokens.
    """
    set_seed(seed)
    texts = singles(corpora.read(corpus))
    teacher = source.build(texts=texts, label_names=label_names)
    loaded = student.build(teacher, texts=texts, is_pair=is_pair)
    trained: list[Trained] = []
    for number, stage in enumerate(student.general):
        carrier, teaches = loaded, teacher
        if stage.predicts == "tokens":
            assert language_model is not None, "the flow makes one where a stage predicts tokens"
            teaches, _ = checkpoints.load_language_model(checkpoints.folder(language_model))
            carrier = _as_language_model(loaded, teaches)
        trained += through(
            carrier,
            (stage,),
            _Unlabelled(
                corpus=corpus, max_length=source.max_length, teacher=teaches, student=student
            ),
            seed=seed,
            work=work / f"general-{number}",
            on_epoch=on_epoch,
            epochs_before=trained[-1].history[-1].epoch if trained else 0.0,
        )
        if carrier is not loaded:
            checkpoints.take_over_encoder(loaded, carrier)
    artifact = processes.once(lambda: checkpoints.save(loaded))
    processes.once(lambda: shutil.rmtree(work, ignore_errors=True))
    return Checkpoint(
        name=f"{student.name}-general",
        role="student",
        artifact=artifact,
        seed=seed,
        parameters=checkpoints.parameters(loaded),
        label_names=label_names,
        max_length=source.max_length,
        parent_digest=None,
        history=tuple(epoch for one in trained for epoch in one.history),
        best_epoch=trained[-1].best_epoch,
        training_seconds=sum(one.seconds for one in trained),
        tracking_run_id=None,
    )


@dataclass(frozen=True, kw_only=True)
class _Unlabelled(Curriculum):
    """A corpus, its last part held out; the teacher runs in every step."""

    corpus: Corpus
    max_length: int
    teacher: LoadedModel | None
    student: Student | None

    def training(self, stage: Objective) -> Split:
        texts = corpora.read(self.corpus)
        return self._without_labels(texts[: len(texts) - self._held_out(texts)])

    def validation(self) -> Split:
        texts = corpora.read(self.corpus)
        return self._without_labels(texts[len(texts) - self._held_out(texts) :])

    def lesson(self, stage: Objective, texts: Sequence[Example]) -> Lesson:
        assert self.teacher is not None
        assert self.student is not None
        theirs = architecture_of(self.teacher.model.config)
        own = self.student.architecture(theirs)
        assert own is not None, "checked before the run: it has layers to compare"
        return Lesson(
            teaching=LiveTeaching(self.teacher, stage.needs),
            tokenizer=self.teacher.tokenizer,
            projections=stage.projections(own, theirs),
        )

    def collator(self, stage: Objective, loaded: LoadedModel, teacher_pad: int) -> Collator:
        if stage.predicts == "tokens":
            return MaskingCollator(loaded.tokenizer)
        return super().collator(stage, loaded, teacher_pad)

    @staticmethod
    def _held_out(texts: Sequence[Example]) -> int:
        return max(1, round(len(texts) * _HELD_OUT_SHARE))

    @staticmethod
    def _without_labels(texts: Sequence[Example]) -> Split:
        return Split(texts=texts, labels=[UNLABELLED] * len(texts))


def _as_language_model(student: LoadedModel, teacher: LoadedModel) -> LoadedModel:
    """The student's encoder under a copy of the teacher's head, as far as the widths agree."""
    model: PreTrainedModel = AutoModelForMaskedLM.from_config(  # type: ignore[no-untyped-call]
        student.model.base_model.config
    )
    own = model.state_dict()
    head = {
        name: weight
        for name, weight in teacher.model.state_dict().items()
        if not name.startswith(f"{teacher.model.base_model_prefix}.")
        and name in own
        and own[name].shape == weight.shape
    }
    model.load_state_dict(head, strict=False)
    made = LoadedModel(model=model, tokenizer=student.tokenizer)
    checkpoints.take_over_encoder(made, student)
    return made
