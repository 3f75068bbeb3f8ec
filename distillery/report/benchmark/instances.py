"""Which rented machine to take: rate, latency and cost of each, and the cheapest that will do."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from distillery.benchmarking.percentiles import percentile
from distillery.measurements import Measurement
from distillery.report import html, units
from distillery.report.benchmark import costs
from distillery.report.benchmark.published import Published, published


@dataclass(frozen=True, kw_only=True)
class InstanceRow:
    """One model on one rented machine. None: too few samples, or no rate held the objective."""

    target: str
    model: str
    region: str
    market: str
    rate_per_second: float | None
    p99_objective_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    usd_per_hour: float
    spot_usd_per_hour: float | None
    cost_per_million_usd: float | None
    spot_cost_per_million_usd: float | None
    price_source: str
    is_recommended: bool = False

    @property
    def record(self) -> dict[str, Any]:
        """By column, for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Instances:
    """What a page tells of rented machines."""

    rows: Sequence[InstanceRow]
    sentence: str
    plot: Markup | None
    published: Published


def instance_rows(
    measurements: Sequence[Measurement], models: Collection[str] | None = None
) -> list[InstanceRow]:
    """The cheapest first; what held no rate last.

    Recommended is the cheapest on demand that holds its objective, among ``models`` where those
    are given. Machines are compared by cost alone: their latencies are never ranked.
    """
    rows = [_row(measured) for measured in measurements if measured.instance is not None]
    rows.sort(key=lambda row: (row.cost_per_million_usd or float("inf"), row.target, row.model))
    able = [
        i
        for i, row in enumerate(rows)
        if row.cost_per_million_usd is not None and (models is None or row.model in models)
    ]
    return [
        InstanceRow(**{**asdict(row), "is_recommended": bool(able) and i == able[0]})
        for i, row in enumerate(rows)
    ]


def instances(
    measurements: Sequence[Measurement], models: Collection[str] | None = None
) -> Instances | None:
    """None where nothing was rented."""
    rows = instance_rows(measurements, models)
    if not rows:
        return None
    return Instances(
        rows=rows,
        sentence=recommendation(rows),
        plot=html.drawn(costs.svg(rows)),
        published=published(),
    )


def recommendation(rows: Sequence[InstanceRow]) -> str:
    """One sentence."""
    best = next((row for row in rows if row.is_recommended), None)
    if best is None:
        return "No instance held the p99 objective at any rate that was tried: none is recommended."
    spot = (
        f", {units.dollars(best.spot_cost_per_million_usd)} on the spot market"
        if best.spot_cost_per_million_usd is not None
        else ""
    )
    objective, rate = units.milliseconds(best.p99_objective_ms), units.count(best.rate_per_second)
    return (
        f"{best.target} is the cheapest that holds p99 ≤ {objective}: {best.model} answers {rate} "
        f"requests a second there, at {units.dollars(best.cost_per_million_usd)} a million on "
        f"demand{spot}."
    )


def _row(measured: Measurement) -> InstanceRow:
    instance, server = measured.instance, measured.server
    assert instance is not None, "only these are asked"
    return InstanceRow(
        target=measured.target,
        model=measured.candidate_name,
        region=instance.region,
        market=instance.market.replace("_", " "),
        rate_per_second=server.highest_rate_per_second if server else None,
        p99_objective_ms=server.p99_objective_ms if server else None,
        p50_ms=_percentile(measured, 0.50),
        p95_ms=_percentile(measured, 0.95),
        usd_per_hour=instance.price.on_demand_usd_per_hour,
        spot_usd_per_hour=instance.price.spot_usd_per_hour,
        cost_per_million_usd=measured.cost_per_million_usd,
        spot_cost_per_million_usd=measured.spot_cost_per_million_usd,
        price_source=f"{instance.price.source}, {instance.price.as_of}",
    )


def _percentile(measured: Measurement, q: float) -> float | None:
    found = percentile(measured.latencies_ms, q)
    return found.value if found else None
