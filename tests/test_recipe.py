"""The recipe as a value: cheap to import, complete as a form, strict about names."""

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from distillery.recipe import Data, Gates, Recipe
from distillery.targets.renting import rented

_HEAVY = ("torch", "transformers", "datasets", "onnxruntime", "mlflow", "prefect", "boto3")


def _values(**changes: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"source": "./rows.csv"},
        "teacher": {"kind": "from_scratch"},
        "students": [{"name": "one-layer", "kind": "from_layers", "layers": [0]}],
    } | changes


@pytest.mark.parametrize("module", ["distillery.recipe", "distillery.recipe_files"])
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    script = (
        f"import json, sys, {module}\n"
        f"print(json.dumps([name for name in {_HEAVY} if name in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == []


@pytest.mark.parametrize("of", [Recipe, Data, Gates])
def test_the_form_names_each_field(of: type[Recipe] | type[Data] | type[Gates]) -> None:
    """Prefect builds its form from the schema; a bare key there explains nothing."""
    unnamed = [
        name for name, field in of.model_fields.items() if not (field.title or field.description)
    ]
    assert unnamed == []


def test_the_form_offers_each_kind_of_teacher_and_loss() -> None:
    schema = Recipe.model_json_schema()
    teacher = schema["properties"]["teacher"]
    assert teacher["discriminator"]["propertyName"] == "kind"
    assert set(teacher["discriminator"]["mapping"]) >= {"pretrained", "from_scratch", "classifier"}
    stages = schema["$defs"]["FromLayers"]["properties"]["task"]["items"]
    assert set(stages["discriminator"]["mapping"]) >= {"soft_targets", "hard_labels"}


def test_the_smallest_recipe_limits_nothing_and_compares() -> None:
    recipe = Recipe.model_validate(_values())
    assert recipe.registered_model == "tiny"
    assert recipe.control
    limits = recipe.gates.model_dump(exclude={"prefer"})
    assert set(limits.values()) == {None}
    named = Recipe.model_validate(_values(model="Support.v2"))
    assert named.registered_model == "Support.v2"


def test_it_survives_json() -> None:
    recipe = Recipe.model_validate(_values(seeds=[1, 2], gates={"latency_p95_ms_max": 3.5}))
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe.model_validate(_values()).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {
                "students": [
                    {"name": "a", "kind": "from_layers", "layers": [0]},
                    {"name": "a", "kind": "from_layers", "layers": [1]},
                ]
            },
            "two students are named 'a'; give each its own name",
        ),
        (
            {"students": [{"name": "teacher", "kind": "from_layers", "layers": [0]}]},
            "a student may not be named 'teacher'",
        ),
        ({"seeds": [1, 2, 1]}, "a seed stands twice in seeds"),
        ({"students": []}, "at least 1 item"),
        ({"name": "With Spaces"}, "should match pattern"),
        ({"name": "../elsewhere"}, "should match pattern"),
        (
            {"students": [{"name": "a b", "kind": "from_layers", "layers": [0]}]},
            "should match pattern",
        ),
        ({"teacher": {"kind": "from_scratch", "hidden_size": 30, "heads": 4}}, "no multiple of"),
        (
            {
                "students": [
                    {
                        "name": "a",
                        "kind": "from_layers",
                        "layers": [0],
                        "task": [{"objective": "soft_targets", "weight_kd": 0}],
                    }
                ]
            },
            "nothing would be distilled; use hard_labels instead",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate(_values(**changes))


# scores


def _of_scores(**changes: Any) -> dict[str, Any]:
    student = {
        "name": "siamese",
        "kind": "bilstm",
        "task": [{"objective": "hard_labels"}, {"objective": "logit_mse"}],
    }
    data = {"source": "./rows.csv", "text_pair": "other", "label_kind": "score"}
    return _values(data=data, students=[student]) | changes


def test_scores_are_learned_by_losses_that_say_so() -> None:
    assert Recipe.model_validate(_of_scores()).data.label_kind == "score"
    for objective in ("tinybert_layers", "minilm_relations"):
        stages = [{"objective": objective}, {"objective": "logit_mse"}]
        layers = {"name": "a", "kind": "from_layers", "layers": [0], "task": stages}
        assert Recipe.model_validate(_of_scores(students=[layers]))


@pytest.mark.parametrize("objective", ["soft_targets", "soft_cross_entropy", "patient_kd"])
def test_losses_over_classes_are_refused_for_scores(objective: str) -> None:
    student = {"name": "siamese", "kind": "bilstm", "task": [{"objective": objective}]}
    with pytest.raises(
        ValidationError,
        match=rf"student 'siamese', task 0 \({objective}\) learns "
        "from class distributions, and the data holds scores; use logit_mse",
    ):
        Recipe.model_validate(_of_scores(students=[student]))


@pytest.mark.parametrize(
    ("student", "objective"),
    [
        ({"kind": "peers", "layers": [[0]]}, "mutual_learning"),
        ({"kind": "early_exits", "layers": [0, 1], "exits": [1]}, "deep_to_shallow"),
    ],
)
def test_defaults_over_classes_are_refused_too(student: dict[str, Any], objective: str) -> None:
    with pytest.raises(ValidationError, match=objective):
        Recipe.model_validate(_of_scores(students=[{"name": "a", **student}]))


def test_teachers_scores_are_averaged_as_they_are() -> None:
    members = [{"kind": "from_scratch"}] * 2
    with pytest.raises(ValidationError, match=r"scores do not have; set teacher\.mean: logits"):
        Recipe.model_validate(_of_scores(teacher={"kind": "ensemble", "members": members}))
    teacher = {"kind": "ensemble", "members": members, "mean": "logits"}
    assert Recipe.model_validate(_of_scores(teacher=teacher))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"targets": ["gpu"]}, "no target 'gpu'; choose one of cpu"),
        ({"targets": ["cpu", "aws:fast"]}, "'fast' is no instance type"),
        ({"targets": ["cpu", "cpu"]}, "'cpu' twice"),
        ({"targets": ["aws:inf2.xlarge", "cpu"]}, "put another first"),
        ({"gates": {"cost_per_million_usd_max": 1}}, "cpu has none; put a target such as aws:"),
        (
            {
                "targets": ["aws:c7i.xlarge"],
                "teacher": {"kind": "ensemble", "members": [{"kind": "from_scratch"}] * 2},
            },
            "an ensemble of teachers is measured on cpu or cuda alone",
        ),
    ],
)
def test_targets_that_cannot_be_judged_on(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Recipe.model_validate(_values(**changes))


def test_targets_share_the_settings_of_aws() -> None:
    recipe = Recipe.model_validate(
        _values(targets=["cpu", "aws:c7i.xlarge", "aws:inf2.xlarge"], aws={"minutes_max": 20})
    )
    assert [place.name for place in recipe.places] == list(recipe.targets)
    assert [place.aws.minutes_max for place in rented(recipe.places)] == [20, 20]
