"""``distillery benchmark``: models beside each other."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.rental import plan_table
from flows.console import JsonOption, err, escaped, one_clear_line, out, quiet_libraries

if TYPE_CHECKING:
    from distillery.subjects.checking import Ready
    from distillery.subjects.findings import BenchmarkFindings


def benchmark(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="models:/NAME@champion, a candidate's folder, compiled:FOLDER for torch.compile "
            "of one in PyTorch, or any .onnx file over token ids.",
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="cpu|cuda|aws:TYPE",
            help="This machine's processor (the default), its NVIDIA GPU, or an instance that is "
            "rented for it, such as aws:c7i.2xlarge. Repeatable; only what was measured on one "
            "target is compared.",
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|KEY=VALUE",
            help="A YAML file, or one key such as server.p99_objective_ms=20. Repeatable.",
        ),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="One text a line, pairs apart by a tab.")
    ] = None,
    tokens: Annotated[
        int,
        typer.Option(min=1, max=100_000, help="Longest input of a graph that is not distillery's."),
    ] = 128,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="Of each engine; 0 means one a core.")
    ] = 0,
    aws: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Of targets on AWS, such as cost_usd_max=2, region=eu-west-1 or "
            "markets=[spot,on_demand]. Repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check all, show what would be rented, and end there."),
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for page, JSON and samples.")] = None,
    json_: JsonOption = False,
) -> None:
    """Measure models beside each other; the first is what the others are compared with.

    An .onnx file is asked texts where a tokenizer.json lies beside it, else random token ids.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery.subjects import asking, checking

        asked = asking.Asked(
            models=tuple(models),
            targets=asking.targets(target or (), aws or ()),
            scenario=asking.scenario(scenario or ()),
            texts=texts,
            tokens=tokens,
            threads=threads,
        )
        from flows.server import server_at_hand

        with err.status("checking the models and the servers"):
            server = server_at_hand()
            ready = checking.ready(asked)
            if report is not None:
                checking.check_report(report)
            from flows.benchmark import benchmark as flow
        if ready.plan is not None:
            (out if dry_run and not json_ else err).print(plan_table(ready.plan))
        if dry_run:
            _show_ready(ready, as_json=json_)
            return
        with server.in_use():
            findings = flow(asked, report)
    _show_benchmark(findings, report, as_json=json_)


def _show_ready(ready: "Ready", *, as_json: bool) -> None:
    if as_json:
        shown = ready.model_dump(mode="json")
        if ready.plan is not None:
            shown["plan"]["usd_worst"] = ready.plan.usd_worst
        out.print_json(json.dumps(shown))
        return
    for one in ready.skipped:
        out.print(f"[bold yellow]skipped:[/] {escaped(one.line)}", soft_wrap=True)
    out.print("Ready; nothing was started.")


def _show_benchmark(findings: "BenchmarkFindings", report: Path | None, *, as_json: bool) -> None:
    from distillery import storage
    from distillery.report.benchmark import document, instances, rows, tables
    from distillery.report.sections import hardware

    place = (report or storage.root() / "reports" / findings.flow_run_id) / "report.html"
    if as_json:
        summary = {**document.document(findings), "report": str(place.absolute())}
        out.print_json(json.dumps(summary))
        return
    out.print(tables.rich_tables(rows.model_rows(findings), width=out.width))
    rented = instances.instance_rows(findings.measurements)
    if rented:
        out.print(tables.instance_table(rented))
        out.print(instances.recommendation(rented), soft_wrap=True)
    for one in findings.skipped:
        out.print(f"[bold yellow]skipped:[/] {escaped(one.line)}", soft_wrap=True)
    for there in hardware.places(findings.measurements):
        for reason in there.noise:
            out.print(f"[bold yellow]noisy:[/] {there.target}: {reason}")
    out.print(f"Asked: {escaped(findings.examples_are)}.")
    out.print(f"Report: {place.absolute()}", soft_wrap=True)
