"""Choosing is pure: measurements made by hand, and engines that a random machine disturbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from factories import make_candidate, make_measurement, make_quality

from distillery.measurements import Measurement
from distillery.nouns import Candidate
from distillery.recipe import Gates
from distillery.search import choice
from distillery.search.outcome import Screened

_TEACHER = make_candidate("teacher pytorch", role="teacher", runtime="pytorch", size_bytes=9000)
_ANCHOR = make_measurement(_TEACHER, latency_ms=10.0)
_A, _B = make_candidate("a int8", size_bytes=100), make_candidate("b int8", size_bytes=200)


def _screened(
    candidate: Candidate, latency_ms: float, session: str = "today", **measured: Any
) -> Screened:
    anchor = measured.pop("anchor", _ANCHOR)
    made = make_measurement(candidate, latency_ms=latency_ms, **measured)
    return Screened(session=session, measurement=made, anchor=anchor)


def _always(one: Screened, other: Screened) -> bool:
    return True


def _why_not(*screened: Screened, **gates: Any) -> list[str | None]:
    candidates = {_A.name: _A, _B.name: _B}
    qualities = {"a int8": make_quality(_A, right=90), "b int8": make_quality(_B, right=95)}
    rule = choice.replaces_in_latency(Gates.model_validate(gates), candidates, qualities)
    return choice.why_not(screened, choice.latency, rule)


def test_what_is_surely_slower_is_set_aside_and_told_by_whom() -> None:
    kept, aside = _why_not(_screened(_A, 1.0), _screened(_B, 2.0, threads=2))
    assert kept is None
    assert aside == "a int8, 1 thread, is 2.00× as fast (99 % interval 2.00 to 2.00)"


def test_nobody_is_set_aside_for_a_few_percent() -> None:
    assert _why_not(_screened(_A, 1.0), _screened(_B, 1.04)) == [None, None]


@pytest.mark.parametrize(
    ("prefer", "aside"),
    # a is smaller and less accurate; the slower one is still wanted where it is better in that
    [("latency", True), ("size", False), ("accuracy", True)],
)
def test_the_slower_stays_where_it_is_better_in_what_is_preferred(prefer: str, aside: bool) -> None:
    _, slower = _why_not(_screened(_B, 1.0), _screened(_A, 2.0), prefer=prefer)
    assert (slower is not None) == aside


def test_who_may_break_the_gate_on_p95_replaces_nobody() -> None:
    unsteady = (1.0,) * 90 + (9.0,) * 10
    steady, quick = _screened(_A, 2.0), _screened(_B, 1.0, latencies_ms=unsteady)
    assert _why_not(steady, quick) == [
        "b int8, 1 thread, is 2.00× as fast (99 % interval 2.00 to 2.00)",
        None,
    ]
    assert _why_not(steady, quick, latency_p95_ms_max=5.0) == [None, None]


def test_of_two_sessions_each_is_held_against_its_own_anchor() -> None:
    # the machine was half as fast yesterday: 2.2 ms then are 1.1 ms now
    slow_day = make_measurement(_TEACHER, latency_ms=20.0)
    yesterday = _screened(_A, 2.2, session="yesterday", anchor=slow_day)
    assert _why_not(yesterday, _screened(_B, 1.5)) == [
        None,
        "a int8, 1 thread, is 1.36× as fast (99 % interval 1.36 to 1.36)",
    ]


def test_throughput_is_that_of_the_filled_machine() -> None:
    # alone, two threads do more; but two instances of one thread fit beside each other
    one, two = _screened(_A, 1.5, threads=1), _screened(_A, 1.0, threads=2)
    times = choice.row_time({1: 2, 2: 1}.__getitem__)
    kept, aside = choice.why_not([one, two], times, choice.replaces_in_throughput(Gates()))
    assert (kept, aside is None) == (None, False)
    limited = choice.replaces_in_throughput(Gates(latency_p95_ms_max=50))
    assert choice.why_not([one, two], times, limited) == [None, None], "it is not quicker alone"


def test_a_candidate_is_judged_by_its_quickest_of_equal_ones_with_the_fewest_threads() -> None:
    def chosen(*latencies: float, **gates: Any) -> int:
        measurements = [
            make_measurement(_A, latency_ms=ms, threads=threads)
            for threads, ms in enumerate(latencies, start=1)
        ]
        (found,) = choice.chosen(measurements, Gates.model_validate(gates))
        return measurements[found].threads

    assert chosen(2.0, 1.0, 1.5) == 2
    assert chosen(1.0, 1.0, 1.0) == 1
    several = make_measurement(_A, latency_ms=0.1, instances=2)
    alone = make_measurement(_A, latency_ms=1.0)
    assert choice.chosen([several, alone], Gates()) == [1], "latency is of one alone"


def test_a_candidate_is_judged_by_what_holds_the_gate_on_p95_where_anything_does() -> None:
    quick = make_measurement(_A, threads=2, latencies_ms=(1.0,) * 90 + (9.0,) * 10)
    steady = make_measurement(_A, threads=1, latency_ms=2.0)
    assert choice.chosen([quick, steady], Gates()) == [0]
    assert choice.chosen([quick, steady], Gates(latency_p95_ms_max=3)) == [1]
    assert choice.chosen([quick, steady], Gates(latency_p95_ms_max=0.5)) == [0]


def _best(*measurements: Measurement, **gates: Any) -> dict[str, tuple[str, int, int]]:
    candidates = {one.name: one for one in (_TEACHER, _A, _B)}
    qualities = {
        "teacher pytorch": make_quality(_TEACHER, right=100),
        "a int8": make_quality(_A, right=90),
        "b int8": make_quality(_B, right=95),
    }
    limits = Gates.model_validate(gates)
    judged = [measurements[i] for i in choice.chosen(measurements, limits)]
    found = choice.best([*measurements, _ANCHOR], judged, limits, candidates, qualities, _ANCHOR)
    return {one.goal: (one.candidate_name, one.threads, one.instances) for one in found}


def test_the_best_for_each_goal_under_the_gates() -> None:
    alone = make_measurement(_A, latency_ms=1.0, threads=2)
    together = make_measurement(_A, latency_ms=1.8, threads=1, instances=2, offline=_rates(1500.0))
    accurate = make_measurement(_B, latency_ms=2.0, threads=1)
    every = (alone, together, accurate)
    assert _best(*every) == {"latency": ("a int8", 2, 1), "throughput": ("a int8", 1, 2)}
    # a gate on time holds for several instances under load, too
    assert _best(*every, latency_p95_ms_max=1.5)["throughput"] == ("a int8", 2, 1)
    assert _best(*every, speedup_min=6)["throughput"] == ("a int8", 2, 1)
    assert _best(*every, accuracy_min=0.95) == {
        "latency": ("b int8", 1, 1),
        "throughput": ("b int8", 1, 1),
    }
    assert _best(*every, accuracy_min=0.99) == {}, "the reference passes, and is no candidate"


def test_of_equally_quick_candidates_the_smaller_is_best_as_for_the_judge() -> None:
    same = [make_measurement(one, latency_ms=1.0) for one in (_B, _A)]
    assert _best(*same)["latency"] == ("a int8", 1, 1)


def _rates(rows_per_second: float) -> tuple[dict[str, object], ...]:
    rates = (rows_per_second,) * 3
    return (
        {
            "padding": "longest_of_batch",
            "batch_size": 32,
            "rows_per_second": rates,
            "model_rows_per_second": rates,
        },
    )


@dataclass
class Machine:
    """Takes turns as the driver does: a text costs what it costs, and each turn has its mood."""

    rng: np.random.Generator
    turns: int = 5

    def measured(self, truths: Sequence[float]) -> list[tuple[float, ...]]:
        """100 latencies of each engine, from its true median."""
        texts = self.rng.lognormal(0, 0.3, size=100)
        day = self.rng.lognormal(0, 0.2)
        found = []
        for truth in truths:
            moods = np.repeat(self.rng.lognormal(0, 0.05, size=self.turns), 100 // self.turns)
            found.append(tuple(day * truth * texts * moods * self.rng.lognormal(0, 0.1, size=100)))
        return found


def test_a_screening_prunes_and_never_the_winner_however_the_machine_feels() -> None:
    # within one session, and with half of the engines kept from another day
    truths = [1.0, 1.02, 1.1, 1.3, 1.6, 2.0, 3.0, 4.0]
    pruned = 0
    for seed in range(40):
        machine = Machine(rng=np.random.default_rng(seed))
        field = []
        for day, own in enumerate((truths[::2], truths[1::2]) if seed % 2 else (truths,)):
            anchor, *engines = machine.measured([10.0, *own])
            field += [
                Screened(
                    session=str(day),
                    measurement=make_measurement(
                        make_candidate(f"true {truth}"), latencies_ms=latencies
                    ),
                    anchor=make_measurement(_TEACHER, latencies_ms=anchor),
                )
                for truth, latencies in zip(own, engines, strict=True)
            ]
        reasons = choice.why_not(field, choice.latency, _always)
        kept = {
            one.measurement.candidate_name
            for one, reason in zip(field, reasons, strict=True)
            if reason is None
        }
        assert "true 1.0" in kept, seed
        pruned += len(truths) - len(kept)
    assert pruned >= 40 * 3, "half as fast is told apart"
