"""How far chance alone may have moved a share, a rank correlation, or a difference of two."""

import math

_Z = 1.959964  # 95 %, two-sided

Interval = tuple[float, float]


def of_share(share: float, rows: int) -> Interval:
    """Wilson's score interval, 95 % (Wilson, 1927). Raises ``ValueError`` without rows."""
    if rows < 1:
        raise ValueError("a share of no rows has no interval")
    centre = (share + _Z * _Z / (2 * rows)) / (1 + _Z * _Z / rows)
    half = _Z * math.sqrt(share * (1 - share) / rows + (_Z / (2 * rows)) ** 2)
    half /= 1 + _Z * _Z / rows
    return max(centre - half, 0.0), min(centre + half, 1.0)


def of_spearman(rho: float, rows: int) -> Interval:
    """Of ρ, 95 %: normal after Fisher's transformation, with the variance (1 + ρ²/2) / (n − 3)
    (Bonett & Wright, 2000). All there is, -1 to 1, where rows are fewer than four.
    """
    if rows < 4:
        return -1.0, 1.0
    middle = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, rho)))
    half = _Z * math.sqrt((1 + rho * rho / 2) / (rows - 3))
    return math.tanh(middle - half), math.tanh(middle + half)


def of_difference(one: float, its: Interval, other: float, others: Interval) -> Interval:
    """Of ``one - other``, which are independent, from the interval of each (Newcombe, 1998,
    method 10, for shares; Zou, 2007, for correlations).
    """
    difference = one - other
    down = math.hypot(one - its[0], others[1] - other)
    up = math.hypot(its[1] - one, other - others[0])
    return difference - down, difference + up
