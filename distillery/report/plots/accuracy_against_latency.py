"""Test accuracy, or Spearman's ρ of scores, over median latency, with the gates as limits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from distillery.nouns import Findings
from distillery.report import units
from distillery.report.measure import measure_of
from distillery.report.plots import fronts, gate_lines, labels
from distillery.report.plots.colours import INK, MUTED, PAPER, ROLES
from distillery.report.plots.figure import (
    as_png,
    as_svg,
    legend,
    merit_axis,
    milliseconds_axis,
    new_figure,
    titles,
)
from distillery.report.plots.labels import Label, box_of_line, box_of_mark
from distillery.report.results import ResultRow, result_rows

_SHAPES = {
    ("pytorch", "fp32"): ("o", "PyTorch"),
    ("onnxruntime", "fp32"): ("s", "ONNX Runtime fp32"),
    ("onnxruntime", "fp16"): ("h", "ONNX Runtime fp16"),
    ("onnxruntime", "int8"): ("D", "ONNX Runtime int8"),
    ("onnxruntime", "int8_static"): ("^", "ONNX Runtime int8, static"),
    ("onnxruntime", "int8_mixed"): ("v", "ONNX Runtime int8 and fp32"),
    ("onnxruntime", "weights"): ("P", "ONNX Runtime, weights alone"),
}
_LARGEST_AREA, _SMALLEST_AREA = 620.0, 34.0


@dataclass(frozen=True, kw_only=True)
class _Point:
    """A candidate in the plane of accuracy, or Spearman's ρ of scores, and latency."""

    row: ResultRow
    p50_ms: float
    p95_ms: float | None
    merit: float


def svg(findings: Findings) -> str | None:
    """Test accuracy over median latency, with the gates as limits. None: nothing was measured."""
    points = _points(findings)
    if not points:
        return None
    measure = measure_of(findings.dataset.label_kind)
    told = "; ".join(
        f"{p.row.candidate}: {measure.written(p.merit)} at {units.milliseconds(p.p50_ms)}"
        for p in points
    )
    return as_svg(
        _drawn(findings, points),
        name="accuracy-latency",
        told=f"Test {measure.name} against median latency. {told}.",
    )


def png(findings: Findings) -> bytes:
    """The same drawing as a PNG on white; where nothing was measured, it says so."""
    points = _points(findings)
    if points:
        figure = _drawn(findings, points)
    else:
        figure = Figure(figsize=(8, 2), dpi=72)
        figure.text(0.5, 0.5, "No candidate was measured", ha="center", va="center", color=INK)
    return as_png(figure)


def _points(findings: Findings) -> list[_Point]:
    return [
        _Point(row=row, p50_ms=row.p50_ms, p95_ms=row.p95_ms, merit=row.merit)
        for row in result_rows(findings)
        if row.p50_ms is not None and row.merit is not None
    ]


def _drawn(findings: Findings, points: Sequence[_Point]) -> Figure:
    figure, (axes,) = new_figure(8.6, 5.2)
    fastest, slowest = min(p.p50_ms for p in points), max(p.p95_ms or p.p50_ms for p in points)
    is_log = max(p.p50_ms for p in points) > 5 * fastest
    if is_log:
        axes.set_xscale("log")
    worst, best = min(p.merit for p in points), max(p.merit for p in points)
    x_limits, y_limits = gate_lines.limits_of(findings)
    span = max(best - worst, 0.02)
    # a limit far below everything would squeeze the points together; the gates' table names it
    y_limits = [(y, text) for y, text in y_limits if y >= worst - span]
    x_limits = [(x, text) for x, text in x_limits if x <= 3 * slowest]
    lowest = min([worst, *(y for y, _ in y_limits)])
    highest = max([best, *(y for y, _ in y_limits)])
    pad = max(0.14 * (highest - lowest), 0.004)
    axes.set_ylim(lowest - 1.3 * pad, highest + 1.2 * pad)
    nearest = min([fastest, *(x for x, _ in x_limits)])
    farthest = max([slowest, *(x for x, _ in x_limits)])
    if is_log:
        room = (farthest / nearest) ** 0.13
        axes.set_xlim(nearest / room, farthest * room)
    else:
        room = max(0.13 * (farthest - nearest), 0.1 * farthest)
        axes.set_xlim(max(0.0, nearest - room), farthest + room)
    milliseconds_axis(axes)
    merit_axis(axes, findings.dataset.label_kind)
    titles(
        axes,
        f"Test {measure_of(findings.dataset.label_kind).name}",
        "median end-to-end latency of one request"
        + (", log scale" if is_log else "")
        + " (whisker: to p95)",
    )
    gate_lines.draw(axes, x_limits, y_limits)
    points = sorted(points, key=lambda p: -p.row.size_bytes)  # the small ones on top
    radii = _draw_marks(axes, points)
    legend(figure, _handles(points))
    figure.draw_without_rendering()  # the layout must stand before labels are placed on it
    best_trade_offs = fronts.front([(p.p50_ms, p.merit) for p in points], more_is_better=True)
    taken = fronts.draw(axes, best_trade_offs)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    taken += [box_of_line(axes, (left, y), (right, y)) for y, _ in y_limits]
    taken += [box_of_line(axes, (x, bottom), (x, top)) for x, _ in x_limits]
    names = [
        Label(name=p.row.candidate, at=(p.p50_ms, p.merit), radius=r, is_winner=p.row.is_winner)
        for p, r in zip(points, radii, strict=True)
    ]
    taken += [box_of_mark(axes, name.at, name.radius) for name in names]
    taken += [
        box_of_line(axes, (p.p50_ms, p.merit), (p.p95_ms, p.merit))
        for p in points
        if p.p95_ms is not None
    ]
    labels.place(axes, names, taken)
    return figure


def _draw_marks(axes: Axes, points: Sequence[_Point]) -> list[float]:
    """A mark and a whisker each; the marks' radii in points, the winner's ring included."""
    largest = max(p.row.size_bytes for p in points)
    radii = []
    for point in points:
        area = max(_SMALLEST_AREA, _LARGEST_AREA * point.row.size_bytes / largest)
        colour = ROLES[point.row.role]
        if point.p95_ms is not None:
            axes.plot(
                [point.p50_ms, point.p95_ms],
                [point.merit] * 2,
                color=colour,
                linewidth=1.2,
                alpha=0.7,
                zorder=3,
            )
            axes.plot(
                point.p95_ms, point.merit, "|", color=colour, markersize=6, alpha=0.8, zorder=3
            )
        shape, _ = _SHAPES[point.row.runtime, point.row.precision]
        axes.scatter(
            point.p50_ms,
            point.merit,
            s=area,
            marker=shape,
            facecolor=colour,
            edgecolor=PAPER,
            linewidth=1,
            alpha=0.9,
            zorder=4,
        )
        radius = (area / np.pi) ** 0.5
        if point.row.is_winner:
            radius += 7
            axes.scatter(
                point.p50_ms,
                point.merit,
                s=np.pi * radius**2,
                marker="o",
                facecolors="none",
                edgecolors=INK,
                linewidths=1.6,
                zorder=5,
            )
        radii.append(radius)
    return radii


def _handles(points: Sequence[_Point]) -> list[Line2D]:
    """What the legend explains: only what is there."""
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=role)
        for role, colour in ROLES.items()
        if any(p.row.role == role for p in points)
    ]
    handles += [
        Line2D(
            [],
            [],
            marker=shape,
            linestyle="",
            markerfacecolor="none",
            markeredgecolor=INK,
            label=text,
        )
        for key, (shape, text) in _SHAPES.items()
        if any((p.row.runtime, p.row.precision) == key for p in points)
    ]
    handles.append(
        Line2D([], [], color=MUTED, linewidth=1, linestyle=fronts.DASHES, label="best trade-offs")
    )
    if any(p.row.is_winner for p in points):
        handles.append(
            Line2D(
                [],
                [],
                marker="o",
                linestyle="",
                markersize=10,
                markerfacecolor="none",
                markeredgecolor=INK,
                label="winner",
            )
        )
    return handles
