"""``distillery promote``: a version somebody wants as champion."""

from typing import Annotated

import typer

from flows.console import JsonOption, err, one_clear_line, quiet_libraries, this_person
from flows.deciding import ModelArgument, show


def promote(
    model: ModelArgument,
    version: Annotated[str, typer.Argument(help="Its number in the registry.")],
    json_: JsonOption = False,
) -> None:
    """Make a registered version champion, if it passes its model's gates, and serve it."""
    with one_clear_line():
        quiet_libraries()
        from flows.deciding import ready

        with err.status("checking the registry and the servers"):
            server = ready(model, version)
            from flows.promote import promote as flow
        with server.in_use():
            decision = flow(model, version, this_person())
    show(decision, as_json=json_)
