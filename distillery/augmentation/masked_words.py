"""TinyBERT's augmentation (Jiao et al. 2020, Algorithm 1).

Each word is replaced, with probability p, by one of K candidates: what a masked language model
would put in its place, or, for a word of several pieces, the words with the nearest vectors. As in
the authors' code, stop words and whatever is not all letters stay, and the model reads the
unmasked text beside the masked one, which keeps its candidates near the meaning.

Deviations: candidates are whole words of letters and never the word itself (the authors only drop
continuation pieces), so there are always K; spaces, punctuation and capitals are kept; a word with
an apostrophe stays. Without GloVe vectors the model's own input embeddings take their place;
without a masked language model the vectors answer for every word, the teacher's embeddings at the
last.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from distillery.augmentation.base import Rewrite, Rewriting
from distillery.augmentation.words import Word, cased_like, listed, replaced, words_in
from distillery.errors import UserError
from distillery.teachers import hub

if TYPE_CHECKING:
    from distillery.augmentation.masked_lm import MaskedLanguageModel
    from distillery.augmentation.word_vectors import WordVectors
    from distillery.teachers.base import LoadedModel

STOP_WORDS = listed(
    """
    i me my myself we us our ours ourselves you your yours yourself yourselves he him his himself
    she her hers herself it its itself they them their theirs themselves what which who whom whose
    this that these those am is are was were be been being have has had having do does did doing
    done a an the and but if or because as until while of at by for with about against between into
    through during before after above below to from up down in out on off over under again further
    then once here there when where why how all any both each few more most other some such no nor
    not only own same so than too very can could will would shall should may might must just also
    however yet though although since upon within without
    """
)


class MaskedWords(Rewriting):
    """Words replaced by what a masked language model, or their vectors, say could stand there."""

    files: ClassVar[tuple[str, ...]] = ("masked_lm", "word_vectors")

    kind: Literal["masked_words"] = "masked_words"
    variants_per_text: int = Field(
        default=20,
        ge=1,
        le=1000,
        title="Variants (N)",
        description="Of each text; a pair gets as many for each of its two texts.",
    )
    replace_probability: float = Field(
        default=0.4, gt=0, le=1, title="Replace (p)", description="Of each word."
    )
    candidates: int = Field(
        default=15, ge=1, le=1000, title="Candidates (K)", description="To choose from for a word."
    )
    masked_lm: str | None = Field(
        default=None,
        title="Masked language model",
        description="Hub name or local folder, with its masked-LM head; left out, the nearest "
        "word vectors answer for every word.",
    )
    word_vectors: str | None = Field(
        default=None,
        title="Word vectors",
        description="A text file in GloVe's format; left out, the input embeddings of the masked "
        "language model, or else of the teacher.",
    )

    def check(self, *, is_pair: bool) -> None:
        """The model loads, has its head and whole words; the vectors' first lines can be read."""
        from distillery.augmentation import word_vectors

        if self.masked_lm is not None:
            model = self._model(self.masked_lm)
            if self.word_vectors is None:
                word_vectors.from_embeddings(model.loaded)
        if self.word_vectors is not None:
            word_vectors.check_file(self.word_vectors)

    def check_teacher(self, source: str | None) -> None:
        """Its vocabulary has whole words, where its embeddings must answer; a learned one has none.

        Raises ``UserError`` with the mend.
        """
        if self.masked_lm is not None or self.word_vectors is not None:
            return
        from distillery.augmentation.masked_lm import whole_words

        if source is None or not whole_words(hub.tokenizer_of(source)):
            of = "learned from the data" if source is None else f"of '{source}'"
            raise UserError(
                f"augmentation: masked_words: no piece of the teacher's vocabulary, {of}, is a "
                "whole word, so it has no neighbours to choose from; give word_vectors a GloVe "
                "text file, or masked_lm a masked language model"
            )

    def rewriter(self, texts: Sequence[str], teacher: "LoadedModel") -> Rewrite:
        """Candidates come in batches over all words of the strings that are given at once."""
        from distillery.augmentation import word_vectors

        model = None if self.masked_lm is None else self._model(self.masked_lm)
        if self.word_vectors is not None:
            vectors = word_vectors.from_file(self.word_vectors)
        else:
            vectors = word_vectors.from_embeddings(teacher if model is None else model.loaded)

        def rewrite(
            strings: Sequence[str], streams: Sequence[np.random.Generator]
        ) -> list[list[str]]:
            words = [words_in(string) for string in strings]
            candidates = self.candidates_of(strings, words, model, vectors)
            return [
                self._variants(*each)
                for each in zip(strings, words, candidates, streams, strict=True)
            ]

        return rewrite

    def paired(
        self, pair: tuple[str, str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> list[tuple[str, str]]:
        """One side at a time: each variant stands beside the *original* other text.

        The authors' code overwrites the first text before it augments the second.
        """
        return [(first, pair[1]) for first in firsts] + [(pair[0], second) for second in seconds]

    def candidates_of(
        self,
        strings: Sequence[str],
        words: Sequence[Sequence[Word]],
        model: "MaskedLanguageModel | None",
        vectors: "WordVectors",
    ) -> list[dict[int, list[str]]]:
        """For each string: position of a word → its candidates; words that stay are not in it."""
        wanted = [[i for i, word in enumerate(each) if _may_change(word.text)] for each in words]
        found: list[dict[int, list[str]]] = [{} for _ in strings]
        if model is not None:
            found = model.candidates(strings, words, wanted, self.candidates)
        left = {
            each[i].text.casefold()
            for each, positions, have in zip(words, wanted, found, strict=True)
            for i in positions
            if i not in have
        }
        nearest = vectors.nearest(sorted(left), self.candidates)
        for each, positions, have in zip(words, wanted, found, strict=True):
            for i in positions:
                near = nearest.get(each[i].text.casefold())
                if i not in have and near:
                    have[i] = near
        return found

    def _variants(
        self,
        string: str,
        words: Sequence[Word],
        candidates: dict[int, list[str]],
        stream: np.random.Generator,
    ) -> list[str]:
        positions = sorted(candidates)
        # two numbers for each word and variant: whether it changes, and into what
        changes, choices = stream.random((2, self.variants_per_text, len(positions)))
        variants = []
        for change, choice in zip(changes, choices, strict=True):
            by = {}
            for column, i in enumerate(positions):
                if change[column] < self.replace_probability:
                    chosen = candidates[i][int(choice[column] * len(candidates[i]))]
                    by[i] = cased_like(words[i].text, chosen)
            variants.append(replaced(string, words, by))
        return variants

    @staticmethod
    def _model(source: str) -> "MaskedLanguageModel":
        from distillery.augmentation.masked_lm import MaskedLanguageModel

        return MaskedLanguageModel.load(source)


def _may_change(word: str) -> bool:
    return word.isalpha() and word.casefold() not in STOP_WORDS
