"""Models of whoever made them: what is wrong with one is said in a line before it is timed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from export import tiny
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from distillery.errors import UserError
from distillery.measurements import Offline, Scenario
from distillery.runtimes.base import Card
from distillery.runtimes.opening import open_engine
from distillery.subjects import asking, checking, graphs
from distillery.subjects.asking import Asked
from distillery.subjects.examples import examples_for
from distillery.subjects.finding import find

pytestmark = pytest.mark.usefixtures("storage_root")

_ROWS = 30


def _graph(
    path: Path,
    *,
    shape: Sequence[str | int] = ("B", "S"),
    inputs: Sequence[str] = ("input_ids",),
    dtype: int = TensorProto.INT64,
    operator: str = "MatMul",
    external: bool = False,
) -> Path:
    """Two numbers from the mean of the tokens' embeddings."""
    nodes = [
        helper.make_node("Identity", ["input_ids"], ["ids"]),
        helper.make_node("Gather", ["table", "ids"], ["embedded"]),
        helper.make_node("ReduceMean", ["embedded", "axes"], ["mean"], keepdims=0),
        helper.make_node(operator, ["mean", "weight"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info(name, dtype, list(shape)) for name in inputs],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [shape[0], 2])],
        [
            numpy_helper.from_array(np.ones((_ROWS, 8), dtype=np.float32), "table"),
            numpy_helper.from_array(np.array([1]), "axes"),
            numpy_helper.from_array(np.ones((8, 2), dtype=np.float32), "weight"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(
        model, path, save_as_external_data=external, location="weights.bin", size_threshold=100
    )
    return path


def _tokenizer(folder: Path, *, ids: int = 3) -> None:
    words = {"[UNK]": 0, "[PAD]": 1} | {f"w{i}": i for i in range(2, ids)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def _ready(
    *models: Path | str, tokens: int = 6, targets: Sequence[str] = ("cpu",), **scenario: Any
) -> checking.Ready:
    return checking.ready(
        Asked(
            models=tuple(map(str, models)),
            targets=asking.targets(targets),
            scenario=Scenario(**scenario),
            tokens=tokens,
        )
    )


def _refusal(*models: Path | str, **asked: Any) -> str:
    with pytest.raises(UserError) as refused:
        _ready(*models, **asked)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_without_a_tokenizer_it_is_asked_random_ids_that_it_knows(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx", inputs=("input_ids", "attention_mask"))
    found = _ready(path)
    assert found.examples_are == "random ids of 6 tokens"
    (subject,) = found.subjects
    assert (subject.runtime, subject.vocabulary) == ("onnx_file", _ROWS)
    assert subject.size_bytes == path.stat().st_size
    examples, _ = examples_for([subject], None, seed=0)
    ids = [[int(word) for word in str(example).split()] for example in examples]
    assert {len(row) for row in ids} == {6}
    assert {token for row in ids for token in row} == set(range(_ROWS))
    engine = open_engine(subject.folder, subject.runtime, threads=1)
    assert engine.encode(examples[:2])["input_ids"].tolist() == ids[:2]
    # ones all the way: each embedding's mean is 1, and eight of them are summed
    assert engine.logits(engine.encode(examples[:2])).tolist() == [[8, 8], [8, 8]]


def test_with_a_tokenizer_it_is_asked_texts(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx", dtype=TensorProto.INT32)
    _tokenizer(tmp_path)
    found = _ready(path, tokens=3)
    assert found.examples_are.startswith("the quickstart's")
    (subject,) = found.subjects
    assert (subject.card.max_length, subject.card.pad_token_id) == (3, 1)
    engine = open_engine(subject.folder, subject.runtime, threads=1)
    encoded = engine.encode(["w2", "w2 w2 w2 w2 w2"])
    assert encoded["input_ids"].tolist() == [[2, 1, 1], [2, 2, 2]]


def test_weights_in_a_file_beside_it(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx", external=True)
    (subject,) = _ready(path).subjects
    weights = tmp_path / "weights.bin"
    assert subject.size_bytes == path.stat().st_size + weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "weights.bin is cut short" in _refusal(path)
    weights.unlink()
    assert "keeps weights in 'weights.bin', which is not beside it" in _refusal(path)


@pytest.mark.parametrize(
    ("location", "offset", "complaint"),
    [
        ("weights.bin", "x", "does not say where in weights.bin 'table' lies"),
        ("../weights.bin", "0", "keeps weights in '../weights.bin', which is not beside it"),
        ("/etc/hostname", "0", "keeps weights in '/etc/hostname', which is not beside it"),
    ],
)
def test_weights_that_are_said_to_lie_elsewhere(
    tmp_path: Path, location: str, offset: str, complaint: str
) -> None:
    path = _graph(tmp_path / "inner" / "model.onnx", external=True)
    (tmp_path / "weights.bin").write_bytes(bytes(10_000))
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = {"location": location, "offset": offset}.get(entry.key, entry.value)
    path.write_bytes(model.SerializeToString())
    assert complaint in _refusal(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"opset": 99}, "cannot be opened: .*Opset 99 is under development"),
        ({"output": "nowhere"}, "cannot be opened: .*nowhere"),
        ({"weight": 9}, "cannot be opened: .*MatMul"),
        ({"name": b"\xff"}, "cannot be (opened|read)"),
    ],
)
def test_a_graph_that_contradicts_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], change: dict[str, Any], complaint: str
) -> None:
    path = _graph(tmp_path / "model.onnx")
    model = onnx.load(path)
    if "opset" in change:
        model.opset_import[0].version = change["opset"]
    if "output" in change:
        model.graph.output[0].name = change["output"]
    if "weight" in change:
        weight = numpy_helper.from_array(np.ones((change["weight"], 2), dtype=np.float32), "weight")
        model.graph.initializer[2].CopyFrom(weight)
    data = model.SerializeToString()
    if "name" in change:
        data = data.replace(b"ReduceMean", b"ReduceMea" + change["name"])
    path.write_bytes(data)
    with pytest.raises(UserError, match=complaint) as refused:
        _ready(path)
    assert "\n" not in str(refused.value)
    assert "EP Error" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_short(tmp_path: Path, share: float) -> None:
    path = _graph(tmp_path / "model.onnx")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "model.onnx" in _refusal(path)


def test_a_graph_of_fixed_shapes_is_measured_in_these_alone(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx", shape=(1, 4))
    assert graphs.inspect(path).batch == 1
    assert "fixed to batches of 1, and the scenario asks for 1, 32" in _refusal(path)
    one = Offline(batch_sizes=(1,))
    assert "fixed to 4 tokens" in _refusal(path, offline=one)
    found = _ready(path, offline=one, paddings=("max_length",))
    assert found.examples_are == "random ids of 4 tokens", "whatever was asked for"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"this is no graph", "cannot be read as ONNX"), (b"", "holds no operators")],
)
def test_a_corrupt_file(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert complaint in _refusal(path)


@pytest.mark.parametrize(
    ("graph", "complaint"),
    [
        ({"inputs": ("input_ids", "pixels")}, "takes 'pixels'; a graph that is not distillery's"),
        ({"operator": "Abracadabra"}, "cannot be opened: .*Abracadabra"),
        ({"shape": ("B", "S", 3)}, "'input_ids' is int64 of 3 dimensions"),
        ({"dtype": TensorProto.FLOAT}, "'input_ids' is float of 2 dimensions"),
    ],
)
def test_a_graph_that_cannot_be_asked(
    tmp_path: Path, graph: dict[str, Any], complaint: str
) -> None:
    path = _graph(tmp_path / "model.onnx", **graph)
    with pytest.raises(UserError, match=complaint):
        _ready(path)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx")
    _tokenizer(tmp_path, ids=_ROWS)
    _ready(path)
    _tokenizer(tmp_path, ids=_ROWS + 1)
    assert "token ids up to 30, and the embedding table of model.onnx has 30 rows" in _refusal(path)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert "tokenizer.json is no tokenizer" in _refusal(path)


def test_a_tokenizer_of_another_model_beside_a_table_of_few_bits(tmp_path: Path) -> None:
    """Which a session would read beyond its end."""
    path = tmp_path / "model.onnx"
    onnx.save(
        helper.make_model(
            helper.make_graph(
                [
                    helper.make_node(
                        "GatherBlockQuantized",
                        ["table", "input_ids", "scales"],
                        ["embedded"],
                        domain="com.microsoft",
                        bits=4,
                        block_size=16,
                        gather_axis=0,
                        quantize_axis=1,
                    ),
                    helper.make_node("ReduceMean", ["embedded", "axes"], ["mean"], keepdims=0),
                ],
                "few-bits",
                [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "S"])],
                [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["B", 16])],
                [
                    numpy_helper.from_array(np.zeros((_ROWS, 8), dtype=np.uint8), "table"),
                    numpy_helper.from_array(np.ones((_ROWS, 1), dtype=np.float32), "scales"),
                    numpy_helper.from_array(np.array([1]), "axes"),
                ],
            ),
            opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)],
            ir_version=10,
        ),
        path,
    )
    _tokenizer(tmp_path, ids=_ROWS)
    _ready(path)
    _tokenizer(tmp_path, ids=_ROWS + 1)
    assert "token ids up to 30, and the embedding table of model.onnx has 30 rows" in _refusal(path)


def test_a_graph_whose_shape_hides_a_constant(tmp_path: Path) -> None:
    """Its axes are free by name, but it was traced with a batch of one."""
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["ids", "shape"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "traced",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "S"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["B", "S"])],
        [numpy_helper.from_array(np.array([1, 6]), "shape")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    assert "cannot answer a batch of 32" in _refusal(tmp_path / "model.onnx")


def test_models_that_take_different_inputs_are_not_compared(tmp_path: Path) -> None:
    theirs = _graph(tmp_path / "theirs" / "model.onnx")
    other = _graph(tmp_path / "other" / "model.onnx")
    _tokenizer(other.parent)
    assert "benchmark them apart" in _refusal(theirs, other)
    assert "is named twice" in _refusal(theirs, theirs)


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    checking.check_report(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write the report to .*/file: File exists"):
        checking.check_report(tmp_path / "file")


def test_texts_of_a_file(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx")
    _tokenizer(tmp_path)
    subject = find(str(path), tokens=6)
    texts = tmp_path / "texts.txt"
    texts.write_text("w2 w2\n\nw2\n")
    assert examples_for([subject], texts, seed=0)[0] == ["w2 w2", "w2"]
    for content, complaint in ((b"\n \n", "holds no text"), (b"\xff\xfe", "it is not UTF-8")):
        texts.write_bytes(content)
        with pytest.raises(UserError, match=complaint):
            examples_for([subject], texts, seed=0)
    texts.unlink()
    with pytest.raises(UserError, match="cannot read the texts"):
        examples_for([subject], texts, seed=0)


def test_pairs_are_apart_by_a_tab(tmp_path: Path) -> None:
    card = Card(name="p", label_names=("x",), max_length=6, is_pair=True, pad_token_id=0)
    card.write(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not looked at")
    subject = find(str(tmp_path), tokens=6)
    texts = tmp_path / "texts.txt"
    texts.write_text("one\tother\n")
    assert examples_for([subject], texts, seed=0)[0] == [("one", "other")]
    texts.write_text("one\tother\nalone\n")
    with pytest.raises(UserError, match="line 2: no tab"):
        examples_for([subject], texts, seed=0)


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("nowhere.onnx", "no model 'nowhere.onnx'; give models:/NAME@champion"),
        ("models:/nobody@champion", "no registered model 'models:/nobody@champion'"),
        ("models:/nobody/3", "no registered model"),
        ("models:/nobody", "no registered model"),
        ("tests", "holds no candidate.json"),
    ],
)
def test_no_such_model(model: str, complaint: str) -> None:
    assert complaint in _refusal(model)


_no_cuda = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this onnxruntime is a build with CUDA",
)


@_no_cuda
def test_a_target_that_is_not_here_is_skipped_and_the_others_are_measured(tmp_path: Path) -> None:
    one, other = (_graph(tmp_path / name / "model.onnx") for name in ("one", "other"))
    found = _ready(one, other, targets=("cuda", "cpu"))
    cuda, cpu = asking.targets(("cuda", "cpu"))
    assert (found.on(cuda), found.on(cpu)) == ([], list(found.subjects))
    (skipped,) = found.skipped
    assert skipped.line.startswith(f"{one}, {other} cannot run on cuda: onnxruntime ")
    assert skipped.line.endswith("install onnxruntime-gpu in its place")


@_no_cuda
def test_where_nothing_can_run_there_is_no_benchmark(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx")
    assert f"{path} cannot run on cuda: onnxruntime" in _refusal(path, targets=("cuda",))


def test_eager_and_compiled_beside_each_other(tmp_path: Path) -> None:
    tiny.save_checkpoint(tmp_path, "distilbert")
    Card(
        name="teacher", label_names=tiny.LABELS, max_length=12, is_pair=False, pad_token_id=0
    ).write(tmp_path)
    compiled = f"compiled:{tmp_path}"
    eager, other = _ready(tmp_path, compiled, offline=Offline(batch_sizes=(2,))).subjects
    assert (eager.runtime, other.runtime) == ("pytorch", "pytorch_compiled")
    assert (eager.name, other.name) == (str(tmp_path), compiled)
    assert (eager.digest, eager.folder) == (other.digest, other.folder)


def test_only_pytorch_is_compiled(tmp_path: Path) -> None:
    path = _graph(tmp_path / "model.onnx")
    assert "holds no PyTorch model, and compiled: is torch.compile's" in _refusal(
        f"compiled:{path}"
    )
    assert "no model 'nowhere'" in _refusal("compiled:nowhere")
