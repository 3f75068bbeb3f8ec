"""Fuse the exported graph's attention, layer norms and activations into ONNX Runtime's own.

Only hardware-independent rewrites (constant folding and pattern fusion) are stored; those that
depend on the CPU happen when a session opens the graph on the CPU it runs on.

Not all that can be fused is the faster for it. Layer norms stay apart from the sums before them,
since SkipLayerNormalization's CPU kernel is slow: on 12 tokens of width 384 it takes 18.8 µs, Sum
and LayerNormalization together 3.0 (one thread of an AVX-512 CPU, onnxruntime 1.31.1;
``benchmarks/operators.py``). In int8 that takes 26 % off the latency of MiniLM's 6 layers, and
31 % off a batch of 32. Biases stay with their products, whose int8 kernel adds them on the way.

Besides, the last layer is left to compute the first token alone (``first_token``).
"""

import logging
from pathlib import Path

import onnx
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from distillery.export import bidirectional, first_token, saving

log = logging.getLogger(__name__)

FIRST_ONLY = "FirstTokenOnly"
"""The count of last layers that compute the first token alone: 1, or left out."""

BOTH_DIRECTIONS = "BidirectionalLSTM"
"""The count of operators that read both ways."""

RESIDUAL_SUM = "ResidualSum"
"""The count of sums kept apart from the layer norm after them: two a layer, or more."""


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
    if layers and first_token.keep(fused.model.graph):
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
