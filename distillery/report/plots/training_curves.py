"""Validation loss and accuracy of each training, by epoch."""

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from distillery.nouns import Findings
from distillery.report.measure import measure_of
from distillery.report.plots import series
from distillery.report.plots.colours import MUTED, TEACHER_LINE
from distillery.report.plots.figure import as_svg, legend, merit_axis, new_figure, titles


def svg(findings: Findings) -> str | None:
    """Validation loss and accuracy of each training. None: nothing was trained here."""
    curves = [c for c in series.checkpoints(findings) if c.history]
    if not curves:
        return None
    colours = series.colours(findings)
    names = list(dict.fromkeys(series.student_name(c) for c in curves if c.role != "teacher"))
    measure = measure_of(findings.dataset.label_kind)
    figure, (losses, merits) = new_figure(8.6, 3.7, columns=2)
    for checkpoint in curves:
        is_teacher = checkpoint.role == "teacher"
        colour = TEACHER_LINE if is_teacher else colours[series.student_name(checkpoint)]
        # a stage that leaves the head untrained has a loss of its own, on another scale
        told = [
            (epoch.epoch, epoch.validation_loss, epoch.validation_merit)
            for epoch in checkpoint.history
            if epoch.validation_merit is not None
        ]
        epochs = [epoch for epoch, _, _ in told]
        for axes, values in (
            (losses, [loss for _, loss, _ in told]),
            (merits, [merit for _, _, merit in told]),
        ):
            axes.plot(
                epochs,
                values,
                color=colour,
                linestyle="--" if checkpoint.role == "control" else "-",
                linewidth=2.2 if is_teacher else 1.6,
                # one epoch makes no line
                marker="o",
                markersize=5 if len(epochs) == 1 else 2.5,
            )
    titles(losses, f"Validation loss ({measure.loss})", "epoch")
    titles(merits, f"Validation {measure.name}", "epoch")
    merit_axis(merits, findings.dataset.label_kind)
    for axes in (losses, merits):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    handles = []
    if any(c.role == "teacher" for c in curves):
        handles.append(Line2D([], [], color=TEACHER_LINE, linewidth=2.2, label="teacher"))
    handles += [Line2D([], [], color=colours[n], label=series.shortened(n)) for n in names]
    if any(c.role == "control" for c in curves):
        handles.append(
            Line2D([], [], color=MUTED, linestyle="--", label="its control (hard labels only)")
        )
    legend(figure, handles)
    best = ", ".join(
        f"{c.name} (seed {c.seed}) "
        + measure.written(max(e.validation_merit or 0.0 for e in c.history))
        for c in curves
    )
    return as_svg(figure, name="training", told=f"Best validation {measure.name} by epoch: {best}.")
