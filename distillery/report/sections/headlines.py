"""The few numbers one remembers: what the subject kept, and what it gained."""

from dataclasses import dataclass

from distillery.nouns import Candidate, Findings, Gain
from distillery.report import candidates, units
from distillery.report.measure import Measure, measure_of
from distillery.report.results import ResultRow


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A number one remembers, and what it says."""

    number: str
    label: str
    note: str


def headlines(
    findings: Findings, subject: Candidate | None, row: ResultRow | None
) -> list[Headline]:
    """Quality kept, speed, size and gain, as far as they are known."""
    if subject is None or row is None:
        return []
    found = []
    if row.kept is not None:
        of_test = f"{findings.dataset.test.rows:,} test rows"
        note = f"{units.percent(row.accuracy)} of {of_test} are right"
        if row.label_kind == "score":
            r = units.decimal(row.pearson)
            note = f"ρ = {units.decimal(row.spearman)}, Pearson's r = {r} over {of_test}"
        found.append(
            Headline(
                number=units.percent(row.kept),
                label=f"of the teacher's {measure_of(findings.dataset.label_kind).name} kept",
                note=note,
            )
        )
    if row.speedup is not None:
        slower = row.speedup < 1
        found.append(
            Headline(
                number=units.times(1 / row.speedup if slower else row.speedup),
                label="slower than the teacher" if slower else "faster than the teacher",
                note=f"half of the requests take less than {units.milliseconds(row.p50_ms)}, "
                "tokenization included"
                if findings.dataset.kind == "text"
                else "from pixels to logits",
            )
        )
    teacher = candidates.reference(findings)
    if teacher is not None and subject.size_bytes and teacher.size_bytes:
        ratio = teacher.size_bytes / subject.size_bytes
        found.append(
            Headline(
                number=units.times(max(ratio, 1 / ratio)),
                label="smaller than the teacher" if ratio >= 1 else "larger than the teacher",
                note=f"{units.size(subject.size_bytes)} instead of "
                f"{units.size(teacher.size_bytes)}",
            )
        )
    gain = candidates.gain_of(findings, subject)
    if gain is not None:
        found.append(_headline_of_gain(gain, measure_of(findings.dataset.label_kind)))
    return found


def _headline_of_gain(gain: Gain, measure: Measure) -> Headline:
    low, high = (measure.difference(end) for end in (gain.interval_low, gain.interval_high))
    interval = f"{low} to {high}"
    if gain.interval_low > 0:
        note = f"95% interval {interval}"
    elif gain.interval_high < 0:
        note = f"distillation cost {measure.name}: 95% interval {interval}"
    else:
        note = f"no clear effect: the 95% interval {interval} includes 0"
    return Headline(
        number=measure.difference(gain.mean_gain),
        label=f"{measure.unit} from distillation",
        note=f"over the same student without a teacher; {note}",
    )
