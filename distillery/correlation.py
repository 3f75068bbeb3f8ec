"""How two rows of numbers agree: by rank (Spearman's ρ) and linearly (Pearson's r)."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spearman(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's ρ; 0 where one of them does not vary, since it ranks nothing."""
    return float(spearmans(np.atleast_2d(one), np.atleast_2d(other))[0])


def spearmans(ones: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """ρ of each pair of rows: (R, N), (R, N) → (R,). Equal values share their mean rank."""
    from scipy.stats import rankdata

    return _pearsons(rankdata(ones, axis=-1), rankdata(others, axis=-1))


def pearson(one: ArrayLike, other: ArrayLike) -> float:
    """Pearson's r; 0 where one of them does not vary."""
    return float(_pearsons(np.atleast_2d(one), np.atleast_2d(other))[0])


def _pearsons(ones: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    from scipy.stats import ConstantInputWarning, NearConstantInputWarning, pearsonr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        warnings.simplefilter("ignore", NearConstantInputWarning)
        found = pearsonr(ones, others, axis=-1).statistic
    return np.nan_to_num(np.asarray(found, dtype=np.float64), nan=0.0)
