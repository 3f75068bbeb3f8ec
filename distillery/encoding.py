"""Texts to token ids, and rows to batches padded to their longest row."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from distillery.preparation import Text

Row = dict[str, Any]

_SEQUENCES = ("input_ids", "attention_mask", "token_type_ids")


def encode(tokenizer: PreTrainedTokenizerFast, texts: Sequence[Text], max_length: int) -> list[Row]:
    """One row a text, unpadded. Pairs keep their token types, which a BERT teacher needs."""
    firsts = [text if isinstance(text, str) else text[0] for text in texts]
    seconds = None if not texts or isinstance(texts[0], str) else [text[1] for text in texts]
    encoded: Mapping[str, list[list[int]]] = tokenizer(
        firsts, seconds, truncation=True, max_length=max_length
    )
    names = [name for name in _SEQUENCES if name in encoded]
    return [{name: encoded[name][i] for name in names} for i in range(len(texts))]


class Collator:
    """Pads to the longest row of the batch; keeps labels and teacher logits beside it."""

    def __init__(self, pad_token_id: int) -> None:
        self._pads = {"input_ids": pad_token_id, "attention_mask": 0, "token_type_ids": 0}

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """Sequences (B, S), labels (B,), teacher_logits (B, C)."""
        length = max(len(row["input_ids"]) for row in rows)
        batch = {}
        for name in _SEQUENCES:
            if name in rows[0]:
                pad = self._pads[name]
                batch[name] = torch.tensor(
                    [row[name] + [pad] * (length - len(row[name])) for row in rows]
                )
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        if "teacher_logits" in rows[0]:
            batch["teacher_logits"] = torch.stack([row["teacher_logits"] for row in rows])
        return batch
