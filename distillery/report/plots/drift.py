"""Shares of labels and of input lengths: in training, and since they were last compared."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from distillery.monitoring.drift import Cell, Shift
from distillery.monitoring.watching import Watched
from distillery.report.plots.colours import ROLES
from distillery.report.plots.figure import as_png, legend, new_figure, percent_axis, titles

_MOST_BARS = 12
_TRAINED, _SEEN = ROLES["teacher"], ROLES["student"]


def png(watched: Watched) -> bytes | None:
    """None where no distribution was compared."""
    if not watched.shifts:
        return None
    height = 1.6 + 0.34 * max(min(len(shift.cells), _MOST_BARS) for shift in watched.shifts)
    figure, panels = new_figure(5.2 * len(watched.shifts), height, len(watched.shifts))
    for axes, shift in zip(panels, watched.shifts, strict=True):
        _bars(axes, shift)
    _keys(figure)
    return as_png(figure)


def _bars(axes: Axes, shift: Shift) -> None:
    trained = sum(cell.trained for cell in shift.cells)
    seen = sum(cell.seen for cell in shift.cells)

    def moved(cell: Cell) -> float:
        return abs(cell.seen / seen - cell.trained / trained)

    shown = shift.cells
    below = f"{shift.rows:,} rows seen"
    if shift.aspect == "classes":  # lengths have an order of their own
        shown = tuple(sorted(shown, key=moved, reverse=True)[:_MOST_BARS])
    if len(shown) < len(shift.cells):
        below += f"; the {len(shown)} of {len(shift.cells)} that moved most"
    places = range(len(shown))
    axes.barh(
        [place - 0.19 for place in places],
        [cell.trained / trained for cell in shown],
        height=0.36,
        color=_TRAINED,
    )
    axes.barh(
        [place + 0.19 for place in places],
        [cell.seen / seen for cell in shown],
        height=0.36,
        color=_SEEN,
    )
    axes.set_yticks(list(places), [cell.name[:28] for cell in shown])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(percent_axis())
    moved_too_far = ", over the limit" if shift.crossed else ""
    titles(axes, f"{shift.aspect}: PSI {shift.stability_index:.2f}{moved_too_far}", below)


def _keys(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=colour, linewidth=6, label=name)
        for colour, name in ((_TRAINED, "in training"), (_SEEN, "seen"))
    ]
    legend(figure, handles)
