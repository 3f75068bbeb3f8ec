"""What each padding policy gives the model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distillery.benchmarking.padding import encoded
from distillery.runtimes.base import Card, Encoded, Engine, Example

_BATCH = ("a", "a b c", "b", "c b a")


class Words(Engine):
    """Token ids are those of letters; padded with 9 to the longest row."""

    card = Card(name="words", label_names=("x",), max_length=5, is_pair=False, pad_token_id=9)

    def encode(self, examples: Sequence[Example]) -> Encoded:
        rows = [[ord(word) - 96 for word in str(one).split()] for one in examples]
        longest = max(map(len, rows))
        return {
            "input_ids": np.array([row + [9] * (longest - len(row)) for row in rows]),
            "attention_mask": np.array([[1] * len(r) + [0] * (longest - len(r)) for r in rows]),
        }

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        raise NotImplementedError


class Members(Words):
    """The second tokenizer adds a token of its own."""

    def encode(self, examples: Sequence[Example]) -> Encoded:
        first = super().encode(examples)
        longer = super().encode([f"{one} d" for one in examples])
        named = {f"0.{name}": array for name, array in first.items()}
        return named | {f"1.{name}": array for name, array in longer.items()}


class Pixels(Words):
    def encode(self, examples: Sequence[Example]) -> Encoded:
        return {"pixel_values": np.zeros((len(examples), 1, 2, 2), dtype=np.uint8)}


def _listed(batches: Sequence[Encoded], name: str) -> list[list[Any]]:
    return [batch[name].tolist() for batch in batches]


def test_to_the_longest_of_the_batch_is_what_the_engine_gives() -> None:
    (batch,) = encoded(Words(), _BATCH, "longest_of_batch")
    assert batch["input_ids"].tolist() == [[1, 9, 9], [1, 2, 3], [2, 9, 9], [3, 2, 1]]


def test_natural_has_no_padding() -> None:
    batches = encoded(Words(), _BATCH, "natural")
    assert _listed(batches, "input_ids") == [[[1], [2]], [[1, 2, 3], [3, 2, 1]]]
    assert all(batch["attention_mask"].all() for batch in batches)


def test_natural_of_several_tokenizers() -> None:
    batches = encoded(Members(), _BATCH, "natural")
    assert _listed(batches, "0.input_ids") == [[[1], [2]], [[1, 2, 3], [3, 2, 1]]]
    assert _listed(batches, "1.input_ids") == [[[1, 4], [2, 4]], [[1, 2, 3, 4], [3, 2, 1, 4]]]


def test_to_the_longest_input_of_the_model() -> None:
    (batch,) = encoded(Words(), ("a b",), "max_length")
    assert batch["input_ids"].tolist() == [[1, 2, 9, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0, 0]]


@pytest.mark.parametrize("padding", ["natural", "longest_of_batch", "max_length"])
def test_images_have_none(padding: Any) -> None:
    (batch,) = encoded(Pixels(), ("a", "b"), padding)
    assert batch["pixel_values"].shape == (2, 1, 2, 2)
