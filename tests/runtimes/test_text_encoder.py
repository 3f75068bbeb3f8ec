"""Texts of any length and script become the tokens that the tokenizer alone would give."""

from pathlib import Path

import pytest
from export import tiny
from tokenizers import Tokenizer

from distillery.runtimes.base import Card, TextEncoder

_LONGEST = 16
_LONG = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_checkpoint(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TextEncoder:
    card = Card(name="e", label_names=("x",), max_length=_LONGEST, is_pair=False, pad_token_id=0)
    return TextEncoder(folder, card)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "money " * _LONG,
        "x" * _LONG,
        " " * _LONG,
        " " * _LONG + "money",
        "\u0301" * _LONG + " money",
        "🔥" * _LONG,
        "bank🔥 " * _LONG,
        "שלום bank " * _LONG,
        "中" * _LONG,
        "a" * 2047 + " money" * _LONG,
        ",a" * _LONG,
        "[MASK]" * _LONG,
    ],
    ids=lambda text: f"{text[:8]!r}",
)
def test_a_text_of_any_length(folder: Path, encoder: TextEncoder, text: str) -> None:
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.enable_truncation(_LONGEST)
    expected = plain.encode(text).ids
    assert encoder([text])["input_ids"].tolist() == [expected]
    assert encoder([text, ""])["input_ids"][0, : len(expected)].tolist() == expected
    assert encoder([(text, "bank")])["input_ids"].tolist() == [plain.encode(text, "bank").ids]
    assert encoder([("bank", text)])["token_type_ids"].tolist() == [
        plain.encode("bank", text).type_ids
    ]
