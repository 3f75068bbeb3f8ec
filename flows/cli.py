"""The command line: one sub-command a flow, and what a person needs around it.

Heavy imports wait inside the commands, so that ``distillery --help`` answers at once.
Exit codes: 0 promoted, 1 ran but nothing passed the gates, 2 something is yours to mend.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from distillery.errors import UserError

if TYPE_CHECKING:
    from distillery.nouns import Findings
    from distillery.subjects.findings import BenchmarkFindings

app = typer.Typer(
    name="distillery",
    help="Turn a large classifier into the smallest, fastest one that still passes your gates.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# a pipe has no width of its own; the result table needs this much
out = Console(width=None if sys.stdout.isatty() else 100)
err = Console(stderr=True)

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or a YAML file's path.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override one key of the recipe, such as students.0.task.0.temperature=4. Repeatable.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else there.")
]


@app.command()
def compress(recipe: RecipeArgument, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Run a recipe from its data to a promoted model.

    Finished steps are kept: run it again after a crash, or with another temperature, and only what
    changed is done anew. Exits with 0 if a model passed the gates, 1 if none did, 2 if something
    is yours to mend.
    """
    with _one_clear_line():
        _quiet_libraries()
        from distillery import recipe_files

        loaded = recipe_files.load(recipe, set_ or ())
        from flows.server import server_at_hand

        with err.status("checking the recipe, the data and the servers"):
            server = server_at_hand()
            from distillery import preflight

            preflight.check(loaded)
            from flows.compress import compress as flow
        with server.in_use():
            findings = flow(loaded)
    if json_:
        out.print_json(json.dumps(_summary(findings)))
    else:
        _show(findings)
    raise typer.Exit(0 if findings.verdict.promoted else 1)


@app.command()
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
    with _one_clear_line():
        _quiet_libraries()
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


@app.command()
def recipes(json_: JsonOption = False) -> None:
    """List the recipes that come with distillery."""
    with _one_clear_line():
        from distillery import recipe_files

        found = [(name, recipe_files.load(name)) for name in recipe_files.shipped()]
    if json_:
        rows = {name: recipe.description for name, recipe in found}
        out.print_json(json.dumps(rows))
        return
    table = Table("recipe", "data", "students", "what it does")
    for name, recipe in found:
        source = os.path.relpath(recipe.data.source) if "/data/" in recipe.data.source else None
        students = ", ".join(student.name for student in recipe.students)
        table.add_row(name, source or recipe.data.source, students, recipe.description)
    out.print(table)


@app.command()
def check(recipe: RecipeArgument, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Verify all that can be verified before training, in seconds."""
    with _one_clear_line():
        _quiet_libraries()
        from distillery import preflight, recipe_files

        loaded = recipe_files.load(recipe, set_ or ())
        with err.status("checking"):
            plan = preflight.check(loaded)
            parameters = preflight.parameters(
                loaded, labels=plan.labels, image_shape=plan.image_shape
            )
    if json_:
        out.print_json(json.dumps({**plan.model_dump(), "parameters": parameters}))
        return
    table = Table(title=f"{plan.recipe_name}: ready to run", show_header=False)
    rows = ", ".join(f"{count:,} {split}" for split, count in plan.rows.items())
    what = f"{plan.labels} labels"
    if plan.score_range is not None:
        what = f"scores from {plan.score_range[0]:g} to {plan.score_range[1]:g}"
    table.add_row("data", f"{rows}; {what}")
    if plan.leaked_rows_removed:
        table.add_row("", f"{plan.leaked_rows_removed} leaked training rows left out")
    for name in loaded.teachers:
        table.add_row(name, f"{parameters[name]:,} parameters")
    whole = "the teacher" if len(loaded.teachers) == 1 else "the ensemble"
    of_teachers = sum(parameters[name] for name in loaded.teachers)
    for student in loaded.students:
        count = parameters[student.name]
        share = count / of_teachers
        table.add_row(f"student {student.name}", f"{count:,} parameters ({share:.0%} of {whole})")
    table.add_row("trainings", str(plan.trainings))
    table.add_row("tracking", plan.tracking_uri)
    table.add_row("storage", plan.storage_root)
    out.print(table)


@app.command()
def predict(
    model_uri: Annotated[
        str, typer.Argument(help="models:/NAME@champion, models:/NAME/3, or a model's folder.")
    ],
    examples: Annotated[
        list[str],
        typer.Argument(metavar="EXAMPLE...", help="Texts to classify, or image files."),
    ],
    pair: Annotated[
        bool, typer.Option("--pair", help="Take the texts two by two, for models of text pairs.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, max=100, help="Labels to show.")] = 3,
    json_: JsonOption = False,
) -> None:
    """Classify texts, or image files, with a registered model; or give each text its score."""
    with _one_clear_line():
        _quiet_libraries()
        from distillery import tracking

        if pair and len(examples) % 2:
            raise UserError(f"--pair takes an even number of texts; these are {len(examples)}")
        rows: list[str] | list[tuple[str, str]] = (
            list(zip(examples[::2], examples[1::2], strict=True)) if pair else examples
        )
        tracking.connect()
        found = tracking.predict(model_uri, rows)
    if json_:
        out.print_json(json.dumps(found))
        return
    if "score" in found[0]:
        table = Table("example", "score")
        for row, one in zip(rows, found, strict=True):
            table.add_row(row if isinstance(row, str) else " | ".join(row), f"{one['score']:.4g}")
        out.print(table)
        return
    table = Table("example", "label", "probability", "next")
    for row, one in zip(rows, found, strict=True):
        ranked = sorted(one["probabilities"].items(), key=lambda item: -item[1])[1:top]
        following = ", ".join(f"{name} {p:.1%}" for name, p in ranked)
        shown = row if isinstance(row, str) else " | ".join(row)
        table.add_row(shown, one["label"], f"{one['probability']:.1%}", following)
    out.print(table)


@app.command()
def join() -> None:
    """Lend this machine to trainings over several nodes; Ctrl-C ends it.

    For recipes with launcher.nodes above 1. Use the storage that the run itself uses: it says there
    where and when to meet.
    """
    with _one_clear_line():
        _quiet_libraries()
        from distillery import storage
        from distillery.launch import launching

        logging.basicConfig(format="%(message)s")
        logging.getLogger("distillery").setLevel(logging.INFO)
        err.print(f"distillery: lending this machine to trainings on {storage.ready()}")
        launching.join()


@app.command()
def ui(
    prefect_port: Annotated[int, typer.Option(min=1, max=65535)] = 4200,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
) -> None:
    """Open the Prefect and MLflow pages on this machine; Ctrl-C ends both."""
    with _one_clear_line():
        from flows.pages import serve_pages

        serve_pages(err, prefect_port=prefect_port, mlflow_port=mlflow_port)


@contextmanager
def _one_clear_line() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        err.print(f"[bold red]distillery:[/] {_escaped(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("distillery: stopped; run the same command again to go on where it was")
        raise typer.Exit(130) from None


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _quiet_libraries() -> None:
    """Set what the libraries read when they are imported; what the user set stays."""
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "distillery")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _summary(findings: "Findings") -> dict[str, object]:
    from distillery import storage
    from distillery.report.benchmark.document import scenarios
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
        # the default is empty: what only the other kind of label has
        "gains": [gain.model_dump(exclude_defaults=True) for gain in findings.gains],
        "temperature_study": (
            findings.temperature_study.model_dump() if findings.temperature_study else None
        ),
        "versions": [version.model_dump() for version in findings.versions],
        "flow_run_id": findings.flow_run_id,
        "report": str(storage.root() / "reports" / findings.flow_run_id / "report.html"),
    }


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
        out.print(f"[bold yellow]skipped:[/] {_escaped(one.line)}", soft_wrap=True)
    for there in hardware.places(findings.measurements):
        for reason in there.noise:
            out.print(f"[bold yellow]noisy:[/] {there.target}: {reason}")
    out.print(f"Asked: {_escaped(findings.examples_are)}.")
    out.print(f"Report: {place.absolute()}", soft_wrap=True)


def _show(findings: "Findings") -> None:
    from distillery import storage
    from distillery.report import tables
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
    out.print(f"[bold {colour}]{_escaped(findings.verdict.summary)}[/]")
    report = storage.root() / "reports" / findings.flow_run_id / "report.html"
    out.print(f"Report: {report}", soft_wrap=True)
    out.print("Pages: `distillery ui` opens Prefect and MLflow on this machine.")
    if findings.verdict.promoted:
        example = '"some text"' if findings.dataset.kind == "text" else "some.png"
        if findings.dataset.is_pair:
            example = '--pair "some text" "another"'
        out.print(f"Try it: distillery predict models:/{findings.model}@champion {example}")
