"""Every supported architecture is fused in full; anything less is loud."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from distillery.export import fusion, pytorch_to_onnx

from . import tiny
from .conftest import Made

EXPECTED = {
    "bert": {
        "Attention": 2,
        "Gelu": 2,
        "FirstTokenOnly": 1,
        "LayerNormalization": 5,
        "ResidualSum": 5,
    },
    "roberta": {
        "Attention": 2,
        "Gelu": 2,
        "FirstTokenOnly": 1,
        "LayerNormalization": 5,
        "ResidualSum": 5,
    },
    # the one Gelu without a bias is the classification head's
    "electra": {
        "Attention": 2,
        "Gelu": 3,
        "FirstTokenOnly": 1,
        "LayerNormalization": 5,
        "ResidualSum": 5,
    },
    "distilbert": {
        "Attention": 2,
        "Gelu": 2,
        "FirstTokenOnly": 1,
        "LayerNormalization": 5,
        "ResidualSum": 5,
    },
    # the mean reads every token
    "pooled_encoder": {
        "Attention": 2,
        "Gelu": 2,
        "LayerNormalization": 5,
        "ResidualSum": 5,
    },
    "bilstm": {"BidirectionalLSTM": 1},
    "siamese_bilstm": {"BidirectionalLSTM": 1},
}


def _fuse(onnx_path: Path, out_path: Path, layers: int = tiny.LAYERS) -> dict[str, int]:
    return fusion.fuse(
        onnx_path, out_path, heads=tiny.HEADS, hidden_size=tiny.HIDDEN_SIZE, layers=layers
    )


@pytest.mark.parametrize("architecture", EXPECTED)
def test_fuses_every_layer_and_keeps_the_answers(
    architecture: str, made: Made, tmp_path: Path
) -> None:
    folder = made(architecture)
    shape = tiny.config(architecture)
    counts = fusion.fuse(
        folder / "traced.onnx",
        tmp_path / "fused.onnx",
        heads=shape.num_attention_heads,
        hidden_size=shape.hidden_size,
        layers=shape.num_hidden_layers,
    )
    assert counts == EXPECTED[architecture]
    traced = onnxruntime.InferenceSession(folder / "traced.onnx")
    fused = onnxruntime.InferenceSession(tmp_path / "fused.onnx")
    random = np.random.default_rng(1)
    for tokens, padding in ((1, 0), (12, 0), (12, 5), (30, 25)):
        ids = random.integers(5, len(tiny.VOCABULARY), (3, tokens))
        mask = np.ones_like(ids)
        if padding:
            ids[0, -padding:], mask[0, -padding:] = 0, 0
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": 0 * ids}
        asked = {node.name: inputs[node.name] for node in fused.get_inputs()}
        np.testing.assert_allclose(fused.run(None, asked)[0], traced.run(None, asked)[0], atol=1e-4)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "pooled_encoder"])
def test_a_session_fuses_no_slow_kernel_back_in(
    architecture: str, made: Made, tmp_path: Path
) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "opened.onnx")
    onnxruntime.InferenceSession(made(architecture) / "fused.onnx", options)
    opened = [node.op_type for node in onnx.load(tmp_path / "opened.onnx").graph.node]
    by_first_token = EXPECTED[architecture].get(fusion.FIRST_ONLY, 0)
    assert opened.count("Attention") == tiny.LAYERS - by_first_token
    assert opened.count("MultiHeadAttention") == by_first_token
    assert "SkipLayerNormalization" not in opened


def test_same_bytes_twice(made: Made, tmp_path: Path) -> None:
    folder = made("bert")
    pytorch_to_onnx.export(folder, tmp_path / "traced.onnx")
    _fuse(tmp_path / "traced.onnx", tmp_path / "fused.onnx")
    assert (tmp_path / "fused.onnx").read_bytes() == (folder / "fused.onnx").read_bytes()


def test_a_layer_left_out_is_an_error(made: Made, tmp_path: Path) -> None:
    with pytest.raises(fusion.FusionError, match="fused 2 attention operators of 3 layers"):
        _fuse(made("bert") / "traced.onnx", tmp_path / "fused.onnx", layers=3)
    assert not (tmp_path / "fused.onnx").exists()


class _MeanPooled(torch.nn.Module):
    """Reads every token of the last layer."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.encoder = AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager"
        ).bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.encoder(input_ids, attention_mask).last_hidden_state
        return hidden.mean(dim=1)


class _Sdpa(torch.nn.Module):
    """ONNX Runtime's patterns do not know PyTorch's own attention."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.model = AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="sdpa"
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids, attention_mask).logits
        return logits


def _trace(model: torch.nn.Module, onnx_path: Path) -> Path:
    ids = torch.full((2, 8), 7, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    axes = {0: "batch", 1: "sequence"}
    torch.onnx.export(
        model.eval(),
        (ids, mask),
        onnx_path,
        dynamo=False,
        opset_version=14,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes},
    )
    return onnx_path


@pytest.mark.filterwarnings("ignore")
def test_a_head_that_reads_every_token_keeps_them(made: Made, tmp_path: Path) -> None:
    traced = _trace(_MeanPooled(made("bert")), tmp_path / "traced.onnx")
    counts = _fuse(traced, tmp_path / "fused.onnx")
    assert counts["Attention"] == tiny.LAYERS
    assert "FirstTokenOnly" not in counts
    ids = np.arange(5, 19).reshape(2, 7)
    asked = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    before, after = (
        onnxruntime.InferenceSession(path).run(None, asked)[0]
        for path in (traced, tmp_path / "fused.onnx")
    )
    np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_an_unrecognized_attention_is_an_error(made: Made, tmp_path: Path) -> None:
    traced = _trace(_Sdpa(made("bert")), tmp_path / "sdpa.onnx")
    with pytest.raises(fusion.FusionError, match="fused 0 attention operators of 2 layers"):
        _fuse(traced, tmp_path / "fused.onnx")
