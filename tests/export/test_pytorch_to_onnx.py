"""The exported graph answers what the PyTorch model answers."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from distillery.export import pytorch_to_onnx

from . import tiny
from .conftest import Made

# (batch, tokens, of which padding in the first row)
SHAPES = [(1, 1, 0), (1, 9, 0), (3, 20, 7), (2, 38, 30), (5, 3, 1)]


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES + tiny.RECURRENT)
def test_equals_pytorch_in_every_shape(architecture: str, made: Made) -> None:
    folder = made(architecture)
    session = onnxruntime.InferenceSession(folder / "traced.onnx")
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    names = [node.name for node in session.get_inputs()]
    random = np.random.default_rng(0)
    for rows, tokens, padding in SHAPES:
        inputs = {
            "input_ids": random.integers(5, len(tiny.VOCABULARY), (rows, tokens)),
            "attention_mask": np.ones((rows, tokens), dtype=np.int64),
            "token_type_ids": random.integers(0, 2, (rows, tokens)),
        }
        if padding:
            inputs["input_ids"][0, -padding:] = 0
            inputs["attention_mask"][0, -padding:] = 0
        asked = {name: inputs[name] for name in names}
        with torch.inference_mode():
            expected = model(**{name: torch.from_numpy(asked[name]) for name in names}).logits
        (found,) = session.run(None, asked)
        assert found.shape == (rows, len(tiny.LABELS))
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES + tiny.RECURRENT)
def test_asks_for_token_types_only_where_they_matter(architecture: str, made: Made) -> None:
    session = onnxruntime.InferenceSession(made(architecture) / "traced.onnx")
    inputs = {node.name: node.type for node in session.get_inputs()}
    expected = {"input_ids": "tensor(int64)", "attention_mask": "tensor(int64)"}
    if architecture in ("bert", "electra", "pooled_encoder", "siamese_bilstm"):
        expected["token_type_ids"] = "tensor(int64)"
    assert inputs == expected
    assert [node.name for node in session.get_outputs()] == ["logits"]


def test_dropout_is_off(tmp_path: Path) -> None:
    folder = tiny.save_checkpoint(tmp_path, dropout=0.5)
    pytorch_to_onnx.export(folder, tmp_path / "traced.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "traced.onnx")
    ones = np.ones((2, 6), dtype=np.int64)
    asked = {node.name: ones * 7 for node in session.get_inputs()}
    asked["attention_mask"], asked["token_type_ids"] = ones, 0 * ones
    first, second = session.run(None, asked)[0], session.run(None, asked)[0]
    np.testing.assert_array_equal(first, second)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = model(**{name: torch.from_numpy(value) for name, value in asked.items()}).logits
    np.testing.assert_allclose(first, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("architecture", ["bert", *tiny.RECURRENT])
def test_no_warning_reaches_the_user(
    architecture: str, made: Made, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    folder = made(architecture)
    recwarn.clear()
    pytorch_to_onnx.export(folder, tmp_path / "traced.onnx")
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("architecture", ["bert", *tiny.RECURRENT])
def test_same_bytes_twice(architecture: str, made: Made, tmp_path: Path) -> None:
    folder = made(architecture)
    pytorch_to_onnx.export(folder, tmp_path / "traced.onnx")
    assert (tmp_path / "traced.onnx").read_bytes() == (folder / "traced.onnx").read_bytes()
