"""Where the candidates were measured, and how undisturbed."""

from dataclasses import dataclass
from itertools import groupby

from distillery.nouns import Findings, Fingerprint, Measurement

_STEAL_WORTH_A_WORD = 0.01


@dataclass(frozen=True, kw_only=True)
class Place:
    """Hardware, and which candidates were measured on it."""

    fingerprint: Fingerprint
    target: str
    threads: int
    requests: int
    steal_share: float
    candidates: tuple[str, ...]

    @property
    def is_disturbed(self) -> bool:
        """Whether the hypervisor took so much that it must be said."""
        return self.steal_share >= _STEAL_WORTH_A_WORD


def places(findings: Findings) -> list[Place]:
    """One for each hardware, target and number of threads."""
    places = []

    def place(measurement: Measurement) -> tuple[str, str, str]:
        of = measurement.fingerprint
        return of.digest, measurement.target, f"{measurement.threads:04d}"

    for _, group in groupby(sorted(findings.measurements, key=place), place):
        here = list(group)
        places.append(
            Place(
                fingerprint=here[0].fingerprint,
                target=here[0].target,
                threads=here[0].threads,
                requests=min(len(m.latencies_ms) for m in here),
                steal_share=max(m.steal_share for m in here),
                candidates=tuple(m.candidate_name for m in here),
            )
        )
    return places
