"""The Pareto front: what is the best for some price, drawn as a staircase."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from distillery.report.plots.colours import MUTED
from distillery.report.plots.labels import box_of_line

Point = tuple[float, float]
"""(x, y): x is better the lower, such as a latency."""

DASHES = (0, (5, 3))


def front(points: Sequence[Point], *, more_is_better: bool) -> list[Point]:
    """Those beside which no other is as good in both and better in one; lowest x first.

    ``more_is_better``: of y, such as an accuracy; not so of a size.
    """
    sign = 1 if more_is_better else -1
    found: list[Point] = []
    for x, y in sorted(set(points), key=lambda point: (point[0], -sign * point[1])):
        if not found or sign * y > sign * found[-1][1]:
            found.append((x, y))
    return found


def draw(axes: Axes, corners: Sequence[Point]) -> list[Bbox]:
    """A staircase along a front; the boxes of its steps, which labels should leave free."""
    corners = [*corners, (axes.get_xlim()[1], corners[-1][1])]
    axes.step(
        [x for x, _ in corners],
        [y for _, y in corners],
        where="post",
        color=MUTED,
        linewidth=1,
        linestyle=DASHES,
        zorder=2,
    )
    steps = []
    for (x, y), (next_x, next_y) in pairwise(corners):
        steps.append(((x, y), (next_x, y)))
        steps.append(((next_x, y), (next_x, next_y)))
    return [box_of_line(axes, start, end) for start, end in steps]
