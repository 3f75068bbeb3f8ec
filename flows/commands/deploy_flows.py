"""``distillery deploy-flows``: what a team's Prefect server must know to run the flows."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from flows.console import JsonOption, err, one_clear_line, out, quiet_libraries


class PoolKind(StrEnum):
    """Where a work pool's flow runs live."""

    PROCESS = "process"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    ECS = "ecs"


def deploy_flows(
    pool: Annotated[
        PoolKind, typer.Option(help="Where flow runs live; beside the worker, or in containers.")
    ] = PoolKind.PROCESS,
    json_: JsonOption = False,
) -> None:
    """Put the flows on the Prefect server that PREFECT_API_URL names: work pool, deployments with
    their schedules and limits, automations.

    Repeat it after an upgrade: what is as it should be is left alone.
    """
    with one_clear_line():
        quiet_libraries()
        from flows.deploying import deploy_all

        with err.status("telling the Prefect server about the flows"):
            changes = deploy_all(str(pool))
    if json_:
        out.print_json(json.dumps(changes))
        return
    for what, change in changes.items():
        out.print(f"{change:<10} {what}", highlight=False)
