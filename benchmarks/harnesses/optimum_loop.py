"""optimum-benchmark's inference scenario over its ONNX Runtime backend.

With ``session`` as a third argument the backend's forward pass is the session alone, without
optimum's ORTModel around it. The scenario makes random inputs of one shape itself; here it is given
the same ones as everybody.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harnesses import turns

turns.equal_sessions()
import optimum.onnxruntime  # noqa: E402
import optimum.pipelines  # noqa: E402
import torch  # noqa: E402

_TASK = "text-classification"
# optimum-benchmark 0.6.0 imports it from optimum 1.x, and only to find the model's class by task;
# optimum 2 has none, and optimum 1.27 does not start with torch 2.13
optimum.pipelines.ORT_SUPPORTED_TASKS = {
    _TASK: {"class": (optimum.onnxruntime.ORTModelForSequenceClassification,)}
}
from optimum_benchmark.backends.onnxruntime.backend import ORTBackend  # noqa: E402
from optimum_benchmark.backends.onnxruntime.config import ORTConfig  # noqa: E402
from optimum_benchmark.benchmark.report import BenchmarkReport  # noqa: E402
from optimum_benchmark.scenarios.inference.config import InferenceConfig  # noqa: E402
from optimum_benchmark.scenarios.inference.scenario import InferenceScenario  # noqa: E402
from optimum_benchmark.trackers.latency import LatencySessionTracker  # noqa: E402


class InTurn(ORTBackend):  # type: ignore[misc]
    """Each forward pass takes the next input; the scenario's own loop asks one over and over."""

    def forward(self, inputs: Iterator[dict[str, Any]], kwargs: dict[str, Any]) -> Any:
        """Through optimum's ORTModel, tensors in and out."""
        return super().forward(next(inputs), kwargs)


class SessionOnly(ORTBackend):  # type: ignore[misc]
    """The same session, asked without ORTModel."""

    def forward(self, inputs: Iterator[dict[str, Any]], kwargs: dict[str, Any]) -> Any:
        """Logits, as ONNX Runtime gives them."""
        return self.pretrained_model.session.run(None, next(inputs))


def _opened() -> Callable[[Sequence[turns.Inputs]], Sequence[float]]:
    graph, threads = turns.arguments()
    session_only = sys.argv[3:] == ["session"]
    folder = Path(tempfile.mkdtemp())
    (folder / "model.onnx").symlink_to(graph.absolute())
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    config = ORTConfig(
        model=str(folder),
        library="transformers",
        task=_TASK,
        device="cpu",
        no_weights=False,
        session_options={"intra_op_num_threads": threads},
    )
    backend = (SessionOnly if session_only else InTurn)(config)
    backend.load()
    scenario = InferenceScenario(InferenceConfig(duration=0))
    scenario.backend = backend
    scenario.latency_tracker = LatencySessionTracker(device="cpu", backend="onnxruntime")
    scenario.report = BenchmarkReport.from_list(targets=["forward"])

    def timed(inputs: Sequence[turns.Inputs]) -> Sequence[float]:
        given: list[dict[str, Any]] = [dict(one) for one in inputs]
        if not session_only:
            given = [
                {name: torch.from_numpy(array) for name, array in one.items()} for one in given
            ]
        scenario.inputs = iter([backend.prepare_inputs(inputs=one) for one in given])
        scenario.config.iterations = len(given)
        scenario.run_inference_latency_tracking()
        return [1000 * seconds for seconds in scenario.report.forward.latency.values]

    return timed


turns.serve(_opened)
