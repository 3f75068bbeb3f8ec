"""ONNX Runtime on an NVIDIA GPU."""

from pathlib import Path

import onnxruntime

from distillery.runtimes.onnx_cuda_session import open_cuda_session
from distillery.runtimes.onnx_model import OnnxModel


class OnnxRuntimeCuda(OnnxModel):
    """Meant for graphs in fp16; copying inputs there and logits back is part of ``logits``."""

    def session(self, graph: Path, threads: int) -> onnxruntime.InferenceSession:
        """Raises ``RuntimeUnavailableError`` where the graph would not run on the GPU."""
        return open_cuda_session(graph, threads)
