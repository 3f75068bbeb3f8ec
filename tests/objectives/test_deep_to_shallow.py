"""Early exits' loss against values worked out by hand, and who teaches whom."""

from math import log

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.deep_to_shallow import DeepToShallow
from distillery.objectives.temperature import LinearTemperature


def _loss(
    objective: DeepToShallow, exits: tuple[Tensor, ...], labels: Tensor, progress: float = 1.0
) -> Tensor:
    student = Outputs(logits=exits[0], exits=exits)
    return objective.loss(Batch(student=student, teacher=None, labels=labels, progress=progress))


def _exits(count: int, *, seed: int = 0) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        (2 * torch.randn(4, 5, generator=generator, dtype=torch.float64)).requires_grad_()
        for _ in range(count)
    )


_LABELS = torch.tensor([0, 3, 1, 4])

# B = 1, C = 2, T = 2. Deepest: logits 2 ln 3, 0: (¾, ¼) at T = 2, (.9, .1) at T = 1. Shallow:
# (½, ½). KL = ¾ ln 1.5 + ¼ ln .5
_DEEPEST = torch.tensor([[2 * log(3), 0]], dtype=torch.float64)
_SHALLOW = torch.zeros(1, 2, dtype=torch.float64)
_KL = 0.75 * log(1.5) + 0.25 * log(0.5)


def test_a_value_worked_out_by_hand() -> None:
    found = _loss(
        DeepToShallow(share_kd=0.3, temperature=2), (_SHALLOW, _DEEPEST), torch.tensor([0])
    )
    assert found.item() == pytest.approx(-log(0.9) + 0.7 * log(2) + 0.3 * 4 * _KL)


def test_shallower_exits_add_up() -> None:
    exits = (_SHALLOW, _SHALLOW, _DEEPEST)
    found = _loss(DeepToShallow(share_kd=0.3, temperature=2), exits, torch.tensor([1]))
    assert found.item() == pytest.approx(-log(0.1) + 2 * (0.7 * log(2) + 0.3 * 4 * _KL))


def test_it_is_pytorchs_cross_entropy_and_batchmean_kl() -> None:
    first, second, deepest = _exits(3)
    expected = cross_entropy(deepest, _LABELS)
    for exit_ in (first, second):
        divergence = kl_div(
            (exit_ / 3).log_softmax(-1), (deepest.detach() / 3).softmax(-1), reduction="batchmean"
        )
        expected = expected + 0.4 * cross_entropy(exit_, _LABELS) + 0.6 * 9 * divergence
    found = _loss(DeepToShallow(share_kd=0.6, temperature=3), (first, second, deepest), _LABELS)
    torch.testing.assert_close(found, expected)


def test_the_deepest_learns_from_labels_alone() -> None:
    *shallower, deepest = _exits(3)
    _loss(DeepToShallow(), (*shallower, deepest), _LABELS).backward()  # type: ignore[no-untyped-call]
    alone = deepest.detach().clone().requires_grad_()
    cross_entropy(alone, _LABELS).backward()  # type: ignore[no-untyped-call]
    assert deepest.grad is not None
    assert alone.grad is not None
    torch.testing.assert_close(deepest.grad, alone.grad)
    for exit_ in shallower:
        assert exit_.grad is not None
        assert exit_.grad.abs().max() > 0


def test_without_labels_the_deepest_learns_nothing_and_the_others_its_answer() -> None:
    shallow, deepest = _exits(2)
    objective = DeepToShallow(share_kd=0.5, temperature=1)
    loss = _loss(objective, (shallow, deepest), torch.full((4,), UNLABELLED))
    loss.backward()  # type: ignore[no-untyped-call]
    divergence = kl_div(shallow.log_softmax(-1), deepest.softmax(-1), reduction="batchmean")
    assert loss.item() == pytest.approx(0.5 * divergence.item())
    assert deepest.grad is not None
    assert not deepest.grad.any()
    assert shallow.grad is not None
    assert shallow.grad.any()


def test_rows_without_a_label_count_for_no_cross_entropy() -> None:
    exits = _exits(2)
    labels = torch.tensor([0, UNLABELLED, 1, UNLABELLED])
    chosen = tuple(exit_[::2] for exit_ in exits)
    objective = DeepToShallow(share_kd=1e-9)
    torch.testing.assert_close(
        _loss(objective, exits, labels), _loss(objective, chosen, labels[::2]), rtol=1e-6, atol=1e-6
    )


def test_a_moving_temperature_is_the_constant_one_of_its_moment() -> None:
    exits = _exits(2)
    moving = DeepToShallow(temperature=LinearTemperature(start=5, end=1))
    found = _loss(moving, exits, _LABELS, progress=0.5)
    torch.testing.assert_close(found, _loss(DeepToShallow(temperature=3), exits, _LABELS))


@pytest.mark.parametrize("count", [0, 1])
def test_a_student_without_exits_is_refused(count: int) -> None:
    batch = Batch(
        student=Outputs(logits=_DEEPEST, exits=_exits(count)), teacher=None, labels=_LABELS
    )
    with pytest.raises(ValueError, match="two exits or more: kind early_exits"):
        DeepToShallow().loss(batch)


@pytest.mark.parametrize("share", [0, 1.1])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(ValidationError, match="share_kd"):
        DeepToShallow(share_kd=share)
