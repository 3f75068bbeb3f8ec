"""Words are found and replaced; all between them stays."""

from distillery.augmentation.words import cased_like, replaced, words_in


def test_words_and_their_places() -> None:
    text = "  What's up,\n café-owner 42?"
    words = words_in(text)
    assert [word.text for word in words] == ["What's", "up", "café", "owner", "42"]
    assert all(text[word.start : word.end] == word.text for word in words)


def test_what_stands_between_words_stays() -> None:
    text = "  What's up,\n café-owner 42?"
    words = words_in(text)
    assert replaced(text, words, {}) == text
    assert replaced(text, words, {4: "7", 1: "down"}) == "  What's down,\n café-owner 7?"


def test_a_capital_is_taken_over() -> None:
    assert cased_like("Bank", "money") == "Money"
    assert cased_like("bank", "money") == "money"
    assert cased_like("Bank", "IBM") == "IBM"
