"""One self-contained page: how quick the models are, and how far to trust it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from distillery.report import html
from distillery.report.benchmark import pareto, plots, scenarios, tables
from distillery.report.benchmark.instances import instances
from distillery.report.benchmark.rows import ModelRow, model_rows
from distillery.report.benchmark.scenarios import Scenarios
from distillery.report.benchmark.trade_offs import TradeOff, trade_offs
from distillery.report.sections import hardware
from distillery.subjects.findings import BenchmarkFindings


@dataclass(frozen=True, kw_only=True)
class Part:
    """All that was measured on one target: it has tables and plots of its own."""

    target: str
    rows: Sequence[ModelRow]
    headings: Sequence[str]
    plot_latencies: Markup | None
    plot_pareto: Markup | None
    trade_offs: Sequence[TradeOff]
    scenarios: Scenarios


def write(findings: BenchmarkFindings, path: Path) -> None:
    """Write the page to ``path``: the whole of it, or nothing."""
    html.write(render(findings), path)


def render(findings: BenchmarkFindings) -> str:
    """The page as HTML."""
    places = hardware.places(findings.measurements)
    return (
        html.environment()
        .get_template("benchmark.html.j2")
        .render(
            findings=findings,
            scenario=findings.asked.scenario,
            parts=_parts(findings),
            instances=instances(findings.measurements),
            subjects={subject.name: subject for subject in findings.subjects},
            places=places,
            noise=[f"{place.target}: {reason}" for place in places for reason in place.noise],
        )
    )


def _parts(findings: BenchmarkFindings) -> list[Part]:
    parts = []
    for target, rows in tables.by_target(model_rows(findings)):
        here = [measured for measured in findings.measurements if measured.target == target]
        parts.append(
            Part(
                target=target,
                rows=rows,
                headings=tables.headings(rows),
                plot_latencies=html.drawn(plots.latency_distributions(here)),
                plot_pareto=html.drawn(pareto.svg(rows)),
                trade_offs=trade_offs(rows),
                scenarios=scenarios.of(here),
            )
        )
    return parts
