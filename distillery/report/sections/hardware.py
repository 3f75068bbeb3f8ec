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
    threads: str
    requests: int
    noise: tuple[str, ...]
    candidates: tuple[str, ...]


def places(measurements: Sequence[Measurement]) -> list[Place]:
    """One for each hardware and target; threads may be part of what was searched for."""
    places = []

    def place(measurement: Measurement) -> tuple[str, str]:
        return measurement.fingerprint.digest, measurement.target

    for _, group in groupby(sorted(measurements, key=place), place):
        here = list(group)
        places.append(
            Place(
                fingerprint=here[0].fingerprint,
                instance=here[0].instance,
                target=here[0].target,
                threads=_threads({m.threads for m in here}),
                requests=min(len(m.latencies_ms) for m in here),
                noise=tuple(dict.fromkeys(reason for m in here for reason in m.noise.reasons)),
                candidates=tuple(m.candidate_name for m in here),
            )
        )
    return places


def _threads(counts: set[int]) -> str:
    told = " or ".join(map(str, sorted(counts)))
    return f"{told} thread{'' if counts == {1} else 's'}"
