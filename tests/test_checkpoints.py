"""What one model takes over from another."""

from pathlib import Path
from typing import Any

import torch
from export import tiny
from factories import make_teacher

from distillery import checkpoints
from distillery.students.from_layers import FromLayers
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import Collator, encode
from distillery.vocabularies import vocabulary


@torch.no_grad()
def _hidden(loaded: LoadedModel) -> torch.Tensor:
    rows = encode(loaded.tokenizer, tiny.TEXTS[:6], 24)
    batch = Collator(loaded.tokenizer.pad_token_id)(rows)
    hidden: torch.Tensor = loaded.model.base_model(**batch).last_hidden_state
    return hidden


def _pair(folder: Path, *, trimmed: bool) -> tuple[LoadedModel, LoadedModel]:
    """Two encoders of one shape and other weights; the first may have a smaller vocabulary."""
    teacher = make_teacher(folder)
    student = FromLayers(name="a", layers=(0, 3))
    taker, giver = (student.build(teacher, texts=(), is_pair=False) for _ in range(2))
    with torch.no_grad():
        for weight in giver.model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape))
    if trimmed:
        taker = vocabulary.trim(taker, ["move my money", *tiny.TEXTS[:6]], seen_at_least=1)
    for one in (taker, giver):
        one.model.eval()  # type: ignore[no-untyped-call]
    return taker, giver


def test_an_encoder_is_taken_over_and_the_head_stays(tmp_path: Path) -> None:
    taker, giver = _pair(tmp_path, trimmed=False)
    model: Any = taker.model
    head = model.classifier.weight.clone()
    assert not torch.allclose(_hidden(taker), _hidden(giver))
    checkpoints.take_over_encoder(taker, giver)
    assert torch.equal(_hidden(taker), _hidden(giver))
    assert torch.equal(model.classifier.weight, head)


def test_token_by_token_where_the_vocabularies_differ(tmp_path: Path) -> None:
    taker, giver = _pair(tmp_path, trimmed=True)
    checkpoints.take_over_encoder(taker, giver)
    torch.testing.assert_close(_hidden(taker), _hidden(giver))


def test_whether_a_language_models_head_came_with_it(tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    classifier = tiny.save_checkpoint(tmp_path / "classifier")
    loaded, has_head = checkpoints.load_language_model(classifier)
    assert not has_head
    AutoModelForMaskedLM.from_config(loaded.model.config).save_pretrained(tmp_path / "whole")  # type: ignore[no-untyped-call]
    loaded.tokenizer.save_pretrained(tmp_path / "whole")
    assert checkpoints.load_language_model(tmp_path / "whole")[1]
