"""The share of requests answered within a time."""

from typing import Literal

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from distillery.nouns import Findings
from distillery.report import units
from distillery.report.plots import series
from distillery.report.plots.colours import MUTED, TEACHER_LINE
from distillery.report.plots.figure import as_svg, legend, milliseconds_axis, new_figure, titles
from distillery.report.results import result_rows

_MOST_STEPS = 400


def svg(findings: Findings) -> str | None:
    """The share of requests answered within a time. None: nothing was measured."""
    rows = {row.candidate: row for row in result_rows(findings)}
    candidate = {c.name: c for c in findings.candidates}
    measured = sorted(
        (m for m in findings.measurements if m.latencies_ms and m.candidate_name in rows),
        key=lambda m: list(rows).index(m.candidate_name),
    )
    if not measured:
        return None
    colours = series.colours(findings)
    figure, (axes,) = new_figure(8.6, 4.1)
    handles = []
    for measurement in measured:
        of = candidate[measurement.candidate_name]
        is_teacher = of.role == "teacher"
        colour = TEACHER_LINE if is_teacher else colours[series.student_name(of)]
        style: Literal[":", "-", "--"] = (
            ":" if of.runtime == "pytorch" else "-" if of.precision == "int8" else "--"
        )
        latencies = np.sort(np.asarray(measurement.latencies_ms, dtype=np.float64))
        shares = np.arange(1, len(latencies) + 1) / len(latencies)
        if len(latencies) > _MOST_STEPS:  # the eye sees no more, and the page stays small
            kept = np.unique(np.linspace(0, len(latencies) - 1, _MOST_STEPS).astype(int))
            latencies, shares = latencies[kept], shares[kept]
        width = 2.6 if rows[of.name].is_winner else 1.5
        axes.step(latencies, shares, where="post", color=colour, linestyle=style, linewidth=width)
        handles.append(
            Line2D(
                [],
                [],
                color=colour,
                linestyle=style,
                linewidth=width,
                label=series.shortened(of.name),
            )
        )
    axes.set_xscale("log")
    milliseconds_axis(axes)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    titles(axes, "Share of requests answered within …", "end-to-end latency, log scale")
    for share, name in ((0.5, "p50"), (0.95, "p95")):
        axes.axhline(share, color=MUTED, linewidth=0.7, linestyle=(0, (2, 3)))
        axes.annotate(
            name,
            (1, share),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=MUTED,
            fontsize=9,
        )
    legend(figure, handles)
    told = "; ".join(
        f"{name}: half within {units.milliseconds(row.p50_ms)}, "
        f"95% within {units.milliseconds(row.p95_ms)}"
        for name, row in rows.items()
        if row.p50_ms is not None
    )
    return as_svg(figure, name="latencies", told=f"Cumulative distribution of latencies. {told}.")
