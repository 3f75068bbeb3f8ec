"""``python -m infra.stack start | stop | status``, run by make."""

from typing import Annotated

import typer

from flows.console import err, one_clear_line, out
from infra.stack import settings
from infra.stack.stack import Stack

app = typer.Typer(
    help="A team's servers on this machine, on loopback.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Port = Annotated[int | None, typer.Option(min=1, max=65535)]


@app.command()
def start(
    postgres_port: Port = None,
    store_port: Port = None,
    mlflow_port: Port = None,
    prefect_port: Port = None,
    receiver_port: Port = None,
) -> None:
    """Start what does not run yet, and wait until all answer."""
    with one_clear_line():
        stack = Stack.at(
            settings.folder(),
            say=lambda line: err.print(line, highlight=False),
            postgres=postgres_port,
            store=store_port,
            mlflow=mlflow_port,
            prefect=prefect_port,
            receiver=receiver_port,
        )
        stack.start()
        found = stack.settings
        out.print(f"Prefect: {found.prefect_address}", soft_wrap=True)
        out.print(f"MLflow:  {found.mlflow_address} (admin; password in the file below)")
        out.print(f"Use it:  set -a; . {found.folder / 'env'}; set +a", soft_wrap=True)
        out.print("End it:  make stack-stop (everything stays)")


@app.command()
def stop() -> None:
    """End what `start` started, and nothing else."""
    with one_clear_line():
        found = settings.load(settings.folder())
        ended = Stack(found, say=out.print).stop() if found else []
        out.print(f"ended: {', '.join(ended)}" if ended else "nothing of the stack runs here")


@app.command()
def status() -> None:
    """Which of them run; exits with 1 unless all do."""
    with one_clear_line():
        found = settings.load(settings.folder())
        stack = Stack(found, say=out.print) if found else None
        for name, service in (stack.services if stack else {}).items():
            pid = stack.pid(name) if stack else None
            out.print(f"{service.title:<11} {f'process {pid}' if pid else 'does not run'}")
        if stack is None or stack.running() != list(stack.services):
            raise typer.Exit(1)


if __name__ == "__main__":
    app()
