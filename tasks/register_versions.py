"""Every model of the run, in every precision, as a version of the registered model."""

from collections.abc import Sequence

from distillery.measurements import Measurement
from distillery.nouns import Candidate, Quality, RegisteredVersion
from distillery.registry import registration
from distillery.registry.registration import Origin
from tasks.step import fresh_step, recorded


@fresh_step
def register_versions(
    candidates: Sequence[Candidate],
    qualities: Sequence[Quality],
    measurements: Sequence[Measurement],
    model: str,
    origin: Origin,
) -> tuple[RegisteredVersion, ...]:
    """Once a digest: what is registered already is found, not registered again."""
    with recorded("register") as run:
        versions = registration.register(
            candidates, qualities, measurements, model=model, origin=origin, step=run
        )
        run.tags({version.candidate_name: version.uri for version in versions})
        return versions
