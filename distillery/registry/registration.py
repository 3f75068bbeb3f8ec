"""What goes to the registry with each model: where it came from and what it can do."""

from collections.abc import Sequence

import numpy as np

from distillery import tracking
from distillery.measurements import Measurement
from distillery.noun import Noun
from distillery.nouns import Candidate, Quality, RegisteredVersion

_THREADS = "distillery.threads"


class Origin(Noun):
    """What all models of a run have in common."""

    flow_run_id: str
    tracking_run_id: str
    code_version: str
    dataset_digest: str
    recipe_digest: str


def register(
    candidates: Sequence[Candidate],
    qualities: Sequence[Quality],
    measurements: Sequence[Measurement],
    *,
    model: str,
    origin: Origin,
    step: tracking.StepRun,
) -> tuple[RegisteredVersion, ...]:
    """One version a candidate that can be served, parents before children.

    The parent of an int8 graph is its fp32 graph; of a student's or control's fp32 graph, the
    teacher's.
    """
    quality = {one.candidate_name: one for one in qualities}
    measurement = {one.candidate_name: one for one in measurements}
    version_of: dict[str, RegisteredVersion] = {}
    teacher_fp32: RegisteredVersion | None = None
    for candidate in sorted(candidates, key=_parents_first):
        parent = version_of.get(candidate.parent_digest or "")
        if parent is None and candidate.role != "teacher":
            parent = teacher_fp32
        measured = measurement.get(candidate.name)
        version = tracking.register(
            candidate,
            model=model,
            tags=_tags(candidate, quality[candidate.name], measured, parent, origin),
            step=step,
            threads=measured.threads if measured else 0,
            description=_description(candidate, quality[candidate.name], measured),
        )
        if measured is not None:
            _served_as_measured(version, measured)
        version_of[candidate.digest] = version
        if candidate.role == "teacher" and candidate.precision == "fp32":
            teacher_fp32 = version
    return tuple(version_of.values())


def _served_as_measured(version: RegisteredVersion, measurement: Measurement) -> None:
    """The tag says how it was measured last, which for equal content may have changed since."""
    threads = str(measurement.threads)
    if tracking.tags_of(version).get(_THREADS) != threads:
        tracking.tag_version(version, {_THREADS: threads})


def _description(candidate: Candidate, quality: Quality, measured: Measurement | None) -> str:
    """``one-layer int8: accuracy 92.00 %, 0.72 MB, p50 0.412 ms``."""
    facts = [
        f"Spearman {quality.merit:.4f}"
        if quality.label_kind == "score"
        else f"accuracy {100 * quality.merit:.2f} %",
        f"{candidate.size_bytes / 1e6:.2f} MB",
    ]
    if measured is not None:
        facts.append(f"p50 {np.median(measured.latencies_ms):.3f} ms")
    if candidate.role == "control":
        facts.append("trained to compare with, never promoted")
    return f"{candidate.name}: {', '.join(facts)}"


def _parents_first(candidate: Candidate) -> tuple[bool, bool]:
    return candidate.role != "teacher", candidate.precision != "fp32"


def _tags(
    candidate: Candidate,
    quality: Quality,
    measurement: Measurement | None,
    parent: RegisteredVersion | None,
    origin: Origin,
) -> dict[str, str]:
    tags = {
        "candidate": candidate.name,
        "role": candidate.role,
        "precision": candidate.precision,
        "checkpoint": candidate.checkpoint_name,
        "checkpoint_digest": candidate.checkpoint_digest,
        "parent_version": parent.version if parent else "none",
        "flow_run_id": origin.flow_run_id,
        "mlflow_run_id": origin.tracking_run_id,
        "code": origin.code_version,
        "data_digest": origin.dataset_digest,
        "recipe_digest": origin.recipe_digest,
        "size_bytes": str(candidate.size_bytes),
        "spearman" if quality.label_kind == "score" else "accuracy": f"{quality.merit:.4f}",
    }
    if measurement is not None:
        tags["latency_p50_ms"] = f"{np.median(measurement.latencies_ms):.3f}"
        tags["hardware"] = measurement.fingerprint.cpu_model
        tags["threads"] = str(measurement.threads)
    return {f"distillery.{name}": value for name, value in tags.items()}
