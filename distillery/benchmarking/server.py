"""The server scenario: requests come when they come, one queue, one engine.

Latency counts from the time a request was *scheduled*, so that a stalled server is charged for the
queue it caused. A loop that sends the next request only after the answer to the last one would
leave those out that should have come meanwhile (coordinated omission, G. Tene 2013). As in MLPerf
Inference's server scenario (Reddi et al. 2020, section 3), arrivals are a Poisson process.
"""

from collections.abc import Callable, Sequence
from time import perf_counter, sleep

import numpy as np
from numpy.typing import NDArray

from distillery.measurements import RatePoint, ServerLoad

# a sleep ends late by up to so much; the rest is waited for awake: nobody else wants the core
_AWAKE_SECONDS = 0.0005


def arrivals(rng: np.random.Generator, requests: int) -> NDArray[np.float64]:
    """When each request comes, counted in mean intervals; shape (requests,), ascending."""
    return np.cumsum(rng.exponential(size=requests))


def replay(
    due_seconds: Sequence[float],
    serve: Callable[[int], object],
    clock: Callable[[], float] = perf_counter,
    wait: Callable[[float], None] = sleep,
) -> list[float]:
    """Serve each request no sooner than it is due, in order; milliseconds from when it was due.

    One engine that takes requests in the order of their arrival is a queue already: whatever comes
    while it is busy is late by the time that it waits.
    """
    started = clock()
    latencies_ms = []
    for request, due in enumerate(due_seconds):
        while (left := due - (clock() - started)) > 0:
            if left > _AWAKE_SECONDS:
                wait(left - _AWAKE_SECONDS)
        serve(request)
        latencies_ms.append((clock() - started - due) * 1000)
    return latencies_ms


def next_rate(
    points: Sequence[RatePoint], p99_objective_ms: float, capacity_per_second: float
) -> float:
    """Requests a second to try next, half-way from what held to what did not.

    Capacity bounds it from above: beyond, the queue grows for as long as requests come, and a short
    enough try would hold any objective.
    """
    failed = [p.rate_per_second for p in points if not p.holds(p99_objective_ms)]
    high = min([*failed, capacity_per_second])
    load = ServerLoad(p99_objective_ms=p99_objective_ms, points=tuple(points))
    return ((load.highest_rate_per_second or 0.0) + high) / 2
