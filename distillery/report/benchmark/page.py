"""One self-contained page: how quick the models are, and how far to trust it."""

from pathlib import Path

from distillery.report import html
from distillery.report.benchmark import plots, tables
from distillery.report.benchmark.rows import model_rows
from distillery.report.sections import hardware
from distillery.subjects.findings import BenchmarkFindings


def write(findings: BenchmarkFindings, path: Path) -> None:
    """Write the page to ``path``: the whole of it, or nothing."""
    html.write(render(findings), path)


def render(findings: BenchmarkFindings) -> str:
    """The page as HTML."""
    rows = model_rows(findings)
    return (
        html.environment()
        .get_template("benchmark.html.j2")
        .render(
            findings=findings,
            scenario=findings.asked.scenario,
            rows=rows,
            headings=tables.headings(rows),
            loads=[m for m in findings.measurements if m.server is not None],
            cold=[m for m in findings.measurements if m.cold_starts],
            places=hardware.places(findings.measurements),
            plot_latencies=html.drawn(plots.latency_distributions(findings.measurements)),
            plot_throughput=html.drawn(plots.throughput_against_batch(findings.measurements)),
            plot_rates=html.drawn(plots.latency_against_rate(findings.measurements)),
        )
    )
