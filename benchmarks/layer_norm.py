"""Residual and layer norm in ONNX Runtime: fused into one kernel, and as Sum and a kernel.

    python benchmarks/layer_norm.py [--tokens 12] [--width 384]

Why ``distillery/export/fusion.py`` leaves them apart. One thread; rounds alternate.
"""

import argparse
import statistics
import time

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

_NORMS = 8  # in a row, so that what a call itself costs weighs little
_ROUNDS = 200


def main() -> None:
    """Print both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=12)
    parser.add_argument("--width", type=int, default=384)
    asked = parser.parse_args()
    sessions = {
        "SkipLayerNormalization": _session(asked.width, fused=True),
        "Sum, LayerNormalization": _session(asked.width, fused=False),
    }
    rng = np.random.default_rng(0)
    shape = (1, asked.tokens, asked.width)
    inputs = {name: rng.normal(size=shape).astype(np.float32) for name in ("x", "residual")}
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    answers = [session.run(None, inputs)[0] for session in sessions.values()]
    slow_answer, quick_answer = answers
    np.testing.assert_allclose(quick_answer, slow_answer, atol=1e-3)
    for _ in range(_ROUNDS):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(None, inputs)
            seconds[name].append((time.perf_counter() - started) / _NORMS)
    medians = {name: 1e6 * statistics.median(found) for name, found in seconds.items()}
    for name, median in medians.items():
        print(f"{name:24} {median:6.2f} µs")
    slow, quick = medians.values()
    print(f"ratio {slow / quick:.1f}; onnxruntime {onnxruntime.__version__}")


def _session(width: int, *, fused: bool) -> onnxruntime.InferenceSession:
    rng = np.random.default_rng(1)
    weights = {"scale": rng.normal(1, 0.1, width), "shift": rng.normal(0, 0.1, width)}
    nodes = []
    x = "x"
    for i in range(_NORMS):
        if fused:
            nodes.append(
                helper.make_node(
                    "SkipLayerNormalization",
                    [x, "residual", *weights],
                    [f"y{i}"],
                    domain="com.microsoft",
                    epsilon=1e-12,
                )
            )
        else:
            nodes.append(helper.make_node("Sum", [x, "residual"], [f"sum{i}"]))
            nodes.append(
                helper.make_node(
                    "LayerNormalization", [f"sum{i}", *weights], [f"y{i}"], axis=-1, epsilon=1e-12
                )
            )
        x = f"y{i}"
    dynamic: list[str | int | None] = [1, "tokens", width]
    graph = helper.make_graph(
        nodes,
        "norms",
        [
            helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, dynamic)
            for n in ("x", "residual")
        ],
        [helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, dynamic)],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


if __name__ == "__main__":
    main()
