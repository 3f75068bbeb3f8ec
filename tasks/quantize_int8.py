"""Quantize one exported candidate."""

from collections.abc import Sequence

from distillery.data import preparation
from distillery.nouns import Candidate, Dataset
from distillery.recipe import Export
from tasks.step import cached_step, recorded


@cached_step
def quantize_int8(
    fp32: Candidate, dataset: Dataset, export: Export, cpu_flags: Sequence[str]
) -> Candidate:
    """ONNX int8 for a CPU with these flags, held against fp32 on validation texts."""
    from distillery.export import candidates  # loads torch

    with recorded(f"quantize {fp32.checkpoint_name}") as run:
        texts, _ = preparation.read(dataset, "validation")
        candidate = candidates.int8_candidate(fp32, texts, export, cpu_flags)
        run.candidate(candidate)
    return candidate
