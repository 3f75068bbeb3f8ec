"""``python olive_int8.py CHECKPOINT OUT [per_channel]``: Olive's BERT workflow for CPUs, in int8.

Conversion, transformers optimization and quantization, each as its BERT example sets it
(https://github.com/microsoft/olive-recipes, intel-bert-base-uncased-mrpc/oci/cpu/ptq.json). Its
search over dynamic and static, per tensor and per channel is left out: dynamic is what all others
here do, and both grains are rows of their own.
"""

import sys

from olive import run

checkpoint, out, options = sys.argv[1], sys.argv[2], sys.argv[3:]
names = ["input_ids", "attention_mask", "token_type_ids"]
tokens = {"0": "batch", "1": "sequence"}
run(
    {
        "input_model": {
            "type": "HfModel",
            "model_path": checkpoint,
            "task": "text-classification",
            "load_kwargs": {"attn_implementation": "eager"},
            "io_config": {
                "input_names": names,
                "input_shapes": [[2, 16]] * len(names),
                "input_types": ["int64"] * len(names),
                "output_names": ["logits"],
                "dynamic_axes": {**dict.fromkeys(names, tokens), "logits": {"0": "batch"}},
            },
        },
        "systems": {
            "here": {
                "type": "LocalSystem",
                "accelerators": [
                    {"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}
                ],
            }
        },
        "passes": {
            "conversion": {"type": "OnnxConversion"},
            "transformers_optimization": {"type": "OrtTransformersOptimization"},
            "quantization": {
                "type": "OnnxDynamicQuantization",
                "quant_preprocess": True,
                "per_channel": "per_channel" in options,
                "reduce_range": False,
            },
        },
        "host": "here",
        "target": "here",
        "cache_dir": f"{out}/cache",
        "output_dir": out,
    }
)
