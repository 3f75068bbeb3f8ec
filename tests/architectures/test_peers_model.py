"""Networks side by side that share nothing."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from export import tiny
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification

from distillery.architectures.peers import Peers, PeersConfig
from distillery.architectures.pooled_encoder import PooledEncoder, PooledEncoderConfig


def _model(depths: tuple[int, ...] = (2, 1, 2), *, seed: int = 3) -> Any:
    torch.manual_seed(seed)
    encoder = tiny.config("bert", dropout=0.0)
    configs = []
    for encoder.num_hidden_layers in depths:
        configs.append(PooledEncoderConfig(encoder=deepcopy(encoder), num_labels=3).to_dict())
    model = Peers(PeersConfig(peers=configs))
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _ids() -> Tensor:
    return torch.arange(4, 22).reshape(2, 9)


def test_the_answer_is_the_first_peers() -> None:
    model = _model()
    with torch.inference_mode():
        found = model(input_ids=_ids())
        assert torch.equal(found.logits, found.exits[0])
        for peer, exit_ in zip(model.peers, found.exits, strict=True):
            assert isinstance(peer, PooledEncoder)
            assert torch.equal(peer(_ids()).logits, exit_)
    assert [peer.config.num_hidden_layers for peer in model.peers] == [2, 1, 2]


def test_no_two_start_alike_and_the_first_as_it_would_alone() -> None:
    first, _, third = _model().peers
    assert not torch.equal(first.classifier.weight, third.classifier.weight)
    assert not torch.equal(first.get_input_embeddings().weight, third.get_input_embeddings().weight)
    (alone,) = _model((2,)).peers
    ours, theirs = alone.state_dict(), first.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_one_peers_answer_moves_no_other() -> None:
    model = _model()
    model(input_ids=_ids()).exits[1].sum().backward()
    for number, peer in enumerate(model.peers):
        reached = any(weight.grad is not None for weight in peer.parameters())
        assert reached == (number == 1)


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    model = _model()
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, PeersConfig)
    assert [peer.num_hidden_layers for peer in config.each] == [2, 1, 2]
    assert config.num_labels == 3
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    with torch.inference_mode():
        found, expected = loaded(input_ids=_ids()).exits, model(input_ids=_ids()).exits
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
