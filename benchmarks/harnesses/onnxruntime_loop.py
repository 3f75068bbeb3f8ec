"""ONNX Runtime's own ``bert_perf_test``: its session, and its timing loop over the given inputs.

https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/python/tools/transformers/bert_perf_test.py
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import onnxruntime

from benchmarks.harnesses import turns

turns.equal_sessions()
# a script beside its modules, not a package
sys.path.append(str(Path(onnxruntime.__file__).parent / "transformers"))
import bert_perf_test  # noqa: E402


def _opened() -> Callable[[Sequence[turns.Inputs]], Sequence[float]]:
    graph, threads = turns.arguments()
    session = bert_perf_test.create_session(str(graph), False, None, threads)
    names = [output.name for output in session.get_outputs()]
    taken = {node.name for node in session.get_inputs()}

    def timed(inputs: Sequence[turns.Inputs]) -> Sequence[float]:
        given = [{name: one[name] for name in taken} for one in inputs]
        _, seconds = bert_perf_test.onnxruntime_inference(session, given, names)
        return [1000 * one for one in seconds]

    return timed


turns.serve(_opened)
