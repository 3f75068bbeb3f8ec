"""TinyBERT's augmentation: who changes, how often, into what."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from distillery.augmentation.masked_words import STOP_WORDS, MaskedWords
from distillery.augmentation.words import words_in
from distillery.errors import UserError
from distillery.teachers.base import LoadedModel

_TEXT = "please move the money to Bank a, b and c: 20 now! it's my weather"


def _variants(augmentation: MaskedWords, teacher: LoadedModel, text: str) -> list[str]:
    rewrite = augmentation.rewriter([text], teacher)
    return rewrite([text], [np.random.default_rng(1)])[0]


@pytest.fixture(params=["masked language model", "teacher's embeddings"])
def augmentation(request: pytest.FixtureRequest, masked_lm: Path) -> MaskedWords:
    source = str(masked_lm) if request.param == "masked language model" else None
    return MaskedWords(masked_lm=source, candidates=3, variants_per_text=1000)


def test_stop_words_numbers_and_punctuation_stay(
    augmentation: MaskedWords, teacher: LoadedModel
) -> None:
    before = [word.text for word in words_in(_TEXT)]
    for variant in _variants(augmentation, teacher, _TEXT):
        after = [word.text for word in words_in(variant)]
        assert len(after) == len(before)
        for old, new in zip(before, after, strict=True):
            if old.casefold() in STOP_WORDS or not old.isalpha():
                assert new == old


def test_each_word_changes_about_as_often_as_asked(
    augmentation: MaskedWords, teacher: LoadedModel
) -> None:
    text = "move money bank weather"
    before = text.split()
    variants = [variant.split() for variant in _variants(augmentation, teacher, text)]
    for i, word in enumerate(before):
        changed = [variant[i] for variant in variants if variant[i] != word]
        assert len(changed) / len(variants) == pytest.approx(0.4, abs=0.05)
        counts = [changed.count(candidate) for candidate in sorted(set(changed))]
        assert len(counts) == 3  # K, each as often as the others
        assert min(counts) > 90


def test_a_capital_stays(teacher: LoadedModel) -> None:
    variants = _variants(MaskedWords(replace_probability=1, candidates=2), teacher, "Bank money")
    assert all(variant[0].isupper() and variant.split()[1].islower() for variant in variants)
    assert all(variant.split()[0] != "Bank" for variant in variants)


def test_a_pair_changes_one_side_beside_the_original_other() -> None:
    made = MaskedWords().paired(("a", "b"), ["a1", "a2"], ["b1", "b2"])
    assert made == [("a1", "b"), ("a2", "b"), ("a", "b1"), ("a", "b2")]


def test_word_vectors_take_the_place_of_embeddings(teacher: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("zebra 1 0\nhorse 1 0.1\npony 0.9 0.1\n", encoding="utf-8")
    augmentation = MaskedWords(word_vectors=str(path), replace_probability=1)
    augmentation.check(is_pair=False)
    variants = _variants(augmentation, teacher, "a zebra money")
    assert set(variants) == {"a horse money", "a pony money"}


def test_it_is_refused_early_and_in_one_line(tmp_path: Path) -> None:
    for wrong in (
        MaskedWords(masked_lm=str(tmp_path)),
        MaskedWords(word_vectors=str(tmp_path / "nowhere.txt")),
    ):
        with pytest.raises(UserError, match=r"^augmentation: .*; ") as refused:
            wrong.check(is_pair=False)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{"replace_probability": 0}, {"candidates": 0}, {"variants_per_text": 0}]
)
def test_settings_out_of_bounds(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        MaskedWords.model_validate(wrong)
