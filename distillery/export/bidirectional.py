"""The two LSTMs of a ``BiLstm``, traced one by one, as one bidirectional operator.

PyTorch's module has a direction a text each, since packed sequences are not exported, and reverses
the ids for the second one. ONNX's LSTM reads both ways itself, given each row's length, and ONNX
Runtime runs the directions side by side.
"""

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

# S sequence, B batch, H hidden size


def merge(graph: onnx.GraphProto) -> bool:
    """Rewrite in place; False where there is nothing of the kind. What is left over is not removed.

    Exact: each direction's last state is what the trace gathers at each row's last step.
    """
    maker = {name: node for node in graph.node for name in node.output}
    joined = next((node for node in graph.node if len(_read_by(node, maker)) == 2), None)
    if joined is None:
        return False
    forwards, backwards = _read_by(joined, maker)
    last = _last_step(maker[joined.input[0]], maker)  # (B,), int64
    if last is None or not _reverses(backwards, maker) or _reverses(forwards, maker):
        return False

    tensors = {tensor.name: tensor for tensor in graph.initializer}
    hidden_size = next(field.i for field in forwards.attribute if field.name == "hidden_size")
    weights = [f"both_directions_{part}" for part in ("W", "R", "B")]
    for name, one, other in zip(weights, forwards.input[1:4], backwards.input[1:4], strict=True):
        both = [numpy_helper.to_array(tensors[part]) for part in (one, other)]
        graph.initializer.append(numpy_helper.from_array(np.concatenate(both), name))
    for name, values in (("one_step", [1]), ("both_states", [-1, 2 * hidden_size])):
        array = np.array(values, dtype=np.int64)
        graph.initializer.append(numpy_helper.from_array(array, name))
    nodes = [
        helper.make_node("Add", [last, "one_step"], ["lengths"]),
        helper.make_node("Cast", ["lengths"], ["lengths_int32"], to=onnx.TensorProto.INT32),
        helper.make_node(
            "LSTM",
            [forwards.input[0], *weights, "lengths_int32"],
            ["", "last_states"],  # (2, B, H)
            name="both_directions",
            direction="bidirectional",
            hidden_size=hidden_size,
        ),
        helper.make_node("Transpose", ["last_states"], ["last_states_by_row"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["last_states_by_row", "both_states"], list(joined.output)),
    ]
    rest = list(graph.node)
    place = rest.index(joined)
    rest[place : place + 1] = nodes
    del graph.node[:]
    graph.node.extend(rest)
    return True


def _read_by(node: NodeProto, maker: dict[str, NodeProto]) -> list[NodeProto]:
    """The LSTMs whose last states a Concat joins, in order."""
    if node.op_type != "Concat" or len(node.input) != 2:
        return []
    found = []
    for name in node.input:
        one = maker.get(name)
        for wanted in ("Gather", "GatherElements", "Squeeze", "LSTM"):
            if one is None or one.op_type != wanted:
                return []
            if wanted != "LSTM":
                one = maker.get(one.input[0])
            else:
                found.append(one)
    return found


def _last_step(taken: NodeProto, maker: dict[str, NodeProto]) -> str | None:
    """Each row's last step, by which the trace gathers states: expanded, and reshaped before."""
    one: NodeProto | None = maker[taken.input[0]]
    name = one.input[1] if one is not None else ""
    for wanted in ("Expand", "Reshape"):
        one = maker.get(name)
        if one is None or one.op_type != wanted:
            return None
        name = one.input[0]
    return name


def _reverses(lstm: NodeProto, maker: dict[str, NodeProto]) -> bool:
    """Whether its ids were gathered in another order."""
    name = lstm.input[0]
    for wanted in ("Gather", "Transpose"):
        one = maker.get(name)
        if one is None or one.op_type != wanted:
            return False
        name = one.input[1] if wanted == "Gather" else one.input[0]
    return maker[name].op_type == "GatherElements" if name in maker else False
