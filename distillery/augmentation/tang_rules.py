"""The augmentation of Tang et al. 2019 ("Distilling Task-Specific Knowledge from BERT …", §3.2).

Word by word: masked with p_mask, or replaced with p_pos by a word of the same class, drawn from
the words of that class in the training texts as often as they stand there. Then, with p_ng, only
n words in a row are kept, n from 1 to 5. So n_iter times for each text.

Deviation: word classes come from the few rules in ``word_classes``, not from a trained tagger.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from distillery.augmentation.base import Rewrite, Rewriting
from distillery.augmentation.word_classes import classes_of
from distillery.augmentation.words import replaced, words_in
from distillery.errors import UserError

if TYPE_CHECKING:
    from distillery.teachers.base import LoadedModel

_LONGEST_NGRAM = 5


class TangRules(Rewriting):
    """Words masked or replaced by others of their class; now and then a few words alone."""

    kind: Literal["tang_rules"] = "tang_rules"
    variants_per_text: int = Field(
        default=20, ge=1, le=1000, title="Iterations (n_iter)", description="Variants of each text."
    )
    mask_probability: float = Field(
        default=0.1, ge=0, le=1, title="Mask (p_mask)", description="Of each word."
    )
    class_probability: float = Field(
        default=0.1,
        ge=0,
        le=1,
        title="Same class (p_pos)",
        description="Of each word: replaced by another of its part of speech.",
    )
    ngram_probability: float = Field(
        default=0.25,
        ge=0,
        le=1,
        title="Few words (p_ng)",
        description="Of each variant: only 1 to 5 words in a row are kept.",
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> "TangRules":
        if self.mask_probability + self.class_probability > 1:
            raise ValueError("mask_probability + class_probability is above 1; lower one of them")
        if not (self.mask_probability or self.class_probability or self.ngram_probability):
            raise ValueError("all three probabilities are 0: nothing would change; raise one")
        return self

    def check(self, *, is_pair: bool) -> None:
        """Nothing to fetch."""

    def rewriter(self, texts: Sequence[str], teacher: "LoadedModel") -> Rewrite:
        """Counts the words of each class first.

        Raises ``UserError`` where the teacher's tokenizer has nothing to mask with.
        """
        tokenizer = teacher.tokenizer
        mask = tokenizer.mask_token or tokenizer.unk_token
        if self.mask_probability and mask is None:
            raise UserError(
                "augmentation: the teacher's tokenizer has neither a mask nor an unknown token; "
                "set mask_probability to 0"
            )
        unigrams = _Unigrams(texts)

        def rewrite(
            strings: Sequence[str], streams: Sequence[np.random.Generator]
        ) -> list[list[str]]:
            return [
                self._variants(string, stream, str(mask), unigrams)
                for string, stream in zip(strings, streams, strict=True)
            ]

        return rewrite

    def paired(
        self, pair: tuple[str, str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> list[tuple[str, str]]:
        """In turn the first text alone, the second alone, and both (§3.2)."""
        return [
            (pair[0] if turn % 3 == 1 else first, pair[1] if turn % 3 == 0 else second)
            for turn, (first, second) in enumerate(zip(firsts, seconds, strict=True))
        ]

    def _variants(
        self, string: str, stream: np.random.Generator, mask: str, unigrams: "_Unigrams"
    ) -> list[str]:
        words = words_in(string)
        if not words:
            return [string] * self.variants_per_text
        classes = classes_of([word.text for word in words])
        # for each word and variant: what happens, and which word; for each variant: the n-gram
        happens, choices = stream.random((2, self.variants_per_text, len(words)))
        ngrams = stream.random((self.variants_per_text, 3))
        until_class = self.mask_probability + self.class_probability
        variants = []
        for what, choice, (few, length, place) in zip(happens, choices, ngrams, strict=True):
            by = {}
            for i in range(len(words)):
                if what[i] < self.mask_probability:
                    by[i] = mask
                elif what[i] < until_class:
                    by[i] = unigrams.draw(classes[i], choice[i])
            first, last = 0, len(words) - 1
            start, end = 0, len(string)
            if few < self.ngram_probability:
                n = min(1 + int(length * _LONGEST_NGRAM), len(words))
                first = int(place * (len(words) - n + 1))
                last = first + n - 1
                start, end = words[first].start, words[last].end
            if all(by.get(i) == mask for i in range(first, last + 1)):
                variants.append(string)  # not a word is left: the same as none made
                continue
            left = {i: new for i, new in by.items() if first <= i <= last}
            variants.append(replaced(string[:end], words, left)[start:])
        return variants


class _Unigrams:
    """How often each word of a class stands in the training texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts: dict[str, Counter[str]] = {}
        for text in texts:
            words = [word.text for word in words_in(text)]
            for word, its_class in zip(words, classes_of(words), strict=True):
                counts.setdefault(its_class, Counter())[word] += 1
        # sorted: the order must not hang on which text came first
        self._words = {name: sorted(counted) for name, counted in counts.items()}
        self._sums = {
            name: np.array(list(accumulate(counts[name][word] for word in words)))
            for name, words in self._words.items()
        }

    def draw(self, its_class: str, uniform: float) -> str:
        """A word of the class, for a number in [0, 1)."""
        sums = self._sums[its_class]
        row = np.searchsorted(sums, uniform * sums[-1], side="right")
        return self._words[its_class][int(row)]
