"""Correlations, against SciPy's own and by hand."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from distillery import correlation


def test_ranks_by_hand() -> None:
    # ranks 1 2 3 4 and 2 1 3 4: 1 − 6 · (1 + 1) / (4 · 15)
    assert correlation.spearman([1, 2, 3, 4], [20, 10, 300, 4000]) == pytest.approx(0.8)
    assert correlation.spearman([1, 2, 3], [9, 4, 1]) == pytest.approx(-1)
    assert correlation.pearson([0, 1, 2], [5, 7, 9]) == pytest.approx(1)


def test_they_are_scipys_ties_included() -> None:
    generator = np.random.default_rng(1)
    one = generator.normal(size=200)
    other = np.round(one + generator.normal(size=200))  # many are equal
    assert correlation.spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert correlation.pearson(one, other) == pytest.approx(pearsonr(one, other).statistic)
    draws = generator.integers(200, size=(5, 200))
    rows = correlation.spearmans(one[draws], other[draws])
    for row, draw in zip(rows, draws, strict=True):
        assert row == pytest.approx(spearmanr(one[draw], other[draw]).statistic)


def test_what_does_not_vary_ranks_nothing() -> None:
    assert correlation.spearman([2, 2, 2], [1, 2, 3]) == 0
    assert correlation.pearson([1, 2, 3], [2, 2, 2]) == 0
