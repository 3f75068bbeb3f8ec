"""Fuse the exported graph's attention, layer norms and activations into ONNX Runtime's own.

Only hardware-independent rewrites (constant folding and pattern fusion) are stored; those that
depend on the CPU happen when a session opens the graph on the CPU it runs on.

Not all that can be fused is the faster for it. Layer norms stay apart from the sums before them,
since SkipLayerNormalization's CPU kernel is slow: on 12 tokens of width 384 it takes 18.8 µs, Sum
and LayerNormalization together 3.0 (one thread of an AVX-512 CPU, onnxruntime 1.31.1;
``benchmarks/layer_norm.py``). In int8 that takes 26 % off the latency of MiniLM's 6 layers, and
31 % off a batch of 32. Biases stay with their products, whose int8 kernel adds them on the way.

Besides, the last layer is left to compute the first token alone, since a classifier's head reads
no other. Seen on 12-token requests: 27 % off a 2-layer student's latency in fp32, 25 % in int8.
"""

import logging
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from distillery.export import bidirectional, saving

log = logging.getLogger(__name__)

FIRST_ONLY = "FirstTokenOnly"
"""The count of last layers that compute the first token alone: 1, or left out."""

BOTH_DIRECTIONS = "BidirectionalLSTM"
"""The count of operators that read both ways."""

RESIDUAL_SUM = "ResidualSum"
"""The count of sums kept apart from the layer norm after them: two a layer, or more."""

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


class FusionError(Exception):
    """The graph was not recognized. It would run, and be right, but slowly: that must be loud."""


def fuse(
    onnx_path: Path, out_path: Path, *, heads: int, hidden_size: int, layers: int
) -> dict[str, int]:
    """Write the fused graph; returns how many operators of each fused kind it has, not zero.

    The model type "bert" also covers RoBERTa, ELECTRA and DistilBERT, whose layers are the same;
    tests/export/test_fusion.py holds the counts for each. Its mask format (a length per row)
    requires padding on the right, which is how ``TextEncoder`` pads.

    A model of another kind has 0 ``layers`` (and ``heads``); its constants are folded all the same.

    Raises ``FusionError`` where not every layer's attention was fused.
    """
    fused = optimizer.optimize_model(
        str(onnx_path),
        model_type="bert",
        num_heads=heads,
        hidden_size=hidden_size if heads else 0,  # it asks for both or neither
        optimization_options=_options(),
        opt_level=1,  # constant folding; 2 and more write what suits this CPU alone
    )
    counts = {name: count for name, count in fused.get_fused_operator_statistics().items() if count}
    if counts.get("Attention", 0) != layers:
        raise FusionError(
            f"fused {counts.get('Attention', 0)} attention operators of {layers} layers "
            f"(all fused operators: {counts or 'none'}); the graph must come from eager attention "
            "and the tracing exporter"
        )
    lstms = [node.name for node in fused.model.graph.node if node.op_type == "LSTM"]
    if lstms:
        if not bidirectional.merge(fused.model.graph):
            raise FusionError(f"the LSTMs {', '.join(lstms)} were not recognized as two directions")
        fused.prune_graph()
        counts[BOTH_DIRECTIONS] = 1
    if sums := _residuals_as_sums(fused.model.graph):
        counts[RESIDUAL_SUM] = sums
    if layers and _keep_first_token(fused.model.graph):
        counts[FIRST_ONLY] = 1
    saving.save(fused.model, out_path)
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    log.info("fused %s", kinds or "nothing")
    return counts


def _options() -> FusionOptions:
    """All of BERT's, but those that the module's docstring names as slower."""
    options = FusionOptions("bert")
    options.enable_skip_layer_norm = False
    options.enable_bias_skip_layer_norm = False
    options.enable_bias_gelu = False
    # its tables could not be stored in blocks (tables.py), and it is no faster than its parts
    options.enable_embed_layer_norm = False
    return options


def _residuals_as_sums(graph: onnx.GraphProto) -> int:
    """Write what is added before a layer norm as Sum, and say how many there were.

    A session opening the graph would fuse Add and LayerNormalization after all; of Sum, which is
    as fast as Add, it knows no such pattern.
    """
    constants = {tensor.name for tensor in graph.initializer}
    normalized = {node.input[0] for node in graph.node if node.op_type == "LayerNormalization"}
    residuals = [
        node
        for node in graph.node
        if node.op_type == "Add" and node.output[0] in normalized and not constants & {*node.input}
    ]
    for node in residuals:
        node.op_type = "Sum"
    return len(residuals)


def _keep_first_token(graph: onnx.GraphProto) -> bool:
    """After the last attention, drop every token but the first; exact, as what follows shows.

    Nothing is changed (and the answer is False) unless each operator between the last attention
    and the head's ``hidden[:, 0]`` works token by token, with the residual as its only other
    input: pooling over all tokens, for one, is none of that.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    takers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            takers.setdefault(name, []).append(node)
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
    index = onnx.numpy_helper.from_array(np.zeros(1, dtype=np.int64), "first_token")
    graph.initializer.append(index)
    kept = {name: f"{name}_first_token" for name in (attended, residual)}  # (B, S, H) → (B, 1, H)
    for node in between:
        for i, name in enumerate(node.input):
            node.input[i] = kept.get(name, name)
    nodes = list(graph.node)
    place = next(i for i, node in enumerate(nodes) if node.name == attention.name) + 1
    nodes[place:place] = [
        onnx.helper.make_node("Gather", [name, index.name], [first], name=first, axis=1)
        for name, first in kept.items()
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # the shapes after the attention are others now
    return True


def _takes_first_token(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Whether it is ``hidden[:, 0]``."""
    if node.op_type != "Gather" or node.input[1] not in constants:
        return False
    axis = next((field.i for field in node.attribute if field.name == "axis"), 0)
    index = onnx.numpy_helper.to_array(constants[node.input[1]])
    return axis == 1 and index.size == 1 and not index.any()
