"""ONNX Runtime on CPU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from distillery.runtimes.base import Card, Encoded, Engine, Example, encoder_of


class OnnxRuntimeCpu(Engine):
    """Intra-op threads set, inter-op 1; the graph is already optimized, so loading is quick."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.card = Card.read(folder)
        self._encode = encoder_of(folder, self.card)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # 0: one a core
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # waiting threads spin for up to half a second by default, which takes a core from whoever
        # shares the machine; 1 ms bridges the operators of one request just as well
        options.add_session_config_entry("session.intra_op.spin_duration_us", "1000")
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [node.name for node in self._session.get_inputs()]

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """What the graph takes."""
        return self._encode(examples)

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, C)."""
        (found,) = self._session.run(None, {name: encoded[name] for name in self._inputs})
        return np.asarray(found, dtype=np.float32)
