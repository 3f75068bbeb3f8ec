"""One self-contained page that tells a stranger what a run found, and how far to trust it."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import fmean

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from distillery.nouns import (
    Candidate,
    Checkpoint,
    Dataset,
    Findings,
    Fingerprint,
    Gain,
    Measurement,
)
from distillery.report import plots, tables, trees
from distillery.report.trees import Tree
from distillery.runtimes import images

_LENGTHS = ("1–4", "5–8", "9–16", "17–32", "33–64", "65–128", "129 and more")
_MOST_OPEN_CLASSES = 30
_STEAL_WORTH_A_WORD = 0.01

# the table's headings for readers who did not write the recipe
_PREFERENCES = {"latency": "the lowest latency", "size": "the smallest file"}


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A number one remembers, and what it says."""

    number: str
    label: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A gate: what it asks for, and what the subject has."""

    gate: str
    limit: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A number with a bar's length, 0 to 100, for each split."""

    label: str
    counts: tuple[int, ...]
    widths: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A station of the lineage."""

    what: str
    name: str
    digest: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Hardware, and which candidates were measured on it."""

    fingerprint: Fingerprint
    target: str
    threads: int
    requests: int
    steal_share: float
    candidates: tuple[str, ...]

    @property
    def is_disturbed(self) -> bool:
        """Whether the hypervisor took so much that it must be said."""
        return self.steal_share >= _STEAL_WORTH_A_WORD


def write(findings: Findings, path: Path, soft_trees: Sequence[Tree] = ()) -> None:
    """Write the page to ``path``: the whole of it, or nothing."""
    text = render(findings, soft_trees)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def render(findings: Findings, soft_trees: Sequence[Tree] = ()) -> str:
    """The page as HTML; trees among the students are drawn."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    study = findings.temperature_study
    study_rows = tables.study_rows(study) if study else []
    environment.filters |= {
        "percent": tables.percent,
        "milliseconds": tables.milliseconds,
        "size": tables.size,
        "count": tables.count,
        "times": tables.times,
        "decimal": tables.decimal,
        "spread": tables.spread,
    }
    rows = tables.result_rows(findings)
    subject = tables.subject(findings)
    row = next((r for r in rows if subject and r.candidate == subject.name), None)
    changes = tables.class_changes(findings)
    return environment.get_template("page.html.j2").render(
        findings=findings,
        dataset=findings.dataset,
        measure=_measure(findings),
        rows_are=_rows_are(findings.dataset),
        title=_title(findings),
        lede=_lede(findings),
        tone=_tone(findings),
        subject=subject,
        headlines=_headlines(findings, subject, row),
        limits=_limits(findings, row),
        preference=_preference(findings),
        rows=rows,
        not_measured=[r.candidate for r in rows if r.p50_ms is None and r.role != "control"],
        judged=[r for r in rows if r.passed is not None and not r.is_winner],
        not_judged=_by_reason(rows),
        gains=[(gain, gain_in_words(gain)) for gain in findings.gains],
        changes=changes,
        unchanged_classes=sum(1 for change in changes if not change.change),
        splits=_splits(findings.dataset),
        classes=_class_bars(findings.dataset),
        classes_open=len(findings.dataset.label_names) <= _MOST_OPEN_CLASSES,
        lengths=_length_bars(findings.dataset),
        parities=[c for c in findings.candidates if c.parity or c.parity_failure],
        shapes=_shapes(findings),
        fused=[c for c in findings.candidates if c.fused_operators],
        operators=sorted({name for c in findings.candidates for name in c.fused_operators}),
        lineage=_lineage(findings, subject),
        places=_places(findings),
        plot_accuracy=_drawn(plots.accuracy_against_latency(findings)),
        soft_trees=[
            (tree, _drawn(trees.upper_levels(tree)), _drawn(trees.one_path(tree)))
            for tree in soft_trees
        ],
        study=study,
        study_rows=study_rows,
        study_chosen=next((one for one in study_rows if one.is_chosen), None),
        study_noise={
            "validation": _sampling_noise(study_rows, findings.dataset.validation.rows),
            "test": _sampling_noise(study_rows, findings.dataset.test.rows),
        },
        plot_study=_drawn(plots.accuracy_against_temperature(study) if study else None),
        plot_training=_drawn(plots.training_curves(findings)),
        plot_latencies=_drawn(plots.latency_distributions(findings)),
        plot_classes=_drawn(plots.per_class_changes(findings)),
    )


def gain_in_words(gain: Gain) -> str:
    """Whether distillation helped, as far as the interval lets one say."""
    if gain.interval_low > 0:
        return "distillation helped"
    if gain.interval_high < 0:
        return "distillation hurt"
    return "no clear effect: the interval includes 0"


def _sampling_noise(study: Sequence[tables.StudyRow], rows: int) -> float:
    """How far one accuracy of a study may be off by the draw of its rows: half of a 95 % interval.

    The normal approximation, at the mean of what was found.
    """
    if not study or not rows:
        return 0.0
    accuracy = fmean(row.test.mean for row in study)
    return 1.96 * math.sqrt(accuracy * (1 - accuracy) / rows)


def _shapes(findings: Findings) -> list[tuple[int, int]]:
    """The (batch, tokens) pairs that graphs were compared at."""
    pairs = {pair for c in findings.candidates if c.parity for pair in c.parity.shapes}
    return sorted(pairs)


def _drawn(svg: str | None) -> Markup | None:
    """Matplotlib has escaped what stands in it."""
    return None if svg is None else Markup(svg)  # noqa: S704


def _tone(findings: Findings) -> str:
    if findings.verdict.winner_digest is None:
        return "nothing"
    return "kept" if findings.verdict.champion_unchanged else "promoted"


def _title(findings: Findings) -> str:
    verdict = findings.verdict
    if verdict.winner_digest is None:
        kept = "; the reigning champion stays" if verdict.champion_unchanged else ""
        return f"Nothing was promoted{kept}"
    if verdict.champion_unchanged:
        return f"{verdict.winner_name} remains champion"
    return f"{verdict.winner_name} is promoted"


def _lede(findings: Findings) -> str:
    """The judge's own words, without those that the title says already."""
    summary = findings.verdict.summary
    what, colon, why = summary.partition(": ")
    if not colon or not _title(findings).startswith(what):
        return summary
    why = why[:1].upper() + why[1:]
    passed = sum(1 for ruling in findings.verdict.rulings if ruling.passed)
    if passed > 1:
        why += (
            f" {passed} candidates passed the gates, and the recipe prefers "
            f"{_preference(findings)}."
        )
    return why


def _measure(findings: Findings) -> tables.Measure:
    return tables.measure_of(findings.dataset.label_kind)


def _preference(findings: Findings) -> str:
    preferred = str(findings.gates.get("prefer") or "latency")
    return _PREFERENCES.get(preferred, f"the highest {_measure(findings).name}")


def _headlines(
    findings: Findings, subject: Candidate | None, row: tables.ResultRow | None
) -> list[Headline]:
    if subject is None or row is None:
        return []
    found = []
    if row.kept is not None:
        of_test = f"{findings.dataset.test.rows:,} test rows"
        note = f"{tables.percent(row.accuracy)} of {of_test} are right"
        if row.label_kind == "score":
            r = tables.decimal(row.pearson)
            note = f"ρ = {tables.decimal(row.spearman)}, Pearson's r = {r} over {of_test}"
        found.append(
            Headline(
                number=tables.percent(row.kept),
                label=f"of the teacher's {_measure(findings).name} kept",
                note=note,
            )
        )
    if row.speedup is not None:
        slower = row.speedup < 1
        found.append(
            Headline(
                number=tables.times(1 / row.speedup if slower else row.speedup),
                label="slower than the teacher" if slower else "faster than the teacher",
                note=f"half of the requests take less than {tables.milliseconds(row.p50_ms)}, "
                "tokenization included"
                if findings.dataset.kind == "text"
                else "from pixels to logits",
            )
        )
    teacher = tables.reference(findings)
    if teacher is not None and subject.size_bytes and teacher.size_bytes:
        ratio = teacher.size_bytes / subject.size_bytes
        found.append(
            Headline(
                number=tables.times(max(ratio, 1 / ratio)),
                label="smaller than the teacher" if ratio >= 1 else "larger than the teacher",
                note=f"{tables.size(subject.size_bytes)} instead of "
                f"{tables.size(teacher.size_bytes)}",
            )
        )
    gain = tables.gain_of(findings, subject)
    if gain is not None:
        found.append(_headline_of_gain(gain, _measure(findings)))
    return found


def _headline_of_gain(gain: Gain, measure: tables.Measure) -> Headline:
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


def _limits(findings: Findings, row: tables.ResultRow | None) -> list[Limit]:
    """The gates that were given; the subject's values beside them."""
    given = {k: v for k, v in findings.gates.items() if isinstance(v, int | float)}
    measure = _measure(findings)
    known: tuple[tuple[str, str, str, str], ...] = (
        (
            "accuracy_kept_min",
            f"{measure.title} kept",
            "at least {:.4g}%",
            tables.percent(row.kept if row else None),
        ),
        (
            "accuracy_min",
            measure.title,
            "at least {:.4g}%" if findings.dataset.label_kind == "class" else "at least {:.4g}",
            measure.written(row.merit if row else None),
        ),
        (
            "latency_p95_ms_max",
            "Latency of 95% of requests (p95)",
            "at most {:g} ms",
            tables.milliseconds(row.p95_ms if row else None),
        ),
        (
            "size_bytes_max",
            "Size of the model file",
            "at most {}",
            tables.size(row.size_bytes if row else None),
        ),
        (
            "speedup_min",
            "Speed-up over the teacher",
            "at least {:g}×",
            tables.times(row.speedup if row else None),
        ),
    )
    limits = []
    for key, gate, words, value in known:
        if key not in given:
            continue
        asked: float | str = given[key]
        if "%" in words:
            asked = 100 * given[key]
        elif key.startswith("size"):
            asked = tables.size(given[key])
        limits.append(Limit(gate=gate, limit=words.format(asked), value=value))
    return limits


def _by_reason(rows: Sequence[tables.ResultRow]) -> list[tuple[str, list[str]]]:
    """Those that were never in the race, one line a reason."""
    out = [(", ".join(r.reasons) or "not judged", r.candidate) for r in rows if r.passed is None]
    return [(why, [name for _, name in of]) for why, of in groupby(sorted(out), lambda o: o[0])]


def _rows_are(dataset: Dataset) -> str:
    if dataset.image_shape is not None:
        return f"images of {images.words(dataset.image_shape)},"
    return "pairs of texts" if dataset.is_pair else "texts"


def _splits(dataset: Dataset) -> list[tuple[str, int, str]]:
    how = "stratified by label" if dataset.label_kind == "class" else "at random"
    made = f"taken from the training rows, {how}"
    return [
        ("train", dataset.train.rows, "what the models learn from"),
        (
            "validation",
            dataset.validation.rows,
            "chooses the best epoch and seed"
            + (f"; {made}" if dataset.validation_made_from_train else ""),
        ),
        (
            "test",
            dataset.test.rows,
            f"every {tables.measure_of(dataset.label_kind).name} on this page"
            + (f"; {made}" if dataset.test_made_from_train else ""),
        ),
    ]


def _class_bars(dataset: Dataset) -> list[Bar]:
    """Rows of each class, most frequent first. None for scores."""
    if dataset.label_kind == "score":
        return []
    splits = (dataset.train, dataset.validation, dataset.test)
    most = [max(split.label_counts, default=0) or 1 for split in splits]
    bars = []
    for label, *counts in zip(
        dataset.label_names, *(split.label_counts for split in splits), strict=True
    ):
        widths = tuple(100 * n / m for n, m in zip(counts, most, strict=True))
        bars.append(Bar(label=label, counts=tuple(counts), widths=widths))
    return sorted(bars, key=lambda bar: -bar.counts[0])


def _length_bars(dataset: Dataset) -> list[Bar]:
    """Rows by length, as shares of their split, so that splits compare. None for images."""
    if dataset.kind == "image":
        return []
    splits = (dataset.train, dataset.validation, dataset.test)
    most = max(
        (n / split.rows for split in splits if split.rows for n in split.length_histogram),
        default=1.0,
    )
    bars = []
    for label, *counts in zip(_LENGTHS, *(s.length_histogram for s in splits), strict=True):
        widths = tuple(
            100 * n / split.rows / (most or 1) if split.rows else 0.0
            for n, split in zip(counts, splits, strict=True)
        )
        bars.append(Bar(label=label, counts=tuple(counts), widths=widths))
    return bars


def _lineage(findings: Findings, subject: Candidate | None) -> list[Step]:
    """From the recipe to the registered version; each digest is of content."""
    steps = [
        Step(
            what="Recipe",
            name=findings.recipe_name,
            digest=findings.recipe_digest,
            note=f"code version {findings.code_version}",
        ),
        Step(
            what="Data",
            name=findings.dataset.name,
            digest=findings.dataset.digest,
            note=f"from {findings.dataset.source}",
        ),
        *(_trained("Teacher", teacher) for teacher in findings.teachers),
    ]
    if findings.corpus is not None:
        steps.append(
            Step(
                what="Augmentation",
                name=f"{findings.corpus.rows:,} texts",
                digest=findings.corpus.digest,
                note=findings.corpus.origin,
            )
        )
    if subject is None:
        return steps
    trained = [*findings.students, *findings.controls]
    student = next((c for c in trained if c.digest == subject.checkpoint_digest), None)
    if student is not None:
        start = next((c for c in findings.starts if c.digest == student.parent_digest), None)
        if start is not None:
            steps += [*_language_model(findings), _trained("General distillation", start)]
        steps.append(_trained("Student", student))
    parent = next((c for c in findings.candidates if c.digest == subject.parent_digest), None)
    if parent is not None:
        steps.append(_exported("Exported graph", parent))
    steps.append(_exported("Quantized graph" if parent else "Candidate", subject))
    for version in findings.versions:
        if (version.candidate_name, version.candidate_digest) == (subject.name, subject.digest):
            steps.append(
                Step(
                    what="Registered version",
                    name=f"{version.model}, version {version.version}",
                    digest="",
                    note=f"aliases: {', '.join(version.aliases)}" if version.aliases else "",
                )
            )
    return steps


def _language_model(findings: Findings) -> list[Step]:
    model = findings.language_model
    if model is None:
        return []
    step = _trained("Language model", model)
    told = (
        "its head was trained here, the encoder frozen, since the checkpoint has none"
        if model.history
        else "its head is the checkpoint's"
    )
    return [replace(step, note=f"{step.note}; {told}")]


def _trained(what: str, checkpoint: Checkpoint) -> Step:
    note = f"{checkpoint.parameters / 1e6:,.1f} million parameters, seed {checkpoint.seed}"
    if checkpoint.history:
        note += f", best epoch {checkpoint.best_epoch:g} of {checkpoint.history[-1].epoch:g}"
    return Step(what=what, name=checkpoint.name, digest=checkpoint.digest, note=note)


def _exported(what: str, candidate: Candidate) -> Step:
    runtime = "PyTorch" if candidate.runtime == "pytorch" else "ONNX Runtime"
    note = f"{runtime}, {candidate.precision}, {tables.size(candidate.size_bytes)}"
    return Step(what=what, name=candidate.name, digest=candidate.digest, note=note)


def _places(findings: Findings) -> list[Place]:
    places = []

    def place(measurement: Measurement) -> tuple[str, str, str]:
        of = measurement.fingerprint
        return of.digest, measurement.target, f"{measurement.threads:04d}"

    for _, group in groupby(sorted(findings.measurements, key=place), place):
        here = list(group)
        places.append(
            Place(
                fingerprint=here[0].fingerprint,
                target=here[0].target,
                threads=here[0].threads,
                requests=min(len(m.latencies_ms) for m in here),
                steal_share=max(m.steal_share for m in here),
                candidates=tuple(m.candidate_name for m in here),
            )
        )
    return places
