"""The classes in which recall moved most from the teacher's."""

from collections.abc import Sequence

import numpy as np

from distillery.nouns import Findings
from distillery.report.class_changes import ClassChange, class_changes
from distillery.report.plots.colours import GAINED, INK, LOSS, MUTED
from distillery.report.plots.figure import as_svg, new_figure, titles
from distillery.report.plots.series import shortened

_MOST_CLASS_LOSSES, _MOST_CLASS_GAINS = 10, 5


def svg(findings: Findings) -> str | None:
    """The classes in which recall moved most from the teacher's. None: in none did it move."""
    shown = most_changed(class_changes(findings))
    if not shown:
        return None
    figure, (axes,) = new_figure(8.6, 0.9 + 0.3 * len(shown))
    positions = np.arange(len(shown))[::-1]
    values = [100 * c.change for c in shown]
    axes.barh(positions, values, height=0.62, color=[LOSS if v < 0 else GAINED for v in values])
    # row counts stand at the label: a change of one row of thirty is 3.3 points
    axes.set_yticks(
        positions,
        [f"{shortened(c.label)} ({c.rows} rows)" for c in shown],
        parse_math=False,
        color=INK,
    )
    reach = max(abs(v) for v in values)
    left, right = min(0.0, *values), max(0.0, *values)
    axes.set_xlim(left - (0.42 * reach if left < 0 else 0), right + (0.42 * reach if right else 0))
    for position, change, value in zip(positions, shown, values, strict=True):
        axes.annotate(
            f"{change.teacher_recall:.0%} → {change.recall:.0%}",
            (value, position),
            xytext=(5 if value > 0 else -5, 0),
            textcoords="offset points",
            ha="left" if value > 0 else "right",
            va="center",
            fontsize=9,
            color=INK,
        )
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    titles(axes, "Change in recall against the teacher", "percentage points")
    told = "; ".join(f"{c.label}: {c.teacher_recall:.0%} to {c.recall:.0%}" for c in shown)
    return as_svg(figure, name="classes", told=f"Classes whose recall changed most. {told}.")


def most_changed(changes: Sequence[ClassChange]) -> list[ClassChange]:
    """The ten largest losses, then the five largest gains; worst first."""
    losses = [c for c in changes if c.change < 0][:_MOST_CLASS_LOSSES]
    gains = [c for c in changes if c.change > 0][-_MOST_CLASS_GAINS:]
    return losses + gains
