"""TinyBERT's layer losses against loops over rows, heads and tokens."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from distillery.nouns import Architecture
from distillery.objectives.base import Batch, Outputs
from distillery.objectives.tinybert_layers import TinyBertLayers

_B, _S, _A = 3, 5, 2
_LENGTHS = (5, 2, 3)


def _architecture(layers: int, width: int, heads: int = _A) -> Architecture:
    return Architecture(layers=layers, hidden_size=width, heads=heads, max_tokens=None)


_STUDENT, _TEACHER = _architecture(2, 4), _architecture(4, 6)


def _outputs(shape: Architecture, seed: int, B: int = _B, S: int = _S) -> Outputs:
    generator = torch.Generator().manual_seed(seed)

    def random(*sizes: int) -> torch.Tensor:
        return torch.randn(sizes, generator=generator, dtype=torch.float64)

    L, H, A = shape.layers, shape.hidden_size, shape.heads
    return Outputs(
        logits=random(B, 2),
        hidden_states=tuple(random(B, S, H) for _ in range(L + 1)),
        queries=tuple(random(B, A, S, H // A) for _ in range(L)),
        keys=tuple(random(B, A, S, H // A) for _ in range(L)),
    )


def _batch(objective: TinyBertLayers) -> Batch:
    torch.manual_seed(0)
    projections = objective.projections(_STUDENT, _TEACHER)
    return Batch(
        student=_outputs(_STUDENT, 1),
        teacher=_outputs(_TEACHER, 2),
        labels=torch.zeros(_B, dtype=torch.long),
        mask=torch.arange(_S) < torch.tensor(_LENGTHS)[:, None],
        projections=None if projections is None else projections.double(),
    )


def _only(term: str, **changes: object) -> TinyBertLayers:
    weights = {"weight_embeddings": 0, "weight_hidden": 0, "weight_attention": 0, term: 1}
    return TinyBertLayers.model_validate(weights | changes)


def _hidden_by_loops(student: torch.Tensor, teacher: torch.Tensor, weight: torch.Tensor) -> float:
    """MSE(H_s·W, H_t) over real tokens: y = x·Wᵀ is how nn.Linear multiplies."""
    s, t, W = (one.detach().numpy() for one in (student, teacher, weight))
    squares, count = 0.0, 0
    for b, length in enumerate(_LENGTHS):
        for i in range(length):
            squares += float(((W @ s[b, i] - t[b, i]) ** 2).sum())
            count += t.shape[-1]
    return squares / count


def _attention_by_loops(student: Outputs, own: int, teacher: Outputs, its: int) -> float:
    squares, count = 0.0, 0
    for b, length in enumerate(_LENGTHS):
        for a in range(_A):
            for i in range(length):
                for j in range(length):
                    scores = [
                        float(np.dot(one.queries[layer - 1][b, a, i], one.keys[layer - 1][b, a, j]))
                        / sqrt(one.queries[layer - 1].shape[-1])
                        for one, layer in ((student, own), (teacher, its))
                    ]
                    squares += (scores[0] - scores[1]) ** 2
                    count += 1
    return squares / count


def _weight(batch: Batch, name: str) -> torch.Tensor:
    assert batch.projections is not None
    return batch.projections.get_parameter(f"{name}.weight")


def test_embeddings_by_loops() -> None:
    objective = _only("weight_embeddings")
    batch = _batch(objective)
    assert batch.teacher is not None
    expected = _hidden_by_loops(
        batch.student.hidden_states[0],
        batch.teacher.hidden_states[0],
        _weight(batch, "embeddings"),
    )
    assert objective.loss(batch).item() == pytest.approx(expected)


def test_hidden_states_by_loops_add_up_over_layers() -> None:
    objective = _only("weight_hidden")
    batch = _batch(objective)
    assert batch.teacher is not None
    expected = sum(
        _hidden_by_loops(
            batch.student.hidden_states[own],
            batch.teacher.hidden_states[its],
            _weight(batch, "hidden"),
        )
        for own, its in ((1, 2), (2, 4))
    )
    assert objective.loss(batch).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mapping", "pairs"), [("uniform", ((1, 2), (2, 4))), ((4, 1), ((1, 4), (2, 1)))]
)
def test_attention_by_loops(mapping: object, pairs: tuple[tuple[int, int], ...]) -> None:
    objective = _only("weight_attention", mapping=mapping)
    batch = _batch(objective)
    assert batch.teacher is not None
    expected = sum(
        _attention_by_loops(batch.student, own, batch.teacher, its) for own, its in pairs
    )
    assert objective.loss(batch).item() == pytest.approx(expected)


def test_the_whole_is_the_weighted_sum() -> None:
    objective = TinyBertLayers(weight_embeddings=0.5, weight_hidden=2, weight_attention=3)
    batch = _batch(objective)
    expected = (
        0.5 * _only("weight_embeddings").loss(batch)
        + 2 * _only("weight_hidden").loss(batch)
        + 3 * _only("weight_attention").loss(batch)
    )
    torch.testing.assert_close(objective.loss(batch), expected)


@pytest.mark.parametrize(
    ("term", "share"),
    [("weight_embeddings", 1 / 8), ("weight_hidden", 1 / 8), ("weight_attention", 1 / 64)],
)
def test_16_real_tokens_of_128_weigh_as_16_of_16(term: str, share: float) -> None:
    """Zeroed padding that stays in the mean reads an eighth of the loss (.124 measured)."""
    objective = _only(term)
    batch = _batch(objective)
    short = replace(
        batch,
        student=_outputs(_STUDENT, 3, B=1, S=16),
        teacher=_outputs(_TEACHER, 4, B=1, S=16),
        mask=torch.ones(1, 16, dtype=torch.bool),
    )

    def padded(outputs: Outputs) -> Outputs:
        def longer(one: torch.Tensor) -> torch.Tensor:
            return torch.cat([one, one.new_zeros(*one.shape[:-2], 112, one.shape[-1])], dim=-2)

        return replace(
            outputs,
            hidden_states=tuple(map(longer, outputs.hidden_states)),
            queries=tuple(map(longer, outputs.queries)),
            keys=tuple(map(longer, outputs.keys)),
        )

    assert short.teacher is not None
    long = replace(
        short,
        student=padded(short.student),
        teacher=padded(short.teacher),
        mask=torch.arange(128)[None] < 16,
    )
    right = objective.loss(short)
    torch.testing.assert_close(objective.loss(long), right)
    # the trap itself: the same zeros, counted
    unmasked = objective.loss(replace(long, mask=torch.ones(1, 128, dtype=torch.bool)))
    assert (unmasked / right).item() == pytest.approx(share)


def test_scores_are_compared_before_the_softmax() -> None:
    """A constant added to a row's scores leaves its softmax; these scores it must not leave."""
    objective = _only("weight_attention")
    batch = _batch(objective)
    assert batch.teacher is not None
    ones = replace(batch.student, queries=tuple(torch.ones_like(q) for q in batch.student.queries))
    shifted = replace(ones, keys=tuple(key + 1 for key in ones.keys))
    assert objective.loss(replace(batch, student=shifted)) != pytest.approx(
        objective.loss(replace(batch, student=ones)).item()
    )


def test_swapped_heads_are_told() -> None:
    objective = _only("weight_attention")
    batch = _batch(objective)
    swapped = replace(batch.student, queries=tuple(q.flip(1) for q in batch.student.queries))
    assert objective.loss(replace(batch, student=swapped)) != objective.loss(batch)


# what is learned beside the student


def test_one_matrix_for_embeddings_one_for_all_layers_no_bias() -> None:
    made = TinyBertLayers().projections(_STUDENT, _TEACHER)
    assert made is not None
    shapes = {name: tuple(one.shape) for name, one in made.named_parameters()}
    assert shapes == {"embeddings.weight": (6, 4), "hidden.weight": (6, 4)}


def test_at_equal_widths_it_is_learned_from_the_identity() -> None:
    made = TinyBertLayers().projections(_TEACHER, _TEACHER)
    assert made is not None
    for one in made.parameters():
        assert one.requires_grad
        assert torch.equal(one, torch.eye(6))


def test_no_matrix_where_it_would_weigh_nothing() -> None:
    assert _only("weight_attention").projections(_STUDENT, _TEACHER) is None
    made = _only("weight_hidden").projections(_STUDENT, _TEACHER)
    assert isinstance(made, nn.ModuleDict)
    assert list(made) == ["hidden"]


def test_without_its_matrices_it_refuses() -> None:
    batch = replace(_batch(TinyBertLayers()), projections=None)
    with pytest.raises(ValueError, match=r"matrices that its projections\(\) makes"):
        TinyBertLayers().loss(batch)


# what fits


def test_any_width_fits_and_other_heads_do_not() -> None:
    TinyBertLayers().check(_architecture(4, 312, 12), _architecture(12, 768, 12))
    with pytest.raises(ValueError, match="use minilm_relations, which takes any number of heads"):
        TinyBertLayers().check(_architecture(4, 312, 6), _architecture(12, 768, 12))
    # scores that weigh nothing need not fit
    TinyBertLayers(weight_attention=0).check(_architecture(4, 312, 6), _architecture(12, 768, 12))


def test_layers_that_cannot_be_mapped_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 2"):
        TinyBertLayers().check(_architecture(3, 4), _architecture(2, 4))


def test_no_weight_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="all weights are 0"):
        TinyBertLayers(weight_embeddings=0, weight_hidden=0, weight_attention=0)
