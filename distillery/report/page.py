"""One self-contained page that tells a stranger what a run found, and how far to trust it."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from distillery.measurements import Measurement
from distillery.nouns import Candidate, Findings, Gain, Parity
from distillery.report import candidates, html, search, trees
from distillery.report.benchmark import scenarios
from distillery.report.benchmark.instances import instances
from distillery.report.class_changes import class_changes
from distillery.report.measure import measure_of
from distillery.report.plots import (
    accuracy_against_latency,
    accuracy_against_temperature,
    configurations,
    latency_distributions,
    per_class_changes,
    training_curves,
)
from distillery.report.results import ResultRow, result_rows
from distillery.report.sections import data, gates, hardware, headlines, lineage, verdict
from distillery.report.study import sampling_noise, spread, study_rows
from distillery.report.trees import Tree

_MOST_OPEN_CLASSES = 30


def write(findings: Findings, path: Path, soft_trees: Sequence[Tree] = ()) -> None:
    """Write the page to ``path``: the whole of it, or nothing."""
    html.write(render(findings, soft_trees), path)


def render(findings: Findings, soft_trees: Sequence[Tree] = ()) -> str:
    """The page as HTML; trees among the students are drawn."""
    study, searched = findings.temperature_study, findings.searched
    rows_of_search = search.search_rows(searched) if searched else []
    rows_of_study = study_rows(study) if study else []
    environment = html.environment()
    environment.filters["spread"] = spread
    rows = result_rows(findings)
    subject = candidates.subject(findings)
    row = next((r for r in rows if subject and r.candidate == subject.name), None)
    changes = class_changes(findings)
    return environment.get_template("page.html.j2").render(
        findings=findings,
        dataset=findings.dataset,
        measure=measure_of(findings.dataset.label_kind),
        rows_are=data.rows_are(findings.dataset),
        title=verdict.title(findings),
        lede=verdict.lede(findings),
        tone=verdict.tone(findings),
        subject=subject,
        headlines=headlines.headlines(findings, subject, row),
        limits=gates.limits(findings, row),
        preference=verdict.preference(findings),
        rows=rows,
        not_measured=[r.candidate for r in rows if r.p50_ms is None and r.role != "control"],
        judged=[r for r in rows if r.passed is not None and not r.is_winner],
        not_judged=_by_reason(rows),
        gains=[(gain, gain_in_words(gain)) for gain in findings.gains],
        changes=changes,
        unchanged_classes=sum(1 for change in changes if not change.change),
        splits=data.splits(findings.dataset),
        classes=data.class_bars(findings.dataset),
        classes_open=len(findings.dataset.label_names) <= _MOST_OPEN_CLASSES,
        lengths=data.length_bars(findings.dataset),
        parities=_own_steps(findings),
        shapes=_shapes(findings),
        fused=[c for c in findings.candidates if c.fused_operators],
        operators=sorted({name for c in findings.candidates for name in c.fused_operators}),
        lineage=lineage.lineage(findings, subject),
        scenarios=scenarios.by_target(_in_order_of(rows, findings.measurements)),
        places=hardware.places(findings.measurements),
        instances=instances(findings.measurements, _promoted_or_subject(findings)),
        plot_accuracy=html.drawn(accuracy_against_latency.svg(findings)),
        soft_trees=[
            (tree, html.drawn(trees.upper_levels(tree)), html.drawn(trees.one_path(tree)))
            for tree in soft_trees
        ],
        searched=searched,
        searched_rows=rows_of_search,
        searched_words=search.screened_in_words(searched) if searched else "",
        searched_best=search.best_in_words(searched) if searched else [],
        plot_configurations=html.drawn(configurations.svg(rows_of_search) if searched else None),
        study=study,
        study_rows=rows_of_study,
        study_chosen=next((one for one in rows_of_study if one.is_chosen), None),
        study_noise={
            "validation": sampling_noise(rows_of_study, findings.dataset.validation.rows),
            "test": sampling_noise(rows_of_study, findings.dataset.test.rows),
        },
        plot_study=html.drawn(accuracy_against_temperature.svg(study) if study else None),
        plot_training=html.drawn(training_curves.svg(findings)),
        plot_latencies=html.drawn(latency_distributions.svg(findings)),
        plot_classes=html.drawn(per_class_changes.svg(findings)),
    )


def _promoted_or_subject(findings: Findings) -> list[str]:
    """Whose instance is recommended: the winner's; without one, the model that is looked at."""
    subject = candidates.subject(findings)
    winner = findings.verdict.winner_name
    return [winner] if winner else [subject.name] if subject else []


def gain_in_words(gain: Gain) -> str:
    """Whether distillation helped, as far as the interval lets one say."""
    if gain.interval_low > 0:
        return "distillation helped"
    if gain.interval_high < 0:
        return "distillation hurt"
    return "no clear effect: the interval includes 0"


def _in_order_of(
    rows: Sequence[ResultRow], measurements: Sequence[Measurement]
) -> list[Measurement]:
    """Those of one target together, each in the order of the table."""
    order = [row.candidate for row in rows]
    known = [measured for measured in measurements if measured.candidate_name in order]
    return sorted(known, key=lambda one: (one.target, order.index(one.candidate_name)))


def _own_steps(findings: Findings) -> list[tuple[Candidate, Parity]]:
    """Each candidate's steps, without those of the one it was made from."""
    made = {candidate.digest: candidate for candidate in findings.candidates}
    return [
        (candidate, parity)
        for candidate in findings.candidates
        for parity in candidate.parities
        if candidate.parent_digest not in made
        or parity not in made[candidate.parent_digest].parities
    ]


def _shapes(findings: Findings) -> list[tuple[int, int]]:
    """The (batch, tokens) pairs that graphs were compared at."""
    pairs = {p for c in findings.candidates for parity in c.parities for p in parity.shapes}
    return sorted(pairs)


def _by_reason(rows: Sequence[ResultRow]) -> list[tuple[str, list[str]]]:
    """Those that were never in the race, one line a reason."""
    out = [(", ".join(r.reasons) or "not judged", r.candidate) for r in rows if r.passed is None]
    return [(why, [name for _, name in of]) for why, of in groupby(sorted(out), lambda o: o[0])]
