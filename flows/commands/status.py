"""``distillery status``: everything on one screen."""

import os
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from flows.console import JsonOption, err, escaped, one_clear_line, out, quiet_libraries

if TYPE_CHECKING:
    from distillery.housekeeping.standing import ModelStanding, Standing


def status(json_: JsonOption = False) -> None:
    """Show what is registered, what is served where, what ran last, and what is stuck."""
    with one_clear_line():
        quiet_libraries()
        with err.status("asking the servers"):
            found = _asked()
    if json_:
        out.print_json(found.model_dump_json())
        return
    _show(found)


def _asked() -> "Standing":
    from distillery import storage

    database = storage.root() / "mlflow.db"
    is_new = not os.environ.get("MLFLOW_TRACKING_URI") and not database.exists()
    from flows.server import named_server

    server = named_server()
    from distillery.housekeeping import standing

    if is_new:
        # asking would make the store
        found = standing.nothing_yet(f"sqlite:///{database}")
    else:
        from distillery import tracking
        from distillery.registry import places

        found = standing.take(tracking.connect(), places.all_places())
    if server is None:
        return found
    from flows import recent

    return found.model_copy(
        update={"flow_runs": recent.last_flow_runs(), "stuck": (*found.stuck, *recent.late())}
    )


def _show(found: "Standing") -> None:
    if found.is_empty and not found.stuck:
        out.print(
            f"Nothing here yet (storage: {found.storage_root}). Begin with: "
            "distillery compress quickstart",
            soft_wrap=True,
        )
        return
    table = Table("model", "versions", "aliases", "champion", "served", box=None)
    for model in found.models:
        aliases = ", ".join(f"{alias} v{version}" for alias, version in model.aliases.items())
        table.add_row(
            *(
                Text(cell)
                for cell in (
                    model.name,
                    str(model.versions),
                    aliases or "–",
                    model.champion or "–",
                    _served(model),
                )
            )
        )
    out.print(table if found.models else "No model is registered.")
    runs = Table("flow run", "state", "started", "id", box=None)
    for run in found.flow_runs:
        cells = (run.name, run.state, run.started_at, run.flow_run_id)
        runs.add_row(*(Text(cell, overflow="fold") for cell in cells))
    out.print()
    out.print(runs if found.flow_runs else "No flow ran yet.")
    out.print()
    for model in found.models:
        for line in model.refused:
            out.print(f"[yellow]refused:[/] {escaped(f'{model.name} {line}')}", soft_wrap=True)
        for line in model.drift:
            out.print(f"[yellow]drift:[/] {escaped(f'{model.name}: {line}')}", soft_wrap=True)
    for line in found.stuck:
        out.print(f"[bold red]stuck:[/] {escaped(line)}", soft_wrap=True)
    if not found.stuck:
        out.print("Nothing is stuck.")


def _served(model: "ModelStanding") -> str:
    if not model.place:
        return "–"
    if model.not_answering:
        return f"{model.place}: not answering"
    if model.served is None:
        return f"{model.place}: nothing"
    return f"{model.place}: v{model.served.version} at {model.served.address}"
