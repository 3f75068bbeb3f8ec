"""Single texts to token ids by looking up whole words, where that gives what the tokenizer gives.

BERT's tokenizer splits ASCII text at spaces and punctuation and turns each word into pieces on its
own, whatever stands beside it. So a word's pieces can be kept, and a text is as many look-ups as
it has words: 1.5 µs for a sentence of CLINC150 once its words are known, against 12 µs in the Rust
tokenizer, which also works out offsets that nobody asks for (``benchmarks/tokenizing.py``). Any
other text, and any tokenizer of another kind, is left to the Rust tokenizer.
"""

import json
import re
from pathlib import Path

from tokenizers import Tokenizer

_WORD = re.compile(r"[A-Za-z0-9]+|[^\sA-Za-z0-9]")
_MOST_WORDS = 100_000  # kept; a word longer than the next is never kept
_LONGEST_WORD = 32


class WordMemo:
    """The pieces of words seen so far, for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer, max_length: int) -> None:
        """``tokenizer`` must split word by word: ask ``of``."""
        self._tokenizer = tokenizer
        self._max_length = max_length
        inner = tokenizer.encode("a", add_special_tokens=False).ids
        whole = tokenizer.encode("a").ids
        start = next(i for i in range(len(whole)) if whole[i : i + len(inner)] == inner)
        self._before, self._after = whole[:start], whole[start + len(inner) :]
        self._room = max_length - len(self._before) - len(self._after)
        # written out in a text, [MASK] is a token, not a word
        names = (
            re.escape(token.content) for token in tokenizer.get_added_tokens_decoder().values()
        )
        self._added = re.compile("|".join(names) or r"(?!)", re.IGNORECASE)
        self._keeps_capitals = tokenizer.encode("A", add_special_tokens=False).ids != inner
        self._pieces: dict[str, list[int]] = {}

    @classmethod
    def of(cls, path: Path, tokenizer: Tokenizer, max_length: int) -> "WordMemo | None":
        """None where the tokenizer, stored at ``path``, is not of BERT's kind."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        kinds = {
            part: (stored.get(part) or {}).get("type")
            for part in ("normalizer", "pre_tokenizer", "model", "post_processor")
        }
        if (
            kinds["normalizer"] != "BertNormalizer"
            or kinds["pre_tokenizer"] != "BertPreTokenizer"
            or kinds["model"] != "WordPiece"
            or kinds["post_processor"] not in ("TemplateProcessing", "BertProcessing")
        ):
            return None
        memo = cls(tokenizer, max_length)
        return memo if memo._room >= 0 else None

    def ids(self, text: str) -> list[int] | None:
        """The text's tokens, special ones included, cut to the longest; None for other texts."""
        # accents and Chinese characters are handled one by one, and control characters dropped
        if not (text.isascii() and text.isprintable()) or self._added.search(text):
            return None
        found = list(self._before)
        known = self._pieces
        for word in _WORD.findall(text)[: self._room]:  # a word has a piece or more
            pieces = known.get(word)
            found += self._learned(word) if pieces is None else pieces
        if len(found) - len(self._before) > self._room:
            del found[len(self._before) + self._room :]
        found += self._after
        return found

    def _learned(self, word: str) -> list[int]:
        # the longest piece that a word begins with is taken first: a word that is one, is one
        is_short = len(word) <= _LONGEST_WORD
        is_normal = self._keeps_capitals or word == word.lower()
        token = self._tokenizer.token_to_id(word) if is_short and is_normal else None
        pieces: list[int] = (
            self._tokenizer.encode(word, add_special_tokens=False).ids if token is None else [token]
        )
        if is_short and len(self._pieces) < _MOST_WORDS:
            self._pieces[word] = pieces
        return pieces
