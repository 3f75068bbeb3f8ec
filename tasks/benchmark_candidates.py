"""Time all candidates side by side, target by target."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from distillery import storage
from distillery.benchmarking.plan import Entry
from distillery.data import preparation
from distillery.errors import UserError
from distillery.measurements import Outcome, Scenario
from distillery.nouns import Candidate, Dataset
from distillery.report import samples
from distillery.targets import measuring
from distillery.targets.named import AnyTarget
from tasks.step import fresh_step, recorded


@fresh_step
def benchmark_candidates(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    targets: Sequence[AnyTarget],
    scenario: Scenario,
    threads: int,
) -> tuple[Outcome, ...]:
    """Never cached: what it measures are these machines, now.

    Raises ``UserError`` where the first target, which is judged, has no number of the teacher.
    """
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
        outcomes = measuring.measure(dict.fromkeys(targets, entries), texts, scenario, threads)
        first = outcomes[0]
        reference = next(
            one for one in candidates if (one.role, one.runtime) == ("teacher", "pytorch")
        )
        if reference.name not in [one.candidate_name for one in first.measurements]:
            lines = [one.line for one in first.skipped if reference.name in one.models]
            raise UserError(
                f"the gates are judged on {first.target}, beside {reference.name}: "
                f"{'; '.join(lines) or 'it was not measured'}; put another target first"
            )
        run.params({"scenario": scenario.model_dump(), "threads": first.measurements[0].threads})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "samples.parquet"
            samples.write([one for of in outcomes for one in of.measurements], path)
            run.file(path, "measurements")
        return outcomes
