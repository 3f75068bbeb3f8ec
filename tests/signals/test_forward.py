"""What a loss is given is what the model computed, whatever the architecture calls its parts."""

import pytest
import torch
from export import tiny
from factories import make_teacher

from distillery.signals.forward import Forward
from distillery.signals.teaching import CachedTeaching, LiveTeaching, averaged
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import Collator, encode

_TEXTS = ["move my money to the bank", "weather", "please move"]


@pytest.fixture(scope="module", params=tiny.ARCHITECTURES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("model"), request.param, layers=3)


def _batch(loaded: LoadedModel) -> dict[str, torch.Tensor]:
    rows = encode(loaded.tokenizer, _TEXTS, 16)
    return Collator(loaded.tokenizer.pad_token_id)(rows)


@torch.no_grad()
def test_queries_keys_and_values_give_back_the_models_own_attention(loaded: LoadedModel) -> None:
    """softmax(QKᵀ/√d) is what the model says its attention is, where it can say so."""
    loaded.model.set_attn_implementation("eager")  # the only one that tells
    batch = _batch(loaded)
    forward = Forward(loaded.model, frozenset({"hidden_states", "attention"}))
    outputs = forward(loaded.model, batch)
    told = loaded.model(**batch, output_attentions=True, output_hidden_states=True)
    pooled = loaded.model.config.model_type == "pooled_encoder"  # it passes none on
    base = () if pooled else told.attentions
    assert pooled or len(base) == 3
    assert len(outputs.hidden_states) == 4
    for own, theirs in zip(outputs.hidden_states, told.hidden_states, strict=True):
        torch.testing.assert_close(own, theirs)
    assert len(outputs.queries) == len(outputs.keys) == len(outputs.values) == 3
    width = tiny.HIDDEN_SIZE // tiny.HEADS
    mask = batch["attention_mask"].bool()[:, None, None, :]
    for layer, attention in enumerate(base):
        scores = outputs.queries[layer] @ outputs.keys[layer].transpose(-1, -2) / width**0.5
        own = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        torch.testing.assert_close(own, attention, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_each_call_starts_anew(loaded: LoadedModel) -> None:
    forward = Forward(loaded.model, frozenset({"attention"}))
    batch = _batch(loaded)
    first, second = forward(loaded.model, batch), forward(loaded.model, batch)
    assert len(second.queries) == 3
    torch.testing.assert_close(first.queries[0], second.queries[0])


def test_a_live_teacher_is_in_eval_mode_and_gives_no_gradients(loaded: LoadedModel) -> None:
    loaded.model.train()
    teaching = LiveTeaching(loaded, frozenset({"hidden_states"}))
    batch = _batch(loaded)
    one, other = teaching.outputs(batch, {}), teaching.outputs(batch, {})
    assert torch.equal(one.logits, other.logits), "dropout is off"
    assert not one.logits.requires_grad
    assert not one.hidden_states[-1].requires_grad
    loaded.model.train()
    with pytest.raises(RuntimeError, match="training mode"):
        teaching.outputs(batch, {})
    loaded.model.eval()  # type: ignore[no-untyped-call]


def test_a_teacher_that_splits_texts_otherwise_is_refused(loaded: LoadedModel) -> None:
    teaching = LiveTeaching(loaded, frozenset({"hidden_states"}))
    batch = _batch(loaded)
    shorter = {name: values[:, :-1] for name, values in batch.items()}
    with pytest.raises(RuntimeError, match="different tokens"):
        teaching.outputs(batch, shorter)


def test_an_ensemble_of_cached_logits() -> None:
    """Means of logits and of softened probabilities, against their definitions."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 2, 5, generator=generator)  # (B, K, C)
    weights = (0.25, 0.75)
    own: dict[str, torch.Tensor] = {}
    mean = CachedTeaching(weights, "logits").outputs(own, {"logits": logits})
    torch.testing.assert_close(mean.logits, 0.25 * logits[:, 0] + 0.75 * logits[:, 1])
    mixture = CachedTeaching(weights, "probabilities").outputs(own, {"logits": logits})
    for temperature in (1.0, 4.0):
        soft = (logits / temperature).softmax(-1)
        expected = 0.25 * soft[:, 0] + 0.75 * soft[:, 1]
        torch.testing.assert_close(mixture.log_probabilities(temperature).exp(), expected)
    torch.testing.assert_close(mixture.logits.softmax(-1), mixture.log_probabilities(1.0).exp())
    alone = averaged(logits[:, :1], torch.ones(1), "probabilities")
    assert torch.equal(alone.logits, logits[:, 0])
