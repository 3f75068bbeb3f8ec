"""Names and colours of checkpoints, the same in every plot."""

from distillery.nouns import Candidate, Checkpoint, Findings
from distillery.report.plots.colours import SERIES

_LABEL_LENGTH = 30


def checkpoints(findings: Findings) -> list[Checkpoint]:
    """All that were trained or taken for this task: teachers first, controls last."""
    return [*findings.teachers, *findings.students, *findings.controls]


def colours(findings: Findings) -> dict[str, str]:
    """The colour of each student, the same in every plot; its control shares it."""
    made: list[Checkpoint | Candidate] = []
    made += [*findings.students, *findings.controls]
    made += findings.candidates
    names = dict.fromkeys(student_name(one) for one in made if one.role != "teacher")
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}


def student_name(made: Checkpoint | Candidate) -> str:
    """A control bears its student's name, with an ending; a champion may share any name."""
    name = made.name if isinstance(made, Checkpoint) else made.checkpoint_name
    if made.role == "champion":
        return f"{name} (champion)"
    return name.removesuffix("-control") if made.role == "control" else name


def shortened(name: str) -> str:
    """At most 30 letters, so that a label leaves room for the plot."""
    return name if len(name) <= _LABEL_LENGTH else name[: _LABEL_LENGTH - 1] + "…"
