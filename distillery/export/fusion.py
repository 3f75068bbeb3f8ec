"""Fuse the exported graph's attention, layer norms and activations into ONNX Runtime's own.

Only hardware-independent rewrites (constant folding and pattern fusion) are stored; those that
depend on the CPU happen when a session opens the graph on the CPU it runs on.
"""

import logging
from pathlib import Path

import onnx
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

log = logging.getLogger(__name__)


class FusionError(Exception):
    """The graph was not recognized. It would run, and be right, but slowly: that must be loud."""


def fuse(
    onnx_path: Path, out_path: Path, *, heads: int, hidden_size: int, layers: int
) -> dict[str, int]:
    """Write the fused graph; returns how many operators of each fused kind it has.

    The model type "bert" also covers RoBERTa, ELECTRA and DistilBERT, whose layers are the same;
    tests/export/test_fusion.py holds the counts for each. Its mask format (a length per row)
    requires padding on the right, which is how ``TextEncoder`` pads.

    Raises ``FusionError`` where not every layer's attention was fused.
    """
    fused = optimizer.optimize_model(
        str(onnx_path),
        model_type="bert",
        num_heads=heads,
        hidden_size=hidden_size,
        optimization_options=FusionOptions("bert"),
        opt_level=1,  # constant folding; 2 and more write what suits this CPU alone
    )
    counts = {name: count for name, count in fused.get_fused_operator_statistics().items() if count}
    if counts.get("Attention", 0) != layers:
        raise FusionError(
            f"fused {counts.get('Attention', 0)} attention operators of {layers} layers "
            f"(all fused operators: {counts or 'none'}); the graph must come from eager attention "
            "and the tracing exporter"
        )
    _save(fused.model, out_path)
    log.info("fused %s", ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    return counts


def _save(model: onnx.ModelProto, path: Path) -> None:
    """Equal graphs give equal bytes."""
    model.doc_string = ""
    model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""  # source paths, where the exporter was verbose
    del model.metadata_props[:]
    # map fields and unknown orders aside, protobuf's bytes follow the message
    path.write_bytes(model.SerializeToString(deterministic=True))
