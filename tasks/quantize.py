"""Quantize one exported candidate."""

from collections.abc import Sequence

from distillery.data import preparation
from distillery.nouns import Candidate, Dataset
from distillery.recipe import AnyQuantization, Export
from tasks.step import cached_step, recorded


@cached_step
def quantize(
    fp32: Candidate,
    dataset: Dataset,
    quantization: AnyQuantization,
    export: Export,
    cpu_flags: Sequence[str],
) -> Candidate:
    """In fewer bits, for a CPU with these flags, held against fp32 on validation texts."""
    from distillery.export import candidates  # loads torch

    with recorded(f"quantize {fp32.checkpoint_name} to {quantization.named(export.tables)}") as run:
        train, _ = preparation.read(dataset, "train")
        texts, _ = preparation.read(dataset, "validation")
        candidate = candidates.quantized_candidate(
            fp32, quantization, train, texts, export, cpu_flags
        )
        run.candidate(candidate)
    return candidate
