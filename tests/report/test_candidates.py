"""Whom the page is about."""

from run_by_hand import run

from distillery.report import candidates


def test_without_a_winner_the_most_accurate_judged_student_is_looked_at() -> None:
    findings = run(promoted=False)

    subject = candidates.subject(findings)

    assert candidates.winner(findings) is None
    assert subject is not None
    assert subject.name == "student int8"
