"""What a benchmark measured on one target beyond one request at a time: for a page's sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from markupsafe import Markup

from distillery.benchmarking.percentiles import percentile
from distillery.measurements import Measurement, SingleStream
from distillery.report import html
from distillery.report.benchmark import plots


@dataclass(frozen=True, kw_only=True)
class PaddingRow:
    """One model with one padding. None: too few samples."""

    model: str
    padding: str
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    rows_per_second: float


@dataclass(frozen=True, kw_only=True)
class Scenarios:
    """Of one target; what was not measured is empty or None."""

    target: str
    padding_rows: Sequence[PaddingRow]
    plot_throughput: Markup | None
    batches: int
    paddings: int
    plot_rates: Markup | None
    loads: Sequence[Measurement]
    cold: Sequence[Measurement]

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Those that have something to show: id and heading."""
        every = (
            (self.padding_rows, "paddings", "Paddings"),
            (self.plot_throughput, "throughput", "Throughput against batch"),
            (self.plot_rates, "rates", "Latency against rate"),
            (self.cold, "cold", "Cold start"),
        )
        return [(name, heading) for found, name, heading in every if found]


def by_target(measurements: Sequence[Measurement]) -> list[Scenarios]:
    """Those of one target stand together."""
    return [of(list(here)) for _, here in groupby(measurements, lambda one: one.target)]


def of(measurements: Sequence[Measurement]) -> Scenarios:
    """``measurements`` are of one target."""
    first = measurements[0]
    several = any(len(measured.offline) > 1 for measured in measurements)
    return Scenarios(
        target=first.target,
        padding_rows=[
            _padding_row(measured, stream)
            for measured in measurements
            if len(measured.single_stream) > 1
            for stream in measured.single_stream
        ],
        plot_throughput=(
            html.drawn(plots.throughput_against_batch(measurements)) if several else None
        ),
        batches=len(first.offline[0].rows_per_second),
        paddings=len(first.single_stream),
        plot_rates=html.drawn(plots.latency_against_rate(measurements)),
        loads=[measured for measured in measurements if measured.server is not None],
        cold=[measured for measured in measurements if measured.cold_starts],
    )


def _padding_row(measured: Measurement, stream: SingleStream) -> PaddingRow:
    def p(q: float) -> float | None:
        found = percentile(stream.latencies_ms, q)
        return found.value if found else None

    return PaddingRow(
        model=measured.candidate_name,
        padding=stream.padding.replace("_", " "),
        p50_ms=p(0.50),
        p95_ms=p(0.95),
        p99_ms=p(0.99),
        rows_per_second=max(
            median(batches.rows_per_second)
            for batches in measured.offline
            if batches.padding == stream.padding
        ),
    )
