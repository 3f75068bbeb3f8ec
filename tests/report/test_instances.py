"""Which instance to take: numbers made by hand."""

import io
from typing import Any

import pytest
from factories import make_candidate, make_measurement
from rich.console import Console

from distillery.measurements import Measurement
from distillery.report import units
from distillery.report.benchmark import costs
from distillery.report.benchmark.instances import instance_rows, instances, recommendation
from distillery.report.benchmark.published import published
from distillery.report.benchmark.tables import instance_table


def _measured(
    instance_type: str,
    *,
    usd: float,
    rate: float | None,
    spot: float | None = None,
    model: str = "small int8",
    **more: Any,
) -> Measurement:
    """``rate`` held; None held nothing."""
    latency_ms = 1.0 if rate else 99.0
    return make_measurement(
        make_candidate(model),
        target=f"aws:{instance_type}",
        instance={
            "instance_type": instance_type,
            "region": "us-east-1",
            "zone": "us-east-1a",
            "market": "spot",
            "instance_id": "i-1",
            "image_id": "ami-1",
            "price": {
                "on_demand_usd_per_hour": usd,
                "spot_usd_per_hour": spot,
                "source": "AWS price list",
                "as_of": "2026-11-01",
            },
        },
        server={
            "p99_objective_ms": 10,
            "points": [{"rate_per_second": rate or 5.0, "latencies_ms": (latency_ms,) * 700}],
        },
        **more,
    )


_SLOW = _measured("c7i.xlarge", usd=0.36, spot=0.18, rate=100)  # $1 a million
_QUICK = _measured("c7i.4xlarge", usd=0.72, rate=1000, latency_ms=0.2)  # 20 cents
_NONE = _measured("t3.small", usd=0.02, rate=None)


def test_the_cheapest_that_holds_the_objective_is_recommended() -> None:
    rows = instance_rows([_NONE, _SLOW, _QUICK, make_measurement(make_candidate("small int8"))])
    assert [(row.target, row.is_recommended) for row in rows] == [
        ("aws:c7i.4xlarge", True),
        ("aws:c7i.xlarge", False),
        ("aws:t3.small", False),
    ]
    assert rows[1].cost_per_million_usd == pytest.approx(1)
    assert rows[1].spot_cost_per_million_usd == pytest.approx(0.5)
    assert (rows[2].rate_per_second, rows[2].cost_per_million_usd) == (None, None)
    assert recommendation(rows) == (
        "aws:c7i.4xlarge is the cheapest that holds p99 ≤ 10.0 ms: small int8 answers 1,000 "
        "requests a second there, at $0.2 a million on demand."
    )


def test_only_the_model_that_was_chosen_makes_an_instance_recommended() -> None:
    other = _measured("c7i.8xlarge", usd=0.72, rate=9000, model="other int8")
    rows = instance_rows([other, _SLOW], ["small int8"])
    assert [row.model for row in rows if row.is_recommended] == ["small int8"]


def test_where_no_rate_held_none_is_recommended() -> None:
    rows = instance_rows([_NONE])
    assert "none is recommended" in recommendation(rows)
    assert costs.svg(rows) is None


def test_nothing_rented_has_no_section() -> None:
    assert instances([make_measurement(make_candidate("small int8"))]) is None


def test_the_plot_shows_costs_of_both_markets() -> None:
    svg = costs.svg(instance_rows([_SLOW, _QUICK]))
    assert svg is not None
    assert "small int8 on aws:c7i.xlarge: $1.00 at 1.00 ms" in svg
    assert "spot" in svg


def test_the_table_of_a_terminal() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(instance_table(instance_rows([_SLOW, _NONE])))
    lines = console.export_text().splitlines()
    assert "$1.00" in lines[1]
    assert "none" in lines[2]


def test_each_published_figure_has_a_source_and_says_something() -> None:
    told = published()
    assert told.rows
    for row in told.rows:
        assert row.source.startswith("https://")
        assert row.rate_per_second or row.cost_per_million_usd


@pytest.mark.parametrize(
    ("usd", "written"),
    [(0.0123, "$0.0123"), (0.2, "$0.2"), (1.531, "$1.53"), (41.23, "$41.2"), (1234.5, "$1,234")],
)
def test_dollars(usd: float, written: str) -> None:
    assert units.dollars(usd) == written
