"""What the recipe asked for, beside what the subject has."""

from dataclasses import dataclass

from distillery.nouns import Findings
from distillery.report import units
from distillery.report.measure import measure_of
from distillery.report.results import ResultRow


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A gate: what it asks for, and what the subject has."""

    gate: str
    limit: str
    value: str


def limits(findings: Findings, row: ResultRow | None) -> list[Limit]:
    """The gates that were given; the subject's values beside them."""
    given = {k: v for k, v in findings.gates.items() if isinstance(v, int | float)}
    measure = measure_of(findings.dataset.label_kind)
    known: tuple[tuple[str, str, str, str], ...] = (
        (
            "accuracy_kept_min",
            f"{measure.title} kept",
            "at least {:.4g}%",
            units.percent(row.kept if row else None),
        ),
        (
            "accuracy_min",
            measure.title,
            "at least {:.4g}%" if findings.dataset.label_kind == "class" else "at least {:.4g}",
            measure.written(row.merit if row else None),
        ),
        (
            "latency_p95_ms_max",
            "Latency of 95% of requests (p95)",
            "at most {:g} ms",
            units.milliseconds(row.p95_ms if row else None),
        ),
        (
            "size_bytes_max",
            "Size of the model file",
            "at most {}",
            units.size(row.size_bytes if row else None),
        ),
        (
            "speedup_min",
            "Speed-up over the teacher",
            "at least {:g}×",
            units.times(row.speedup if row else None),
        ),
        (
            "cost_per_million_usd_max",
            "Cost of a million predictions",
            "at most ${:.4g}",
            units.dollars(_cost(findings, row)),
        ),
    )
    limits = []
    for key, gate, words, value in known:
        if key not in given:
            continue
        asked: float | str = given[key]
        if "%" in words:
            asked = 100 * given[key]
        elif key.startswith("size"):
            asked = units.size(given[key])
        limits.append(Limit(gate=gate, limit=words.format(asked), value=value))
    return limits


def _cost(findings: Findings, row: ResultRow | None) -> float | None:
    """On demand, on the target that is judged."""
    here = (
        one for one in findings.judged_measurements if row and one.candidate_name == row.candidate
    )
    return next((one.cost_per_million_usd for one in here), None)
