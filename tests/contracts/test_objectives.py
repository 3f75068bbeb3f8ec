"""What holds for every loss in distillery/objectives, found by walking the folder."""

import importlib
import inspect
import pkgutil

import pytest
import torch

import distillery.objectives
from distillery.objectives.base import Objective, Outputs

_B, _C = 6, 5


def _found() -> list[type[Objective]]:
    for module in pkgutil.iter_modules(distillery.objectives.__path__):
        importlib.import_module(f"{distillery.objectives.__name__}.{module.name}")
    found: list[type[Objective]] = []
    waiting: list[type[Objective]] = [Objective]  # type: ignore[type-abstract]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        if not inspect.isabstract(one):
            found.append(one)
    return sorted(found, key=lambda one: one.__name__)


OBJECTIVES = _found()
every = pytest.mark.parametrize(
    "objective", [one() for one in OBJECTIVES], ids=lambda objective: type(objective).__name__
)


def _tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Student and teacher logits (B, C), both asking for gradients, and labels (B,)."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (2 * torch.randn(2, _B, _C, generator=generator)).unbind()
    return student.requires_grad_(), teacher.requires_grad_(), torch.arange(_B) % _C


def _loss(
    objective: Objective, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    return objective.loss(
        student=Outputs(logits=student), teacher=Outputs(logits=teacher), labels=labels
    )


def test_the_walk_finds_those_that_are_there() -> None:
    assert {"HardLabels", "SoftTargets"} <= {one.__name__ for one in OBJECTIVES}


@every
def test_a_finite_scalar(objective: Objective) -> None:
    loss = _loss(objective, *_tensors())
    assert loss.shape == ()
    assert torch.isfinite(loss)
    assert loss > 0


@every
def test_gradients_reach_the_student_and_not_the_teacher(objective: Objective) -> None:
    student, teacher, labels = _tensors()
    _loss(objective, student, teacher, labels).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert (student.grad.abs().sum(-1) > 0).all()  # every row learns
    assert teacher.grad is None


@every
def test_a_step_down_the_gradient_lowers_it(objective: Objective) -> None:
    student, teacher, labels = _tensors()
    before = _loss(objective, student, teacher, labels)
    before.backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    after = _loss(objective, student - 0.01 * student.grad, teacher, labels)
    assert after < before


@every
def test_the_order_of_rows_does_not_matter(objective: Objective) -> None:
    student, teacher, labels = _tensors()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        _loss(objective, student[order], teacher[order], labels[order]),
        _loss(objective, student, teacher, labels),
    )


@every
def test_it_is_a_mean_over_rows(objective: Objective) -> None:
    """A batch twice over has the same loss: learning rates do not depend on the batch size."""
    student, teacher, labels = _tensors()
    torch.testing.assert_close(
        _loss(objective, student.repeat(2, 1), teacher.repeat(2, 1), labels.repeat(2)),
        _loss(objective, student, teacher, labels),
    )


@every
def test_only_those_that_need_a_teacher_look_at_it(objective: Objective) -> None:
    student, teacher, labels = _tensors()
    if objective.needs_teacher:
        assert _loss(objective, student, teacher, labels) != _loss(
            objective, student, teacher.flip(-1), labels
        )
    else:
        without = objective.loss(student=Outputs(logits=student), teacher=None, labels=labels)
        assert without == _loss(objective, student, teacher, labels)


@every
def test_its_settings_survive_json(objective: Objective) -> None:
    again = type(objective).model_validate_json(objective.model_dump_json())
    assert again == objective
    assert objective.model_dump()["objective"]  # the tag that recipes choose by
