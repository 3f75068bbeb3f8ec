"""DistilBERT's triple loss against loops over tokens."""

from dataclasses import replace
from math import exp, log, sqrt

import pytest
import torch

from distillery.nouns import Architecture
from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.distilbert_triple import DistilBertTriple

_B, _S, _H, _V = 3, 4, 5, 7
_LENGTHS = (4, 2, 3)


def _outputs(layers: int, seed: int) -> Outputs:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return 2 * torch.randn(shape, generator=generator, dtype=torch.float64)

    return Outputs(
        logits=random(_B, _S, _V),
        hidden_states=tuple(random(_B, _S, _H) for _ in range(layers + 1)),
    )


def _batch() -> Batch:
    labels = torch.full((_B, _S), UNLABELLED)
    labels[0, 1], labels[0, 3], labels[2, 0] = 6, 2, 0
    return Batch(
        student=_outputs(1, 1),
        teacher=_outputs(2, 2),
        labels=labels,
        mask=torch.arange(_S) < torch.tensor(_LENGTHS)[:, None],
    )


def _softmax(logits: list[float], T: float) -> list[float]:
    total = sum(exp(z / T) for z in logits)
    return [exp(z / T) / total for z in logits]


def _terms(batch: Batch, T: float) -> tuple[float, float, float]:
    """KL without T², MLM cross-entropy, 1 - cosine: each a mean over its tokens."""
    assert batch.teacher is not None
    divergences, entropies, cosines = [], [], []
    for b, length in enumerate(_LENGTHS):
        for i in range(length):
            s, t = batch.student.logits[b, i].tolist(), batch.teacher.logits[b, i].tolist()
            pairs = zip(_softmax(s, T), _softmax(t, T), strict=True)
            divergences.append(sum(q * log(q / p) for p, q in pairs))
            if (label := int(batch.labels[b, i])) != UNLABELLED:
                entropies.append(-log(_softmax(s, 1)[label]))
            own = batch.student.hidden_states[-1][b, i].tolist()
            its = batch.teacher.hidden_states[-1][b, i].tolist()
            dot = sum(x * y for x, y in zip(own, its, strict=True))
            norms = sqrt(sum(x * x for x in own)) * sqrt(sum(y * y for y in its))
            cosines.append(1 - dot / norms)
    assert len(divergences) == sum(_LENGTHS)
    assert len(entropies) == 3
    return (
        sum(divergences) / len(divergences),
        sum(entropies) / len(entropies),
        sum(cosines) / len(cosines),
    )


def test_the_published_weights_by_loops() -> None:
    kl, mlm, cosine = _terms(_batch(), T=2)
    expected = 5 * 4 * kl + 2 * mlm + 1 * cosine
    assert DistilBertTriple().loss(_batch()).item() == pytest.approx(expected)


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0.5), (0, 0, 3), (0.5, 0.25, 2)])
def test_each_weight_by_loops(weights: tuple[float, float, float]) -> None:
    terms = _terms(_batch(), T=3)
    objective = DistilBertTriple(
        temperature=3, weight_kd=weights[0], weight_mlm=weights[1], weight_cosine=weights[2]
    )
    expected = weights[0] * 9 * terms[0] + weights[1] * terms[1] + weights[2] * terms[2]
    assert objective.loss(_batch()).item() == pytest.approx(expected)


def test_kl_counts_tokens_that_no_word_is_asked_of() -> None:
    """Public code can restrict KL to masked words; here each token but padding counts."""
    batch = replace(_batch(), labels=torch.full((_B, _S), UNLABELLED))
    kl, _, cosine = _terms(_batch(), T=2)
    assert DistilBertTriple().loss(batch).item() == pytest.approx(20 * kl + cosine)


def test_the_width_must_be_the_teachers() -> None:
    def shape(width: int) -> Architecture:
        return Architecture(layers=6, hidden_size=width, heads=12, max_tokens=None)

    DistilBertTriple().check(shape(768), shape(768))
    with pytest.raises(ValueError, match="set weight_cosine to 0"):
        DistilBertTriple().check(shape(384), shape(768))
    DistilBertTriple(weight_cosine=0).check(shape(384), shape(768))


def test_masked_words_alone_are_no_distillation() -> None:
    with pytest.raises(ValueError, match="nothing would be distilled"):
        DistilBertTriple(weight_kd=0, weight_cosine=0)
