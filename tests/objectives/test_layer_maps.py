"""The maps against those that the papers print."""

from typing import Any

import pytest
from pydantic import ValidationError

from distillery.objectives.layer_maps import Rule, layer_map
from distillery.objectives.patient_kd import PatientKd
from distillery.objectives.tinybert_layers import TinyBertLayers


@pytest.mark.parametrize(
    ("rule", "student", "teacher", "expected"),
    [
        ("uniform", 4, 12, (3, 6, 9, 12)),  # TinyBERT4
        ("uniform", 6, 12, (2, 4, 6, 8, 10, 12)),  # TinyBERT6
        ("top", 4, 12, (9, 10, 11, 12)),
        ("bottom", 4, 12, (1, 2, 3, 4)),
        ("uniform", 4, 6, (2, 3, 5, 6)),  # 1.5, 3, 4.5, 6
        ("uniform", 5, 12, (2, 5, 7, 10, 12)),  # 2.4, 4.8, 7.2, 9.6, 12
        ("uniform", 1, 12, (12,)),
        ("uniform", 3, 3, (1, 2, 3)),
    ],
)
def test_a_rule(rule: Rule, student: int, teacher: int, expected: tuple[int, ...]) -> None:
    assert layer_map(rule, student, teacher) == expected
    assert TinyBertLayers(mapping=rule).layer_map(student, teacher) == expected


@pytest.mark.parametrize("student", range(1, 13))
def test_uniform_rises_and_ends_at_the_top(student: int) -> None:
    found = layer_map("uniform", student, 12)
    assert list(found) == sorted(set(found))
    assert found[0] >= 1
    assert found[-1] == 12


@pytest.mark.parametrize("rule", ["uniform", "top", "bottom"])
def test_a_student_deeper_than_its_teacher_is_refused(rule: Rule) -> None:
    with pytest.raises(ValueError, match="give the student at most 4"):
        layer_map(rule, 5, 4)


def test_patients_maps_are_the_papers() -> None:
    assert PatientKd(mapping="skip").layer_map(6, 12) == (2, 4, 6, 8, 10)
    assert PatientKd(mapping="last").layer_map(6, 12) == (7, 8, 9, 10, 11)


def test_a_list_is_taken_as_it_is() -> None:
    listed = TinyBertLayers.model_validate({"mapping": [1, 4]})
    assert listed.layer_map(2, 4) == (1, 4)
    assert TinyBertLayers.model_validate_json(listed.model_dump_json()) == listed


@pytest.mark.parametrize(
    ("mapping", "message"),
    [((1, 2, 3), "lists 3 teacher layers for a student of 2; list 2"), ((1, 5), "from 1 to 4")],
)
def test_a_list_that_does_not_fit_is_refused(mapping: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TinyBertLayers(mapping=mapping).layer_map(2, 4)


@pytest.mark.parametrize(
    ("mapping", "location", "message"),
    [
        ("middle", (), "'uniform', 'top' or 'bottom'"),
        ([0, 3], (0,), "greater than or equal to 1"),  # layers count from 1
        ([], (), "at least 1 item"),
    ],
)
def test_a_bad_mapping_is_told_once_and_where(
    mapping: Any, location: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        TinyBertLayers.model_validate({"mapping": mapping})
    (problem,) = refused.value.errors()
    assert problem["loc"] == ("mapping", *location)
    assert message in problem["msg"]
