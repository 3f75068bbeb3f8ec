"""Examples to model inputs, and rows to batches: texts padded to the longest, images stacked."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from distillery.data.examples import Example, Text
from distillery.data.lazy import Lazy
from distillery.objectives.base import UNLABELLED
from distillery.runtimes.images import Image
from distillery.teachers.base import LoadedModel

Row = dict[str, Any]
"""A student's ``input_ids`` and so on or ``pixel_values``, ``labels``, and what starts with
``teacher_``: its own encoding where that differs, and its ``logits`` where they are known."""

TEACHERS = "teacher_"

_ENCODED_AT_ONCE = 1000
_SEQUENCES = ("input_ids", "attention_mask", "token_type_ids")


def inputs_of(loaded: LoadedModel, examples: Sequence[Example], max_length: int) -> Sequence[Row]:
    """One row an example, as the model takes it: token ids, or pixels."""
    if loaded.reads_images:
        return Pixels(examples)
    texts = [example for example in examples if not isinstance(example, Image)]
    return encode(loaded.tokenizer, texts, max_length)


class Pixels(Lazy[Row]):
    """Images as the models here take them: (C, H, W) in uint8, read when one is looked at."""

    def __init__(self, images: Sequence[Example]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def at(self, position: int) -> Row:
        """A view of the image's own pixels. Raises ``TypeError`` for a text."""
        image = self._images[position]
        if not isinstance(image, Image):
            raise TypeError("this model reads images, and the row is a text")
        return {"pixel_values": image.pixels.transpose(2, 0, 1)}


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


class Tokenized(Lazy[Row]):
    """The rows of ``encode``, memory-mapped: a row's tokens are read when it is looked at."""

    def __init__(self, starts: NDArray[np.int64], tokens: Mapping[str, NDArray[Any]]) -> None:
        """``starts`` (N + 1,); each of ``tokens``, by name, all rows one after the other."""
        self._starts = starts
        self._tokens = tokens

    def __len__(self) -> int:
        return len(self._starts) - 1

    def at(self, position: int) -> Row:
        """As ``encode`` made it."""
        start, stop = self._starts[position : position + 2].tolist()
        return {name: tokens[start:stop].tolist() for name, tokens in self._tokens.items()}


def tokenized(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[Example], max_length: int, folder: Path
) -> Tokenized:
    """The same as ``encode``, in files without a name: gone with the last that reads them.

    ``folder`` says on which disk. In memory are 8 bytes a text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, IO[bytes]] = {}
    lengths = [np.zeros(1, dtype=np.int64)]
    waiting = (text for text in texts if not isinstance(text, Image))
    while some := list(islice(waiting, _ENCODED_AT_ONCE)):
        rows = encode(tokenizer, some, max_length)
        for name in rows[0]:
            if name not in files:
                files[name] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
            flat = chain.from_iterable(row[name] for row in rows)
            np.fromiter(flat, dtype=_width(name)).tofile(files[name])
        lengths.append(np.array([len(row["input_ids"]) for row in rows], dtype=np.int64))
    return Tokenized(
        np.concatenate(lengths).cumsum(),
        {name: _mapped(file, _width(name)) for name, file in files.items()},
    )


def _width(name: str) -> type[np.integer[Any]]:
    return np.int32 if name == "input_ids" else np.int8


def _mapped(file: IO[bytes], width: type[np.integer[Any]]) -> NDArray[Any]:
    """A plain array over the file, which stays as long as the array does."""
    with file:
        if not file.seek(0, os.SEEK_END):
            return np.zeros(0, dtype=width)  # an empty file cannot be mapped
        return np.asarray(np.memmap(file, dtype=width, mode="r"))


class TeachersIds(Lazy[Row]):
    """The student's very tokens in each row, as the teacher numbers them.

    Losses over layers compare token by token. A trimmed vocabulary splits a word that it lacks
    into smaller pieces, which the teacher knows too: it is asked about those pieces.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        own: PreTrainedTokenizerFast,
        teachers: PreTrainedTokenizerFast,
    ) -> None:
        numbers = teachers.get_vocab()
        self._of_own = {number: numbers[token] for token, number in own.get_vocab().items()}
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, position: int) -> Row:
        """The sequences alone."""
        row = self._rows[position]
        ids = [self._of_own[number] for number in row["input_ids"]]
        return {name: row[name] for name in _SEQUENCES if name in row} | {"input_ids": ids}


class Rows(Lazy[Row]):
    """Rows put together when they are looked at: a model's inputs and what belongs to each."""

    def __init__(
        self,
        inputs: Sequence[Row],
        columns: Mapping[str, Sequence[object]],
        theirs: Sequence[Row] = (),
    ) -> None:
        """``theirs`` are the teacher's own encodings, where they differ."""
        self._inputs = inputs
        self._columns = columns
        self._theirs = theirs

    def __len__(self) -> int:
        return len(self._inputs)

    def at(self, position: int) -> Row:
        """With all that it has."""
        row = {name: column[position] for name, column in self._columns.items()}
        theirs = self._theirs[position] if self._theirs else {}
        row |= {TEACHERS + name: value for name, value in theirs.items()}
        return self._inputs[position] | row

    def joined_by(self, theirs: Sequence[Row] = (), **columns: Sequence[object]) -> "Rows":
        """The same rows with more to each. Raises ``ValueError`` for other than one a row."""
        for more in (*columns.values(), *([theirs] if theirs else [])):
            if len(more) != len(self):
                raise ValueError(f"{len(more)} for {len(self)} rows")
        return Rows(self._inputs, {**self._columns, **columns}, theirs or self._theirs)


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
