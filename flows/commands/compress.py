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
    if json_:
        out.print_json(json.dumps(_summary(findings)))
    else:
        _show(findings)
    raise typer.Exit(0 if findings.verdict.promoted else 1)


def _summary(findings: "Findings") -> dict[str, object]:
    from distillery import storage
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
        "versions": [version.model_dump() for version in findings.versions],
        "flow_run_id": findings.flow_run_id,
        "report": str(storage.root() / "reports" / findings.flow_run_id / "report.html"),
    }


def _show(findings: "Findings") -> None:
    from distillery import storage
    from distillery.report import tables
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
    colour = "green" if findings.verdict.promoted else "yellow"
    out.print(f"[bold {colour}]{escaped(findings.verdict.summary)}[/]")
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
