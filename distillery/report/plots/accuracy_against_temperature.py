"""Validation and test accuracy over the temperature, beside its limit and the control."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from distillery.nouns import StudiedTemperatures
from distillery.report import units
from distillery.report.plots.colours import ROLES, SERIES
from distillery.report.plots.figure import (
    as_png,
    as_svg,
    legend,
    new_figure,
    percent_axis,
    titles,
)
from distillery.report.study import Spread, StudyRow, study_rows


def svg(study: StudiedTemperatures) -> str:
    """Validation and test accuracy over the temperature, beside its limit and the control."""
    rows = study_rows(study)
    told = "; ".join(
        f"{_named(row)}: {units.percent(row.validation.mean)} and {units.percent(row.test.mean)}"
        for row in rows
    )
    return as_svg(
        _drawn(rows),
        name="temperature",
        told=f"Mean validation and test accuracy by temperature. {told}.",
    )


def png(study: StudiedTemperatures) -> bytes:
    """The same drawing as a PNG on white."""
    return as_png(_drawn(study_rows(study)))


def _drawn(rows: Sequence[StudyRow]) -> Figure:
    figure, panels = new_figure(8.6, 4.6, columns=2)
    panels[1].sharey(panels[0])
    shares = list(dict.fromkeys(row.share_ce for row in rows if row.temperature is not None))
    colours = {share: SERIES[i % len(SERIES)] for i, share in enumerate(shares)}
    temperatures = sorted({row.temperature for row in rows if row.temperature is not None})
    splits: tuple[Callable[[StudyRow], Spread], ...] = (
        lambda row: row.validation,
        lambda row: row.test,
    )
    for axes, accuracy in zip(panels, splits, strict=True):
        axes.set_xscale("log", base=2)
        for i, share in enumerate(shares):
            of_share = [r for r in rows if r.share_ce == share and r.temperature is not None]
            of_share.sort(key=lambda row: row.temperature or 0.0)
            found = [accuracy(row) for row in of_share]
            axes.errorbar(
                # side by side, so that one share's bars do not hide another's
                [
                    (r.temperature or 0.0) * 2 ** (0.1 * (i - (len(shares) - 1) / 2))
                    for r in of_share
                ],
                [one.mean for one in found],
                yerr=[
                    [one.mean - one.lowest for one in found],
                    [one.highest - one.mean for one in found],
                ],
                color=colours[share],
                marker="o",
                markersize=4.5,
                linewidth=1.6,
                elinewidth=1,
                capsize=2.5 if any(row.seeds > 1 for row in of_share) else 0,
                zorder=3,
            )
        for row in rows:
            if row.temperature is None:
                is_control = row.loss == "hard labels"
                axes.axhline(
                    accuracy(row).mean,
                    color=ROLES["control"] if is_control else colours[row.share_ce],
                    linestyle=":" if is_control else "--",
                    linewidth=1.6 if is_control else 1.2,
                )
        axes.xaxis.set_major_locator(FixedLocator(temperatures))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(percent_axis())
    titles(panels[0], "Validation accuracy (to choose by)", "temperature, log scale")
    titles(panels[1], "Test accuracy", "temperature, log scale")
    handles = [
        Line2D([], [], color=colours[share], marker="o", markersize=4.5, label=_of_share(share))
        for share in shares
    ]
    handles += [
        Line2D(
            [],
            [],
            color=colour,
            linestyle="--",
            label=f"logit matching (T → ∞), {_of_share(share)}",
        )
        for share, colour in colours.items()
    ]
    if any(row.loss == "hard labels" for row in rows):
        handles.append(
            Line2D([], [], color=ROLES["control"], linestyle=":", label="control: hard labels")
        )
    legend(figure, handles, columns=3)
    return figure


def _of_share(share_ce: float) -> str:
    return f"CE share {share_ce:g}"


def _named(row: StudyRow) -> str:
    at = "" if row.temperature is None else f" at T={row.temperature:g}"
    return f"{row.loss}{at}, {_of_share(row.share_ce)}"
