"""What the commands that decide about a champion share."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.console import out

if TYPE_CHECKING:
    from distillery.nouns import Decision
    from flows.server import NamedServer, TemporaryServer

ModelArgument = Annotated[str, typer.Argument(help="A registered model's name.")]


def ready(model: str, version: str | None = None) -> "NamedServer | TemporaryServer":
    """The Prefect server, once the registry was found to know the model.

    Raises ``UserError`` where it does not, or has no such version.
    """
    from distillery import tracking
    from distillery.registry import policy
    from flows.server import server_at_hand

    server = server_at_hand()
    tracking.connect()
    policy.read(model)
    if version is not None:
        tracking.version_at(f"models:/{model}/{version}")
    return server


def show(decision: "Decision", *, as_json: bool) -> None:
    """One line, or all of it."""
    if as_json:
        out.print_json(json.dumps(decision.model_dump()))
    else:
        out.print(decision.summary, soft_wrap=True, markup=False)
