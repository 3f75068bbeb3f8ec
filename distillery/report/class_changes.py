"""In which classes a candidate finds more or fewer rows than its teacher."""

from dataclasses import dataclass

import numpy as np

from distillery.nouns import Findings
from distillery.report import candidates
from distillery.report.results import quality_of, same_rows


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """One class: which share of its test rows the teacher and a candidate found."""

    label: str
    rows: int
    teacher_recall: float
    recall: float

    @property
    def change(self) -> float:
        """The candidate's recall minus the teacher's."""
        return self.recall - self.teacher_recall


def class_changes(findings: Findings) -> list[ClassChange]:
    """Recall of each class that has test rows: the subject against the teacher, worst first.

    Empty where there is nobody to compare, or no classes.
    """
    if findings.dataset.label_kind == "score":
        return []
    candidate = candidates.subject(findings)
    quality = quality_of(findings, candidate)
    teacher_quality = quality_of(findings, candidates.reference(findings))
    if not same_rows(quality, teacher_quality):
        return []
    assert quality is not None
    assert teacher_quality is not None
    labels = np.array(quality.labels, dtype=np.int64)
    right = np.array(quality.predictions) == labels
    teacher_right = np.array(teacher_quality.predictions) == labels
    changes = []
    for index, name in enumerate(findings.dataset.label_names):
        of_class = labels == index
        if not of_class.any():
            continue
        changes.append(
            ClassChange(
                label=name,
                rows=int(of_class.sum()),
                teacher_recall=float(teacher_right[of_class].mean()),
                recall=float(right[of_class].mean()),
            )
        )
    return sorted(changes, key=lambda c: (c.change, -c.rows, c.label))
