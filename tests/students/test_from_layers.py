"""A student of chosen layers, against the teacher's own modules."""

from pathlib import Path
from typing import Any

import pytest
import torch
from export import tiny
from factories import make_teacher

from distillery.errors import UserError
from distillery.students.from_layers import FromLayers
from distillery.teachers.base import LoadedModel

_LAYERS = 4


@pytest.fixture(scope="module", params=tiny.ARCHITECTURES)
def teacher(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"), request.param, layers=_LAYERS)


def _student(*layers: int) -> FromLayers:
    return FromLayers(name="some-layers", layers=layers)


def _stack(model: Any) -> Any:
    """The encoder's layers, under the name each architecture gives them."""
    body = model.base_model
    return body.transformer.layer if hasattr(body, "transformer") else body.encoder.layer


def _same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def _logits(model: Any) -> torch.Tensor:
    ids = torch.arange(4, 24).reshape(2, 10) % len(tiny.VOCABULARY)
    with torch.inference_mode():
        logits: torch.Tensor = model.eval()(input_ids=ids).logits
    return logits


@pytest.mark.parametrize("chosen", [(0,), (3,), (0, 3), (2, 1), (1, 1)])
def test_chosen_layers_are_the_teachers(teacher: LoadedModel, chosen: tuple[int, ...]) -> None:
    student = _student(*chosen).build(teacher, texts=(), is_pair=False).model
    assert student.config.num_hidden_layers == len(chosen)
    stack, teachers = _stack(student), _stack(teacher.model)
    assert len(stack) == len(chosen)
    for position, layer in enumerate(chosen):
        for other in range(_LAYERS):
            assert _same(stack[position], teachers[other]) == (other == layer)


def test_all_but_the_layers_is_the_teachers_too(teacher: LoadedModel) -> None:
    student = _student(0, 3).build(teacher, texts=(), is_pair=False).model
    theirs = teacher.model.state_dict()
    outside = [name for name in student.state_dict() if ".layer." not in name]
    assert any("embeddings" in name for name in outside)
    assert any("classifier" in name for name in outside)
    assert outside == [name for name in theirs if ".layer." not in name]
    assert all(torch.equal(student.state_dict()[name], theirs[name]) for name in outside)


def test_it_answers_as_its_teacher_with_layers_left_out(
    teacher: LoadedModel, tmp_path: Path
) -> None:
    assert torch.equal(
        _logits(_student(0, 1, 2, 3).build(teacher, texts=(), is_pair=False).model),
        _logits(teacher.model),
    )
    cut = make_teacher(tmp_path, teacher.model.config.model_type, layers=_LAYERS).model
    stack = _stack(cut)
    del stack[1], stack[1]
    found = _logits(_student(0, 3).build(teacher, texts=(), is_pair=False).model)
    torch.testing.assert_close(found, _logits(cut))
    assert not torch.allclose(found, _logits(teacher.model))


def test_training_it_leaves_the_teacher_alone(teacher: LoadedModel) -> None:
    before = _logits(teacher.model)
    student = _student(0, 1).build(teacher, texts=(), is_pair=False).model
    with torch.no_grad():
        for weight in student.parameters():
            weight.zero_()
    assert torch.equal(_logits(teacher.model), before)
    assert teacher.model.config.num_hidden_layers == _LAYERS


def test_labels_and_tokenizer_come_along(teacher: LoadedModel) -> None:
    student = _student(1).build(teacher, texts=(), is_pair=False)
    assert student.model.config.id2label == teacher.model.config.id2label
    assert student.tokenizer.get_vocab() == teacher.tokenizer.get_vocab()


@pytest.mark.parametrize("outside", [4, -1, 99])
def test_a_layer_out_of_range(teacher: LoadedModel, outside: int) -> None:
    line = (
        rf"student 'some-layers': teacher layer {outside} is out of range; the teacher has 4 "
        "layers, so choose from 0 to 3"
    )
    with pytest.raises(UserError, match=line):
        _student(0, outside).config(teacher.model.config, is_pair=False)
    with pytest.raises(UserError, match=line):
        _student(0, outside).build(teacher, texts=(), is_pair=False)
