"""Which candidate is which: the reference, the winner, the one that the page is about."""

from distillery.nouns import Candidate, Findings, Gain


def reference(findings: Findings) -> Candidate | None:
    """The teacher in PyTorch: what accuracy kept and speed-up are counted from."""
    for candidate in findings.candidates:
        if candidate.role == "teacher" and candidate.runtime == "pytorch":
            return candidate
    return None


def winner(findings: Findings) -> Candidate | None:
    """The candidate that was promoted, or that reigns on."""
    for candidate in findings.candidates:
        if is_winner(findings, candidate):
            return candidate
    return None


def is_winner(findings: Findings, candidate: Candidate) -> bool:
    """Name and digest: two names may hold equal content."""
    verdict = findings.verdict
    return (verdict.winner_name, verdict.winner_digest) == (candidate.name, candidate.digest)


def subject(findings: Findings) -> Candidate | None:
    """Whom the page is about: the winner, or else the most accurate student that was judged."""
    won = winner(findings)
    if won is not None:
        return won
    eligible = {r.candidate_name for r in findings.verdict.rulings if r.eligible}
    merit = {q.candidate_name: q.merit for q in findings.qualities}
    students = [c for c in findings.candidates if c.role == "student" and c.name in merit]
    judged = [c for c in students if c.name in eligible] or students
    # the smaller of equally accurate ones
    return max(judged, key=lambda c: (merit[c.name], -c.size_bytes), default=None)


def gain_of(findings: Findings, candidate: Candidate) -> Gain | None:
    """What distillation brought the student that the candidate was made from."""
    for gain in findings.gains:
        if gain.student_name == candidate.checkpoint_name:
            return gain
    return None
