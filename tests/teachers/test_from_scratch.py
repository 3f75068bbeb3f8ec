"""A small BERT that brings its own vocabulary."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from transformers import set_seed

from distillery.data.examples import Text
from distillery.digests import of_json
from distillery.objectives.base import Training
from distillery.teachers.base import LoadedModel
from distillery.teachers.from_scratch import FromScratch
from distillery.training.encoding import Collator, encode

TEXTS = [f"please move {n} dollars to my {place}" for n in range(9) for place in ("bank", "card")]
LABELS = ("move_money", "ask", "other")


def _source(**changes: Any) -> FromScratch:
    fields = {"layers": 2, "hidden_size": 16, "heads": 2, "vocabulary_size": 128, "max_length": 12}
    return FromScratch.model_validate(fields | changes)


def _built(**changes: Any) -> LoadedModel:
    set_seed(3)
    return _source(**changes).build(texts=TEXTS, label_names=LABELS)


def _logits(loaded: LoadedModel, texts: list[Text]) -> torch.Tensor:
    batch = Collator(loaded.tokenizer.pad_token_id)(encode(loaded.tokenizer, texts, 12))
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logits: torch.Tensor = loaded.model(**batch).logits
    return logits


def test_it_has_the_shape_asked_for() -> None:
    built = _built(layers=3, hidden_size=24, heads=4)
    config = built.model.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (3, 24, 4)
    assert config.intermediate_size == 4 * 24
    assert config.vocab_size == len(built.tokenizer) <= 128
    assert config.id2label == dict(enumerate(LABELS))
    assert _logits(built, ["please move"]).shape == (1, len(LABELS))


def test_the_plan_is_at_least_as_large_as_what_is_built() -> None:
    """Before the vocabulary is known, the plan counts on the one asked for."""
    planned, built = _source().config(), _built().model.config
    assert planned.vocab_size == 128
    assert built.vocab_size <= planned.vocab_size
    assert planned.num_hidden_layers == built.num_hidden_layers


def test_its_vocabulary_is_learned_from_the_texts() -> None:
    tokenizer = _built().tokenizer
    ids = tokenizer("Please MOVE dollars", add_special_tokens=False)["input_ids"]
    assert len(ids) == 3  # whole words, whatever their case
    assert tokenizer.unk_token_id not in ids
    assert tokenizer("✈", add_special_tokens=False)["input_ids"].count(tokenizer.unk_token_id) == 1


def test_special_tokens_frame_texts_and_pairs() -> None:
    tokenizer = _built().tokenizer
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    one = tokenizer("please move")["input_ids"]
    assert (one[0], one[-1]) == (start, end)
    pair = tokenizer("please move", "my card")
    assert pair["input_ids"].count(end) == 2
    boundary = pair["input_ids"].index(end) + 1
    assert pair["token_type_ids"] == [0] * boundary + [1] * (len(pair["input_ids"]) - boundary)


def test_the_longest_input_fits_its_positions() -> None:
    built = _built(max_length=12)
    long = " ".join(TEXTS)
    assert len(encode(built.tokenizer, [long], 12)[0]["input_ids"]) == 12
    assert torch.isfinite(_logits(built, [long])).all()
    assert torch.isfinite(_logits(built, [(long, long)])).all()


def test_padding_does_not_change_an_answer() -> None:
    built = _built()
    alone = _logits(built, ["move"])
    padded = _logits(built, ["move", "please move 3 dollars to my bank"])[:1]
    torch.testing.assert_close(padded, alone)


def test_the_same_seed_gives_the_same_teacher() -> None:
    one, other = _built(), _built()
    assert one.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    weights = other.model.state_dict()
    assert all(torch.equal(w, weights[name]) for name, w in one.model.state_dict().items())


def test_another_process_learns_the_same_vocabulary() -> None:
    """A training resumed after a crash must read the words that it was begun with."""
    script = (
        "from distillery.digests import of_json\n"
        "from distillery.teachers.from_scratch import FromScratch\n"
        f"source = FromScratch.model_validate_json({_source().model_dump_json()!r})\n"
        f"built = source.build(texts={TEXTS!r}, label_names={LABELS!r})\n"
        "print(of_json(built.tokenizer.get_vocab()))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == of_json(_built().tokenizer.get_vocab())


def test_it_is_trained_on_hard_labels_as_the_recipe_says() -> None:
    training = Training(epochs=7, learning_rate=2e-3)
    fine_tuning = _source(training=training).fine_tuning
    assert fine_tuning.objective == "hard_labels"
    assert fine_tuning.training == training


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValidationError, match="hidden_size 30 is no multiple of heads 4"):
        _source(hidden_size=30, heads=4)
