"""The unit that scores are learned in, and the one that models answer in."""

from pathlib import Path

import pytest
import torch
from export import tiny
from transformers import AutoModelForSequenceClassification

from distillery import checkpoints
from distillery.teachers.base import LoadedModel
from distillery.training import scores


def test_the_training_range_is_learned_as_0_to_1() -> None:
    assert scores.to_learn([10, 20, 12.5, 25], (10, 20)) == [0, 1, 0.25, 1.5]
    learned = scores.LogitsToLearn([torch.tensor([[10.0]]), torch.tensor([[15.0]])], (10, 20))
    assert [one.tolist() for one in learned] == [[[0.0]], [[0.5]]]


@pytest.mark.parametrize("architecture", [*tiny.ARCHITECTURES, *tiny.RECURRENT])
def test_the_scale_is_folded_into_the_head(architecture: str, tmp_path: Path) -> None:
    config = tiny.config(architecture)
    config.num_labels = 1
    model = AutoModelForSequenceClassification.from_config(config).eval()  # type: ignore[no-untyped-call]
    tokenizer = checkpoints.load_folder(tiny.save_checkpoint(tmp_path)).tokenizer
    loaded = LoadedModel(model=model, tokenizer=tokenizer)
    batch = {"input_ids": torch.tensor([[2, 8, 9, 3, 7, 3], [2, 5, 3, 6, 11, 3]])}
    if architecture == "siamese_bilstm":
        batch["token_type_ids"] = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]])
    with torch.inference_mode():
        learned = model(**batch).logits
        answered = scores.answer_within(loaded, (-50, 150)).model(**batch).logits
        again = scores.learn_within(loaded, (-50, 150)).model(**batch).logits
    torch.testing.assert_close(answered, 200 * learned - 50, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(again, learned, rtol=1e-4, atol=1e-4)
    assert model.config.problem_type == "regression"
