"""Intervals against published and hand-computed values."""

import math

import pytest

from distillery import intervals


def test_wilsons_interval_of_a_share() -> None:
    # Newcombe (1998), table I: 81 of 263, method 3
    assert intervals.of_share(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.of_share(1, 1) == pytest.approx((1 / (1 + 1.959964**2), 1))
    with pytest.raises(ValueError, match="no rows"):
        intervals.of_share(0, 0)


def test_newcombes_interval_of_a_difference() -> None:
    # Newcombe (1998), Statistics in Medicine 17:873, table II: 56/70 − 48/80, method 10
    one, other = 56 / 70, 48 / 80
    found = intervals.of_difference(
        one, intervals.of_share(one, 70), other, intervals.of_share(other, 80)
    )
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_spearmans_interval() -> None:
    low, high = intervals.of_spearman(0.5, 103)
    half = 1.959964 * math.sqrt(1.125 / 100)
    assert low == pytest.approx(math.tanh(math.atanh(0.5) - half))
    assert high == pytest.approx(math.tanh(math.atanh(0.5) + half))
    assert intervals.of_spearman(0.9, 3) == (-1, 1)
    assert intervals.of_spearman(1.0, 100)[1] == pytest.approx(1)
