"""The soft decision tree's loss, held against sums worked out one by one."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from distillery.architectures.soft_tree import SoftTree as Model
from distillery.architectures.soft_tree import SoftTreeConfig
from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.hard_tree import HardTree
from distillery.objectives.soft_targets import SoftTargets
from distillery.objectives.soft_tree import SoftTree
from distillery.objectives.tree_loss import balance_penalty, expected_cross_entropy

_B, _C, _DEPTH = 5, 4, 3


@pytest.fixture
def model() -> Model:
    torch.manual_seed(3)
    config = SoftTreeConfig(
        depth=_DEPTH, image_shape=(3, 2, 1), num_labels=_C, pixel_mean=(0.4,), pixel_std=(0.3,)
    )
    made = Model(config)
    made.eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        made.filters.weight.mul_(3)
        made.leaves.weight.mul_(20)
        made.sharpness.fill_(1.5)
    return made


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randint(256, (_B, 1, 3, 2), dtype=torch.uint8)


def _outputs(model: Model, pixels: torch.Tensor) -> Outputs:
    found = model(pixels)
    return Outputs(logits=found.logits, paths=found.paths, leaves=found.leaves)


def _batch(model: Model, pixels: torch.Tensor) -> Batch:
    torch.manual_seed(4)
    teacher = Outputs(logits=3 * torch.randn(_B, _C))
    return Batch(
        student=_outputs(model, pixels), teacher=teacher, labels=torch.arange(_B) % _C, mask=None
    )


def _by_hand(model: Model, image: torch.Tensor) -> list[float]:
    """Path probabilities, walking from each leaf up: node i's parent is (i − 1) // 2."""
    x = (image.float().flatten() / 255 - 0.4) / 0.3
    found = []
    for leaf in range(2**_DEPTH):
        node, probability = 2**_DEPTH - 1 + leaf, 1.0
        while node:
            parent, is_right = (node - 1) // 2, node % 2 == 0
            score = 1.5 * (x @ model.filters.weight[parent] + model.filters.bias[parent])
            right = float(torch.sigmoid(score))
            probability *= right if is_right else 1 - right
            node = parent
        found.append(probability)
    return found


def test_paths_and_mixture_are_the_papers(model: Model, pixels: torch.Tensor) -> None:
    with torch.no_grad():
        found = model(pixels)
        paths = torch.tensor([_by_hand(model, image) for image in pixels])
        torch.testing.assert_close(found.paths.exp(), paths)
        mixture = paths @ model.leaves.weight.T.softmax(-1)
        torch.testing.assert_close(found.logits.exp(), mixture)
        torch.testing.assert_close(found.logits.exp().sum(-1), torch.ones(_B))


def test_expected_cross_entropy_is_over_leaves(model: Model, pixels: torch.Tensor) -> None:
    with torch.no_grad():
        batch = _batch(model, pixels)
        assert batch.student.paths is not None
        assert batch.student.leaves is not None
        assert batch.teacher is not None
        targets = (batch.teacher.logits / 2).softmax(-1)
        by_hand = sum(
            float(batch.student.paths[row, leaf].exp())
            * float(cross_entropy(batch.student.leaves[leaf], targets[row]))
            for row in range(_B)
            for leaf in range(2**_DEPTH)
        )
        loss = SoftTree(temperature=2, weight_balance=0).loss(batch)
        assert float(loss) == pytest.approx(by_hand / _B, rel=1e-5)
        mixture = cross_entropy(batch.student.logits, targets)
        assert loss >= mixture  # Jensen


def test_balance_is_least_where_halves_go_each_way() -> None:
    even = torch.full((6, 8), 1 / 8).log()
    nodes = sum(2**level * 2.0**-level for level in range(3))
    assert float(balance_penalty(even)) == pytest.approx(nodes * math.log(2))
    tilted = torch.randn(6, 8, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    assert balance_penalty(tilted) > balance_penalty(even)
    # images may differ as long as they balance out: each goes one way, half of them this
    sure = torch.full((8, 8), -1e4)
    sure.fill_diagonal_(0)
    assert float(balance_penalty(sure)) == pytest.approx(nodes * math.log(2))


def test_balance_by_hand() -> None:
    paths = torch.tensor([[0.1, 0.3, 0.2, 0.4]])
    root = math.log(0.6) + math.log(0.4)
    left, right = math.log(0.75) + math.log(0.25), math.log(2 / 3) + math.log(1 / 3)
    by_hand = -0.5 * (root + 0.5 * (left + right))
    assert float(balance_penalty(paths.log())) == pytest.approx(by_hand)


def test_a_leaf_that_nothing_reaches_breaks_no_gradient() -> None:
    paths = torch.tensor([[0.0, -1e4, -1e4, -1e4]], requires_grad=True)
    loss = balance_penalty(paths)
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert paths.grad is not None
    assert torch.isfinite(paths.grad).all()


def test_the_control_differs_in_its_targets_alone(model: Model, pixels: torch.Tensor) -> None:
    """A teacher as sure as the labels are makes the two losses one."""
    with torch.no_grad():
        batch = _batch(model, pixels)
        sure = torch.nn.functional.one_hot(batch.labels, _C) * 1000.0
        certain = Batch(
            student=batch.student, teacher=Outputs(logits=sure), labels=batch.labels, mask=None
        )
        soft, hard = SoftTree(weight_balance=0.2), HardTree(weight_balance=0.2)
        torch.testing.assert_close(soft.loss(certain), hard.loss(batch))


def test_rows_without_a_label_count_for_the_balance_alone(
    model: Model, pixels: torch.Tensor
) -> None:
    with torch.no_grad():
        batch = _batch(model, pixels)
        none = Batch(
            student=batch.student, teacher=None, labels=torch.full((_B,), UNLABELLED), mask=None
        )
        assert batch.student.paths is not None
        penalty = 0.1 * balance_penalty(batch.student.paths)
        torch.testing.assert_close(HardTree().loss(none), penalty)


def test_another_students_outputs_are_refused() -> None:
    plain = Outputs(logits=torch.zeros(_B, _C))
    batch = Batch(student=plain, teacher=plain, labels=torch.zeros(_B, dtype=torch.long), mask=None)
    for objective in (SoftTree(), HardTree()):
        with pytest.raises(ValueError, match="use it with kind soft_tree"):
            objective.loss(batch)
    assert SoftTargets().loss(batch) == 0


def test_expected_cross_entropy_takes_soft_targets_row_by_row() -> None:
    paths = torch.tensor([[0.0, -1e4], [-1e4, 0.0]])  # one leaf each
    leaves = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    targets = torch.tensor([[0.7, 0.3], [0.5, 0.5]])
    found = expected_cross_entropy(paths, leaves, targets)
    each = [cross_entropy(leaves[i], targets[i]) for i in range(2)]
    torch.testing.assert_close(found, torch.stack(each))
