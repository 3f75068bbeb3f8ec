"""The share of requests answered within a time, a curve a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from distillery.report.plots import series
from distillery.report.plots.colours import MUTED
from distillery.report.plots.figure import as_svg, legend, milliseconds_axis, new_figure, titles

LineStyle = Literal[":", "-", "--"]

_MOST_STEPS = 400


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One model's latencies, and how they are drawn."""

    name: str
    latencies_ms: Sequence[float]
    colour: str
    style: LineStyle
    width: float = 1.5


def svg(curves: Sequence[Curve], told: str, *, name: str = "latencies") -> str:
    """``told`` is for those who cannot see the plot; ``name`` is unique in its page."""
    figure, (axes,) = new_figure(8.6, 4.1)
    handles = []
    for curve in curves:
        latencies = np.sort(np.asarray(curve.latencies_ms, dtype=np.float64))
        shares = np.arange(1, len(latencies) + 1) / len(latencies)
        if len(latencies) > _MOST_STEPS:  # the eye sees no more, and the page stays small
            kept = np.unique(np.linspace(0, len(latencies) - 1, _MOST_STEPS).astype(int))
            latencies, shares = latencies[kept], shares[kept]
        axes.step(
            latencies,
            shares,
            where="post",
            color=curve.colour,
            linestyle=curve.style,
            linewidth=curve.width,
        )
        handles.append(
            Line2D(
                [],
                [],
                color=curve.colour,
                linestyle=curve.style,
                linewidth=curve.width,
                label=series.shortened(curve.name),
            )
        )
    axes.set_xscale("log")
    milliseconds_axis(axes)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    titles(axes, "Share of requests answered within …", "end-to-end latency, log scale")
    for share, line in ((0.5, "p50"), (0.95, "p95")):
        axes.axhline(share, color=MUTED, linewidth=0.7, linestyle=(0, (2, 3)))
        axes.annotate(
            line,
            (1, share),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=MUTED,
            fontsize=9,
        )
    legend(figure, handles)
    return as_svg(figure, name=name, told=f"Cumulative distribution of latencies. {told}.")
