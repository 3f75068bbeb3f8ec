"""Numbers in blocks, by hand and by what ONNX Runtime reads of them."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import helper, numpy_helper

from distillery.export import blockwise
from distillery.export.blockwise import Bits

_MATRICES = arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 40)),
    elements=st.floats(-100, 100, width=32),
)


def test_by_hand() -> None:
    """Range -1 to 2 in 15 steps of .2; zero is the fifth."""
    matrix = np.zeros((1, 16), dtype=np.float32)
    matrix[0, :3] = -1, 2, 0.4
    found = blockwise.quantized(matrix, 4, 16)
    assert found.scales[0, 0] == pytest.approx(0.2)
    assert found.zero_points.tolist() == [[5]]
    assert found.numbers[0, :4].tolist() == [0, 15, 7, 5]
    # the first of two numbers is the low half of their byte
    assert blockwise.packed(found.numbers, 4)[0, :2].tolist() == [0 + 15 * 16, 7 + 5 * 16]


@given(matrix=_MATRICES, bits=st.sampled_from([4, 8]), size=st.sampled_from([16, 32]))
def test_no_number_moves_by_more_than_a_step(matrix: np.ndarray, bits: Bits, size: int) -> None:
    """Half a step for rounding the number, half for rounding the zero point."""
    found = blockwise.quantized(matrix, bits, size)
    steps = np.repeat(found.scales, size, axis=1)[:, : matrix.shape[1]]
    assert found.values.shape == matrix.shape
    assert (np.abs(found.values - matrix) <= steps * (1 + 1e-3)).all()
    assert (found.values[matrix == 0] == 0).all()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("width", [16, 24, 48, 96])
def test_onnx_runtime_reads_the_same_values(bits: Bits, width: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(7, width)).astype(np.float32)
    size = blockwise.block_size(width, 32)
    found = blockwise.quantized(matrix, bits, size)
    parts: dict[str, np.ndarray] = {
        "numbers": blockwise.packed(found.numbers[:, :width], bits),
        "scales": found.scales,
        "zero_points": blockwise.packed(found.zero_points, bits),
    }
    node = helper.make_node(
        "GatherBlockQuantized",
        ["numbers", "ids", "scales", "zero_points"],
        ["values"],
        domain="com.microsoft",
        gather_axis=0,
        quantize_axis=1,
        block_size=size,
        bits=bits,
    )
    graph = helper.make_graph(
        [node],
        "lookup",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [None])],
        [helper.make_tensor_value_info("values", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in parts.items()],
    )
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (read,) = session.run(None, {"ids": np.array([6, 0, 3])})
    np.testing.assert_allclose(read, found.values[[6, 0, 3]], atol=1e-6)


@pytest.mark.parametrize(
    ("width", "largest", "expected"), [(384, 32, 32), (48, 32, 16), (24, 32, 16), (312, 128, 16)]
)
def test_block_sizes(width: int, largest: int, expected: int) -> None:
    assert blockwise.block_size(width, largest) == expected
