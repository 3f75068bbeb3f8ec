"""What a run found, as rows: for the page, for Markdown artifacts and for the terminal.

Pure. Rows hold plain numbers in the units of their names; only what is shown is rounded and given
human units.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from statistics import fmean, median

import numpy as np
from rich.table import Table
from rich.text import Text

from distillery.benchmarking.percentiles import percentile
from distillery.nouns import (
    Candidate,
    Findings,
    Gain,
    LabelKind,
    Measurement,
    Precision,
    Quality,
    Role,
    RuntimeName,
    StudiedTemperatures,
    StudyRun,
)

# of a terminal: all columns fit beside names of 22 letters
_WIDE = 92

NOT_KNOWN = "–"

_ROLE_ORDER: tuple[Role, ...] = ("teacher", "champion", "student", "control")


# what only the other kind of label has
_OF_CLASSES = {"accuracy", "macro_f1", "accuracy_kept", "agreement"}
_OF_SCORES = {"spearman", "pearson", "spearman_kept", "spearman_with_teacher"}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How quality is called and written: of classes, or of scores."""

    name: str
    second: str
    agreement: str
    loss: str
    written: Callable[[float | None], str]
    difference: Callable[[float], str]
    unit: str

    @property
    def title(self) -> str:
        """At the start of a line."""
        return self.name[:1].upper() + self.name[1:]


def measure_of(label_kind: LabelKind) -> Measure:
    """Accuracy and macro F1, or Spearman's ρ and Pearson's r."""
    if label_kind == "class":
        return Measure(
            name="accuracy",
            second="Macro F1",
            agreement="Agrees with teacher",
            loss="cross-entropy",
            written=percent,
            difference=points,
            unit="percentage points of accuracy",
        )
    return Measure(
        name="Spearman ρ",
        second="Pearson r",
        agreement="ρ with teacher",
        loss="squared error, scores scaled to 0–1",
        written=decimal,
        difference=signed,
        unit="of Spearman ρ",
    )


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
            return percent(self.agreement)
        return decimal(self.spearman_with_teacher)

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


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One accuracy a seed: their mean, and from where to where they reach."""

    mean: float
    lowest: float
    highest: float


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One setting of a temperature study, over its seeds."""

    loss: str
    temperature: float | None
    share_ce: float
    seeds: int
    validation: Spread
    test: Spread
    is_chosen: bool  # highest mean on validation, the control apart; of equal ones the first


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


def result_rows(findings: Findings) -> list[ResultRow]:
    """A row a candidate: the teacher first, then students by name, then controls."""
    precisions = ("fp32", "int8")
    ordered = sorted(
        findings.candidates,
        key=lambda c: (
            _ROLE_ORDER.index(c.role),
            c.checkpoint_name,
            precisions.index(c.precision),
            c.runtime != "pytorch",
            c.name,
        ),
    )
    return [_row(findings, candidate) for candidate in ordered]


def _row(findings: Findings, candidate: Candidate) -> ResultRow:
    teacher = reference(findings)
    quality, teacher_quality = _quality(findings, candidate), _quality(findings, teacher)
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
        is_winner=is_winner(findings, candidate),
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
        rows_per_second=_median(timed.offline_rows_per_second) if timed else None,
        size_bytes=candidate.size_bytes,
        load_ms=timed.load_ms if timed else None,
        peak_memory_bytes=timed.peak_memory_bytes if timed else None,
        speedup=_speedup(timed, teacher_timed),
        passed=ruling.passed if ruling and ruling.eligible else None,
        reasons=ruling.reasons if ruling else (),
        label_kind=findings.dataset.label_kind,
    )


def class_changes(findings: Findings) -> list[ClassChange]:
    """Recall of each class that has test rows: the subject against the teacher, worst first.

    Empty where there is nobody to compare, or no classes.
    """
    if findings.dataset.label_kind == "score":
        return []
    candidate = subject(findings)
    quality = _quality(findings, candidate)
    teacher_quality = _quality(findings, reference(findings))
    if not _same_rows(quality, teacher_quality):
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


def study_rows(study: StudiedTemperatures) -> list[StudyRow]:
    """By share, temperatures rising to their limit; the control last."""
    found: list[StudyRow] = []
    for loss, runs in (
        ("soft targets", study.variants),
        ("logit matching", study.limits),
        ("hard labels", study.controls),
    ):
        found += [_study_row(loss, of) for of in _by_setting(runs)]
    tried = [row for row in found if row.loss != "hard labels"]
    best = max(tried, key=lambda row: row.validation.mean, default=None)
    # stable: temperatures, then their limit
    return [
        replace(row, is_chosen=row is best) for row in sorted(found, key=lambda row: row.share_ce)
    ]


def _by_setting(runs: Sequence[StudyRun]) -> list[list[StudyRun]]:
    def setting(run: StudyRun) -> tuple[float, float]:
        return run.share_ce, run.temperature or 0.0

    return [list(same) for _, same in groupby(sorted(runs, key=setting), setting)]


def _study_row(loss: str, runs: Sequence[StudyRun]) -> StudyRow:
    def over_seeds(accuracies: Sequence[float]) -> Spread:
        return Spread(mean=fmean(accuracies), lowest=min(accuracies), highest=max(accuracies))

    return StudyRow(
        loss=loss,
        temperature=runs[0].temperature,
        share_ce=runs[0].share_ce,
        seeds=len(runs),
        validation=over_seeds([run.validation_accuracy for run in runs]),
        test=over_seeds([run.test_accuracy for run in runs]),
        is_chosen=False,
    )


def study_table(rows: Sequence[StudyRow]) -> Table:
    """A temperature study for a terminal of 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    table.add_column("loss", no_wrap=True)
    for heading in ("T", "CE share", "validation", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.loss,
            NOT_KNOWN if row.temperature is None else f"{row.temperature:g}",
            f"{row.share_ce:g}",
            spread(row.validation),
            spread(row.test),
            style="bold" if row.is_chosen else "dim" if row.loss == "hard labels" else "",
        )
    return table


def as_markdown(rows: Sequence[ResultRow]) -> str:
    """Every column, for a Prefect artifact or a model's description."""
    measure = _measure_of_rows(rows)
    columns = (
        "Candidate",
        measure.title,
        measure.second,
        f"{measure.title} kept",
        measure.agreement,
        "p50",
        "p95",
        "p99",
        "Model alone p50",
        "Rows/s",
        "Size",
        "Speed-up",
        "Verdict",
    )
    lines = [
        "| " + " | ".join(columns) + " |",
        "|:--" + "|--:" * (len(columns) - 2) + "|:--|",
    ]
    for row in rows:
        cells = (
            row.candidate,
            measure.written(row.merit),
            decimal(row.second),
            percent(row.kept),
            row.with_teacher,
            milliseconds(row.p50_ms),
            milliseconds(row.p95_ms),
            milliseconds(row.p99_ms),
            milliseconds(row.model_p50_ms),
            count(row.rows_per_second),
            size(row.size_bytes),
            times(row.speedup),
            f"**{row.verdict}**" if row.is_winner else row.verdict,
        )
        lines.append("| " + " | ".join(_in_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def rich_table(rows: Sequence[ResultRow], *, width: int) -> Table:
    """The columns one decides by, for a terminal of so many columns.

    A narrow one leaves the throughput to the report, and folds long names.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    table.add_column("candidate", overflow="fold", min_width=18)
    measure = _measure_of_rows(rows)
    columns: dict[str, Callable[[ResultRow], str]] = {
        measure.name: lambda row: measure.written(row.merit),
        "kept": lambda row: percent(row.kept),
        "p50": lambda row: milliseconds(row.p50_ms),
        "p95": lambda row: milliseconds(row.p95_ms),
        "rows/s": lambda row: count(row.rows_per_second),
        "size": lambda row: size(row.size_bytes),
        "speed-up": lambda row: times(row.speedup),
    }
    if width < _WIDE:
        del columns["rows/s"]
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    colours = {"winner": "bold green", "passed": "green", "failed": "red"}
    for row in rows:
        # Text, since a name is not markup
        table.add_row(
            Text(row.candidate),
            *(Text(cell(row)) for cell in columns.values()),
            Text(row.verdict, style=colours.get(row.verdict, "dim")),
            style="bold" if row.is_winner else "dim" if row.passed is None else "",
        )
    return table


def _measure_of_rows(rows: Sequence[ResultRow]) -> Measure:
    return measure_of(rows[0].label_kind if rows else "class")


def percent(share: float | None) -> str:
    """``0.964`` → ``96.4%``. Never rounds to 100% what is not."""
    if share is None:
        return NOT_KNOWN
    if share != 1 and round(share, 3) == 1:
        return f"{share:.2%}"
    return f"{share:.1%}"


def spread(of: Spread) -> str:
    """``91.2% (90.8 to 91.5)``; one number where all seeds agree, or there is only one."""
    if of.lowest == of.highest:
        return percent(of.mean)
    return f"{percent(of.mean)} ({100 * of.lowest:.1f} to {100 * of.highest:.1f})"


def points(difference: float) -> str:
    """A difference of shares in percentage points: ``-0.012`` → ``−1.2``."""
    tenths = round(difference * 1000)
    sign = "+" if tenths > 0 else "−" if tenths < 0 else ""
    return f"{sign}{abs(tenths) / 10:.1f}"


def signed(difference: float) -> str:
    """A difference in ρ: ``-0.0121`` → ``−0.012``."""
    shown = round(difference, 3)
    return f"{'+' if shown > 0 else '−' if shown < 0 else ''}{abs(shown):.3f}"


def milliseconds(ms: float | None) -> str:
    """Three digits that count: ``0.412 ms``, ``4.12 ms``, ``41.2 ms``, ``412 ms``."""
    if ms is None:
        return NOT_KNOWN
    digits = 0 if ms >= 100 else 1 if ms >= 10 else 2
    if ms < 0.1:
        digits = 3
    return f"{ms:,.{digits}f} ms"


def size(n_bytes: float | None) -> str:
    """Powers of 1000, as disks and downloads count: ``1.2 MB``."""
    if n_bytes is None:
        return NOT_KNOWN
    value, unit = float(n_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 99.95 or unit == "B" else f"{value:.1f} {unit}"


def count(number: float | None) -> str:
    """``1234.5`` → ``1,234``; below ten one digit more."""
    if number is None:
        return NOT_KNOWN
    return f"{number:,.1f}" if number < 10 and number != int(number) else f"{number:,.0f}"


def times(ratio: float | None) -> str:
    """``4.23`` → ``4.2×``."""
    if ratio is None:
        return NOT_KNOWN
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.1f}×" if ratio >= 1 else f"{ratio:.2f}×"


def decimal(number: float | None) -> str:
    """Three places."""
    return NOT_KNOWN if number is None else f"{number:.3f}"


def _in_markdown(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _quality(findings: Findings, candidate: Candidate | None) -> Quality | None:
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
    if quality is None or teacher is None or not _same_rows(quality, teacher):
        return None
    same = [a == b for a, b in zip(quality.predictions, teacher.predictions, strict=True)]
    return sum(same) / len(same) if same else None


def _correlation(quality: Quality | None, teacher: Quality | None) -> float | None:
    """Spearman's ρ of both models' scores."""
    if quality is None or teacher is None or not _same_rows(quality, teacher):
        return None
    from distillery.correlation import spearman

    return spearman(quality.predictions, teacher.predictions)


def _same_rows(one: Quality | None, other: Quality | None) -> bool:
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


def _median(samples: Sequence[float]) -> float | None:
    return median(samples) if samples else None
