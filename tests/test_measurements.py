"""What is derived from raw samples, and which scenarios make no sense."""

from typing import Any

import pytest
from factories import make_candidate, make_measurement
from pydantic import ValidationError

from distillery.measurements import (
    ColdStart,
    Measurement,
    Offline,
    OfflineBatches,
    Padding,
    RatePoint,
    Scenario,
    Server,
)


def _batches(batch_size: int, *rates: float, padding: Padding = "longest_of_batch") -> Any:
    return OfflineBatches(
        padding=padding,
        batch_size=batch_size,
        rows_per_second=rates,
        model_rows_per_second=rates,
    )


def test_throughput_is_that_of_the_best_batch_size_with_the_judged_padding() -> None:
    measured = make_measurement(
        make_candidate(),
        offline=(
            _batches(1, 100.0, 120.0, 500.0),  # its median is 120
            _batches(8, 290.0, 300.0, 310.0),
            _batches(64, 200.0, 210.0, 220.0),
            _batches(8, 900.0, 900.0, 900.0, padding="natural"),
        ),
    )
    assert measured.rows_per_second == 300


def test_it_survives_json() -> None:
    measured = make_measurement(
        make_candidate(),
        server={
            "p99_objective_ms": 5.0,
            "points": ({"rate_per_second": 9.5, "latencies_ms": (1,)},),
        },
        cold_starts=({"process_ms": 90, "load_ms": 8, "first_prediction_ms": 2},),
    )
    assert Measurement.model_validate_json(measured.model_dump_json()) == measured


def test_percentiles_of_a_rate_need_samples() -> None:
    few = RatePoint(rate_per_second=10, latencies_ms=tuple(float(i) for i in range(1, 101)))
    assert (few.p50_ms, few.p99_ms) == (50.5, None)
    assert few.p95_ms == pytest.approx(95.05)


def test_a_cold_start_is_the_sum_of_its_parts() -> None:
    assert ColdStart(process_ms=90, load_ms=8, first_prediction_ms=2).total_ms == 100


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"paddings": ("natural", "natural")}, "paddings names one value twice"),
        ({"offline": Offline(batch_sizes=(8, 1, 8))}, "offline.batch_sizes names one value twice"),
        ({"paddings": ()}, "at least 1 item"),
    ],
)
def test_scenarios_that_make_no_sense(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Scenario(**fields)


def test_too_few_requests_for_a_p99_are_refused_before_anything_is_timed() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 662"):
        Server(p99_objective_ms=5, requests=661)
