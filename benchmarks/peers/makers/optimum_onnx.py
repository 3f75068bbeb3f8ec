"""``python optimum_onnx.py CHECKPOINT OUT [O2]``: optimum-onnx, as its guide on quantization says.

With a level, the graph is optimized before it is quantized, as its guide on optimization says.
https://huggingface.co/docs/optimum-onnx/onnxruntime/usage_guides/quantization
"""

import sys
from pathlib import Path

from optimum.onnxruntime import (
    AutoOptimizationConfig,
    AutoQuantizationConfig,
    ORTModelForSequenceClassification,
    ORTOptimizer,
    ORTQuantizer,
)

checkpoint, out, levels = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
exported = out / "fp32"
ORTModelForSequenceClassification.from_pretrained(checkpoint, export=True).save_pretrained(exported)
for level in levels:
    optimizer = ORTOptimizer.from_pretrained(exported)
    exported = out / level
    optimizer.optimize(
        save_dir=exported, optimization_config=getattr(AutoOptimizationConfig, level)()
    )
quantizer = ORTQuantizer.from_pretrained(exported)
quantizer.quantize(
    save_dir=out / "int8",
    quantization_config=AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True),
)
(quantized,) = (out / "int8").glob("*.onnx")
quantized.rename(out / "model.onnx")
