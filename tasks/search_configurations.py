"""Find the best candidate with the best threads and instances, and time what may still win."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from distillery.benchmarking.fingerprint import available_cores, fingerprint
from distillery.data import preparation
from distillery.measurements import Scenario
from distillery.nouns import Candidate, Dataset, Quality
from distillery.recipe import Gates
from distillery.report import samples
from distillery.search import searching
from distillery.search.outcome import Searched
from distillery.search.searching import Ground
from distillery.search.settings import Search
from distillery.targets.this_machine import ThisMachine
from tasks.step import fresh_step, recorded


@fresh_step
def search_configurations(
    candidates: Sequence[Candidate],
    qualities: Sequence[Quality],
    dataset: Dataset,
    settings: Search,
    gates: Gates,
    scenario: Scenario,
) -> Searched:
    """Never cached as a whole: screenings are kept, and what is ranked is measured now."""
    with recorded("search") as run:
        texts, _ = preparation.read(dataset, "test")
        ground = Ground(
            target=ThisMachine(),
            place=fingerprint(),
            cores=available_cores(),
            texts=texts,
            texts_digest=dataset.digest,
        )
        found = searching.search(candidates, qualities, settings, gates, scenario, ground)
        run.params({"scenario": scenario.model_dump(), "search": settings.model_dump()})
        run.metrics(
            {
                "trials": len(found.trials),
                "trials_reused": sum(trial.reused for trial in found.trials),
                "measured_in_full": len(found.measurements),
            }
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "samples.parquet"
            samples.write(found.measurements, path)
            run.file(path, "measurements")
        return found
