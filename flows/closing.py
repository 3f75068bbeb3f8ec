"""What a flow's hooks do: no MLflow run stays RUNNING, however its flow ended."""

from typing import Any

from prefect import State
from prefect.client.schemas.objects import FlowRun

from distillery import tracking


def close_failed(flow: Any, flow_run: FlowRun, state: State) -> None:
    """No MLflow run stays RUNNING after a failure."""
    tracking.connect()
    tracking.close_flow_run(str(flow_run.id), "FAILED")


def close_killed(flow: Any, flow_run: FlowRun, state: State) -> None:
    """Nor after a cancellation or a crash; and neither reads FAILED."""
    tracking.connect()
    tracking.mark_cancelled(str(flow_run.id))
