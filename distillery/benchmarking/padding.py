"""A batch's inputs under each padding policy."""

from collections.abc import Sequence

import numpy as np

from distillery.measurements import Padding
from distillery.runtimes.base import Encoded, Engine, Example

# B batch, S sequence, K members that tokenize for themselves (one, unless it is an ensemble)

_MASK, _IDS = "attention_mask", "input_ids"


def encoded(engine: Engine, examples: Sequence[Example], padding: Padding) -> list[Encoded]:
    """What goes into ``engine.logits``, call by call: a single batch, or one a length.

    Images are all of one size, so that every policy is the same to them.
    """
    batch = engine.encode(examples)
    match padding:
        case "natural":
            return _by_length(batch)
        case "longest_of_batch":
            return [batch]
        case "max_length":
            return [_filled(batch, engine.card.max_length, engine.card.pad_token_id)]


def _by_length(batch: Encoded) -> list[Encoded]:
    """The rows, those of equal length together, without their padding."""
    of_member = {
        name.removesuffix(_MASK): mask.sum(axis=1)
        for name, mask in batch.items()
        if name.endswith(_MASK)
    }
    if not of_member:
        return [batch]
    lengths = np.stack(list(of_member.values()), axis=1)  # (B, K)
    groups: list[Encoded] = []
    for length in np.unique(lengths, axis=0):
        rows = np.flatnonzero((lengths == length).all(axis=1))
        kept = dict(zip(of_member, length, strict=True))
        groups.append({name: array[rows, : kept[_member(name)]] for name, array in batch.items()})
    return groups


def _filled(batch: Encoded, length: int, pad_token_id: int) -> Encoded:
    """Every row filled up to (B, ``length``)."""
    return {
        name: np.pad(
            array,
            ((0, 0), (0, length - array.shape[1])),
            constant_values=pad_token_id if name.endswith(_IDS) else 0,
        )
        if array.ndim == 2
        else array
        for name, array in batch.items()
    }


def _member(name: str) -> str:
    """``1.`` of ``1.input_ids``; nothing where there is one tokenizer."""
    return name[: name.rfind(".") + 1]
