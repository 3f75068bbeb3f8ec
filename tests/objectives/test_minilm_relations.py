"""MiniLM's relations against loops over sequences, heads and tokens."""

from math import exp, log, sqrt

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distillery.nouns import Architecture
from distillery.objectives.base import Batch, Outputs
from distillery.objectives.minilm_relations import MiniLmRelations

_B, _S = 3, 4
_LENGTHS = (4, 1, 3)


def _outputs(layers: int, heads: int, width: int, seed: int) -> Outputs:
    generator = torch.Generator().manual_seed(seed)

    def random() -> tuple[torch.Tensor, ...]:
        shape = (_B, heads, _S, width // heads)
        return tuple(
            2 * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(layers)
        )

    return Outputs(logits=torch.zeros(_B, 2), queries=random(), keys=random(), values=random())


def _batch(student: Outputs, teacher: Outputs) -> Batch:
    return Batch(
        student=student,
        teacher=teacher,
        labels=torch.zeros(_B, dtype=torch.long),
        mask=torch.arange(_S) < torch.tensor(_LENGTHS)[:, None],
    )


def _joined(one: torch.Tensor, b: int) -> NDArray[np.float64]:
    """(A, S, D) of a sequence → its real tokens' (length, A·D)."""
    A, S, D = one[b].shape
    made = np.zeros((S, A * D))
    for a in range(A):
        made[:, a * D : (a + 1) * D] = one[b, a].numpy()
    return made[: _LENGTHS[b]]


def _relation(left: NDArray[np.float64], right: NDArray[np.float64]) -> list[list[float]]:
    rows = []
    for i in range(len(left)):
        scores = [float(left[i] @ one) / sqrt(left.shape[1]) for one in right]
        total = sum(exp(score) for score in scores)
        rows.append([exp(score) / total for score in scores])
    return rows


def _expected(
    student: Outputs, teacher: Outputs, kinds: list[tuple[str, str]], heads: int, layer: int
) -> float:
    total = 0.0
    for left, right in kinds:
        for b, length in enumerate(_LENGTHS):
            for r in range(heads):
                both = []
                for outputs, of in ((student, -1), (teacher, layer)):
                    sides = []
                    for name in (left, right):
                        joined = _joined(getattr(outputs, name)[of], b)
                        d = joined.shape[1] // heads
                        sides.append(joined[:, r * d : (r + 1) * d])
                    both.append(_relation(*sides))
                for s_row, t_row in zip(*both, strict=True):
                    divergence = sum(t * log(t / s) for s, t in zip(s_row, t_row, strict=True))
                    total += divergence / (heads * length * _B)
    return total


_V2 = [("queries", "queries"), ("keys", "keys"), ("values", "values")]


@pytest.mark.parametrize("relation_heads", [1, 2, 3, 6])
def test_v2_by_loops_over_other_heads_and_widths(relation_heads: int) -> None:
    student = _outputs(layers=2, heads=2, width=6, seed=1)
    teacher = _outputs(layers=3, heads=3, width=12, seed=2)
    objective = MiniLmRelations(relation_heads=relation_heads)
    found = objective.loss(_batch(student, teacher)).item()
    assert found == pytest.approx(_expected(student, teacher, _V2, relation_heads, -1))


def test_v2_takes_the_teacher_layer_asked_for() -> None:
    student = _outputs(layers=2, heads=2, width=6, seed=1)
    teacher = _outputs(layers=3, heads=3, width=12, seed=2)
    found = MiniLmRelations(relation_heads=2, teacher_layer=2).loss(_batch(student, teacher))
    assert found.item() == pytest.approx(_expected(student, teacher, _V2, 2, 1))


def test_v1_by_loops_over_another_width() -> None:
    student = _outputs(layers=2, heads=2, width=4, seed=3)
    teacher = _outputs(layers=3, heads=2, width=8, seed=4)
    found = MiniLmRelations(version="v1").loss(_batch(student, teacher)).item()
    kinds = [("queries", "keys"), ("values", "values")]
    assert found == pytest.approx(_expected(student, teacher, kinds, 2, -1))


def test_a_value_worked_out_by_hand() -> None:
    # one sequence of two tokens, one head of width 1. Teacher's values 1 and 0: relations are
    # softmax (1, 0) and (½, ½). Student's are all 0: ½, ½. All queries and keys are 0
    zero = (torch.zeros(1, 1, 2, 1, dtype=torch.float64),)
    values = (torch.tensor([[[[1.0], [0.0]]]], dtype=torch.float64),)
    logits = torch.zeros(1, 2)
    batch = Batch(
        student=Outputs(logits=logits, queries=zero, keys=zero, values=zero),
        teacher=Outputs(logits=logits, queries=zero, keys=zero, values=values),
        labels=torch.tensor([0]),
    )
    p = exp(1) / (exp(1) + 1)
    expected = (p * log(2 * p) + (1 - p) * log(2 * (1 - p))) / 2  # two real tokens
    for objective in (MiniLmRelations(version="v1"), MiniLmRelations(relation_heads=1)):
        assert objective.loss(batch).item() == pytest.approx(expected)


def test_gradients_are_finite_beside_padding() -> None:
    student = _outputs(layers=1, heads=2, width=6, seed=1)
    leaf = student.queries[0].requires_grad_()
    batch = _batch(student, _outputs(layers=1, heads=2, width=6, seed=2))
    MiniLmRelations(relation_heads=2).loss(batch).backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


# what fits


def _architecture(width: int, heads: int, layers: int = 12) -> Architecture:
    return Architecture(layers=layers, hidden_size=width, heads=heads, max_tokens=None)


def test_v1_needs_as_many_heads() -> None:
    MiniLmRelations(version="v1").check(_architecture(384, 12), _architecture(768, 12))
    with pytest.raises(ValueError, match="use version v2"):
        MiniLmRelations(version="v1").check(_architecture(384, 6), _architecture(768, 12))


def test_v2_needs_widths_that_can_be_split() -> None:
    MiniLmRelations(relation_heads=48).check(_architecture(384, 6), _architecture(768, 12))
    with pytest.raises(ValueError, match="choose a divisor of 64, such as 8"):
        MiniLmRelations().check(_architecture(64, 4), _architecture(128, 4))


def test_a_teacher_layer_that_is_not_there_is_refused() -> None:
    MiniLmRelations(teacher_layer=21).check(_architecture(384, 12), _architecture(1032, 16, 24))
    with pytest.raises(ValueError, match="choose from 1 to 12"):
        MiniLmRelations(teacher_layer=13).check(_architecture(384, 12), _architecture(768, 12))
    with pytest.raises(ValueError, match="leave out teacher_layer, or use v2"):
        MiniLmRelations(version="v1", teacher_layer=3)
