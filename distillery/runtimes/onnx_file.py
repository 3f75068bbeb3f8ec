"""ONNX Runtime with a graph that distillery did not make: only its cost is asked for.

The folder holds ``candidate.json``, ``graph.json`` (where the graph lies: its weights may stand in
files beside it) and ``tokenizer.json``. Without a tokenizer, a text is token ids, such as
``"101 7592 102"``.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distillery.runtimes.base import Card, Device, Encoded, Engine, Example, encoder_of
from distillery.runtimes.onnx_cuda_session import open_cuda_session
from distillery.runtimes.onnx_session import open_session

_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class OnnxFile(Engine):
    """Takes some of input_ids, attention_mask and token_type_ids, as int64 or int32."""

    def __init__(self, folder: Path, *, device: Device = "cpu", threads: int = 0) -> None:
        self.card = Card.read(folder)
        has_tokenizer = (folder / "tokenizer.json").is_file()
        self._encode = encoder_of(folder, self.card) if has_tokenizer else _ids
        graph = json.loads((folder / "graph.json").read_text(encoding="utf-8"))["path"]
        opened = open_cuda_session if device == "cuda" else open_session
        # on a rented machine it lies in the folder itself
        self._session = opened(folder / graph, threads)
        self._dtypes = {node.name: _DTYPES[node.type] for node in self._session.get_inputs()}

    def encode(self, examples: Sequence[Example]) -> Encoded:
        """What the graph takes."""
        return self._encode(examples)

    def logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """The graph's first output, whatever its shape and meaning."""
        inputs = {
            name: encoded[name].astype(dtype, copy=False) for name, dtype in self._dtypes.items()
        }
        return np.asarray(self._session.run(None, inputs)[0], dtype=np.float32)


def _ids(examples: Sequence[Example]) -> Encoded:
    """Rows of one length, (B, S)."""
    ids = np.array([str(example).split() for example in examples], dtype=np.int64)
    return {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }
