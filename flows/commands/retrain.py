"""``distillery retrain``: a champion made anew."""

from typing import Annotated

import typer

from flows.commands.compress import tell
from flows.console import JsonOption, err, one_clear_line, quiet_libraries


def retrain(
    model: Annotated[str, typer.Argument(help="The registered model's name.")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the MLflow run.")] = "",
    json_: JsonOption = False,
) -> None:
    """Run the champion's recipe again, over the data as they are today.

    Exits as compress does: 0 if a model passed the gates, 1 if none did, 2 if something is yours to
    mend.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery import tracking
        from distillery.registry import recipes
        from flows.server import server_at_hand

        with err.status("looking for the recipe"):
            server = server_at_hand()
            tracking.connect()
            _, recipe = recipes.of_champion(model)
            from distillery import preflight

            preflight.check(recipe)
            from flows.retrain import retrain as flow
        with server.in_use():
            findings = flow(model, reason)
    tell(findings, as_json=json_)
    raise typer.Exit(0 if findings.verdict.promoted else 1)
