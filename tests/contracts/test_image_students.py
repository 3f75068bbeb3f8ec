"""What holds for every student that reads images, found by walking distillery/students."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import pytest
import torch
from transformers import set_seed

import distillery.students
from distillery import checkpoints, evaluation, storage
from distillery.data import preparation
from distillery.export import candidates
from distillery.export.quantization.int8 import Int8
from distillery.nouns import Checkpoint, Dataset
from distillery.objectives.base import Training
from distillery.objectives.soft_targets import SoftTargets
from distillery.recipe import Export
from distillery.runtimes.opening import open_engine
from distillery.signals import soft_labels
from distillery.students.images import ImageStudent
from distillery.teachers.base import LoadedModel
from distillery.teachers.cnn import CnnTeacher
from distillery.training import distillation
from distillery.training.encoding import collator_of, inputs_of

_NEEDED: dict[str, dict[str, Any]] = {
    "MlpStudent": {"hidden_sizes": (24,)},
    "MlpPeers": {"hidden_sizes": (24,)},
    "SoftTreeStudent": {"depth": 3},
}
_TRAINING = Training(epochs=4, learning_rate=2e-2, batch_size=16, patience_epochs=4)


def _found() -> list[type[ImageStudent]]:
    for module in pkgutil.iter_modules(distillery.students.__path__):
        importlib.import_module(f"{distillery.students.__name__}.{module.name}")
    found: list[type[ImageStudent]] = []
    waiting: list[type[ImageStudent]] = [ImageStudent]  # type: ignore[type-abstract]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        if not inspect.isabstract(one):
            found.append(one)
    return sorted(found, key=lambda one: one.__name__)


def _with_training(student: ImageStudent) -> ImageStudent:
    stages = tuple(stage.model_copy(update={"training": _TRAINING}) for stage in student.task)
    return student.model_copy(update={"task": stages})


STUDENTS = [_with_training(one(name="tiny", **_NEEDED.get(one.__name__, {}))) for one in _found()]
every = pytest.mark.parametrize("student", STUDENTS, ids=lambda one: type(one).__name__)
TEACHER = CnnTeacher(
    channels=(8, 16),
    hidden_size=64,
    dropout=0.1,
    training=Training(epochs=6, learning_rate=5e-3, batch_size=16, patience_epochs=6),
)


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "colour"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, Checkpoint]:
    """A data set and a teacher that knows it."""
    folder = tmp_path_factory.mktemp("images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(folder / "storage"))
        dataset = pictures.make_dataset(folder / "source", train=160, channels=request.param)
        teacher = distillation.fine_tune(
            TEACHER, dataset, name="teacher", seed=1, work=folder / "work", on_epoch=lambda _: None
        )
    return dataset, teacher


@pytest.fixture(autouse=True)
def _same_storage(trained: tuple[Dataset, Checkpoint], monkeypatch: pytest.MonkeyPatch) -> None:
    # module-scoped artifacts, found again by each test
    monkeypatch.setenv("DISTILLERY_STORAGE", str(_ROOTS[trained[0].source]))


_ROOTS: dict[str, Path] = {}


@pytest.fixture(scope="module", autouse=True)
def _remember_storage(trained: tuple[Dataset, Checkpoint]) -> None:
    _ROOTS[trained[0].source] = Path(trained[0].source).parent / "storage"


@pytest.fixture
def teacher(trained: tuple[Dataset, Checkpoint]) -> LoadedModel:
    return checkpoints.load(trained[1])


def _build(student: ImageStudent, teacher: LoadedModel) -> LoadedModel:
    """What would be kept of it, before its first step."""
    return student.finished(student.build(teacher, texts=(), is_pair=False))


def _logits(loaded: LoadedModel) -> torch.Tensor:
    _, _, C = loaded.model.config.image_shape
    rows = inputs_of(loaded, pictures.pictures(5, channels=C)[0], 0)
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logits: torch.Tensor = loaded.model(**collator_of(loaded)(rows)).logits
    return logits


def test_the_walk_finds_those_that_are_there() -> None:
    assert {"MlpPeers", "MlpStudent", "SoftTreeStudent"} <= {type(one).__name__ for one in STUDENTS}


@every
def test_it_answers_in_the_teachers_labels(student: ImageStudent, teacher: LoadedModel) -> None:
    built = _build(student, teacher)
    assert _logits(built).shape == (5, len(pictures.LABELS))
    assert torch.isfinite(_logits(built)).all()
    assert built.model.config.id2label == teacher.model.config.id2label
    assert built.reads_images


@every
def test_it_normalizes_as_the_teacher_does(student: ImageStudent, teacher: LoadedModel) -> None:
    own, theirs = _build(student, teacher).model.state_dict(), teacher.model.state_dict()
    for name in ("normalized.scale", "normalized.offset"):
        torch.testing.assert_close(own[name], theirs[name])


@every
def test_it_is_smaller_and_as_large_as_planned(student: ImageStudent, teacher: LoadedModel) -> None:
    built = _build(student, teacher)
    assert checkpoints.parameters(built) < checkpoints.parameters(teacher)
    planned = type(built.model)(student.config(teacher.model.config, is_pair=False))
    assert checkpoints.parameters(built) == sum(w.numel() for w in planned.parameters())
    assert student.architecture(TEACHER.architecture()) is None
    assert built.model.config.num_hidden_layers == 0


@every
def test_saved_and_loaded_it_answers_the_same(student: ImageStudent, teacher: LoadedModel) -> None:
    built = _build(student, teacher)
    artifact = checkpoints.save(built)
    loaded = checkpoints.load_folder(storage.fetch(artifact))
    assert torch.equal(_logits(loaded), _logits(built))
    suffixes = {path.suffix for path in storage.fetch(artifact).iterdir()}
    assert suffixes == {".safetensors", ".json"}  # no tokenizer, nothing pickled


@every
def test_its_control_starts_alike_and_learns_from_labels_alone(
    student: ImageStudent, teacher: LoadedModel
) -> None:
    control = student.as_control()
    assert control.name != student.name
    assert not any(stage.needs for stage in control.task)
    assert [stage.training for stage in control.task] == [stage.training for stage in student.task]
    hotter = SoftTargets(temperature=9, training=_TRAINING)
    cooler = SoftTargets(temperature=2, training=_TRAINING)
    one, other = (student.model_copy(update={"task": (stage,)}) for stage in (hotter, cooler))
    assert one.as_control() == other.as_control()
    set_seed(5)
    start = _build(student, teacher).model.state_dict()
    set_seed(5)
    controls = _build(control, teacher).model.state_dict()
    assert all(torch.equal(start[name], controls[name]) for name in start)


@every
@pytest.mark.parametrize("as_control", [False, True], ids=["distilled", "control"])
def test_trained_exported_and_quantized_it_still_knows(
    student: ImageStudent,
    as_control: bool,
    trained: tuple[Dataset, Checkpoint],
    tmp_path: Path,
) -> None:
    dataset, teacher = trained
    train, _ = preparation.read(dataset, "train")
    learner = student.as_control() if as_control else student
    checkpoint = distillation.distill(
        learner,
        teacher,
        () if as_control else [soft_labels.compute(teacher, train, dataset.digest)],
        dataset,
        None,
        start=None,
        role="control" if as_control else "student",
        seed=1,
        work=tmp_path / "work",
        on_epoch=lambda _: None,
    )
    assert len(checkpoint.history) == 4
    assert checkpoint.max_length == 0
    validation, _ = preparation.read(dataset, "validation")
    reference = candidates.pytorch_candidate(checkpoint, is_pair=False)
    fp32 = candidates.fp32_candidate(checkpoint, validation, Export(), is_pair=False)
    int8 = candidates.quantized_candidate(
        fp32, Int8(), validation, validation, Export(quantized_max_label_flip_rate=0.2), ()
    )
    H, W, C = dataset.image_shape or (0, 0, 0)
    for candidate in (fp32, int8):
        assert candidate.parity_failure is None
        shapes = [shape for one in candidate.parities for shape in one.shapes]
        assert {pixels for _, pixels in shapes} == {H * W * C}
    for candidate in (reference, fp32, int8):
        assert evaluation.evaluate(candidate, dataset).merit > 0.8, candidate.name
    engine = open_engine(storage.fetch(fp32.artifact), "onnxruntime")
    assert engine.card.kind == "image"
    assert engine.card.image_shape == dataset.image_shape
    with pytest.raises(ValueError, match="resize it"):
        engine.predict(_of_another_size(C))


def _of_another_size(channels: int) -> list[Any]:
    from distillery.runtimes.images import Image

    return [Image(np.zeros((4, 5, channels), dtype=np.uint8))]
