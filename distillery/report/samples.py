"""Raw samples as one long table: a row a sample, for whoever wants to look closer."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distillery.measurements import Measurement

_SCHEMA = pa.schema(
    {
        "candidate": pa.string(),
        "candidate_digest": pa.string(),
        "target": pa.string(),
        "fingerprint": pa.string(),
        "threads": pa.int32(),
        "instances": pa.int32(),
        "scenario": pa.string(),  # single_stream, offline, server, cold_start
        "padding": pa.string(),
        "batch_size": pa.int32(),
        "rate_per_second": pa.float64(),  # of the arrivals
        "quantity": pa.string(),  # with its unit, such as latency_ms
        "sample": pa.int32(),  # equal ones answer the same request
        "value": pa.float64(),
    }
)


def write(measurements: Sequence[Measurement], path: Path) -> None:
    """One Parquet file; what does not apply to a scenario is null."""
    rows = [row for measurement in measurements for row in _rows(measurement)]
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), path, compression="zstd")


def _rows(measurement: Measurement) -> Iterator[dict[str, Any]]:
    place = {
        "candidate": measurement.candidate_name,
        "candidate_digest": measurement.candidate_digest,
        "target": measurement.target,
        "fingerprint": measurement.fingerprint.digest,
        "threads": measurement.threads,
        "instances": measurement.instances,
    }
    judged = measurement.single_stream[0].padding
    for stream in measurement.single_stream:
        of = {"scenario": "single_stream", "padding": stream.padding, "batch_size": 1}
        yield from _samples(place | of, "latency_ms", stream.latencies_ms)
        yield from _samples(place | of, "model_latency_ms", stream.model_latencies_ms)
    for batches in measurement.offline:
        of = {
            "scenario": "offline",
            "padding": batches.padding,
            "batch_size": batches.batch_size,
        }
        yield from _samples(place | of, "rows_per_second", batches.rows_per_second)
        yield from _samples(place | of, "model_rows_per_second", batches.model_rows_per_second)
    for point in measurement.server.points if measurement.server else ():
        load = {
            "scenario": "server",
            "padding": judged,
            "batch_size": 1,
            "rate_per_second": point.rate_per_second,
        }
        yield from _samples(place | load, "latency_ms", point.latencies_ms)
    for quantity in ("process_ms", "load_ms", "first_prediction_ms"):
        values = [getattr(start, quantity) for start in measurement.cold_starts]
        yield from _samples(place | {"scenario": "cold_start"}, quantity, values)


def _samples(
    of: dict[str, Any], quantity: str, values: Iterable[float]
) -> Iterator[dict[str, Any]]:
    for i, value in enumerate(values):
        yield of | {"quantity": quantity, "sample": i, "value": value}
