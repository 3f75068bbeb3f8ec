"""PyTorch → ONNX, by tracing.

The exporter and the attention implementation are chosen so that ONNX Runtime's attention fusion
can recognize the graph. Seen with torch 2.13 and transformers 5.23 (fused attention nodes):
``eager`` attention, traced: all of them; ``sdpa``, traced: 0; either one with the dynamo exporter:
0. All four graphs equal PyTorch within 1e-6, so nothing but the count tells them apart.
"""

import inspect
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

import distillery.architectures  # noqa: F401  makes them known to the Auto classes

# 14 is what onnxruntime.transformers' attention patterns were written against: from 17 on layer
# norm and from 20 on GELU are exported as one operator, which some of its patterns do not follow.
_OPSET = 14

_INPUT_NAMES = ("input_ids", "attention_mask", "token_type_ids")


class _Logits(nn.Module):
    """Positional tensors in, logits alone out: what a graph can express."""

    def __init__(self, model: nn.Module, names: tuple[str, ...], single_type: bool) -> None:
        super().__init__()
        self._model = model
        self._names = names
        self._single_type = single_type

    def forward(self, *inputs: Tensor) -> Tensor:
        """Each input (B, S) int64, or pixels (B, C, H, W) uint8; logits (B, classes)."""
        named = dict(zip(self._names, inputs, strict=True))
        if self._single_type:
            # otherwise the model gathers the zeros from a buffer, at run time
            named["token_type_ids"] = torch.zeros_like(named["input_ids"])
        logits: Tensor = self._model(**named).logits
        return logits


def export(checkpoint_folder: Path, onnx_path: Path) -> None:
    """Write the graph of a sequence classifier.

    Inputs ``input_ids``, ``attention_mask`` and, where the model tells token types apart,
    ``token_type_ids``: int64, (B, S), both dynamic. A model of images takes ``pixel_values``:
    uint8, (B, C, H, W), B dynamic. Output ``logits``: float32, (B, classes).
    """
    model = AutoModelForSequenceClassification.from_pretrained(
        checkpoint_folder, local_files_only=True, attn_implementation="eager"
    ).eval()
    if model.main_input_name == "pixel_values":
        H, W, C = model.config.image_shape
        pixels = torch.randint(256, (2, C, H, W), dtype=torch.uint8)
        _trace(_Logits(model, ("pixel_values",), False), {"pixel_values": pixels}, onnx_path)
        return
    # not __code__.co_varnames: Transformers wraps forward, and only the signature sees through
    knows_types = "token_type_ids" in inspect.signature(model.forward).parameters
    single_type = knows_types and getattr(model.config, "type_vocab_size", 1) < 2
    names = _INPUT_NAMES if knows_types and not single_type else _INPUT_NAMES[:2]

    # B = 2 and S = 8: neither is 1, which a tracer may take for a constant to broadcast. One row
    # is padded, since the mask's computation is left out of a trace where nothing is masked.
    ids = torch.full((2, 8), 5, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    example = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    named = {name: example[name] for name in names}
    _trace(_Logits(model, names, single_type), named, onnx_path, {1: "sequence"})


def _trace(
    wrapper: _Logits, inputs: dict[str, Tensor], onnx_path: Path, axes: dict[int, str] | None = None
) -> None:
    """``axes`` of the inputs are dynamic beside the first."""
    # torch.onnx.export restores the wrapper's own mode afterwards, through every child: without
    # .eval() here the wrapped model would go back to dropout
    wrapper.eval()
    with warnings.catch_warnings():
        # the tracing exporter is deprecated in favour of dynamo's, whose graphs are not fused
        warnings.filterwarnings("ignore", message="You are using the legacy TorchScript-based")
        warnings.filterwarnings("ignore", message="The feature will be removed")
        # checks of shapes that hold for every input, and the look-up of the mask's own rows
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python boolean")
        warnings.filterwarnings("ignore", message="Exporting aten::index operator")
        # not so here: the first state is made in the graph, as large as the batch
        warnings.filterwarnings("ignore", message="Exporting a model to ONNX with a batch_size")
        torch.onnx.export(
            wrapper,
            tuple(inputs.values()),
            onnx_path,
            dynamo=False,
            opset_version=_OPSET,
            input_names=list(inputs),
            output_names=["logits"],
            dynamic_axes={
                **{name: {0: "batch", **(axes or {})} for name in inputs},
                "logits": {0: "batch"},
            },
        )
