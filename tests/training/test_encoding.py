"""Batches: what is padded, and what is hidden to be guessed."""

from pathlib import Path

import pytest
import torch
from export import tiny
from factories import make_teacher

from distillery.data.examples import Text
from distillery.objectives.base import UNLABELLED
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import Collator, MaskingCollator, Rows, encode, tokenized


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("model"))


def test_each_side_is_padded_with_its_own_token() -> None:
    rows = [
        {"input_ids": [5, 6], "attention_mask": [1, 1], "teacher_input_ids": [7], "labels": 1},
        {"input_ids": [5], "attention_mask": [1], "teacher_input_ids": [7, 8, 9], "labels": 0},
    ]
    batch = Collator(3, teacher_pad_token_id=4)(rows)
    assert batch["input_ids"].tolist() == [[5, 6], [5, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert batch["teacher_input_ids"].tolist() == [[7, 4, 4], [7, 8, 9]]
    assert batch["labels"].tolist() == [1, 0]


@pytest.mark.parametrize("pairs", [False, True], ids=["singles", "pairs"])
def test_rows_on_disk_are_the_rows_in_memory(
    loaded: LoadedModel, tmp_path: Path, pairs: bool
) -> None:
    texts: list[Text] = [*tiny.TEXTS] * 60  # more than are encoded at once
    if pairs:
        texts = list(zip(tiny.TEXTS * 60, tiny.TEXTS[::-1] * 60, strict=True))
    expected = encode(loaded.tokenizer, texts, 16)
    found = tokenized(loaded.tokenizer, texts, 16, tmp_path / "work")
    assert list(found) == expected
    assert [found[i] for i in (-1, 7, 1500)] == [expected[i] for i in (-1, 7, 1500)]
    assert not list((tmp_path / "work").iterdir()), "nothing is left behind, however it ends"
    assert not list(tokenized(loaded.tokenizer, [], 16, tmp_path))


def test_rows_are_joined_by_what_belongs_to_them(loaded: LoadedModel) -> None:
    inputs = encode(loaded.tokenizer, tiny.TEXTS[:3], 16)
    rows = Rows(inputs, {}).joined_by(labels=[2, 0, 1]).joined_by(inputs, teacher_logits="abc")
    own, theirs = rows[1], {f"teacher_{name}": value for name, value in inputs[1].items()}
    assert own == {**inputs[1], **theirs, "labels": 0, "teacher_logits": "b"}
    with pytest.raises(ValueError, match="2 for 3 rows"):
        rows.joined_by(labels=[1, 2])


def test_some_tokens_are_hidden_to_be_guessed(loaded: LoadedModel) -> None:
    """15 % are chosen, of these 80 % masked, 10 % replaced, 10 % left; special ones never."""
    torch.manual_seed(0)
    rows = encode(loaded.tokenizer, tiny.TEXTS * 100, 32)
    plain = Collator(loaded.tokenizer.pad_token_id)(rows)["input_ids"]
    batch = MaskingCollator(loaded.tokenizer)(rows)
    chosen = batch["labels"] != UNLABELLED
    special = torch.isin(plain, torch.tensor(loaded.tokenizer.all_special_ids))
    assert not (chosen & special).any()
    assert chosen.sum() / (~special).sum() == pytest.approx(0.15, abs=0.01)
    assert torch.equal(batch["labels"][chosen], plain[chosen])
    assert torch.equal(batch["input_ids"][~chosen], plain[~chosen])
    masked = batch["input_ids"][chosen] == loaded.tokenizer.mask_token_id
    left = batch["input_ids"][chosen] == plain[chosen]
    # a random token is the mask or the old one now and then: 1 of 22
    assert masked.float().mean() == pytest.approx(0.8 + 0.1 / 22, abs=0.02)
    assert left.float().mean() == pytest.approx(0.1 + 0.1 / 22, abs=0.02)


def test_other_tokens_are_hidden_in_every_epoch(loaded: LoadedModel) -> None:
    rows = encode(loaded.tokenizer, tiny.TEXTS, 32)
    collate = MaskingCollator(loaded.tokenizer)
    torch.manual_seed(1)
    first, second = collate(rows)["labels"], collate(rows)["labels"]
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(collate(rows)["labels"], first), "a resumed training hides the same"


def test_labels_of_a_language_model_are_not_the_rows(loaded: LoadedModel, tmp_path: Path) -> None:
    rows = [{**row, "labels": UNLABELLED} for row in encode(loaded.tokenizer, tiny.TEXTS, 32)]
    batch = MaskingCollator(loaded.tokenizer)(rows)
    assert batch["labels"].shape == batch["input_ids"].shape
