"""What the int8 quantizations are made of: weights to int8 ahead of time, activations to uint8 at
run time.

Chosen by measurement: CLINC150's test texts, MiniLM cut to 2 layers under a fitted head, 2 threads
of an AVX-512 VNNI CPU. Milliseconds are medians of one 12-token request, tokenization included,
in interleaved rounds; flips are over 500 texts, one by one, against fp32 (62.7 MB). In all rows
but the second, the last layer still computes every token:

    fused, per channel, QInt8              15.8 MB   .51 ms    2.8 % flips   what is done here
      … cut to the first token             15.8 MB   .38 ms    2.4 %         after attention
      … 7-bit weights                      15.8 MB   .51 ms    2.6 %         without VNNI
    fused, per tensor, QInt8               15.7 MB   .49 ms   12.0 %
    fused, per channel, QUInt8             15.8 MB   .83 ms    1.6 %         a slower kernel
    tables left in fp32                    51.5 MB   .51 ms    2.6 %         tables.py sees to them
    attention not fused                    15.8 MB   .58 ms    2.8 %
    attention left in fp32                 18.4 MB   .66 ms    2.4 %

Tables were int8 with one scale then. Image models: linear layers become integer products too;
convolutions stay in fp32. Dynamic quantization would make them ConvInteger, which ONNX Runtime's
CPU kernels run slower than its fp32 convolutions; QLinearConv asks for activation scales measured
ahead, as ``int8_static`` has them.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

PRODUCTS = ("MatMul", "Attention", "LSTM")
"""Operators whose constant weights become int8."""

# names as in /proc/cpuinfo: instructions that sum u8×s8 products in 32 bits
_SUMS_IN_32_BITS = {"avx512_vnni", "avx_vnni", "amx_int8"}
_ARM = {"asimd", "neon"}


def needs_reduced_range(cpu_flags: Sequence[str]) -> bool:
    """Whether weights must keep to 7 bits on this CPU, named by its flags in /proc/cpuinfo.

    On AVX2 and AVX-512 without VNNI, ONNX Runtime multiplies u8 activations by s8 weights with
    VPMADDUBSW, which adds two products in 16 bits and saturates: 2 · 255 · 127 > 2¹⁵ − 1. With
    7-bit weights it cannot: 2 · 255 · 64 < 2¹⁵ − 1. VNNI and AMX sum in 32 bits and keep all 8
    bits, as do ARM's kernels. An unknown CPU is taken for one without: safe, a little coarser.

    Sources: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html; ONNX
    Runtime's session option session.x64quantprecision, which names the same CPUs and range.
    """
    flags = set(cpu_flags)
    return not flags & (_SUMS_IN_32_BITS | _ARM)


def quantized(
    model: onnx.ModelProto, *, cpu_flags: Sequence[str], keep: Sequence[str] = ()
) -> onnx.ModelProto:
    """The int8 graph of a fused one, for the CPU with these flags; nodes named in ``keep`` stay in
    fp32. Equal graphs and flags give equal graphs.
    """
    copy = with_matmuls(model)
    # fusion has folded constants already, which is the pre-processing the quantizer asks for
    add_pre_process_metadata(copy)
    with tempfile.TemporaryDirectory() as folder:  # it writes a file or nothing
        out = Path(folder) / "int8.onnx"
        quantize_dynamic(
            copy,
            out,
            op_types_to_quantize=list(PRODUCTS),
            nodes_to_exclude=list(keep),
            per_channel=True,
            reduce_range=needs_reduced_range(cpu_flags),
            weight_type=QuantType.QInt8,
            extra_options={
                # shape inference knows nothing of fused operators; what they pass on is float32
                "DefaultTensorType": onnx.TensorProto.FLOAT,
                # activations by activations stay in fp32
                "MatMulConstBOnly": True,
            },
        )
        return onnx.load(out)


def with_matmuls(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose linear layers are MatMul and Add, where they were Gemm."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    ONNXModel(copy).replace_gemm_with_matmul()
    return copy


def products(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that would be quantized, in the graph's order."""
    stored = {tensor.name for tensor in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type in PRODUCTS and stored.intersection(node.input)
    ]
