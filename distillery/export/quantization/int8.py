"""Dynamic int8: weights ahead of time, activations by their range at run time."""

from typing import TYPE_CHECKING, ClassVar, Literal

from distillery.export.quantization.base import Material, Quantization
from distillery.nouns import Precision

if TYPE_CHECKING:
    import onnx


class Int8(Quantization):
    """Weights int8 a channel; each activation by the range it has."""

    precision: ClassVar[Precision] = "int8"

    kind: Literal["int8"] = "int8"

    @property
    def label(self) -> str:
        """Always the same."""
        return "int8"

    @property
    def bytes_per_weight(self) -> float:
        """Tables may have 4 bits; products have 8."""
        return 0.5

    def quantized(self, model: "onnx.ModelProto", material: Material) -> "onnx.ModelProto":
        """Nothing is measured ahead."""
        from distillery.export.quantization import dynamic

        return dynamic.quantized(model, cpu_flags=material.cpu_flags)
