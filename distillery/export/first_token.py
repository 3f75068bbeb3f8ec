"""Leave the last layer to compute the first token alone, since a classifier's head reads no other.

Seen on 12-token requests: 27 % off a 2-layer student's latency in fp32, 25 % in int8. There the
last attention still computed every token's query, and what it attends to. With the first token's
alone that operator takes 36 µs instead of 43 for 11 tokens, 86 instead of 160 for 40, and 1.07 ms
instead of 1.82 for 32 rows of 16 (int8, width 384, one thread of an AVX-512 VNNI CPU).
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from distillery.export.attention import taken_apart

# each output token depends on the same input token alone
_TOKEN_WISE = {
    "Add",
    "FastGelu",
    "Gelu",
    "LayerNormalization",
    "MatMul",
    "Relu",
    "Sum",
}


def keep(graph: onnx.GraphProto) -> bool:
    """From the last attention on, drop every token but the first; exact, as what follows shows.

    Nothing is changed (and the answer is False) unless each operator between the last attention
    and the head's ``hidden[:, 0]`` works token by token, with the residual as its only other
    input: pooling over all tokens, for one, is none of that.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    attention = [node for node in graph.node if node.op_type == "Attention"][-1]
    attended = attention.output[0]

    between: list[onnx.NodeProto] = []
    inside = {attended}
    for node in graph.node:  # in topological order
        if not inside & set(node.input) or _takes_first_token(node, constants):
            continue
        if node.op_type not in _TOKEN_WISE:
            return False
        between.append(node)
        inside |= set(node.output)
    residuals = {
        name
        for node in between
        for name in node.input
        if name and name not in inside and name not in constants
    }
    outputs = {value.name for value in graph.output}
    if len(residuals) != 1 or not between or inside & outputs:
        return False

    (residual,) = residuals
    hidden = attention.input[0]
    index = numpy_helper.from_array(np.zeros(1, dtype=np.int64), "first_token")
    firsts = {name: f"{name}_first_token" for name in (hidden, residual)}  # (B, S, H) → (B, 1, H)
    for node in between:
        for i, name in enumerate(node.input):
            node.input[i] = firsts.get(name, name)
    place = list(graph.node).index(attention)
    nodes = [
        *graph.node[:place],
        *(
            helper.make_node("Gather", [name, index.name], [first], name=first, axis=1)
            for name, first in firsts.items()
        ),
        *taken_apart(attention, graph, asking=firsts[hidden]),
        *graph.node[place + 1 :],
    ]
    graph.initializer.append(index)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # the shapes from the attention on are others now
    return True


def _takes_first_token(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Whether it is ``hidden[:, 0]``."""
    if node.op_type != "Gather" or node.input[1] not in constants:
        return False
    axis = next((field.i for field in node.attribute if field.name == "axis"), 0)
    index = numpy_helper.to_array(constants[node.input[1]])
    return axis == 1 and index.size == 1 and not index.any()
