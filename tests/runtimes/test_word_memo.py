"""Looking words up gives what the Rust tokenizer gives, or nothing."""

from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from distillery.runtimes.word_memo import WordMemo

_PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] the card ##s ##ed a b ##a ##b ##c 1 ##2 ! , ' - [ ] mask"
_LONGEST = 12


def _tokenizer(*, lowercase: bool = True) -> Tokenizer:
    vocabulary = {piece: i for i, piece in enumerate(_PIECES.split())}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.enable_truncation(_LONGEST)
    return tokenizer


_TOKENIZER = _tokenizer()
_CASED = _tokenizer(lowercase=False)
_MEMO = WordMemo(_TOKENIZER, _LONGEST)

_WORDS = st.sampled_from(
    [*"aAbc1 2!,'-[]\t\n_é中", "the", "cards", "Carded", "[MASK]", "[mask]", "  "]
)


@given(st.one_of(st.lists(_WORDS).map("".join), st.text()))
def test_the_same_tokens_or_none(text: str) -> None:
    found = _MEMO.ids(text)
    assert found is None or found == _TOKENIZER.encode(text).ids


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cards!", [2, 5, 6, 7, 16, 3]),
        ("", [2, 3]),
        ("a " * 50, [2] + [9] * 10 + [3]),  # cut to the longest
        ("x" * 150, [2, 1, 3]),  # longer than WordPiece reads
        ("café", None),
        ("[MASK]", None),
        ("a\tb", None),
    ],
)
def test_by_hand(text: str, expected: list[int] | None) -> None:
    assert _MEMO.ids(text) == expected
    assert _MEMO.ids(text) == expected, "once more, from memory"


def test_case_is_told_apart_where_the_tokenizer_does() -> None:
    memo = WordMemo(_CASED, _LONGEST)
    assert memo.ids("card") != memo.ids("Card")


@given(st.one_of(st.lists(_WORDS).map("".join), st.text()))
def test_so_do_words_seen_for_the_first_time(text: str) -> None:
    for tokenizer in (_TOKENIZER, _CASED):
        found = WordMemo(tokenizer, _LONGEST).ids(text)
        assert found is None or found == tokenizer.encode(text).ids


def test_other_kinds_are_left_to_the_tokenizer(tmp_path: Path) -> None:
    tokenizer = _tokenizer()
    tokenizer.save(str(tmp_path / "bert.json"))
    assert WordMemo.of(tmp_path / "bert.json", tokenizer, _LONGEST) is not None
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.save(str(tmp_path / "other.json"))
    assert WordMemo.of(tmp_path / "other.json", tokenizer, _LONGEST) is None


def test_real_sentences_through_a_real_tokenizer(shared_data: Path, shared_models: Path) -> None:
    path = shared_models / "all-MiniLM-L6-v2" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(16)
    memo = WordMemo.of(path, tokenizer, 16)
    assert memo is not None
    table = pyarrow.parquet.read_table(shared_data / "wiki-sentences" / "train.parquet")
    texts = table["text"].to_pylist()[:3000]
    found = [memo.ids(text) for text in texts]
    assert sum(ids is not None for ids in found) > len(texts) / 2
    for text, ids in zip(texts, found, strict=True):
        assert ids is None or ids == tokenizer.encode(text).ids


def test_what_is_kept_is_bounded() -> None:
    memo = WordMemo(_TOKENIZER, _LONGEST)
    assert memo.ids("card " * 20_000) == [2, *[6] * (_LONGEST - 2), 3]
    assert memo.ids("c" * 33) == memo.ids("c" * 33) == [2, 1, 3]
    assert set(memo._pieces) == {"card"}, "no long words, and none beyond what is read"
