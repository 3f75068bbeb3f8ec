"""What all sub-commands share: the two streams, their options, and errors in one clear line."""

import getpass
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from distillery import full_disk
from distillery.errors import UserError

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


@contextmanager
def one_clear_line() -> Iterator[None]:
    try:
        with full_disk.told():
            yield
    except UserError as error:
        err.print(f"[bold red]distillery:[/] {escaped(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("distillery: stopped; run the same command again to go on where it was")
        raise typer.Exit(130) from None


def this_person() -> str:
    """Who asks, as far as this machine knows: ``user@host``."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def escaped(text: str) -> str:
    return text.replace("[", r"\[")


def quiet_libraries() -> None:
    """Set what the libraries read when they are imported; what the user set stays."""
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "distillery")
    # what is said outside a flow run belongs on no run's page
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # what it writes about a database's error, it raises as well
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
