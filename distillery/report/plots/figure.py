"""What all plots are drawn on and with: the figure, its titles, legend and axes; SVG and PNG."""

import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from distillery.nouns import LabelKind
from distillery.report.plots.colours import GRID, INK, MUTED, VARIABLES


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches of 72 pixels, and its axes from left to right."""
    # 72 dots an inch: a pixel is a point, so sizes and places share one unit
    figure = Figure(figsize=(width, height), dpi=72, layout="constrained")
    grid = figure.subplots(1, columns, squeeze=False)
    axes = [one for one in grid[0]]
    for one in axes:
        one.set_facecolor("none")
        one.grid(True, color=GRID, linewidth=0.8)
        one.set_axisbelow(True)
        one.tick_params(colors=MUTED, labelsize=9.5, length=3)
        one.tick_params(which="minor", color=GRID, length=2)
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            one.spines[side].set_color(MUTED)
            one.spines[side].set_linewidth(0.8)
    return figure, axes


def titles(axes: Axes, title: str, below: str) -> None:
    """What the y axis shows stands above it, where it can be read without turning the head."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold", pad=10)
    axes.set_xlabel(below, fontsize=9.5, color=MUTED)


def legend(figure: Figure, handles: Sequence[Line2D], columns: int = 4) -> None:
    """Below the axes; names stand as they are, without markup."""
    made = figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=min(columns, len(handles)),
        frameon=False,
        fontsize=9.5,
        labelcolor=INK,
    )
    for text in made.get_texts():
        text.set_parse_math(False)


def merit_axis(axes: Axes, label_kind: LabelKind) -> None:
    """Accuracy in percent; Spearman's ρ as it is."""
    if label_kind == "class":
        axes.yaxis.set_major_formatter(percent_axis())


def percent_axis() -> FuncFormatter:
    """Shares as percentages."""
    # as many decimals as the tick needs: 82.5% must not read 82%
    return FuncFormatter(lambda share, _: f"{100 * share:.4g}%")


def milliseconds_axis(axes: Axes) -> None:
    """Latencies along x; on a log scale, which must be set before, ticks at 1, 2 and 5."""
    if axes.get_xscale() == "log":
        low, high = axes.get_xlim()
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if high / low < 2000 else (1,), numticks=20)
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.4g} ms"))


def as_svg(figure: Figure, *, name: str, told: str) -> str:
    """The figure as an ``<svg>`` to stand in a page: no prolog, no metadata, its own ids."""
    # rcParams is the only way to these two; both are put back, and none changes what others draw
    settings: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": name}
    with matplotlib.rc_context(settings), io.StringIO() as file:
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # its style sheet would hold for the whole page
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(?<= id=")|(?<=href="#)|(?<=url\(#)', f"{name}-", svg)
    # one font for page and plots; widths differ little from those it was laid out with
    svg = re.sub(
        r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1system-ui, sans-serif", svg
    )
    for variable, colour in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable}, {colour})")
    opening = f'<svg role="img" aria-label="{escape(told)}" stroke-linejoin="round"'
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg", opening, 1)
    return svg.strip() + "\n"


def as_png(figure: Figure) -> bytes:
    """The figure on white."""
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=160, facecolor="white")
        return file.getvalue()
