"""Candidates from a masked language model: which they are, in batches, and who is refused."""

from pathlib import Path

import pytest
import torch
from export import tiny

from distillery.augmentation import masked_lm
from distillery.augmentation.masked_lm import MaskedLanguageModel, whole_words
from distillery.augmentation.words import words_in
from distillery.errors import UserError

from .conftest import save_masked_lm

_TEXTS = [*tiny.TEXTS[:12], "move money, please!", "zebra", "", "My money"]


def _candidates(
    model: MaskedLanguageModel, texts: list[str], count: int
) -> list[dict[int, list[str]]]:
    words = [words_in(text) for text in texts]
    return model.candidates(texts, words, [list(range(len(each))) for each in words], count)


def test_never_the_word_itself_nor_a_special_or_inner_piece(model: MaskedLanguageModel) -> None:
    special = set(model.loaded.tokenizer.all_special_tokens)
    for text, found in zip(_TEXTS, _candidates(model, _TEXTS, 5), strict=True):
        for position, candidates in found.items():
            assert len(candidates) == len(set(candidates)) == 5
            assert words_in(text)[position].text.casefold() not in candidates
            assert not special & set(candidates)
            assert all(word.isalpha() for word in candidates)


def test_words_that_are_no_single_piece_are_left_to_the_vectors(
    model: MaskedLanguageModel,
) -> None:
    assert _candidates(model, ["move zebra"], 3)[0].keys() == {0}  # [UNK] is no word


def test_a_batch_and_one_by_one_give_the_same(
    model: MaskedLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = _candidates(model, _TEXTS, 5)
    assert together == [_candidates(model, [text], 5)[0] for text in _TEXTS]
    monkeypatch.setattr(masked_lm, "_BATCH_TOKENS", 1)  # a row at a time
    assert _candidates(model, _TEXTS, 5) == together


def test_they_are_what_the_model_says_at_the_mask(model: MaskedLanguageModel) -> None:
    """The shortcut through the vocabulary layer against the whole of it."""
    tokenizer = model.loaded.tokenizer
    rows = tokenizer("move [MASK] please", "move money please", return_tensors="pt")
    position = int((rows["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0])
    with torch.inference_mode():
        logits = model.loaded.model(**rows.to(model.loaded.model.device)).logits[0, position]
    words = whole_words(tokenizer)
    order = sorted(words, key=lambda i: -float(logits[i]))
    likeliest = [words[i] for i in order if words[i] != "money"][:4]
    assert _candidates(model, ["move money please"], 4)[0][1] == likeliest


def test_a_text_longer_than_the_model_reads(model: MaskedLanguageModel) -> None:
    found = _candidates(model, ["move my money " * 30], 2)[0]
    assert 0 in found
    assert 89 not in found  # beyond the 40 positions, shared with the unmasked text


@pytest.mark.parametrize("architecture", ["electra", "distilbert"])
def test_other_architectures(tmp_path: Path, architecture: str) -> None:
    folder = save_masked_lm(tmp_path, architecture)
    if architecture == "distilbert":  # its own tokenizer class makes no token types
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
        tokenizer.save_pretrained(folder)
    found = _candidates(MaskedLanguageModel.load(str(folder)), ["move my money"], 3)[0]
    assert [len(candidates) for candidates in found.values()] == [3, 3, 3]


def _refusal(source: Path | str) -> str:
    with pytest.raises(UserError) as refused:
        MaskedLanguageModel.load(str(source))
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("augmentation: masked language model ")
    assert "teacher" not in line
    return line


def test_a_checkpoint_without_a_head(tmp_path: Path) -> None:
    line = _refusal(tiny.save_checkpoint(tmp_path))
    assert "holds no masked-LM head" in line
    assert "general distillation" in line


def test_a_real_sentence_encoder_has_none(shared_models: Path) -> None:
    assert "holds no masked-LM head" in _refusal(shared_models / "all-MiniLM-L6-v2")


def test_what_cannot_be_reached(tmp_path: Path) -> None:
    assert "there is no folder" in _refusal(tmp_path / "nowhere")
    folder = save_masked_lm(tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "holds no *.safetensors" in _refusal(folder)
    assert "no mask token" in _refusal(save_masked_lm(tmp_path / "unmasked", mask=False))


def test_whole_words_of_a_real_vocabulary(shared_models: Path) -> None:
    from distillery.teachers import hub

    words = set(whole_words(hub.tokenizer_of(str(shared_models / "all-MiniLM-L6-v2"))).values())
    assert len(words) > 20_000
    assert {"money", "bank", "café".replace("é", "e")} <= words
    assert not {"[MASK]", "##ing", "[unused1]", "1999", "."} & words
