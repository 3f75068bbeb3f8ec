"""``distillery retain``: delete what is old, and nothing refers to."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from flows.console import JsonOption, err, escaped, one_clear_line, out, quiet_libraries

if TYPE_CHECKING:
    from distillery.housekeeping.keeping import Tidied


def retain(
    apply: Annotated[
        bool, typer.Option("--apply", help="Delete; without it, nothing is deleted.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="age_days, flow_runs, versions or stale_hours, such as age_days=90. Repeatable.",
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Delete old runs, versions, files and caches that nothing refers to; first as a dry run.

    Never what an alias names, what is served, or what those came from.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery import recipe_files, tracking
        from distillery.housekeeping.retention import Retention

        values: dict[str, Any] = {}
        for one in set_ or ():
            recipe_files.override(values, one, option="--set", example="age_days=90")
        keep = recipe_files.validated(Retention, values, where="--set")
        from flows.server import server_at_hand

        with err.status("checking the servers"):
            server = server_at_hand()
            tracking.connect()
            from flows.retain import retain as flow
        with server.in_use():
            tidied = flow(keep, dry_run=not apply)
    if json_:
        summary = tidied.model_dump(mode="json")
        out.print_json(json.dumps({**summary, "size_bytes": tidied.plan.size_bytes}))
    else:
        _show(tidied)


def _show(tidied: "Tidied") -> None:
    from distillery.report.retention import plan_rows, summary

    rows = plan_rows(tidied.plan)
    if rows:
        table = Table("what", "name", "size", "why", box=None)
        for row in rows:
            table.add_row(*(Text(cell, overflow="fold") for cell in row.values()))
        out.print(table)
    for line in summary(tidied):
        out.print(escaped(line), soft_wrap=True)
