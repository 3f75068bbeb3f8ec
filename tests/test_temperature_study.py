"""Which students a temperature study trains, and what it refuses."""

from typing import Any

import pytest

from distillery import recipe_files
from distillery.errors import UserError
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.soft_targets import SoftTargets
from distillery.objectives.temperature import LinearTemperature
from distillery.objectives.tinybert_layers import TinyBertLayers
from distillery.recipe import Recipe
from distillery.students.early_exits import EarlyExits
from distillery.students.from_layers import FromLayers
from distillery.temperature_study import TemperatureStudy
from tasks.step import step_key

_HARD = {
    "name": "hard",
    "kind": "from_layers",
    "layers": [0],
    "task": [{"objective": "hard_labels"}],
}
_SOFT = {"name": "soft", "kind": "from_layers", "layers": [0]}
_OTHER = {"name": "other", "kind": "bilstm"}


def _recipe(study: dict[str, Any], *students: dict[str, Any]) -> Recipe:
    values = {
        "name": "tiny",
        "data": {"source": "./rows.csv"},
        "teacher": {"kind": "from_scratch"},
        "students": students or (_HARD, _SOFT, _OTHER),
        "temperature_study": study,
    }
    return recipe_files.validate(values, where="tiny.yaml")


def test_left_out_it_is_the_first_student_that_learns_from_soft_targets() -> None:
    studied = _recipe({}).studied
    assert studied is not None
    assert studied.name == "soft"
    named = _recipe({"student": "other"}).studied
    assert named is not None
    assert named.name == "other"


def test_without_a_study_nobody_is_studied() -> None:
    assert recipe_files.load("quickstart").studied is None


@pytest.mark.parametrize(
    ("study", "line"),
    [
        (
            {"student": "hard"},
            "temperature_study.student: student 'hard' has no soft_targets stage; choose one of "
            "soft, other",
        ),
        (
            {"student": "sotf"},
            "temperature_study.student: no student 'sotf'; choose one of soft, other",
        ),
        ({"temperatures": [1, 4, 1]}, "'temperature_study.temperatures': 1 stands there twice"),
        ({"shares_ce": [0.5, 0.5]}, "'temperature_study.shares_ce': 0.5 stands there twice"),
        (
            {"temperatures": [0]},
            "'temperature_study.temperatures.0': input should be greater than 0",
        ),
        ({"shares_ce": [1]}, "'temperature_study.shares_ce.0': input should be less than 1"),
        ({"temperature": [1]}, "did you mean 'temperatures'?"),
    ],
)
def test_what_is_refused_in_one_line(study: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as refused:
        _recipe(study)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_recipe_without_soft_targets_has_no_temperature() -> None:
    with pytest.raises(UserError, match=r"no student has a soft_targets stage, .*; give one"):
        _recipe({}, _HARD)


def test_each_temperature_with_each_share_and_then_the_limits() -> None:
    student = FromLayers(name="soft", layers=(0,), task=(SoftTargets(temperature=3),))
    study = TemperatureStudy(temperatures=(1, 8), shares_ce=(0, 0.9))
    variants = study.variants(student)
    assert [(one.temperature, one.share_ce) for one in variants] == [
        (1, 0),
        (8, 0),
        (1, 0.9),
        (8, 0.9),
        (None, 0),
        (None, 0.9),
    ]
    assert variants[3].student.task == (SoftTargets(temperature=8, weight_kd=0.1, weight_ce=0.9),)
    # half the mean square: the limit of T² · KL
    assert variants[4].student.task == (LogitMse(weight_kd=0.5, weight_ce=0, centred=True),)
    assert variants[5].student.task == (LogitMse(weight_kd=0.05, weight_ce=0.9, centred=True),)


def test_only_stages_of_soft_targets_change_and_they_keep_their_training() -> None:
    long = Training(epochs=7)
    first, last = TinyBertLayers(), HardLabels()
    student = FromLayers(
        name="soft",
        layers=(0, 1),
        task=(
            first,
            SoftTargets(temperature=LinearTemperature(start=8, end=1), training=long),
            SoftTargets(rows="augmented"),
            last,
        ),
    )
    softened, limit = TemperatureStudy(temperatures=(2,), shares_ce=(0.25,)).variants(student)
    weights = {"weight_kd": 0.75, "weight_ce": 0.25}
    assert softened.student.task == (
        first,
        SoftTargets(temperature=2, training=long, **weights),
        SoftTargets(temperature=2, rows="augmented", **weights),
        last,
    )
    weights["weight_kd"] /= 2
    assert limit.student.task == (
        first,
        LogitMse(centred=True, training=long, **weights),
        LogitMse(centred=True, rows="augmented", **weights),
        last,
    )


def test_a_variant_is_a_student_that_a_recipe_could_name() -> None:
    student = EarlyExits(name="soft", layers=(0, 1), exits=(1,), task=(SoftTargets(),))
    for variant in TemperatureStudy().variants(student):
        assert EarlyExits.model_validate(variant.student.model_dump()) == variant.student


def test_the_variant_that_equals_the_student_is_the_same_step() -> None:
    """Also where 1 - w is not exact, and after the recipe has taken over what was found best."""
    student = recipe_files.load("quickstart").students[0]  # T=4, 0.8 and 0.2
    tenth = recipe_files.load(
        "quickstart", [f"students.0.task.0.{key}" for key in ("weight_kd=0.1", "weight_ce=0.9")]
    ).students[0]
    variants = TemperatureStudy(temperatures=(2, 4), shares_ce=(0.2, 0.9)).variants(student)
    keys = [step_key("distill", {"student": one.student}) for one in variants]
    assert len(set(keys)) == 6
    assert keys[1] == step_key("distill", {"student": student})
    assert keys[3] == step_key("distill", {"student": tenth})
