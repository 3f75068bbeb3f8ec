"""``distillery benchmark``: models beside each other."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.console import JsonOption, err, escaped, one_clear_line, out, quiet_libraries

if TYPE_CHECKING:
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
            metavar="cpu|cuda",
            help="This machine's processor (the default) or its NVIDIA GPU. Repeatable; only what "
            "was measured on one target is compared.",
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
            targets=asking.targets(target or ()),
            scenario=asking.scenario(scenario or ()),
            texts=texts,
            tokens=tokens,
            threads=threads,
        )
        from flows.server import server_at_hand

        with err.status("checking the models and the servers"):
            server = server_at_hand()
            checking.ready(asked)
            if report is not None:
                checking.check_report(report)
            from flows.benchmark import benchmark as flow
        with server.in_use():
            findings = flow(asked, report)
    _show_benchmark(findings, report, as_json=json_)


def _show_benchmark(findings: "BenchmarkFindings", report: Path | None, *, as_json: bool) -> None:
    from distillery import storage
    from distillery.report.benchmark import document, rows, tables
    from distillery.report.sections import hardware

    place = (report or storage.root() / "reports" / findings.flow_run_id) / "report.html"
    if as_json:
        summary = {**document.document(findings), "report": str(place.absolute())}
        out.print_json(json.dumps(summary))
        return
    out.print(tables.rich_tables(rows.model_rows(findings), width=out.width))
    for one in findings.skipped:
        out.print(f"[bold yellow]skipped:[/] {escaped(one.line)}", soft_wrap=True)
    for there in hardware.places(findings.measurements):
        for reason in there.noise:
            out.print(f"[bold yellow]noisy:[/] {there.target}: {reason}")
    out.print(f"Asked: {escaped(findings.examples_are)}.")
    out.print(f"Report: {place.absolute()}", soft_wrap=True)
