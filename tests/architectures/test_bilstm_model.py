"""The LSTM against a loop over time steps, and what padding and order may change."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification

from distillery.architectures.bilstm import BiLstm, BiLstmConfig

# B batch, S sequence, E embedding, H hidden, C classes

_VOCABULARY = 30


def _model(*, siamese: bool = False, seed: int = 0, dropout: float = 0.3) -> BiLstm:
    torch.manual_seed(seed)
    config = BiLstmConfig(
        vocab_size=_VOCABULARY,
        embedding_size=6,
        hidden_size=5,
        fully_connected_size=7,
        dropout=dropout,
        siamese=siamese,
        num_labels=3,
    )
    model = BiLstm(config)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _rows(*rows: list[int], length: int = 0) -> dict[str, Tensor]:
    """Padded on the right to the longest, or to ``length``; 1 is [CLS], 2 is [SEP]."""
    length = max(length, *map(len, rows))
    types = [[int(2 in row[:i]) for i in range(len(row))] for row in rows]

    def pad(lists: list[list[int]]) -> Tensor:
        return torch.tensor([one + [0] * (length - len(one)) for one in lists])

    return {
        "input_ids": pad(list(rows)),
        "attention_mask": pad([[1] * len(row) for row in rows]),
        "token_type_ids": pad(types),
    }


def _pair(a: list[int], b: list[int]) -> list[int]:
    return [1, *a, 2, *b, 2]


@torch.no_grad()
def _logits(model: BiLstm, inputs: dict[str, Tensor]) -> Tensor:
    logits: Tensor = model(**inputs).logits
    return logits


def _last_state(lstm: torch.nn.LSTM, steps: Tensor) -> Tensor:
    """(S, E) → (H,): the equations of Hochreiter and Schmidhuber's cell, with a forget gate."""
    H = lstm.hidden_size
    into, across, bias_into, bias_across = lstm.state_dict().values()
    hidden, cell = torch.zeros(H), torch.zeros(H)
    for x in steps:
        gates = into @ x + across @ hidden + bias_into + bias_across
        enter, forget, new, leave = (
            gates[:H],
            gates[H : 2 * H],
            gates[2 * H : 3 * H],
            gates[3 * H :],
        )
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = leave.sigmoid() * cell.tanh()
    return hidden


def _encoded(model: BiLstm, ids: list[int]) -> Tensor:
    steps = model.embeddings.weight[ids]
    return torch.cat(
        [_last_state(model.forwards, steps), _last_state(model.backwards, steps.flip(0))]
    )


def _classified(model: BiLstm, read: Tensor) -> Tensor:
    connected, classifier = model.fully_connected, model.classifier
    hidden = (connected.weight @ read + connected.bias).clamp(min=0)
    return classifier.weight @ hidden + classifier.bias


@torch.no_grad()
def test_it_is_what_a_loop_over_time_gives() -> None:
    model = _model()
    rows = [[1, 7, 9, 4, 2], [1, 2], [1, 8, 2]]
    expected = torch.stack([_classified(model, _encoded(model, row)) for row in rows])
    torch.testing.assert_close(_logits(model, _rows(*rows)), expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_pairs_are_what_a_loop_over_each_text_gives() -> None:
    model = _model(siamese=True)
    pairs = [([5, 6, 7, 8], [9]), ([4], [10, 11, 12]), ([3, 3], [3, 3])]
    expected = []
    for a, b in pairs:
        u, v = _encoded(model, [*a, 2]), _encoded(model, [*b, 2])
        expected.append(_classified(model, torch.cat([u, v, (u - v).abs(), u * v])))
    found = _logits(model, _rows(*(_pair(a, b) for a, b in pairs)))
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-6, rtol=1e-5)


_tokens = st.lists(st.integers(3, _VOCABULARY - 1), max_size=9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(_tokens, _tokens), min_size=1, max_size=4), st.integers(0, 12))
def test_padding_changes_nothing(pairs: list[tuple[list[int], list[int]]], more: int) -> None:
    """An empty text and an empty second text are among them."""
    for model in (_model(), _model(siamese=True)):
        rows = [_pair(a, b) for a, b in pairs]
        found = _logits(model, _rows(*rows, length=max(map(len, rows)) + more))
        alone = torch.cat([_logits(model, _rows(row)) for row in rows])
        torch.testing.assert_close(found, alone, atol=1e-6, rtol=1e-5)
        assert torch.isfinite(found).all()


def test_what_stands_under_the_mask_is_not_read() -> None:
    for siamese in (False, True):
        model = _model(siamese=siamese)
        inputs = _rows(_pair([5, 6], [7]), _pair([5, 6, 7, 8], [9, 3]))
        expected = _logits(model, inputs)
        inputs["input_ids"][0, 6:] = 11
        assert torch.equal(_logits(model, inputs), expected)


def test_a_row_without_a_second_text_is_answered_alike_in_any_batch() -> None:
    model = _model(siamese=True)
    alone = _logits(model, _rows([1, 5, 6]))
    beside = _logits(model, _rows([1, 5, 6], _pair([7, 8], [9, 10, 11])))[:1]
    torch.testing.assert_close(beside, alone, atol=1e-6, rtol=1e-5)
    assert torch.isfinite(_logits(model, _rows([1]))).all()


def test_every_token_and_their_order_count() -> None:
    model = _model()
    rows = [[1, 5, 6, 7, 2], [1, 6, 5, 7, 2], [1, 5, 7, 6, 2], [1, 8, 6, 7, 2], [1, 5, 6, 8, 2]]
    found = _logits(model, _rows(*rows))
    assert len({tuple(row.tolist()) for row in found}) == len(rows)


def test_a_swapped_pair_swaps_what_is_read() -> None:
    """[u, v, |u − v|, u ∘ v] becomes [v, u, |u − v|, u ∘ v]; of equal texts, the third is zero."""
    model = _model(siamese=True)
    read: list[Tensor] = []
    model.fully_connected.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    _logits(model, _rows(_pair([5, 6, 7], [8]), _pair([8], [5, 6, 7]), _pair([9, 4], [9, 4])))
    (found,) = read
    u, v, difference, product = found.chunk(4, dim=1)
    torch.testing.assert_close(u[0], v[1])
    torch.testing.assert_close(v[0], u[1])
    torch.testing.assert_close(difference[0], difference[1])
    torch.testing.assert_close(product[0], product[1])
    assert not torch.allclose(u[0], v[0])
    torch.testing.assert_close(difference[2], torch.zeros(10), atol=1e-6, rtol=0)


def test_pairs_without_types_are_an_error() -> None:
    with pytest.raises(ValueError, match="pairs need token_type_ids"):
        _model(siamese=True)(torch.tensor([[1, 5, 2]]))


def test_one_text_needs_neither_mask_nor_types() -> None:
    model = _model()
    ids = torch.tensor([[1, 5, 6, 2]])
    with torch.no_grad():
        assert torch.equal(model(ids).logits, _logits(model, _rows([1, 5, 6, 2])))


@pytest.mark.parametrize("siamese", [False, True])
def test_saved_and_loaded_it_answers_the_same(siamese: bool, tmp_path: Path) -> None:
    model = _model(siamese=siamese)
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, BiLstmConfig)
    assert config.to_diff_dict() == model.config.to_diff_dict()
    assert (config.num_hidden_layers, config.type_vocab_size) == (0, 1 + siamese)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert not loaded.training
    inputs = _rows(_pair([5, 6], [7]), _pair([5, 6, 7, 8], [9, 3]))
    assert torch.equal(_logits(loaded, inputs), _logits(model, inputs))


def test_the_seed_decides_the_start() -> None:
    one, same, other = (_model(seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def _learned(model: BiLstm, inputs: dict[str, Tensor], labels: Tensor) -> float:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.eval()  # type: ignore[no-untyped-call]
    return float((_logits(model, inputs).argmax(1) == labels).float().mean())


def test_it_learns_which_of_two_words_comes_first() -> None:
    """A bag of words could not."""
    generator = torch.Generator().manual_seed(0)
    rows, labels = [], []
    for i in range(64):
        words = torch.randint(6, _VOCABULARY, (4,), generator=generator).tolist()
        words[i % 3], words[3] = (4, 5) if i % 2 else (5, 4)
        rows.append([1, *words, 2])
        labels.append(i % 2)
    assert _learned(_model(dropout=0.0), _rows(*rows), torch.tensor(labels)) == 1.0


def test_it_learns_which_pairs_are_equal() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, labels = [], []
    for i in range(64):
        a = torch.randint(3, _VOCABULARY, (1 + i % 3,), generator=generator).tolist()
        b = torch.randint(3, _VOCABULARY, (1 + i % 3,), generator=generator).tolist()
        rows.append(_pair(a, a if i % 2 else b))
        labels.append(int(rows[-1] == _pair(a, a)))
    model = _model(siamese=True, dropout=0.0)
    assert _learned(model, _rows(*rows), torch.tensor(labels)) > 0.95
