"""Weights and embedding tables are int8, and the range follows the CPU."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from distillery.export import int8_dynamic

from . import tiny
from .conftest import Made

VNNI = ("avx2", "avx512f", "avx512_vnni")
NO_VNNI = ("avx2", "avx512f")


def _tensors(path: Path) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES + tiny.RECURRENT)
def test_every_matrix_and_table_is_int8(architecture: str, made: Made, tmp_path: Path) -> None:
    fused = made(architecture) / "fused.onnx"
    int8_dynamic.quantize(fused, tmp_path / "int8.onnx", cpu_flags=VNNI)
    found = _tensors(tmp_path / "int8.onnx")
    vocabulary = len(tiny.VOCABULARY)
    eight_bits = {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    tables = [tensor for tensor in found.values() if list(tensor.dims)[:1] == [vocabulary]]
    assert any(tensor.data_type in eight_bits for tensor in tables)
    large = [
        tensor.name
        for tensor in found.values()
        if tensor.data_type == onnx.TensorProto.FLOAT
        and len(tensor.dims) >= 2
        # a scale a row is no matrix, nor is a bias for each of two directions
        and sorted(tensor.dims)[-2] > 2
    ]
    assert large == []
    assert (tmp_path / "int8.onnx").stat().st_size < fused.stat().st_size


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES + tiny.RECURRENT)
def test_answers_stay_near(architecture: str, made: Made, tmp_path: Path) -> None:
    fused = made(architecture) / "fused.onnx"
    int8_dynamic.quantize(fused, tmp_path / "int8.onnx", cpu_flags=VNNI)
    before = onnxruntime.InferenceSession(fused)
    after = onnxruntime.InferenceSession(tmp_path / "int8.onnx")
    ids = np.random.default_rng(0).integers(5, len(tiny.VOCABULARY), (8, 12))
    mask = np.ones_like(ids)
    mask[0, 6:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": 0 * ids}
    asked = {node.name: inputs[node.name] for node in before.get_inputs()}
    expected, found = before.run(None, asked)[0], after.run(None, asked)[0]
    assert np.abs(expected - found).mean() < 0.1 * np.abs(expected).mean()


@pytest.mark.parametrize("architecture", ["bert", *tiny.RECURRENT])
def test_same_bytes_twice(architecture: str, made: Made, tmp_path: Path) -> None:
    fused = made(architecture) / "fused.onnx"
    for name in ("first", "second"):
        int8_dynamic.quantize(fused, tmp_path / name, cpu_flags=VNNI)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("architecture", ["bert", "bilstm"])
@pytest.mark.parametrize(("cpu_flags", "largest"), [(VNNI, 127), (NO_VNNI, 64)])
def test_seven_bits_where_products_saturate(
    cpu_flags: tuple[str, ...], largest: int, architecture: str, made: Made, tmp_path: Path
) -> None:
    fused = made(architecture) / "fused.onnx"
    int8_dynamic.quantize(fused, tmp_path / "int8.onnx", cpu_flags=cpu_flags)
    weights_at = {"MatMulInteger": (1,), "QAttention": (1,), "DynamicQuantizeLSTM": (1, 2)}
    multiplied = {
        node.input[place]
        for node in onnx.load(tmp_path / "int8.onnx").graph.node
        for place in weights_at.get(node.op_type, ())
    }
    tensors = _tensors(tmp_path / "int8.onnx")
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
    assert int8_dynamic.needs_reduced_range(cpu_flags) is expected
