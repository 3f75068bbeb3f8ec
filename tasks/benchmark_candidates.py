"""Time all candidates side by side."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from distillery import storage
from distillery.benchmarking.plan import Entry
from distillery.data import preparation
from distillery.measurements import Measurement, Scenario
from distillery.nouns import Candidate, Dataset
from distillery.report import samples
from distillery.targets.this_machine import ThisMachine
from tasks.measuring import machine_to_oneself
from tasks.step import fresh_step, recorded


@fresh_step
def benchmark_candidates(
    candidates: Sequence[Candidate], dataset: Dataset, scenario: Scenario, threads: int
) -> tuple[Measurement, ...]:
    """Never cached: what it measures is this machine, now."""
    with recorded("benchmark") as run:
        texts, _ = preparation.read(dataset, "test")
        entries = [
            Entry(
                name=candidate.name,
                digest=candidate.digest,
                folder=storage.fetch(candidate.artifact),
                runtime=candidate.runtime,
            )
            for candidate in candidates
        ]
        with machine_to_oneself():
            measurements = ThisMachine().measure(entries, texts, scenario, threads)
        run.params({"scenario": scenario.model_dump(), "threads": measurements[0].threads})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "samples.parquet"
            samples.write(measurements, path)
            run.file(path, "measurements")
        return measurements
