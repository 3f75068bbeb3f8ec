"""Nearest words by the cosine of their vectors.

Shapes: N words, U words asked for, H width.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
import torch

from distillery.augmentation.masked_lm import whole_words
from distillery.errors import UserError
from distillery.teachers.base import LoadedModel

log = logging.getLogger(__name__)

_MOST_WORDS = 400_000  # GloVe's files begin with the most frequent words
_ASKED_AT_ONCE = 64


class WordVectors:
    """A table of words, and a way to come by the vector of words that are not in it."""

    def __init__(
        self, words: Sequence[str], vectors: torch.Tensor, pieces: "Pieces | None" = None
    ) -> None:
        """``vectors`` (N, H)."""
        self._words = words
        self._row_of = {word.casefold(): row for row, word in reversed(list(enumerate(words)))}
        self._vectors = torch.nn.functional.normalize(vectors.float(), dim=-1)
        self._pieces = pieces

    @torch.inference_mode()
    def nearest(self, words: Sequence[str], count: int) -> Mapping[str, list[str]]:
        """The nearest others of each word, nearest first; words without a vector are left out."""
        asked = {word: vector for word in words if (vector := self._vector(word)) is not None}
        names = list(asked)
        found: dict[str, list[str]] = {}
        for start in range(0, len(names), _ASKED_AT_ONCE):
            some = names[start : start + _ASKED_AT_ONCE]
            cosines = torch.stack([asked[name] for name in some]) @ self._vectors.T  # (U, N)
            rows = cosines.topk(min(count + 4, len(self._words)), dim=-1).indices.tolist()
            for name, best in zip(some, rows, strict=True):
                own = name.casefold()
                others = [self._words[row] for row in best if self._words[row].casefold() != own]
                found[name] = list(dict.fromkeys(others))[:count]
        return found

    def _vector(self, word: str) -> torch.Tensor | None:
        row = self._row_of.get(word.casefold())
        if row is not None:
            return self._vectors[row]
        return None if self._pieces is None else self._pieces.mean(word)


class Pieces:
    """A model's input embeddings: the vector of a word is the mean of its pieces'."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._tokenizer = loaded.tokenizer
        embeddings: torch.nn.Embedding = loaded.model.get_input_embeddings()  # type: ignore[assignment]
        self.table = embeddings.weight.detach().cpu()  # (V, H)

    def mean(self, word: str) -> torch.Tensor | None:
        """(H,), of length 1; None where no piece is known."""
        ids: list[int] = self._tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        if not ids or self._tokenizer.unk_token_id in ids:
            return None
        return torch.nn.functional.normalize(self.table[ids].float().mean(0), dim=-1)


def from_embeddings(loaded: LoadedModel) -> WordVectors:
    """The input embeddings of a model, over the pieces that are whole words.

    Raises ``UserError`` where its vocabulary has none.
    """
    words = whole_words(loaded.tokenizer)
    if not words:
        raise UserError(
            "augmentation: no piece of the vocabulary is a whole word, so there are no neighbours "
            "to choose from; give word_vectors a GloVe text file"
        )
    pieces = Pieces(loaded)
    return WordVectors(list(words.values()), pieces.table[list(words)], pieces)


def from_file(path: str) -> WordVectors:
    """The words of letters in a GloVe text file.

    Raises ``UserError`` for a file that is missing or malformed.
    """
    words, vectors = [], []
    for word, vector in _lines(path):
        if word.isalpha():
            words.append(word)
            vectors.append(vector)
        if len(words) == _MOST_WORDS:
            break
    if not words:
        raise UserError(f"augmentation: word vectors '{path}' hold no word; {_mend()}")
    return WordVectors(words, torch.from_numpy(np.stack(vectors)))


def check_file(path: str) -> None:
    """Its first lines. Raises what ``from_file`` raises."""
    for line, _ in enumerate(_lines(path)):
        if line == 8:
            return


def _lines(path: str) -> Iterator[tuple[str, np.ndarray[tuple[int], np.dtype[np.float32]]]]:
    try:
        with Path(path).expanduser().open(encoding="utf-8") as stream:
            yield from _parsed(path, stream)
    except OSError as error:
        raise UserError(
            f"augmentation: cannot read word vectors '{path}': {error.strerror}; {_mend()}"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"augmentation: word vectors '{path}' are not UTF-8; {_mend()}") from error


def _parsed(
    path: str, stream: TextIO
) -> Iterator[tuple[str, np.ndarray[tuple[int], np.dtype[np.float32]]]]:
    width = None
    for number, line in enumerate(stream, start=1):
        fields = line.rstrip().split(" ")
        if number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
            continue  # word2vec's header: how many words, how wide
        width = width or len(fields) - 1
        try:
            # some words of glove.840B hold spaces
            vector = np.array(fields[-width:], dtype=np.float32)
        except ValueError:
            vector = np.array([], dtype=np.float32)
        if (
            width == 0
            or len(fields) <= width
            or len(vector) != width
            or not np.isfinite(vector).all()
        ):
            raise UserError(
                f"augmentation: word vectors '{path}', line {number}: expected a word and "
                f"{max(width, 1)} numbers; {_mend()}"
            )
        yield " ".join(fields[:-width]), vector


def _mend() -> str:
    return "give word_vectors a GloVe text file (a word and its numbers on each line)"
