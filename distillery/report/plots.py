"""What a run found, drawn: each function returns one SVG for the page.

Pure: figures are made directly, without pyplot, so that nothing is shared between threads. Text
stays text, and every colour is a CSS variable with a light default, so that one drawing serves
light and dark pages, and stands alone too.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise, product
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    PercentFormatter,
)
from matplotlib.transforms import Bbox

from distillery.nouns import Candidate, Checkpoint, Findings, StudiedTemperatures
from distillery.report import tables
from distillery.report.tables import ClassChange, ResultRow, Spread, StudyRow

# Each colour is used for one thing, so that it can be found again in the SVG: CSS variable → light
# colour. Role and series colours are told apart by the colour-blind too (after Okabe & Ito, 2008).
PAPER, INK, MUTED, _GRID = "#fffffe", "#1c2129", "#5d6675", "#e1e4ea"
_LIMIT, _LOSS, _GAINED = "#c2410c", "#c8501e", "#12806a"
_ROLES = {"teacher": "#6b7280", "student": "#0b69c7", "champion": "#b7790a", "control": "#9a5fb5"}
SERIES = ("#0b6ac8", "#d45d00", "#0a8f6c", "#b0478f", "#7a6a00", "#5a55c9", "#2a93b8", "#a83a3a")
_TEACHER_LINE = "#4a5261"
_VARIABLES = {
    "--plot-paper": PAPER,
    "--plot-ink": INK,
    "--plot-muted": MUTED,
    "--plot-grid": _GRID,
    "--plot-limit": _LIMIT,
    "--plot-loss": _LOSS,
    "--plot-gained": _GAINED,
    "--plot-teacher-line": _TEACHER_LINE,
    **{f"--plot-{role}": colour for role, colour in _ROLES.items()},
    **{f"--plot-series-{i}": colour for i, colour in enumerate(SERIES)},
}

_SHAPES = {
    ("pytorch", "fp32"): ("o", "PyTorch"),
    ("pytorch", "int8"): ("p", "PyTorch int8"),
    ("onnxruntime", "fp32"): ("s", "ONNX Runtime fp32"),
    ("onnxruntime", "int8"): ("D", "ONNX Runtime int8"),
}
_LARGEST_AREA, _SMALLEST_AREA = 620.0, 34.0
_MOST_CLASS_LOSSES, _MOST_CLASS_GAINS = 10, 5
_MOST_STEPS = 400
_FARTHER_COSTS = 30.0
_LABEL_LENGTH = 30
# a label is tried close by first, then farther away with a line to its point
_LABEL_OFFSETS = [
    (dx * far, dy * far)
    for far, (dx, dy) in product(
        (1.0, 1.7, 2.6, 3.8, 5.2),
        ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8)),
    )
]


@dataclass(frozen=True, kw_only=True)
class _Point:
    """A candidate in the plane of accuracy, or Spearman's ρ of scores, and latency."""

    row: ResultRow
    p50_ms: float
    p95_ms: float | None
    merit: float


def accuracy_against_latency(findings: Findings) -> str | None:
    """Test accuracy over median latency, with the gates as limits. None: nothing was measured."""
    points = _points(findings)
    if not points:
        return None
    measure = _measure(findings)
    told = "; ".join(
        f"{p.row.candidate}: {measure.written(p.merit)} at {tables.milliseconds(p.p50_ms)}"
        for p in points
    )
    return as_svg(
        _accuracy_against_latency(findings, points),
        name="accuracy-latency",
        told=f"Test {measure.name} against median latency. {told}.",
    )


def png_of_accuracy_against_latency(findings: Findings) -> bytes:
    """The same drawing as a PNG on white; where nothing was measured, it says so."""
    points = _points(findings)
    if points:
        figure = _accuracy_against_latency(findings, points)
    else:
        figure = Figure(figsize=(8, 2), dpi=72)
        figure.text(0.5, 0.5, "No candidate was measured", ha="center", va="center", color=INK)
    return _as_png(figure)


def accuracy_against_temperature(study: StudiedTemperatures) -> str:
    """Validation and test accuracy over the temperature, beside its limit and the control."""
    rows = tables.study_rows(study)
    told = "; ".join(
        f"{_named(row)}: {tables.percent(row.validation.mean)} and {tables.percent(row.test.mean)}"
        for row in rows
    )
    return as_svg(
        _accuracy_against_temperature(rows),
        name="temperature",
        told=f"Mean validation and test accuracy by temperature. {told}.",
    )


def png_of_accuracy_against_temperature(study: StudiedTemperatures) -> bytes:
    """The same drawing as a PNG on white."""
    return _as_png(_accuracy_against_temperature(tables.study_rows(study)))


def training_curves(findings: Findings) -> str | None:
    """Validation loss and accuracy of each training. None: nothing was trained here."""
    curves = [c for c in _checkpoints(findings) if c.history]
    if not curves:
        return None
    colours = _series(findings)
    names = list(dict.fromkeys(_student_name(c) for c in curves if c.role != "teacher"))
    measure = _measure(findings)
    figure, (losses, merits) = _figure(8.6, 3.7, columns=2)
    for checkpoint in curves:
        is_teacher = checkpoint.role == "teacher"
        colour = _TEACHER_LINE if is_teacher else colours[_student_name(checkpoint)]
        # a stage that leaves the head untrained has a loss of its own, on another scale
        told = [
            (epoch.epoch, epoch.validation_loss, epoch.validation_merit)
            for epoch in checkpoint.history
            if epoch.validation_merit is not None
        ]
        epochs = [epoch for epoch, _, _ in told]
        for axes, values in (
            (losses, [loss for _, loss, _ in told]),
            (merits, [merit for _, _, merit in told]),
        ):
            axes.plot(
                epochs,
                values,
                color=colour,
                linestyle="--" if checkpoint.role == "control" else "-",
                linewidth=2.2 if is_teacher else 1.6,
                # one epoch makes no line
                marker="o",
                markersize=5 if len(epochs) == 1 else 2.5,
            )
    _titles(losses, f"Validation loss ({measure.loss})", "epoch")
    _titles(merits, f"Validation {measure.name}", "epoch")
    _merit_axis(merits, findings)
    for axes in (losses, merits):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    handles = []
    if any(c.role == "teacher" for c in curves):
        handles.append(Line2D([], [], color=_TEACHER_LINE, linewidth=2.2, label="teacher"))
    handles += [Line2D([], [], color=colours[n], label=_shortened(n)) for n in names]
    if any(c.role == "control" for c in curves):
        handles.append(
            Line2D([], [], color=MUTED, linestyle="--", label="its control (hard labels only)")
        )
    _legend(figure, handles)
    best = ", ".join(
        f"{c.name} (seed {c.seed}) "
        + measure.written(max(e.validation_merit or 0.0 for e in c.history))
        for c in curves
    )
    return as_svg(figure, name="training", told=f"Best validation {measure.name} by epoch: {best}.")


def latency_distributions(findings: Findings) -> str | None:
    """The share of requests answered within a time. None: nothing was measured."""
    rows = {row.candidate: row for row in tables.result_rows(findings)}
    candidate = {c.name: c for c in findings.candidates}
    measured = sorted(
        (m for m in findings.measurements if m.latencies_ms and m.candidate_name in rows),
        key=lambda m: list(rows).index(m.candidate_name),
    )
    if not measured:
        return None
    colours = _series(findings)
    figure, (axes,) = _figure(8.6, 4.1)
    handles = []
    for measurement in measured:
        of = candidate[measurement.candidate_name]
        is_teacher = of.role == "teacher"
        colour = _TEACHER_LINE if is_teacher else colours[_student_name(of)]
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
                [], [], color=colour, linestyle=style, linewidth=width, label=_shortened(of.name)
            )
        )
    axes.set_xscale("log")
    _milliseconds_axis(axes)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _titles(axes, "Share of requests answered within …", "end-to-end latency, log scale")
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
    _legend(figure, handles)
    told = "; ".join(
        f"{name}: half within {tables.milliseconds(row.p50_ms)}, "
        f"95% within {tables.milliseconds(row.p95_ms)}"
        for name, row in rows.items()
        if row.p50_ms is not None
    )
    return as_svg(figure, name="latencies", told=f"Cumulative distribution of latencies. {told}.")


def per_class_changes(findings: Findings) -> str | None:
    """The classes in which recall moved most from the teacher's. None: in none did it move."""
    shown = most_changed(tables.class_changes(findings))
    if not shown:
        return None
    figure, (axes,) = _figure(8.6, 0.9 + 0.3 * len(shown))
    positions = np.arange(len(shown))[::-1]
    values = [100 * c.change for c in shown]
    axes.barh(positions, values, height=0.62, color=[_LOSS if v < 0 else _GAINED for v in values])
    # row counts stand at the label: a change of one row of thirty is 3.3 points
    axes.set_yticks(
        positions,
        [f"{_shortened(c.label)} ({c.rows} rows)" for c in shown],
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
    _titles(axes, "Change in recall against the teacher", "percentage points")
    told = "; ".join(f"{c.label}: {c.teacher_recall:.0%} to {c.recall:.0%}" for c in shown)
    return as_svg(figure, name="classes", told=f"Classes whose recall changed most. {told}.")


def most_changed(changes: Sequence[ClassChange]) -> list[ClassChange]:
    """The ten largest losses, then the five largest gains; worst first."""
    losses = [c for c in changes if c.change < 0][:_MOST_CLASS_LOSSES]
    gains = [c for c in changes if c.change > 0][-_MOST_CLASS_GAINS:]
    return losses + gains


def _points(findings: Findings) -> list[_Point]:
    return [
        _Point(row=row, p50_ms=row.p50_ms, p95_ms=row.p95_ms, merit=row.merit)
        for row in tables.result_rows(findings)
        if row.p50_ms is not None and row.merit is not None
    ]


def _measure(findings: Findings) -> tables.Measure:
    return tables.measure_of(findings.dataset.label_kind)


def _merit_axis(axes: Axes, findings: Findings) -> None:
    if findings.dataset.label_kind == "class":
        axes.yaxis.set_major_formatter(_percent_axis())


def _accuracy_against_latency(findings: Findings, points: Sequence[_Point]) -> Figure:
    figure, (axes,) = _figure(8.6, 5.2)
    fastest, slowest = min(p.p50_ms for p in points), max(p.p95_ms or p.p50_ms for p in points)
    is_log = max(p.p50_ms for p in points) > 5 * fastest
    if is_log:
        axes.set_xscale("log")
    worst, best = min(p.merit for p in points), max(p.merit for p in points)
    x_limits, y_limits = _limits(findings)
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
    _milliseconds_axis(axes)
    _merit_axis(axes, findings)
    _titles(
        axes,
        f"Test {_measure(findings).name}",
        "median end-to-end latency of one request"
        + (", log scale" if is_log else "")
        + " (whisker: to p95)",
    )
    _draw_limits(axes, x_limits, y_limits)

    largest = max(p.row.size_bytes for p in points)
    points = sorted(points, key=lambda p: -p.row.size_bytes)  # the small ones on top
    radii = []
    for point in points:
        area = max(_SMALLEST_AREA, _LARGEST_AREA * point.row.size_bytes / largest)
        colour = _ROLES[point.row.role]
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

    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=role)
        for role, colour in _ROLES.items()
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
        Line2D([], [], color=MUTED, linewidth=1, linestyle=(0, (5, 3)), label="best trade-offs")
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
    _legend(figure, handles)
    figure.draw_without_rendering()  # the layout must stand before labels are placed on it
    taken = _draw_front(axes, _front(points))
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    taken += [_box_of_line(axes, (left, y), (right, y)) for y, _ in y_limits]
    taken += [_box_of_line(axes, (x, bottom), (x, top)) for x, _ in x_limits]
    _place_labels(axes, points, radii, taken)
    return figure


def _accuracy_against_temperature(rows: Sequence[StudyRow]) -> Figure:
    figure, panels = _figure(8.6, 4.6, columns=2)
    panels[1].sharey(panels[0])
    shares = list(dict.fromkeys(row.share_ce for row in rows if row.temperature is not None))
    colours = {share: SERIES[i % len(SERIES)] for i, share in enumerate(shares)}
    temperatures = sorted({row.temperature for row in rows if row.temperature is not None})
    splits: tuple[Callable[[StudyRow], Spread], ...] = (
        lambda row: row.validation,
        lambda row: row.test,
    )
    for axes, accuracy in zip(panels, splits, strict=True):
        axes.set_xscale("log", base=2)
        for i, share in enumerate(shares):
            of_share = [r for r in rows if r.share_ce == share and r.temperature is not None]
            of_share.sort(key=lambda row: row.temperature or 0.0)
            found = [accuracy(row) for row in of_share]
            axes.errorbar(
                # side by side, so that one share's bars do not hide another's
                [
                    (r.temperature or 0.0) * 2 ** (0.1 * (i - (len(shares) - 1) / 2))
                    for r in of_share
                ],
                [one.mean for one in found],
                yerr=[
                    [one.mean - one.lowest for one in found],
                    [one.highest - one.mean for one in found],
                ],
                color=colours[share],
                marker="o",
                markersize=4.5,
                linewidth=1.6,
                elinewidth=1,
                capsize=2.5 if any(row.seeds > 1 for row in of_share) else 0,
                zorder=3,
            )
        for row in rows:
            if row.temperature is None:
                is_control = row.loss == "hard labels"
                axes.axhline(
                    accuracy(row).mean,
                    color=_ROLES["control"] if is_control else colours[row.share_ce],
                    linestyle=":" if is_control else "--",
                    linewidth=1.6 if is_control else 1.2,
                )
        axes.xaxis.set_major_locator(FixedLocator(temperatures))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(_percent_axis())
    _titles(panels[0], "Validation accuracy (to choose by)", "temperature, log scale")
    _titles(panels[1], "Test accuracy", "temperature, log scale")
    handles = [
        Line2D([], [], color=colours[share], marker="o", markersize=4.5, label=_of_share(share))
        for share in shares
    ]
    handles += [
        Line2D(
            [],
            [],
            color=colour,
            linestyle="--",
            label=f"logit matching (T → ∞), {_of_share(share)}",
        )
        for share, colour in colours.items()
    ]
    if any(row.loss == "hard labels" for row in rows):
        handles.append(
            Line2D([], [], color=_ROLES["control"], linestyle=":", label="control: hard labels")
        )
    _legend(figure, handles, columns=3)
    return figure


def _of_share(share_ce: float) -> str:
    return f"CE share {share_ce:g}"


def _named(row: StudyRow) -> str:
    at = "" if row.temperature is None else f" at T={row.temperature:g}"
    return f"{row.loss}{at}, {_of_share(row.share_ce)}"


def _limits(
    findings: Findings,
) -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
    """The gates on the axes: those on latency, those on accuracy."""
    reference = next((r for r in tables.result_rows(findings) if r.is_reference), None)
    given = {k: float(v) for k, v in findings.gates.items() if isinstance(v, int | float)}
    x_limits, y_limits = [], []
    if "latency_p95_ms_max" in given:
        limit = given["latency_p95_ms_max"]
        x_limits.append((limit, f"p95 at most {limit:g} ms"))
    if "speedup_min" in given and reference and reference.p50_ms:
        limit = given["speedup_min"]
        x_limits.append((reference.p50_ms / limit, f"p50 for {limit:g}× speed-up"))
    name = _measure(findings).name
    if "accuracy_kept_min" in given and reference and reference.merit:
        share = given["accuracy_kept_min"]
        y_limits.append((share * reference.merit, f"{100 * share:g}% of the teacher's {name}"))
    if "accuracy_min" in given:
        limit = given["accuracy_min"]
        shown = f"{100 * limit:g}%" if findings.dataset.label_kind == "class" else f"{limit:g}"
        y_limits.append((limit, f"{name} at least {shown}"))
    return x_limits, y_limits


def _draw_limits(
    axes: Axes, x_limits: Sequence[tuple[float, str]], y_limits: Sequence[tuple[float, str]]
) -> None:
    """Shade what the strictest limit of each axis rules out; a thin line for each."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    if y_limits:
        axes.axhspan(bottom, max(y for y, _ in y_limits), color=_LIMIT, alpha=0.07, linewidth=0)
    if x_limits:
        axes.axvspan(min(x for x, _ in x_limits), right, color=_LIMIT, alpha=0.07, linewidth=0)
    for y, text in y_limits:
        axes.axhline(y, color=_LIMIT, linewidth=1)
        axes.annotate(
            text,
            (0, y),
            xycoords=("axes fraction", "data"),
            xytext=(6, -4),
            textcoords="offset points",
            va="top",
            fontsize=9,
            color=_LIMIT,
        )
    for x, text in x_limits:
        axes.axvline(x, color=_LIMIT, linewidth=1)
        axes.annotate(
            text,
            (x, 0),
            xycoords=("data", "axes fraction"),
            xytext=(4, 6),
            textcoords="offset points",
            rotation=90,
            fontsize=9,
            color=_LIMIT,
        )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _front(points: Sequence[_Point]) -> list[_Point]:
    """The Pareto front: nothing else is both faster and more accurate. Fastest first."""
    front: list[_Point] = []
    for point in sorted(points, key=lambda p: (p.p50_ms, -p.merit)):
        if not front or point.merit > front[-1].merit:
            front.append(point)
    return front


def _draw_front(axes: Axes, front: Sequence[_Point]) -> list[Bbox]:
    """A staircase along the front; the boxes of its steps, which labels should leave free."""
    right = axes.get_xlim()[1]
    corners = [(p.p50_ms, p.merit) for p in front]
    corners.append((right, front[-1].merit))
    axes.step(
        [x for x, _ in corners],
        [y for _, y in corners],
        where="post",
        color=MUTED,
        linewidth=1,
        linestyle=(0, (5, 3)),
        zorder=2,
    )
    steps = []
    for (x, y), (next_x, next_y) in pairwise(corners):
        steps.append(((x, y), (next_x, y)))
        steps.append(((next_x, y), (next_x, next_y)))
    return [_box_of_line(axes, start, end) for start, end in steps]


def _box_of_line(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> Bbox:
    return Bbox(axes.transData.transform([start, end])).padded(1.5)


def _place_labels(
    axes: Axes, points: Sequence[_Point], radii: Sequence[float], taken: Sequence[Bbox]
) -> None:
    """Names beside their points, none on another name or point where there is room at all."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    centers = [axes.transData.transform((p.p50_ms, p.merit)) for p in points]
    taken = [*taken] + [
        Bbox.from_bounds(x - r, y - r, 2 * r, 2 * r)
        for (x, y), r in zip(centers, radii, strict=True)
    ]
    taken += [
        _box_of_line(axes, (p.p50_ms, p.merit), (p.p95_ms, p.merit))
        for p in points
        if p.p95_ms is not None
    ]
    # names of gates were there first
    taken += [t.get_window_extent() for t in axes.texts]
    inside = axes.get_window_extent()
    order = sorted(range(len(points)), key=lambda i: not points[i].row.is_winner)
    for i in order:
        point, radius = points[i], radii[i]
        name = axes.annotate(
            _shortened(point.row.candidate),
            (point.p50_ms, point.merit),
            xytext=(0, 0),
            textcoords="offset points",
            parse_math=False,
            fontsize=9.5,
            color=INK,
            fontweight="bold" if point.row.is_winner else "normal",
            zorder=6,
        )
        options = [(offset, _with_offset(name, offset, radius)) for offset in _LABEL_OFFSETS]
        offset, box = min(
            enumerate(options),
            # better across a thin line than far away from its point
            key=lambda option: (
                _overlap(option[1][1], taken, inside) + option[0] // 8 * _FARTHER_COSTS
            ),
        )[1]
        _with_offset(name, offset, radius)
        taken.append(box)
        if max(abs(offset[0]), abs(offset[1])) > 1.7:
            axes.annotate(
                "",
                (point.p50_ms, point.merit),
                xytext=name.get_position(),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6},
                zorder=2,
            )


def _with_offset(name: Annotation, offset: tuple[float, float], radius: float) -> Bbox:
    """Move the name there; the box that it then takes, with a little air."""
    dx, dy = offset
    reach = radius + 5
    name.set_position((dx * reach, dy * reach))
    name.set_horizontalalignment("left" if dx > 0 else "right" if dx < 0 else "center")
    name.set_verticalalignment("center" if dy == 0 else "bottom" if dy > 0 else "top")
    return name.get_window_extent().padded(1.5)


def _overlap(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """The area that is not free, in square points."""
    shared = [Bbox.intersection(box, other) for other in taken]
    area = sum(s.width * s.height for s in shared if s is not None)
    within = Bbox.intersection(box, inside)
    return float(area + box.width * box.height - (within.width * within.height if within else 0.0))


def _checkpoints(findings: Findings) -> list[Checkpoint]:
    return [*findings.teachers, *findings.students, *findings.controls]


def _series(findings: Findings) -> dict[str, str]:
    """The colour of each student, the same in every plot; its control shares it."""
    made: list[Checkpoint | Candidate] = []
    made += [*findings.students, *findings.controls]
    made += findings.candidates
    names = dict.fromkeys(_student_name(one) for one in made if one.role != "teacher")
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}


def _student_name(made: Checkpoint | Candidate) -> str:
    """A control bears its student's name, with an ending; a champion may share any name."""
    name = made.name if isinstance(made, Checkpoint) else made.checkpoint_name
    if made.role == "champion":
        return f"{name} (champion)"
    return name.removesuffix("-control") if made.role == "control" else name


def _shortened(name: str) -> str:
    return name if len(name) <= _LABEL_LENGTH else name[: _LABEL_LENGTH - 1] + "…"


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    # 72 dots an inch: a pixel is a point, so sizes and places share one unit
    figure = Figure(figsize=(width, height), dpi=72, layout="constrained")
    grid = figure.subplots(1, columns, squeeze=False)
    axes = [one for one in grid[0]]
    for one in axes:
        one.set_facecolor("none")
        one.grid(True, color=_GRID, linewidth=0.8)
        one.set_axisbelow(True)
        one.tick_params(colors=MUTED, labelsize=9.5, length=3)
        one.tick_params(which="minor", color=_GRID, length=2)
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            one.spines[side].set_color(MUTED)
            one.spines[side].set_linewidth(0.8)
    return figure, axes


def _titles(axes: Axes, title: str, below: str) -> None:
    """What the y axis shows stands above it, where it can be read without turning the head."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold", pad=10)
    axes.set_xlabel(below, fontsize=9.5, color=MUTED)


def _legend(figure: Figure, handles: Sequence[Line2D], columns: int = 4) -> None:
    legend = figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=min(columns, len(handles)),
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _percent_axis() -> FuncFormatter:
    # as many decimals as the tick needs: 82.5% must not read 82%
    return FuncFormatter(lambda share, _: f"{100 * share:.4g}%")


def _milliseconds_axis(axes: Axes) -> None:
    if axes.get_xscale() == "log":
        low, high = axes.get_xlim()
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if high / low < 2000 else (1,), numticks=20)
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.4g} ms"))


def _as_png(figure: Figure) -> bytes:
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=160, facecolor="white")
        return file.getvalue()


def as_svg(figure: Figure, *, name: str, told: str) -> str:
    """The figure as an ``<svg>`` to stand in a page: no prolog, no metadata, its own ids."""
    # rcParams is the only way to these two; both are put back, and none changes what others draw
    settings: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": name}
    with matplotlib.rc_context(settings), io.StringIO() as file:
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # its style sheet would hold for the whole page
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(?<= id=")|(?<=href="#)|(?<=url\(#)', f"{name}-", svg)
    # one font for page and plots; widths differ little from those it was laid out with
    svg = re.sub(
        r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1system-ui, sans-serif", svg
    )
    for variable, colour in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable}, {colour})")
    opening = f'<svg role="img" aria-label="{escape(told)}" stroke-linejoin="round"'
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg", opening, 1)
    return svg.strip() + "\n"
