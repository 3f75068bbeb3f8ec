"""Percentiles, their bounds and the comparison, against values worked out by hand."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.benchmarking.percentiles import (
    bootstrap_ratio_interval,
    compare,
    percentile,
    samples_needed,
)


@pytest.mark.parametrize(
    ("q", "confidence", "needed"),
    [
        (0.5, 0.99, 7),
        (0.9, 0.99, 44),
        (0.95, 0.99, 90),
        (0.99, 0.99, 459),
        (0.999, 0.99, 4603),
        (0.5, 0.95, 5),
        (0.95, 0.95, 59),
        (0.1, 0.99, 44),
    ],
)
def test_samples_needed(q: float, confidence: float, needed: int) -> None:
    assert samples_needed(q, confidence) == needed
    assert percentile([1.0] * (needed - 1), q, confidence) is None
    assert percentile([1.0] * needed, q, confidence) is not None


@given(st.floats(0.01, 0.999), st.floats(0.5, 0.9999))
def test_samples_needed_is_the_smallest(q: float, confidence: float) -> None:
    tail = max(q, 1 - q)
    n = samples_needed(q, confidence)
    assert 1 - tail**n >= confidence
    assert n == 1 or 1 - tail ** (n - 1) < confidence


@pytest.mark.parametrize(("q", "confidence"), [(0, 0.99), (1, 0.99), (0.5, 0), (0.5, 1)])
def test_shares_outside_0_and_1_are_refused(q: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile([1.0] * 100, q, confidence)


def test_median_of_seven_is_bounded_by_all_of_them() -> None:
    # P(all seven on one side of the median) = 1/128 < 1 %
    found = percentile([7, 1, 6, 2, 5, 3, 4], 0.5)
    assert found is not None
    assert (found.low, found.value, found.high) == (1, 4, 7)


def test_median_of_eleven() -> None:
    # Binomial(11, ½): P(count ≤ 0) = 1/2048, P(≤ 1) = 12/2048 = .6 %, P(≤ 2) = 67/2048 = 3.3 %
    found = percentile([float(x) for x in range(1, 12)], 0.5)
    assert found is not None
    assert (found.low, found.value, found.high) == (2, 6, 10)


def test_p99_of_459_is_bounded_by_the_largest() -> None:
    found = percentile([float(x) for x in range(1, 460)], 0.99)
    assert found is not None
    assert found.high == 459
    assert found.value == pytest.approx(454.42)  # 1 + .99 × 458


@pytest.mark.parametrize(("n", "q"), [(44, 0.9), (100, 0.5), (500, 0.99), (1000, 0.95), (60, 0.1)])
def test_bounds_are_the_tightest_ranks_that_hold(n: int, q: float) -> None:
    found = percentile([float(x) for x in range(1, n + 1)], q)
    assert found is not None
    low, high = int(found.low), int(found.high)

    def at_most(k: int) -> float:
        return sum(comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1))

    # exact sums: P(X_(low) ≤ quantile) = P(count ≥ low), P(X_(high) ≥ it) = P(count ≤ high - 1)
    if q >= 0.5:
        assert 1 - at_most(low - 1) >= 0.99 > 1 - at_most(low)
    assert at_most(high - 1) >= 0.99 > at_most(high - 2)


def test_a_low_percentile_mirrors_the_high_one() -> None:
    samples = [float(x) for x in range(1, 101)]
    high, low = percentile(samples, 0.9), percentile([-x for x in samples], 0.1)
    assert high is not None
    assert low is not None
    assert (-low.high, -low.low) == (high.low, high.high)


@given(st.lists(st.floats(0.01, 1e6), min_size=90, max_size=300))
def test_the_value_lies_within_its_bounds(samples: list[float]) -> None:
    for q in (0.5, 0.9, 0.95):
        found = percentile(samples, q)
        assert found is not None
        assert found.low <= found.value <= found.high


def test_many_samples_neither_underflow_nor_overflow() -> None:
    found = percentile(np.linspace(0, 1, 100_001).tolist(), 0.99)
    assert found is not None
    assert 0.989 < found.low < 0.99 < found.high < 0.991


@pytest.mark.parametrize(("n", "q"), [(60, 0.9), (500, 0.99), (40, 0.5)])
def test_each_bound_covers_as_often_as_it_says(n: int, q: float) -> None:
    rng = np.random.default_rng(7)
    trials = 2000
    truth = -np.log(1 - q)  # the exponential distribution's quantile
    found = [percentile(rng.exponential(size=n).tolist(), q) for _ in range(trials)]
    # 99 % less three standard errors of 2,000 trials
    assert np.mean([p is not None and p.low <= truth for p in found]) >= 0.983
    assert np.mean([p is not None and p.high >= truth for p in found]) >= 0.983


def _latencies(rng: np.random.Generator, factor: float = 1.0) -> list[float]:
    return [factor * (1 + x) for x in rng.exponential(0.2, size=500).tolist()]


def test_a_constant_ratio_has_no_width() -> None:
    samples = _latencies(np.random.default_rng(0))
    assert bootstrap_ratio_interval([2 * x for x in samples], samples, seed=1) == pytest.approx(
        (2, 2)
    )


def test_the_interval_holds_the_true_ratio_and_depends_on_the_seed_alone() -> None:
    rng = np.random.default_rng(1)
    a, b = _latencies(rng, 1.5), _latencies(rng)
    low, high = bootstrap_ratio_interval(a, b, seed=3)
    assert 1.4 < low < 1.5 < high < 1.6
    assert bootstrap_ratio_interval(a, b, seed=3) == (low, high)
    assert bootstrap_ratio_interval(a, b, seed=4) != (low, high)


def test_more_resamples_than_fit_at_once() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.uniform(1, 2, 50_000).tolist(), rng.uniform(1, 2, 50_000).tolist()
    low, high = bootstrap_ratio_interval(a, b, seed=0, resamples=100)
    assert 0.98 < low < 1 < high < 1.02


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 2.0])])
def test_samples_that_are_no_pairs_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match="paired"):
        bootstrap_ratio_interval(a, b, seed=0)


def test_compare() -> None:
    rng = np.random.default_rng(5)
    slow, quick, also_quick = _latencies(rng, 1.5), _latencies(rng), _latencies(rng)
    assert compare(quick, slow) == "faster"
    assert compare(slow, quick) == "slower"
    assert compare(quick, also_quick) == "tie"
    assert compare(quick, quick) == "tie"


def test_equal_engines_on_an_unsteady_machine_tie() -> None:
    """A disturbance that lasts for many requests is one fact, not many."""
    verdicts = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        # ten rounds of fifty requests; each engine's turn has a speed of its own
        a = (1 + rng.exponential(0.2, (10, 50))) * rng.normal(1, 0.05, (10, 1))
        b = (1 + rng.exponential(0.2, (10, 50))) * rng.normal(1, 0.05, (10, 1))
        verdicts.append(compare(a.ravel().tolist(), b.ravel().tolist()))
    assert verdicts.count("tie") >= 93
