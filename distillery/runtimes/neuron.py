"""AWS Inferentia: a PyTorch model compiled for NeuronCores when it is opened.

Neuron has no ONNX path, and no symbolic sizes: a graph is compiled for each (batch, length) of a
few, and inputs are filled up to the next one. inf2 has torch-neuronx; inf1, which is legacy,
torch-neuron of PyTorch 1.13. Compiling is part of ``load``, and takes minutes.
"""

import contextlib
import inspect
import itertools
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distillery.errors import RuntimeUnavailableError
from distillery.runtimes.base import Card, Encoded, Engine, Example, encoder_of

# B batch, S sequence, C classes

Tracer = Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], Callable[..., Any]]

_BATCHES = (1, 8)
_LENGTHS = (16, 32, 64, 128, 256, 512)
_COMPILERS = ("torch_neuronx", "torch_neuron")
_KNOWN = ("input_ids", "attention_mask", "token_type_ids")


class Neuron(Engine):
    """Text models alone."""

    def __init__(self, folder: Path, *, threads: int = 0, tracer: Tracer | None = None) -> None:
        """``tracer`` compiles a module for example inputs; Neuron's own where it is left out.

        Raises ``RuntimeUnavailableError`` where Neuron's compiler or device is not here, or the
        model reads no text.
        """
        self.card = Card.read(folder)
        if self.card.kind != "text":
            raise RuntimeUnavailableError("Neuron runs text models; measure images on cpu or cuda")
        compiled = tracer or neuron_tracer()
        self._encode = encoder_of(folder, self.card)
        if threads:
            torch.set_num_threads(threads)
        model = _model(folder)
        takes = inspect.signature(model.forward).parameters
        self._inputs = [name for name in _KNOWN if name in takes]
        self._lengths = _buckets(self.card.max_length)
        logits = _Logits(model, self._inputs).eval()
        self._graphs = {
            (B, S): compiled(logits, self._example(B, S))
            for B, S in itertools.product(_BATCHES, self._lengths)
        }

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """As everywhere; filling up to a compiled size is part of ``logits``."""
        return self._encode(examples)

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, C)."""
        rows, longest = encoded["input_ids"].shape
        S = next(length for length in self._lengths if length >= longest)
        B = _BATCHES[0] if rows == 1 else _BATCHES[-1]
        found = []
        for start in range(0, rows, B):
            inputs = [
                self._filled(encoded[name][start : start + B], name, B, S) for name in self._inputs
            ]
            kept = min(B, rows - start)
            found.append(np.asarray(self._graphs[B, S](*inputs), dtype=np.float32)[:kept])
        return np.concatenate(found)

    def _filled(self, rows: NDArray[Any], name: str, B: int, S: int) -> torch.Tensor:
        """(B, S): padding tokens, and whole rows of them, which nobody reads."""
        fill = self.card.pad_token_id if name == "input_ids" else 0
        whole = np.full((B, S), fill, dtype=np.int64)
        whole[: rows.shape[0], : rows.shape[1]] = rows
        return torch.from_numpy(whole)

    def _example(self, B: int, S: int) -> tuple[torch.Tensor, ...]:
        return tuple(torch.ones((B, S), dtype=torch.int64) for _ in self._inputs)


class _Logits(torch.nn.Module):
    """Inputs by position, and a tensor out: what a tracer takes."""

    def __init__(self, model: torch.nn.Module, inputs: Sequence[str]) -> None:
        super().__init__()
        self._model = model
        self._inputs = list(inputs)

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """(B, C)."""
        found = self._model(**dict(zip(self._inputs, tensors)), return_dict=False)  # noqa: B905
        logits: torch.Tensor = found[0]
        return logits


def neuron_tracer() -> Tracer:
    """Neuron's compiler. Raises ``RuntimeUnavailableError`` where it, or its device, is missing."""
    missing = []
    for name in _COMPILERS:
        try:
            module = import_module(name)
        except Exception as error:  # its native libraries raise whatever they like
            missing.append(f"{name}: {' '.join(str(error).split())[:120]}")
            continue
        if not any(Path("/dev").glob("neuron[0-9]*")):
            raise RuntimeUnavailableError(
                f"{name} is installed, and there is no Neuron device; run it on an inf1 or inf2 "
                "instance"
            )
        traced: Tracer = module.trace if hasattr(module, "trace") else vars(torch)["neuron"].trace
        return traced
    raise RuntimeUnavailableError(
        f"no Neuron compiler can be loaded ({'; '.join(missing)}); run it on an inf1 or inf2 "
        "instance with torch-neuronx (inf2) or torch-neuron (inf1)"
    )


def _model(folder: Path) -> torch.nn.Module:
    from transformers import AutoModelForSequenceClassification

    # inf1's Transformers is too old for distillery's own models; Transformers' run there
    with contextlib.suppress(ImportError):
        import distillery.architectures  # noqa: F401
    loaded: torch.nn.Module = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True
    )
    return loaded.eval()


def _buckets(max_length: int) -> list[int]:
    """Lengths to compile for; the last one takes the longest input."""
    return [*(length for length in _LENGTHS if length < max_length), max_length]
