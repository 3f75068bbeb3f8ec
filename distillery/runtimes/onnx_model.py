"""What ONNX Runtime's engines share: a candidate's own graph."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from distillery.runtimes.base import Card, Encoded, Engine, Example, encoder_of


class OnnxModel(Engine):
    """The graph is already optimized, so loading is quick; where it runs is the variant's."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.card = Card.read(folder)
        self._encode = encoder_of(folder, self.card)
        self._session = self.session(folder / "model.onnx", threads)
        self._inputs = [node.name for node in self._session.get_inputs()]

    @abstractmethod
    def session(self, graph: Path, threads: int) -> onnxruntime.InferenceSession:
        """What runs the graph."""

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """What the graph takes."""
        return self._encode(examples)

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, C)."""
        (found,) = self._session.run(None, {name: encoded[name] for name in self._inputs})
        return np.asarray(found, dtype=np.float32)
