"""Hard labels of scores, by hand; those of classes are in tests/contracts/test_objectives.py."""

import pytest
import torch

from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.logit_mse import LogitMse

_SAID = torch.tensor([[0.5], [1.0], [0.0]], requires_grad=True)
_TRUE = torch.tensor([0.0, 1.0, UNLABELLED])


def test_of_scores_it_is_the_squared_distance() -> None:
    loss = HardLabels().loss(Batch(student=Outputs(logits=_SAID), teacher=None, labels=_TRUE))
    assert loss.item() == pytest.approx((0.25 + 0) / 2), "over the two rows that have a label"
    (gradient,) = torch.autograd.grad(loss, _SAID)
    assert gradient.squeeze(1).tolist() == pytest.approx([0.5, 0, 0])


def test_no_row_with_a_score_costs_nothing() -> None:
    labels = torch.full((3,), UNLABELLED)  # integers, where a whole batch has none
    batch = Batch(student=Outputs(logits=_SAID), teacher=None, labels=labels)
    assert HardLabels().loss(batch).item() == 0


def test_a_teachers_scores_and_the_true_ones_weigh_what_they_should() -> None:
    teacher = Outputs(logits=torch.tensor([[0.0], [0.0], [3.0]]))
    batch = Batch(student=Outputs(logits=_SAID), teacher=teacher, labels=_TRUE)
    distance = (0.25 + 1 + 9) / 3
    assert LogitMse().loss(batch).item() == pytest.approx(distance)
    both = LogitMse(weight_kd=2, weight_ce=4).loss(batch)
    assert both.item() == pytest.approx(2 * distance + 4 * 0.125)
