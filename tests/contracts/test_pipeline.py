"""Every loss and every student, really: two steps of training, ONNX, int8, predictions."""

import math
import types
import typing
from pathlib import Path
from typing import Any

import pictures
import pytest
import torch
from export import tiny

from distillery import checkpoints, evaluation, storage
from distillery.augmentation.base import Augmentation
from distillery.augmentation.corpus import augment
from distillery.data import corpora, preparation
from distillery.export import candidates
from distillery.export.quantization.int8 import Int8
from distillery.nouns import Checkpoint, Corpus, Dataset, SoftLabels
from distillery.objectives.base import Objective, Training
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.soft_targets import SoftTargets
from distillery.recipe import AnyAugmentation, AnyStudent, Data, Export
from distillery.signals import soft_labels as cache
from distillery.students.base import GeneralObjective, Student, TaskObjective, Trimming
from distillery.students.early_exits import EarlyExits
from distillery.students.from_layers import FromLayers
from distillery.students.narrow import Narrow
from distillery.students.peers import Peers
from distillery.teachers.cnn import CnnTeacher
from distillery.teachers.pretrained import Pretrained
from distillery.training import distillation, general

_TRAINING = Training(epochs=1, batch_size=8, learning_rate=1e-3)
_SETTINGS: dict[str, dict[str, Any]] = {
    "FromLayers": {"layers": (1,), "trimming": Trimming()},
    "Narrow": {"layers": 1, "hidden_size": 16, "heads": 4, "intermediate_size": 24},
    "BiLstm": {"embedding_size": 12, "hidden_size": 8, "fully_connected_size": 8},
    "EarlyExits": {"layers": (0, 1), "exits": (1,)},
    "Peers": {"layers": ((1,), (0,))},
    "MiniLmRelations": {"relation_heads": 4},
    "TinyBertLayers": {},
}
_EXPORT = Export(parity_rows=8, fp32_max_abs_logit_difference=1e-2, quantized_max_label_flip_rate=1)


def _members(union: Any) -> list[type]:
    """The classes of ``Annotated[A | B, …]``."""
    inside = typing.get_args(union)[0]
    return list(typing.get_args(inside)) if isinstance(inside, types.UnionType) else [inside]


def _reading(kind: str, union: Any) -> list[type]:
    return [one for one in _members(union) if getattr(one, "reads", "") == kind]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator["World"]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(tmp_path_factory.mktemp("store")))
        yield World(tmp_path_factory.mktemp("world"))


class World:
    """A data set, a fine-tuned teacher of four layers, its soft labels, and text beside."""

    def __init__(self, folder: Path) -> None:
        lines = ["text,label"] + [
            f"{text} {word},{word}"
            for text in tiny.TEXTS[:12]
            for word in ("money", "bank", "weather")
        ]
        (folder / "rows.csv").write_text("\n".join(dict.fromkeys(lines)))
        data = Data(source=str(folder / "rows.csv"))
        self.dataset: Dataset = preparation.store(preparation.load(data), data, "toy")
        self.source = Pretrained(
            source=str(tiny.save_checkpoint(folder / "encoder")), max_length=24, training=_TRAINING
        )
        self.folder = folder
        self.teacher: Checkpoint = distillation.fine_tune(
            self.source,
            self.dataset,
            name="teacher",
            seed=1,
            work=storage.work("teacher"),
            on_epoch=lambda _: None,
        )
        self.corpus: Corpus = corpora.store(
            [f"please {text}" for text in tiny.TEXTS], is_pair=False, origin="made up"
        )
        self.soft_labels = self.said()

    def said(self) -> list[SoftLabels]:
        """By the teacher, of the training rows and of the corpus."""
        texts, _ = preparation.read(self.dataset, "train")
        return [
            cache.compute(self.teacher, texts, self.dataset.digest),
            cache.compute(self.teacher, corpora.read(self.corpus), self.corpus.digest),
        ]

    def distilled(self, student: Student, start: Checkpoint | None = None) -> Checkpoint:
        return distillation.distill(
            student,
            self.teacher,
            self.soft_labels,
            self.dataset,
            self.corpus,
            start=start,
            role="student",
            seed=1,
            work=storage.work(f"work-{student.name}"),
            on_epoch=lambda _: None,
        )

    def runs_everywhere(self, checkpoint: Checkpoint) -> None:
        """Through ONNX and int8, and every test row gets an answer."""
        texts, _ = preparation.read(self.dataset, "validation")
        fp32 = candidates.fp32_candidate(checkpoint, texts, _EXPORT, is_pair=False)
        assert fp32.parity_failure is None
        int8 = candidates.quantized_candidate(fp32, Int8(), texts, texts, _EXPORT, ())
        assert int8.parity_failure is None
        for candidate in (fp32, int8):
            quality = evaluation.evaluate(candidate, self.dataset)
            assert len(quality.predictions) == self.dataset.test.rows


class ImageWorld(World):
    """A data set of images, its teacher, and images made of the training ones."""

    def __init__(self, folder: Path, kind: type[Augmentation]) -> None:
        self.dataset = pictures.make_dataset(folder / "source", train=40)
        self.teacher = distillation.fine_tune(
            CnnTeacher(channels=(4,), hidden_size=8, training=_TRAINING),
            self.dataset,
            name="teacher",
            seed=1,
            work=storage.work("image-teacher"),
            on_epoch=lambda _: None,
        )
        made = augment(
            [kind()],
            preparation.read(self.dataset, "train")[0],
            preparation.read(self.dataset, "validation")[0],
            teacher=checkpoints.load(self.teacher),
            seed=1,
            work=folder / "shards",
        )
        self.corpus = corpora.store(
            made.texts, is_pair=False, image_shape=self.dataset.image_shape, origin="made"
        )
        self.soft_labels = self.said()


@pytest.mark.parametrize("objective", _members(TaskObjective), ids=lambda one: one.__name__)
def test_every_loss_of_a_task(objective: type[Objective], world: World) -> None:
    stage: Any = objective(
        training=_TRAINING, rows="augmented", **_SETTINGS.get(objective.__name__, {})
    )
    student = FromLayers(
        name=f"by-{objective.__name__.lower()}",
        layers=(0, 1),
        trimming=Trimming(),
        task=(stage, HardLabels(training=_TRAINING)),
    )
    checkpoint = world.distilled(student)
    assert len(checkpoint.history) == 2
    world.runs_everywhere(checkpoint)


@pytest.mark.parametrize(
    "student",
    _reading("text", AnyStudent),
    ids=lambda one: one.__name__,
)
def test_every_student(student: type[Student], world: World) -> None:
    settings = _SETTINGS.get(student.__name__, {})
    if student.__name__ == "PretrainedStudent":
        settings = {"source": world.source.source, "layers": (0,)}
    made = student(
        name=f"a-{student.__name__.lower()}",
        task=(SoftTargets(training=_TRAINING),),
        **settings,
    )
    world.runs_everywhere(world.distilled(made))
    control = world.distilled(made.as_control())
    assert control.digest != world.teacher.digest


@pytest.fixture(
    scope="module", params=_reading("image", AnyAugmentation), ids=lambda one: one.__name__
)
def images(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> ImageWorld:
    return ImageWorld(tmp_path_factory.mktemp("images"), request.param)


@pytest.mark.parametrize("student", _reading("image", AnyStudent), ids=lambda one: one.__name__)
def test_every_student_learns_from_every_way_to_make_more_images(
    student: type[Student], images: ImageWorld
) -> None:
    made = student(name=f"a-{student.__name__.lower()}")

    def learned(rows: str) -> Checkpoint:
        changes = {"training": _TRAINING, "rows": rows}
        stages = tuple(stage.model_copy(update=changes) for stage in made.task)
        return images.distilled(made.model_copy(update={"task": stages}))

    from_more = learned("augmented")
    assert from_more.digest != learned("train").digest
    images.runs_everywhere(from_more)


@pytest.mark.parametrize("objective", _members(GeneralObjective), ids=lambda one: one.__name__)
def test_every_loss_of_general_distillation(objective: type[Objective], world: World) -> None:
    stage: Any = objective(training=_TRAINING, **_SETTINGS.get(objective.__name__, {}))
    student: Student
    if stage.predicts == "tokens":  # the same width as its teacher
        student = FromLayers(
            name="general", layers=(0,), general=(stage,), task=(HardLabels(training=_TRAINING),)
        )
    else:
        student = Narrow(
            name="general",
            general=(stage,),
            trimming=Trimming(),
            task=(HardLabels(training=_TRAINING),),
            **_SETTINGS["Narrow"],
        )
    language_model = general.language_model(
        world.source,
        world.corpus,
        _TRAINING,
        seed=1,
        work=storage.work("head"),
        on_epoch=lambda _: None,
    )
    assert language_model.history, "a classifier's checkpoint has no such head: it is trained"
    start = general.distill_generally(
        student.before_its_task(),
        world.source,
        language_model,
        world.corpus,
        world.dataset.label_names,
        is_pair=False,
        seed=1,
        work=storage.work("general"),
        on_epoch=lambda _: None,
    )
    assert all(epoch.validation_accuracy is None for epoch in start.history)
    checkpoint = world.distilled(student, start)
    assert checkpoint.parent_digest == start.digest
    assert checkpoint.digest != world.distilled(student).digest, "what it learned goes on with it"
    world.runs_everywhere(checkpoint)


@pytest.mark.parametrize("objective", _members(TaskObjective), ids=lambda one: one.__name__)
def test_every_loss_of_a_task_under_mixed_precision(
    objective: type[Objective], world: World
) -> None:
    """bf16 on the CPU: the loss stays a number, weights stay float32, nothing is left behind."""
    half = _TRAINING.model_copy(update={"precision": "bf16"})
    stage: Any = objective(training=half, rows="augmented", **_SETTINGS.get(objective.__name__, {}))
    checkpoint = world.distilled(FromLayers(name="half", layers=(0, 1), task=(stage,)))
    full = world.distilled(
        FromLayers(
            name="full",
            layers=(0, 1),
            task=(stage.model_copy(update={"training": _TRAINING}),),
        )
    )
    (own,), (other,) = checkpoint.history, full.history
    assert own.train_loss == pytest.approx(other.train_loss, rel=0.05)
    assert own.validation_loss == pytest.approx(other.validation_loss, rel=0.05)
    assert own.train_loss != other.train_loss, "it was fp32"
    weights = checkpoints.load(checkpoint).model.state_dict().values()
    assert all(weight.isfinite().all() for weight in weights)
    assert {weight.dtype for weight in weights if weight.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("kind", [EarlyExits, Peers], ids=lambda one: one.__name__)
def test_students_of_several_outputs_under_mixed_precision(
    kind: type[Student], world: World
) -> None:
    half = Training(epochs=1, batch_size=8, precision="bf16")
    made = kind(name="half", **_SETTINGS[kind.__name__])
    stages = tuple(stage.model_copy(update={"training": half}) for stage in made.task)
    checkpoint = world.distilled(made.model_copy(update={"task": stages}))
    assert all(math.isfinite(epoch.train_loss) for epoch in checkpoint.history)


def test_epochs_are_counted_through_all_stages(world: World) -> None:
    student = FromLayers(
        name="by-stages",
        layers=(0,),
        task=(
            SoftTargets(training=Training(epochs=2, batch_size=8)),
            HardLabels(training=_TRAINING),
        ),
    )
    seen: list[float] = []
    checkpoint = distillation.distill(
        student,
        world.teacher,
        world.soft_labels,
        world.dataset,
        None,
        start=None,
        role="student",
        seed=1,
        work=storage.work("by-stages"),
        on_epoch=lambda epoch: seen.append(epoch.epoch),
    )
    assert seen == [epoch.epoch for epoch in checkpoint.history] == [1, 2, 3]
    assert checkpoint.best_epoch == 3, "of the last stage: that is what is kept"
