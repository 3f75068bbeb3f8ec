"""What holds for every student in distillery/students, found by walking the folder."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch
from factories import make_checkpoint, make_teacher
from transformers import set_seed

import distillery.students
from distillery import checkpoints
from distillery.encoding import Collator, encode
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.soft_targets import SoftTargets
from distillery.students.base import Student
from distillery.teachers.base import LoadedModel

# settings of those that cannot do without any, in their smallest form
_NEEDED: dict[str, dict[str, Any]] = {"FromLayers": {"layers": (1,)}}
_STAGES = (
    SoftTargets(temperature=3, training=Training(epochs=2)),
    HardLabels(training=Training(epochs=5, learning_rate=1e-4)),
)


def _found() -> list[type[Student]]:
    for module in pkgutil.iter_modules(distillery.students.__path__):
        importlib.import_module(f"{distillery.students.__name__}.{module.name}")
    found: list[type[Student]] = []
    waiting: list[type[Student]] = [Student]  # type: ignore[type-abstract]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        if not inspect.isabstract(one):
            found.append(one)
    return sorted(found, key=lambda one: one.__name__)


STUDENTS = _found()
every = pytest.mark.parametrize(
    "student",
    [one(name="tiny", task=_STAGES, **_NEEDED.get(one.__name__, {})) for one in STUDENTS],
    ids=lambda student: type(student).__name__,
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"))


def _logits(loaded: LoadedModel) -> torch.Tensor:
    rows = encode(loaded.tokenizer, ["move my money", "to the bank now please", "weather"], 16)
    batch = Collator(loaded.tokenizer.pad_token_id)(rows)
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logits: torch.Tensor = loaded.model(**batch).logits
    return logits


def test_the_walk_finds_those_that_are_there() -> None:
    assert "FromLayers" in {one.__name__ for one in STUDENTS}


@every
def test_it_answers_in_the_teachers_labels(student: Student, teacher: LoadedModel) -> None:
    built = student.build(teacher)
    logits = _logits(built)
    assert logits.shape == (3, teacher.model.config.num_labels)
    assert torch.isfinite(logits).all()
    assert built.model.config.id2label == teacher.model.config.id2label


@every
def test_it_is_smaller_and_as_large_as_planned(student: Student, teacher: LoadedModel) -> None:
    built = student.build(teacher)
    assert checkpoints.parameters(built) < checkpoints.parameters(teacher)
    planned = type(built.model)(student.config(teacher.model.config))
    assert sum(w.numel() for w in planned.parameters()) == checkpoints.parameters(built)


@every
@pytest.mark.usefixtures("storage_root")
def test_saved_and_loaded_it_answers_the_same(student: Student, teacher: LoadedModel) -> None:
    built = student.build(teacher)
    artifact = checkpoints.save(built)
    loaded = checkpoints.load(make_checkpoint(artifact=artifact))
    assert not loaded.model.training
    assert torch.equal(_logits(loaded), _logits(built))


@every
@pytest.mark.usefixtures("storage_root")
def test_nothing_is_pickled(student: Student, teacher: LoadedModel, storage_root: Path) -> None:
    artifact = checkpoints.save(student.build(teacher))
    suffixes = {path.suffix for path in (storage_root / artifact.uri).iterdir()}
    assert ".safetensors" in suffixes
    assert not suffixes & {".bin", ".pt", ".pth", ".pkl"}


@every
def test_its_control_starts_alike_and_learns_from_labels_alone(
    student: Student, teacher: LoadedModel
) -> None:
    control = student.as_control()
    assert control.name != student.name
    assert not any(stage.needs_teacher for stage in control.task)
    # as long and as fast, stage by stage: only the signal differs
    assert [stage.training for stage in control.task] == [stage.training for stage in student.task]
    set_seed(5)
    start = student.build(teacher).model.state_dict()
    set_seed(5)
    controls = control.build(teacher).model.state_dict()
    assert start.keys() == controls.keys()
    assert all(torch.equal(start[name], controls[name]) for name in start)


@every
def test_its_control_depends_on_no_loss(student: Student) -> None:
    hotter = SoftTargets(temperature=9, weight_ce=0.5, training=student.task[0].training)
    other = student.model_copy(update={"task": (hotter, *student.task[1:])})
    assert other.as_control() == student.as_control()


@every
def test_its_settings_survive_json(student: Student) -> None:
    assert type(student).model_validate_json(student.model_dump_json()) == student
    assert student.model_dump()["kind"]  # the tag that recipes choose by
