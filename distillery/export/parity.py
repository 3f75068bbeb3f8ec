"""How far a graph is from the model it came from: on real examples, and in several shapes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from distillery.correlation import spearman
from distillery.intervals import of_share
from distillery.nouns import Parity
from distillery.recipe import Export
from distillery.runtimes.base import Engine, Example, size_of

# B batch, S sequence, C classes


def compare(
    reference: Engine, other: Engine, texts: Sequence[Example], *, step: str, against: str
) -> Parity:
    """Hold the other engine's logits in every shape against the reference's for the text alone.

    The reference answers each text by itself at its natural length, so nothing is padded. The
    other answers each text by itself, in batches of 8 of like lengths (little padding), and in
    batches of 32 where the shortest stand beside the longest (much padding). A graph whose mask
    is broken, or whose activation scales depend on the neighbours too much, differs in the latter.
    All numbers are over (text, shape) pairs; KL is of softmax(reference) to softmax(other). Of
    scores, which are one logit, ranks are compared in place of labels.

    Raises ``ValueError`` where there are no texts.
    """
    if not texts:
        raise ValueError("parity needs at least one text")
    expected = np.concatenate([_logits(reference, [text])[0] for text in texts])  # (rows, C)
    compared, answers = [], []
    shapes: set[tuple[int, int]] = set()
    for rows in _batches(expected.shape[0], other, texts):
        found, shape = _logits(other, [texts[row] for row in rows])
        shapes.add(shape)
        compared.append(expected[rows])
        answers.append(found)
    wanted, said = np.concatenate(compared), np.concatenate(answers)  # (pairs, C)
    difference = np.abs(said - wanted)
    are_scores = wanted.shape[1] == 1
    flips = said.argmax(axis=1) != wanted.argmax(axis=1)
    flip_rate = float(flips.mean())
    return Parity(
        step=step,
        against=against,
        rows=len(texts),
        max_abs_logit_difference=float(difference.max()),
        mean_abs_logit_difference=float(difference.mean()),
        mean_kl=None if are_scores else float(_kl(wanted, said).mean()),
        label_flip_rate=None if are_scores else flip_rate,
        # over texts: the shapes of one text are no independent draws
        label_flip_interval=None if are_scores else of_share(flip_rate, len(texts)),
        rank_disagreement=1 - spearman(said[:, 0], wanted[:, 0]) if are_scores else None,
        shapes=tuple(sorted(shapes)),
    )


def exact(found: Parity, limits: Export) -> Parity:
    """With what it says of a step that should change nothing."""
    value, limit = found.max_abs_logit_difference, limits.fp32_max_abs_logit_difference
    if value <= limit:  # not where it is NaN
        return found
    moved = "logit" if found.rank_disagreement is None else "score"
    return _failed(found, f"moved a {moved} by {value:.3g}", f"{limit:g}")


def near(found: Parity, limits: Export) -> Parity:
    """With what it says of a step that may move logits, but few labels or ranks."""
    if found.rank_disagreement is not None:
        value, limit = found.rank_disagreement, limits.quantized_max_rank_disagreement
        if value <= limit:
            return found
        return _failed(found, f"changed the ranks of scores by 1 − ρ = {value:.3g}", f"{limit:g}")
    assert found.label_flip_rate is not None, "of classes"
    value, limit = found.label_flip_rate, limits.quantized_max_label_flip_rate
    if value <= limit:
        return found
    return _failed(found, f"flipped {value:.2%} of the labels", f"{limit:.2%}")


def _failed(found: Parity, what: str, limit: str) -> Parity:
    failure = f"{found.step} {what} against {found.against}, above the limit of {limit}"
    return found.model_copy(update={"failure": failure})


def _batches(count: int, engine: Engine, texts: Sequence[Example]) -> Iterator[list[int]]:
    """Row numbers: each alone, then by 8 of like lengths, then by 32 of unlike ones."""
    lengths = [size_of(engine.encode([text]))[1] for text in texts]
    by_length = sorted(range(count), key=lambda row: lengths[row])
    from_both_ends = [
        row for pair in zip(by_length, reversed(by_length), strict=True) for row in pair
    ][:count]
    for order, size in ((list(range(count)), 1), (by_length, 8), (from_both_ends, 32)):
        for start in range(0, count, size):
            yield order[start : start + size]


def _logits(
    engine: Engine, texts: Sequence[Example]
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """(B, C), and what was asked: (batch, tokens), or (batch, pixels)."""
    encoded = engine.encode(texts)
    return engine.logits(encoded).astype(np.float64), size_of(encoded)


def _kl(expected: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """KL(softmax expected ‖ softmax found) of each row, in nats: (B, C), (B, C) → (B,)."""
    log_p, log_q = _log_softmax(expected), _log_softmax(found)
    divergence: NDArray[np.float64] = (np.exp(log_p) * (log_p - log_q)).sum(axis=1)
    return divergence


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
