"""Which configurations may still win, and which has won. Pure: measurements in, choices out."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import numpy as np

from distillery.benchmarking.percentiles import bootstrap_ratio_interval, compare, percentile
from distillery.measurements import Measurement
from distillery.nouns import Candidate, Quality
from distillery.recipe import Gates
from distillery.search.outcome import Best, Screened, called
from distillery.verdict import broken_gates

Times = Callable[[Measurement], Sequence[float]]
"""What a contest compares, one value a request or batch; less is better."""

# what is nearer than this is not told apart by a screening, however sure its interval is: rounds
# are few, and a machine's mood lasts for longer than one
_MARGIN = 1.05


def latency(measurement: Measurement) -> Sequence[float]:
    """Of single requests, end to end."""
    return measurement.latencies_ms


def row_time(room: Callable[[int], int]) -> Times:
    """Seconds a row where the machine is filled: ``room`` is how many instances of so many threads
    may stand side by side. In a screening one was measured, and others are taken to scale alike.
    """

    def times(measurement: Measurement) -> Sequence[float]:
        share = room(measurement.threads) / measurement.instances
        return [1 / (share * rate) for rate in measurement.best_batches.rows_per_second]

    return times


def whole_time(measurement: Measurement) -> Sequence[float]:
    """Seconds a row of all instances together, as measured."""
    return [1 / rate for rate in measurement.best_batches.rows_per_second]


def ratio_interval(one: Screened, other: Screened, times: Times) -> tuple[float, float]:
    """The 99 % interval of the ratio of median times, or of a wider one across sessions."""
    if one.session == other.session:
        return bootstrap_ratio_interval(times(one.measurement), times(other.measurement), seed=0)
    low, high = bootstrap_ratio_interval(times(one.measurement), times(one.anchor), seed=0)
    low_2, high_2 = bootstrap_ratio_interval(times(other.measurement), times(other.anchor), seed=0)
    return low / high_2, high / low_2


def why_not(
    screened: Sequence[Screened],
    times: Times,
    may_replace: Callable[[Screened, Screened], bool],
) -> list[str | None]:
    """Of each, why it can no longer win: another that may replace it is surely quicker.

    The quickest stays whatever the intervals say, so that somebody does.
    """
    scores = [
        float(np.median(times(one.measurement)) / np.median(times(one.anchor))) for one in screened
    ]
    order = sorted(range(len(screened)), key=scores.__getitem__)
    reasons: list[str | None] = [None] * len(screened)
    for place, i in enumerate(order):
        for j in order[:place]:
            if scores[j] == scores[i] or not may_replace(screened[j], screened[i]):
                continue
            low, high = ratio_interval(screened[i], screened[j], times)
            if low > _MARGIN:
                winner = screened[j].measurement
                reasons[i] = (
                    f"{called(winner.candidate_name, winner.threads)}, is "
                    f"{scores[i] / scores[j]:.2f}× as fast (99 % interval {low:.2f} to {high:.2f})"
                )
                break
    return reasons


def replaces_in_latency(
    gates: Gates, candidates: Mapping[str, Candidate], qualities: Mapping[str, Quality]
) -> Callable[[Screened, Screened], bool]:
    """Whether the first, where it is quicker, leaves the second no way to win.

    It must be sure to hold the gate on p95 itself, and be no worse in what the gates prefer.
    """

    def may_replace(one: Screened, other: Screened) -> bool:
        ours, theirs = (candidates[s.measurement.candidate_name] for s in (one, other))
        if not holds_p95(gates, one.measurement):
            return False
        match gates.prefer:
            case "latency":
                return True
            case "size":
                return ours.size_bytes <= theirs.size_bytes
            case "accuracy":
                merits = qualities[ours.name].merit, qualities[theirs.name].merit
                return (merits[0], -ours.size_bytes) >= (merits[1], -theirs.size_bytes)

    return may_replace


def replaces_in_throughput(gates: Gates) -> Callable[[Screened, Screened], bool]:
    """The same where throughput counts. Under a gate on p95 it must be surely quicker too, since
    what a load does to p95 is not known yet.
    """

    def may_replace(one: Screened, other: Screened) -> bool:
        if gates.latency_p95_ms_max is None:
            return True
        return (
            holds_p95(gates, one.measurement) and ratio_interval(other, one, latency)[0] > _MARGIN
        )

    return may_replace


def holds_p95(gates: Gates, measurement: Measurement) -> bool:
    """Whether p95 is surely within the gate, or there is none."""
    if gates.latency_p95_ms_max is None:
        return True
    found = percentile(measurement.latencies_ms, 0.95)
    return found is not None and found.high <= gates.latency_p95_ms_max


def chosen(measurements: Sequence[Measurement], gates: Gates) -> list[int]:
    """Of each candidate, in the order of their names' first appearance, the one it is judged by.

    One instance alone; the quickest of those whose p95 holds the gate, where any does; of those
    that cannot be told from it, the one with the fewest threads: cores are for others too.
    """
    alone = [i for i, measured in enumerate(measurements) if measured.instances == 1]
    first = {name: i for i, name in reversed([*enumerate(m.candidate_name for m in measurements)])}
    alone.sort(key=lambda i: first[measurements[i].candidate_name])
    found = []
    for _, of_candidate in groupby(alone, key=lambda i: measurements[i].candidate_name):
        places = list(of_candidate)
        pool = [i for i in places if _p95_within(gates, measurements[i])] or places
        quickest = min(pool, key=lambda i: p50_ms(measurements[i]))
        tied = [i for i in pool if _tie(measurements[i], measurements[quickest], latency)]
        found.append(min(tied, key=lambda i: measurements[i].threads))
    return found


def best(
    measurements: Sequence[Measurement],
    judged: Sequence[Measurement],
    gates: Gates,
    candidates: Mapping[str, Candidate],
    qualities: Mapping[str, Quality],
    reference: Measurement,
) -> tuple[Best, ...]:
    """The best configuration for latency, and for throughput, of those that pass the gates."""

    def passes(measured: Measurement) -> bool:
        candidate = candidates[measured.candidate_name]
        if candidate.runtime == "pytorch":
            return False
        of_reference = qualities[reference.candidate_name]
        own = qualities[candidate.name]
        return not broken_gates(gates, candidate, own, measured, of_reference, reference)

    found = []
    quick = [measured for measured in judged if passes(measured)]
    if quick:
        fastest = min(quick, key=p50_ms)
        tied = [measured for measured in quick if _tie(measured, fastest, latency)]
        # as the judge has it: of equal ones the smaller, then the more accurate
        winner = min(
            tied,
            key=lambda m: (
                candidates[m.candidate_name].size_bytes,
                -qualities[m.candidate_name].merit,
                m.candidate_name,
            ),
        )
        found.append(_best("latency", winner, tied))
    full = [measured for measured in measurements if passes(measured)]
    if full:
        winner = max(full, key=lambda measured: measured.rows_per_second)
        tied = [measured for measured in full if _tie(measured, winner, whole_time)]
        found.append(_best("throughput", winner, tied))
    return tuple(found)


def p50_ms(measurement: Measurement) -> float:
    """The median, end to end."""
    return float(np.median(measurement.latencies_ms))


def relative_p50(screened: Screened) -> float:
    """Its median as a multiple of its anchor's: comparable across sessions."""
    return p50_ms(screened.measurement) / p50_ms(screened.anchor)


def _p95_within(gates: Gates, measurement: Measurement) -> bool:
    found = percentile(measurement.latencies_ms, 0.95)
    limit = gates.latency_p95_ms_max
    return limit is None or (found is not None and found.value <= limit)


def _tie(one: Measurement, other: Measurement, times: Times) -> bool:
    return one is other or compare(times(one), times(other)) == "tie"


def _best(goal: str, winner: Measurement, tied: Sequence[Measurement]) -> Best:
    return Best.model_validate(
        {
            "goal": goal,
            "candidate_name": winner.candidate_name,
            "candidate_digest": winner.candidate_digest,
            "threads": winner.threads,
            "instances": winner.instances,
            "p50_ms": p50_ms(winner),
            "rows_per_second": winner.rows_per_second,
            "ties": tuple(
                called(one.candidate_name, one.threads, one.instances)
                for one in tied
                if one is not winner
            ),
        }
    )
