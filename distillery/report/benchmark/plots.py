"""A benchmark's figures: a colour and mark a model, a line style a padding. One target each."""

import re
from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from distillery.measurements import Measurement, Padding
from distillery.report import units
from distillery.report.plots import cumulative
from distillery.report.plots.colours import LIMIT, MUTED, SERIES
from distillery.report.plots.cumulative import Curve, LineStyle
from distillery.report.plots.figure import as_svg, legend, new_figure, titles

_NAME_LENGTH = 30
_MARKS = "os^Dv"
_STYLES: dict[Padding, LineStyle] = {
    "longest_of_batch": "-",
    "natural": "--",
    "max_length": ":",
}


def latency_distributions(measurements: Sequence[Measurement]) -> str:
    """The share of single requests answered within a time."""
    curves = [
        Curve(
            name=_name(measured, stream.padding),
            latencies_ms=stream.latencies_ms,
            colour=colour(i),
            style=_STYLES[stream.padding],
        )
        for i, measured in enumerate(measurements)
        for stream in measured.single_stream
    ]
    told = "; ".join(
        f"{curve.name}: half within {units.milliseconds(median(curve.latencies_ms))}"
        for curve in curves
    )
    return cumulative.svg(curves, told, name=own_name("latencies", measurements[0].target))


def throughput_against_batch(measurements: Sequence[Measurement]) -> str:
    """Median rows a second by batch size, end to end and of the model alone."""
    figure, (end_to_end, model_only) = new_figure(8.6, 3.9, columns=2)
    sizes = sorted({batches.batch_size for m in measurements for batches in m.offline})
    handles = []
    for i, measured in enumerate(measurements):
        for stream in measured.single_stream:
            of = [b for b in measured.offline if b.padding == stream.padding]
            x = [batches.batch_size for batches in of]
            name, style = _name(measured, stream.padding), _STYLES[stream.padding]
            both = [median(batches.rows_per_second) for batches in of]
            model = [median(batches.model_rows_per_second) for batches in of]
            handles.append(_line(end_to_end, i, x, both, name, style))
            _line(model_only, i, x, model, name, style)
    for axes, title in (
        (end_to_end, "Rows/s, end to end"),
        (model_only, "Rows/s, the model alone"),
    ):
        titles(axes, title, "rows a batch")
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
        axes.set_ylim(bottom=0)
    legend(figure, handles)
    told = "; ".join(
        f"{m.candidate_name}: at most {units.count(m.rows_per_second)}" for m in measurements
    )
    return as_svg(
        figure,
        name=own_name("throughput", measurements[0].target),
        told=f"Rows a second by batch size. {told}.",
    )


def latency_against_rate(measurements: Sequence[Measurement]) -> str | None:
    """p99 and p50 by the rate at which requests come. None: no rate was tried."""
    loads = [(i, m, m.server) for i, m in enumerate(measurements) if m.server is not None]
    if not loads:
        return None
    figure, (axes,) = new_figure(8.6, 4.1)
    handles = []
    for i, measured, load in loads:
        points = sorted(load.points, key=lambda point: point.rate_per_second)
        x = [point.rate_per_second for point in points]
        name = short(measured.candidate_name)
        p99 = [point.p99_ms or float("nan") for point in points]
        p50 = [point.p50_ms or float("nan") for point in points]
        handles.append(_line(axes, i, x, p99, name, "-"))
        _line(axes, i, x, p50, name, ":")
    handles += [
        Line2D([], [], color=MUTED, label="p99"),
        Line2D([], [], color=MUTED, linestyle=":", label="p50"),
    ]
    _objective(axes, loads[0][2].p99_objective_ms)
    titles(axes, "Latency from the scheduled time, log scale", "requests a second")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.4g} ms"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(left=0)
    legend(figure, handles)
    told = "; ".join(
        f"{m.candidate_name}: the objective holds up to "
        f"{units.count(load.highest_rate_per_second)} requests a second"
        for _, m, load in loads
    )
    return as_svg(
        figure,
        name=own_name("rates", measurements[0].target),
        told=f"Latency by rate of arrivals. {told}.",
    )


def _line(
    axes: Axes, i: int, x: Sequence[float], y: Sequence[float], name: str, style: LineStyle
) -> Line2D:
    """Of the model at place i."""
    (line,) = axes.plot(
        x, y, color=colour(i), marker=mark(i), markersize=3.5, linestyle=style, label=name
    )
    return line


def _objective(axes: Axes, p99_objective_ms: float) -> None:
    axes.axhline(p99_objective_ms, color=LIMIT, linewidth=1, linestyle="--")
    axes.annotate(
        f"p99 objective, {units.milliseconds(p99_objective_ms)}",
        (0, p99_objective_ms),
        xycoords=("axes fraction", "data"),
        xytext=(4, 4),
        textcoords="offset points",
        color=LIMIT,
        fontsize=9,
    )


def _name(measured: Measurement, padding: Padding) -> str:
    """With its padding, where there are several."""
    several = len(measured.single_stream) > 1
    ending = f", {padding.replace('_', ' ')}" if several else ""
    return short(measured.candidate_name, _NAME_LENGTH - len(ending)) + ending


def own_name(plot: str, target: str) -> str:
    """A name that no plot of another target has in the same page."""
    return f"{re.sub('[^a-z0-9]+', '-', target)}-{plot}"


def short(name: str, length: int = _NAME_LENGTH) -> str:
    """Its end: what tells a model in a folder from others beside it."""
    return name if len(name) <= length else f"…{name[1 - length :]}"


def colour(i: int) -> str:
    """Of the model at this place, in all figures of a target."""
    return SERIES[i % len(SERIES)]


def mark(i: int) -> str:
    """Of the model at this place: another one where the colours begin again."""
    return _MARKS[i // len(SERIES) % len(_MARKS)]
