"""What a million predictions cost, against how long one takes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from distillery.report import units
from distillery.report.benchmark import plots
from distillery.report.plots import labels
from distillery.report.plots.colours import MUTED, PAPER
from distillery.report.plots.figure import (
    as_svg,
    legend,
    milliseconds_axis,
    new_figure,
    titles,
)
from distillery.report.plots.labels import Label, box_of_mark

if TYPE_CHECKING:
    from distillery.report.benchmark.instances import InstanceRow

_RADIUS = 5.5
_ROOM = 1.6


def svg(rows: "Sequence[InstanceRow]") -> str | None:
    """A mark a model and instance: filled on demand, hollow on the spot market. None: no costs."""
    points = [
        (row, row.p50_ms, row.cost_per_million_usd)
        for row in rows
        if row.p50_ms and row.cost_per_million_usd
    ]
    if not points:
        return None
    targets = list(dict.fromkeys(row.target for row, _, _ in points))
    spots = [row.spot_cost_per_million_usd for row, _, _ in points if row.spot_cost_per_million_usd]
    figure, (axes,) = new_figure(8.6, 4.3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    latencies, costs = [x for _, x, _ in points], [y for _, _, y in points] + spots
    axes.set_xlim(min(latencies) / _ROOM, max(latencies) * _ROOM)
    axes.set_ylim(min(costs) / _ROOM, max(costs) * _ROOM)
    milliseconds_axis(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: units.dollars(y)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    titles(axes, "A million predictions, log scale", "median latency, log scale")
    legend(
        figure,
        [
            Line2D([], [], color=MUTED, marker="o", linestyle="", label="on demand"),
            Line2D(
                *([], []),
                color=MUTED,
                marker="o",
                markerfacecolor=PAPER,
                linestyle="",
                label="spot",
            ),
        ],
    )
    figure.draw_without_rendering()  # the layout must stand before names are placed on it
    for row, x, y in points:
        colour = plots.colour(targets.index(row.target))
        size = 3.14 * _RADIUS**2
        axes.scatter(x, y, s=size, facecolor=colour, edgecolor=PAPER, zorder=4)
        if row.spot_cost_per_million_usd:
            axes.scatter(
                *(x, row.spot_cost_per_million_usd),
                s=size,
                facecolor=PAPER,
                edgecolor=colour,
                zorder=3,
            )
    names = [
        Label(
            name=f"{plots.short(row.model)} on {row.target.removeprefix('aws:')}",
            at=(x, y),
            radius=_RADIUS,
            is_winner=row.is_recommended,
        )
        for row, x, y in points
    ]
    labels.place(axes, names, [box_of_mark(axes, one.at, one.radius) for one in names])
    told = "; ".join(
        f"{row.model} on {row.target}: {units.dollars(y)} at {units.milliseconds(x)}"
        for row, x, y in points
    )
    return as_svg(figure, name="costs", told=f"Cost of a million against latency. {told}.")
