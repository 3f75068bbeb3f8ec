"""Embedding tables made small: fewer bits, and fewer rows. On a small student they are most of the
file.

Seen on CLINC150, MiniLM of 6 layers, int8 products, over all 5,500 test rows (fp32: 88.02 %):

    8 bits a table, one scale           22.9 MB   88.15 %   1.6 % flips   ONNX Runtime's own
    4 bits, a scale each 32 numbers     18.6 MB   88.16 %   1.4 %
    …, 512 rows shared by unseen words  12.2 MB   88.33 %                 in fp32, not in int8

The 25,115 tokens that the training texts never show (of 30,522) have not been fine-tuned: their
rows are still the pre-trained ones, of which near ones stand for near meanings. Where those share
rows by k-means, nothing is lost that the task could have learned; a nearest *seen* row costs .7
points, and a vocabulary trimmed after training, whose unseen words fall into pieces, 2.2.
"""

import logging
from collections.abc import Collection

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from distillery.export import blockwise
from distillery.export.quantization.base import Tables

log = logging.getLogger(__name__)

# V rows, E embedding size

_FEWEST_ROWS = 8  # a table of two token types is not worth an operator
_LARGEST_BLOCK = 32
_DOMAIN = "com.microsoft"
_MOVING = {"Cast", "Concat", "GatherElements", "Reshape", "Slice", "Squeeze", "Transpose"}
_MOVING |= {"Unsqueeze", "Where"}


def compress(graph: onnx.GraphProto, tables: Tables, seen: Collection[int]) -> int:
    """Rewrite in place each Gather from a table of floats; how many there were.

    ``seen`` are the token ids that the training texts show: with ``shared_rows`` all others of the
    table that ``input_ids`` are looked up in share rows. ``quantize`` must come after, since it
    knows no such tables.
    """
    stored = {tensor.name: tensor for tensor in graph.initializer}
    found = [
        node
        for node in graph.node
        if node.op_type == "Gather"
        and node.input[0] in stored
        and stored[node.input[0]].data_type == onnx.TensorProto.FLOAT
        and len(stored[node.input[0]].dims) == 2
        and stored[node.input[0]].dims[0] >= _FEWEST_ROWS
    ]
    for node in found:
        table, ids = node.input
        weights = numpy_helper.to_array(stored[table])  # (V, E)
        added, before = [], []
        if tables.shared_rows is not None and _are_words(ids, graph):
            places, weights = _shared(weights, seen, tables.shared_rows)
            added.append(numpy_helper.from_array(places, f"{table}_places"))
            before.append(helper.make_node("Gather", [f"{table}_places", ids], [f"{ids}_places"]))
            ids = f"{ids}_places"
        size = blockwise.block_size(weights.shape[1], _LARGEST_BLOCK)
        blocks = blockwise.quantized(weights, tables.bits, size)
        # two numbers a byte: of type UINT4 they are the same, and read five times as slowly
        numbers = blockwise.packed(blocks.numbers[:, : blocks.width], tables.bits)
        zero_points = blockwise.packed(blocks.zero_points, tables.bits)
        added += [
            numpy_helper.from_array(numbers, f"{table}_numbers"),
            numpy_helper.from_array(blocks.scales, f"{table}_scales"),
            numpy_helper.from_array(zero_points, f"{table}_zero_points"),
        ]
        looked_up = helper.make_node(
            "GatherBlockQuantized",
            [f"{table}_numbers", ids, f"{table}_scales", f"{table}_zero_points"],
            list(node.output),
            name=f"{node.name}_blocks",
            domain=_DOMAIN,
            gather_axis=0,
            quantize_axis=1,
            block_size=size,
            bits=tables.bits,
        )
        _replace(graph, node, [*before, looked_up])
        graph.initializer.extend(added)
        # shape inference knows no such operator, and what reads it may be quantized next
        kind = helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)
        graph.value_info.append(kind)
    used = {name for node in graph.node for name in node.input}
    for name in {node.input[0] for node in found} - used:
        graph.initializer.remove(stored[name])
    return len(found)


def _are_words(ids: str, graph: onnx.GraphProto) -> bool:
    """Whether they are token ids, only moved about, and not positions counted from them."""
    maker = {name: node for node in graph.node for name in node.output}
    if ids not in maker:
        return ids == "input_ids"
    node = maker[ids]
    return node.op_type in _MOVING and any(_are_words(name, graph) for name in node.input)


def _shared(
    weights: NDArray[np.float32], seen: Collection[int], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Where each id's row now is, (V,), and the rows: those of seen ids, then the shared ones."""
    from scipy.cluster.vq import kmeans2

    kept = np.array(sorted(seen), dtype=np.int64)
    unseen = np.setdiff1d(np.arange(len(weights)), kept)
    if len(unseen) <= count:
        return np.arange(len(weights)), weights
    # the same rows give the same means: points to start from are drawn with a seed of their own
    means, nearest = kmeans2(weights[unseen], count, iter=15, minit="points", rng=0)
    places = np.empty(len(weights), dtype=np.int64)
    places[kept] = np.arange(len(kept))
    places[unseen] = len(kept) + nearest
    log.info("table: %d tokens share %d rows", len(unseen), count)
    return places, np.concatenate([weights[kept], means.astype(np.float32)])


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto, others: list[onnx.NodeProto]) -> None:
    nodes = list(graph.node)
    place = nodes.index(node)
    nodes[place : place + 1] = others
    del graph.node[:]
    graph.node.extend(nodes)
