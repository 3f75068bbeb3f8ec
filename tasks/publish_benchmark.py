"""A benchmark's report: a page, JSON and raw samples, in a folder, in MLflow and in Prefect."""

import json
from pathlib import Path

from prefect.artifacts import create_link_artifact, create_markdown_artifact

from distillery import storage, tracking
from distillery.report import samples
from distillery.report.benchmark import page, tables
from distillery.report.benchmark.document import document
from distillery.report.benchmark.rows import model_rows
from distillery.subjects.findings import BenchmarkFindings
from tasks.step import fresh_step


@fresh_step
def publish_benchmark(findings: BenchmarkFindings, run_id: str, folder: Path | None) -> Path:
    """Where the page lies. ``run_id`` is the flow run's MLflow run."""
    place = folder or storage.root() / "reports" / findings.flow_run_id
    place.mkdir(parents=True, exist_ok=True)
    report = place / "report.html"
    page.write(findings, report)
    (place / "benchmark.json").write_text(json.dumps(document(findings), indent=1))
    samples.write(findings.measurements, place / "samples.parquet")
    run = tracking.StepRun(run_id)
    for name in ("report.html", "benchmark.json", "samples.parquet"):
        run.file(place / name)
    create_markdown_artifact(
        tables.as_markdown(model_rows(findings)), key="benchmark", description="Every model"
    )
    address = place.absolute().as_uri() if folder else storage.share_report(place)
    create_link_artifact(
        f"{address}/report.html",
        link_text="Report",
        key="benchmark-report",
        description="Everything on one page",
    )
    return report
