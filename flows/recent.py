"""What a Prefect server knows of distillery's flow runs."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.sorting import FlowRunSort

from distillery.housekeeping.standing import FlowRunStanding

# reconcile runs every minute, and would be all there is
_TOLD = ("compress", "benchmark", "promote", "deploy", "rollback", "retrain", "monitor", "retain")
_MOST = 8


def last_flow_runs() -> tuple[FlowRunStanding, ...]:
    """The newest that started, newest first."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(_TOLD))),
            sort=FlowRunSort.START_TIME_DESC,
            limit=_MOST,
        )
    return tuple(
        FlowRunStanding(
            name=run.name,
            state=run.state_name or "unknown",
            started_at=run.start_time.isoformat(timespec="seconds") if run.start_time else "",
            flow_run_id=str(run.id),
        )
        for run in found
    )


def late() -> tuple[str, ...]:
    """One line where flow runs wait in vain for a worker."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Late"]))
            ),
            limit=200,
        )
    if not found:
        return ()
    return (
        f"{len(found)} flow runs are late, such as '{found[0].name}'; see that a worker runs: "
        "prefect worker start --pool distillery",
    )
