"""Classifiers after several layers, and what is left when the network is cut after one."""

from pathlib import Path

import pytest
import torch
from export import tiny
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification

from distillery.architectures.early_exits import EarlyExits, EarlyExitsConfig, EarlyExitsOutput
from distillery.architectures.pooled_encoder import PooledEncoder, PooledEncoderConfig

_ENCODERS = ("bert", "roberta", "electra", "distilbert")


def _model(
    architecture: str = "bert", exits: tuple[int, ...] = (1, 3), keep: int | None = None
) -> EarlyExits:
    encoder = tiny.config(architecture)
    encoder.num_hidden_layers = 4
    torch.manual_seed(3)
    labels = {f"label {i}": i for i in range(3)}
    config = EarlyExitsConfig(
        encoder=encoder,
        exits=exits,
        keep=keep,
        num_labels=3,
        id2label={i: name for name, i in labels.items()},
        label2id=labels,
        initializer_range=0.3,
    )
    model = EarlyExits(config)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _inputs() -> dict[str, Tensor]:
    ids = torch.arange(4, 22).reshape(2, 9)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    return {"input_ids": ids, "attention_mask": mask}


@torch.inference_mode()
def _outputs(model: EarlyExits | PooledEncoder) -> EarlyExitsOutput:
    found: EarlyExitsOutput = model(**_inputs())
    return found


def test_the_last_layer_always_has_an_exit_and_the_first_exit_is_kept() -> None:
    assert EarlyExitsConfig(encoder=tiny.config("bert")).exits == [tiny.LAYERS]
    config = _model(exits=(3, 1)).config
    assert (config.exits, config.keep) == ([1, 3, 4], 1)


@pytest.mark.parametrize("architecture", _ENCODERS)
@pytest.mark.parametrize("keep", [1, 3, 4])
def test_what_is_cut_answers_as_the_exit_did(architecture: str, keep: int) -> None:
    model = _model(architecture, keep=keep)
    found = _outputs(model)
    assert found.exits is not None
    assert len(found.exits) == 3
    kept = found.exits[[1, 3, 4].index(keep)]
    assert torch.equal(found.logits, kept)  # type: ignore[arg-type]
    cut = model.cut()
    assert type(cut) is PooledEncoder
    assert cut.config.num_hidden_layers == keep
    assert cut.config.id2label == model.config.id2label
    torch.testing.assert_close(_outputs(cut).logits, kept)
    others = [exit_ for exit_ in found.exits if exit_ is not kept]
    assert all(not torch.allclose(exit_, kept) for exit_ in others[1:])


def test_an_exit_reads_no_later_layer_and_no_padding() -> None:
    model = _model(keep=3)
    before = _outputs(model)
    with torch.no_grad():
        for weight in model.encoder.encoder.layer[3].parameters():
            weight.fill_(0.5)
    after = _outputs(model)
    assert before.exits is not None
    assert after.exits is not None
    assert torch.equal(after.exits[1], before.exits[1])
    assert not torch.allclose(after.exits[2], before.exits[2])
    short = model(input_ids=_inputs()["input_ids"][1:, :4]).logits
    assert after.logits is not None
    torch.testing.assert_close(after.logits[1:], short, atol=1e-5, rtol=1e-5)


def test_hidden_states_come_where_they_are_asked_for() -> None:
    model = _model()
    assert _outputs(model).hidden_states is None
    with torch.inference_mode():
        states = model(**_inputs(), output_hidden_states=True).hidden_states
    assert [tuple(one.shape) for one in states] == [(2, 9, tiny.HIDDEN_SIZE)] * 5


def test_cutting_copies() -> None:
    model = _model()
    cut = model.cut()
    before = _outputs(cut).logits
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    torch.testing.assert_close(_outputs(cut).logits, before)
    assert model.config.encoder.num_hidden_layers == 4


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    model = _model(keep=3)
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, EarlyExitsConfig)
    assert isinstance(config, PooledEncoderConfig)
    assert (config.exits, config.keep, config.num_hidden_layers) == ([1, 3, 4], 3, 4)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert isinstance(loaded, EarlyExits)
    found, expected = _outputs(loaded).exits, _outputs(model).exits
    assert found is not None
    assert expected is not None
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
