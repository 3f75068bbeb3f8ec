"""ONNX Runtime on a GPU: it runs there, or says in a line what is missing."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from distillery.errors import RuntimeUnavailableError
from distillery.runtimes.base import Card
from distillery.runtimes.onnx_cuda_session import work_on_cpu
from distillery.runtimes.onnx_session import session_options
from distillery.runtimes.opening import open_engine

_TEXTS = ["one", "one two", "two two one"]

has_provider = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One logit: the sum of the tokens' ids, as many times as there are tokens."""
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["ids", "axes"], ["sum"], keepdims=1),
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "axes"], ["length"]),
        helper.make_node("Cast", ["length"], ["times"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["sum", "weight"], ["product"]),
        helper.make_node("Mul", ["product", "times"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "S"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 1])],
        [
            numpy_helper.from_array(np.array([1]), "axes"),
            numpy_helper.from_array(np.ones((1, 1), dtype=np.float32), "weight"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    tokenizer = Tokenizer(WordLevel({"[PAD]": 0, "one": 1, "two": 2}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    Card(name="sums", label_names=("score",), max_length=8, is_pair=False, pad_token_id=0).write(
        tmp_path
    )
    (tmp_path / "graph.json").write_text(json.dumps({"path": str(tmp_path / "model.onnx")}))
    return tmp_path


def test_work_on_the_cpu_is_told_and_shapes_are_not(folder: Path) -> None:
    options = session_options(1)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    assert work_on_cpu(session) == ["MatMul"]


@pytest.mark.skipif(has_provider, reason="this onnxruntime is a build with CUDA")
@pytest.mark.parametrize("runtime", ["onnxruntime", "onnx_file"])
def test_a_build_without_cuda_says_so_and_does_not_run_on_the_cpu(
    folder: Path, runtime: str
) -> None:
    with pytest.raises(RuntimeUnavailableError, match="install onnxruntime-gpu") as refused:
        open_engine(folder, runtime, device="cuda")
    assert "without CUDAExecutionProvider" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(not has_provider, reason="this onnxruntime is a build without CUDA")
@pytest.mark.parametrize("runtime", ["onnxruntime", "onnx_file"])
def test_on_a_gpu_it_answers_as_on_the_cpu(folder: Path, runtime: str) -> None:
    try:
        engine = open_engine(folder, runtime, device="cuda", threads=1)
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    # padded with 0 to three tokens: 1 · 3, (1 + 2) · 3, 5 · 3
    assert engine.logits(engine.encode(_TEXTS)).tolist() == [[3], [9], [15]]
