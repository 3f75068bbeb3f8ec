"""What a benchmark found of each model, as a row."""

from dataclasses import dataclass
from statistics import median

from distillery.benchmarking.comparison import Compared
from distillery.benchmarking.percentiles import percentile
from distillery.measurements import Measurement
from distillery.nouns import LabelKind
from distillery.report import units
from distillery.subjects.finding import Merit
from distillery.subjects.findings import BenchmarkFindings


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One model on one target. None: too few samples, or not asked for."""

    model: str
    target: str
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    model_p50_ms: float | None
    rows_per_second: float
    tried_rates: bool
    highest_rate_per_second: float | None
    cold_start_ms: float | None
    size_bytes: int
    merit: Merit | None
    compared: Compared | None

    @property
    def verdict(self) -> str:
        """Beside the first model, in words."""
        if self.compared is None:
            return "reference"
        of = self.compared
        ratio = f"{of.ratio:.2f}× ({of.interval_low:.2f} to {of.interval_high:.2f})"
        return of.verdict if of.verdict == "tie" else f"{of.verdict}, {ratio}"

    @property
    def rate(self) -> str:
        """The highest that held the objective; ``none`` where rates were tried and none did."""
        if self.tried_rates and self.highest_rate_per_second is None:
            return "none"
        return units.count(self.highest_rate_per_second)

    @property
    def cells(self) -> dict[str, str]:
        """By heading, for tables."""
        return {
            "p50": units.milliseconds(self.p50_ms),
            "p95": units.milliseconds(self.p95_ms),
            "p99": units.milliseconds(self.p99_ms),
            "model p50": units.milliseconds(self.model_p50_ms),
            "rows/s": units.count(self.rows_per_second),
            "requests/s": self.rate,
            "cold start": units.milliseconds(self.cold_start_ms),
            "size": units.size(self.size_bytes),
            "accuracy": units.percent(self._merit_of("class")),
            "Spearman ρ": units.decimal(self._merit_of("score")),
        }

    def _merit_of(self, kind: LabelKind) -> float | None:
        return self.merit.value if self.merit and self.merit.label_kind == kind else None


def model_rows(findings: BenchmarkFindings) -> list[ModelRow]:
    """Target by target, in the order in which the models were named."""
    compared = {(one.target, one.candidate_name): one for one in findings.comparisons}
    subjects = {subject.name: subject for subject in findings.subjects}
    return [
        ModelRow(
            model=measured.candidate_name,
            target=measured.target,
            p50_ms=_percentile(measured, 0.50),
            p95_ms=_percentile(measured, 0.95),
            p99_ms=_percentile(measured, 0.99),
            model_p50_ms=median(measured.model_latencies_ms),
            rows_per_second=measured.rows_per_second,
            tried_rates=measured.server is not None,
            highest_rate_per_second=(
                measured.server.highest_rate_per_second if measured.server else None
            ),
            cold_start_ms=(
                median(start.total_ms for start in measured.cold_starts)
                if measured.cold_starts
                else None
            ),
            size_bytes=subjects[measured.candidate_name].size_bytes,
            merit=subjects[measured.candidate_name].merit,
            compared=compared.get((measured.target, measured.candidate_name)),
        )
        for measured in findings.measurements
    ]


def _percentile(measured: Measurement, q: float) -> float | None:
    found = percentile(measured.latencies_ms, q)
    return found.value if found else None
