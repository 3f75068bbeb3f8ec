"""Export one checkpoint to ONNX."""

from distillery.data import preparation
from distillery.nouns import Candidate, Checkpoint, Dataset
from distillery.recipe import Export
from tasks.step import cached_step, recorded


@cached_step
def export_fp32(checkpoint: Checkpoint, dataset: Dataset, export: Export) -> Candidate:
    """ONNX fp32, fused, held against PyTorch on validation texts."""
    from distillery.export import candidates  # loads torch

    with recorded(f"export {checkpoint.name}") as run:
        texts, _ = preparation.read(dataset, "validation")
        candidate = candidates.fp32_candidate(checkpoint, texts, export, is_pair=dataset.is_pair)
        run.candidate(candidate)
    return candidate
