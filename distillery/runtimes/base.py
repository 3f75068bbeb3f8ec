"""What every engine is: real examples in, logits out, tokenization included.

Reaches neither torch nor distillery's nouns: this module is part of what is served and of what is
sent to an instance.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from distillery.runtimes.images import Image, Shape, checked, stacked
from distillery.runtimes.word_memo import WordMemo

Text = str | tuple[str, str]
"""One input: a text, or a pair of texts."""

Example = Text | Image
"""One input of whatever kind."""

Kind = Literal["text", "image"]

Device = Literal["cpu", "cuda", "neuron"]
"""The processor, an NVIDIA GPU, or AWS Inferentia."""

Encoded = Mapping[str, NDArray[np.integer[Any]]]
"""Model inputs: of texts int64, each (B, S): input_ids, attention_mask, token_type_ids; of images
uint8 (B, C, H, W): pixel_values."""


# for each token that is read; a longer text is looked at from its beginning
_MOST_CHARACTERS = 32
# tokens of a word that may have been cut in two
_LONGEST_WORD = 128


@dataclass(frozen=True, kw_only=True)
class Card:
    """``candidate.json``: what an engine must know of the folder it opens."""

    name: str
    label_names: tuple[str, ...]
    max_length: int
    is_pair: bool
    pad_token_id: int
    kind: Kind = "text"
    image_shape: Shape | None = None

    @property
    def gives_scores(self) -> bool:
        """Whether the only logit is a score; classes are two or more."""
        return len(self.label_names) == 1

    @classmethod
    def read(cls, folder: Path) -> "Card":
        """Raises ``ValueError`` with one clear line where the folder is no candidate."""
        try:
            fields = json.loads((folder / "candidate.json").read_text(encoding="utf-8"))
            fields["label_names"] = tuple(fields["label_names"])
            if fields.get("image_shape") is not None:
                fields["image_shape"] = tuple(fields["image_shape"])
            return cls(**fields)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{folder} is no candidate: candidate.json: {error}") from error

    def write(self, folder: Path) -> None:
        """Write ``candidate.json``; equal cards give equal bytes."""
        text = json.dumps(self.__dict__, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / "candidate.json").write_text(text + "\n", encoding="utf-8")


class TextEncoder:
    """Tokenizes without torch or Transformers, padding to the longest row of the batch."""

    def __init__(self, folder: Path, card: Card) -> None:
        path = folder / "tokenizer.json"
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(card.max_length)
        self._pad_token_id = card.pad_token_id
        self._memo = WordMemo.of(path, self._tokenizer, card.max_length)
        self._max_length = card.max_length
        self._long = card.max_length * _MOST_CHARACTERS

    def __call__(self, texts: Sequence[Text]) -> Encoded:
        """Int64 arrays, each (B, S)."""
        if any(_characters(text) > self._long for text in texts):
            texts = [
                self._head(text)
                if isinstance(text, str)
                else (self._head(text[0]), self._head(text[1]))
                for text in texts
            ]
        if len(texts) == 1:  # the serving path: no batch call, no padding
            text = texts[0]
            if self._memo is not None and isinstance(text, str):
                known = self._memo.ids(text)
                if known is not None:
                    ids = np.array([known], dtype=np.int64)
                    mask, types = np.ones_like(ids), np.zeros_like(ids)
                    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            one = (
                self._tokenizer.encode(text)
                if isinstance(text, str)
                else self._tokenizer.encode(*text)
            )
            return self._arrays([one])
        return self._arrays(self._tokenizer.encode_batch_fast(list(texts)))

    def _head(self, text: str) -> str:
        """As much of a long text as can matter, found by trying.

        The tokenizer reads all of a text before it cuts: 10 MB are a gigabyte and ten seconds. What
        has many more tokens than are read begins with the same ones however it goes on.
        """
        length = self._long
        while len(text) > length:
            head = self._tokenizer.encode(text[:length], add_special_tokens=False)
            tokens = len(head.ids) + sum(len(part.ids) for part in head.overflowing)
            if tokens >= self._max_length + _LONGEST_WORD:
                return text[:length]
            length *= 4
        return text

    def _arrays(self, rows: Sequence[Encoding]) -> Encoded:
        length = max(len(row.ids) for row in rows)
        ids = np.full((len(rows), length), self._pad_token_id, dtype=np.int64)
        mask = np.zeros((len(rows), length), dtype=np.int64)
        types = np.zeros((len(rows), length), dtype=np.int64)
        for i, row in enumerate(rows):
            used = len(row.ids)
            ids[i, :used] = row.ids
            mask[i, :used] = 1
            types[i, :used] = row.type_ids
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


class ImageEncoder:
    """Pixels as they are: scaling and normalization stand in the graph."""

    def __init__(self, card: Card) -> None:
        self._shape = card.image_shape

    def __call__(self, images: Sequence[Image]) -> Encoded:
        """Uint8 (B, C, H, W). Raises ``ValueError`` for another size than the model's."""
        for image in images:
            checked(image, self._shape)
        return {"pixel_values": np.ascontiguousarray(stacked(images).transpose(0, 3, 1, 2))}


Encode = Callable[[Sequence[Example]], Encoded]


def encoder_of(folder: Path, card: Card) -> Encode:
    """What makes inputs of the examples that the card names; no others are given to it."""
    if card.kind == "image":
        return cast(Encode, ImageEncoder(card))
    return cast(Encode, TextEncoder(folder, card))


def size_of(encoded: Encoded) -> tuple[int, int]:
    """(batch, tokens), or (batch, pixels)."""
    first = next(iter(encoded.values()))
    return first.shape[0], int(np.prod(first.shape[1:]))


class Engine(ABC):
    """Runs one candidate. Tokenization and model are separate calls, so both can be timed."""

    card: Card

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> Encoded:
        """Tokenize, or line up the pixels; what comes out goes into ``logits``."""

    @abstractmethod
    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, C), in the order of the card's label names."""

    def predict(self, examples: Sequence[Example], batch_size: int = 32) -> NDArray[np.float32]:
        """Logits (N, C) of any number of examples, texts batched by length."""
        order = sorted(range(len(examples)), key=lambda i: _characters(examples[i]))
        found = np.zeros((len(examples), len(self.card.label_names)), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            found[rows] = self.logits(self.encode([examples[i] for i in rows]))
        return found


def _characters(example: Example) -> int:
    if isinstance(example, Image):
        return 0  # all are equally large
    return len(example) if isinstance(example, str) else len(example[0]) + len(example[1])


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities
