"""The report: a page, MLflow files and metrics, and Prefect artifacts."""

import base64
from pathlib import Path

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from distillery import storage, tracking
from distillery.nouns import Findings
from distillery.report import page, tables, trees
from distillery.report.measure import measure_of
from distillery.report.plots import accuracy_against_latency, accuracy_against_temperature
from distillery.report.results import result_rows
from tasks.step import fresh_step


@fresh_step
def publish_report(findings: Findings, run_id: str) -> Path:
    """Where the page lies. ``run_id`` is the flow run's MLflow run."""
    folder = storage.root() / "reports" / findings.flow_run_id
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.html"
    page.write(findings, report, trees.found_in(findings))
    (folder / "findings.json").write_text(findings.model_dump_json(), encoding="utf-8")
    run = tracking.StepRun(run_id)
    run.file(report)
    run.file(folder / "findings.json")
    rows = result_rows(findings)
    measure = measure_of(findings.dataset.label_kind)
    for row in rows:
        if row.is_winner:
            run.metrics(
                {
                    "accuracy": row.accuracy,
                    "accuracy_kept": row.accuracy_kept,
                    "spearman": row.spearman,
                    "spearman_kept": row.spearman_kept,
                    "latency_p50_ms": row.p50_ms,
                    "latency_p95_ms": row.p95_ms,
                    "size_bytes": row.size_bytes,
                    "speedup": row.speedup,
                }
            )
    run.tags({"verdict": findings.verdict.summary[:4000]})

    png = base64.b64encode(accuracy_against_latency.png(findings)).decode()
    create_markdown_artifact(
        f"## {findings.verdict.summary}\n\n{_told(findings, run_id)}\n\n{tables.as_markdown(rows)}",
        key="verdict",
        description=f"What {findings.recipe_name} came to",
    )
    create_table_artifact(
        [row.record for row in rows],
        key="results",
        description="Every candidate",
    )
    create_image_artifact(
        f"data:image/png;base64,{png}",
        key="accuracy-against-latency",
        description=f"{measure.title} against latency",
    )
    if findings.temperature_study is not None:
        drawn = accuracy_against_temperature.png(findings.temperature_study)
        create_image_artifact(
            f"data:image/png;base64,{base64.b64encode(drawn).decode()}",
            key="accuracy-against-temperature",
            description="Accuracy against temperature",
        )
    address = storage.share_report(folder)
    create_link_artifact(
        f"{address}/report.html",
        link_text="Report",
        key="report",
        description="Everything on one page",
    )
    for text, link in _pages(findings, run_id):
        key = text.lower().replace(" ", "-")
        create_link_artifact(link, link_text=text, key=key, description=f"{text}'s page")
    return report


def _told(findings: Findings, run_id: str) -> str:
    """What became of the winner, and where to look."""
    told = [findings.decision.summary + "."] if findings.decision else []
    told += [f"[{text}]({link})" for text, link in _pages(findings, run_id)]
    return " ".join(told)


def _pages(findings: Findings, run_id: str) -> list[tuple[str, str]]:
    """Of MLflow: the run, and the winner's version. None where it has no pages."""
    pages = [("MLflow run", tracking.run_link(run_id))]
    for version in findings.versions:
        if findings.decision is not None and version.version == findings.decision.version:
            pages.append(("MLflow version", tracking.version_link(version)))
    return [(text, link) for text, link in pages if link is not None]
