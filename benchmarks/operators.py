"""Operators of ONNX Runtime that give the same, or nearly: which is quickest on this CPU.

    python -m benchmarks.operators [--texts 1] [--tokens 11] [--threads 1]

Why ``distillery/export`` writes the ones that it writes. Each way stands in a graph eight times, so
that what a call itself costs weighs little; graphs are asked in turns. Times are of one: the median
and, since other work on a machine only adds to it, the quickest.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from distillery.runtimes.onnx_session import session_options

# B texts, S tokens, H width, F width between

_H, _F, _HEADS = 384, 1536, 12
_TIMES = 8
_ROUNDS = 200
_WARM_UP = 20
_MICROSOFT = "com.microsoft"
_BLOCK = 128  # weights that share a scale


@dataclass
class Part:
    """One way's nodes and weights, once."""

    prefix: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    def node(self, kind: str, *inputs: str, domain: str = "", **fields: Any) -> str:
        """Returns its output's name; its inputs are this part's own weights, or named as such."""
        out = f"{self.prefix}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], domain=domain, **fields))
        return out

    def weight(self, name: str, values: NDArray[np.generic]) -> str:
        """Returns the name it has in the graph."""
        self.weights[f"{self.prefix}{name}"] = values
        return f"{self.prefix}{name}"

    def int8(self, name: str, rows: int, columns: int) -> tuple[str, str, str]:
        """Random weights, scales and biases."""
        rng = np.random.default_rng(1)
        return (
            self.weight(f"{name}w", rng.integers(-127, 128, (rows, columns)).astype(np.int8)),
            self.weight(f"{name}s", rng.uniform(1e-4, 3e-4, columns).astype(np.float32)),
            self.weight(f"{name}b", rng.normal(0, 0.1, columns).astype(np.float32)),
        )

    def quantized(self, what: str) -> tuple[str, str, str]:
        """Its numbers, scale and zero point."""
        outs = [f"{self.prefix}{what}_{part}" for part in ("numbers", "scale", "zero_point")]
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [what], outs))
        numbers, scale, zero_point = outs
        return numbers, scale, zero_point


_Way = Callable[[Part], str]
"""Adds to the part; returns the output's name."""


def _skip_layer_norm(part: Part) -> str:
    norm = (part.weight("g", _ones(_H)), part.weight("b", 0 * _ones(_H)))
    return part.node("SkipLayerNormalization", "hidden", "residual", *norm, domain=_MICROSOFT)


def _sum_layer_norm(part: Part) -> str:
    norm = (part.weight("g", _ones(_H)), part.weight("b", 0 * _ones(_H)))
    return part.node("LayerNormalization", part.node("Sum", "hidden", "residual"), *norm)


def _attention(part: Part) -> str:
    numbers, scale, zero_point = part.quantized("hidden")
    weight, scales, biases = part.int8("qkv", _H, 3 * _H)
    zeros = part.weight("z", np.zeros(3 * _H, dtype=np.int8))
    inputs = (numbers, weight, biases, scale, scales, "lengths", zero_point, zeros)
    return part.node("QAttention", *inputs, domain=_MICROSOFT, num_heads=_HEADS)


def _attention_of_first(part: Part) -> str:
    return part.node("Gather", _attention(part), "zero", axis=1)


def _products_and_heads(part: Part) -> str:
    return _heads(part, asking="hidden")


def _products_and_heads_of_first(part: Part) -> str:
    return _heads(part, asking="first")


def _heads(part: Part, asking: str) -> str:
    read = {name: part.quantized(name) for name in dict.fromkeys((asking, "hidden"))}
    parts = []
    for name, what in (("q", asking), ("k", "hidden"), ("v", "hidden")):
        numbers, scale, zero_point = read[what]
        weight, scales, biases = part.int8(name, _H, _H)
        inputs = (numbers, weight, scale, scales, zero_point, "", biases)
        parts.append(part.node("MatMulIntegerToFloat", *inputs, domain=_MICROSOFT))
    heads = ("MultiHeadAttention", *parts, "", "lengths")
    return part.node(*heads, domain=_MICROSOFT, num_heads=_HEADS)


def _dynamic(part: Part) -> str:
    weight, scales, biases = part.int8("w", _H, _F)
    inputs = ("hidden", weight, scales, "", biases)
    return part.node("DynamicQuantizeMatMul", *inputs, domain=_MICROSOFT)


def _blocks(bits: int) -> _Way:
    def way(part: Part) -> str:
        rng = np.random.default_rng(1)
        count = _H // _BLOCK
        numbers = rng.integers(0, 256, (_F, count, _BLOCK * bits // 8)).astype(np.uint8)
        inputs = (
            "hidden",
            part.weight("w", numbers),
            part.weight("s", rng.uniform(1e-4, 3e-4, (_F, count)).astype(np.float32)),
            *("", ""),
            part.weight("b", rng.normal(0, 0.1, _F).astype(np.float32)),
        )
        fields = {"K": _H, "N": _F, "bits": bits, "block_size": _BLOCK, "accuracy_level": 4}
        return part.node("MatMulNBits", *inputs, domain=_MICROSOFT, **fields)

    return way


def _gelu(part: Part) -> str:
    return part.node("Gelu", "between", domain=_MICROSOFT)


def _gelu_by_tanh(part: Part) -> str:
    return part.node("FastGelu", "between", domain=_MICROSOFT)


_QUESTIONS: Mapping[str, Mapping[str, _Way]] = {
    "residual and layer norm": {
        "SkipLayerNormalization": _skip_layer_norm,
        "Sum, LayerNormalization": _sum_layer_norm,
    },
    "attention, int8": {
        "QAttention": _attention,
        "products, MultiHeadAttention": _products_and_heads,
    },
    "attention of the first token, int8": {
        "QAttention, Gather": _attention_of_first,
        "products, MultiHeadAttention": _products_and_heads_of_first,
    },
    f"product, {_H} to {_F}": {
        "DynamicQuantizeMatMul": _dynamic,
        "MatMulNBits, 8 bits": _blocks(8),
        "MatMulNBits, 4 bits": _blocks(4),
    },
    f"GELU, {_F}": {"Gelu": _gelu, "FastGelu (tanh)": _gelu_by_tanh},
}


def main() -> None:
    """Print each question's ways."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    shape = (asked.texts, asked.tokens)
    print(f"{shape} tokens, {asked.threads} thread(s), onnxruntime {onnxruntime.__version__}")
    rng = np.random.default_rng(0)
    inputs = {
        "hidden": rng.normal(size=(*shape, _H)).astype(np.float32),
        "residual": rng.normal(size=(*shape, _H)).astype(np.float32),
        "between": rng.normal(size=(*shape, _F)).astype(np.float32),
        "lengths": np.full(asked.texts, asked.tokens, dtype=np.int32),
    }
    for question, ways in _QUESTIONS.items():
        print(f"\n{question:36}{'median':>12}{'quickest':>12}")
        for name, seconds in _timed(ways, inputs, asked.threads).items():
            median_us, least_us = 1e6 * statistics.median(seconds), 1e6 * min(seconds)
            print(f"  {name:34}{median_us:9.2f} µs{least_us:9.2f} µs")


def _timed(
    ways: Mapping[str, _Way], inputs: Mapping[str, NDArray[np.generic]], threads: int
) -> dict[str, list[float]]:
    """Seconds of each way, once a round."""
    sessions = {name: _session(way, threads) for name, way in ways.items()}
    taken = {
        name: {one.name: inputs[one.name] for one in session.get_inputs()}
        for name, session in sessions.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for warm in range(-_WARM_UP, _ROUNDS):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(None, taken[name])
            if warm >= 0:
                seconds[name].append((time.perf_counter() - started) / _TIMES)
    return seconds


def _session(way: _Way, threads: int) -> onnxruntime.InferenceSession:
    parts = [Part(prefix=f"p{i}_") for i in range(_TIMES)]
    outputs = [way(part) for part in parts]
    nodes = [node for part in parts for node in part.nodes]
    if any("first" in node.input for node in nodes):
        nodes.insert(0, helper.make_node("Gather", ["hidden", "zero"], ["first"], axis=1))
    nodes.append(helper.make_node("Sum", outputs, ["all"]))
    read = {name for node in nodes for name in node.input}
    weights: dict[str, NDArray[np.generic]] = {"zero": np.zeros(1, dtype=np.int64)}
    for part in parts:
        weights |= part.weights
    kinds = onnx.TensorProto
    graph = helper.make_graph(
        nodes,
        "ways",
        [
            helper.make_tensor_value_info(
                name,
                kinds.INT32 if name == "lengths" else kinds.FLOAT,
                ["B"] if name == "lengths" else ["B", "S", _F if name == "between" else _H],
            )
            for name in ("hidden", "residual", "between", "lengths")
            if name in read
        ],
        [helper.make_tensor_value_info("all", kinds.FLOAT, None)],
        [numpy_helper.from_array(one, name) for name, one in weights.items() if name in read],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return onnxruntime.InferenceSession(
        model.SerializeToString(),
        session_options(threads),
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["CommonSubexpressionElimination"],  # it would leave one of the eight
    )


def _ones(count: int) -> NDArray[np.float32]:
    return np.ones(count, dtype=np.float32)


if __name__ == "__main__":
    main()
