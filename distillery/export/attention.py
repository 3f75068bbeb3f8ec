"""ONNX Runtime's fused attention in its parts."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

_PARTS = ("query", "key", "value")


def taken_apart(
    attention: onnx.NodeProto, graph: onnx.GraphProto, *, asking: str | None = None
) -> list[onnx.NodeProto]:
    """What stands for an Attention operator: three products, their biases, MultiHeadAttention.

    The tokens ``asking`` (B, Q, H) make the queries, or all tokens do. The packed weights
    (H, 3 · H) and biases (3 · H) are taken out of the graph, their parts put in; the nodes are the
    caller's to place.
    """
    hidden, *packed = attention.input[:3]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    weights, biases = (
        np.split(numpy_helper.to_array(constants[name]), len(_PARTS), axis=-1) for name in packed
    )
    for name in packed:
        graph.initializer.remove(constants[name])
    nodes = []
    names = [f"{attention.name}_{part}" for part in _PARTS]
    for name, read, weight, bias in zip(
        names, (asking or hidden, hidden, hidden), weights, biases, strict=True
    ):
        stored = {f"{name}_weight": np.ascontiguousarray(weight), f"{name}_bias": bias}
        graph.initializer.extend(numpy_helper.from_array(one, n) for n, one in stored.items())
        product = f"{name}_product"
        nodes += [
            helper.make_node("MatMul", [read, f"{name}_weight"], [product], name=product),
            helper.make_node("Add", [product, f"{name}_bias"], [name], name=name),
        ]
    heads = helper.make_node(
        "MultiHeadAttention",
        [*names, "", *attention.input[3:4]],
        list(attention.output),
        name=attention.name,
        domain=attention.domain,
    )
    heads.attribute.extend(attention.attribute)
    return [*nodes, heads]
