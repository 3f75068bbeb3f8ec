"""Neuron's engine with a tracer that compiles nothing: buckets, filling up, and what is missing.

The compiler and the device are on AWS alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export import tiny

from distillery.errors import RuntimeUnavailableError
from distillery.runtimes.base import Card
from distillery.runtimes.neuron import Neuron
from distillery.runtimes.opening import open_engine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny.save_checkpoint(tmp_path_factory.mktemp("neuron"), "bert")
    Card(
        name="tiny", label_names=("no", "yes"), max_length=24, is_pair=False, pad_token_id=0
    ).write(made)
    return made


def test_inputs_are_filled_up_to_compiled_sizes_and_answers_are_the_same(folder: Path) -> None:
    compiled: list[tuple[int, ...]] = []
    asked: list[tuple[int, ...]] = []

    def tracer(module: torch.nn.Module, examples: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
        compiled.append(tuple(examples[0].shape))

        def graph(*inputs: torch.Tensor) -> torch.Tensor:
            assert {one.shape for one in inputs} == {examples[0].shape}
            asked.append(tuple(inputs[0].shape))
            with torch.inference_mode():
                found: torch.Tensor = module(*inputs)
                return found

        return graph

    engine = Neuron(folder, tracer=tracer)
    assert sorted(compiled) == [(1, 16), (1, 24), (8, 16), (8, 24)]
    eager = open_engine(folder, "pytorch")
    short, long = "a", " ".join(["word"] * 40)
    for texts, sizes in (
        ([short], [(1, 16)]),
        ([long], [(1, 24)]),
        ([short] * 9 + [long], [(8, 24), (8, 24)]),
    ):
        asked.clear()
        found = engine.logits(engine.encode(texts))
        assert asked == sizes
        np.testing.assert_allclose(found, eager.logits(eager.encode(texts)), atol=1e-5)


def test_without_neuron_it_says_what_is_missing(folder: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match="no Neuron compiler can be loaded") as told:
        open_engine(folder, "neuron", device="neuron")
    assert "torch_neuronx" in str(told.value)
    assert "torch_neuron:" in str(told.value)
