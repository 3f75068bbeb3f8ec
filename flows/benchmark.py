"""Models measured beside each other, registered or not, ours or not."""

from datetime import UTC, datetime
from pathlib import Path

import prefect
import prefect.runtime

from distillery import tracking
from distillery.benchmarking.comparison import beside_the_first
from distillery.provenance import code_version
from distillery.subjects.asking import Asked
from distillery.subjects.findings import BenchmarkFindings
from flows.closing import close_failed, close_killed
from tasks.benchmark_models import benchmark_models
from tasks.check_models import check_models
from tasks.close_targets import close_targets
from tasks.ownership import sign
from tasks.publish_benchmark import publish_benchmark


@prefect.flow(
    name="benchmark",
    description="Measure models beside each other: latency, throughput, load and cold starts.",
    persist_result=False,
    on_failure=[close_failed],
    on_cancellation=[close_killed],
    on_crashed=[close_killed],
)
def benchmark(asked: Asked, report: Path | None = None) -> BenchmarkFindings:
    """From names of models to how quick they are. ``report`` is a folder; else the storage's."""
    sign()
    ready = check_models(asked)
    tracking.close_orphans()
    flow_run_id = str(prefect.runtime.flow_run.id)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    code = code_version()
    run = tracking.open_flow_run("benchmark", flow_run_id, {"code": code})
    run.params(asked.model_dump(mode="json"))

    outcomes = benchmark_models(ready, asked)
    measurements = tuple(measured for one in outcomes for measured in one.measurements)
    findings = BenchmarkFindings(
        asked=asked,
        subjects=ready.subjects,
        examples_are=ready.examples_are,
        measurements=measurements,
        skipped=(*ready.skipped, *(skipped for one in outcomes for skipped in one.skipped)),
        plan=ready.plan,
        comparisons=beside_the_first(measurements),
        flow_run_id=flow_run_id,
        started_at=started_at,
        code_version=code,
    )
    publish_benchmark(findings, run.run_id, report)
    close_targets(outcomes)
    tracking.close_flow_run(flow_run_id, "FINISHED")
    return findings
