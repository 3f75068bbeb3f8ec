"""Where the candidates were measured, and how undisturbed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from distillery.measurements import Fingerprint, Instance, Measurement


@dataclass(frozen=True, kw_only=True)
class Place:
    """Hardware, and which candidates were measured on it."""

    fingerprint: Fingerprint
    instance: Instance | None
    target: str
    threads: int
    requests: int
    noise: tuple[str, ...]
    candidates: tuple[str, ...]


def places(measurements: Sequence[Measurement]) -> list[Place]:
    """One for each hardware, target and number of threads."""
    places = []

    def place(measurement: Measurement) -> tuple[str, str, str]:
        of = measurement.fingerprint
        return of.digest, measurement.target, f"{measurement.threads:04d}"

    for _, group in groupby(sorted(measurements, key=place), place):
        here = list(group)
        places.append(
            Place(
                fingerprint=here[0].fingerprint,
                instance=here[0].instance,
                target=here[0].target,
                threads=here[0].threads,
                requests=min(len(m.latencies_ms) for m in here),
                noise=tuple(dict.fromkeys(reason for m in here for reason in m.noise.reasons)),
                candidates=tuple(m.candidate_name for m in here),
            )
        )
    return places
