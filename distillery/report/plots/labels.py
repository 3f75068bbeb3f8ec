"""Names beside their points, none on another name or point where there is room at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from distillery.report.plots.colours import INK, MUTED
from distillery.report.plots.series import shortened

_FARTHER_COSTS = 30.0
_MISTAKEN_COSTS = 400.0  # as much as lying on half a name
_LINE_FROM = 1.7  # offsets beyond have a line, which tells whose name it is
# a label is tried close by first, then farther away with a line to its point
_LABEL_OFFSETS = [
    (dx * far, dy * far)
    for far, (dx, dy) in product(
        (1.0, 1.7, 2.6, 3.8, 5.2),
        ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8)),
    )
]


@dataclass(frozen=True, kw_only=True)
class Label:
    """A name, and the mark that it belongs to: where it is, and its radius in points."""

    name: str
    at: tuple[float, float]
    radius: float
    is_winner: bool


def place(axes: Axes, labels: Sequence[Label], taken: Sequence[Bbox]) -> None:
    """Draw the names, the winner's first; ``taken`` are the boxes that they should leave free.

    The layout must stand: what moves the axes later moves the marks from under their names.
    """
    # texts that were there first are left free too
    taken = [*taken, *(t.get_window_extent() for t in axes.texts)]
    inside = axes.get_window_extent()
    marks = {label.name: (*axes.transData.transform(label.at), label.radius) for label in labels}
    for label in sorted(labels, key=lambda label: not label.is_winner):
        name = axes.annotate(
            shortened(label.name),
            label.at,
            xytext=(0, 0),
            textcoords="offset points",
            parse_math=False,
            fontsize=9.5,
            color=INK,
            fontweight="bold" if label.is_winner else "normal",
            zorder=6,
        )
        options = [(offset, _with_offset(name, offset, label.radius)) for offset in _LABEL_OFFSETS]
        offset, box = min(
            enumerate(options),
            # better across a thin line than far away from its point
            key=lambda option: (
                _overlap(option[1][1], taken, inside)
                + option[0] // 8 * _FARTHER_COSTS
                + _seems_of_another(option[1][0], option[1][1], marks, label.name) * _MISTAKEN_COSTS
            ),
        )[1]
        _with_offset(name, offset, label.radius)
        taken.append(box)
        if _has_line(offset):
            axes.annotate(
                "",
                label.at,
                xytext=name.get_position(),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6},
                zorder=2,
            )


def _has_line(offset: tuple[float, float]) -> bool:
    return max(abs(offset[0]), abs(offset[1])) > _LINE_FROM


def _seems_of_another(
    offset: tuple[float, float],
    box: Bbox,
    marks: Mapping[str, tuple[float, float, float]],
    name: str,
) -> bool:
    """Whether another mark is as near to the name as its own, and no line tells."""
    if _has_line(offset):
        return False

    def gap(mark: tuple[float, float, float]) -> float:
        x, y, radius = mark
        aside = max(box.x0 - x, x - box.x1, 0.0)
        above = max(box.y0 - y, y - box.y1, 0.0)
        return math.hypot(aside, above) - radius

    return any(gap(mark) <= gap(marks[name]) for other, mark in marks.items() if other != name)


def box_of_line(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> Bbox:
    """What a straight line between two points of the data takes, with a little air."""
    return Bbox(axes.transData.transform([start, end])).padded(1.5)


def box_of_mark(axes: Axes, at: tuple[float, float], radius: float) -> Bbox:
    """What a mark of so many points takes."""
    x, y = axes.transData.transform(at)
    return Bbox.from_bounds(x - radius, y - radius, 2 * radius, 2 * radius)


def _with_offset(name: Annotation, offset: tuple[float, float], radius: float) -> Bbox:
    """Move the name there; the box that it then takes, with a little air."""
    dx, dy = offset
    reach = radius + 5
    name.set_position((dx * reach, dy * reach))
    name.set_horizontalalignment("left" if dx > 0 else "right" if dx < 0 else "center")
    name.set_verticalalignment("center" if dy == 0 else "bottom" if dy > 0 else "top")
    return name.get_window_extent().padded(1.5)


def _overlap(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """The area that is not free, in square points."""
    shared = [Bbox.intersection(box, other) for other in taken]
    area = sum(s.width * s.height for s in shared if s is not None)
    within = Bbox.intersection(box, inside)
    return float(area + box.width * box.height - (within.width * within.height if within else 0.0))
