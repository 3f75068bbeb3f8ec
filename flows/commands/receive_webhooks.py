"""``distillery receive-webhooks``: the registry's events on their way to Prefect."""

import logging
from typing import Annotated

import typer

from flows.console import err, one_clear_line, quiet_libraries


def receive_webhooks(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8200,
    register: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Only tell the MLflow server to send its events to this URL. Repeatable.",
        ),
    ] = None,
) -> None:
    """Hear MLflow's webhooks, and start a reconcile run for each; Ctrl-C ends it.

    DISTILLERY_WEBHOOK_SECRET is what they are signed with. Every event may be lost: reconcile runs
    each minute anyway.
    """
    with one_clear_line():
        quiet_libraries()
        from distillery import tracking, webhooks

        secret = webhooks.secret()
        if register is not None:
            tracking.connect()
            tracking.ensure_webhook(webhooks.NAME, register, webhooks.EVENTS, secret)
            err.print(f"distillery: MLflow sends its events to {register}", markup=False)
            return
        from prefect.settings import PREFECT_API_URL

        from distillery.errors import UserError
        from flows.pages import refuse_taken
        from flows.receiver import serve

        if not PREFECT_API_URL.value():
            raise UserError(
                "nothing to start runs on: set PREFECT_API_URL to the Prefect server that has the "
                "deployment reconcile/reconcile"
            )
        refuse_taken("the receiver", port, "--port", host)
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("distillery").setLevel(logging.INFO)
        err.print(f"distillery: listening on http://{host}:{port}", markup=False)
        serve(host, port)
