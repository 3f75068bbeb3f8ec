"""How graphs are written."""

from pathlib import Path

import onnx


def save(model: onnx.ModelProto, path: Path) -> None:
    """Equal graphs give equal bytes; nothing of where they were made is in them."""
    model.doc_string = ""
    model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""  # source paths, where the exporter was verbose
    del model.metadata_props[:]
    # map fields and unknown orders aside, protobuf's bytes follow the message
    path.write_bytes(model.SerializeToString(deterministic=True))
