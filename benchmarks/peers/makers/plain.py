"""``python plain.py CHECKPOINT OUT``: torch.onnx.export and quantize_dynamic, nothing else.

The exporter is asked for traced graphs. Its default since torch 2.9, dynamo's, gives a graph whose
stored shapes ``quantize_dynamic`` finds contradictory (ShapeInferenceError).
"""

import sys
from pathlib import Path

import torch
from onnxruntime.quantization import quantize_dynamic
from transformers import AutoModelForSequenceClassification, AutoTokenizer

checkpoint, out = Path(sys.argv[1]), Path(sys.argv[2])
model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
example = tokenizer(["one text", "and another, longer one"], padding=True, return_tensors="pt")
names = ["input_ids", "attention_mask", "token_type_ids"]
torch.onnx.export(
    model,
    tuple(example[name] for name in names),
    out / "fp32.onnx",
    dynamo=False,
    input_names=names,
    output_names=["logits"],
    dynamic_axes={
        **{name: {0: "batch", 1: "sequence"} for name in names},
        "logits": {0: "batch"},
    },
)
quantize_dynamic(out / "fp32.onnx", out / "model.onnx")
(out / "fp32.onnx").unlink()
