"""Median latency over threads, and throughput over the cores in use, a line a candidate."""

from collections.abc import Callable, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from distillery.report import units
from distillery.report.plots.colours import PAPER, SERIES
from distillery.report.plots.figure import as_svg, legend, new_figure, titles
from distillery.report.plots.series import shortened
from distillery.report.search import SearchRow

LineStyle = Literal["-", "--", ":", "-."]

_STYLES: tuple[LineStyle, ...] = ("-", "--", ":", "-.")


def svg(rows: Sequence[SearchRow]) -> str:
    """Filled marks were measured in full, hollow ones in the screening alone."""
    told = "; ".join(
        f"{row.candidate}, {row.instances} × {row.threads} threads: "
        f"{units.milliseconds(row.p50_ms)}, {units.count(row.rows_per_second)} rows/s"
        for row in rows
    )
    return as_svg(
        _drawn(rows),
        name="configurations",
        told=f"Latency over threads, throughput over cores. {told}.",
    )


def _drawn(rows: Sequence[SearchRow]) -> Figure:
    figure, (left, right) = new_figure(8.6, 4.6, columns=2)
    names = list(dict.fromkeys(row.candidate for row in rows))
    handles = []
    for i, name in enumerate(names):
        colour = SERIES[i % len(SERIES)]
        style = _STYLES[i // len(SERIES) % len(_STYLES)]
        own = [row for row in rows if row.candidate == name]
        alone = sorted((row for row in own if row.instances == 1), key=lambda row: row.threads)
        _line(left, alone, lambda row: row.threads, lambda row: row.p50_ms, colour, style)
        for instances in sorted({row.instances for row in own}):
            of_same = sorted(
                (row for row in own if row.instances == instances), key=lambda row: row.cores
            )
            _line(
                right,
                of_same,
                lambda row: row.cores,
                lambda row: row.rows_per_second,
                colour,
                style,
                mark="o" if instances == 1 else "D",
            )
        handles.append(
            Line2D([], [], color=colour, linestyle=style, marker="o", label=shortened(name))
        )
    for axes, counts in (
        (left, {row.threads for row in rows}),
        (right, {row.cores for row in rows}),
    ):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(sorted(counts)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.15)
    left.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.4g} ms"))
    right.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}"))
    titles(left, "p50, one instance", "threads")
    titles(right, "Rows a second", "cores in use: instances × threads")
    legend(figure, handles, columns=3)
    return figure


def _line(
    axes: Axes,
    rows: Sequence[SearchRow],
    x: Callable[[SearchRow], float],
    y: Callable[[SearchRow], float],
    colour: str,
    style: LineStyle,
    mark: str = "o",
) -> None:
    axes.plot(
        [x(row) for row in rows], [y(row) for row in rows], color=colour, linestyle=style, lw=1.4
    )
    for row in rows:
        axes.plot(
            [x(row)],
            [y(row)],
            marker=mark,
            markersize=5.5,
            color=colour,
            markerfacecolor=colour if row.in_full else PAPER,
            linestyle="",
        )
