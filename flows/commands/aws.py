"""``distillery aws``: what is missing there, and what was left running."""

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from flows.console import JsonOption, err, one_clear_line, out, quiet_libraries

aws = typer.Typer(
    help="Instances on AWS: what is missing for them, and what was left running.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@aws.command()
def check(
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="aws:TYPE", help="Types to ask about; aws:c7i.xlarge if left out."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--aws", metavar="KEY=VALUE", help="Such as region=eu-west-1. Repeatable."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Say in one screen what is missing for benchmarks on AWS. Nothing is started or changed."""
    with one_clear_line():
        from distillery.aws import checking
        from distillery.subjects import asking
        from distillery.targets.renting import rented

        types = rented(asking.targets(target or ("aws:c7i.xlarge",), settings or ()))
        if not types:
            raise typer.BadParameter("name types on AWS, such as aws:c7i.xlarge")
        with err.status("asking AWS"):
            found = checking.check(types[0].aws, [one.instance_type for one in types])
    missing = [one for one in found if one.is_missing]
    if json_:
        out.print_json(json.dumps([one.model_dump() for one in found]))
    else:
        table = Table(show_header=False, box=None, padding=(0, 1, 0, 0))
        for one in found:
            mark = Text("missing", "bold red") if one.is_missing else Text("ok", "green")
            table.add_row(mark, Text(one.what), Text(one.problem or one.found))
        out.print(table)
    raise typer.Exit(2 if missing else 0)


@aws.command()
def sweep(
    region: Annotated[
        list[str] | None, typer.Option(help="Where to look; your own region if left out.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="End those that have time left as well.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is there.")] = False,
    json_: JsonOption = False,
) -> None:
    """Show what distillery left running on AWS, and end what is past its time."""
    with one_clear_line():
        quiet_libraries()
        from distillery.aws import sweeping
        from distillery.aws.session import open_session

        where: list[str | None] = [*region] if region else [None]
        with err.status("asking AWS"):
            left = [
                one
                for name in where
                for one in sweeping.sweep(open_session(name), every=all_, dry_run=dry_run)
            ]
    if json_:
        out.print_json(json.dumps([one.model_dump() for one in left]))
        return
    if not left:
        out.print("Nothing of distillery's runs there.")
        return
    table = Table("instance", "type", "region", "state", "until (UTC)", "owner", "")
    for one in left:
        words = "ended now" if one.ended else "left alone"
        table.add_row(
            one.instance_id,
            one.instance_type,
            one.region,
            one.state,
            one.expires_at[:16].replace("T", " ") or "not told",
            one.owner,
            words,
        )
    out.print(table)
