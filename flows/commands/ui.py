"""``distillery ui``: the two web pages."""

from typing import Annotated

import typer

from flows.console import err, one_clear_line


def ui(
    prefect_port: Annotated[int, typer.Option(min=1, max=65535)] = 4200,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
) -> None:
    """Open the Prefect and MLflow pages on this machine; Ctrl-C ends both."""
    with one_clear_line():
        from flows.pages import serve_pages

        serve_pages(err, prefect_port=prefect_port, mlflow_port=mlflow_port)
