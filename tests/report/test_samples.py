"""Raw samples as Parquet: none is lost, and each says what it is."""

from pathlib import Path

import pyarrow.parquet as pq
from factories import HERE, make_candidate, make_measurement

from distillery.report import samples


def test_every_sample_is_a_row(tmp_path: Path) -> None:
    measured = make_measurement(
        make_candidate("small int8"),
        latencies_ms=(1.0, 2.0),
        model_latencies_ms=(0.5, 1.5),
        server={
            "p99_objective_ms": 9.0,
            "points": (
                {"rate_per_second": 10.0, "latencies_ms": (3.0,)},
                {"rate_per_second": 20.0, "latencies_ms": (4.0, 5.0)},
            ),
        },
        cold_starts=({"process_ms": 90.0, "load_ms": 8.0, "first_prediction_ms": 2.0},),
    )
    other = make_measurement(make_candidate("other"), latencies_ms=(7.0,), model_latencies_ms=(6,))
    samples.write([measured, other], tmp_path / "samples.parquet")
    table = pq.read_table(tmp_path / "samples.parquet")
    rows = [row for row in table.to_pylist() if row["candidate"] == "small int8"]

    def values(scenario: str, quantity: str) -> list[tuple[object, ...]]:
        return [
            (row["padding"], row["batch_size"], row["rate_per_second"], row["sample"], row["value"])
            for row in rows
            if (row["scenario"], row["quantity"]) == (scenario, quantity)
        ]

    longest = "longest_of_batch"
    assert values("single_stream", "latency_ms") == [
        (longest, 1, None, 0, 1.0),
        (longest, 1, None, 1, 2.0),
    ]
    assert values("single_stream", "model_latency_ms") == [
        (longest, 1, None, 0, 0.5),
        (longest, 1, None, 1, 1.5),
    ]
    assert values("offline", "rows_per_second") == [(longest, 32, None, i, 1000) for i in range(3)]
    assert len(values("offline", "model_rows_per_second")) == 3
    assert values("server", "latency_ms") == [
        (longest, 1, 10.0, 0, 3.0),
        (longest, 1, 20.0, 0, 4.0),
        (longest, 1, 20.0, 1, 5.0),
    ]
    assert values("cold_start", "load_ms") == [(None, None, None, 0, 8.0)]
    assert {row["fingerprint"] for row in rows} == {HERE.digest}
    assert len(rows) == 2 + 2 + 3 + 3 + 3 + 3
    assert table.num_rows == len(rows) + 1 + 1 + 3 + 3
