"""A learned vocabulary: never larger than asked for, never without an answer."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.digests import of_json
from distillery.vocabularies import own_vocabulary

TEXTS = [f"please move {n} dollars to my {place}" for n in range(9) for place in ("bank", "card")]
LEARNED = own_vocabulary.learn(TEXTS, 128, 24)
# 200 characters, no two of which are as frequent, then 100 that are
MANY = [
    "".join(chr(0x4E00 + i) * (i + 2) for i in range(200)),
    "".join(map(chr, range(0x400, 0x464))),
]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_has_tokens(text: str, other: str) -> None:
    for encoded in (LEARNED(text), LEARNED(text, other)):
        ids = encoded["input_ids"]
        assert (ids[0], ids[-1]) == (LEARNED.cls_token_id, LEARNED.sep_token_id)
        assert all(0 <= one < len(LEARNED) for one in ids)


@pytest.mark.parametrize(
    ("text", "expected"), [("", []), ("😀", ["▁", "[UNK]"]), ("move ✈", ["▁move", "▁", "[UNK]"])]
)
def test_what_it_never_saw_is_unknown(text: str, expected: list[str]) -> None:
    assert LEARNED.tokenize(text) == expected


@pytest.mark.parametrize("texts", [TEXTS, MANY, [], [""]], ids=["words", "characters", "none", ""])
@pytest.mark.parametrize("size", [64, 100, 2000])
def test_it_is_no_larger_than_asked_for(texts: list[str], size: int) -> None:
    found = own_vocabulary.learn(texts, size, 24)
    assert len(found) <= size
    assert sorted(found.get_vocab().values()) == list(range(len(found)))
    assert found.pad_token_id == 0


def test_the_commonest_characters_are_kept() -> None:
    """100 places: the word's beginning, the space beside each of these characters, 98 of them."""
    vocabulary = own_vocabulary.learn(MANY, 105, 24).get_vocab()
    kept = {token for token in vocabulary if "\u4e00" <= token <= "\u9fff"}
    assert kept == {chr(0x4E00 + i) for i in range(102, 200)}


@pytest.mark.parametrize("texts", [TEXTS, MANY], ids=["words", "characters"])
def test_another_process_learns_the_same(texts: list[str]) -> None:
    script = (
        "from distillery.vocabularies import own_vocabulary\n"
        "from distillery.digests import of_json\n"
        f"print(of_json(own_vocabulary.learn({texts!r}, 128, 24).get_vocab()))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == of_json(own_vocabulary.learn(texts, 128, 24).get_vocab())
