"""What a search would do is said before it does it; what does not fit here is one clear line."""

from typing import Any

import pytest
from pydantic import ValidationError

from distillery.benchmarking.fingerprint import available_cores
from distillery.errors import UserError
from distillery.recipe import Recipe
from distillery.search.planning import SearchPlan, planned
from distillery.search.settings import Search

_RECIPE: dict[str, Any] = {
    "name": "toy",
    "data": {"source": "rows.csv"},
    "teacher": {"kind": "pretrained", "source": "someone/encoder"},
    "students": [{"name": "a", "kind": "from_layers", "layers": [0]}],
}


def _planned(search: dict[str, Any], **more: Any) -> SearchPlan | None:
    return planned(Recipe.model_validate({**_RECIPE, "search": search, **more}))


def test_measurements_are_counted() -> None:
    plan = _planned({"threads": [1]})
    # teacher and student, each in PyTorch, fp32 and int8
    assert plan is not None
    assert (plan.candidates, plan.screened, plan.in_full_most) == (6, 6, 6)
    assert 0 < plan.seconds_least < plan.seconds_most
    more = _planned({"threads": [1], "tables": [{"bits": 8}, {"shared_rows": 64}]})
    assert more is not None
    assert (more.candidates, more.in_full_most) == (10, 10)
    assert planned(Recipe.model_validate(_RECIPE)) is None


def test_more_threads_or_instances_than_cores_are_one_clear_line() -> None:
    over = available_cores() + 1
    with pytest.raises(UserError, match=rf"^search.threads {over} is more than the \d+ cores? of"):
        _planned({"threads": [1, over]})
    with pytest.raises(UserError, match=rf"^search.instances {over} of 1 thread each are more"):
        _planned({"threads": [1], "instances": [1, over]})


def test_instances_are_tried_where_they_fit_and_one_alone_always() -> None:
    search = Search(threads=(1, 2, 4), instances=(2, 4))
    assert [search.side_by_side(threads, cores=4) for threads in (1, 2, 4)] == [
        (1, 2, 4),
        (1, 2),
        (1,),
    ]


@pytest.mark.parametrize(
    ("search", "more", "line"),
    [
        ({}, {"threads": 2}, "threads and search.threads are both given"),
        ({"threads": [1, 1]}, {}, "threads names one value twice"),
        ({"threads": []}, {}, "at least 1 item"),
        ({"threads": [0]}, {}, "greater than or equal to 1"),
        ({"tables": [{"bits": 8}, {"bits": 8}]}, {}, "tables names one value twice"),
        ({"tables": [{"bits": 4}]}, {}, "search.tables adds nothing"),
        (
            {"tables": [{"bits": 8}]},
            {"export": {"quantizations": [{"kind": "fp16"}]}},
            "search.tables adds nothing",
        ),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_with_the_recipe(
    search: dict[str, Any], more: dict[str, Any], line: str
) -> None:
    with pytest.raises(ValidationError, match=line):
        _planned(search, **more)


def test_controls_are_made_in_the_recipes_own_forms() -> None:
    search = {"tables": [{"bits": 4}, {"shared_rows": 64}]}
    recipe = Recipe.model_validate({**_RECIPE, "search": search})

    def named(role: Any) -> list[str]:
        return [quantization.named(export.tables) for quantization, export in recipe.forms(role)]

    assert named("student") == named("teacher") == ["int8", "int8 shared-64"]
    assert named("control") == ["int8"]
