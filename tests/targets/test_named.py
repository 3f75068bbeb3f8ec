"""Targets by name."""

import pytest

from distillery.errors import UserError
from distillery.subjects import asking
from distillery.targets.ec2_instance import Ec2Instance
from distillery.targets.named import named


def test_a_target_is_called_as_it_is_asked_for() -> None:
    names = ("cpu", "cuda", "aws:c7i.2xlarge")
    assert tuple(named(name).name for name in names) == names


def test_nothing_asked_for_is_the_cpu_of_this_machine() -> None:
    assert [target.name for target in asking.targets([])] == ["cpu"]


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "c5.9xlarge"])
def test_an_unknown_one_names_the_choices(name: str) -> None:
    with pytest.raises(
        UserError, match=f"no target '{name}'; choose one of cpu .*cuda .* and aws:TYPE"
    ):
        asking.targets(["cpu", name])


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("aws:c7g.large", "cpu"),
        ("aws:m6i.32xlarge", "cpu"),
        ("aws:g4dn.2xlarge", "cuda"),
        ("aws:inf1.6xlarge", "neuron"),
        ("aws:inf2.xlarge", "neuron"),
    ],
)
def test_an_instance_type_tells_what_does_the_work_there(name: str, device: str) -> None:
    assert named(name).device == device


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("aws:", "no instance type"),
        ("aws:fast", "no instance type"),
        ("aws:c7i", "no instance type"),
        ("aws:p4d.24xlarge", "family p are not measured on"),
    ],
)
def test_what_is_no_instance_type_is_told(name: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        named(name)


def test_settings_of_aws_go_to_its_targets() -> None:
    (target,) = asking.targets(["aws:c7i.xlarge"], ["cost_usd_max=2", "markets=[spot]"])
    assert isinstance(target, Ec2Instance)
    assert (target.aws.cost_usd_max, target.aws.markets) == (2, ("spot",))
    with pytest.raises(UserError, match="--aws: unknown key 'cost_max'; did you mean"):
        asking.targets(["aws:c7i.xlarge"], ["cost_max=2"])


def test_no_target_is_measured_twice() -> None:
    with pytest.raises(UserError, match="--target cpu is given twice"):
        asking.targets(["cpu", "cuda", "cpu"])
