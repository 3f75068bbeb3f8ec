"""Live accuracy, or Spearman's ρ of scores, against the test split's. Pure."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from distillery import intervals
from distillery.correlation import spearman
from distillery.monitoring.drift import Drift
from distillery.noun import Noun


class LiveMerit(Noun):
    """How good the answers were on rows whose labels came later."""

    measure: Literal["accuracy", "spearman"]
    rows: int
    merit: float
    interval: tuple[float, float] = Field(description="95 %.")
    tested: float = Field(description="The same on the test split.")
    drop_interval: tuple[float, float] = Field(description="Of tested − merit, 95 %.")
    unknown_labels: tuple[str, ...] = Field(
        default=(), description="Labels that the model does not know: all such rows count as wrong."
    )
    crossed: str | None = Field(description="Why it is an alarm, in words; None where it is none.")


def of_labels(
    answers: Sequence[str],
    labels: Sequence[str],
    known: Sequence[str],
    *,
    tested: float,
    tested_rows: int,
    limits: Drift,
) -> LiveMerit:
    """Accuracy, with Wilson's interval. One answer a label. Raises ``ValueError`` without rows."""
    right = sum(answer == label for answer, label in zip(answers, labels, strict=True))
    rows = len(labels)
    merit = right / rows if rows else 0.0
    interval = intervals.of_share(merit, rows)
    drop = intervals.of_difference(tested, intervals.of_share(tested, tested_rows), merit, interval)
    return LiveMerit(
        measure="accuracy",
        rows=rows,
        merit=merit,
        interval=interval,
        tested=tested,
        drop_interval=drop,
        unknown_labels=tuple(sorted(set(labels) - set(known))),
        crossed=_crossed("accuracy", merit, tested, drop, rows, limits),
    )


def of_scores(
    answers: Sequence[float],
    scores: Sequence[float],
    *,
    tested: float,
    tested_rows: int,
    limits: Drift,
) -> LiveMerit:
    """Spearman's ρ. One answer a score."""
    rows = len(scores)
    rho = spearman(answers, scores) if rows > 1 else 0.0
    interval = intervals.of_spearman(rho, rows)
    drop = intervals.of_difference(
        tested, intervals.of_spearman(tested, tested_rows), rho, interval
    )
    return LiveMerit(
        measure="spearman",
        rows=rows,
        merit=rho,
        interval=interval,
        tested=tested,
        drop_interval=drop,
        crossed=_crossed("Spearman's ρ", rho, tested, drop, rows, limits),
    )


def _crossed(
    name: str, merit: float, tested: float, drop: tuple[float, float], rows: int, limits: Drift
) -> str | None:
    if rows < limits.labelled_rows_min or drop[0] <= limits.accuracy_drop_max:
        return None
    return (
        f"{name} fell from {tested:.4g} on the test split to {merit:.4g} on {rows:,} labelled "
        f"rows: a drop of at least {drop[0]:.3f} (95 %) is over {limits.accuracy_drop_max:g}"
    )
