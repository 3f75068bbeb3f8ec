"""A benchmark's findings as one JSON document: what is derived from the samples, with bounds."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from distillery.benchmarking.percentiles import percentile
from distillery.measurements import Measurement
from distillery.report.benchmark.instances import instance_rows
from distillery.report.benchmark.rows import model_rows
from distillery.report.benchmark.tables import by_target
from distillery.report.benchmark.trade_offs import trade_offs
from distillery.subjects.finding import Subject
from distillery.subjects.findings import BenchmarkFindings

_PERCENTILES = {"p50_ms": 0.50, "p90_ms": 0.90, "p95_ms": 0.95, "p99_ms": 0.99}


def document(findings: BenchmarkFindings) -> dict[str, Any]:
    """JSON values alone. Percentiles have 99 % bounds, and are null for too few samples."""
    places: dict[str, Measurement] = {}
    for measured in findings.measurements:
        places.setdefault(measured.target, measured)
    subjects = {subject.name: subject for subject in findings.subjects}
    return {
        "flow_run_id": findings.flow_run_id,
        "started_at": findings.started_at,
        "code_version": findings.code_version,
        "targets": [_place(measured) for measured in places.values()],
        "skipped": [one.model_dump(mode="json") for one in findings.skipped],
        "scenario": findings.asked.scenario.model_dump(mode="json"),
        "examples": findings.examples_are,
        "models": [
            _model(subjects[measured.candidate_name], measured)
            for measured in findings.measurements
        ],
        "fronts": [
            {"target": target, "against": one.against, "best": one.best}
            for target, rows in by_target(model_rows(findings))
            for one in trade_offs(rows)
        ],
        "instances": [row.record for row in instance_rows(findings.measurements)],
        "comparisons": [
            one.model_dump() | {"verdict": one.verdict} for one in findings.comparisons
        ],
    }


def _place(measured: Measurement) -> dict[str, Any]:
    """What all that was measured on one target has in common."""
    of = measured.fingerprint
    return {
        "target": measured.target,
        "threads": measured.threads,
        "fingerprint": of.model_dump(mode="json") | {"digest": of.digest},
        "instance": measured.instance.model_dump(mode="json") if measured.instance else None,
        "noise": measured.noise.model_dump() | {"reasons": list(measured.noise.reasons)},
    }


def _model(subject: Subject, measured: Measurement) -> dict[str, Any]:
    return {
        "model": subject.name,
        "target": measured.target,
        "digest": subject.digest,
        "runtime": subject.runtime,
        "size_bytes": subject.size_bytes,
        "merit": subject.merit.model_dump() if subject.merit else None,
        **scenarios(measured),
    }


def scenarios(measured: Measurement) -> dict[str, Any]:
    """What each scenario showed of one model, on its own or a recipe's candidate."""
    return {
        "threads": measured.threads,
        "instances": measured.instances,
        "cpus": measured.cpus,
        "load_ms": measured.load_ms,
        "first_prediction_ms": measured.first_prediction_ms,
        "peak_memory_bytes": measured.peak_memory_bytes,
        "single_stream": [
            {
                "padding": stream.padding,
                "requests": len(stream.latencies_ms),
                "end_to_end": _percentiles(stream.latencies_ms),
                "model_only": _percentiles(stream.model_latencies_ms),
            }
            for stream in measured.single_stream
        ],
        "offline": [
            {
                "padding": batches.padding,
                "batch_size": batches.batch_size,
                "batches": len(batches.rows_per_second),
                "rows_per_second": median(batches.rows_per_second),
                "model_rows_per_second": median(batches.model_rows_per_second),
            }
            for batches in measured.offline
        ],
        "server": _server(measured),
        "cold_starts": [
            start.model_dump() | {"total_ms": start.total_ms} for start in measured.cold_starts
        ],
    }


def _server(measured: Measurement) -> dict[str, Any] | None:
    load = measured.server
    if load is None:
        return None
    return {
        "p99_objective_ms": load.p99_objective_ms,
        "highest_rate_per_second": load.highest_rate_per_second,
        "points": [
            {
                "rate_per_second": point.rate_per_second,
                "requests": len(point.latencies_ms),
                "holds": point.holds(load.p99_objective_ms),
                **_percentiles(point.latencies_ms),
            }
            for point in load.points
        ],
    }


def _percentiles(samples: Sequence[float]) -> dict[str, dict[str, float] | None]:
    found = {name: percentile(samples, q) for name, q in _PERCENTILES.items()}
    return {name: one.__dict__ if one else None for name, one in found.items()}
