"""The teacher's outputs over the training texts, once for all students."""

from distillery.nouns import Checkpoint, Dataset, SoftLabels
from tasks.step import cached_step, recorded


@cached_step
def compute_soft_labels(teacher: Checkpoint, dataset: Dataset) -> SoftLabels:
    """Logits, found by the content of the texts."""
    from distillery import signals  # loads torch

    with recorded("soft-labels") as run:
        soft_labels = signals.compute(teacher, dataset)
        run.metrics({"rows": soft_labels.rows, "classes": soft_labels.classes})
        return soft_labels
