"""Mixed int8: the operators that quantization hurts most stay in fp32, as few as need be.

Each product is quantized alone, and its sensitivity is the mean KL divergence of the answers from
the fp32 graph's, on training examples. The most sensitive ones are then left in fp32, as few as
bring the divergence of the whole down as far as asked.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from distillery.export.quantization.base import Material, Quantization
from distillery.nouns import Precision
from distillery.runtimes.base import Encoded, softmax

if TYPE_CHECKING:
    import onnx

log = logging.getLogger(__name__)


class Int8Mixed(Quantization):
    """Dynamic int8, but for the few operators that it hurts most."""

    precision: ClassVar[Precision] = "int8_mixed"

    kind: Literal["int8_mixed"] = "int8_mixed"
    kept_distance: float = Field(
        default=0.75,
        ge=0,
        lt=1,
        title="Distance that stays",
        description="Of what int8 moves the answers by (mean KL): as few operators stay in fp32 "
        "as leave no more than this share of it.",
    )
    rows: int = Field(
        default=256, ge=8, le=100_000, title="Rows", description="Training examples looked at."
    )

    @property
    def label(self) -> str:
        """Always the same."""
        return "int8-mixed"

    @property
    def bytes_per_weight(self) -> float:
        """At best all are quantized."""
        return 0.5

    def quantized(self, model: "onnx.ModelProto", material: Material) -> "onnx.ModelProto":
        """A graph a product, each run over the samples; then a bisection over how many to keep."""
        from distillery.export.quantization import dynamic

        samples = material.samples(self.rows)
        expected = _answers(model, samples)
        names = dynamic.products(dynamic.with_matmuls(model).graph)

        def quantized(keep: Sequence[str]) -> "onnx.ModelProto":
            return dynamic.quantized(model, cpu_flags=material.cpu_flags, keep=keep)

        hurt = {
            name: _distance(
                expected, _answers(quantized([other for other in names if other != name]), samples)
            )
            for name in names
        }
        ordered = sorted(names, key=lambda name: -hurt[name])
        most = self.kept_distance * _distance(expected, _answers(quantized(()), samples))
        fewest, enough = 0, len(ordered)  # too few, and enough
        while enough - fewest > 1:
            middle = (fewest + enough) // 2
            answers = _answers(quantized(ordered[:middle]), samples)
            if _distance(expected, answers) <= most:
                enough = middle
            else:
                fewest = middle
        log.info(
            "%d of %d products stay in fp32: %s",
            enough,
            len(ordered),
            ", ".join(ordered[:enough]) or "none",
        )
        return quantized(ordered[:enough])


def _answers(model: "onnx.ModelProto", samples: Sequence[Encoded]) -> NDArray[np.float32]:
    """(rows, C) logits."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    asked = [node.name for node in session.get_inputs()]
    return np.concatenate(
        [session.run(None, {name: sample[name] for name in asked})[0] for sample in samples]
    )


def _distance(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Mean KL divergence; of scores, the mean square of the difference."""
    if expected.shape[1] == 1:
        return float(np.square(found - expected).mean())
    p, q = softmax(expected), softmax(found)
    return float((p * (np.log(p + 1e-12) - np.log(q + 1e-12))).sum(axis=1).mean())
