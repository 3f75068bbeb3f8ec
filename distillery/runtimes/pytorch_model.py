"""What PyTorch's engines share: a Transformers checkpoint on a device."""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

import distillery.architectures  # noqa: F401  makes them known to the Auto classes
from distillery.errors import RuntimeUnavailableError
from distillery.runtimes.base import Card, Device, Encoded, Engine, Example, encoder_of


class PyTorchModel(Engine):
    """A checkpoint with Transformers' own defaults (SDPA attention); how it runs is the variant's.

    On a GPU, copying inputs there and logits back is part of ``logits``.
    """

    def __init__(self, folder: Path, *, device: Device = "cpu", threads: int = 0) -> None:
        """Raises ``RuntimeUnavailableError`` where there is no such device."""
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeUnavailableError(
                f"PyTorch {torch.__version__} finds no CUDA GPU; run it where nvidia-smi shows "
                "one, with a CUDA build of torch"
            )
        self.card = Card.read(folder)
        self._encode = encoder_of(folder, self.card)
        if threads:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
        takes = inspect.signature(model.forward).parameters
        known = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")
        self._inputs = [name for name in known if name in takes]
        self._forward = self.forward_of(model.eval().to(self._device))

    @abstractmethod
    def forward_of(self, model: torch.nn.Module) -> Callable[..., Any]:
        """What is called for each batch, with the inputs by name."""

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """What the model takes."""
        return self._encode(examples)

    @torch.inference_mode()
    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """(B, C)."""
        inputs = {name: torch.from_numpy(encoded[name]).to(self._device) for name in self._inputs}
        found: NDArray[np.float32] = self._forward(**inputs).logits.cpu().numpy()
        return found
