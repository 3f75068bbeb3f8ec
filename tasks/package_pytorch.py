"""A checkpoint itself, or the teachers together: what every speed-up is counted from."""

from distillery.nouns import Candidate, Dataset, Ensemble, Teacher
from tasks.step import cached_step


@cached_step
def package_pytorch(teacher: Teacher, dataset: Dataset) -> Candidate:
    """A candidate that runs in PyTorch; nothing is converted."""
    from distillery.export import candidates, ensemble  # loads torch

    if isinstance(teacher, Ensemble):
        return ensemble.ensemble_candidate(teacher, is_pair=dataset.is_pair)
    return candidates.pytorch_candidate(teacher, is_pair=dataset.is_pair)
