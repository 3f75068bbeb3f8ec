"""How far a graph is from the time of its matrix products alone, and where the rest goes.

    python -m benchmarks.floor MODEL... --texts TEXTS.parquet [--threads 1]

MODEL is what ``distillery benchmark`` takes. For the text of median length, three times are held
against the graph's own (p50, tokenization excluded), each less a session's cost of one empty call:

- peak: the products' operations ÷ the highest rate of any large product of that precision;
- products: each product alone, weights in the cache, the best of many runs; MatMulInteger for
  int8, since quantizing what comes in is not part of a product;
- the rest, by operator, as ONNX Runtime's own profile splits the graph's time.

With ``--results FOLDER`` the same numbers are written there as JSON, with the machine's fingerprint
and what it says of noise.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet
from onnx import helper, numpy_helper

from distillery.benchmarking.fingerprint import fingerprint
from distillery.benchmarking.noise import look, noise
from distillery.provenance import code_version
from distillery.runtimes.onnx_session import open_session
from distillery.runtimes.opening import open_engine
from distillery.subjects.finding import find

# M rows, K summed over, N columns; S sequence, H hidden

_RUNS = 2000
_LARGE = ((64, 1024, 1024), (256, 1024, 1024), (512, 2048, 2048))
_FP32_PRODUCTS = {"MatMul", "Gemm", "FusedGemm"}
_PRODUCTS = {"DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulInteger", *_FP32_PRODUCTS}
_ATTENTIONS = {"QAttention", "Attention"}
_WITHOUT_WEIGHTS = "MultiHeadAttention"  # whose three products stand before it


@dataclass(frozen=True, kw_only=True, order=True)
class Product:
    """``batch`` products (M, K) × (K, N)."""

    precision: str
    batch: int
    M: int
    K: int
    N: int

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.batch * self.M * self.K * self.N


def main() -> None:
    """Print one table of products and one of operators a model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--column", default="text")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path)
    asked = parser.parse_args()
    looks = [look()]
    texts = pyarrow.parquet.read_table(asked.texts)[asked.column].to_pylist()
    empty_us = _alone_us(Product(precision="int8", batch=1, M=1, K=1, N=1), asked.threads)
    peaks = {
        precision: max(
            product.operations / (_alone_us(product, asked.threads) - empty_us)
            for product in (
                Product(precision=precision, batch=1, M=M, K=K, N=N) for M, K, N in _LARGE
            )
        )
        for precision in ("int8", "fp32")
    }
    told = ", ".join(f"{name} {peak / 1e3:,.0f} billion/s" for name, peak in peaks.items())
    print(f"peak operations: {told}; {asked.threads} thread(s); an empty call {empty_us:.1f} µs")
    floors = []
    for model in asked.models:
        floors.append(_floor(model, texts, asked.threads, peaks, empty_us))
        looks.append(look())
    seen = noise(looks)
    for why in seen.reasons:
        print(f"noisy: {why}")
    if asked.results is not None:
        place = fingerprint()
        document = {
            "code_version": code_version(),
            "fingerprint": place.model_dump(mode="json"),
            "threads": asked.threads,
            "peak_operations_per_second": {name: peak * 1e6 for name, peak in peaks.items()},
            "empty_call_us": empty_us,
            "models": floors,
            "noise": {**seen.model_dump(mode="json"), "reasons": seen.reasons},
        }
        asked.results.mkdir(parents=True, exist_ok=True)
        path = asked.results / f"threads-{asked.threads}-{place.digest}.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _floor(
    model: str, texts: list[str], threads: int, peaks: Mapping[str, float], empty_us: float
) -> dict[str, Any]:
    """What is printed of a model, by name."""
    subject = find(model, tokens=128)
    engine = open_engine(subject.folder, subject.runtime, threads=threads)
    encoded = [engine.encode([text]) for text in texts]
    by_length = sorted(encoded, key=lambda one: one["input_ids"].shape[1])
    inputs = by_length[len(by_length) // 2]
    beside = subject.folder / "graph.json"
    graph = subject.folder / "model.onnx"
    if beside.is_file():
        graph = Path(json.loads(beside.read_text(encoding="utf-8"))["path"])

    for _ in range(200):
        engine.logits(inputs)
    times_us = [_timed_us(lambda: engine.logits(inputs)) - empty_us for _ in range(_RUNS)]
    p50_us, quickest_us = median(times_us), min(times_us)
    products, profile = _looked_into(graph, inputs, threads)
    alone_us = {one: _alone_us(one, threads) - empty_us for one in products}
    sum_us = sum(count * alone_us[one] for one, count in products.items())
    peak_us = sum(count * one.operations / peaks[one.precision] for one, count in products.items())

    print(f"\n{model}: {inputs['input_ids'].shape[1]} tokens")
    print(f"{'product':34}{'count':>6}{'each':>10}{'all':>10}{'of peak':>9}")
    for one, count in sorted(products.items()):
        batch = f"{one.batch} × " if one.batch > 1 else ""
        name = f"{one.precision} {batch}({one.M}, {one.K}) × ({one.K}, {one.N})"
        share = one.operations / peaks[one.precision] / alone_us[one]
        each, whole = f"{alone_us[one]:.1f} µs", f"{count * alone_us[one]:.1f} µs"
        print(f"{name:34}{count:6}{each:>10}{whole:>10}{share:9.0%}")
    print(
        f"peak {peak_us:.0f} µs, products {sum_us:.0f} µs, graph {p50_us:.0f} µs "
        f"(its quickest run {quickest_us:.0f})"
    )
    print(f"distance: {p50_us / sum_us:.2f} × products, {p50_us / peak_us:.2f} × peak")
    # what profiling itself costs is spread over the operators, so shares are told
    profiled_us = sum(found for _, found in profile.values())
    print(f"{'operator':34}{'count':>6}{'share':>10}")
    for name, (count, found_us) in sorted(profile.items(), key=lambda item: -item[1][1]):
        print(f"{name:34}{count:6}{found_us / profiled_us:10.1%}")
    return {
        "model": Path(model).name,
        "digest": subject.digest,
        "tokens": inputs["input_ids"].shape[1],
        "graph_p50_us": p50_us,
        "graph_quickest_us": quickest_us,
        "products_us": sum_us,
        "peak_us": peak_us,
        "products": [
            {**asdict(one), "count": count, "alone_us": alone_us[one]}
            for one, count in sorted(products.items())
        ],
        "operator_shares": {
            name: found_us / profiled_us
            for name, (_, found_us) in sorted(profile.items(), key=lambda item: -item[1][1])
        },
    }


def _looked_into(
    graph: Path, inputs: Mapping[str, Any], threads: int
) -> tuple[dict[Product, int], dict[str, tuple[int, float]]]:
    """The graph's products, and each operator's count and microseconds a run."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        options.enable_profiling = True
        options.profile_file_prefix = f"{folder}/profile"
        options.optimized_model_filepath = f"{folder}/optimized.onnx"
        session = onnxruntime.InferenceSession(str(graph), options)
        taken = {node.name: inputs[node.name] for node in session.get_inputs()}
        for _ in range(_RUNS // 4):
            session.run(None, taken)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        optimized = onnx.load(f"{folder}/optimized.onnx").graph
    durations_us: dict[str, list[float]] = defaultdict(list)
    shapes: dict[str, list[list[int]]] = {}
    operators: dict[str, str] = {}
    kernel = "_kernel_time"
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith(kernel):
            name = event["name"].removesuffix(kernel)
            durations_us[name].append(event["dur"])
            operators[name] = event["args"]["op_name"]
            shapes[name] = [list(*shape.values()) for shape in event["args"]["input_type_shape"]]
    profile: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for name, operator in operators.items():
        count, whole_us = profile[operator]
        # stored as whole microseconds, so no median; the slowest tenth was disturbed
        quickest = sorted(durations_us[name])[: _RUNS // 4 * 9 // 10]
        profile[operator] = (count + 1, whole_us + mean(quickest))
    weights = {tensor.name: list(tensor.dims) for tensor in optimized.initializer}
    products: dict[Product, int] = defaultdict(int)
    for node in optimized.node:
        # nodes that a session adds, casts for one, have no name in the file
        for product in _products_of(node, shapes.get(node.name, []), weights):
            products[product] += 1
    return products, profile


def _products_of(
    node: Any, shapes: list[list[int]], weights: Mapping[str, list[int]]
) -> list[Product]:
    """``shapes`` are of the node's inputs."""
    precision = "fp32" if node.op_type in {*_FP32_PRODUCTS, "Attention"} else "int8"
    if node.op_type in _PRODUCTS:
        K, N = weights[node.input[1]]
        if any(field.name == "transB" and field.i for field in node.attribute):
            K, N = N, K
        return [Product(precision=precision, batch=1, M=int(np.prod(shapes[0])) // K, K=K, N=N)]
    if node.op_type in {*_ATTENTIONS, _WITHOUT_WEIGHTS}:
        B, asking, H = shapes[0]
        asked = shapes[1][1] if node.op_type == _WITHOUT_WEIGHTS else asking
        heads = next(field.i for field in node.attribute if field.name == "num_heads")
        found = [
            Product(precision="fp32", batch=B * heads, M=asking, K=H // heads, N=asked),
            Product(precision="fp32", batch=B * heads, M=asking, K=asked, N=H // heads),
        ]
        if node.op_type in _ATTENTIONS:
            K, N = weights[node.input[1]]
            found.append(Product(precision=precision, batch=1, M=B * asking, K=K, N=N))
        return found
    if any(word in node.op_type for word in ("MatMul", "Gemm", "Attention", "Conv", "LSTM")):
        raise SystemExit(f"{node.op_type} holds products that this script does not know")
    return []


def _alone_us(product: Product, threads: int) -> float:
    """The quickest run of a graph of this product alone, in microseconds."""
    rng = np.random.default_rng(0)
    is_int8 = product.precision == "int8"
    A = (product.batch, product.M, product.K)
    B = (product.batch, product.K, product.N) if product.batch > 1 else (product.K, product.N)
    types = onnx.TensorProto
    if is_int8:
        a = rng.integers(256, size=A).astype(np.uint8)
        b = rng.integers(-127, 128, size=B).astype(np.int8)
        kinds = (types.UINT8, types.INT32)
    else:
        a, b = rng.normal(size=A).astype(np.float32), rng.normal(size=B).astype(np.float32)
        kinds = (types.FLOAT, types.FLOAT)
    inputs = {"a": a} | ({"b": b} if product.batch > 1 else {})
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger" if is_int8 else "MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info(name, kinds[0], one.shape) for name, one in inputs.items()],
        [helper.make_tensor_value_info("c", kinds[1], None)],
        [] if product.batch > 1 else [numpy_helper.from_array(b, "b")],  # weights are packed ahead
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "product.onnx"
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
        session = open_session(path, threads)
    runs = max(20, min(_RUNS, int(2e11 / product.operations)))
    return min(_timed_us(lambda: session.run(None, inputs)) for _ in range(runs))


def _timed_us(call: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - started) / 1e3


if __name__ == "__main__":
    main()
