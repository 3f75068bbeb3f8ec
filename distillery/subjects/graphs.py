"""An ONNX graph that is not ours: what it takes, and whether it is whole, before it is opened."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from distillery.errors import UserError

# B batch, S sequence

_TAKEN = ("input_ids", "attention_mask", "token_type_ids")
_TYPES = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
_LOOK_UPS = {"Gather", "GatherBlockQuantized"}
_THREE_LOOK_UPS = {"EmbedLayerNormalization", "QEmbedLayerNormalization"}
# what comes out holds the same numbers, or the same rows
_PASSES_ON = {"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear"}


@dataclass(frozen=True, kw_only=True)
class Graph:
    """What can be read off a graph without running it."""

    path: Path
    files: tuple[Path, ...]
    """The graph and the files that hold its weights."""
    size_bytes: int
    batch: int | None
    """The only B that it takes; None for any."""
    tokens: int | None
    """The only S that it takes; None for any."""
    vocabulary: int | None
    """Rows of the table that input_ids are looked up in; None where none was found."""


def inspect(path: Path) -> Graph:
    """Raises ``UserError`` where the file is no ONNX graph over token ids, or is not whole."""
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception as error:  # protobuf's errors have no common base
        raise UserError(
            f"{path} cannot be read as ONNX ({_first_line(error)}); export it again"
        ) from error
    if not graph.node:
        raise UserError(f"{path} is no ONNX model: it holds no operators; export it again")
    beside = _files_beside(path, graph)
    initializers = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initializers]
    shapes = [_shape(path, value) for value in inputs]
    return Graph(
        path=path.absolute(),
        files=(path, *sorted(beside)),
        size_bytes=path.stat().st_size + sum(file.stat().st_size for file in beside),
        batch=next((B for B, _ in shapes if B), None),
        tokens=next((S for _, S in shapes if S), None),
        vocabulary=_vocabulary(graph),
    )


def _shape(path: Path, value: Any) -> tuple[int, int]:
    """(B, S) of an input, 0 where it is free."""
    tensor = value.type.tensor_type
    if value.name not in _TAKEN:
        raise UserError(
            f"{path} takes '{value.name}'; a graph that is not distillery's may take "
            f"{', '.join(_TAKEN)} and nothing else: export it so"
        )
    sizes = [dimension.dim_value for dimension in tensor.shape.dim]
    if tensor.elem_type not in _TYPES or len(sizes) != 2:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise UserError(
            f"{path}: '{value.name}' is {kind} of {len(sizes)} dimensions; export it as int64 of "
            "(batch, sequence)"
        )
    return sizes[0], sizes[1]


def _files_beside(path: Path, graph: Any) -> set[Path]:
    """The files that hold weights of the graph, each as long as it must be."""
    found = set()
    for tensor in _tensors(graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}
        file = path.parent / where.get("location", "")
        is_beside = file.resolve().is_relative_to(path.parent.resolve())
        if not (is_beside and file.is_file()):
            raise UserError(
                f"{path} keeps weights in '{where.get('location', '')}', which is not beside it; "
                "copy that file there"
            )
        try:
            needed = int(where.get("offset", 0)) + int(where.get("length", 0))
        except ValueError as error:
            raise UserError(
                f"{path} does not say where in {file.name} '{tensor.name}' lies; export it again"
            ) from error
        if file.stat().st_size < needed:
            raise UserError(
                f"{file} is cut short: {path.name} needs {needed:,} bytes of it, and it has "
                f"{file.stat().st_size:,}; copy it again"
            )
        found.add(file)
    return found


def _tensors(graph: Any) -> Iterator[Any]:
    """All weights, those of branches and loops too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _tensors(inner)


def _vocabulary(graph: Any) -> int | None:
    """Followed from input_ids through whatever passes them on; nodes stand in running order."""
    rows = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
    ids = {"input_ids"}
    for node in graph.node:
        if node.op_type in _LOOK_UPS and node.input[1] in ids and node.input[0] in rows:
            return int(rows[node.input[0]])
        # ONNX Runtime's fusion of three lookups: input_ids, segment_ids, word_embedding, ...
        if node.op_type in _THREE_LOOK_UPS and node.input[0] in ids:
            return int(rows[node.input[2]]) if node.input[2] in rows else None
        if node.op_type in _PASSES_ON:
            if node.input[0] in ids:
                ids.update(node.output)
            elif node.input[0] in rows:
                rows[node.output[0]] = rows[node.input[0]]
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
