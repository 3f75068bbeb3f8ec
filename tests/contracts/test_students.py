"""What holds for every student in distillery/students, found by walking the folder."""

import atexit
import importlib
import inspect
import pkgutil
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from export import tiny
from factories import make_checkpoint, make_teacher
from transformers import set_seed

import distillery.students
from distillery import checkpoints
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.soft_targets import SoftTargets
from distillery.students.base import Student
from distillery.teachers.base import LoadedModel, architecture_of
from distillery.training.encoding import Collator, encode

_ENCODER = Path(tempfile.mkdtemp(prefix="encoder-"))
atexit.register(shutil.rmtree, _ENCODER, ignore_errors=True)
tiny.save_checkpoint(_ENCODER / "encoder")

# settings of those that cannot do without any, in their smallest form
_NEEDED: dict[str, dict[str, Any]] = {
    "BiLstm": {
        "embedding_size": 16,
        "hidden_size": 12,
        "fully_connected_size": 16,
        "vocabulary_size": 128,
    },
    "EarlyExits": {"layers": (0, 1), "exits": (1,)},
    "FromLayers": {"layers": (1,)},
    "Narrow": {"layers": 2, "hidden_size": 16, "heads": 2, "intermediate_size": 32},
    "Peers": {"layers": ((1,),)},
    # its folder is made once for all tests of this file
    "PretrainedStudent": {"source": str(_ENCODER / "encoder")},
}
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
    [
        one(name="tiny", task=_STAGES, **_NEEDED.get(one.__name__, {}))
        for one in STUDENTS
        if one.reads == "text"  # test_image_students.py holds the others to the same
    ],
    ids=lambda student: type(student).__name__,
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"))


TEXTS = ["move my money", "to the bank now please", "weather"]
PAIRS = [("move my money", "weather"), ("bank", "to the bank now please"), ("now", "now")]
kinds = pytest.mark.parametrize("is_pair", [False, True], ids=["texts", "pairs"])


def _build(student: Student, teacher: LoadedModel, *, is_pair: bool = False) -> LoadedModel:
    """What is kept of it, before its first step."""
    return student.finished(student.build(teacher, texts=tiny.TEXTS, is_pair=is_pair))


def _logits(loaded: LoadedModel, *, is_pair: bool = False) -> torch.Tensor:
    rows = encode(loaded.tokenizer, PAIRS if is_pair else TEXTS, 16)
    batch = Collator(loaded.tokenizer.pad_token_id)(rows)
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logits: torch.Tensor = loaded.model(**batch).logits
    return logits


def test_the_walk_finds_those_that_are_there() -> None:
    assert {"BiLstm", "FromLayers", "Peers"} <= {one.__name__ for one in STUDENTS}


@every
@kinds
def test_it_answers_in_the_teachers_labels(
    student: Student, is_pair: bool, teacher: LoadedModel
) -> None:
    built = _build(student, teacher, is_pair=is_pair)
    logits = _logits(built, is_pair=is_pair)
    assert logits.shape == (3, teacher.model.config.num_labels)
    assert torch.isfinite(logits).all()
    assert built.model.config.id2label == teacher.model.config.id2label


@every
@kinds
def test_it_is_smaller_and_as_large_as_planned(
    student: Student, is_pair: bool, teacher: LoadedModel
) -> None:
    built = _build(student, teacher, is_pair=is_pair)
    assert checkpoints.parameters(built) < checkpoints.parameters(teacher)
    plan = student.config(teacher.model.config, is_pair=is_pair)
    # a vocabulary that is learned may come out smaller than it may be
    assert built.model.config.vocab_size <= plan.vocab_size
    plan.vocab_size = built.model.config.vocab_size
    planned = type(built.model)(plan)
    assert sum(w.numel() for w in planned.parameters()) == checkpoints.parameters(built)


@every
def test_its_architecture_is_that_of_what_it_builds(student: Student, teacher: LoadedModel) -> None:
    told = student.architecture(architecture_of(teacher.model.config))
    config = _build(student, teacher).model.config
    if told is not None:
        assert architecture_of(config) == told


@every
def test_its_tokens_have_a_row_each(student: Student, teacher: LoadedModel) -> None:
    built = _build(student, teacher)
    assert built.model.config.vocab_size >= len(built.tokenizer)
    assert built.model.config.pad_token_id == built.tokenizer.pad_token_id


@every
@pytest.mark.usefixtures("storage_root")
def test_saved_and_loaded_it_answers_the_same(student: Student, teacher: LoadedModel) -> None:
    built = _build(student, teacher)
    artifact = checkpoints.save(built)
    loaded = checkpoints.load(make_checkpoint(artifact=artifact))
    assert not loaded.model.training
    assert torch.equal(_logits(loaded), _logits(built))


@every
@pytest.mark.usefixtures("storage_root")
def test_nothing_is_pickled(student: Student, teacher: LoadedModel, storage_root: Path) -> None:
    artifact = checkpoints.save(_build(student, teacher))
    suffixes = {path.suffix for path in (storage_root / artifact.uri).iterdir()}
    assert ".safetensors" in suffixes
    assert not suffixes & {".bin", ".pt", ".pth", ".pkl"}


@every
def test_its_control_starts_alike_and_learns_from_labels_alone(
    student: Student, teacher: LoadedModel
) -> None:
    control = student.as_control()
    assert control.name != student.name
    assert not any(stage.needs for stage in control.task)
    # as long and as fast, stage by stage: only the signal differs
    assert [stage.training for stage in control.task] == [stage.training for stage in student.task]
    set_seed(5)
    start = _build(student, teacher).model.state_dict()
    set_seed(5)
    controls = _build(control, teacher).model.state_dict()
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
