"""Targets by name."""

import pytest

from distillery.errors import UserError
from distillery.subjects import asking
from distillery.targets.named import named


def test_a_target_is_called_as_it_is_asked_for() -> None:
    assert [named(name).name for name in ("cpu", "cuda")] == ["cpu", "cuda"]


def test_nothing_asked_for_is_the_cpu_of_this_machine() -> None:
    assert [target.name for target in asking.targets([])] == ["cpu"]


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "aws:c5.9xlarge"])
def test_an_unknown_one_names_the_choices(name: str) -> None:
    with pytest.raises(UserError, match=f"no target '{name}'; choose one of cpu .* and cuda"):
        asking.targets(["cpu", name])


def test_no_target_is_measured_twice() -> None:
    with pytest.raises(UserError, match="--target cpu is given twice"):
        asking.targets(["cpu", "cuda", "cpu"])
