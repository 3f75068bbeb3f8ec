"""The study by hand, as rows and as a table."""

from io import StringIO

import pytest
from rich.console import Console
from run_by_hand import study

from distillery.report.study import study_rows, study_table


def test_a_studys_settings_in_order_and_the_one_chosen_on_validation() -> None:
    rows = study_rows(study())

    assert [(row.loss, row.temperature, row.share_ce) for row in rows] == [
        ("soft targets", 1, 0),
        ("soft targets", 2, 0),
        ("logit matching", None, 0),
        ("soft targets", 1, 0.5),
        ("logit matching", None, 0.5),
        ("hard labels", None, 1),
    ]
    # the control is better still there, and no setting of the study
    assert [row.is_chosen for row in rows] == [False, True, False, False, False, False]
    assert (rows[1].validation.lowest, rows[1].validation.highest) == (0.8, 0.9)
    assert (rows[1].test.lowest, rows[1].test.highest) == (0.7, 0.8)
    assert (rows[1].validation.mean, rows[1].test.mean) == pytest.approx((0.85, 0.75))
    assert {row.seeds for row in rows} == {2}


def test_a_studys_table_fits_a_narrow_terminal() -> None:
    out = StringIO()
    Console(file=out, width=80).print(study_table(study_rows(study())))
    lines = out.getvalue().splitlines()

    assert lines[0].split() == ["loss", "T", "CE", "share", "validation", "test"]
    assert lines[2].split()[:3] == ["soft", "targets", "2"]
    assert "85.0% (80.0 to 90.0)" in lines[2]
    assert "70.0% " in lines[4], "no spread where all seeds agree"
    assert len(lines) == 7
    assert max(map(len, lines)) <= 80
