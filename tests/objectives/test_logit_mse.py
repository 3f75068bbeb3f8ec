"""Squared distance of logits against hand-worked values."""

from math import log

import pytest
import torch

from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.logit_mse import LogitMse

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
