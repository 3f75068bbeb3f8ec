"""Mutual learning against values worked out by hand, and who learns from whom."""

from math import log

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.mutual_learning import MutualLearning

_LABELS = torch.tensor([0, 3, 1, 4])


def _loss(objective: MutualLearning, peers: tuple[Tensor, ...], labels: Tensor) -> Tensor:
    student = Outputs(logits=peers[0], exits=peers)
    return objective.loss(Batch(student=student, teacher=None, labels=labels))


def _peers(count: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(
        (2 * torch.randn(4, 5, generator=generator, dtype=torch.float64)).requires_grad_()
        for _ in range(count)
    )


def test_a_value_worked_out_by_hand() -> None:
    # (¾, ¼) and (½, ½), label 0
    sure = torch.tensor([[log(3), 0]], dtype=torch.float64)
    unsure = torch.zeros(1, 2, dtype=torch.float64)
    of_sure = -log(0.75) + 0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25)
    of_unsure = log(2) + 0.75 * log(1.5) + 0.25 * log(0.5)
    for peers in ((sure, unsure), (unsure, sure)):
        found = _loss(MutualLearning(), peers, torch.tensor([0]))
        assert found.item() == pytest.approx(of_sure + of_unsure)


def test_each_peers_gradient_is_that_of_its_own_loss() -> None:
    """No other peer's loss reaches it: those hold it fixed."""
    peers = _peers(3)
    _loss(MutualLearning(temperature=2), peers, _LABELS).backward()  # type: ignore[no-untyped-call]
    for k, peer in enumerate(peers):
        own = peer.detach().clone().requires_grad_()
        loss = cross_entropy(own, _LABELS)
        for j, other in enumerate(peers):
            if j != k:
                soft = (other.detach() / 2).softmax(-1)
                divergence = kl_div((own / 2).log_softmax(-1), soft, reduction="batchmean")
                loss = loss + 4 * divergence / 2
        loss.backward()  # type: ignore[no-untyped-call]
        assert own.grad is not None
        assert peer.grad is not None
        torch.testing.assert_close(peer.grad, own.grad)


def test_peers_that_agree_teach_each_other_nothing() -> None:
    peer = _peers(1)[0].detach()
    found = _loss(MutualLearning(temperature=3), (peer, peer, peer), _LABELS)
    torch.testing.assert_close(found, 3 * cross_entropy(peer, _LABELS))


def test_rows_without_a_label_count_for_what_peers_say_alone() -> None:
    first, second = _peers(2)
    found = _loss(MutualLearning(), (first, second), torch.full((4,), UNLABELLED))
    expected = kl_div(
        first.log_softmax(-1), second.log_softmax(-1), reduction="batchmean", log_target=True
    ) + kl_div(
        second.log_softmax(-1), first.log_softmax(-1), reduction="batchmean", log_target=True
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("count", [0, 1])
def test_a_student_without_peers_is_refused(count: int) -> None:
    batch = Batch(
        student=Outputs(logits=torch.zeros(4, 5), exits=_peers(count)), teacher=None, labels=_LABELS
    )
    with pytest.raises(ValueError, match="two peers or more: kind peers"):
        MutualLearning().loss(batch)
