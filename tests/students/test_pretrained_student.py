"""A student that is pre-trained itself, against its source."""

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from export import tiny
from factories import make_teacher
from transformers import AutoModel

from distillery import checkpoints
from distillery.errors import UserError
from distillery.students.pretrained import PretrainedStudent
from distillery.teachers.base import LoadedModel, architecture_of
from distillery.training.encoding import Collator, encode

_POOLINGS: tuple[Literal["first_token", "mean"], ...] = ("first_token", "mean")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_checkpoint(tmp_path_factory.mktemp("source"), "roberta")


def _student(source: Path | str, **settings: Any) -> PretrainedStudent:
    return PretrainedStudent(name="small", source=str(source), **settings)


def _states(model: Any) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        outputs = model.eval()(input_ids=torch.tensor([[5, 6, 7]]), output_hidden_states=True)
    states: tuple[torch.Tensor, ...] = outputs.hidden_states
    return states


@pytest.mark.parametrize("pooling", _POOLINGS)
def test_it_is_its_source_under_a_head_for_the_teachers_labels(
    teacher: LoadedModel, source: Path, pooling: Literal["first_token", "mean"]
) -> None:
    student = _student(source, pooling=pooling)
    built = student.build(teacher, texts=(), is_pair=False)
    assert built.model.config.id2label == teacher.model.config.id2label
    expected = _states(AutoModel.from_pretrained(source))
    for found, theirs in zip(_states(built.model.base_model), expected, strict=True):
        torch.testing.assert_close(found, theirs)
    planned = student.config(teacher.model.config, is_pair=False)
    assert planned.id2label == teacher.model.config.id2label
    as_planned = LoadedModel(model=type(built.model)(planned), tokenizer=built.tokenizer)
    assert checkpoints.parameters(as_planned) == checkpoints.parameters(built)
    shape = student.architecture(architecture_of(teacher.model.config))
    assert shape == architecture_of(built.model.config)


@pytest.mark.parametrize("pooling", _POOLINGS)
def test_chosen_layers_are_the_sources(
    teacher: LoadedModel, source: Path, pooling: Literal["first_token", "mean"]
) -> None:
    student = _student(source, pooling=pooling, layers=(1,))
    built = student.build(teacher, texts=(), is_pair=False)
    planned = student.config(teacher.model.config, is_pair=False)
    assert built.model.config.num_hidden_layers == planned.num_hidden_layers == 1
    assert student.architecture(architecture_of(teacher.model.config)).layers == 1
    expected: Any = AutoModel.from_pretrained(source)
    del expected.encoder.layer[0]
    torch.testing.assert_close(_states(built.model.base_model)[-1], _states(expected)[-1])


@pytest.mark.usefixtures("storage_root")
@pytest.mark.parametrize("layers", [None, (1,)])
def test_saved_and_loaded_it_answers_the_same_with_its_own_tokenizer(
    teacher: LoadedModel, source: Path, layers: tuple[int, ...] | None, storage_root: Path
) -> None:
    built = _student(source, layers=layers).build(teacher, texts=(), is_pair=False)
    assert built.tokenizer is not teacher.tokenizer
    artifact = checkpoints.save(built)
    loaded = checkpoints.load_folder(storage_root / artifact.uri)
    rows = encode(loaded.tokenizer, ["move my money", "weather"], 16)
    batch = Collator(loaded.tokenizer.pad_token_id)(rows)
    with torch.inference_mode():
        expected = built.model.eval()(**batch).logits  # type: ignore[no-untyped-call]
        assert torch.equal(loaded.model(**batch).logits, expected)


def test_of_one_seed_its_control_starts_alike(teacher: LoadedModel, source: Path) -> None:
    student = _student(source, layers=(0,))
    torch.manual_seed(5)
    start = student.build(teacher, texts=(), is_pair=False).model.state_dict()
    torch.manual_seed(5)
    control = student.as_control().build(teacher, texts=(), is_pair=False).model.state_dict()
    assert start.keys() == control.keys()
    assert all(torch.equal(start[name], control[name]) for name in start)


def _refusal(teacher: LoadedModel, student: PretrainedStudent) -> str:
    with pytest.raises(UserError) as refused:
        student.check(architecture_of(teacher.model.config))
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("student 'small': ")
    return line


def test_what_cannot_be_had_is_told_as_the_students(teacher: LoadedModel, tmp_path: Path) -> None:
    whole = tiny.save_checkpoint(tmp_path / "source")
    _student(whole).check(architecture_of(teacher.model.config))
    assert "there is no folder '/no/such'" in _refusal(teacher, _student("/no/such"))
    line = _refusal(teacher, _student("nobody/no-such-model"))
    assert "cannot reach 'nobody/no-such-model'" in line
    assert line.endswith("or give a local folder as its source")
    assert "teacher" not in line
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (whole / name).unlink()
    assert "has no vocabulary" in _refusal(teacher, _student(whole))
    (whole / "model.safetensors").unlink()
    assert "holds no *.safetensors" in _refusal(teacher, _student(whole))


@pytest.mark.parametrize("outside", [2, -1])
def test_a_layer_out_of_range(teacher: LoadedModel, source: Path, outside: int) -> None:
    line = (
        f"student 'small': layer {outside} is out of range; '{source}' has 2 layers, so choose "
        "from 0 to 1"
    )
    assert _refusal(teacher, _student(source, layers=(0, outside))) == line
