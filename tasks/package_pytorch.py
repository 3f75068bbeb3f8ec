"""The checkpoint itself, as the reference that every speed-up is counted from."""

from distillery.nouns import Candidate, Checkpoint, Dataset
from tasks.step import cached_step


@cached_step
def package_pytorch(checkpoint: Checkpoint, dataset: Dataset) -> Candidate:
    """A candidate that runs in PyTorch; nothing is converted."""
    from distillery.export import candidates  # loads torch

    return candidates.pytorch_candidate(checkpoint, is_pair=dataset.is_pair)
