"""Half precision, for GPUs. On a CPU it saves half the file and no time: most kernels have none."""

from typing import TYPE_CHECKING, ClassVar, Literal

from distillery.export.quantization.base import Material, Quantization
from distillery.nouns import Precision

if TYPE_CHECKING:
    import onnx


class Fp16(Quantization):
    """Weights, tables and activations in 16 bits; inputs and logits as before."""

    precision: ClassVar[Precision] = "fp16"
    has_small_tables: ClassVar[bool] = False

    kind: Literal["fp16"] = "fp16"

    @property
    def label(self) -> str:
        """Always the same."""
        return "fp16"

    @property
    def bytes_per_weight(self) -> float:
        """All of them."""
        return 2.0

    def quantized(self, model: "onnx.ModelProto", material: Material) -> "onnx.ModelProto":
        """Nothing is measured ahead."""
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16

        copy = onnx.ModelProto()  # it is converted in place
        copy.CopyFrom(model)
        converted: onnx.ModelProto = convert_float_to_float16(copy, keep_io_types=True)
        return converted
