"""Two distributions compared: what a model learned from, and what it is asked and answers. Pure.

Rows are counted in cells (labels, or lengths). T rows of training, S rows seen, B cells.
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from distillery.noun import Noun

Aspect = Literal["classes", "lengths"]

_LEAST_EXPECTED = 5.0
_OTHERS = "all others"


class Drift(Noun):
    """From when on what is served differs too much from what was learned."""

    rows_min: int = Field(
        default=200,
        ge=20,
        le=10_000_000,
        title="Rows",
        description="Seen since the last comparison; fewer are added to the next one.",
    )
    stability_index_max: float = Field(
        default=0.25,
        gt=0,
        le=100,
        title="Population stability index",
        description="Of classes and of input lengths, less what chance alone would show. 0.1 is "
        "commonly called a small shift, 0.25 a large one.",
    )
    significance: float = Field(
        default=0.001,
        gt=0,
        le=0.5,
        title="Significance",
        description="A shift counts only where equal distributions would show it more rarely "
        "than this (χ² test).",
    )
    accuracy_drop_max: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        title="Drop in accuracy",
        description="On rows whose labels came later, against the test split; of scores, in "
        "Spearman's ρ. It counts where the whole 95 % interval of the drop lies beyond.",
    )
    labelled_rows_min: int = Field(
        default=50, ge=10, le=10_000_000, title="Labelled rows", description="Fewer are not judged."
    )


class Cell(Noun):
    """One label, or one class of lengths."""

    name: str
    trained: int
    seen: int


class Shift(Noun):
    """How far one distribution moved."""

    aspect: Aspect
    rows: int = Field(description="Seen.")
    cells: tuple[Cell, ...] = Field(description="Those with too few rows are one cell.")
    stability_index: float
    stability_index_by_chance: float = Field(
        description="What it is on average where nothing moved."
    )
    divergence_bits: float = Field(description="Jensen–Shannon; 0 equal, 1 nothing in common.")
    p_value: float
    crossed: str | None = Field(description="Why it is an alarm, in words; None where it is none.")


def compare(
    aspect: Aspect, trained: Mapping[str, int], seen: Mapping[str, int], limits: Drift
) -> Shift:
    """Hold what was seen against what was learned; either may lack a cell of the other.

    The population stability index (Siddiqi, 2006) is Σ (s − t) ln(s / t) over shares. We add half a
    row to each cell, since one without rows would make it infinite. Where nothing moved it is about
    (B − 1)(1/T + 1/S) (Yurdakul & Naranjo, 2020): 0.75 for 151 labels and 200 rows. The limit is
    held against what exceeds that, which the usual reading leaves out.
    Whether chance explains it is Pearson's χ² test of homogeneity of the two rows of counts; cells
    that would expect fewer than 5 rows are taken together (Cochran, 1954).
    The Jensen–Shannon divergence (Lin, 1991) goes along, since it is bounded.

    Raises ``ValueError`` where either has no rows.
    """
    T, S = sum(trained.values()), sum(seen.values())
    if not T or not S:
        raise ValueError(f"{aspect}: nothing to compare: {T} rows trained, {S} rows seen")
    cells = _cells(trained, seen)
    index, by_chance = _stability_index(cells), (len(cells) - 1) * (1 / T + 1 / S)
    p_value = _p_value(cells)
    excess = index - by_chance
    far = excess > limits.stability_index_max and p_value < limits.significance
    return Shift(
        aspect=aspect,
        rows=S,
        cells=cells,
        stability_index=index,
        stability_index_by_chance=by_chance,
        divergence_bits=_divergence_bits(cells),
        p_value=p_value,
        crossed=(
            f"{aspect} moved: PSI {excess:.2f} beyond chance is over {limits.stability_index_max:g}"
            f" on {S:,} rows (p {_written(p_value)}), most of all {_most_moved(cells)}"
            if far and limits.rows_min <= S
            else None
        ),
    )


def _cells(trained: Mapping[str, int], seen: Mapping[str, int]) -> tuple[Cell, ...]:
    found = [
        Cell(name=name, trained=trained.get(name, 0), seen=seen.get(name, 0))
        for name in dict.fromkeys([*trained, *sorted(set(seen) - set(trained))])
        if trained.get(name, 0) + seen.get(name, 0)
    ]
    T, S = sum(trained.values()), sum(seen.values())
    share = min(T, S) / (T + S)

    def is_small(cell: Cell) -> bool:
        return (cell.trained + cell.seen) * share < _LEAST_EXPECTED

    large = [cell for cell in found if not is_small(cell)]
    small = [cell for cell in found if is_small(cell)]
    if len(small) == 1:
        large, small = large + small, []
    if not small:
        return tuple(large)
    others = Cell(
        name=_OTHERS,
        trained=sum(cell.trained for cell in small),
        seen=sum(cell.seen for cell in small),
    )
    if is_small(others) and large:
        least = min(large, key=lambda cell: cell.trained + cell.seen)
        large.remove(least)
        others = others.model_copy(
            update={"trained": others.trained + least.trained, "seen": others.seen + least.seen}
        )
    return (*large, others)


def _shares(cells: tuple[Cell, ...]) -> list[tuple[float, float]]:
    """(trained, seen) of each cell, none of them 0."""
    half = len(cells) / 2
    T = sum(cell.trained for cell in cells) + half
    S = sum(cell.seen for cell in cells) + half
    return [((cell.trained + 0.5) / T, (cell.seen + 0.5) / S) for cell in cells]


def _stability_index(cells: tuple[Cell, ...]) -> float:
    return sum((s - t) * math.log(s / t) for t, s in _shares(cells))


def _divergence_bits(cells: tuple[Cell, ...]) -> float:
    T, S = sum(cell.trained for cell in cells), sum(cell.seen for cell in cells)
    shares = [(cell.trained / T, cell.seen / S) for cell in cells]
    return sum(
        share / 2 * math.log2(2 * share / (t + s)) for t, s in shares for share in (t, s) if share
    )


def _p_value(cells: tuple[Cell, ...]) -> float:
    from scipy.special import gammaincc

    if len(cells) < 2:
        return 1.0
    T, S = sum(cell.trained for cell in cells), sum(cell.seen for cell in cells)
    statistic = 0.0
    for cell in cells:
        both = cell.trained + cell.seen
        for found, total in ((cell.trained, T), (cell.seen, S)):
            expected = both * total / (T + S)
            statistic += (found - expected) ** 2 / expected if expected else 0.0
    # the upper tail of χ² with B − 1 degrees of freedom
    return float(gammaincc((len(cells) - 1) / 2, statistic / 2))


def _most_moved(cells: tuple[Cell, ...]) -> str:
    T, S = sum(cell.trained for cell in cells), sum(cell.seen for cell in cells)
    most = max(cells, key=lambda cell: abs(cell.seen / S - cell.trained / T))
    return f"'{most.name}': {most.trained / T:.1%} → {most.seen / S:.1%}"


def _written(p_value: float) -> str:
    return f"= {p_value:.3f}" if p_value >= 0.001 else "< 0.001"
