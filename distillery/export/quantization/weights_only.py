"""Weights alone in 4 or 8 bits; activations pass between operators in fp32.

For size, and where int8 activations of one scale cost too much accuracy. MatMulNBits reads weights
blockwise, and is told that it may multiply integers, a scale a block on both sides: on MiniLM's 6
layers that takes 1.1 ms in place of 2.5 (4 bits) and 11.1 (8 bits), with as many flips.

An Attention operator has no such form, so it is taken apart: three products, then
MultiHeadAttention. An LSTM's weights stay as they are.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from distillery.export.quantization.base import Material, Quantization
from distillery.nouns import Precision

if TYPE_CHECKING:
    import onnx

_DOMAIN = "com.microsoft"
_BY_INTEGERS = 4  # MatMulNBits: multiply int8 activations, of blocks as small as the weights'


class WeightsOnly(Quantization):
    """Weights in blocks of 4 or 8 bits; activations in fp32."""

    precision: ClassVar[Precision] = "weights"

    kind: Literal["weights_only"] = "weights_only"
    bits: Literal[4, 8] = Field(default=4, title="Bits", description="Of each weight.")
    block_size: Literal[16, 32, 64, 128] = Field(
        default=32, title="Block size", description="Weights that share a scale."
    )

    @property
    def label(self) -> str:
        """Says the bits."""
        return f"int{self.bits}-weights"

    @property
    def bytes_per_weight(self) -> float:
        """Tables may have 4 bits."""
        return min(self.bits, 4) / 8

    def quantized(self, model: "onnx.ModelProto", material: Material) -> "onnx.ModelProto":
        """Nothing is measured ahead, and any CPU will do."""
        from distillery.export.attention import taken_apart
        from distillery.export.quantization import dynamic

        copy = dynamic.with_matmuls(model)
        nodes = [
            part
            for node in copy.graph.node
            for part in (taken_apart(node, copy.graph) if node.op_type == "Attention" else [node])
        ]
        del copy.graph.node[:]
        copy.graph.node.extend(nodes)
        self._store(copy.graph)
        return copy

    def _store(self, graph: "onnx.GraphProto") -> None:
        """Each product with a constant matrix becomes MatMulNBits."""
        from onnx import helper, numpy_helper

        from distillery.export import blockwise

        stored = {tensor.name: tensor for tensor in graph.initializer}
        done = set()
        for node in graph.node:
            matrix = node.input[1] if node.op_type == "MatMul" else ""
            if matrix not in stored or len(stored[matrix].dims) != 2:
                continue
            weights = numpy_helper.to_array(stored[matrix])  # (K, N): K summed over, N made
            blocks = blockwise.quantized(
                np.ascontiguousarray(weights.T), self.bits, self.block_size
            )
            rows, count = blocks.scales.shape
            numbers = blockwise.packed(blocks.numbers, self.bits).reshape(rows, count, -1)
            zero_points = blockwise.packed(blocks.zero_points, self.bits)
            if matrix not in done:
                for part, array in (
                    ("numbers", numbers),
                    ("scales", blocks.scales.ravel()),
                    ("zero_points", zero_points.ravel()),
                ):
                    graph.initializer.append(numpy_helper.from_array(array, f"{matrix}_{part}"))
            done.add(matrix)
            new = helper.make_node(
                "MatMulNBits",
                [node.input[0], *(f"{matrix}_{p}" for p in ("numbers", "scales", "zero_points"))],
                list(node.output),
                name=node.name,
                domain=_DOMAIN,
                K=weights.shape[0],
                N=weights.shape[1],
                bits=self.bits,
                block_size=self.block_size,
                accuracy_level=_BY_INTEGERS,
            )
            node.CopyFrom(new)
        for matrix in done:
            graph.initializer.remove(stored[matrix])
