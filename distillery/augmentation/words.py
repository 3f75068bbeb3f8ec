"""The words of a text, and the same text with some of them replaced.

Everything between the words (spaces, punctuation, line ends) stays as it was.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# 'don't' and 'car's' are one word
_WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands: ``text[start:end]``."""

    text: str
    start: int
    end: int


def listed(words: str) -> frozenset[str]:
    """The words of a list that is written as one string."""
    return frozenset(words.split())


def words_in(text: str) -> list[Word]:
    """Runs of letters, digits and inner apostrophes, in order."""
    return [Word(found.group(), found.start(), found.end()) for found in _WORD.finditer(text)]


def replaced(text: str, words: Sequence[Word], by: Mapping[int, str]) -> str:
    """The text with the words at these positions of ``words`` replaced."""
    pieces = []
    end = 0
    for position in sorted(by):
        word = words[position]
        pieces += [text[end : word.start], by[position]]
        end = word.end
    return "".join(pieces) + text[end:]


def cased_like(word: str, replacement: str) -> str:
    """A lower-case replacement takes over the word's capital letter."""
    return replacement.capitalize() if word[:1].isupper() and replacement.islower() else replacement
