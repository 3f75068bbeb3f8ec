"""Tables take fewer bits, and unseen tokens share rows; seen ones keep their own."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from distillery.export import blockwise, tables
from distillery.export.quantization.base import Tables

from . import tiny
from .conftest import Made

V, E = 400, 32


def _model(table: NDArray[np.float32]) -> onnx.ModelProto:
    """Rows looked up by ``input_ids``, reversed first as a recurrent model does."""
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["input_ids"], ["turned"], perm=[1, 0]),
            helper.make_node("Gather", ["words", "turned"], ["rows"], name="look_up"),
        ],
        "words",
        [helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["B", "S"])],
        [helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(table, "words")],
    )
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _rows(model: onnx.ModelProto, ids: list[int]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: NDArray[np.float32] = session.run(None, {"input_ids": np.array([ids])})[0]
    return found[:, 0]


@pytest.fixture(scope="module")
def table() -> NDArray[np.float32]:
    """Sixteen clouds of rows; a token's cloud is its id modulo 16."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(16, E))
    cloud: NDArray[np.float32] = (
        centres[np.arange(V) % 16] + rng.normal(scale=0.01, size=(V, E))
    ).astype(np.float32)
    return cloud


def test_each_row_alone(table: NDArray[np.float32]) -> None:
    model = _model(table)
    assert tables.compress(model.graph, Tables(bits=8), ()) == 1
    ids = [0, 17, V - 1]
    expected = blockwise.quantized(table, 8, 32).values[ids]
    np.testing.assert_allclose(_rows(model, ids), expected, atol=1e-6)
    assert "words" not in {tensor.name for tensor in model.graph.initializer}


def test_unseen_tokens_share_the_row_of_near_ones(table: NDArray[np.float32]) -> None:
    model = _model(table)
    seen = set(range(0, V, 5))
    tables.compress(model.graph, Tables(bits=8, shared_rows=64), seen)
    rows = _rows(model, list(range(V)))
    for token in seen:
        np.testing.assert_allclose(rows[token], table[token], atol=0.03)
    unseen = [token for token in range(V) if token not in seen]
    assert len(np.unique(rows[unseen], axis=0)) <= 64
    # near: within a cloud tokens are .01 apart, clouds about 8
    far = np.linalg.norm(rows[unseen] - table[unseen], axis=1)
    assert np.median(far) < 0.3
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    assert stored["words_numbers"].dims[0] == len(seen) + 64


def test_where_few_are_unseen_each_keeps_its_own(table: NDArray[np.float32]) -> None:
    shared, alone = _model(table), _model(table)
    tables.compress(shared.graph, Tables(shared_rows=16), set(range(V - 10)))
    tables.compress(alone.graph, Tables(), ())
    np.testing.assert_array_equal(_rows(shared, [V - 1, V - 2]), _rows(alone, [V - 1, V - 2]))


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_positions_are_not_taken_for_words(architecture: str, made: Made) -> None:
    """RoBERTa counts them from its ids."""
    model = onnx.load(made(architecture) / "fused.onnx")
    positions = next(t.dims[0] for t in model.graph.initializer if "position_embeddings" in t.name)
    tables.compress(model.graph, Tables(shared_rows=16), {0, 1, 2, 3, 4})
    stored = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    words = next(name for name in stored if "word_embeddings" in name and "numbers" in name)
    kept = next(name for name in stored if "position_embeddings" in name and "numbers" in name)
    assert stored[words][0] == 5 + 16 if len(tiny.VOCABULARY) - 5 > 16 else len(tiny.VOCABULARY)
    assert stored[kept][0] == positions
