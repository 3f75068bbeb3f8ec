"""Weights and embedding tables to int8 ahead of time; activations at run time, per tensor."""

import logging
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

log = logging.getLogger(__name__)

# flags of /proc/cpuinfo: instructions that add u8×s8 products in 32 bits, without saturation
_SAFE_ON_X86 = {"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"}
_ARM = {"asimd", "neon"}


def needs_reduced_range(cpu_flags: Sequence[str]) -> bool:
    """Whether weights must keep to 7 bits on this CPU.

    On AVX2 and AVX-512 without VNNI, ONNX Runtime multiplies u8×s8 with VPMADDUBSW, which adds
    pairs of products in 16 bits and saturates; 7-bit weights cannot reach that limit. VNNI and
    AMX accumulate in 32 bits, and so do ARM's kernels.
    (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "When and why
    do I need to try U8U8?" and "reduce_range"). An unknown CPU is taken for the worst.
    """
    flags = set(cpu_flags)
    return not (flags & _SAFE_ON_X86 or flags & _ARM)


def quantize(onnx_path: Path, out_path: Path, *, cpu_flags: Sequence[str]) -> None:
    """Write the int8 graph of a fused one, made for the CPU with these flags."""
    model = onnx.load(onnx_path)
    quantize_dynamic(
        model,
        out_path,
        per_channel=True,
        reduce_range=needs_reduced_range(cpu_flags),
        weight_type=QuantType.QInt8,
        extra_options={
            # shape inference knows nothing of fused operators; what they pass on is float32
            "DefaultTensorType": onnx.TensorProto.FLOAT,
            "MatMulConstBOnly": True,
        },
    )
