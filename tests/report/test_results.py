"""Values counted by hand in ``run_by_hand``."""

import pytest
from run_by_hand import measurement, run

from distillery.nouns import Findings
from distillery.report.results import ResultRow, result_rows


@pytest.fixture
def findings() -> Findings:
    return run()


def row_of(findings: Findings, name: str) -> ResultRow:
    return next(row for row in result_rows(findings) if row.candidate == name)


def test_the_teacher_comes_first_and_controls_last(findings: Findings) -> None:
    names = [row.candidate for row in result_rows(findings)]

    assert names == ["teacher pytorch", "student int8", "student-control pytorch"]


def test_students_are_sorted_by_name_then_precision(findings: Findings) -> None:
    student = findings.candidates[1]
    more = [
        student.model_copy(update={"name": f"{name} {p}", "checkpoint_name": name, "precision": p})
        for name, p in (("b", "int8"), ("b", "fp32"), ("a", "int8"), ("a", "fp32"))
    ]
    rows = result_rows(findings.model_copy(update={"candidates": tuple(more)}))

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
