"""Values counted by hand in ``run_by_hand``."""

from io import StringIO

import pytest
from rich.console import Console
from run_by_hand import EVIL, measurement, run, study

from distillery.nouns import Findings
from distillery.report import tables


@pytest.fixture
def findings() -> Findings:
    return run()


def row_of(findings: Findings, name: str) -> tables.ResultRow:
    return next(row for row in tables.result_rows(findings) if row.candidate == name)


def test_the_teacher_comes_first_and_controls_last(findings: Findings) -> None:
    names = [row.candidate for row in tables.result_rows(findings)]

    assert names == ["teacher pytorch", "student int8", "student-control pytorch"]


def test_students_are_sorted_by_name_then_precision(findings: Findings) -> None:
    student = findings.candidates[1]
    more = [
        student.model_copy(update={"name": f"{name} {p}", "checkpoint_name": name, "precision": p})
        for name, p in (("b", "int8"), ("b", "fp32"), ("a", "int8"), ("a", "fp32"))
    ]
    rows = tables.result_rows(findings.model_copy(update={"candidates": tuple(more)}))

    assert [row.candidate for row in rows] == ["a fp32", "a int8", "b fp32", "b int8"]


def test_a_student_next_to_its_teacher(findings: Findings) -> None:
    row = row_of(findings, "student int8")

    assert row.accuracy == 0.8
    assert row.accuracy_kept == pytest.approx(0.8 / 0.9)
    assert row.agreement == pytest.approx(0.7)
    assert row.speedup == pytest.approx(4.0)
    assert (row.p50_ms, row.p95_ms, row.model_p50_ms) == (2.0, 2.0, 1.0)
    assert row.rows_per_second == 100.0
    assert row.passed is True
    assert row.is_winner
    assert row.verdict == "winner"


def test_the_teacher_is_its_own_reference(findings: Findings) -> None:
    row = row_of(findings, "teacher pytorch")

    assert (row.accuracy_kept, row.agreement, row.speedup) == (1.0, 1.0, 1.0)
    assert row.passed is None
    assert row.verdict == "reference"


def test_what_was_not_measured_is_not_known(findings: Findings) -> None:
    row = row_of(findings, "student-control pytorch")

    assert row.accuracy == 0.6
    assert (row.p50_ms, row.speedup, row.rows_per_second, row.load_ms) == (None,) * 4
    assert row.verdict == "control"


def test_a_percentile_needs_enough_samples() -> None:
    row = row_of(run(requests=100), "student int8")
    few = row_of(run(requests=6), "student int8")

    assert row.p95_ms == 2.0
    assert row.p99_ms is None  # 459 are needed
    assert (few.p50_ms, few.p95_ms, few.speedup) == (None, None, None)


def test_other_hardware_is_not_compared(findings: Findings) -> None:
    teacher, student = findings.candidates[2], findings.candidates[1]
    elsewhere = measurement(student, (2.0,) * 100)
    elsewhere = elsewhere.model_copy(
        update={"fingerprint": elsewhere.fingerprint.model_copy(update={"cpu_model": "Other"})}
    )
    mixed = (measurement(teacher, (8.0,) * 100), elsewhere)

    row = row_of(findings.model_copy(update={"measurements": mixed}), "student int8")

    assert row.p50_ms == 2.0
    assert row.speedup is None


def test_recall_of_each_class_worst_first(findings: Findings) -> None:
    changes = tables.class_changes(findings)

    assert [c.label for c in changes] == [EVIL, "greeting", "goodbye $x"]
    assert [c.rows for c in changes] == [3, 4, 3]
    assert [c.change for c in changes] == pytest.approx([-1 / 3, -1 / 4, 1 / 3])
    assert changes[2].teacher_recall == pytest.approx(2 / 3)
    assert changes[2].recall == 1.0


def test_without_a_winner_the_most_accurate_judged_student_is_looked_at() -> None:
    findings = run(promoted=False)

    subject = tables.subject(findings)

    assert tables.winner(findings) is None
    assert subject is not None
    assert subject.name == "student int8"


def test_nobody_to_compare(findings: Findings) -> None:
    only_teacher = findings.model_copy(update={"candidates": findings.candidates[2:]})
    nothing = only_teacher.model_copy(
        update={"verdict": run(promoted=False).verdict, "gains": (), "students": ()}
    )

    assert tables.subject(nothing) is None
    assert tables.class_changes(nothing) == []


def test_markdown_has_human_units_and_no_stray_cell(findings: Findings) -> None:
    evil = findings.candidates[1].model_copy(update={"name": "a|b <i>"})
    with_evil = findings.model_copy(update={"candidates": (*findings.candidates, evil)})
    lines = tables.as_markdown(tables.result_rows(with_evil)).splitlines()
    student = next(line for line in lines if line.startswith("| student int8 "))

    assert "88.9%" in student
    assert "2.00 ms" in student
    assert "1.0 MB" in student
    assert "4.0×" in student
    assert "**winner**" in student
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "a\\|b &lt;i>" in "\n".join(lines)


def test_the_terminal_table_fits_100_columns_and_reads_no_markup(findings: Findings) -> None:
    marked_up = findings.candidates[1].model_copy(update={"name": "six-layers [red]int8"})
    rows = tables.result_rows(
        findings.model_copy(update={"candidates": (*findings.candidates, marked_up)})
    )
    for width in (80, 100):
        console = Console(width=width, record=True, file=StringIO())
        console.print(tables.rich_table(rows, width=width))
        text = console.export_text()

        assert max(map(len, text.splitlines())) <= width
        assert "six-layers [red]" in text
        assert "winner" in text
        assert "not judged" in text
        assert "2.00 ms" in text
        for heading in ("candidate", "accuracy", "kept", "p50", "p95", "speed-up", "verdict"):
            assert heading in text
        assert ("rows/s" in text) == (width == 100)  # a narrow terminal leaves it to the report


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (tables.size(999), "999 B"),
        (tables.size(1_234_567), "1.2 MB"),
        (tables.size(999_999), "1.0 MB"),
        (tables.size(418_000_000), "418 MB"),
        (tables.size(None), "–"),
        (tables.milliseconds(0.0412), "0.041 ms"),
        (tables.milliseconds(0.412), "0.41 ms"),
        (tables.milliseconds(41.23), "41.2 ms"),
        (tables.milliseconds(1234.5), "1,234 ms"),
        (tables.milliseconds(None), "–"),
        (tables.percent(0.964), "96.4%"),
        (tables.percent(0.9997), "99.97%"),
        (tables.percent(1.0), "100.0%"),
        (tables.percent(None), "–"),
        (tables.points(0.0123), "+1.2"),
        (tables.points(-0.012), "−1.2"),
        (tables.points(-0.0001), "0.0"),
        (tables.times(22.56), "22.6×"),
        (tables.times(0.456), "0.46×"),
        (tables.times(434.2), "434×"),
        (tables.count(1796.4), "1,796"),
    ],
)
def test_human_units(shown: str, expected: str) -> None:
    assert shown == expected


# a temperature study


def test_a_studys_settings_in_order_and_the_one_chosen_on_validation() -> None:
    rows = tables.study_rows(study())

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
    Console(file=out, width=80).print(tables.study_table(tables.study_rows(study())))
    lines = out.getvalue().splitlines()

    assert lines[0].split() == ["loss", "T", "CE", "share", "validation", "test"]
    assert lines[2].split()[:3] == ["soft", "targets", "2"]
    assert "85.0% (80.0 to 90.0)" in lines[2]
    assert "70.0% " in lines[4], "no spread where all seeds agree"
    assert len(lines) == 7
    assert max(map(len, lines)) <= 80
