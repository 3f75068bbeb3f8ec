"""The gates as limits in the plane of accuracy and latency."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from distillery.nouns import Findings
from distillery.report.measure import measure_of
from distillery.report.plots.colours import LIMIT
from distillery.report.results import result_rows


def limits_of(
    findings: Findings,
) -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
    """The gates on the axes: those on latency, those on accuracy."""
    reference = next((r for r in result_rows(findings) if r.is_reference), None)
    given = {k: float(v) for k, v in findings.gates.items() if isinstance(v, int | float)}
    x_limits, y_limits = [], []
    if "latency_p95_ms_max" in given:
        limit = given["latency_p95_ms_max"]
        x_limits.append((limit, f"p95 at most {limit:g} ms"))
    if "speedup_min" in given and reference and reference.p50_ms:
        limit = given["speedup_min"]
        x_limits.append((reference.p50_ms / limit, f"p50 for {limit:g}× speed-up"))
    name = measure_of(findings.dataset.label_kind).name
    if "accuracy_kept_min" in given and reference and reference.merit:
        share = given["accuracy_kept_min"]
        y_limits.append((share * reference.merit, f"{100 * share:g}% of the teacher's {name}"))
    if "accuracy_min" in given:
        limit = given["accuracy_min"]
        shown = f"{100 * limit:g}%" if findings.dataset.label_kind == "class" else f"{limit:g}"
        y_limits.append((limit, f"{name} at least {shown}"))
    return x_limits, y_limits


def draw(
    axes: Axes, x_limits: Sequence[tuple[float, str]], y_limits: Sequence[tuple[float, str]]
) -> None:
    """Shade what the strictest limit of each axis rules out; a thin line for each."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    if y_limits:
        axes.axhspan(bottom, max(y for y, _ in y_limits), color=LIMIT, alpha=0.07, linewidth=0)
    if x_limits:
        axes.axvspan(min(x for x, _ in x_limits), right, color=LIMIT, alpha=0.07, linewidth=0)
    for y, text in y_limits:
        axes.axhline(y, color=LIMIT, linewidth=1)
        axes.annotate(
            text,
            (0, y),
            xycoords=("axes fraction", "data"),
            xytext=(6, -4),
            textcoords="offset points",
            va="top",
            fontsize=9,
            color=LIMIT,
        )
    for x, text in x_limits:
        axes.axvline(x, color=LIMIT, linewidth=1)
        axes.annotate(
            text,
            (x, 0),
            xycoords=("data", "axes fraction"),
            xytext=(4, 6),
            textcoords="offset points",
            rotation=90,
            fontsize=9,
            color=LIMIT,
        )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
