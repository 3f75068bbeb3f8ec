"""The trade-offs of one target, drawn beside each other, each with its Pareto front."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from distillery.report import units
from distillery.report.benchmark import plots
from distillery.report.benchmark.rows import ModelRow
from distillery.report.benchmark.trade_offs import TradeOff, trade_offs
from distillery.report.plots import fronts, labels
from distillery.report.plots.colours import MUTED, PAPER
from distillery.report.plots.figure import (
    as_svg,
    legend,
    merit_axis,
    milliseconds_axis,
    new_figure,
    titles,
)
from distillery.report.plots.labels import Label, box_of_mark

_TITLES = {
    "size_bytes": "Size, log scale",
    "accuracy": "Accuracy",
    "spearman": "Spearman ρ",
}
_RADIUS = 5.5
_FAR_APART, _FEW_TICKS = 5, 40


def svg(rows: Sequence[ModelRow]) -> str | None:
    """Of one target. None: there is nothing to trade."""
    found = trade_offs(rows)
    if not found:
        return None
    place = {row.model: i for i, row in enumerate(rows)}
    figure, every = new_figure(8.6, 4.3, columns=len(found))
    for axes, one in zip(every, found, strict=True):
        _prepare(axes, one)
    legend(figure, [Line2D([], [], color=MUTED, linestyle=fronts.DASHES, label="best trade-offs")])
    figure.draw_without_rendering()  # the layout must stand before names are placed on it
    for axes, one in zip(every, found, strict=True):
        for model, (x, y) in one.points.items():
            axes.scatter(
                x,
                y,
                s=3.14 * _RADIUS**2,
                facecolor=plots.colour(place[model]),
                marker=plots.mark(place[model]),
                edgecolor=PAPER,
                zorder=4,
            )
        names = [
            Label(name=plots.short(model), at=point, radius=_RADIUS, is_winner=False)
            for model, point in one.points.items()
        ]
        taken = fronts.draw(axes, one.front)
        labels.place(axes, names, taken + [box_of_mark(axes, n.at, n.radius) for n in names])
    told = ". ".join(
        f"By {_TITLES[one.against].removesuffix(', log scale').lower()} the best trade-offs are "
        f"{', '.join(one.best)}"
        for one in found
    )
    return as_svg(
        figure,
        name=plots.own_name("pareto", rows[0].target),
        told=f"Median latency against what it costs. {told}.",
    )


def _prepare(axes: Axes, found: TradeOff) -> None:
    """Scales with room for names around the points, which are not drawn yet."""
    latencies = [x for x, _ in found.points.values()]
    values = [y for _, y in found.points.values()]
    fastest, slowest = min(latencies), max(latencies)
    is_log = slowest > _FAR_APART * fastest
    if is_log:
        axes.set_xscale("log")
        room = (slowest / fastest) ** 0.25
        axes.set_xlim(fastest / room, slowest * room)
    else:
        room = max(0.25 * (slowest - fastest), 0.1 * slowest)
        axes.set_xlim(max(0.0, fastest - room), slowest + room)
    milliseconds_axis(axes)
    # half of the page is too narrow for as many ticks as a plot has
    low_x, high_x = axes.get_xlim()
    axes.xaxis.set_major_locator(
        (LogLocator(subs=(1, 2, 5) if high_x < _FEW_TICKS * low_x else (1,)))
        if is_log
        else MaxNLocator(4)
    )
    low, high = min(values), max(values)
    if found.against == "size_bytes":
        axes.set_yscale("log")
        room = max((high / low) ** 0.2, 1.3)
        axes.set_ylim(low / room, high * room)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: units.size(y)))
    else:
        room = max(0.2 * (high - low), 0.004)
        axes.set_ylim(low - room, high + room)
        merit_axis(axes, "class" if found.against == "accuracy" else "score")
    titles(axes, _TITLES[found.against], f"median latency{', log scale' if is_log else ''}")
