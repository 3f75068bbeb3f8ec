"""``distillery monitor``: what is served, held against what was learned."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from flows.console import JsonOption, err, escaped, one_clear_line, out, quiet_libraries

if TYPE_CHECKING:
    from distillery.monitoring.watching import Watched


def monitor(
    model: Annotated[
        str | None, typer.Argument(help="A registered model; all that are served if left out.")
    ] = None,
    labelled: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Rows of this model whose labels came later: a file, a folder or a hub name.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="How to read the labelled rows, as under 'data' in a recipe: label=intent, "
            "text_pair=answer, label_kind=score. Repeatable.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A limit, such as rows_min=1000. Repeatable."
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Compare what is served with what was learned: classes, input lengths, accuracy.

    Exits with 0 if all is within limits, 1 if a limit is crossed, 2 if something is yours to mend.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery import recipe_files, tracking
        from distillery.errors import UserError
        from distillery.monitoring.drift import Drift
        from distillery.recipe import Data
        from distillery.registry import places

        values: dict[str, Any] = {}
        for one in set_ or ():
            recipe_files.override(values, one, option="--set", example="rows_min=1000")
        limits = recipe_files.validated(Drift, values, where="--set")
        rows = None
        if labelled is not None:
            source: dict[str, Any] = {"source": labelled}
            for one in columns or ():
                recipe_files.override(source, one, option="--columns", example="label=intent")
            rows = recipe_files.validated(Data, source, where="--columns")
            if model is None:
                raise UserError("labelled rows are one model's: name the model, too")
        elif columns:
            raise UserError("--columns says how to read labelled rows: give --labelled, too")
        from flows.server import server_at_hand

        with err.status("checking the servers"):
            server = server_at_hand()
            tracking.connect()
            places.served_at(model)
            from flows.monitor import monitor as flow
        with server.in_use():
            watched = flow(model, limits, rows)
    _show(watched, as_json=json_)
    failed = [one for one in watched if one.failed]
    for unseen in failed:
        err.print(f"[bold red]distillery:[/] {escaped(unseen.note)}", soft_wrap=True)
    if failed:
        raise typer.Exit(2)
    raise typer.Exit(1 if any(one.crossings for one in watched) else 0)


def _show(watched: "tuple[Watched, ...]", *, as_json: bool) -> None:
    if as_json:
        out.print_json(
            json.dumps(
                [
                    {
                        **one.model_dump(mode="json", exclude={"counted"}),
                        "crossings": [crossing.model_dump() for crossing in one.crossings],
                    }
                    for one in watched
                ]
            )
        )
        return
    from distillery.report.monitoring import watch_rows

    if not watched:
        out.print("No registered model has a place where it is served: there is nothing to watch.")
        return
    table = Table("model", "version", "what", "rows", "found", "verdict", box=None)
    seen = [one for one in watched if not one.failed]
    for one in seen:
        crossed = {crossing.reason for crossing in one.crossings}
        for row in watch_rows(one):
            style = "bold red" if row.verdict in crossed else ""
            table.add_row(*(Text(cell, style=style) for cell in row.record.values()))
    if seen:
        out.print(table)
