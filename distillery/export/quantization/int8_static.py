"""Static int8: activations by ranges measured ahead, on training examples.

Graphs without convolutions become what ``dynamic`` makes of them, with each DynamicQuantizeLinear
given its scale for good; an LSTM keeps its own, which ONNX Runtime measures at run time alone.
Convolutions have no quick dynamic form, so that graphs with them go through ONNX Runtime's own
static quantizer (QDQ), which fuses into QLinearConv.

Seen on one thread of an AVX-512 VNNI CPU, p50 of the model alone and label flips on the test rows:

    CLINC150, MiniLM of 6 layers     fp32 2.55 ms   dynamic .52, 1.7 %   percentile .52, 1.6 %
                                     entropy .53, 4.3 %: a transformer's few large activations
                                     carry meaning, so that what clips them costs accuracy
    MNIST, 3 blocks of convolutions  fp32 .092 ms   dynamic .077   min-max .065
      a batch of 32                  fp32 2.08 ms   dynamic 1.96   min-max 1.35
"""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from distillery.export.quantization.base import Material, Quantization
from distillery.nouns import Precision
from distillery.runtimes.base import Encoded

if TYPE_CHECKING:
    import onnx


class Int8Static(Quantization):
    """Weights int8 a channel; activations by ranges that training examples showed."""

    precision: ClassVar[Precision] = "int8_static"

    kind: Literal["int8_static"] = "int8_static"
    calibration: Literal["minmax", "entropy", "percentile"] = Field(
        default="minmax",
        title="Calibration",
        description="The whole range; the one nearest in KL divergence; or all but the outermost.",
    )
    percentile: float = Field(
        default=99.99,
        gt=50,
        le=100,
        title="Percentile",
        description="For calibration: percentile. Of all activations, how many are not clipped.",
    )
    rows: int = Field(
        default=256, ge=8, le=100_000, title="Rows", description="Training examples looked at."
    )

    @property
    def label(self) -> str:
        """Says the calibration."""
        return f"int8-static-{self.calibration}"

    @property
    def bytes_per_weight(self) -> float:
        """Tables may have 4 bits; products have 8."""
        return 0.5

    def quantized(self, model: "onnx.ModelProto", material: Material) -> "onnx.ModelProto":
        """Runs the fp32 graph over the samples first."""
        from distillery.export.quantization import dynamic

        samples = material.samples(self.rows)
        if any(node.op_type == "Conv" for node in model.graph.node):
            return self._with_convolutions(model, samples, material.cpu_flags)
        quantized = dynamic.quantized(model, cpu_flags=material.cpu_flags)
        measured = {
            node.input[0]
            for node in quantized.graph.node
            if node.op_type == "DynamicQuantizeLinear"
        }
        _fix(quantized.graph, self._ranges(model, sorted(measured), samples))
        return quantized

    def _ranges(
        self, model: "onnx.ModelProto", names: Sequence[str], samples: Sequence[Encoded]
    ) -> dict[str, tuple[float, float]]:
        """Least and greatest of each activation, after calibration."""
        import onnx
        import onnxruntime

        told = onnx.ModelProto()
        told.CopyFrom(model)
        there = {value.name for value in told.graph.input}
        inside = [name for name in names if name not in there]
        told.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in inside
        )
        session = onnxruntime.InferenceSession(
            told.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        asked = [node.name for node in session.get_inputs()]
        seen: dict[str, list[np.ndarray]] = {name: [] for name in inside}
        for sample in samples:
            values = session.run(inside, {name: sample[name] for name in asked})
            for name, value in zip(inside, values, strict=True):
                seen[name].append(np.asarray(value).ravel())
        if self.calibration == "minmax":
            return {
                name: (float(min(v.min() for v in values)), float(max(v.max() for v in values)))
                for name, values in seen.items()
            }
        from onnxruntime.quantization.calibrate import HistogramCollector

        collector = HistogramCollector(
            method=self.calibration,
            symmetric=False,
            num_bins=2048,
            num_quantized_bins=128,
            percentile=self.percentile,
            scenario="same",
        )
        with redirect_stdout(sys.stderr):  # it prints, and stdout may be a program's
            collector.collect({name: [np.concatenate(values)] for name, values in seen.items()})
            found = collector.compute_collection_result()
        # a tensor's ends come first; what follows is the histogram they were found in
        return {name: (float(ends[0]), float(ends[1])) for name, ends in found.items()}

    def _with_convolutions(
        self, model: "onnx.ModelProto", samples: Sequence[Encoded], cpu_flags: Sequence[str]
    ) -> "onnx.ModelProto":
        import onnx
        from onnxruntime.quantization import (
            CalibrationDataReader,
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import quant_pre_process

        from distillery.export.quantization import dynamic

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self._left = iter(samples)

            def get_next(self) -> Encoded | None:
                """The next sample, or None after the last."""
                return next(self._left, None)

        method = {
            "minmax": CalibrationMethod.MinMax,
            "entropy": CalibrationMethod.Entropy,
            "percentile": CalibrationMethod.Percentile,
        }[self.calibration]
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
            source, ready, made = (
                Path(folder) / f"{name}.onnx" for name in ("fp32", "ready", "int8")
            )
            onnx.save(model, source)
            quant_pre_process(source, ready)
            quantize_static(
                ready,
                made,
                Reader(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                per_channel=True,
                reduce_range=dynamic.needs_reduced_range(cpu_flags),
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                calibrate_method=method,
                extra_options={"CalibPercentile": self.percentile},
            )
            return onnx.load(made)


def _fix(graph: "onnx.GraphProto", ranges: dict[str, tuple[float, float]]) -> None:
    """Give each DynamicQuantizeLinear of a measured activation its scale for good."""
    from onnx import numpy_helper

    for node in graph.node:
        if node.op_type != "DynamicQuantizeLinear" or node.input[0] not in ranges:
            continue
        low, high = (
            fit(0.0, end) for fit, end in zip((min, max), ranges[node.input[0]], strict=True)
        )
        scale = np.float32((high - low) / 255) or np.float32(1)
        zero_point = np.uint8(np.clip(round(-low / float(scale)), 0, 255))
        numbers, scale_name, zero_name = node.output
        graph.initializer.append(numpy_helper.from_array(np.array(scale), scale_name))
        graph.initializer.append(numpy_helper.from_array(np.array(zero_point), zero_name))
        given = node.input[0]
        node.op_type = "QuantizeLinear"
        del node.input[:], node.output[:]
        node.input.extend([given, scale_name, zero_name])
        node.output.append(numbers)
