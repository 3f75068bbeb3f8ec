"""What a run found of each candidate, as a row.

Pure. Rows hold plain numbers in the units of their names; only what is shown is rounded and given
human units.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from distillery.benchmarking.percentiles import percentile
from distillery.measurements import Measurement
from distillery.nouns import Candidate, Findings, LabelKind, Precision, Quality, Role, RuntimeName
from distillery.report import candidates, units

_ROLE_ORDER: tuple[Role, ...] = ("teacher", "champion", "student", "control")

# what only the other kind of label has
_OF_CLASSES = {"accuracy", "macro_f1", "accuracy_kept", "agreement"}
_OF_SCORES = {"spearman", "pearson", "spearman_kept", "spearman_with_teacher"}


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One candidate, next to the teacher in PyTorch.

    None: not measured, too few samples, or of the other kind of label.
    """

    candidate: str
    role: Role
    precision: Precision
    runtime: RuntimeName
    is_reference: bool
    is_winner: bool
    accuracy: float | None
    macro_f1: float | None
    accuracy_kept: float | None
    agreement: float | None
    spearman: float | None
    pearson: float | None
    spearman_kept: float | None
    spearman_with_teacher: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    model_p50_ms: float | None
    rows_per_second: float | None
    size_bytes: int
    threads: int | None
    load_ms: float | None
    peak_memory_bytes: int | None
    speedup: float | None
    passed: bool | None
    reasons: tuple[str, ...]
    label_kind: LabelKind

    @property
    def merit(self) -> float | None:
        """Accuracy, or Spearman's ρ of scores."""
        return self.accuracy if self.label_kind == "class" else self.spearman

    @property
    def second(self) -> float | None:
        """Macro F1, or Pearson's r of scores."""
        return self.macro_f1 if self.label_kind == "class" else self.pearson

    @property
    def kept(self) -> float | None:
        """The merit as a share of the teacher's."""
        return self.accuracy_kept if self.label_kind == "class" else self.spearman_kept

    @property
    def with_teacher(self) -> str:
        """How far it answers as the teacher does."""
        if self.label_kind == "class":
            return units.percent(self.agreement)
        return units.decimal(self.spearman_with_teacher)

    @property
    def record(self) -> dict[str, object]:
        """By column, for JSON and tables; without those of the other kind of label."""
        other = _OF_SCORES if self.label_kind == "class" else _OF_CLASSES
        return {k: v for k, v in asdict(self).items() if k not in {*other, "label_kind"}}

    @property
    def verdict(self) -> str:
        """One word: what the judge made of it."""
        if self.is_winner:
            return "winner"
        if self.passed is not None:
            return "passed" if self.passed else "failed"
        if self.is_reference:
            return "reference"
        return "control" if self.role == "control" else "not judged"


def result_rows(findings: Findings) -> list[ResultRow]:
    """A row a candidate: the teacher first, then students by name, then controls."""
    ordered = sorted(
        findings.candidates,
        key=lambda c: (
            _ROLE_ORDER.index(c.role),
            c.checkpoint_name,
            c.precision != "fp32",
            c.runtime != "pytorch",
        ),
    )
    return [_row(findings, candidate) for candidate in ordered]


def _row(findings: Findings, candidate: Candidate) -> ResultRow:
    teacher = candidates.reference(findings)
    quality, teacher_quality = quality_of(findings, candidate), quality_of(findings, teacher)
    timed, teacher_timed = _measurement(findings, candidate), _measurement(findings, teacher)
    ruling = next((r for r in findings.verdict.rulings if r.candidate_name == candidate.name), None)
    of_scores = findings.dataset.label_kind == "score"
    kept = _kept(quality, teacher_quality)
    return ResultRow(
        candidate=candidate.name,
        role=candidate.role,
        precision=candidate.precision,
        runtime=candidate.runtime,
        is_reference=candidate is teacher,
        is_winner=candidates.is_winner(findings, candidate),
        accuracy=quality.accuracy if quality else None,
        macro_f1=quality.macro_f1 if quality else None,
        accuracy_kept=None if of_scores else kept,
        agreement=None if of_scores else _agreement(quality, teacher_quality),
        spearman=quality.spearman if quality else None,
        pearson=quality.pearson if quality else None,
        spearman_kept=kept if of_scores else None,
        spearman_with_teacher=_correlation(quality, teacher_quality) if of_scores else None,
        p50_ms=_percentile(timed.latencies_ms, 0.50) if timed else None,
        p95_ms=_percentile(timed.latencies_ms, 0.95) if timed else None,
        p99_ms=_percentile(timed.latencies_ms, 0.99) if timed else None,
        model_p50_ms=_percentile(timed.model_latencies_ms, 0.50) if timed else None,
        rows_per_second=timed.rows_per_second if timed else None,
        size_bytes=candidate.size_bytes,
        threads=timed.threads if timed else None,
        load_ms=timed.load_ms if timed else None,
        peak_memory_bytes=timed.peak_memory_bytes if timed else None,
        speedup=_speedup(timed, teacher_timed),
        passed=ruling.passed if ruling and ruling.eligible else None,
        reasons=ruling.reasons if ruling else (),
        label_kind=findings.dataset.label_kind,
    )


def quality_of(findings: Findings, candidate: Candidate | None) -> Quality | None:
    """None: there is no such candidate, or it was not evaluated."""
    if candidate is None:
        return None
    try:
        return findings.quality(candidate.name)
    except KeyError:
        return None


def _measurement(findings: Findings, candidate: Candidate | None) -> Measurement | None:
    if candidate is None:
        return None
    try:
        return findings.measurement(candidate.name)
    except KeyError:
        return None


def _kept(quality: Quality | None, teacher: Quality | None) -> float | None:
    if quality is None or teacher is None or teacher.merit <= 0:
        return None
    return quality.merit / teacher.merit


def _agreement(quality: Quality | None, teacher: Quality | None) -> float | None:
    """Share of test rows that both give the same label, right or wrong."""
    if quality is None or teacher is None or not same_rows(quality, teacher):
        return None
    same = [a == b for a, b in zip(quality.predictions, teacher.predictions, strict=True)]
    return sum(same) / len(same) if same else None


def _correlation(quality: Quality | None, teacher: Quality | None) -> float | None:
    """Spearman's ρ of both models' scores."""
    if quality is None or teacher is None or not same_rows(quality, teacher):
        return None
    from distillery.correlation import spearman

    return spearman(quality.predictions, teacher.predictions)


def same_rows(one: Quality | None, other: Quality | None) -> bool:
    """Whether both were evaluated, and on the same test rows."""
    return one is not None and other is not None and one.labels == other.labels


def _speedup(timed: Measurement | None, teacher: Measurement | None) -> float | None:
    """Ratio of medians, end to end. None across different hardware, which is never ranked."""
    if timed is None or teacher is None:
        return None
    if timed.fingerprint != teacher.fingerprint or timed.target != teacher.target:
        return None
    p50, teacher_p50 = (_percentile(m.latencies_ms, 0.5) for m in (timed, teacher))
    return teacher_p50 / p50 if p50 and teacher_p50 else None


def _percentile(samples: Sequence[float], q: float) -> float | None:
    found = percentile(samples, q)
    return found.value if found else None
