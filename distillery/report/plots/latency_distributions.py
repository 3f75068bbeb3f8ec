"""The share of requests answered within a time."""

from distillery.nouns import Findings
from distillery.report import units
from distillery.report.plots import cumulative, series
from distillery.report.plots.colours import TEACHER_LINE
from distillery.report.plots.cumulative import Curve, LineStyle
from distillery.report.results import result_rows


def svg(findings: Findings) -> str | None:
    """The share of requests answered within a time. None: nothing was measured."""
    rows = {row.candidate: row for row in result_rows(findings)}
    candidate = {c.name: c for c in findings.candidates}
    measured = sorted(
        (m for m in findings.judged_measurements if m.latencies_ms and m.candidate_name in rows),
        key=lambda m: list(rows).index(m.candidate_name),
    )
    if not measured:
        return None
    colours = series.colours(findings)
    curves = []
    for measurement in measured:
        of = candidate[measurement.candidate_name]
        style: LineStyle = (
            ":" if of.runtime == "pytorch" else "--" if of.precision == "fp32" else "-"
        )
        curves.append(
            Curve(
                name=of.name,
                latencies_ms=measurement.latencies_ms,
                colour=TEACHER_LINE if of.role == "teacher" else colours[series.student_name(of)],
                style=style,
                width=2.6 if rows[of.name].is_winner else 1.5,
            )
        )
    told = "; ".join(
        f"{name}: half within {units.milliseconds(row.p50_ms)}, "
        f"95% within {units.milliseconds(row.p95_ms)}"
        for name, row in rows.items()
        if row.p50_ms is not None
    )
    return cumulative.svg(curves, told)
