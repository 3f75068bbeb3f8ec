"""Which classes are drawn."""

from distillery.report.class_changes import ClassChange
from distillery.report.plots import per_class_changes


def test_plots_show_the_worst_and_best_classes_only() -> None:
    changes = [
        ClassChange(label=str(i), rows=10, teacher_recall=0.5, recall=0.5 + (i - 20) / 100)
        for i in range(41)
    ]
    shown = [change.label for change in per_class_changes.most_changed(changes)]

    assert shown == [str(i) for i in range(10)] + [str(i) for i in range(36, 41)]
