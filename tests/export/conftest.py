"""Each tiny architecture is exported and fused once a session."""

from collections.abc import Callable
from pathlib import Path

import pytest

from distillery.export import fusion, pytorch_to_onnx

from . import tiny

Made = Callable[[str], Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Architecture → a folder with its checkpoint, ``traced.onnx`` and ``fused.onnx``."""
    folders: dict[str, Path] = {}

    def make(architecture: str) -> Path:
        if architecture not in folders:
            folder = tiny.save_checkpoint(tmp_path_factory.mktemp(architecture), architecture)
            pytorch_to_onnx.export(folder, folder / "traced.onnx")
            shape = tiny.config(architecture)
            fusion.fuse(
                folder / "traced.onnx",
                folder / "fused.onnx",
                heads=shape.num_attention_heads,
                hidden_size=shape.hidden_size,
                layers=shape.num_hidden_layers,
            )
            folders[architecture] = folder
        return folders[architecture]

    return make
