"""A temperature study: a row a setting, over its seeds, and its table for the terminal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean

from rich.table import Table

from distillery.nouns import StudiedTemperatures, StudyRun
from distillery.report import units


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One accuracy a seed: their mean, and from where to where they reach."""

    mean: float
    lowest: float
    highest: float


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One setting of a temperature study, over its seeds."""

    loss: str
    temperature: float | None
    share_ce: float
    seeds: int
    validation: Spread
    test: Spread
    is_chosen: bool  # highest mean on validation, the control apart; of equal ones the first


def study_rows(study: StudiedTemperatures) -> list[StudyRow]:
    """By share, temperatures rising to their limit; the control last."""
    found: list[StudyRow] = []
    for loss, runs in (
        ("soft targets", study.variants),
        ("logit matching", study.limits),
        ("hard labels", study.controls),
    ):
        found += [_study_row(loss, of) for of in _by_setting(runs)]
    tried = [row for row in found if row.loss != "hard labels"]
    best = max(tried, key=lambda row: row.validation.mean, default=None)
    # stable: temperatures, then their limit
    return [
        replace(row, is_chosen=row is best) for row in sorted(found, key=lambda row: row.share_ce)
    ]


def _by_setting(runs: Sequence[StudyRun]) -> list[list[StudyRun]]:
    def setting(run: StudyRun) -> tuple[float, float]:
        return run.share_ce, run.temperature or 0.0

    return [list(same) for _, same in groupby(sorted(runs, key=setting), setting)]


def _study_row(loss: str, runs: Sequence[StudyRun]) -> StudyRow:
    def over_seeds(accuracies: Sequence[float]) -> Spread:
        return Spread(mean=fmean(accuracies), lowest=min(accuracies), highest=max(accuracies))

    return StudyRow(
        loss=loss,
        temperature=runs[0].temperature,
        share_ce=runs[0].share_ce,
        seeds=len(runs),
        validation=over_seeds([run.validation_accuracy for run in runs]),
        test=over_seeds([run.test_accuracy for run in runs]),
        is_chosen=False,
    )


def study_table(rows: Sequence[StudyRow]) -> Table:
    """A temperature study for a terminal of 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    table.add_column("loss", no_wrap=True)
    for heading in ("T", "CE share", "validation", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.loss,
            units.NOT_KNOWN if row.temperature is None else f"{row.temperature:g}",
            f"{row.share_ce:g}",
            spread(row.validation),
            spread(row.test),
            style="bold" if row.is_chosen else "dim" if row.loss == "hard labels" else "",
        )
    return table


def spread(of: Spread) -> str:
    """``91.2% (90.8 to 91.5)``; one number where all seeds agree, or there is only one."""
    if of.lowest == of.highest:
        return units.percent(of.mean)
    return f"{units.percent(of.mean)} ({100 * of.lowest:.1f} to {100 * of.highest:.1f})"


def sampling_noise(study: Sequence[StudyRow], rows: int) -> float:
    """How far one accuracy of a study may be off by the draw of its rows: half of a 95 % interval.

    The normal approximation, at the mean of what was found.
    """
    if not study or not rows:
        return 0.0
    accuracy = fmean(row.test.mean for row in study)
    return 1.96 * math.sqrt(accuracy * (1 - accuracy) / rows)
