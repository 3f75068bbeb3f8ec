"""Every quantization over every architecture: small, near, the same twice, right for the CPU."""

import typing
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from distillery.architectures.cnn import Cnn, CnnConfig
from distillery.export import fusion, pytorch_to_onnx, saving, tables
from distillery.export.quantization import dynamic
from distillery.export.quantization.base import Material, Quantization, Tables
from distillery.export.quantization.fp16 import Fp16
from distillery.export.quantization.int8 import Int8
from distillery.export.quantization.int8_mixed import Int8Mixed
from distillery.export.quantization.int8_static import Int8Static
from distillery.export.quantization.weights_only import WeightsOnly
from distillery.recipe import AnyQuantization
from distillery.runtimes.base import Encoded

from . import tiny
from .conftest import Made

VNNI = ("avx2", "avx512f", "avx512_vnni")
NO_VNNI = ("avx2", "avx512f")
EVERY: list[Quantization] = [
    Int8(),
    Int8Static(rows=16),
    Int8Static(rows=16, calibration="percentile"),
    Int8Mixed(rows=16),
    WeightsOnly(bits=4, block_size=16),
    WeightsOnly(bits=8),
    Fp16(),
]
_RNG = np.random.default_rng(0)
_IDS = _RNG.integers(5, len(tiny.VOCABULARY), (8, 12))
_MASK = np.ones_like(_IDS)
_MASK[0, 6:] = 0
INPUTS = {"input_ids": _IDS, "attention_mask": _MASK, "token_type_ids": 0 * _IDS}


def _samples(rows: int) -> list[Encoded]:
    ids = np.random.default_rng(1).integers(5, len(tiny.VOCABULARY), (rows, 1, 9))
    return [
        {"input_ids": one, "attention_mask": np.ones_like(one), "token_type_ids": 0 * one}
        for one in ids
    ]


def _quantized(
    quantization: Quantization, fused: Path, cpu_flags: tuple[str, ...] = VNNI, *, bits: int = 4
) -> onnx.ModelProto:
    model = onnx.load(fused)
    if quantization.has_small_tables:
        tables.compress(model.graph, Tables.model_validate({"bits": bits}), ())
    return quantization.quantized(model, Material(cpu_flags=cpu_flags, samples=_samples))


def _logits(model: onnx.ModelProto) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    asked = {node.name: INPUTS[node.name] for node in session.get_inputs()}
    found: NDArray[np.float32] = session.run(None, asked)[0]
    return found


def test_every_kind_of_the_recipe_is_here() -> None:
    listed = typing.get_args(typing.get_args(AnyQuantization)[0])
    assert {type(one) for one in EVERY} == set(listed)


@pytest.mark.parametrize("quantization", EVERY, ids=lambda one: one.label)
@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES + tiny.RECURRENT)
def test_smaller_and_near(architecture: str, quantization: Quantization, made: Made) -> None:
    fused = made(architecture) / "fused.onnx"
    model = _quantized(quantization, fused, bits=8)
    expected, found = _logits(onnx.load(fused)), _logits(model)
    assert found.dtype == np.float32
    # random weights have no slack for 4 bits: nothing was trained to stay apart
    allowed = 0.5 if quantization.label == "int4-weights" else 0.1
    assert np.abs(expected - found).mean() < allowed * np.abs(expected).mean()
    assert len(model.SerializeToString()) < fused.stat().st_size


@pytest.mark.parametrize("quantization", EVERY, ids=lambda one: one.label)
@pytest.mark.parametrize("architecture", ["bert", "siamese_bilstm"])
def test_same_bytes_twice(
    architecture: str, quantization: Quantization, made: Made, tmp_path: Path
) -> None:
    fused = made(architecture) / "fused.onnx"
    for name in ("first", "second"):
        saving.save(_quantized(quantization, fused), tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES + tiny.RECURRENT)
def test_int8_leaves_no_matrix_and_no_table_of_floats(
    architecture: str, bits: int, made: Made
) -> None:
    model = _quantized(Int8(), made(architecture) / "fused.onnx", bits=bits)
    scales = {
        name
        for node in model.graph.node
        if node.op_type == "GatherBlockQuantized"
        for name in node.input[2:3]
    }
    large = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
        and len(tensor.dims) >= 2
        # a bias for each of two directions is no matrix
        and sorted(tensor.dims)[-2] > 2
        and tensor.name not in scales
    ]
    assert large == []


@pytest.mark.parametrize("architecture", ["bert", "bilstm"])
@pytest.mark.parametrize(("cpu_flags", "largest"), [(VNNI, 127), (NO_VNNI, 64)])
@pytest.mark.parametrize("quantization", [Int8(), Int8Static(rows=8)], ids=lambda one: one.label)
def test_seven_bits_where_products_saturate(
    quantization: Quantization,
    cpu_flags: tuple[str, ...],
    largest: int,
    architecture: str,
    made: Made,
) -> None:
    model = _quantized(quantization, made(architecture) / "fused.onnx", cpu_flags)
    weights_at = {"MatMulInteger": (1,), "QAttention": (1,), "DynamicQuantizeLSTM": (1, 2)}
    multiplied = {
        node.input[place] for node in model.graph.node for place in weights_at.get(node.op_type, ())
    }
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = [onnx.numpy_helper.to_array(tensors[name]) for name in sorted(multiplied)]
    assert {weight.dtype for weight in weights} == {np.dtype(np.int8)}
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) == largest


@pytest.mark.parametrize(
    ("cpu_flags", "expected"),
    [
        (("avx2", "avx512f", "avx512_vnni"), False),
        (("avx2", "avx_vnni"), False),
        (("avx512f", "amx_int8"), False),
        (("fp", "asimd", "asimddp"), False),
        (("avx2",), True),
        (("avx2", "avx512f"), True),
        ((), True),
    ],
)
def test_which_cpus_need_seven_bits(cpu_flags: tuple[str, ...], expected: bool) -> None:
    assert dynamic.needs_reduced_range(cpu_flags) is expected


def test_static_ranges_are_what_the_samples_showed(made: Made) -> None:
    """The first activation: the embeddings' layer norm, whose ends are computed here anew."""
    fused = made("bert") / "fused.onnx"
    model = _quantized(Int8Static(rows=16), fused)
    assert not [n for n in model.graph.node if n.op_type == "DynamicQuantizeLinear"]
    first = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    told = onnx.load(fused)
    tables.compress(told.graph, Tables(), ())
    told.graph.output.append(
        onnx.helper.make_tensor_value_info(first.input[0], onnx.TensorProto.FLOAT, None)
    )
    session = onnxruntime.InferenceSession(told.SerializeToString())
    asked = [node.name for node in session.get_inputs()]
    seen = [
        session.run([first.input[0]], {name: sample[name] for name in asked})[0]
        for sample in _samples(16)
    ]
    low, high = min(one.min() for one in seen), max(one.max() for one in seen)
    tensors = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
    }
    assert tensors[first.input[1]] == pytest.approx((high - low) / 255)
    assert tensors[first.input[2]] == round(-low / ((high - low) / 255))


def test_calibrations_clip_and_the_whole_range_does_not(made: Made) -> None:
    fused = made("bert") / "fused.onnx"

    def scales(quantization: Quantization) -> list[float]:
        model = _quantized(quantization, fused)
        tensors = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
        return [
            float(tensors[n.input[1]]) for n in model.graph.node if n.op_type == "QuantizeLinear"
        ]

    whole = scales(Int8Static(rows=16))
    clipped = scales(Int8Static(rows=16, calibration="percentile", percentile=90))
    assert len(whole) == len(clipped) > 4
    assert all(one < other for one, other in zip(clipped, whole, strict=True))
    by_entropy = scales(Int8Static(rows=8, calibration="entropy"))
    assert all(one <= other * 1.001 for one, other in zip(by_entropy, whole, strict=True))


def test_mixed_keeps_the_operators_that_int8_hurts_most(made: Made) -> None:
    """One matrix is given a few huge weights in each channel, which int8 cannot hold beside small
    ones: it is the one that stays."""
    fused = made("bert") / "fused.onnx"
    model = onnx.load(fused)
    hurt = next(node for node in model.graph.node if node.op_type == "MatMul")
    tensor = next(one for one in model.graph.initializer if one.name == hurt.input[1])
    weights = onnx.numpy_helper.to_array(tensor).copy()
    weights[0] *= 300
    tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))
    material = Material(cpu_flags=VNNI, samples=_samples)
    kept = {
        node.name
        for node in Int8Mixed(rows=16, kept_distance=0.6).quantized(model, material).graph.node
        if node.op_type == "MatMul"
    }
    assert hurt.name in kept
    assert len(kept) < len(dynamic.products(model.graph))


def test_weights_alone_are_multiplied_in_blocks(made: Made) -> None:
    model = _quantized(WeightsOnly(bits=4, block_size=16), made("bert") / "fused.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MultiHeadAttention") == tiny.LAYERS
    assert "Attention" not in kinds
    assert "MatMul" not in kinds
    assert kinds.count("MatMulNBits") >= 4 * tiny.LAYERS  # attention's three as one, and three more


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """A small network over images of 12 × 12, fused."""
    folder = tmp_path_factory.mktemp("cnn")
    torch.manual_seed(0)
    config = CnnConfig(image_shape=(12, 12, 1), channels=(8, 16), hidden_size=128, num_labels=4)
    Cnn(config).save_pretrained(folder)
    pytorch_to_onnx.export(folder, folder / "traced.onnx")
    fusion.fuse(folder / "traced.onnx", folder / "fused.onnx", heads=0, hidden_size=0, layers=0)
    return onnx.load(folder / "fused.onnx")


@pytest.mark.parametrize("quantization", EVERY, ids=lambda one: one.label)
def test_convolutional_networks(quantization: Quantization, convolutions: onnx.ModelProto) -> None:
    pixels = _RNG.integers(0, 256, (40, 1, 1, 12, 12), dtype=np.uint8)
    samples: list[Encoded] = [{"pixel_values": one} for one in pixels]
    material = Material(cpu_flags=VNNI, samples=lambda rows: samples[:rows])
    model = quantization.quantized(convolutions, material)
    expected, found = (
        onnxruntime.InferenceSession(one.SerializeToString()).run(
            None, {"pixel_values": pixels[:, 0]}
        )[0]
        for one in (convolutions, model)
    )
    assert np.abs(expected - found).mean() < 0.2 * np.abs(expected).mean()
    if not isinstance(quantization, Int8Mixed):  # it may keep the largest of two matrices
        assert len(model.SerializeToString()) < len(convolutions.SerializeToString())


def test_static_ranges_reach_convolutions(convolutions: onnx.ModelProto) -> None:
    pixels = _RNG.integers(0, 256, (8, 1, 1, 12, 12), dtype=np.uint8)
    material = Material(
        cpu_flags=VNNI, samples=lambda rows: [{"pixel_values": one} for one in pixels[:rows]]
    )
    graph = Int8Static(rows=8).quantized(convolutions, material).graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    read = [made[name] for node in graph.node if node.op_type == "Conv" for name in node.input[:2]]
    assert read
    assert set(read) == {"DequantizeLinear"}
