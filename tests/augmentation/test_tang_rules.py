"""Tang's three rules: masks, words of the same class, n-grams."""

import numpy as np
import pytest
from pydantic import ValidationError

from distillery.augmentation.tang_rules import TangRules
from distillery.augmentation.word_classes import classes_of
from distillery.teachers.base import LoadedModel

_TEXTS = [
    "please tell me my current balance",
    "how do i pay the bill, today?",
    "the car needs new oil",
    "the bill the bill the bill",
]


def _variants(augmentation: TangRules, teacher: LoadedModel, text: str, n: int = 1) -> list[str]:
    rewrite = augmentation.rewriter(_TEXTS, teacher)
    return rewrite([text], [np.random.default_rng(n)])[0]


def _only(**chosen: float) -> TangRules:
    nothing = {"mask_probability": 0, "class_probability": 0, "ngram_probability": 0}
    return TangRules.model_validate(nothing | chosen | {"variants_per_text": 1000})


def test_masks_about_as_often_as_asked(teacher: LoadedModel) -> None:
    mask = str(teacher.tokenizer.mask_token or teacher.tokenizer.unk_token)
    text = _TEXTS[1]
    variants = _variants(_only(mask_probability=0.1), teacher, text)
    masks = sum(variant.count(mask) for variant in variants)
    assert masks / (len(variants) * 7) == pytest.approx(0.1, abs=0.015)
    assert all(variant.endswith("?") and ", " in variant for variant in variants)
    # its tokenizer takes the mask for one token
    assert teacher.tokenizer.tokenize(f"move {mask} money") == ["move", mask, "money"]


def test_the_same_class_as_often_as_its_words_stand_in_the_texts(teacher: LoadedModel) -> None:
    variants = _variants(_only(class_probability=1), teacher, "the car")
    nouns = [variant.split()[1] for variant in variants]
    # bill 4, and each once: balance, car, oil ('needs' is a plural to the rules)
    assert set(nouns) == {"bill", "balance", "car", "oil"}
    assert nouns.count("bill") / len(nouns) == pytest.approx(4 / 7, abs=0.05)
    determiners = {variant.split()[0] for variant in variants}
    assert determiners == {"the", "my"}


def test_few_words_in_a_row(teacher: LoadedModel) -> None:
    text = "please tell me my current balance"
    variants = _variants(_only(ngram_probability=0.25), teacher, text)
    short = [variant for variant in variants if variant != text]
    assert len(short) / len(variants) == pytest.approx(0.25, abs=0.04)
    assert all(variant in text for variant in short)
    lengths = [len(variant.split()) for variant in short]
    assert [lengths.count(n) > 30 for n in range(1, 7)] == [True] * 5 + [False]


def test_a_text_of_masks_alone_is_none(teacher: LoadedModel) -> None:
    assert set(_variants(_only(mask_probability=1), teacher, "the car")) == {"the car"}


def test_texts_without_words(teacher: LoadedModel) -> None:
    for text in ("", " ?!"):
        assert set(_variants(TangRules(), teacher, text)) == {text}


def test_pairs_change_the_first_the_second_and_both_in_turn() -> None:
    made = TangRules().paired(("a", "b"), ["a1", "a2", "a3", "a4"], ["b1", "b2", "b3", "b4"])
    assert made == [("a1", "b"), ("a", "b2"), ("a3", "b3"), ("a4", "b")]


def test_shares_that_leave_nothing() -> None:
    with pytest.raises(ValidationError, match="above 1"):
        TangRules(mask_probability=0.6, class_probability=0.6)
    with pytest.raises(ValidationError, match="nothing would change"):
        _only()


def test_every_class_of_a_text_is_known_beforehand() -> None:
    assert len(classes_of(_TEXTS[1].split())) == 7
