"""An encoder under a new head."""

from pathlib import Path
from typing import Any, Literal

import torch
from export import tiny

from distillery import checkpoints
from distillery.teachers.base import LoadedModel
from distillery.teachers.pretrained import Pretrained
from distillery.training.encoding import Collator, encode

_TEXTS = ["move my money", "weather", "to the bank now please"]


def _built(folder: Path, pooling: Literal["first_token", "mean"]) -> LoadedModel:
    source = Pretrained(source=str(tiny.save_checkpoint(folder)), pooling=pooling)
    built = source.build(texts=_TEXTS, label_names=("a", "b", "c"))
    built.model.eval()  # type: ignore[no-untyped-call]
    return built


def _batch(built: LoadedModel, texts: list[str]) -> dict[str, torch.Tensor]:
    rows: Any = encode(built.tokenizer, texts, 16)
    return Collator(built.tokenizer.pad_token_id)(rows)


@torch.inference_mode()
def test_mean_pooling_reads_the_mean_of_the_real_tokens(tmp_path: Path) -> None:
    built = _built(tmp_path, "mean")
    model: Any = built.model
    batch = _batch(built, _TEXTS)
    assert (batch["attention_mask"] == 0).any(), "padding is what this is about"
    lengths = batch["attention_mask"].sum(1).tolist()
    hidden = model.encoder(**batch).last_hidden_state
    means = torch.stack([row[:length].mean(0) for row, length in zip(hidden, lengths, strict=True)])
    torch.testing.assert_close(model(**batch).logits, model.classifier(means))
    alone = model(**_batch(built, _TEXTS[1:2])).logits
    torch.testing.assert_close(model(**batch).logits[1:2], alone, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_both_heads_sit_on_the_same_encoder(tmp_path: Path) -> None:
    first = _built(tmp_path / "first", "first_token")
    encoder: Any = _built(tmp_path / "mean", "mean").model.base_model
    batch = _batch(first, _TEXTS)
    torch.testing.assert_close(
        encoder(**batch).last_hidden_state,
        first.model.base_model(**batch).last_hidden_state,
    )


def test_the_configuration_foretells_the_model(tmp_path: Path) -> None:
    poolings: tuple[Literal["first_token", "mean"], ...] = ("first_token", "mean")
    for pooling in poolings:
        source = Pretrained(source=str(tiny.save_checkpoint(tmp_path / pooling)), pooling=pooling)
        built = source.build(texts=_TEXTS, label_names=("a", "b", "c"))
        planned = source.config()
        planned.num_labels = 3
        assert checkpoints.parameters(
            LoadedModel(model=type(built.model)(planned), tokenizer=built.tokenizer)
        ) == checkpoints.parameters(built)
        assert built.model.config.id2label == {0: "a", 1: "b", 2: "c"}
        assert source.architecture().layers == tiny.LAYERS
