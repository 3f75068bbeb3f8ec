"""The reigning champion, to be measured beside its challengers."""

from collections.abc import Sequence

from distillery.nouns import Candidate, Dataset
from distillery.registry import champions
from tasks.step import fresh_step


@fresh_step
def fetch_champion(
    model: str, dataset: Dataset, challengers: Sequence[Candidate]
) -> Candidate | None:
    """None where there is no champion, it is among the challengers, or it knows other labels."""
    return champions.fetch(model, dataset, challengers)
