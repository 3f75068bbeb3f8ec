"""The teacher's outputs over texts, once for all students."""

from distillery.data import corpora, preparation
from distillery.nouns import Checkpoint, Corpus, Dataset, SoftLabels
from tasks.step import cached_step, recorded


@cached_step
def compute_soft_labels(teacher: Checkpoint, texts: Dataset | Corpus) -> SoftLabels:
    """Logits over the training rows, or over a corpus, found by the content of the texts."""
    from distillery.signals import soft_labels as cache  # loads torch

    with recorded(f"soft-labels {teacher.name} {texts.digest[:8]}") as run:
        rows = (
            corpora.read(texts)
            if isinstance(texts, Corpus)
            else preparation.read(texts, "train")[0]
        )
        soft_labels = cache.compute(teacher, rows, texts.digest)
        run.metrics({"rows": soft_labels.rows, "classes": soft_labels.classes})
        return soft_labels
