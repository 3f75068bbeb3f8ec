"""Values counted by hand in ``run_by_hand``."""

import pytest
from run_by_hand import EVIL, run

from distillery.nouns import Findings
from distillery.report import candidates
from distillery.report.class_changes import class_changes


@pytest.fixture
def findings() -> Findings:
    return run()


def test_recall_of_each_class_worst_first(findings: Findings) -> None:
    changes = class_changes(findings)

    assert [c.label for c in changes] == [EVIL, "greeting", "goodbye $x"]
    assert [c.rows for c in changes] == [3, 4, 3]
    assert [c.change for c in changes] == pytest.approx([-1 / 3, -1 / 4, 1 / 3])
    assert changes[2].teacher_recall == pytest.approx(2 / 3)
    assert changes[2].recall == 1.0


def test_nobody_to_compare(findings: Findings) -> None:
    only_teacher = findings.model_copy(update={"candidates": findings.candidates[2:]})
    nothing = only_teacher.model_copy(
        update={"verdict": run(promoted=False).verdict, "gains": (), "students": ()}
    )

    assert candidates.subject(nothing) is None
    assert class_changes(nothing) == []
