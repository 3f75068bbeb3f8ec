"""ONNX Runtime on CPU."""

from pathlib import Path

import onnxruntime

from distillery.runtimes.onnx_model import OnnxModel
from distillery.runtimes.onnx_session import open_session


class OnnxRuntimeCpu(OnnxModel):
    """What is served, too."""

    def session(self, graph: Path, threads: int) -> onnxruntime.InferenceSession:
        """On CPU alone."""
        return open_session(graph, threads)
