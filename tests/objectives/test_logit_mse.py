"""Squared distance of logits against hand-worked values."""

from math import log

import pytest
import torch

from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.logits import scaled_divergence

_STUDENT = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]], dtype=torch.float64)
_TEACHER = torch.tensor([[1.0, 0.0, -2.0], [1.0, 2.0, 0.0]], dtype=torch.float64)


def _loss(objective: LogitMse, labels: list[int]) -> float:
    batch = Batch(
        student=Outputs(logits=_STUDENT),
        teacher=Outputs(logits=_TEACHER),
        labels=torch.tensor(labels),
    )
    return objective.loss(batch).item()


def test_a_value_worked_out_by_hand() -> None:
    # squares 1 + 0 + 4 and 0 + 0 + 9, over 2 rows of 3 classes
    assert _loss(LogitMse(), [0, 0]) == pytest.approx(14 / 6)


def test_the_two_weights_by_hand() -> None:
    objective = LogitMse(weight_kd=0.5, weight_ce=2)
    assert _loss(objective, [1, UNLABELLED]) == pytest.approx(0.5 * 14 / 6 + 2 * log(3))


def test_unlike_soft_targets_it_sees_a_shift_of_all_logits() -> None:
    batch = Batch(
        student=Outputs(logits=_TEACHER + 2),
        teacher=Outputs(logits=_TEACHER),
        labels=torch.tensor([0, 0]),
    )
    assert LogitMse().loss(batch).item() == pytest.approx(4)


def test_without_the_teachers_logits_it_refuses() -> None:
    with pytest.raises(ValueError, match="use hard_labels instead"):
        LogitMse(weight_kd=0, weight_ce=1)


# centred


def _centred(student: torch.Tensor, teacher: Outputs) -> torch.Tensor:
    batch = Batch(student=Outputs(logits=student), teacher=teacher, labels=torch.tensor([0]))
    return LogitMse(weight_kd=0.5, centred=True).loss(batch)


def _with_gradient(loss: torch.Tensor, student: torch.Tensor) -> tuple[float, torch.Tensor]:
    (gradient,) = torch.autograd.grad(loss, student)
    return loss.item(), gradient


def _logits(seed: int) -> torch.Tensor:
    """Of trained models: far apart, and not centred."""
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.randn((6, 9), generator=generator, dtype=torch.float64) + seed


def test_centred_a_value_worked_out_by_hand() -> None:
    # distances (-1, 0, 2) less 1/3 and (0, 0, 3) less 1: squares 42/9 and 6, over 2 rows of 3
    found = _centred(_STUDENT, Outputs(logits=_TEACHER))
    assert found.item() == pytest.approx(0.5 * (42 / 9 + 6) / 6)
    assert _centred(_TEACHER + 2, Outputs(logits=_TEACHER)).item() == pytest.approx(0)


@pytest.mark.parametrize("temperature", [1e3, 1e4])
def test_half_of_it_is_the_limit_of_soft_targets(temperature: float) -> None:
    """Hinton et al. §2.1, value and gradient; what is left shrinks with 1/T."""
    student, teacher = _logits(1).requires_grad_(), Outputs(logits=_logits(2))
    divergence = scaled_divergence(Outputs(logits=student), teacher, temperature)
    found, gradient = _with_gradient(divergence, student)
    limit, limiting = _with_gradient(_centred(student, teacher), student)
    assert found == pytest.approx(limit, rel=20 / temperature)
    assert (gradient - limiting).norm() < 20 / temperature * limiting.norm()
    # and it is this constant, not merely small: the whole distance is twice as far
    assert 2 * limit > 1.5 * found


def test_the_limit_for_several_teachers_is_the_mean_of_their_logits() -> None:
    student, members = _logits(1).requires_grad_(), (_logits(2), _logits(3))
    teacher = Outputs(logits=_logits(4), members=members, weights=(0.25, 0.75))
    divergence = scaled_divergence(Outputs(logits=student), teacher, 1e4)
    found, gradient = _with_gradient(divergence, student)
    limit, limiting = _with_gradient(_centred(student, teacher), student)
    assert found == pytest.approx(limit, rel=5e-3)
    assert (gradient - limiting).norm() < 5e-3 * limiting.norm()
