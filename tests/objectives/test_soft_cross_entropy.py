"""Soft cross-entropy against a hand-worked value, a loop, and the gradient of soft targets."""

from math import exp, log

import pytest
import torch

from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.soft_cross_entropy import SoftCrossEntropy
from distillery.objectives.soft_targets import SoftTargets
from distillery.objectives.temperature import LinearTemperature


def _batch(
    student: torch.Tensor, teacher: torch.Tensor, labels: list[int], progress: float = 1.0
) -> Batch:
    return Batch(
        student=Outputs(logits=student),
        teacher=Outputs(logits=teacher),
        labels=torch.tensor(labels),
        progress=progress,
    )


def _logits(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(4, 6, generator=generator, dtype=torch.float64)


def test_a_value_worked_out_by_hand() -> None:
    # teacher (½, ¼, ¼), student a third each: ln 3 whatever the teacher says. And teacher equal
    # to student (½, ¼, ¼): the entropy 1.5 ln 2
    student = torch.tensor([[0, 0, 0], [log(2), 0, 0]], dtype=torch.float64)
    teacher = torch.tensor([[log(2), 0, 0], [log(2), 0, 0]], dtype=torch.float64)
    found = SoftCrossEntropy().loss(_batch(student, teacher, [0, 0]))
    assert found.item() == pytest.approx((log(3) + 1.5 * log(2)) / 2)


def test_it_is_the_sum_that_the_paper_writes() -> None:
    student, teacher, T = _logits(1), _logits(2), 3.0
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        s_sum, t_sum = sum(exp(z / T) for z in s), sum(exp(z / T) for z in t)
        for z_s, z_t in zip(s, t, strict=True):
            total -= exp(z_t / T) / t_sum * log(exp(z_s / T) / s_sum)
    found = SoftCrossEntropy(temperature=T, weight_kd=0.5).loss(_batch(student, teacher, [0] * 4))
    assert found.item() == pytest.approx(0.5 * T**2 * total / 4)


def test_hard_labels_by_hand() -> None:
    student = torch.tensor([[0, 0, 0], [log(4), 0, 0]], dtype=torch.float64)
    found = SoftCrossEntropy(weight_ce=0.25).loss(_batch(student, student, [0, UNLABELLED]))
    entropies = (log(3) + (4 * log(1.5) + 2 * log(6)) / 6) / 2
    assert found.item() == pytest.approx(entropies + 0.25 * log(3))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_it_teaches_what_soft_targets_teach(temperature: float) -> None:
    gradients = []
    for objective in (SoftCrossEntropy, SoftTargets):
        student = _logits(3).requires_grad_()
        loss = objective(temperature=temperature).loss(_batch(student, _logits(4), [0] * 4))
        loss.backward()  # type: ignore[no-untyped-call]
        gradients.append(student.grad)
    torch.testing.assert_close(*gradients)


def test_its_temperature_moves() -> None:
    moving = SoftCrossEntropy(temperature=LinearTemperature(start=5, end=1))
    found = moving.loss(_batch(_logits(1), _logits(2), [0] * 4, progress=0.5))
    constant = SoftCrossEntropy(temperature=3).loss(_batch(_logits(1), _logits(2), [0] * 4))
    torch.testing.assert_close(found, constant)


def test_without_soft_targets_it_refuses() -> None:
    with pytest.raises(ValueError, match="use hard_labels instead"):
        SoftCrossEntropy(weight_kd=0, weight_ce=1)
