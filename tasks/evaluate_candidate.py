"""Quality of one candidate on the full test split."""

from distillery import evaluation
from distillery.nouns import Candidate, Dataset, Quality
from tasks.step import cached_step, recorded


@cached_step
def evaluate_candidate(candidate: Candidate, dataset: Dataset) -> Quality:
    """The exported artifact itself is evaluated, not the checkpoint it came from."""
    with recorded(f"evaluate {candidate.name} {candidate.digest[:8]}") as run:
        quality = evaluation.evaluate(candidate, dataset)
        run.metrics(
            {
                "accuracy": quality.accuracy,
                "macro_f1": quality.macro_f1,
                "spearman": quality.spearman,
                "pearson": quality.pearson,
            }
        )
        return quality
