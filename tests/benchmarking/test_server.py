"""The server scenario against queues worked out by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from distillery.benchmarking.server import arrivals, next_rate, replay
from distillery.measurements import RatePoint, ServerLoad


class Machine:
    """A clock that only work and waiting move."""

    def __init__(self, service_seconds: Sequence[float]) -> None:
        self.now = 100.0
        self.served: list[int] = []
        self._service_seconds = service_seconds

    def clock(self) -> float:
        # looking at it takes a little: whoever waits awake must see it move
        self.now += 1e-7
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def serve(self, request: int) -> None:
        self.served.append(request)
        self.now += self._service_seconds[request]

    def latencies_ms(self, due_seconds: Sequence[float]) -> list[float]:
        return replay(due_seconds, self.serve, self.clock, self.wait)


def test_an_engine_quicker_than_the_requests_come_leaves_no_queue() -> None:
    # D/D/1: every 10 ms one request of 4 ms
    machine = Machine([0.004] * 6)
    found = machine.latencies_ms([0.01 * i for i in range(1, 7)])
    assert found == pytest.approx([4] * 6, abs=0.1)
    assert machine.served == list(range(6))
    assert machine.now == pytest.approx(100.064, abs=0.001), "it waited for each to be due"


def test_an_overloaded_engine_is_charged_for_its_queue() -> None:
    # D/D/1: every 10 ms one request of 15 ms; each waits 5 ms longer than the one before
    found = Machine([0.015] * 5).latencies_ms([0.01 * i for i in range(1, 6)])
    assert found == pytest.approx([15, 20, 25, 30, 35], abs=0.1)


def test_a_stall_is_charged_to_all_that_came_meanwhile() -> None:
    # due at 10, 20, …; the third takes 35 ms, from 30 to 65, and the next four wait for it
    found = Machine([0.002, 0.002, 0.035, 0.002, 0.002, 0.002, 0.002, 0.002]).latencies_ms(
        [0.01 * i for i in range(1, 9)]
    )
    assert found == pytest.approx([2, 2, 35, 27, 19, 11, 3, 2], abs=0.1)


def test_waiting_in_a_random_queue_is_what_queueing_theory_says() -> None:
    # M/D/1, service 1 ms, half of the time busy: ρ·s / 2(1 - ρ) = 0.5 ms of waiting in the mean
    # (Pollaczek & Khinchine)
    requests = 50_000
    due = arrivals(np.random.default_rng(1), requests) / 500
    found = Machine([0.001] * requests).latencies_ms(due.tolist())
    assert np.mean(found) == pytest.approx(1.5, rel=0.03)


def test_arrivals_are_a_poisson_process() -> None:
    due = arrivals(np.random.default_rng(0), 20_000)
    intervals = np.diff(due)
    assert (intervals >= 0).all()
    assert intervals.mean() == pytest.approx(1, rel=0.03)
    assert intervals.std() == pytest.approx(1, rel=0.03), "exponential: as wide as its mean"
    # so many a unit of time: variance equals mean
    counts = np.bincount(due.astype(int))[:-1]
    assert counts.var() == pytest.approx(counts.mean(), rel=0.06)


def _point(rate: float, *, holds: bool) -> RatePoint:
    return RatePoint(rate_per_second=rate, latencies_ms=(1.0 if holds else 99.0,) * 662)


def test_rates_are_bisected_up_to_capacity() -> None:
    points: list[RatePoint] = []
    for _ in range(5):
        rate = next_rate(points, 10.0, 1000.0)
        points.append(_point(rate, holds=rate <= 430))
    assert [p.rate_per_second for p in points] == [500, 250, 375, 437.5, 406.25]
    load = ServerLoad(p99_objective_ms=10, points=tuple(points))
    assert load.highest_rate_per_second == 406.25


def test_no_rate_holds_and_the_search_goes_on_downwards() -> None:
    points: list[RatePoint] = []
    for _ in range(3):
        points.append(_point(next_rate(points, 10.0, 80.0), holds=False))
    assert [p.rate_per_second for p in points] == [40, 20, 10]
    assert ServerLoad(p99_objective_ms=10, points=tuple(points)).highest_rate_per_second is None


def test_a_rate_above_one_that_failed_is_not_trusted() -> None:
    points = (_point(20, holds=True), _point(30, holds=False), _point(40, holds=True))
    assert ServerLoad(p99_objective_ms=10, points=points).highest_rate_per_second == 20
    assert next_rate(points, 10.0, 100.0) == 25


@pytest.mark.parametrize(
    ("requests", "over", "holds"),
    # 1 - .99^662 - 662·.01·.99^661 = .9900, and of 661 it is .9899; 459 with none: 1 - .99^459
    [(662, 1, True), (662, 2, False), (661, 1, False), (459, 0, True), (458, 0, False)],
)
def test_p99_holds_where_one_may_be_sure_of_it(requests: int, over: int, holds: bool) -> None:
    latencies_ms = (5.0,) * (requests - over) + (50.0,) * over
    assert RatePoint(rate_per_second=1, latencies_ms=latencies_ms).holds(10.0) is holds
