"""A name stands beside its own mark, or a line leads from it there."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from distillery.report.plots.labels import Label, box_of_mark, place


def test_no_name_stands_at_another_mark_without_a_line() -> None:
    figure = Figure(figsize=(7, 4))
    axes = figure.add_subplot()
    axes.set_xlim(0, 1)
    axes.set_ylim(0.96, 1.0)
    labels = [
        Label(name=name, at=(0.5, y), radius=12.0, is_winner=False)
        for name, y in (("upper pytorch", 0.992), ("middle pytorch", 0.988), ("lower", 0.985))
    ]
    figure.canvas.draw()
    # beside the upper mark and above it nothing is free, but at the middle one's right there is
    x, y = axes.transData.transform(labels[0].at)
    inside = axes.get_window_extent()
    left = Bbox([[inside.x0, inside.y0], [x, inside.y1]])
    above = Bbox([[x, y - 8], [x + 150, inside.y1]])
    marks_taken = [box_of_mark(axes, one.at, one.radius) for one in labels]
    place(axes, labels, [left, above, *marks_taken])

    names = {text.get_text(): text for text in axes.texts if text.get_text()}
    led = {tuple(text.xy) for text in axes.texts if not text.get_text()}  # type: ignore[attr-defined]
    marks = {one.name: axes.transData.transform(one.at) for one in labels}
    for label in labels:
        box = names[label.name].get_window_extent()
        gaps = {
            name: np.hypot(max(box.x0 - x, x - box.x1, 0), max(box.y0 - y, y - box.y1, 0))
            for name, (x, y) in marks.items()
        }
        assert label.at in led or min(gaps, key=lambda name: gaps[name]) == label.name
