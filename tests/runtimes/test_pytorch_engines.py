"""The checkpoint eager and compiled, on the CPU and, where there is one, on a GPU."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from export import tiny

from distillery.benchmarking.padding import encoded
from distillery.errors import RuntimeUnavailableError
from distillery.measurements import Padding
from distillery.runtimes.base import Card
from distillery.runtimes.opening import open_engine

_TEXTS = ["move", "please move my money", "the weather to the bank now", "a b c d e f g h a b c"]


def _folder(tmp_path: Path, architecture: str) -> Path:
    tiny.save_checkpoint(tmp_path, architecture)
    Card(
        name=architecture, label_names=tiny.LABELS, max_length=24, is_pair=False, pad_token_id=0
    ).write(tmp_path)
    return tmp_path


# one graph, and one with parts that stay in Python
@pytest.mark.parametrize("architecture", ["distilbert", "bilstm"])
def test_compiled_answers_as_eager_and_no_request_waits_for_a_compiler(
    tmp_path: Path, architecture: str
) -> None:
    folder = _folder(tmp_path, architecture)
    eager = open_engine(folder, "pytorch", threads=1)
    compiled = open_engine(folder, "pytorch_compiled", threads=1)
    with torch.compiler.set_stance("fail_on_recompile"):
        for padding in get_args(Padding):
            for batch in ([_TEXTS[2]], _TEXTS[:2], _TEXTS, _TEXTS * 3):
                for inputs in encoded(compiled, batch, padding):
                    found, wanted = compiled.logits(inputs), eager.logits(inputs)
                    np.testing.assert_allclose(found, wanted, atol=1e-5)
                    assert found.shape == wanted.shape == (len(inputs["input_ids"]), 5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
@pytest.mark.parametrize("runtime", ["pytorch", "pytorch_compiled"])
def test_without_a_gpu_it_says_so_and_does_not_run_on_the_cpu(tmp_path: Path, runtime: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match="finds no CUDA GPU; run it where") as refused:
        open_engine(_folder(tmp_path, "distilbert"), runtime, device="cuda")
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA GPU here")
@pytest.mark.parametrize("runtime", ["pytorch", "pytorch_compiled"])
def test_on_a_gpu_it_answers_as_on_the_cpu(tmp_path: Path, runtime: str) -> None:
    folder = _folder(tmp_path, "distilbert")
    wanted = open_engine(folder, "pytorch", threads=1).predict(_TEXTS)
    torch.cuda.reset_peak_memory_stats()
    found = open_engine(folder, runtime, device="cuda", threads=1).predict(_TEXTS)
    assert torch.cuda.max_memory_allocated() > 0
    np.testing.assert_allclose(found, wanted, atol=1e-3)
