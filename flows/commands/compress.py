"""``distillery compress``: a recipe from its data to a promoted model."""

import json
from typing import TYPE_CHECKING

import typer

from flows.commands.rental import plan_table
from flows.console import (
    JsonOption,
    RecipeArgument,
    SetOption,
    err,
    escaped,
    one_clear_line,
    out,
    quiet_libraries,
)

if TYPE_CHECKING:
    from distillery.nouns import Findings


def compress(recipe: RecipeArgument, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Run a recipe from its data to a promoted model.

    Finished steps are kept: run it again after a crash, or with another temperature, and only what
    changed is done anew. Exits with 0 if a model passed the gates, 1 if none did, 2 if something
    is yours to mend.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery import recipe_files

        loaded = recipe_files.load(recipe, set_ or ())
        from flows.server import server_at_hand

        with err.status("checking the recipe, the data and the servers"):
            server = server_at_hand()
            from distillery import preflight

            plan = preflight.check(loaded)
            from flows.compress import compress as flow
        if plan.rented is not None:
            err.print(plan_table(plan.rented))
        with server.in_use():
            findings = flow(loaded)
    tell(findings, as_json=json_)
    raise typer.Exit(0 if findings.verdict.promoted else 1)


def tell(findings: "Findings", *, as_json: bool) -> None:
    """What a run came to, for whoever or whatever reads stdout."""
    if as_json:
        out.print_json(json.dumps(_summary(findings)))
    else:
        _show(findings)


def _summary(findings: "Findings") -> dict[str, object]:
    from distillery import storage
    from distillery.report import search
    from distillery.report.benchmark.document import scenarios
    from distillery.report.benchmark.instances import instance_rows
    from distillery.report.results import result_rows

    return {
        "promoted": findings.verdict.promoted,
        "winner": findings.verdict.winner_name,
        "summary": findings.verdict.summary,
        "model": findings.model,
        "champion_unchanged": findings.verdict.champion_unchanged,
        "results": [row.record for row in result_rows(findings)],
        "measurements": [
            {"candidate": measured.candidate_name, "target": measured.target, **scenarios(measured)}
            for measured in findings.measurements
        ],
        "search": search.document(findings.searched) if findings.searched else None,
        "instances": [
            row.record
            for row in instance_rows(
                findings.measurements,
                [findings.verdict.winner_name] if findings.verdict.winner_name else None,
            )
        ],
        "skipped": [one.model_dump() for one in findings.skipped],
        # the default is empty: what only the other kind of label has
        "gains": [gain.model_dump(exclude_defaults=True) for gain in findings.gains],
        "temperature_study": (
            findings.temperature_study.model_dump() if findings.temperature_study else None
        ),
        "decision": findings.decision.model_dump() if findings.decision else None,
        "versions": [version.model_dump() for version in findings.versions],
        "flow_run_id": findings.flow_run_id,
        "report": str(storage.root() / "reports" / findings.flow_run_id / "report.html"),
    }


def _show(findings: "Findings") -> None:
    from distillery import storage
    from distillery.report import search, tables
    from distillery.report.benchmark.instances import instance_rows, recommendation
    from distillery.report.benchmark.tables import instance_table
    from distillery.report.results import result_rows
    from distillery.report.study import study_rows, study_table

    out.print(tables.rich_table(result_rows(findings), width=out.width))
    of_scores = findings.dataset.label_kind == "score"
    unit, times, places = ("of Spearman ρ", 1, 4) if of_scores else ("points", 100, 2)
    for gain in findings.gains:
        out.print(
            f"Distillation gained {gain.student_name} {times * gain.mean_gain:+.{places}f} {unit} "
            f"over its control (95 % interval {times * gain.interval_low:+.{places}f} to "
            f"{times * gain.interval_high:+.{places}f}, {gain.method})."
        )
    if findings.temperature_study is not None:
        name = findings.temperature_study.student_name
        out.print(
            f"{name} by temperature: mean over seeds (lowest to highest). Choose on validation."
        )
        out.print(study_table(study_rows(findings.temperature_study)))
    if findings.searched is not None:
        out.print(search.search_table(search.search_rows(findings.searched)))
        out.print(search.screened_in_words(findings.searched))
        for sentence in search.best_in_words(findings.searched):
            out.print(escaped(sentence))
    colour = "green" if findings.verdict.promoted else "yellow"
    out.print(f"[bold {colour}]{escaped(findings.verdict.summary)}[/]")
    if findings.decision is not None and findings.decision.address is not None:
        out.print(f"Served at {findings.decision.address}.")
    rented = instance_rows(
        findings.measurements,
        [findings.verdict.winner_name] if findings.verdict.winner_name else None,
    )
    if rented:
        out.print(instance_table(rented))
        out.print(recommendation(rented), soft_wrap=True)
    for one in findings.skipped:
        out.print(f"[bold yellow]skipped:[/] {escaped(one.line)}", soft_wrap=True)
    report = storage.root() / "reports" / findings.flow_run_id / "report.html"
    out.print(f"Report: {report}", soft_wrap=True)
    out.print("Pages: `distillery ui` opens Prefect and MLflow on this machine.")
    if findings.verdict.promoted:
        example = '"some text"' if findings.dataset.kind == "text" else "some.png"
        if findings.dataset.is_pair:
            example = '--pair "some text" "another"'
        out.print(f"Try it: distillery predict models:/{findings.model}@champion {example}")
