"""Which of two measured models is faster, and how sure one can be of it."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from pydantic import Field

from distillery.benchmarking.percentiles import Comparison, bootstrap_ratio_interval, verdict
from distillery.errors import UserError
from distillery.measurements import Measurement
from distillery.noun import Noun


class Compared(Noun):
    """One model's latency as a multiple of another's, one request at a time, end to end."""

    target: str
    candidate_name: str
    reference_name: str
    ratio: float = Field(description="Of the medians; below 1 the candidate is faster.")
    interval_low: float = Field(description="99 %, paired block bootstrap over the rounds.")
    interval_high: float

    @property
    def verdict(self) -> Comparison:
        """A tie where the interval holds 1."""
        return verdict(self.interval_low, self.interval_high)


def beside_the_first(measurements: Sequence[Measurement]) -> tuple[Compared, ...]:
    """On each target, the others beside the one that stands first there.

    Those of one target stand together.
    """
    found = []
    for _, together in groupby(measurements, lambda measured: measured.target):
        first, *others = together
        found += [compared(one, first) for one in others]
    return tuple(found)


def compared(candidate: Measurement, reference: Measurement) -> Compared:
    """``candidate`` beside ``reference``, by the samples that answer the same texts in turns.

    Raises ``UserError`` where they were not measured in one place, or not in the same rounds.
    """
    names = f"{candidate.candidate_name} and {reference.candidate_name}"
    differs = _what_differs(candidate, reference)
    if differs:
        raise UserError(
            f"{names} are not compared, for they were measured in different places ({differs}); "
            "measure both in one benchmark"
        )
    ours, theirs = candidate.latencies_ms, reference.latencies_ms
    if len(ours) != len(theirs):
        raise UserError(
            f"{names} are not compared, for they did not answer the same requests ({len(ours)} "
            f"and {len(theirs)}); measure both in one benchmark"
        )
    low, high = bootstrap_ratio_interval(ours, theirs, seed=0)
    return Compared(
        target=candidate.target,
        candidate_name=candidate.candidate_name,
        reference_name=reference.candidate_name,
        ratio=float(np.median(ours) / np.median(theirs)),
        interval_low=low,
        interval_high=high,
    )


def _what_differs(one: Measurement, other: Measurement) -> str:
    """In words; empty where both were measured in the same place."""
    places = [
        {
            "target": m.target,
            "threads": m.threads,
            "instance": m.instance.instance_id if m.instance else "this machine",
            **m.fingerprint.model_dump(),
        }
        for m in (one, other)
    ]
    return "; ".join(
        f"{key.replace('_', ' ')}: {_shown(places[0][key])} and {_shown(places[1][key])}"
        for key in places[0]
        if places[0][key] != places[1][key]
    )


def _shown(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {version}" for name, version in value.items())
        case tuple():
            return " ".join(value) or "none"
    return str(value)
