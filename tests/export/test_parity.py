"""Parity's numbers, held against ones worked out by hand."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from distillery.export import parity
from distillery.runtimes.base import Card, Encoded, Engine, Example, encoder_of

from . import tiny

Answer = Callable[[Encoded], NDArray[np.float32]]


class Fake(Engine):
    """Real tokenization; answers as it is told."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.card = Card.read(folder)
        self._encode = encoder_of(folder, self.card)
        self._answer = answer

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """As every engine does."""
        return self._encode(examples)

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, 2)."""
        return self._answer(encoded)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.save_checkpoint(tmp_path)
    Card(
        name="fake", label_names=("no", "yes"), max_length=32, is_pair=False, pad_token_id=0
    ).write(tmp_path)
    return tmp_path


def constant(no: float, yes: float) -> Answer:
    return lambda encoded: np.tile(np.array([no, yes], np.float32), (len(encoded["input_ids"]), 1))


def test_equal_engines_differ_in_nothing(folder: Path) -> None:
    engine = Fake(folder, constant(0.25, 0.75))
    found = parity.compare(engine, engine, tiny.TEXTS, step="fusion", against="itself")
    assert found.against == "itself"
    assert found.rows == len(tiny.TEXTS)
    assert found.max_abs_logit_difference == 0
    assert found.mean_abs_logit_difference == 0
    assert found.mean_kl == 0
    assert found.label_flip_rate == 0
    # Wilson's upper end for none of 40, z²/(n + z²), and its lower one
    assert found.label_flip_interval == pytest.approx((0, 1.959964**2 / (40 + 1.959964**2)))


def test_numbers_by_hand(folder: Path) -> None:
    reference = Fake(folder, constant(0, math.log(3)))  # (1/4, 3/4)
    other = Fake(folder, constant(0, math.log(1 / 3)))  # (3/4, 1/4)
    found = parity.compare(reference, other, tiny.TEXTS[:9], step="fusion", against="reference")
    assert found.max_abs_logit_difference == pytest.approx(2 * math.log(3))
    assert found.mean_abs_logit_difference == pytest.approx(math.log(3))
    # ¼ ln(¼ ÷ ¾) + ¾ ln(¾ ÷ ¼) = ½ ln 3
    assert found.mean_kl == pytest.approx(math.log(3) / 2)
    assert found.label_flip_rate == 1


def test_asks_alone_by_8_and_by_32_with_padding(folder: Path) -> None:
    asked: list[tuple[int, int, bool]] = []

    def answer(encoded: Encoded) -> NDArray[np.float32]:
        rows, tokens = encoded["input_ids"].shape
        asked.append((rows, tokens, bool((encoded["attention_mask"] == 0).any())))
        return constant(0, 1)(encoded)

    found = parity.compare(
        Fake(folder, constant(0, 1)),
        Fake(folder, answer),
        tiny.TEXTS,
        step="fusion",
        against="reference",
    )
    assert [rows for rows, _, _ in asked] == [1] * 40 + [8] * 5 + [32, 8]
    assert not any(padded for rows, _, padded in asked if rows == 1)
    assert all(padded for rows, _, padded in asked[45:])
    assert set(found.shapes) == {(rows, tokens) for rows, tokens, _ in asked}


def test_sees_a_mask_that_is_not_heeded(folder: Path) -> None:
    def averages_padding_too(encoded: Encoded) -> NDArray[np.float32]:
        mean = encoded["input_ids"].mean(axis=1, dtype=np.float64)
        return np.stack([mean, 0 * mean], axis=1).astype(np.float32)

    def averages(encoded: Encoded) -> NDArray[np.float32]:
        mean = encoded["input_ids"].sum(axis=1) / encoded["attention_mask"].sum(axis=1)
        return np.stack([mean, 0 * mean], axis=1).astype(np.float32)

    # alone, where nothing is padded, they agree
    broken, whole = Fake(folder, averages_padding_too), Fake(folder, averages)
    alone = parity.compare(whole, broken, tiny.TEXTS[:1], step="fusion", against="whole")
    assert alone.max_abs_logit_difference == pytest.approx(0, abs=1e-6)
    together = parity.compare(whole, broken, tiny.TEXTS, step="fusion", against="whole")
    assert together.max_abs_logit_difference > 1
    turned = parity.compare(broken, whole, tiny.TEXTS, step="fusion", against="broken")
    assert turned.mean_kl == pytest.approx(0, abs=1e-12)


def test_no_texts_is_an_error(folder: Path) -> None:
    engine = Fake(folder, constant(0, 1))
    with pytest.raises(ValueError, match="at least one text"):
        parity.compare(engine, engine, [], step="fusion", against="itself")


def test_of_scores_ranks_are_compared(folder: Path) -> None:
    Card(name="fake", label_names=("score",), max_length=32, is_pair=False, pad_token_id=0).write(
        folder
    )

    def first_word(encoded: Encoded) -> NDArray[np.float32]:
        return encoded["input_ids"][:, 1:2].astype(np.float32)

    reference = Fake(folder, first_word)
    same = parity.compare(reference, reference, tiny.TEXTS, step="fusion", against="itself")
    assert same.rank_disagreement == pytest.approx(0)
    assert same.mean_kl is None
    assert same.label_flip_rate is None
    higher = Fake(folder, lambda encoded: first_word(encoded) + 2)
    moved = parity.compare(reference, higher, tiny.TEXTS, step="fusion", against="reference")
    assert moved.max_abs_logit_difference == moved.mean_abs_logit_difference == 2
    assert moved.rank_disagreement == pytest.approx(0), "all moved alike: no rank changed"
    turned = Fake(folder, lambda encoded: -first_word(encoded))
    found = parity.compare(reference, turned, tiny.TEXTS, step="fusion", against="reference")
    assert found.rank_disagreement == pytest.approx(2)
