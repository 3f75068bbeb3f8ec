"""Examples to model inputs, and rows to batches: texts padded to the longest, images stacked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from distillery.objectives.base import UNLABELLED
from distillery.preparation import Example, Text
from distillery.runtimes.images import Image
from distillery.teachers.base import LoadedModel

Row = dict[str, Any]
"""A student's ``input_ids`` and so on or ``pixel_values``, ``labels``, and what starts with
``teacher_``: its own encoding where that differs, and its ``logits`` where they are known."""

TEACHERS = "teacher_"

_SEQUENCES = ("input_ids", "attention_mask", "token_type_ids")


def inputs_of(loaded: LoadedModel, examples: Sequence[Example], max_length: int) -> list[Row]:
    """One row an example, as the model takes it: token ids, or pixels (C, H, W) in uint8."""
    if loaded.reads_images:
        images = [example for example in examples if isinstance(example, Image)]
        return [{"pixel_values": image.pixels.transpose(2, 0, 1)} for image in images]
    texts = [example for example in examples if not isinstance(example, Image)]
    return encode(loaded.tokenizer, texts, max_length)


def collator_of(loaded: LoadedModel, teacher_pad_token_id: int = 0) -> "Collator":
    """What makes batches of such rows."""
    pad = 0 if loaded.reads_images else loaded.tokenizer.pad_token_id
    return Collator(pad, teacher_pad_token_id)


def encode(tokenizer: PreTrainedTokenizerFast, texts: Sequence[Text], max_length: int) -> list[Row]:
    """One row a text, unpadded. Pairs keep their token types, which a BERT teacher needs."""
    firsts = [text if isinstance(text, str) else text[0] for text in texts]
    seconds = None if not texts or isinstance(texts[0], str) else [text[1] for text in texts]
    encoded: Mapping[str, list[list[int]]] = tokenizer(
        firsts, seconds, truncation=True, max_length=max_length
    )
    names = [name for name in _SEQUENCES if name in encoded]
    return [{name: encoded[name][i] for name in names} for i in range(len(texts))]


def add_teachers_ids(
    rows: Sequence[Row], own: PreTrainedTokenizerFast, teachers: PreTrainedTokenizerFast
) -> None:
    """Give each row the student's very tokens, as the teacher numbers them, in place.

    Losses over layers compare token by token. A trimmed vocabulary splits a word that it lacks
    into smaller pieces, which the teacher knows too: it is asked about those pieces.
    """
    numbers = teachers.get_vocab()
    of_own = {number: numbers[token] for token, number in own.get_vocab().items()}
    for row in rows:
        row.update({TEACHERS + name: row[name] for name in _SEQUENCES if name in row})
        row[TEACHERS + "input_ids"] = [of_own[number] for number in row["input_ids"]]


_MASKED_SHARE = 0.15


class Collator:
    """Pads to the longest row of the batch; images are all of one shape."""

    def __init__(self, pad_token_id: int, teacher_pad_token_id: int = 0) -> None:
        self._pads = {"attention_mask": 0, "token_type_ids": 0}
        self._pad_ids = {"": pad_token_id, TEACHERS: teacher_pad_token_id}

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """Sequences (B, S) or pixels (B, C, H, W), labels (B,), teacher_logits (B, K, C)."""
        batch = {}
        if "pixel_values" in rows[0]:
            pixels = np.stack([row["pixel_values"] for row in rows])
            batch["pixel_values"] = torch.from_numpy(pixels)
        for whose, pad_token_id in self._pad_ids.items():
            for name in _SEQUENCES:
                key = whose + name
                if key in rows[0]:
                    pad = self._pads.get(name, pad_token_id)
                    length = max(len(row[key]) for row in rows)
                    batch[key] = torch.tensor(
                        [row[key] + [pad] * (length - len(row[key])) for row in rows]
                    )
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        if "teacher_logits" in rows[0]:
            batch["teacher_logits"] = torch.stack([row["teacher_logits"] for row in rows])
        return batch


class MaskingCollator(Collator):
    """Hides tokens to be guessed (Devlin et al. 2019, §3.1), others in every epoch.

    15 % of the tokens that are not special are chosen; of these 80 % become ``[MASK]``, 10 % a
    random token, and 10 % stay. Labels (B, S) are the chosen tokens, −100 elsewhere. It draws
    from torch's random state, which a resumed training gets back.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__(tokenizer.pad_token_id)
        self._special = torch.tensor(sorted(tokenizer.all_special_ids))
        self._mask = tokenizer.mask_token_id
        self._size = len(tokenizer)

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """As ``Collator``, but for labels (B, S)."""
        batch = super().__call__(rows)
        ids = batch["input_ids"]
        chosen = torch.rand(ids.shape) < _MASKED_SHARE
        chosen &= ~torch.isin(ids, self._special)
        batch["labels"] = torch.where(chosen, ids, UNLABELLED)
        fate = torch.rand(ids.shape)
        ids = torch.where(chosen & (fate < 0.8), self._mask, ids)
        anything = torch.randint(self._size, ids.shape)
        batch["input_ids"] = torch.where(chosen & (fate >= 0.9), anything, ids)
        return batch
